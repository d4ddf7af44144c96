/* see os.h */
#include <time.h>

#include "base/check.h"
#include "os/os.h"

static struct timespec read_clock(clockid_t clock)
{
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return now;
}

msec os_now_ms(void)
{
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (msec)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t os_now_us(void)
{
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t os_wall_ms(void)
{
    struct timespec now = read_clock(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t os_wall_s(void)
{
    return os_wall_ms() / 1000;
}
