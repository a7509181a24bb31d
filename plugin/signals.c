#include "host.h"

#include <link.h>
#include <signal.h>

/*
 * The host's handlers and Go. The host sets plain handlers at its start, and all of them again whenever one of them runs, which takes
 * two things away that Go needs:
 *
 * - The handlers that Go's runtime has for SIGSEGV and SIGFPE. Without them a nil dereference in Go would end the process instead of
 *   reaching recover().
 * - SA_ONSTACK for the others. A signal to the process may be taken by any of its threads, by one that runs Go as well, and a handler
 *   on a goroutine's small stack writes over other memory of Go's.
 *
 * Both are put back as soon as the host's handler is through, and looked after with every call of the plugin besides. All of this may
 * run in a handler of a signal.
 */

static const int relayed[] = {SIGINT, SIGQUIT, SIGHUP, SIGCONT, SIGTERM};

enum { RELAYED = sizeof(relayed) / sizeof(relayed[0]) };

/* The host's handlers of these signals. */
static void (*volatile handlers[RELAYED])(int);

/* Where the code of the executable is, and with it the host's handlers. */
static uintptr_t first, behind;

static int find_executable(struct dl_phdr_info *info, size_t size, void *data)
{
    int n;

    (void) size;
    (void) data;
    first = UINTPTR_MAX;
    for (n = 0; n < info->dlpi_phnum; n++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[n].p_vaddr;

        if (info->dlpi_phdr[n].p_type == PT_LOAD) {
            first = start < first ? start : first;
            behind = start + info->dlpi_phdr[n].p_memsz > behind ? start + info->dlpi_phdr[n].p_memsz : behind;
        }
    }
    return 1; /* the executable is the first of all objects */
}

__attribute__((constructor)) static void load(void)
{
    dl_iterate_phdr(find_executable, NULL);
}

/* 1 for a handler of the host's that was set with signal(). */
static int is_hosts(const struct sigaction *action)
{
    uintptr_t code = (uintptr_t) action->sa_handler;

    return (action->sa_flags & SA_SIGINFO) == 0 && code >= first && code < behind;
}

static void relay(int number)
{
    size_t n;

    for (n = 0; n < RELAYED; n++) {
        if (relayed[n] == number && handlers[n] != NULL) {
            handlers[n](number);
        }
    }
    waf_keep_signals();
}

/* SIGBUS, which the host leaves alone, still has the handler that Go's runtime gives to SIGSEGV and SIGFPE as well; it passes faults
 * outside Go on to the host's first handlers, so their stack traces are kept. */
static void restore_faults(void)
{
    struct sigaction go;

    if (sigaction(SIGBUS, NULL, &go) == 0 && (go.sa_flags & SA_ONSTACK) != 0 && !is_hosts(&go)) {
        sigaction(SIGSEGV, &go, NULL);
        sigaction(SIGFPE, &go, NULL);
    }
}

void waf_keep_signals(void)
{
    struct sigaction now;
    size_t n;

    for (n = 0; n < RELAYED; n++) {
        if (sigaction(relayed[n], NULL, &now) == 0 && is_hosts(&now)) {
            handlers[n] = now.sa_handler;
            now.sa_handler = relay;
            now.sa_flags |= SA_ONSTACK;
            sigaction(relayed[n], &now, NULL);
        }
    }
    if (sigaction(SIGFPE, NULL, &now) == 0 && is_hosts(&now)) {
        restore_faults();
    }
}
