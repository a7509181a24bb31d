/*
 * A host for the plugin, as far as the plugin can tell: it loads the object by both names, offers the functions that Fluent Bit
 * exports, and drives the callbacks. It reads one command a line from standard input and answers with one line that starts with
 * "= "; lines of the log come before it as "log LEVEL TEXT". Binary values are written as hexadecimal digits ("-" for none).
 *
 * Compiled with -DOLD it is a host without the emitter and with the config map up to version 5.0.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { MOST = 16, MOST_WORDS = 64 };

struct list {
    struct list *prev, *next;
};

struct filter_plugin {
    int event_type;
    int flags;
    char *name;
    char *description;
    struct map_element *config_map;
    int (*cb_pre_run)(void *, void *, void *);
    int (*cb_init)(void *, void *, void *);
    int (*cb_filter)(const void *, size_t, const char *, int, void **, size_t *, void *, void *, void *, void *);
    int (*cb_exit)(void *, void *);
    int (*cb_notification)(void *, void *, void *);
    struct list head;
    void *later[4]; /* what a later version may have added */
};

struct map_element {
    int type;
    char *name;
    char *def_value;
    int flags;
    int set_property;
    uintptr_t offset;
    char *desc;
    union {
        int number;
        void *text;
    } value;
#ifndef OLD
    void *raw;
#endif
    void *mult;
    struct list value_head;
    struct list head;
};

struct property {
    char *key, *value;
};

struct instance {
    char *name;
    void *context;
    struct property properties[MOST_WORDS];
    int count;
};

/* The parts of a Go-proxy plugin. */
struct api {
    char *(*output_get_property)(char *, void *);
    char *(*input_get_property)(char *, void *);
};

struct proxy_context {
    void *remote_context;
};

struct output_start {
    void *unused;
    struct api *api;
    struct instance *ins;
    struct proxy_context *context;
};

struct proxy_def {
    int type, proxy, flags;
    char *name, *description;
#ifndef OLD
    int event_type;
    struct map_element *config_map;
#endif
};

static struct filter_plugin plugin;
static struct instance *instances[MOST];
static struct proxy_context contexts[MOST];
static void *object;
static int quiet;
static int inputs[4]; /* their addresses are the inputs */
static int emitter_answer, append_answer;
static int routed;

static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void print_hex(const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t i;

    if (size == 0) {
        putchar('-');
    }
    for (i = 0; i < size; i++) {
        printf("%02x", p[i]);
    }
}

static size_t from_hex(const char *hex, void **data)
{
    size_t i, size = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    unsigned char *p = malloc(size + 1);
    unsigned byte;

    for (i = 0; i < size; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        p[i] = (unsigned char) byte;
    }
    p[size] = 0;
    *data = p;
    return size;
}

/* What the host exports. */

void *config = &config;

const char *flb_filter_get_property(const char *key, void *ins)
{
    struct instance *i = ins;
    int n;

    for (n = 0; n < i->count; n++) {
        if (strcasecmp(i->properties[n].key, key) == 0) {
            return i->properties[n].value;
        }
    }
    return NULL;
}

void flb_filter_set_context(void *ins, void *context)
{
    ((struct instance *) ins)->context = context;
}

const char *flb_filter_name(void *ins)
{
    return ((struct instance *) ins)->name;
}

const char *flb_output_name(void *ins)
{
    return ((struct instance *) ins)->name;
}

const char *flb_input_name(void *ins)
{
    return ((struct instance *) ins)->name;
}

/* "emit append RECORDS HEX", or nothing when it is to refuse. */
int flb_input_log_append_records(void *ins, size_t records, const char *tag, size_t tag_len, const void *data, size_t size)
{
    if (append_answer == 0 && ins != NULL && tag == NULL && tag_len == 0) {
        pthread_mutex_lock(&printing);
        printf("emit append %zu ", records);
        print_hex(data, size);
        printf("\n");
        pthread_mutex_unlock(&printing);
    }
    return append_answer;
}

void flb_log_print(int level, const char *file, int line, const char *fmt, ...)
{
    va_list args;

    (void) file;
    (void) line;
    pthread_mutex_lock(&printing);
    if (!quiet) {
        printf("log %d ", level);
        va_start(args, fmt);
        vprintf(fmt, args);
        va_end(args);
        printf("\n");
    }
    pthread_mutex_unlock(&printing);
}

int flb_plugin_load_router(char *path, void *for_config)
{
    const char *base = strrchr(path, '/');
    void *handle = dlopen(path, RTLD_LAZY);

    routed = handle != NULL && handle == object && for_config == config && base != NULL
          && strcmp(base, "/flb-filter_waf.so") == 0;
    return 0;
}

#ifndef OLD
void *flb_config_map_get_raw(void)
{
    return NULL;
}

static int new_input;
static char emitter_options[4][64];

void *flb_input_new(void *for_config, const char *name, void *data, int public_only)
{
    (void) data;
    return for_config == config && strcmp(name, "emitter") == 0 && public_only == 0 ? &new_input : NULL;
}

int flb_input_set_property(void *input, const char *key, const char *value)
{
    static int count;

    snprintf(emitter_options[count++ % 4], sizeof(emitter_options[0]), "%s=%s", key, value);
    return input == &new_input ? 0 : -1;
}

int flb_input_instance_init(void *input, void *for_config)
{
    return input == &new_input && for_config == config ? 0 : -1;
}

void cio_options_init(void *options)
{
    *(int *) options = 4711;
}

void *cio_create(void *options)
{
    return *(int *) options == 4711 ? &emitter_options : NULL;
}

int flb_storage_input_create(void *cio, void *input)
{
    return cio == &emitter_options && input == &new_input ? 0 : -1;
}

void *flb_input_get_instance(void *for_config, int id)
{
    return for_config == config && id < 4 ? &inputs[id] : NULL;
}

static int emitted(const char *way, const char *tag, size_t tag_len, const void *data, size_t size)
{
    if (emitter_answer == 0) {
        pthread_mutex_lock(&printing);
        printf("emit %s %.*s ", way, (int) tag_len, tag);
        print_hex(data, size);
        printf("\n");
        pthread_mutex_unlock(&printing);
    }
    return emitter_answer;
}

int in_emitter_add_record(const char *tag, int tag_len, const char *data, size_t size, void *emitter, void *input)
{
    return emitter == &new_input && input == &inputs[0] ? emitted("emitter", tag, (size_t) tag_len, data, size) : -1;
}

int flb_input_log_append_skip_processor_stages(void *input, size_t stage, const char *tag, size_t tag_len, const void *data,
                                               size_t size)
{
    return input == &inputs[0] && stage > 1000 ? emitted("input", tag, tag_len, data, size) : -1;
}
#endif

#ifndef OLD
/* Coroutines and timers, as the host's event loop has them. */

enum { FLUSHES = 2, STACK = 256 << 10, TIMER_REPEATING = 4 };

struct timer {
    int active;
    void (*cb)(void *, void *);
    void *data;
};

static ucontext_t main_thread;
static ucontext_t *active = &main_thread;
static void *current; /* the coroutine, as the host's bookkeeping has it */
static struct timer timers[FLUSHES];
static int scheduler;

void *co_active(void)
{
    return active;
}

void co_switch(void *thread)
{
    ucontext_t *from = active;

    active = thread;
    swapcontext(from, thread);
}

void *flb_coro_get(void)
{
    return current;
}

void flb_coro_set(void *coro)
{
    current = coro;
}

void *flb_sched_ctx_get(void)
{
    return &scheduler;
}

int flb_sched_timer_cb_create(void *sched, int type, int ms, void (*cb)(void *, void *), void *data, void **timer)
{
    int n;

    for (n = 0; n < FLUSHES; n++) {
        if (!timers[n].active && sched == &scheduler && type == TIMER_REPEATING && ms > 0) {
            timers[n] = (struct timer) {1, cb, data};
            *timer = &timers[n];
            return 0;
        }
    }
    return -1;
}

void flb_sched_timer_invalidate(void *timer)
{
    ((struct timer *) timer)->active = 0;
}
#endif

/* The commands. */

static void *symbol(const char *name)
{
    void *found = dlsym(object, name);

    if (found == NULL) {
        printf("= no symbol %s\n", name);
        exit(2);
    }
    return found;
}

/* load DIRECTORY: both names are one object, and the structure is copied with a size of the host's own. */
static void load(char **words)
{
    char path[4096];
    void *again;

    snprintf(path, sizeof(path), "%s/out_waf.so", words[1]);
    object = dlopen(path, RTLD_LAZY);
    if (object == NULL) {
        printf("= %s\n", dlerror());
        return;
    }
    snprintf(path, sizeof(path), "%s/flb-filter_waf.so", words[1]);
    again = dlopen(path, RTLD_LAZY);
    memcpy(&plugin, symbol("filter_waf_plugin"), sizeof(plugin));
    printf("= %s event_type %d flags %d later %s %s\n", plugin.name, plugin.event_type, plugin.flags,
           plugin.later[0] || plugin.later[1] || plugin.later[2] || plugin.later[3] ? "set" : "zero",
           again == object ? "one object" : "two objects");
}

/* map, output-map: the properties as the host reads them. */
static void map(const struct map_element *e)
{
    printf("=");
    for (; e->name != NULL; e++) {
        printf(" %d:%s:", e->type, e->name);
        print_hex(e->def_value == NULL ? "" : e->def_value, e->def_value == NULL ? 0 : strlen(e->def_value));
        printf(":");
        print_hex(e->desc, strlen(e->desc));
    }
    printf("\n");
}

static struct instance *instance_new(int id, char **words)
{
    struct instance *i = calloc(1, sizeof(*i));
    int n;

    i->name = strdup(words[2]);
    for (n = 3; words[n] != NULL; n++) {
        char *value = strchr(words[n], '=');

        *value = 0;
        i->properties[i->count].key = strdup(words[n]);
        from_hex(value + 1, (void **) &i->properties[i->count++].value);
    }
    instances[id] = i;
    return i;
}

static void instance_free(int id)
{
    struct instance *i = instances[id];
    int n;

    for (n = 0; n < i->count; n++) {
        free(i->properties[n].key);
        free(i->properties[n].value);
    }
    free(i->name);
    free(i);
    instances[id] = NULL;
}

/* init ID NAME KEY=HEX... */
static void init(char **words)
{
    struct instance *i = instance_new(atoi(words[1]), words);

    printf("= %d\n", plugin.cb_init(i, config, NULL));
}

/* filter ID TAG HEX SOURCE: SOURCE is "input", or "output" as in a processor of an output. */
static void filter(char **words)
{
    struct instance *i = instances[atoi(words[1])];
    void *data, *out = NULL;
    size_t out_size = 0, size = from_hex(words[3], &data);
    void *source = strcmp(words[4], "input") == 0 ? (void *) &inputs[0] : (void *) &plugin;
    int answer = plugin.cb_filter(data, size, words[2], (int) strlen(words[2]), &out, &out_size, i, source, i->context, config);

    printf("= %d ", answer);
    print_hex(out, out_size);
    printf("\n");
    free(out);
    free(data);
}

/* time ID TAG HEX ROUNDS: nanoseconds of the thread's processor time that one call took. */
static void time_calls(char **words)
{
    struct instance *i = instances[atoi(words[1])];
    struct timespec from, to;
    void *data;
    size_t size = from_hex(words[3], &data);
    long n, rounds = atol(words[4]);

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (n = 0; n < rounds; n++) {
        void *out = NULL;
        size_t out_size = 0;

        plugin.cb_filter(data, size, words[2], (int) strlen(words[2]), &out, &out_size, i, &inputs[0], i->context, config);
        free(out);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    printf("= %ld\n", ((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec) / rounds);
    free(data);
}

struct work {
    struct instance *instance;
    const char *tag;
    const void *data;
    size_t size;
    int rounds, answer, wrong;
    void *expected;
    size_t expected_size;
};

static void *work(void *argument)
{
    struct work *w = argument;
    int n;

    for (n = 0; n < w->rounds; n++) {
        void *out = NULL;
        size_t out_size = 0;
        int answer = plugin.cb_filter(w->data, w->size, w->tag, (int) strlen(w->tag), &out, &out_size, w->instance, &inputs[0],
                                      w->instance->context, config);

        if (answer != w->answer || out_size != w->expected_size || (out_size > 0 && memcmp(out, w->expected, out_size) != 0)) {
            w->wrong++;
        }
        free(out);
    }
    return NULL;
}

/* threads ID ID ROUNDS TAG HEX: one thread for each instance, which must answer as the first call on this thread. */
static void threads(char **words)
{
    struct work w[2] = {{0}};
    pthread_t thread[2];
    void *data;
    size_t size = from_hex(words[5], &data);
    int n;

    for (n = 0; n < 2; n++) {
        w[n].instance = instances[atoi(words[1 + n])];
        w[n].rounds = atoi(words[3]);
        w[n].tag = words[4];
        w[n].data = data;
        w[n].size = size;
        w[n].answer = plugin.cb_filter(data, size, words[4], (int) strlen(words[4]), &w[n].expected, &w[n].expected_size,
                                       w[n].instance, &inputs[0], w[n].instance->context, config);
    }
    for (n = 0; n < 2; n++) {
        pthread_create(&thread[n], NULL, work, &w[n]);
    }
    for (n = 0; n < 2; n++) {
        pthread_join(thread[n], NULL);
        free(w[n].expected);
    }
    free(data);
    printf("= answers %d %d wrong %d %d\n", w[0].answer, w[1].answer, w[0].wrong, w[1].wrong);
}

/* exit ID */
static void end(char **words)
{
    int id = atoi(words[1]);

    printf("= %d\n", plugin.cb_exit(instances[id]->context, config));
    instance_free(id);
}

static void crash(int number)
{
    _exit(100 + number);
}

static volatile sig_atomic_t handled;

/* Like Fluent Bit's, a handler that sets all of them again. */
static void set_handlers(void);

static void handle(int number)
{
    handled = number;
    set_handlers();
}

static void set_handlers(void)
{
    static const int numbers[] = {SIGINT, SIGQUIT, SIGHUP, SIGCONT, SIGTERM};
    size_t n;

    for (n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        signal(numbers[n], handle);
    }
    signal(SIGSEGV, crash);
    signal(SIGFPE, crash);
}

/* signals: the handlers that Fluent Bit sets at its start, and again on SIGHUP and SIGCONT. */
static void signals(void)
{
    set_handlers();
    printf("= ok\n");
}

/* raise NUMBER: which signal the host has handled then, and which signals have a handler that runs on the stack of whatever a thread
 * was doing. */
static void send_signal(char **words)
{
    int number;

    handled = 0;
    raise(atoi(words[1]));
    printf("= handled %d", handled);
    for (number = 1; number < SIGSYS; number++) {
        struct sigaction now;

        if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN
            && (now.sa_flags & SA_ONSTACK) == 0) {
            printf(" %d", number);
        }
    }
    printf("\n");
}

/* fork ID NAME: the start of an instance in a child, as in daemon mode. */
static void fork_init(char **words)
{
    struct instance *i = instance_new(atoi(words[1]), words);
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        int answer = plugin.cb_init(i, config, NULL);

        fflush(stdout);
        _exit(answer == -1 ? 7 : 0);
    }
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    instance_free(atoi(words[1]));
    printf("= %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static char *get_property(char *key, void *ins)
{
    return (char *) flb_filter_get_property(key, ins);
}

static struct api api = {.output_get_property = get_property, .input_get_property = get_property};
static struct proxy_def def;

/* register RELOADING */
static void do_register(char **words)
{
    int (*pre_register)(int) = symbol("FLBPluginPreRegister");
    int (*register_plugin)(void *) = symbol("FLBPluginRegister");
    int pre, answer;

    routed = 0;
    pre = pre_register(atoi(words[1]));
    answer = register_plugin(&def);
    printf("= %d %d type %d proxy %d name %s filter %s\n", pre, answer, def.type, def.proxy, def.name,
           routed ? "registered" : "left out");
}

static void unregister(void)
{
    void (*unregister_plugin)(void *) = symbol("FLBPluginUnregister");

    unregister_plugin(&def);
    printf("= ok\n");
}

/* output ID NAME KEY=HEX... */
static void output(char **words)
{
    int id = atoi(words[1]);
    int (*init_plugin)(void *) = symbol("FLBPluginInit");
    struct output_start start = {NULL, &api, instance_new(id, words), &contexts[id]};

    printf("= %d\n", init_plugin(&start));
}

/* flush ID TAG HEX */
static void flush(char **words)
{
    int (*flush_ctx)(void *, void *, size_t, char *) = symbol("FLBPluginFlushCtx");
    void *data;
    size_t size = from_hex(words[3], &data);

    printf("= %d\n", flush_ctx(contexts[atoi(words[1])].remote_context, data, size, words[2]));
    free(data);
}

#ifndef OLD
struct flushing {
    ucontext_t thread;
    char *stack;
    void *remote_context, *data;
    size_t size;
    char *tag;
    int answer, ended;
};

static struct flushing flushing[FLUSHES];
static int order[FLUSHES], ended;

static void flush_coroutine(int n)
{
    int (*flush_ctx)(void *, void *, size_t, char *) = symbol("FLBPluginFlushCtx");
    struct flushing *f = &flushing[n];

    f->answer = flush_ctx(f->remote_context, f->data, f->size, f->tag);
    f->ended = current == f; /* who waits in between is told apart */
    order[ended++] = n;
    co_switch(&main_thread);
}

/* flushes ID TAG HEX HEX: two flushes as coroutines of a loop, which counts its rounds meanwhile. */
static void flushes(char **words)
{
    int n, rounds = 0;

    ended = 0;
    for (n = 0; n < FLUSHES; n++) {
        struct flushing *f = &flushing[n];

        *f = (struct flushing) {.stack = malloc(STACK), .remote_context = contexts[atoi(words[1])].remote_context, .tag = words[2]};
        f->size = from_hex(words[3 + n], &f->data);
        getcontext(&f->thread);
        f->thread.uc_stack.ss_sp = f->stack;
        f->thread.uc_stack.ss_size = STACK;
        makecontext(&f->thread, (void (*)(void)) flush_coroutine, 1, n);
        current = f;
        co_switch(&f->thread);
    }
    for (; ended < FLUSHES; rounds++) {
        usleep(1000);
        for (n = 0; n < FLUSHES; n++) {
            if (timers[n].active) {
                timers[n].cb(config, timers[n].data);
            }
        }
    }
    printf("= answers %d %d ended %d %d order %d %d %s\n", flushing[0].answer, flushing[1].answer, flushing[0].ended,
           flushing[1].ended, order[0], order[1], rounds > 0 ? "the loop went on" : "the loop was held up");
    for (n = 0; n < FLUSHES; n++) {
        free(flushing[n].stack);
        free(flushing[n].data);
    }
}
#endif

/* output-exit ID */
static void output_exit(char **words)
{
    int (*exit_ctx)(void *) = symbol("FLBPluginExitCtx");
    int id = atoi(words[1]);

    printf("= %d\n", exit_ctx(contexts[id].remote_context));
    instance_free(id);
}

/* The input, which is an object of its own. Its functions know the instance by the thread. */

static void *input_object;
static struct proxy_def input_def;

static void *input_symbol(const char *name)
{
    void *found = dlsym(input_object, name);

    if (found == NULL) {
        printf("= no symbol %s\n", name);
        exit(2);
    }
    return found;
}

/* input-load DIRECTORY: a start registers it once. */
static void input_load(char **words)
{
    char path[4096];
    int (*pre_register)(int), (*register_plugin)(void *);
    int pre, answer;

    snprintf(path, sizeof(path), "%s/in_nano.so", words[1]);
    input_object = dlopen(path, RTLD_LAZY);
    if (input_object == NULL) {
        printf("= %s\n", dlerror());
        return;
    }
    pre_register = input_symbol("FLBPluginPreRegister");
    register_plugin = input_symbol("FLBPluginRegister");
    pre = pre_register(0);
    if (pre != 0) {
        printf("= refused\n");
        return;
    }
    answer = register_plugin(&input_def);
    printf("= %d type %d proxy %d name %s again %d in a reload %d\n", answer, input_def.type, input_def.proxy, input_def.name,
           pre_register(0), pre_register(1));
}

/* input ID NAME KEY=HEX... */
static void input(char **words)
{
    int id = atoi(words[1]);
    int (*init_plugin)(void *) = input_symbol("FLBPluginInit");
    struct output_start start = {NULL, &api, instance_new(id, words), &contexts[id]};

    printf("= %d\n", init_plugin(&start));
}

/* input-tick: what the event loop does every so often, or once a second. */
static void input_tick(void)
{
    int (*collect)(void **, size_t *) = input_symbol("FLBPluginInputCallback");
    void *data = &data;
    size_t size = 1;
#ifndef OLD
    int n;

    for (n = 0; n < FLUSHES; n++) {
        if (timers[n].active) {
            timers[n].cb(config, timers[n].data);
        }
    }
#endif
    collect(&data, &size);
    printf("= %s\n", data == NULL && size == 0 ? "ok" : "collected");
}

/* input-exit ID RELOADING */
static void input_exit(char **words)
{
    void (*pre_exit)(int) = input_symbol("FLBPluginInputPreExit");
    int (*exit_plugin)(void) = input_symbol("FLBPluginExit");

    pre_exit(atoi(words[2]));
    printf("= %d\n", exit_plugin());
    instance_free(atoi(words[1]));
}

static void input_call(const char *name)
{
    void (*function)(void) = input_symbol(name);

    function();
    printf("= ok\n");
}

static int run_input(char **words)
{
    if (strcmp(words[0], "input-load") == 0) {
        input_load(words);
    }
    else if (strcmp(words[0], "input") == 0) {
        input(words);
    }
    else if (strcmp(words[0], "input-tick") == 0) {
        input_tick();
    }
    else if (strcmp(words[0], "input-pause") == 0) {
        input_call("FLBPluginInputPause");
    }
    else if (strcmp(words[0], "input-resume") == 0) {
        input_call("FLBPluginInputResume");
    }
    else if (strcmp(words[0], "input-exit") == 0) {
        input_exit(words);
    }
    else if (strcmp(words[0], "append") == 0) {
        append_answer = atoi(words[1]);
        printf("= ok\n");
    }
#ifndef OLD
    else if (strcmp(words[0], "input-map") == 0) {
        map(input_def.config_map);
    }
#endif
    else {
        return 0;
    }
    return 1;
}

static void run(char **words)
{
    if (run_input(words)) {
        return;
    }
    if (strcmp(words[0], "load") == 0) {
        load(words);
    }
    else if (strcmp(words[0], "map") == 0) {
        map(plugin.config_map);
    }
    else if (strcmp(words[0], "init") == 0) {
        init(words);
    }
    else if (strcmp(words[0], "time") == 0) {
        time_calls(words);
    }
    else if (strcmp(words[0], "filter") == 0) {
        filter(words);
    }
    else if (strcmp(words[0], "threads") == 0) {
        threads(words);
    }
    else if (strcmp(words[0], "exit") == 0) {
        end(words);
    }
    else if (strcmp(words[0], "signals") == 0) {
        signals();
    }
    else if (strcmp(words[0], "raise") == 0) {
        send_signal(words);
    }
    else if (strcmp(words[0], "fork") == 0) {
        fork_init(words);
    }
    else if (strcmp(words[0], "register") == 0) {
        do_register(words);
    }
    else if (strcmp(words[0], "unregister") == 0) {
        unregister();
    }
    else if (strcmp(words[0], "output") == 0) {
        output(words);
    }
    else if (strcmp(words[0], "flush") == 0) {
        flush(words);
    }
    else if (strcmp(words[0], "output-exit") == 0) {
        output_exit(words);
    }
    else if (strcmp(words[0], "quiet") == 0) {
        quiet = atoi(words[1]);
        printf("= ok\n");
    }
    else if (strcmp(words[0], "thread-name") == 0) {
        printf("= %d\n", prctl(PR_SET_NAME, words[1]));
    }
    else if (strcmp(words[0], "emitter") == 0) {
        emitter_answer = atoi(words[1]);
        printf("= ok\n");
    }
#ifndef OLD
    else if (strcmp(words[0], "output-map") == 0) {
        map(def.config_map);
    }
    else if (strcmp(words[0], "flushes") == 0) {
        flushes(words);
    }
    else if (strcmp(words[0], "emitter-options") == 0) {
        printf("= %s %s %s\n", emitter_options[0], emitter_options[1], emitter_options[2]);
    }
#endif
    else {
        printf("= unknown command %s\n", words[0]);
    }
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;

    while (getline(&line, &capacity, stdin) > 0) {
        char *words[MOST_WORDS + 1] = {0};
        char *save = NULL, *word = strtok_r(line, " \n", &save);
        int n;

        for (n = 0; n < MOST_WORDS && word != NULL; n++) {
            words[n] = word;
            word = strtok_r(NULL, " \n", &save);
        }
        if (words[0] != NULL) {
            run(words);
            fflush(stdout);
        }
    }
    free(line);
    return 0;
}
