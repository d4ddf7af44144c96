/*
 * sizing.h - how large is the instance of a pod?
 *
 * Container numbers are added up (eci-api 4.3), then rounded up to a pair of vCPU and memory that
 * the cloud sells (4.1, 4.2). We round ourselves and send the result: what is billed is what the
 * request says, and `ecilet explain` can show it without asking the cloud.
 *
 * Units: vCPU in thousandths (cpu_milli), memory in bytes.
 */
#ifndef ECILET_SPEC_SIZING_H
#define ECILET_SPEC_SIZING_H

#include "base/arena.h"

#define SIZING_CPU_MILLI_MAX 64000 /* eci-api 4.4 */
#define SIZING_MEMORY_GIB_MAX 512
#define SIZING_GIB ((int64_t)1 << 30)
#define SIZING_CPU_MILLI_DEFAULT 2000 /* nothing given: 2 vCPU, 4 GiB (4.3) */
#define SIZING_MEMORY_GIB_DEFAULT 4

struct sizing {
    int64_t cpu_milli;
    int64_t memory_bytes;
};

/*
 * Rounds a wanted size up to a pair on sale in a region: the smallest vCPU row that has enough
 * memory, then the smallest such memory. Nothing wanted (both 0) gives the default pair.
 *
 * region_id   decides about the extra pairs of 4.1; an unknown region has none
 * Errors: ERR_TOO_BIG above 64 vCPU or 512 GiB, or when no pair is large enough; ERR_BAD_INPUT for
 * negative numbers. out is unchanged on failure.
 */
MUST_USE enum err sizing_round(struct sizing wanted, str region_id, struct sizing *out);

/* True when the region sells the extra pairs of 4.1. */
bool sizing_region_has_extra(str region_id);

/*
 * The sum over containers, as it goes on. Per container and resource the limit counts, else the
 * request; missing counts as 0; app containers add up, the largest init container is the floor
 * . Sticky: sums that overflow stay at the largest number, which sizing_round() refuses.
 */
struct sizing_sum {
    struct sizing apps;
    struct sizing inits;
};

void sizing_add_app(struct sizing_sum *sum, struct sizing one);
void sizing_add_init(struct sizing_sum *sum, struct sizing one);
struct sizing sizing_total(const struct sizing_sum *sum);

/* Decimals for the cloud, without trailing zeros: "0.5", "2", "1.25"; memory in GiB to 6 places,
 * rounded down (so that the parts never exceed the whole), but at least one unit when not 0. */
str sizing_cpu_text(struct arena *arena, int64_t cpu_milli);
str sizing_gib_text(struct arena *arena, int64_t memory_bytes);

#endif
