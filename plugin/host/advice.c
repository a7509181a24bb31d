#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The host answers a property that it does not know with the list of all that it knows, and ends, before it has called the plugin.
 * Lines for that case are kept here and printed when the process ends, below the list.
 */
static char *advice;

void waf_advise(const char *lines)
{
    free(advice);
    advice = lines == NULL || lines[0] == 0 ? NULL : strdup(lines);
}

__attribute__((destructor)) static void give_advice(void)
{
    if (advice != NULL && getpid() == waf_load_pid) {
        fputs(advice, stderr);
    }
}
