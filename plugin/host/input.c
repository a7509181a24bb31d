#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "input_api.h"

#include "exports.h"

/*
 * The input nano. The host calls most functions of a Go-proxy input without telling for which instance. It gives each instance a
 * thread, unless threaded is off, and calls everything for the instance there: so the thread identifies it.
 *
 * The host asks such an input for records once a second. A timer of the thread's own event loop asks far more often, and hands
 * records over with the function that plugins in C use, which says whether they were taken.
 */

enum { FLB_ERROR = 0, FLB_OK = 1, HAND_OVER_MILLISECONDS = 20 };

struct waf_input {
    uintptr_t handle;
    void *timer; /* NULL when the host has none for us, then it asks once a second */
};

static __thread struct waf_input *ours;

static int reloading;

/*
 * Registrations while the host starts. It makes an instance of each plugin that has the name, so there must not be a second one;
 * a reload registers for a configuration of its own.
 */
static int enrolled;

int waf_input_append(void *ins, size_t records, const void *data, size_t size)
{
    return waf_host.input_append_records(ins, records, NULL, 0, data, size);
}

const char *waf_input_name(void *start)
{
    void *ins = ((struct waf_proxy_start *) start)->ins;
    const char *name = waf_host.input_name == NULL || ins == NULL ? NULL : waf_host.input_name(ins);

    return name == NULL ? "nano" : name;
}

void *waf_input_instance(void *start)
{
    return ((struct waf_proxy_start *) start)->ins;
}

static int pre_register(int hot_reloading)
{
    if ((!hot_reloading && enrolled > 0) || waf_rival()[0] != 0) {
        return -1;
    }
    reloading = hot_reloading;
    return 0;
}

static int enroll(void *def)
{
    int answer = wafInputRegister(def);
    void *map = waf_input_config_map();

    enrolled++;
    if (map != NULL) {
        ((struct waf_proxy_def *) def)->config_map = map;
    }
    return answer;
}

static void dismiss(void *def)
{
    if (!waf_forked("input:nano")) {
        wafInputUnregister(def);
        enrolled--;
    }
}

static void tick(void *config, void *data)
{
    (void) config;
    waf_keep_signals();
    wafInputHandOver(((struct waf_input *) data)->handle);
}

static void *start_timer(struct waf_input *input)
{
    void *timer = NULL;

    if (!waf_has_timers() || waf_host.sched_ctx_get() == NULL
        || waf_host.sched_timer_cb_create(waf_host.sched_ctx_get(), WAF_TIMER_REPEATING, HAND_OVER_MILLISECONDS, tick, input,
                                          &timer) != 0) {
        waf_log(WAF_LOG_WARN, "[input:nano] this host lacks the timer of Fluent Bit 3.2 to 5.1: records are handed over once per second");
        return NULL;
    }
    return timer;
}

static int init(void *start)
{
    struct waf_input *input;

    if (waf_forked("input:nano")) {
        return FLB_ERROR;
    }
    waf_keep_signals();
    if (waf_host.input_append_records == NULL) {
        waf_log(WAF_LOG_ERROR, "[input:nano] this host lacks flb_input_log_append_records; Fluent Bit 3.2 to 5.1 have it");
        return FLB_ERROR;
    }
    if (ours != NULL) {
        waf_log(WAF_LOG_ERROR, "[input:nano] with \"threaded off\" there can be only one input nano; listen_on accepts several addresses");
        return FLB_ERROR;
    }
    input = calloc(1, sizeof(*input));
    if (input == NULL) {
        return FLB_ERROR;
    }
    input->handle = wafInputOpen(start);
    if (input->handle == 0) {
        free(input);
        return FLB_ERROR;
    }
    reloading = 0;
    input->timer = start_timer(input);
    ours = input;
    return FLB_OK;
}

/* Called once a second whatever else there is; only where there is no timer it has something to do. */
static int collect(void)
{
    if (ours != NULL && ours->timer == NULL) {
        tick(NULL, ours);
    }
    return 0;
}

static void pause(void)
{
    if (ours != NULL) {
        wafInputPause(ours->handle, reloading);
    }
}

static void resume(void)
{
    if (ours != NULL) {
        wafInputResume(ours->handle);
    }
}

static void pre_exit(int hot_reloading)
{
    if (ours != NULL) {
        if (ours->timer != NULL) {
            waf_host.sched_timer_invalidate(ours->timer);
        }
        wafInputClose(ours->handle, hot_reloading);
        free(ours);
        ours = NULL;
    }
}

static int leave(void)
{
    pre_exit(0); /* of a host that does not announce it */
    return FLB_OK;
}

static const struct waf_input_api table = {
    .pre_register = pre_register,
    .enroll = enroll,
    .dismiss = dismiss,
    .init = init,
    .collect = collect,
    .pause = pause,
    .resume = resume,
    .pre_exit = pre_exit,
    .exit = leave,
};

WAF_EXPORT const struct waf_input_api *waf_input_api(int version)
{
    return version == WAF_INPUT_API ? &table : NULL;
}
