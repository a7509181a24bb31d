#include "host.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/auxv.h>

/* 1 when code belongs to the executable, which for the handlers here means: to the host, not to a Go runtime. */
static int in_executable(void (*code)(int, siginfo_t *, void *))
{
    Dl_info here, executable;

    return dladdr((void *) (uintptr_t) code, &here) != 0
        && dladdr((void *) getauxval(AT_ENTRY), &executable) != 0
        && here.dli_fbase == executable.dli_fbase;
}

/*
 * The host sets its handlers without SA_ONSTACK, and again on SIGHUP and SIGCONT. A signal to the process may be taken by any of its
 * threads, by one that runs Go as well, and a handler on a goroutine's small stack would write over other memory of Go's.
 */
static void use_signal_stack(int number)
{
    struct sigaction now;

    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN
        && (now.sa_flags & SA_ONSTACK) == 0) {
        now.sa_flags |= SA_ONSTACK;
        sigaction(number, &now, NULL);
    }
}

/*
 * On SIGHUP and SIGCONT Fluent Bit sets plain handlers for SIGSEGV and SIGFPE again. With them a nil dereference in Go would end
 * the process instead of reaching recover(). SIGBUS, which the host leaves alone, still has the handler that Go's runtime gives
 * to all three; that handler passes faults outside Go on to the host's first handlers, so their stack traces are kept.
 */
static void restore_faults(void)
{
    struct sigaction go;

    if (sigaction(SIGBUS, NULL, &go) != 0 || (go.sa_flags & SA_ONSTACK) == 0 || in_executable(go.sa_sigaction)) {
        return;
    }
    sigaction(SIGSEGV, &go, NULL);
    sigaction(SIGFPE, &go, NULL);
}

void waf_keep_signals(void)
{
    struct sigaction last; /* that the host sets, of all */

    use_signal_stack(SIGCONT); /* the only one that Go's runtime does not look after at its start */
    if (sigaction(SIGFPE, NULL, &last) != 0 || (last.sa_flags & SA_SIGINFO) != 0 || !in_executable(last.sa_sigaction)) {
        return;
    }
    use_signal_stack(SIGINT);
    use_signal_stack(SIGQUIT);
    use_signal_stack(SIGHUP);
    use_signal_stack(SIGTERM);
    restore_faults();
}
