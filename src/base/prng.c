/* see prng.h. Blackman, Vigna: "Scrambled linear pseudorandom number generators" (xoshiro256**);
 * the expansion of the seed is their splitmix64. */
#include "base/prng.h"

#include "base/check.h"

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ULL;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
    return z ^ z >> 31;
}

void prng_seed(struct prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        prng->state[i] = splitmix64(&seed);
    }
}

uint64_t prng_u64(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    CHECK(bound > 0);
    /* The first (2^64 mod bound) numbers would make small results likelier: thrown away. */
    uint64_t surplus = (0 - bound) % bound;
    uint64_t number;
    do {
        number = prng_u64(prng);
    } while (number < surplus);
    return number % bound;
}

int prng_chance(struct prng *prng, uint32_t numerator, uint32_t denominator)
{
    return prng_below(prng, denominator) < numerator;
}
