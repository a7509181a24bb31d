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
 * On SIGHUP and SIGCONT Fluent Bit sets plain handlers for SIGSEGV and SIGFPE again. With them a nil dereference in Go would end
 * the process instead of reaching recover(). SIGBUS, which the host leaves alone, still has the handler that Go's runtime gives
 * to all three; that handler passes faults outside Go on to the host's first handlers, so their stack traces are kept.
 */
void waf_keep_signals(void)
{
    struct sigaction now, go;

    if (sigaction(SIGSEGV, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 || !in_executable(now.sa_sigaction)) {
        return;
    }
    if (sigaction(SIGBUS, NULL, &go) != 0 || (go.sa_flags & SA_ONSTACK) == 0 || in_executable(go.sa_sigaction)) {
        return;
    }
    sigaction(SIGSEGV, &go, NULL);
    sigaction(SIGFPE, &go, NULL);
}
