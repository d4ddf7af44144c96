/* see watchdog.h. Runs in a signal handler: no calls but those that are allowed there. */
#include "os/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "base/check.h"
#include "os/crash.h"
#include "os/os.h"

static const struct loop *loop_now;
static uint64_t turns_before;  /* of the last look */
static uint64_t cpu_us_before; /* when this turn was first met */
static uint32_t looks;         /* that have met this turn */

const char *watchdog_look(uint64_t turns, bool is_waiting, uint64_t cpu_us)
{
    if (is_waiting || turns != turns_before || looks == 0) {
        turns_before = turns;
        cpu_us_before = cpu_us;
        looks = is_waiting ? 0 : 1;
        return NULL;
    }
    looks++;
    if (cpu_us - cpu_us_before >= (uint64_t)WATCHDOG_CPU_S * 1000000) {
        return "stuck: one turn of the loop does not end";
    }
    return looks >= WATCHDOG_LOOKS ? "stuck: one turn of the loop hangs" : NULL;
}

static void on_look(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    (void)number;
    (void)info;
    const volatile struct loop *loop = loop_now;
    const char *why = watchdog_look(loop->turns, loop->is_waiting, os_cpu_us());
    if (why != NULL) {
        crash_now(why, context);
    }
    errno = saved_errno;
}

static void set_timer(time_t seconds)
{
    const struct itimerval timer = {.it_interval = {.tv_sec = seconds},
                                    .it_value = {.tv_sec = seconds}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

void watchdog_start(const struct loop *loop)
{
    struct sigaction action = {
.sa_flags = SA_RESTART | SA_ONSTACK | SA_SIGINFO};
    action.sa_sigaction = on_look;
    loop_now = loop;
    looks = 0;
    CHECK(sigfillset(&action.sa_mask) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    set_timer(WATCHDOG_LOOK_S);
}

void watchdog_stop(void)
{
    set_timer(0);
}
