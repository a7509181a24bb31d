#include "host.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct waf_host waf_host;
pid_t waf_load_pid;

WAF_EXPORT extern struct waf_filter_plugin filter_waf_plugin;

static void look_up(void *function, const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);

    memcpy(function, &found, sizeof(found));
}

static char rival[4096];

const char *waf_rival(void)
{
    return rival;
}

/* Called for each object of the process; its names are those that it is installed with. */
static int is_rival(struct dl_phdr_info *object, size_t size, void *self)
{
    const char *slash = strrchr(object->dlpi_name, '/');
    const char *base = slash == NULL ? object->dlpi_name : slash + 1;

    (void) size;
    if ((void *) object->dlpi_addr == self || (strcmp(base, "out_waf.so") != 0 && strcmp(base, "flb-filter_waf.so") != 0)) {
        return 0;
    }
    snprintf(rival, sizeof(rival), "%s", object->dlpi_name);
    return 1;
}

/* Two copies are two Go runtimes. The host takes the filter and the output of that name which it has loaded first. */
static void look_for_rival(void)
{
    char line[sizeof(rival) + 256];
    Dl_info self;

    if (dladdr((void *) &waf_host, &self) == 0 || dl_iterate_phdr(is_rival, self.dli_fbase) == 0) {
        return;
    }
    snprintf(line, sizeof(line), "[output:waf] %s is already loaded: this copy, %s, only uses memory; list one of them", rival,
             self.dli_fname);
    waf_log(WAF_LOG_WARN, line);
}

/*
 * Runs inside dlopen, when Go's runtime is still starting in a thread of its own: nothing here may call Go. The host reads
 * filter_waf_plugin as soon as dlopen returns, so the config map is in place by the end of this function.
 */
__attribute__((constructor)) static void load(void)
{
    waf_load_pid = getpid();

    look_up(&waf_host.filter_get_property, "flb_filter_get_property");
    look_up(&waf_host.filter_set_context, "flb_filter_set_context");
    look_up(&waf_host.filter_name, "flb_filter_name");
    look_up(&waf_host.output_name, "flb_output_name");
    look_up(&waf_host.input_name, "flb_input_name");
    look_up(&waf_host.log_print, "flb_log_print");
    look_up(&waf_host.worker_get, "flb_worker_get");
    look_up(&waf_host.worker_log_level, "flb_worker_log_level");
    look_up(&waf_host.plugin_load_router, "flb_plugin_load_router");
    look_up(&waf_host.config, "config");
    look_up(&waf_host.input_new, "flb_input_new");
    look_up(&waf_host.input_set_property, "flb_input_set_property");
    look_up(&waf_host.input_instance_init, "flb_input_instance_init");
    look_up(&waf_host.storage_input_create, "flb_storage_input_create");
    look_up(&waf_host.input_get_instance, "flb_input_get_instance");
    look_up(&waf_host.cio_options_init, "cio_options_init");
    look_up(&waf_host.cio_create, "cio_create");
    look_up(&waf_host.emitter_add_record, "in_emitter_add_record");
    look_up(&waf_host.coro_get, "flb_coro_get");
    look_up(&waf_host.coro_set, "flb_coro_set");
    look_up(&waf_host.co_active, "co_active");
    look_up(&waf_host.co_switch, "co_switch");
    look_up(&waf_host.sched_ctx_get, "flb_sched_ctx_get");
    look_up(&waf_host.sched_timer_cb_create, "flb_sched_timer_cb_create");
    look_up(&waf_host.sched_timer_invalidate, "flb_sched_timer_invalidate");
    look_up(&waf_host.input_append_records, "flb_input_log_append_records");
    look_up(&waf_host.input_append_skip_stages, "flb_input_log_append_skip_processor_stages");

    filter_waf_plugin.config_map = waf_filter_config_map();
    look_for_rival();
}

/* A thread that is not one of the host's workers has no level of its own; the host then shows all but debug lines. */
static int log_level(void)
{
    void *worker;

    if (waf_host.worker_get == NULL || waf_host.worker_log_level == NULL) {
        return WAF_LOG_INFO;
    }
    worker = waf_host.worker_get();
    return worker == NULL ? WAF_LOG_INFO : waf_host.worker_log_level(worker);
}

void waf_log(int level, const char *line)
{
    if (level > log_level()) {
        return;
    }
    if (waf_host.log_print != NULL) {
        waf_host.log_print(level, NULL, 0, "%s", line);
    }
    else {
        fprintf(stderr, "%s\n", line);
    }
}

int waf_forked(const char *who)
{
    char line[256];

    if (getpid() == waf_load_pid) {
        return 0;
    }
    snprintf(line, sizeof(line),
             "[%s] cannot run in daemon mode: Fluent Bit forked after it loaded the plugin; "
             "set \"daemon off\" and let the service manager run it in the background",
             who);
    waf_log(WAF_LOG_ERROR, line);
    return 1;
}

/* Inputs name their threads "flb-in-<name>-w<number>", in all versions. */
int waf_on_input_thread(void)
{
    static const char prefix[] = "flb-in-";
    char name[17] = "";

    return prctl(PR_GET_NAME, name) == 0 && strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

int waf_has_timers(void)
{
    return waf_host.sched_ctx_get != NULL && waf_host.sched_timer_cb_create != NULL && waf_host.sched_timer_invalidate != NULL;
}

void *waf_copy(const void *data, size_t size)
{
    void *copy = malloc(size == 0 ? 1 : size);

    if (copy != NULL && size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

const char *waf_filter_property(const char *key, void *ins)
{
    return waf_host.filter_get_property(key, ins);
}

const char *waf_filter_name(void *ins)
{
    const char *name = waf_host.filter_name == NULL ? NULL : waf_host.filter_name(ins);

    return name == NULL ? "waf" : name;
}

const char *waf_output_name(void *start)
{
    void *ins = ((struct waf_proxy_start *) start)->ins;
    const char *name = waf_host.output_name == NULL || ins == NULL ? NULL : waf_host.output_name(ins);

    return name == NULL ? "waf" : name;
}
