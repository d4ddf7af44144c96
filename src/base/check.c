/* see check.h */
#include "base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static check_hook *hook_now;

/* Guards against a hook that fails a CHECK itself. Not reset by a failure, only by the next
 * check_set_hook(): a process gets one report. */
static bool has_reported;

static void print_line(const char *expression, const char *file, int line)
{
    /* Not through stdio: its buffer may be what is broken. */
    (void)dprintf(STDERR_FILENO, "CHECK failed: %s (%s:%d)\n", expression, file, line);
}

void check_set_hook(check_hook *hook)
{
    hook_now = hook;
    has_reported = false;
}

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
    check_hook *hook = hook_now != NULL && !has_reported ? hook_now : print_line;
    has_reported = true;
    hook(expression, file, line);
    abort();
}
