/*
 * What Fluent Bit and this object expect of each other, in declarations of our own. Instances, inputs and configurations stay
 * opaque; every function of the host is looked up at load, so that the object loads in any process and a missing function is a
 * message instead of a linker error.
 */
#ifndef WAF_HOST_H
#define WAF_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Everything is compiled with hidden symbols; what the host looks up is not. */
#define WAF_EXPORT __attribute__((visibility("default")))

enum { WAF_LOG_ERROR = 1, WAF_LOG_WARN = 2, WAF_LOG_INFO = 3, WAF_LOG_DEBUG = 4 };

/* What cb_filter answers. */
enum { WAF_FILTER_MODIFIED = 1, WAF_FILTER_NOTOUCH = 2 };

/* The kind of a timer of the host that runs until it is invalidated. */
enum { WAF_TIMER_REPEATING = 4 };

/* What a flush answers beside the numbers of fluent-bit-go: it is under way. */
enum { WAF_NOT_YET = -1 };

struct waf_list {
    struct waf_list *prev;
    struct waf_list *next;
};

/*
 * The host copies this structure with its own idea of its size, which grew over the versions: the spare bytes behind it are
 * what a newer host reads as "no such callback".
 */
struct waf_filter_plugin {
    int event_type;
    int flags;
    const char *name;
    const char *description;
    void *config_map;
    int (*cb_pre_run)(void *ins, void *config, void *data);
    int (*cb_init)(void *ins, void *config, void *data);
    int (*cb_filter)(const void *data, size_t bytes, const char *tag, int tag_len, void **out, size_t *out_bytes, void *ins,
                     void *input, void *context, void *config);
    int (*cb_exit)(void *context, void *config);
    int (*cb_notification)(void *ins, void *config, void *msg);
    struct waf_list head;
    char spare[512];
};

/* What a Go-proxy plugin fills in; hosts before 5.1 give less of it. */
struct waf_proxy_def {
    int type;
    int proxy;
    int flags;
    char *name;
    char *description;
    int event_type;
    void *config_map;
};

/* The head of what a Go-proxy plugin gets at its start. */
struct waf_proxy_start {
    void *unused;
    void *api;
    void *ins;
    void *context;
};

/* The functions of the host; those it does not have are NULL. */
struct waf_host {
    const char *(*filter_get_property)(const char *key, void *ins);
    void (*filter_set_context)(void *ins, void *context);
    const char *(*filter_name)(void *ins);
    const char *(*output_name)(void *ins);
    const char *(*input_name)(void *ins);

    void (*log_print)(int level, const char *file, int line, const char *fmt, ...);
    void *(*worker_get)(void);
    int (*worker_log_level)(void *worker);

    int (*plugin_load_router)(char *path, void *config);
    void **config; /* the executable's global; a reload leaves it on the old configuration */

    void *(*input_new)(void *config, const char *name, void *data, int public_only);
    int (*input_set_property)(void *input, const char *key, const char *value);
    int (*input_instance_init)(void *input, void *config);
    int (*storage_input_create)(void *cio, void *input);
    void *(*input_get_instance)(void *config, int id);
    void (*cio_options_init)(void *options);
    void *(*cio_create)(void *options);
    int (*emitter_add_record)(const char *tag, int tag_len, const char *data, size_t size, void *emitter, void *input);
    void *(*coro_get)(void);
    void (*coro_set)(void *coro);
    void *(*co_active)(void);
    void (*co_switch)(void *thread);
    void *(*sched_ctx_get)(void);
    int (*sched_timer_cb_create)(void *sched, int type, int ms, void (*cb)(void *config, void *data), void *data, void **timer);
    void (*sched_timer_invalidate)(void *timer);
    int (*input_append_records)(void *input, size_t records, const char *tag, size_t tag_len, const void *data, size_t size);
    int (*input_append_skip_stages)(void *input, size_t stage, const char *tag, size_t tag_len, const void *data, size_t size);
};

extern struct waf_host waf_host;

/* The process that loaded this object; after a fork Go's threads are gone and no Go function may be called. */
extern pid_t waf_load_pid;

/* Writes one line to the host's log at its log level, or to standard error in a process that has none. */
void waf_log(int level, const char *line);

/* Reports, in the log, that the host forked after it loaded this object. Returns 1 when it did. */
int waf_forked(const char *who);

/* The path of another copy of this object that was loaded before, "" when there is none. */
const char *waf_rival(void);

/* 1 when the host has timers for its event loops. */
int waf_has_timers(void);

/* A copy of size bytes that the host may free, NULL when there is no memory. */
void *waf_copy(const void *data, size_t size);

const char *waf_filter_property(const char *key, void *ins);
const char *waf_filter_name(void *ins);
const char *waf_output_name(void *start);
const char *waf_input_name(void *start);

/* The instance that a Go-proxy input is started for. */
void *waf_input_instance(void *start);

/* Appends msgpack events to an input, with the tag of the input. Returns 0 when the host has taken a copy of them. */
int waf_input_append(void *ins, size_t records, const void *data, size_t size);

/* configmap.c: the tables of properties in the layout of the host. */
void *waf_filter_config_map(void);

/* NULL for hosts that take none for Go-proxy outputs, which is before 5.1. */
void *waf_output_config_map(void);
void *waf_input_config_map(void);

/* advice.c: what the process prints when it ends, after all that the host has logged; NULL and "" for nothing. */
void waf_advise(const char *lines);

/* signals.c: keeps what Go needs of the process's signal handlers, which the host sets again. Cheap enough for every chunk. */
void waf_keep_signals(void);

/*
 * pages.c: takes code and constants of this object out of the resident memory: a part of them has only served for linking and for
 * loading rules. What is needed comes back by itself. Returns how many bytes that concerns, resident or not.
 */
size_t waf_release_pages(void);

/* loop.c: an event loop of the host, as the thread that runs it sees it. */
struct waf_loop;

/* The loop of the calling thread, which is not in a coroutine; NULL when the host lacks what it takes, or without memory. */
struct waf_loop *waf_loop_open(void);

/* 1 in a coroutine that the loop runs on its own thread, which may wait without holding the loop up. */
int waf_loop_runs_us(const struct waf_loop *loop);

/*
 * Lets the loop continue until done(data), which the loop then asks every so often, outside the coroutine. Returns -1, at once,
 * when it cannot.
 */
int waf_loop_until(const struct waf_loop *loop, int (*done)(void *data), void *data);

/*
 * ticker.c: calls wafFilterTick every so often on the loop of the calling thread. NULL on the thread of an input, and when the host
 * lacks what it takes.
 */
void *waf_ticker_start(uintptr_t handle);

/* Takes NULL, too. To be called on the thread that started the ticker. */
void waf_ticker_stop(void *ticker);

/* emitter.c */
struct waf_emitter;

/* 1 on the own thread of an input. */
int waf_on_input_thread(void);

/* What opening an emitter comes to: the emitter, or what is the problem in static text. */
struct waf_emitter_opened {
    struct waf_emitter *emitter;
    const char *problem;
};

/*
 * Makes what is needed to send records under another tag from the filter instance that is being initialized. The input behind
 * it belongs to the host, which ends it with the configuration.
 */
struct waf_emitter_opened waf_emitter_open(const char *alias, const char *limit, void *config);

enum { WAF_EMIT_TAKEN = 0, WAF_EMIT_REFUSED = -1, WAF_EMIT_BUSY = -2, WAF_EMIT_NO_INPUT = -3 };

/* Sends one msgpack event that came from input under a tag, and returns one of the above. */
int waf_emit(struct waf_emitter *emitter, const char *tag, size_t tag_len, const void *data, size_t size, void *input,
             void *config);
void waf_emitter_close(struct waf_emitter *emitter);

#endif
