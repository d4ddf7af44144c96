/* see pool.h */
#include "unit.h"

#include "base/pool.h"
#include "base/prng.h"

struct thing {
    uint64_t number;
    char text[9];
};

static struct pool make_pool(uint32_t count_max)
{
    struct region region = unit_region();
    struct pool pool;
    memset(region.ptr, 0xA5, 64 * 1024); /* slots must come zeroed all the same */
    pool_init(&pool, &region, "things", count_max, sizeof(struct thing));
    return pool;
}

static void test_pool_takes_zeroed_slots_until_full(void **state)
{
    (void)state;
    struct pool pool = make_pool(3);
    handle handles[3], more = {7, 7};
    assert_int_equal(pool.slot_bytes % 16, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pool_take(&pool, &handles[i]), ERR_OK);
        struct thing *thing = pool_at(&pool, handles[i]);
        assert_non_null(thing);
        assert_int_equal((uintptr_t)thing % 16, 0);
        assert_int_equal(thing->number, 0);
        assert_int_equal(thing->text[8], 0);
        thing->number = i + 1;
        assert_true(handle_eq(pool_handle_of(&pool, thing), handles[i]));
    }
    assert_int_equal(pool_take(&pool, &more), ERR_FULL);
    assert_int_equal(more.slot, 7); /* unchanged on failure */
    assert_int_equal(pool.refused, 1);
    assert_int_equal(pool.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(((struct thing *)pool_at(&pool, handles[i]))->number, i + 1);
    }
}

static void test_pool_notices_stale_handles(void **state)
{
    (void)state;
    struct pool pool = make_pool(2);
    handle first, second;
    assert_int_equal(pool_take(&pool, &first), ERR_OK);
    pool_give(&pool, first);
    assert_null(pool_at(&pool, first));
    assert_int_equal(pool_take(&pool, &second), ERR_OK);
    assert_int_equal(second.slot, first.slot); /* used again before a fresh one */
    assert_false(handle_eq(first, second));
    assert_null(pool_at(&pool, first));
    assert_non_null(pool_at(&pool, second));
    assert_int_equal(((struct thing *)pool_at(&pool, second))->number, 0);
    const handle strangers[] = {HANDLE_NONE, {2, 1}, {3, 1}, {UINT32_MAX, 1}, {1, 0}, {1, 2}};
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        assert_null(pool_at(&pool, strangers[i]));
    }
}

static void test_pool_nth_take_fails(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 4; nth++) {
        struct pool pool = make_pool(3);
        handle h;
        pool_fail_at(nth);
        for (uint64_t i = 1; i <= 3; i++) {
            assert_int_equal(pool_take(&pool, &h), i == nth ? ERR_FULL : ERR_OK);
        }
        assert_int_equal(pool.refused, nth <= 3);
        pool_fail_at(0);
    }
}

static void test_pool_plans_without_memory(void **state)
{
    (void)state;
    struct region plan;
    struct pool pool;
    region_init(&plan, NULL, 0);
    pool_init(&pool, &plan, "things", 100, sizeof(struct thing));
    assert_true(plan.used >= 100 * (32 + 8));
    assert_int_equal(plan.rows_count, 1);
}

static void test_pool_of_none(void **state)
{
    (void)state;
    struct pool pool = make_pool(0);
    handle h;
    assert_int_equal(pool_take(&pool, &h), ERR_FULL);
    assert_true(handle_is_none(pool_first(&pool)));
}

/* Against a naive model: which slots are taken, what is in them, and all handles ever given out. */
static void test_pool_behaves_like_the_model(void **state)
{
    (void)state;
    enum { SLOTS = 24, STEPS = 3000 };
    for (uint64_t seed = 0; seed < 10; seed++) {
        static handle ever[STEPS];
        static bool is_live[STEPS];
        struct pool pool = make_pool(SLOTS);
        struct prng prng;
        size_t given = 0;
        uint32_t live = 0, peak = 0;
        prng_seed(&prng, seed);
        for (int step = 0; step < STEPS; step++) {
            handle h;
            if (prng_chance(&prng, 1, 2)) {
                assert_int_equal(pool_take(&pool, &h), live < SLOTS ? ERR_OK : ERR_FULL);
                if (live < SLOTS) {
                    ((struct thing *)pool_at(&pool, h))->number = given;
                    ever[given] = h;
                    is_live[given++] = true;
                    live++;
                }
            } else if (given > 0) {
                size_t which = prng_below(&prng, given);
                assert_int_equal(pool_at(&pool, ever[which]) != NULL, is_live[which]);
                if (is_live[which]) {
                    pool_give(&pool, ever[which]);
                    is_live[which] = false;
                    live--;
                }
            }
            peak = live > peak ? live : peak;
            assert_int_equal(pool.count, live);
            assert_int_equal(pool.count_peak, peak);
        }
        for (size_t i = 0; i < given; i++) {
            struct thing *thing = pool_at(&pool, ever[i]);
            assert_int_equal(thing != NULL, is_live[i]);
            assert_true(thing == NULL || thing->number == i);
        }
        /* The walk sees all taken slots in index order, and may give them back. */
        uint32_t seen = 0, last_slot = 0;
        for (handle h = pool_first(&pool); !handle_is_none(h); h = pool_after(&pool, h)) {
            assert_true(h.slot > last_slot);
            last_slot = h.slot;
            seen++;
            pool_give(&pool, h);
        }
        assert_int_equal(seen, live);
        assert_int_equal(pool.count, 0);
    }
}

static void give_twice(void)
{
    struct pool pool = make_pool(2);
    handle h;
    if (pool_take(&pool, &h) == ERR_OK) {
        pool_give(&pool, h);
        pool_give(&pool, h);
    }
}

static void ask_handle_of_free_slot(void)
{
    struct pool pool = make_pool(2);
    (void)pool_handle_of(&pool, pool.slots);
}

static void ask_handle_of_middle(void)
{
    struct pool pool = make_pool(2);
    handle h;
    if (pool_take(&pool, &h) == ERR_OK) {
        (void)pool_handle_of(&pool, pool.slots + 1);
    }
}

static void test_pool_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(give_twice));
    assert_true(unit_dies(ask_handle_of_free_slot));
    assert_true(unit_dies(ask_handle_of_middle));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_takes_zeroed_slots_until_full),
        cmocka_unit_test(test_pool_notices_stale_handles),
        cmocka_unit_test(test_pool_nth_take_fails),
        cmocka_unit_test(test_pool_plans_without_memory),
        cmocka_unit_test(test_pool_of_none),
        cmocka_unit_test(test_pool_behaves_like_the_model),
        cmocka_unit_test(test_pool_checks_its_caller),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
