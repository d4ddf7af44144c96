/*
 * crash.h - dying well: what is told, what is remembered, and how it starts again.
 *
 * When the process breaks (a failed CHECK, a bad memory access, a loop that is stuck) the last
 * words go to standard error: the signal, the build, where in the code, how long it ran, what it
 * was about, a few counts. Never the content of memory: that holds secrets. Then the same program
 * starts anew in the same process (execve, as os_start_anew), which needs no supervisor, no disk
 * and no second process, and so is the same under an init script, under systemd and as process 1 of
 * a container.
 *
 * What the process died on goes with it, in the variable CRASH_VARIABLE of its environment: a pod
 * on which it died CRASH_DEATHS_MAX times is to be set aside (app/wire_aside.c). A start by anybody
 * else has no such variable, so a new binary, or a restart by hand, gives every pod another chance.
 * A signal that somebody sent, and kill -9, are nobody's fault: they are obeyed and nothing is
 * counted.
 *
 * Where the program itself cannot be started again, the process ends by the signal, and whatever
 * watches it does the rest.
 */
#ifndef ECILET_OS_CRASH_H
#define ECILET_OS_CRASH_H

#include "base/str.h"

#define CRASH_VARIABLE "ECILET_DIED_ON"
#define CRASH_DEATHS_MAX 2    /* on one pod, then it is set aside */
#define CRASH_DEATHS_FROZEN 4 /* ... and not even deleted any more, unless by force */
#define CRASH_SUSPECTS_MAX 16 /* pods remembered; when full the one with fewest deaths makes room \
                               */
#define CRASH_UID_BYTES 40    /* a pod's UID has 36; nothing longer is remembered */
#define CRASH_NAME_BYTES 320  /* namespace and name; longer ones are cut */
#define CRASH_DEPTH_MAX 4     /* works within works; what is deeper is not noted */
#define CRASH_LASTING_S 600   /* who lived so long did not die in a row */
#define CRASH_PAUSE_MAX_S 30  /* the longest pause before a start after deaths in a row */
#define CRASH_ENVIRONMENT_MAX \
    1024 /* variables; with more it cannot start itself, and says so at the start */

/* A pod on which this process, in an earlier life, died. */
struct crash_suspect {
    char uid[CRASH_UID_BYTES];
    uint32_t deaths;
    uint64_t
        print; /* what the pod was like when it was set aside (app/wire_aside.c); 0: not seen yet */
};

/* Counters that the last words show; each may be NULL. They must live as long as the process. */
struct crash_counts {
    const uint32_t *pods, *groups;
    const uint64_t *turns;
};

/* First thing in main: what the program is started with again. Both live for ever. */
void crash_keep_arguments(char *const *argv, char *const *envp);

/* Reads what earlier lives died on, waits a little after deaths in a row (less when it is told to
 * stop; see signals_hold()), and from now on catches what breaks. version: static. Returns how
 * often it has died in a row. */
uint32_t crash_start(const char *version, const struct crash_counts *counts);
/* A start that cannot succeed as things are (a configuration that somebody is editing, a file that
 * is not there), of a life that the one before began by itself: whoever started that one got his
 * answer long ago and does not look any more. So it is tried again after so many seconds, from the
 * very beginning, and as often as it takes. Returns false when somebody else started this life,
 * true when it is told to stop. */
bool crash_try_later(uint32_t seconds);
/* False: it cannot start itself (CRASH_ENVIRONMENT_MAX); a watcher is needed. */
bool crash_can_restart(void);
/* How often it has died in a row so far. */
uint32_t crash_row(void);

/*
 * What is being worked on. Cheap: a copy of the names. doing is static text; uid may be empty.
 * Every crash_enter() needs its crash_leave(); a turn of the loop starts with crash_turn(), so that
 * a forgotten one does not blame an innocent pod for ever.
 */
void crash_enter(const char *doing, str uid, str name_space, str name);
void crash_leave(void);
void crash_turn(void);

/* NULL: never died on it. */
struct crash_suspect *crash_find_suspect(str uid);
/* It changed: it may be tried again. */
void crash_acquit(struct crash_suspect *suspect);

/* The end, from a signal handler or not: says why, then starts anew. context: of the handler (its
 * third argument), or NULL. */
_Noreturn void crash_now(const char *why, const void *context);

/* The environment with the memory of deaths in it, for a start anew that is not a crash: none in a
 * row. */
char *const *crash_environment(void);

#endif
