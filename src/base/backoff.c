/* see backoff.h */
#include "base/backoff.h"

#include "base/check.h"

msec backoff_ms(uint32_t failures, msec base_ms, msec cap_ms, struct prng *prng)
{
    CHECK(failures >= 1);
    CHECK(base_ms >= 0 && cap_ms >= 0 && cap_ms <= INT64_MAX / 2);
    uint32_t doublings = failures - 1;
    msec wait_ms = cap_ms;
    if (doublings < 63 && base_ms <= cap_ms >> doublings) {
        wait_ms = base_ms << doublings;
    }
    /* 3/4 + [0, 1/2] of it */
    wait_ms = wait_ms - wait_ms / 4 + (msec)prng_below(prng, (uint64_t)(wait_ms / 2) + 1);
    return wait_ms > 0 ? wait_ms : 1;
}
