/* see due.h */
#include "unit.h"

#include "base/due.h"
#include "base/prng.h"

static struct due make_due(uint32_t count_max)
{
    struct region region = unit_region();
    struct due due;
    due_init(&due, &region, "due", count_max);
    return due;
}

static void test_due_of_none(void **state)
{
    (void)state;
    struct due due = make_due(1);
    struct due_item item = {0};
    assert_null(due_pop(&due, INT64_MAX));
    assert_true(due_next_ms(&due) == INT64_MAX);
    assert_false(due_is_set(&item));
    due_clear(&due, &item); /* no-op */
}

static void test_due_equal_times_in_the_order_they_were_set(void **state)
{
    (void)state;
    struct due due = make_due(8);
    struct due_item items[8] = {{0}};
    for (size_t i = 0; i < 8; i++) {
        due_set(&due, &items[i], 100);
    }
    due_set(&due, &items[0], 100); /* set again: goes last */
    assert_null(due_pop(&due, 99));
    for (size_t i = 1; i < 8; i++) {
        assert_ptr_equal(due_pop(&due, 100), &items[i]);
    }
    assert_ptr_equal(due_pop(&due, 100), &items[0]);
    assert_null(due_pop(&due, 100));
}

/* Against an array searched from end to end. */
static void test_due_behaves_like_the_model(void **state)
{
    (void)state;
    enum { ITEMS = 50 };
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct due_item items[ITEMS] = {{0}};
        uint64_t set_at_step[ITEMS] = {0}; /* 0 = not set */
        struct due due = make_due(ITEMS);
        struct prng prng;
        msec now_ms = 0;
        prng_seed(&prng, seed);
        for (uint64_t step = 1; step < 2000; step++) {
            size_t i = prng_below(&prng, ITEMS);
            switch (prng_below(&prng, 4)) {
            case 0:
            case 1:
                due_set(&due, &items[i], now_ms + (msec)prng_below(&prng, 20));
                set_at_step[i] = step;
                break;
            case 2:
                due_clear(&due, &items[i]);
                set_at_step[i] = 0;
                break;
            default:
                now_ms += (msec)prng_below(&prng, 5);
                break;
            }
            for (;;) {
                struct due_item *first = NULL;
                for (size_t j = 0; j < ITEMS; j++) {
                    assert_int_equal(due_is_set(&items[j]), set_at_step[j] != 0);
                    if (set_at_step[j] != 0 && (first == NULL || items[j].at_ms < first->at_ms ||
                                                (items[j].at_ms == first->at_ms &&
                                                 set_at_step[j] < set_at_step[first - items]))) {
                        first = &items[j];
                    }
                }
                assert_true(due_next_ms(&due) == (first != NULL ? first->at_ms : INT64_MAX));
                bool is_due = first != NULL && first->at_ms <= now_ms;
                assert_ptr_equal(due_pop(&due, now_ms), is_due ? first : NULL);
                if (!is_due) {
                    break;
                }
                set_at_step[first - items] = 0;
            }
        }
    }
}

static void set_too_many(void)
{
    struct due due = make_due(1);
    struct due_item items[2] = {{0}};
    due_set(&due, &items[0], 1);
    due_set(&due, &items[1], 1);
}

static void clear_stranger(void)
{
    struct due due = make_due(1);
    struct due_item item = {.place = 1};
    due_clear(&due, &item);
}

static void clear_a_double(void)
{
    struct due due = make_due(1);
    struct due_item item = {0};
    due_set(&due, &item, 1);
    struct due_item same_place = item;
    due_clear(&due, &same_place);
}

static void test_due_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(set_too_many));
    assert_true(unit_dies(clear_stranger));
    assert_true(unit_dies(clear_a_double));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_of_none),
        cmocka_unit_test(test_due_equal_times_in_the_order_they_were_set),
        cmocka_unit_test(test_due_behaves_like_the_model),
        cmocka_unit_test(test_due_checks_its_caller),
    };
    return cmocka_run_group_tests_name("due", tests, NULL, NULL);
}
