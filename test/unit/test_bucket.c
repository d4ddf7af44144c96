/* see bucket.h */
#include "unit.h"

#include "base/bucket.h"
#include "base/prng.h"

/* Takes all it can at each step; returns how many. */
static uint64_t drain(struct bucket *bucket, msec from_ms, msec until_ms, msec step_ms)
{
    uint64_t taken = 0;
    for (msec now_ms = from_ms; now_ms <= until_ms; now_ms += step_ms) {
        while (bucket_take(bucket, now_ms, 0)) {
            taken++;
        }
    }
    return taken;
}

static void test_bucket_keeps_the_rate_exactly(void **state)
{
    (void)state;
    const struct {
        uint32_t per_minute, burst;
        msec step_ms;
    } cases[] = {
        {1000, 10, 1}, {1000, 10, 7},       {500, 1, 1}, {1, 1, 1},
        {7, 3, 13},    {100000, 2000, 100}, {59, 5, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bucket bucket;
        bucket_init(&bucket, cases[i].per_minute, cases[i].burst, 5);
        assert_int_equal(drain(&bucket, 5, 5, 1), cases[i].burst);
        uint64_t taken = drain(&bucket, 5, 5 + 10 * 60000, cases[i].step_ms);
        uint64_t exact = 10 * (uint64_t)cases[i].per_minute;
        assert_in_range(taken, exact > 0 ? exact - 1 : 0, exact);
    }
}

static void test_bucket_saves_no_more_than_the_burst(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 600, 4, 0);
    assert_int_equal(drain(&bucket, 0, 0, 1), 4);
    assert_int_equal(drain(&bucket, 3600 * 1000, 3600 * 1000, 1), 4);
    msec far_ms = INT64_MAX / 2;
    assert_int_equal(drain(&bucket, far_ms, far_ms, 1), 4);
    assert_int_equal(bucket.taken, 12);
    assert_int_equal(bucket.refused, 3);
}

static void test_bucket_time_going_back_is_no_gain(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 600, 1, 1000);
    assert_true(bucket_take(&bucket, 1000, 0));
    assert_false(bucket_take(&bucket, 0, 0));
    assert_false(bucket_take(&bucket, 1099, 0));
    assert_true(bucket_take(&bucket, 1100, 0));
}

static void test_bucket_takes_back_what_was_not_needed(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 60, 2, 0);
    bucket_give_back(&bucket);
    assert_int_equal(drain(&bucket, 0, 0, 1), 2); /* never more than the burst */
    bucket_give_back(&bucket);
    assert_int_equal(bucket.taken, 1);
    assert_true(bucket_take(&bucket, 0, 0));
    assert_false(bucket_take(&bucket, 0, 0));
}

static void test_bucket_leaves_the_reserve(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 60, 5, 0);
    assert_true(bucket_take(&bucket, 0, 3));
    assert_true(bucket_take(&bucket, 0, 3));
    assert_false(bucket_take(&bucket, 0, 3));
    assert_true(bucket_take(&bucket, 0, 0)); /* important work may */
    assert_int_equal(bucket_wait_ms(&bucket, 0, 0), 0);
    assert_int_equal(bucket_wait_ms(&bucket, 0, 3), 2000);
}

static void test_bucket_slow_halves_and_recovers(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 1600, 10, 0);
    bucket_slow(&bucket, 0);
    assert_int_equal(bucket.per_minute_now, 800);
    assert_false(bucket_take(&bucket, 0, 0)); /* savings are gone */
    bucket_slow(&bucket, 999);                /* at most once a second */
    assert_int_equal(bucket.per_minute_now, 800);
    for (msec now_ms = 1000; now_ms <= 10000; now_ms += 1000) {
        bucket_slow(&bucket, now_ms);
    }
    assert_int_equal(bucket.per_minute_now, 100); /* one sixteenth */
    (void)bucket_take(&bucket, 10000 + 14999, 0);
    assert_int_equal(bucket.per_minute_now, 100);
    (void)bucket_take(&bucket, 10000 + 15000, 0);
    assert_int_equal(bucket.per_minute_now, 300);
    (void)bucket_take(&bucket, 10000 + 8 * 15000, 0);
    assert_int_equal(bucket.per_minute_now, 1600);
    bucket_init(&bucket, 1, 1, 0);
    bucket_slow(&bucket, 0);
    assert_int_equal(bucket.per_minute_now, 1);
}

/* While slowed, each stretch fills at its own rate: 100/min for 15 s, then 300/min. */
static void test_bucket_fills_each_stretch_at_its_rate(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 1600, 1000, 0);
    for (msec now_ms = 0; now_ms <= 4000; now_ms += 1000) {
        bucket_slow(&bucket, now_ms);
    }
    assert_int_equal(drain(&bucket, 4000 + 27000, 4000 + 27000, 1), 25 + 60);
}

/* The wait is exactly as long as needed, whatever happened before. */
static void test_bucket_wait_is_exact(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct prng prng;
        struct bucket bucket;
        msec now_ms = 0;
        prng_seed(&prng, seed);
        uint32_t burst = 1 + (uint32_t)prng_below(&prng, 20);
        bucket_init(&bucket, 1 + (uint32_t)prng_below(&prng, seed % 2 ? 30 : 3000), burst, 0);
        for (int step = 0; step < 50; step++) {
            uint32_t reserve = (uint32_t)prng_below(&prng, burst);
            now_ms += (msec)prng_below(&prng, 3000);
            if (prng_chance(&prng, 1, 4)) {
                bucket_slow(&bucket, now_ms);
            }
            msec wait_ms = bucket_wait_ms(&bucket, now_ms, reserve);
            assert_true(wait_ms >= 0);
            struct bucket copy = bucket;
            assert_true(bucket_take(&copy, now_ms + wait_ms, reserve));
            copy = bucket;
            assert_true(wait_ms == 0 || !bucket_take(&copy, now_ms + wait_ms - 1, reserve));
            (void)bucket_take(&bucket, now_ms, reserve);
            assert_in_range(bucket.per_minute_now, 1, bucket.per_minute_max);
        }
    }
}

static void reserve_all(void)
{
    struct bucket bucket;
    bucket_init(&bucket, 1, 5, 0);
    (void)bucket_take(&bucket, 0, 5);
}

static void test_bucket_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(reserve_all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_keeps_the_rate_exactly),
        cmocka_unit_test(test_bucket_saves_no_more_than_the_burst),
        cmocka_unit_test(test_bucket_time_going_back_is_no_gain),
        cmocka_unit_test(test_bucket_takes_back_what_was_not_needed),
        cmocka_unit_test(test_bucket_leaves_the_reserve),
        cmocka_unit_test(test_bucket_slow_halves_and_recovers),
        cmocka_unit_test(test_bucket_fills_each_stretch_at_its_rate),
        cmocka_unit_test(test_bucket_wait_is_exact),
        cmocka_unit_test(test_bucket_checks_its_caller),
    };
    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
