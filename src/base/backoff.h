/*
 * backoff.h - how long to wait after the nth failure in a row: base * 2^(n-1), capped, then spread
 * by +-25 % so that many waiters do not come back together.
 */
#ifndef ECILET_BASE_BACKOFF_H
#define ECILET_BASE_BACKOFF_H

#include "base/prng.h"
#include "base/str.h"

/* failures >= 1. Result in [3/4, 5/4] of the capped value, at least 1 ms. */
msec backoff_ms(uint32_t failures, msec base_ms, msec cap_ms, struct prng *prng);

#endif
