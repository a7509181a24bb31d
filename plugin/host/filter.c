#include "host.h"

#include "exports.h"

/*
 * The native filter. Its context is a handle of Go's; everything that could go wrong behind it ends as "not touched", which
 * leaves the chunk as it is.
 */

static int cb_init(void *ins, void *config, void *data)
{
    uintptr_t handle;

    (void) data;
    if (waf_forked("filter:waf")) {
        return -1;
    }
    if (waf_host.filter_get_property == NULL || waf_host.filter_set_context == NULL) {
        waf_log(WAF_LOG_ERROR, "[filter:waf] this host lacks flb_filter_get_property or flb_filter_set_context; Fluent Bit 2.2 to 5.1 "
                               "have them");
        return -1;
    }
    waf_keep_signals();
    handle = wafFilterOpen(ins, config);
    if (handle == 0) {
        return -1;
    }
    waf_host.filter_set_context(ins, (void *) handle);
    return 0;
}

static int cb_filter(const void *data, size_t bytes, const char *tag, int tag_len, void **out, size_t *out_bytes, void *ins,
                     void *input, void *context, void *config)
{
    (void) ins;
    waf_keep_signals();
    return wafFilterRun((uintptr_t) context, (void *) data, bytes, (char *) tag, tag_len, out, out_bytes, input, config);
}

static int cb_exit(void *context, void *config)
{
    (void) config;
    if (context != NULL && !waf_forked("filter:waf")) {
        waf_keep_signals();
        wafFilterClose((uintptr_t) context);
    }
    return 0;
}

WAF_EXPORT struct waf_filter_plugin filter_waf_plugin = {
    .event_type = 1, /* logs */
    .name = "waf",
    .description = "Detect web attacks in HTTP records with Coraza and the OWASP Core Rule Set",
    .cb_init = cb_init,
    .cb_filter = cb_filter,
    .cb_exit = cb_exit,
};
