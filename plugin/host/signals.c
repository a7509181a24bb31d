#include "host.h"

#include <link.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

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
 *
 * A second signal can come before they are put back. So those that do not end the host are left to its first thread, which waits
 * for them: all of Go's threads, and each thread of the host's that calls the plugin, block them. The others are not blocked, because
 * programs that the host starts would have them blocked as well.
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

static void mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCONT);
    pthread_sigmask(how, &set, NULL);
}

/* Go's first thread is made while the object is loaded, between these two; all of Go's threads have its mask. */
__attribute__((constructor(101))) static void before_go(void)
{
    mask(SIG_BLOCK);
}

__attribute__((constructor)) static void load(void)
{
    mask(SIG_UNBLOCK);
    dl_iterate_phdr(find_executable, NULL);
}

/* 1 for a handler of the host's that was set with signal(). */
static int is_hosts(const struct sigaction *action)
{
    uintptr_t code = (uintptr_t) action->sa_handler;

    return (action->sa_flags & SA_SIGINFO) == 0 && code >= first && code < behind;
}

static void put_back(void);

static void relay(int number)
{
    size_t n;

    for (n = 0; n < RELAYED; n++) {
        if (relayed[n] == number && handlers[n] != NULL) {
            handlers[n](number);
        }
    }
    put_back();
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

static void put_back(void)
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

void waf_keep_signals(void)
{
    static __thread int known;
    struct sigaction last;

    if (!known) {
        known = 1;
        if (syscall(SYS_gettid) != getpid()) {
            mask(SIG_BLOCK);
        }
        put_back();
    }
    /* The host sets all of them together, and this one last. */
    else if (sigaction(SIGFPE, NULL, &last) == 0 && is_hosts(&last)) {
        put_back();
    }
}
