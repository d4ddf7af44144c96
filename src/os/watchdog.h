/*
 * watchdog.h - a loop that is stuck is a crash (crash.h), so that it starts again.
 *
 * A timer of the kernel looks every ten seconds whether a turn of the loop is still the one of the
 * last looks. A turn that burnt WATCHDOG_CPU_S of the processor spins; one that WATCHDOG_LOOKS
 * looks in a row have met hangs in the kernel. Neither a stopped process, nor a machine that was
 * suspended or paused, nor a step of the clock looks like that: during them nothing burns and
 * nobody looks.
 */
#ifndef ECILET_OS_WATCHDOG_H
#define ECILET_OS_WATCHDOG_H

#include "os/loop.h"

#ifdef ECILET_PLANTED /* a test waits for it */
#define WATCHDOG_LOOK_S 1
#define WATCHDOG_CPU_S 2
#else
#define WATCHDOG_LOOK_S 10
#define WATCHDOG_CPU_S 20 /* in one turn; the longest ones take a tenth of a second */
#endif
#define WATCHDOG_LOOKS 12

/* loop lives as long as the process. */
void watchdog_start(const struct loop *loop);
void watchdog_stop(void);

/* What the timer does at each look; not static for its tests. cpu_us: used by the process so far.
 * NULL, or why the loop counts as stuck. */
const char *watchdog_look(uint64_t turns, bool is_waiting, uint64_t cpu_us);

#endif
