/*
 * in_nano.so, the input nano of Fluent Bit: the names that the host looks up. The work is done in out_waf.so, which lies beside it
 * and is loaded by it; in a pipeline with both there is one Go runtime.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "../host/input_api.h"

#define EXPORT __attribute__((visibility("default")))

enum { FLB_ERROR = 0, FLB_OK = 1, LOG_LEVEL_ERROR = 1 };

static const char sibling[] = "out_waf.so";

static const struct waf_input_api *api;

static void refuse(const char *path, const char *reason)
{
    void (*log_print)(int, const char *, int, const char *, ...);
    void *found = dlsym(RTLD_DEFAULT, "flb_log_print");

    memcpy(&log_print, &found, sizeof(found));
    if (found != NULL) {
        log_print(LOG_LEVEL_ERROR, NULL, 0, "[input:nano] in_nano.so needs %s of the same version: %s", path, reason);
    }
    else {
        fprintf(stderr, "[input:nano] in_nano.so needs %s of the same version: %s\n", path, reason);
    }
}

/* Finds the table of out_waf.so. Returns 0, or -1 with the reason in the log. */
static int find(void)
{
    char path[4096];
    const char *slash;
    waf_input_api_of of;
    void *object, *symbol;
    Dl_info self;
    int length;

    if (api != NULL) {
        return 0;
    }
    if (dladdr((void *) &api, &self) == 0) {
        refuse(sibling, "the path of in_nano.so is not known");
        return -1;
    }
    slash = strrchr(self.dli_fname, '/');
    length = slash == NULL ? 0 : (int) (slash - self.dli_fname) + 1;
    if (snprintf(path, sizeof(path), "%.*s%s", length, self.dli_fname, sibling) >= (int) sizeof(path)) {
        refuse(sibling, "the path is too long");
        return -1;
    }
    object = dlopen(path, RTLD_LAZY);
    if (object == NULL) {
        refuse(path, dlerror());
        return -1;
    }
    symbol = dlsym(object, WAF_INPUT_API_NAME);
    memcpy(&of, &symbol, sizeof(symbol));
    api = symbol == NULL ? NULL : of(WAF_INPUT_API);
    if (api == NULL) {
        refuse(path, "it has another version");
        return -1;
    }
    return 0;
}

EXPORT int FLBPluginPreRegister(int hot_reloading)
{
    return find() != 0 ? -1 : api->pre_register(hot_reloading);
}

/* A host that does not register first comes here at once. */
EXPORT int FLBPluginRegister(void *def)
{
    return find() != 0 ? -1 : api->enroll(def);
}

EXPORT void FLBPluginUnregister(void *def)
{
    api->dismiss(def);
}

EXPORT int FLBPluginInit(void *start)
{
    return api->init(start);
}

EXPORT int FLBPluginInputCallback(void **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    return api->collect();
}

EXPORT int FLBPluginInputCleanupCallback(void *data)
{
    (void) data;
    return 0;
}

EXPORT void FLBPluginInputPause(void)
{
    api->pause();
}

EXPORT void FLBPluginInputResume(void)
{
    api->resume();
}

EXPORT void FLBPluginInputPreExit(int hot_reloading)
{
    api->pre_exit(hot_reloading);
}

EXPORT int FLBPluginExit(void)
{
    return api->exit();
}
