/*
 * check.h - assertions that stay on in release builds.
 *
 * CHECK is for our own mistakes: arguments, results, both sides of every boundary. Nothing that
 * arrives from outside (config, JSON, TLS peer) may reach a CHECK; that gets an error instead.
 *
 * A failed CHECK calls the hook (main installs one which prints the expression, the build and the
 * last trace lines; tests install one that jumps out), then aborts. The restart is the recovery.
 */
#ifndef ECILET_BASE_CHECK_H
#define ECILET_BASE_CHECK_H

#include <assert.h>

/* Called once with the failed expression before abort(). Must not return to the caller's caller:
 * it may only print. NULL restores the default, which prints one line to stderr. */
typedef void check_hook(const char *expression, const char *file, int line);

void check_set_hook(check_hook *hook);

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression) \
    ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))

/* A condition that whoever we call has promised never to meet (a library, the kernel), and which
 * no test can bring about; but promises of others are no ground to die on, so there is a way on,
 * and it is short. Only marks the line: `make cover` does not ask for the way nobody can take. */
#define NEVER(condition) (condition)

#endif
