/*
 * prng.h - fast reproducible random numbers (xoshiro256**): jitter in the product, everything in
 * the simulator. Not for secrets or nonces (os/entropy).
 */
#ifndef ECILET_BASE_PRNG_H
#define ECILET_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_seed(struct prng *prng, uint64_t seed); /* splitmix64 expansion; any seed is fine */
uint64_t prng_u64(struct prng *prng);
/* 0 <= result < bound; bound > 0. No modulo bias. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* True `numerator` times out of `denominator`. */
int prng_chance(struct prng *prng, uint32_t numerator, uint32_t denominator);

#endif
