/*
 * fake_api_clock.h - time for tests that have to wait for minutes. Included by one file of a test
 * program: it defines the functions of os/clock.c, so that the library's are not linked.
 *
 * The clock moves only when the test says so. Connections on loopback answer in the turn in which
 * they are asked, so nothing depends on the machine's speed.
 */
#ifndef ECILET_TEST_FAKE_API_CLOCK_H
#define ECILET_TEST_FAKE_API_CLOCK_H

#include "os/loop.h"
#include "os/os.h"

static msec fake_now_ms = 1000000;
static int64_t fake_wall_ms = INT64_C(1748736000000); /* 2025-06-01T00:00:00Z */

msec os_now_ms(void)
{
    return fake_now_ms;
}

uint64_t os_now_us(void)
{
    return (uint64_t)fake_now_ms * 1000;
}

int64_t os_wall_ms(void)
{
    return fake_wall_ms;
}

int64_t os_wall_s(void)
{
    return os_wall_ms() / 1000;
}

static inline void fake_clock_skip(msec ms)
{
    fake_now_ms += ms;
    fake_wall_ms += ms;
}

static msec fake_step_ms = 1; /* virtual time per turn; more for tests that wait for minutes */

static inline void fake_step(struct loop *loop)
{
    loop_turn(loop, fake_now_ms);
    fake_clock_skip(fake_step_ms);
}

/* Turns of the loop until the condition holds; false when it does not within so much virtual time.
 */
#define FAKE_UNTIL(loop, within_ms, condition)                                                     \
    __extension__({                                                                                \
        msec end_ms_ = fake_now_ms + (within_ms);                                                  \
        bool is_met_ = false;                                                                      \
        while (!(is_met_ = (condition)) && fake_now_ms < end_ms_) {                                \
            fake_step(loop);                                                                       \
        }                                                                                          \
        is_met_;                                                                                   \
    })

static inline void fake_pass(struct loop *loop, msec ms)
{
    (void)FAKE_UNTIL(loop, ms, false);
}

#endif
