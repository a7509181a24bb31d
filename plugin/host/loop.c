#include "host.h"

#include <pthread.h>
#include <stdlib.h>

/*
 * Waiting in a coroutine of the host, with its exported functions only: a timer of the loop switches back to the coroutine, as
 * the host's own sleep does. The first time of a timer is a whole second that may have passed, so a repeating one is used.
 */
struct waf_loop {
    pthread_t thread;
    void *main; /* what the thread runs outside coroutines */
};

/* A coroutine that waits. It lives on the coroutine's stack, which is there for as long as it waits. */
struct waiter {
    void *coro;   /* the host's */
    void *thread; /* libco's */
    int (*done)(void *);
    void *data;
};

enum { TIMER_MILLISECONDS = 20 };

struct waf_loop *waf_loop_open(void)
{
    struct waf_loop *loop;

    if (waf_host.coro_get == NULL || waf_host.coro_set == NULL || waf_host.co_active == NULL || waf_host.co_switch == NULL
        || !waf_has_timers()) {
        waf_log(WAF_LOG_WARN, "[output:waf] this host lacks functions for waiting in its event loop, which Fluent Bit 2.2 to 5.1 have: the "
                              "pipeline blocks while alerts are delivered");
        return NULL;
    }
    loop = calloc(1, sizeof(*loop));
    if (loop != NULL) {
        loop->thread = pthread_self();
        loop->main = waf_host.co_active();
    }
    return loop;
}

int waf_loop_runs_us(const struct waf_loop *loop)
{
    return pthread_equal(loop->thread, pthread_self()) && waf_host.co_active() != loop->main && waf_host.coro_get() != NULL
        && waf_host.sched_ctx_get() != NULL;
}

static void ask(void *config, void *data)
{
    struct waiter *waiter = data;

    (void) config;
    if (waiter->done(waiter->data)) {
        waf_host.coro_set(waiter->coro);
        waf_host.co_switch(waiter->thread);
    }
}

int waf_loop_until(const struct waf_loop *loop, int (*done)(void *), void *data)
{
    struct waiter self = {waf_host.coro_get(), waf_host.co_active(), done, data};
    void *timer = NULL;

    if (waf_host.sched_timer_cb_create(waf_host.sched_ctx_get(), WAF_TIMER_REPEATING, TIMER_MILLISECONDS, ask, &self, &timer) != 0) {
        return -1;
    }
    waf_host.co_switch(loop->main);
    waf_host.sched_timer_invalidate(timer);
    return 0;
}
