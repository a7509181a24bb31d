/* Inspects batches of transactions with libmodsecurity and tells what it took.
 *
 * usage: inspect RULES.conf...
 *
 * Standard input holds batches: the number of transactions, then each transaction. Numbers are 32 bits, little-endian; texts are
 * their length and their bytes. Standard output gets "ready VERSION" once the rules are loaded, with the processor time it took in
 * nanoseconds and the resident memory in KiB; then for each batch one line for each transaction, the ids of the rules that
 * matched, and a line with the processor time of the batch in nanoseconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

struct text {
    char *bytes; /* with a zero byte behind them */
    uint32_t length;
};

struct header {
    struct text name, value;
};

struct headers {
    struct header *all;
    uint32_t count;
};

struct transaction {
    struct text client, server, method, target, version, body, response_body;
    uint32_t client_port, server_port, status;
    struct headers request, response;
    uint32_t *ids; /* of the rules that matched */
    size_t matched;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "inspect: %s: %s\n", what, why);
    exit(2);
}

static void *allocate(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);
    if (!memory)
        die("memory", "none left");
    return memory;
}

static uint32_t read_number(void)
{
    unsigned char b[4];
    if (fread(b, 1, 4, stdin) != 4)
        die("read", "the batch ends early");
    return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
}

static struct text read_text(void)
{
    struct text t = {.length = read_number()};
    t.bytes = allocate(NULL, (size_t)t.length + 1);
    if (fread(t.bytes, 1, t.length, stdin) != t.length)
        die("read", "the batch ends early");
    t.bytes[t.length] = 0;
    return t;
}

static struct headers read_headers(void)
{
    struct headers h = {.count = read_number()};
    h.all = allocate(NULL, h.count * sizeof *h.all);
    for (uint32_t i = 0; i < h.count; i++) {
        h.all[i].name = read_text();
        h.all[i].value = read_text();
    }
    return h;
}

static void free_headers(struct headers *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        free(h->all[i].name.bytes);
        free(h->all[i].value.bytes);
    }
    free(h->all);
}

static void read_transaction(struct transaction *t)
{
    memset(t, 0, sizeof *t);
    t->client = read_text();
    t->client_port = read_number();
    t->server = read_text();
    t->server_port = read_number();
    t->method = read_text();
    t->target = read_text();
    t->version = read_text();
    t->request = read_headers();
    t->body = read_text();
    t->status = read_number();
    t->response = read_headers();
    t->response_body = read_text();
}

static void free_transaction(struct transaction *t)
{
    struct text *texts[] = {&t->client, &t->server, &t->method, &t->target, &t->version, &t->body, &t->response_body};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]->bytes);
    free_headers(&t->request);
    free_headers(&t->response);
    free(t->ids);
}

/* Takes the id out of the line that libmodsecurity writes for a rule that matched. */
static void matched(void *data, const void *line)
{
    struct transaction *t = data;
    const char *id = strstr(line, "[id \"");
    if (!id)
        return;
    t->ids = allocate(t->ids, (t->matched + 1) * sizeof *t->ids);
    t->ids[t->matched++] = strtoul(id + 5, NULL, 10);
}

static void inspect(ModSecurity *engine, RulesSet *rules, struct transaction *t)
{
    Transaction *tx = msc_new_transaction(engine, rules, t);
    msc_process_connection(tx, t->client.bytes, t->client_port, t->server.bytes, t->server_port);
    msc_process_uri(tx, t->target.bytes, t->method.bytes, t->version.bytes);
    for (uint32_t i = 0; i < t->request.count; i++) {
        struct header *h = &t->request.all[i];
        msc_add_n_request_header(tx, (unsigned char *)h->name.bytes, h->name.length, (unsigned char *)h->value.bytes, h->value.length);
    }
    msc_process_request_headers(tx);
    if (t->body.length)
        msc_append_request_body(tx, (unsigned char *)t->body.bytes, t->body.length);
    msc_process_request_body(tx);
    for (uint32_t i = 0; i < t->response.count; i++) {
        struct header *h = &t->response.all[i];
        msc_add_n_response_header(tx, (unsigned char *)h->name.bytes, h->name.length, (unsigned char *)h->value.bytes, h->value.length);
    }
    msc_process_response_headers(tx, t->status, "HTTP/1.1");
    if (t->response_body.length)
        msc_append_response_body(tx, (unsigned char *)t->response_body.bytes, t->response_body.length);
    msc_process_response_body(tx);
    msc_process_logging(tx);
    msc_transaction_cleanup(tx);
}

static long long processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long resident(void)
{
    long total, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%ld %ld", &total, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void run_batch(ModSecurity *engine, RulesSet *rules, uint32_t count)
{
    struct transaction *all = allocate(NULL, count * sizeof *all);
    for (uint32_t i = 0; i < count; i++)
        read_transaction(&all[i]);
    long long start = processor_time();
    for (uint32_t i = 0; i < count; i++)
        inspect(engine, rules, &all[i]);
    long long took = processor_time() - start;
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < all[i].matched; k++)
            printf("%s%u", k ? " " : "", all[i].ids[k]);
        printf("\n");
        free_transaction(&all[i]);
    }
    printf("%lld\n", took);
    fflush(stdout);
    free(all);
}

int main(int argc, char **argv)
{
    long long start = processor_time();
    ModSecurity *engine = msc_init();
    msc_set_log_cb(engine, matched);
    RulesSet *rules = msc_create_rules_set();
    for (int i = 1; i < argc; i++) {
        const char *error = NULL;
        if (msc_rules_add_file(rules, argv[i], &error) < 0)
            die(argv[i], error ? error : "cannot be loaded");
    }
    printf("ready %s\n%lld\n%ld\n", msc_who_am_i(engine), processor_time() - start, resident());
    fflush(stdout);
    for (int c; (c = getchar()) != EOF;) {
        ungetc(c, stdin);
        run_batch(engine, rules, read_number());
    }
    msc_rules_cleanup(rules);
    msc_cleanup(engine);
    return 0;
}
