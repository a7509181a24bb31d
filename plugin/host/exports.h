/*
 * What Go offers to this side. Package main, which imports this one, exports these functions; its own C compiles with this file, too,
 * so that a difference between the two is an error. They are weak here because Go links each package once by itself.
 */
#ifndef WAF_EXPORTS_H
#define WAF_EXPORTS_H

#include <stddef.h>
#include <stdint.h>

#ifdef WAF_HOST_SIDE
#define WAF_OF_GO __attribute__((weak)) extern
#else
#define WAF_OF_GO extern
#endif

WAF_OF_GO uintptr_t wafFilterOpen(void *ins, void *config);
WAF_OF_GO int wafFilterRun(uintptr_t handle, void *data, size_t size, char *tag, int tag_len, void **out, size_t *out_size, void *input,
                           void *config);
WAF_OF_GO void wafFilterTick(uintptr_t handle, void *config);
WAF_OF_GO void wafFilterClose(uintptr_t handle);

WAF_OF_GO int wafInputRegister(void *def);
WAF_OF_GO void wafInputUnregister(void *def);
WAF_OF_GO uintptr_t wafInputOpen(void *start);
WAF_OF_GO void wafInputHandOver(uintptr_t handle);
WAF_OF_GO void wafInputPause(uintptr_t handle, int reloading);
WAF_OF_GO void wafInputResume(uintptr_t handle);
WAF_OF_GO void wafInputClose(uintptr_t handle, int reloading);

/* A loop is a struct waf_loop, NULL where the host cannot wait; an output that was opened owns it. */
WAF_OF_GO int wafOutputRegister(void *def);
WAF_OF_GO void wafOutputUnregister(void *def);
WAF_OF_GO int wafOutputOpen(void *start, void *loop);
WAF_OF_GO void *wafOutputLoop(void *handle);
WAF_OF_GO int wafOutputFlush(void *handle, void *data, size_t size, char *tag);
WAF_OF_GO uint64_t wafOutputQueue(void *handle);
WAF_OF_GO int wafOutputTurn(void *handle, uint64_t turn, void *data, size_t size, char *tag);
WAF_OF_GO void wafOutputClose(void *handle);

#endif
