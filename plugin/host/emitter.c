#include "host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * A classic filter, and a processor of an input without a thread of its own, run on the engine's thread and send through an
 * emitter, an input made for that as rewrite_tag makes one. A processor of a threaded input runs on that input's thread, from
 * which an emitter takes records only through a small buffer that is emptied once a second; there the records are appended
 * to the source input itself, behind all of its processors. Where an instance is initialized does not tell which it will be:
 * before 4.0 processors are initialized on the engine's thread.
 */
struct waf_emitter {
    void *input;            /* the emitter, NULL when initialized on an input's own thread */
    pthread_t thread;       /* where the emitter was made and may be used */
    _Atomic(void *) source; /* the last instance that turned out to be an input */
};

/* The host numbers inputs from 0 without gaps; what is beyond is not looked for. */
enum { MOST_INPUTS = 4096 };

static const char *const missing =
    "this host lacks the functions behind it; Fluent Bit 2.2 to 5.1 have them in builds with the emitter input";

/* The chunk storage of all emitters: in memory, one for the process, never destroyed because the host's inputs refer to it. */
static pthread_once_t storage_once = PTHREAD_ONCE_INIT;
static void *storage;

static void storage_create(void)
{
    /* Far more than the host's structure of options has in any version. */
    static char options[4096] __attribute__((aligned(16)));

    waf_host.cio_options_init(options);
    storage = waf_host.cio_create(options);
}

static int has_emitter(void)
{
    return waf_host.input_new != NULL && waf_host.input_set_property != NULL && waf_host.input_instance_init != NULL
        && waf_host.storage_input_create != NULL && waf_host.cio_options_init != NULL && waf_host.cio_create != NULL
        && waf_host.emitter_add_record != NULL;
}

/* Starts an emitter and returns NULL, or what the problem is. A half made input goes with the configuration it refuses. */
static const char *start_input(void **input, const char *alias, const char *limit, void *config)
{
    pthread_once(&storage_once, storage_create);
    if (storage == NULL) {
        return "the host cannot create chunk storage in memory";
    }
    *input = waf_host.input_new(config, "emitter", NULL, 0);
    if (*input == NULL) {
        return "the host has no emitter input";
    }
    if (waf_host.input_set_property(*input, "alias", alias) != 0
        || waf_host.input_set_property(*input, "storage.type", "memory") != 0
        || waf_host.input_set_property(*input, "mem_buf_limit", limit) != 0
        || waf_host.input_instance_init(*input, config) != 0 || waf_host.storage_input_create(storage, *input) != 0) {
        return "the host cannot start an emitter input";
    }
    return NULL;
}

struct waf_emitter_opened waf_emitter_open(const char *alias, const char *limit, void *config)
{
    struct waf_emitter_opened opened = {NULL, NULL};
    int inlined = waf_on_input_thread();
    void *input = NULL;

    if (waf_host.input_get_instance == NULL || (inlined ? waf_host.input_append_skip_stages == NULL : !has_emitter())) {
        opened.problem = missing;
        return opened;
    }
    if (!inlined) {
        opened.problem = start_input(&input, alias, limit, config);
        if (opened.problem != NULL) {
            return opened;
        }
    }
    opened.emitter = calloc(1, sizeof(*opened.emitter));
    if (opened.emitter == NULL) {
        opened.problem = "out of memory";
        return opened;
    }
    opened.emitter->input = input;
    opened.emitter->thread = pthread_self();
    return opened;
}

/* A processor of an output gets that output in place of the source input: it must not be taken for one. */
static int is_input(struct waf_emitter *emitter, void *source, void *config)
{
    int id;

    if (source == NULL) {
        return 0;
    }
    if (atomic_load(&emitter->source) == source) {
        return 1;
    }
    for (id = 0; id < MOST_INPUTS; id++) {
        void *input = waf_host.input_get_instance(config, id);

        if (input == NULL) {
            return 0;
        }
        if (input == source) {
            atomic_store(&emitter->source, source);
            return 1;
        }
    }
    return 0;
}

int waf_emit(struct waf_emitter *emitter, const char *tag, size_t tag_len, const void *data, size_t size, void *input,
             void *config)
{
    int answer = WAF_EMIT_REFUSED;

    if (!is_input(emitter, input, config)) {
        return WAF_EMIT_NO_INPUT;
    }
    if (waf_on_input_thread()) {
        if (waf_host.input_append_skip_stages != NULL) {
            answer = waf_host.input_append_skip_stages(input, SIZE_MAX, tag, tag_len, data, size);
        }
    }
    else if (emitter->input != NULL && pthread_equal(emitter->thread, pthread_self())) {
        answer = waf_host.emitter_add_record(tag, (int) tag_len, data, size, emitter->input, input);
    }
    return answer == WAF_EMIT_TAKEN || answer == WAF_EMIT_BUSY ? answer : WAF_EMIT_REFUSED;
}

void waf_emitter_close(struct waf_emitter *emitter)
{
    free(emitter);
}
