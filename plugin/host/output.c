#include "host.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exports.h"

/* The entry points that Fluent Bit looks for in a Go-proxy object, and what must happen before Go is entered. */

enum { FLB_ERROR = 0, FLB_OK = 1 };

static int reloading;

WAF_EXPORT int FLBPluginPreRegister(int hot_reloading)
{
    reloading = hot_reloading;
    waf_keep_signals();
    return 0;
}

/* The configuration that the host is building, NULL when it cannot be known: a reload leaves the global on the old one. */
static void *config_at_start(void)
{
    Dl_info loader, global;

    if (reloading || waf_host.plugin_load_router == NULL || waf_host.config == NULL
        || dladdr((void *) (uintptr_t) waf_host.plugin_load_router, &loader) == 0
        || dladdr((void *) waf_host.config, &global) == 0 || loader.dli_fbase != global.dli_fbase) {
        return NULL;
    }
    return *waf_host.config;
}

/*
 * Registers the filter of this same file and the input that lies beside it, so that one -e is enough. The loader tells native
 * plugins from Go-proxy ones by their file names, hence the detour over the link.
 */
static void register_sibling(const char *name, const char *kind, void *config)
{
    char path[4096], line[256];
    const char *slash;
    Dl_info self;
    int length;

    if (dladdr((void *) &waf_host, &self) == 0) {
        return;
    }
    slash = strrchr(self.dli_fname, '/');
    length = slash == NULL ? 0 : (int) (slash - self.dli_fname) + 1;
    if (snprintf(path, sizeof(path), "%.*s%s", length, self.dli_fname, name) >= (int) sizeof(path) || access(path, R_OK) != 0) {
        snprintf(line, sizeof(line), "[output:waf] no %s beside out_waf.so: the %s is not registered", name, kind);
        waf_log(WAF_LOG_INFO, line);
        return;
    }
    waf_host.plugin_load_router(path, config);
}

static void register_siblings(void)
{
    void *config = config_at_start();

    if (reloading) {
        waf_log(WAF_LOG_INFO, "[output:waf] hot reload: the filter waf and the input nano are loaded only if the configuration "
                              "lists flb-filter_waf.so and in_nano.so beside out_waf.so");
    }
    else if (waf_host.plugin_load_router == NULL || waf_host.config == NULL) {
        waf_log(WAF_LOG_WARN, "[output:waf] this host does not let a plugin load others, as Fluent Bit 2.2 to 5.1 do: the filter waf and "
                              "the input nano are available only if flb-filter_waf.so and in_nano.so are listed as well");
    }
    if (config != NULL) {
        register_sibling("flb-filter_waf.so", "filter waf", config);
        register_sibling("in_nano.so", "input nano", config);
    }
}

WAF_EXPORT int FLBPluginRegister(void *def)
{
    int answer = wafOutputRegister(def);
    void *map = waf_output_config_map();

    if (map != NULL) {
        ((struct waf_proxy_def *) def)->config_map = map;
    }
    register_siblings();
    return answer;
}

WAF_EXPORT void FLBPluginUnregister(void *def)
{
    if (!waf_forked("output:waf")) {
        wafOutputUnregister(def);
    }
}

WAF_EXPORT int FLBPluginInit(void *start)
{
    return waf_forked("output:waf") ? FLB_ERROR : wafOutputOpen(start, waf_loop_open());
}

struct flush {
    void *context;
    void *data;
    size_t size;
    char *tag;
    uint64_t turn;
    int answer;
};

static int flush_done(void *data)
{
    struct flush *f = data;

    f->answer = wafOutputTurn(f->context, f->turn, f->data, f->size, f->tag);
    return f->answer != WAF_NOT_YET;
}

/*
 * A flush is a coroutine, on the engine's thread unless the output has workers. A chunk is evaluated and delivered by a thread
 * of Go's; meanwhile the coroutine waits and the pipeline goes on. Chunks take their turns, so alerts stay in order.
 *
 * Workers would do the same, but Fluent Bit starts those of Go-proxy outputs twice and a hot reload then crashes it.
 */
WAF_EXPORT int FLBPluginFlushCtx(void *context, void *data, size_t size, char *tag)
{
    struct flush f = {context, data, size, tag, 0, WAF_NOT_YET};
    struct waf_loop *loop = wafOutputLoop(context);

    waf_keep_signals();
    if (loop == NULL || !waf_loop_runs_us(loop)) {
        return wafOutputFlush(context, data, size, tag);
    }
    f.turn = wafOutputQueue(context);
    if (!flush_done(&f) && waf_loop_until(loop, flush_done, &f) != 0) {
        while (!flush_done(&f)) {
            usleep(1000);
        }
    }
    return f.answer;
}

WAF_EXPORT int FLBPluginExitCtx(void *context)
{
    if (!waf_forked("output:waf")) {
        wafOutputClose(context);
    }
    return FLB_OK;
}
