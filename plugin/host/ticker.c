#include "host.h"

#include "exports.h"

/* A timer of the host's event loop that asks an instance again and again for alerts that are ready. */

enum { TICK_MILLISECONDS = 100 };

static void tick(void *config, void *data)
{
    waf_keep_signals();
    wafFilterTick((uintptr_t) data, config);
}

void *waf_ticker_start(uintptr_t handle)
{
    void *timer = NULL;

    if (!waf_has_timers()) {
        waf_log(WAF_LOG_WARN, "[filter:waf] this host lacks timers, which Fluent Bit 2.2 to 5.1 have: alerts that are ready between records "
                              "are emitted with the next ones");
        return NULL;
    }
    /* The loop of an input's own thread has ended before its instances do: a timer in it could not be stopped. */
    if (waf_on_input_thread() || waf_host.sched_ctx_get() == NULL) {
        return NULL;
    }
    if (waf_host.sched_timer_cb_create(waf_host.sched_ctx_get(), WAF_TIMER_REPEATING, TICK_MILLISECONDS, tick, (void *) handle,
                                       &timer) != 0) {
        return NULL;
    }
    return timer;
}

void waf_ticker_stop(void *ticker)
{
    if (ticker != NULL) {
        waf_host.sched_timer_invalidate(ticker);
    }
}
