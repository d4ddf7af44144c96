/*
 * see bucket.h
 *
 * A rate of n per minute fills n sixtieths of a thousandth of a token each millisecond: with that
 * unit filling is exact, and the configured rate is kept over any length of time.
 */
#include "base/bucket.h"

#include "base/check.h"

#define UNITS_PER_MILLI 60
#define RECOVERY_STEP_MS 15000
#define SLOW_AT_MOST_EVERY_MS 1000

static int64_t full_milli(const struct bucket *bucket)
{
    return (int64_t)bucket->burst * 1000;
}

/* What is there must reach this before a token may be taken. */
static int64_t needed_milli(const struct bucket *bucket, uint32_t reserve)
{
    CHECK(reserve < bucket->burst);
    return ((int64_t)reserve + 1) * 1000;
}

void bucket_init(struct bucket *bucket, uint32_t per_minute, uint32_t burst, msec now_ms)
{
    CHECK(per_minute >= 1 && burst >= 1);
    *bucket = (struct bucket){
        .per_minute_max = per_minute,
        .burst = burst,
        .per_minute_now = per_minute,
        .filled_at_ms = now_ms,
        .slowed_at_ms = now_ms - SLOW_AT_MOST_EVERY_MS,
    };
    bucket->tokens_milli = full_milli(bucket);
}

/* Fills at the present rate. */
static void fill(struct bucket *bucket, msec now_ms)
{
    msec elapsed_ms = now_ms - bucket->filled_at_ms;
    int64_t missing = (full_milli(bucket) - bucket->tokens_milli) * UNITS_PER_MILLI;
    bucket->filled_at_ms = now_ms;
    if (elapsed_ms >= missing / bucket->per_minute_now + 1) { /* also keeps the product small */
        bucket->tokens_milli = full_milli(bucket);
        bucket->tokens_rest = 0;
        return;
    }
    int64_t units = elapsed_ms * bucket->per_minute_now + bucket->tokens_rest;
    bucket->tokens_milli += units / UNITS_PER_MILLI;
    bucket->tokens_rest = units % UNITS_PER_MILLI;
    if (bucket->tokens_milli >= full_milli(bucket)) {
        bucket->tokens_milli = full_milli(bucket);
        bucket->tokens_rest = 0;
    }
}

static bool is_slowed(const struct bucket *bucket)
{
    return bucket->per_minute_now < bucket->per_minute_max;
}

static void recover_one_step(struct bucket *bucket)
{
    int64_t step = bucket->per_minute_max >= 8 ? bucket->per_minute_max / 8 : 1;
    bucket->slowed_at_ms += RECOVERY_STEP_MS;
    bucket->per_minute_now += step;
    if (bucket->per_minute_now > bucket->per_minute_max) {
        bucket->per_minute_now = bucket->per_minute_max;
    }
}

/* Fills up to now, each stretch of time at the rate it had. */
static void advance(struct bucket *bucket, msec now_ms)
{
    if (now_ms <= bucket->filled_at_ms) {
        return;
    }
    while (is_slowed(bucket) && now_ms - bucket->slowed_at_ms >= RECOVERY_STEP_MS) {
        fill(bucket, bucket->slowed_at_ms + RECOVERY_STEP_MS);
        recover_one_step(bucket);
    }
    fill(bucket, now_ms);
}

bool bucket_take(struct bucket *bucket, msec now_ms, uint32_t reserve)
{
    int64_t needed = needed_milli(bucket, reserve);
    advance(bucket, now_ms);
    if (bucket->tokens_milli < needed) {
        bucket->refused++;
        return false;
    }
    bucket->tokens_milli -= 1000;
    bucket->taken++;
    return true;
}

msec bucket_wait_ms(struct bucket *bucket, msec now_ms, uint32_t reserve)
{
    int64_t needed = needed_milli(bucket, reserve);
    advance(bucket, now_ms);
    /* A look ahead on a copy, one recovery step after the other. */
    struct bucket ahead = *bucket;
    while (ahead.tokens_milli < needed) {
        int64_t units = (needed - ahead.tokens_milli) * UNITS_PER_MILLI - ahead.tokens_rest;
        msec full_at_ms =
            ahead.filled_at_ms + (units + ahead.per_minute_now - 1) / ahead.per_minute_now;
        msec step_at_ms = is_slowed(&ahead) ? ahead.slowed_at_ms + RECOVERY_STEP_MS : INT64_MAX;
        advance(&ahead, full_at_ms < step_at_ms ? full_at_ms : step_at_ms);
    }
    return ahead.filled_at_ms - bucket->filled_at_ms;
}

void bucket_give_back(struct bucket *bucket)
{
    int64_t most = (int64_t)bucket->burst * 1000;
    bucket->tokens_milli = bucket->tokens_milli + 1000 < most ? bucket->tokens_milli + 1000 : most;
    bucket->taken -= bucket->taken > 0 ? 1 : 0;
}

void bucket_slow(struct bucket *bucket, msec now_ms)
{
    advance(bucket, now_ms);
    if (now_ms - bucket->slowed_at_ms < SLOW_AT_MOST_EVERY_MS) {
        return;
    }
    int64_t least = bucket->per_minute_max >= 16 ? bucket->per_minute_max / 16 : 1;
    bucket->per_minute_now /= 2;
    if (bucket->per_minute_now < least) {
        bucket->per_minute_now = least;
    }
    bucket->tokens_milli = 0;
    bucket->tokens_rest = 0;
    bucket->slowed_at_ms = now_ms;
}
