/* How much the node shows: the account's quota, what is in use, and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/capacity.h"

#define CPU 1000000000 /* as configured: a million */
#define PODS 10000

static char arena_memory[8192];

static struct capacity_look read(const char *text)
{
    struct capacity_look look = {.has_usage = true};
    struct arena arena;
    json root = JSON_NONE;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    assert_int_equal(json_parse(str_of(text), &arena, &root, NULL), ERR_OK);
    capacity_read_usage(root, &arena, &look);
    return look;
}

static void test_the_configuration_counts_when_nothing_is_known(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    struct capacity_figures f = capacity_figures(&capacity, CPU, PODS);
    assert_int_equal(f.cpu_milli, CPU);
    assert_int_equal(f.cpu_free_milli, CPU);
    assert_int_equal(f.pods_free, PODS);
    assert_int_equal(capacity_wake_ms(&capacity), INT64_MAX);
    capacity_forget_usage(&capacity);
    assert_int_equal(capacity.changes, 0); /* nothing was known, so nothing is forgotten */
}

static void test_the_reply_is_read(void **state)
{
    (void)state;
    struct capacity_look look = read("{\"Attributes\":{\"MaxCpu\":500,\"UsedCpu\":12.5}}");
    assert_true(look.has_usage);
    assert_int_equal(look.max_milli, 500000);
    assert_int_equal(look.used_milli, 12500);
    look = read("{\"attributes\":{\"maxCpu\":\"500\",\"usedCpu\":\"0.25\"}}");
    assert_true(look.has_usage);
    assert_int_equal(look.used_milli, 250);
}

static void test_a_reply_that_says_nothing_is_none(void **state)
{
    static const char *const replies[] = {
        "{}",
        "[]",
        "{\"Attributes\":[]}",
        "{\"Attributes\":{\"MaxCpu\":500}}",
        "{\"Attributes\":{\"UsedCpu\":5}}",
        "{\"Attributes\":{\"MaxCpu\":0,\"UsedCpu\":5}}",
        "{\"Attributes\":{\"MaxCpu\":\"many\",\"UsedCpu\":5}}",
        "{\"Attributes\":{\"MaxCpu\":-1,\"UsedCpu\":5}}",
        "{\"Attributes\":{\"MaxCpu\":500,\"UsedCpu\":-5}}",
        "{\"Attributes\":{\"MaxCpu\":\"500\",\"UsedCpu\":\"-5\"}}",
        "{\"Attributes\":{\"MaxCpu\":1e300,\"UsedCpu\":5}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct capacity capacity = {0};
        struct capacity_look look = read(replies[i]);
        assert_false(look.has_usage);
        capacity_look_taken(&capacity, &look);
        assert_int_equal(capacity.changes, 0);
    }
}

static void look_at(struct capacity *capacity, int64_t max, int64_t used, int64_t requests)
{
    const struct capacity_look look = {.has_usage = true,
                                       .max_milli = max * 1000,
                                       .used_milli = used * 1000,
                                       .requests_milli = requests * 1000};
    capacity_look_taken(capacity, &look);
}

static int64_t free_cpu(const struct capacity *capacity)
{
    return capacity_figures(capacity, CPU, PODS).cpu_free_milli / 1000;
}

static void test_cpu_follows_the_quota(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    look_at(&capacity, 500, 0, 0);
    assert_int_equal(capacity_figures(&capacity, CPU, PODS).cpu_milli, 500000);
    assert_int_equal(free_cpu(&capacity), 500);
    /* The configured number is a limit as well. */
    assert_int_equal(capacity_figures(&capacity, 300000, PODS).cpu_milli, 300000);
    assert_int_equal(capacity_figures(&capacity, 300000, PODS).cpu_free_milli, 300000);
    look_at(&capacity, 800, 0, 0);
    assert_int_equal(free_cpu(&capacity), 800);
    capacity_forget_usage(&capacity);
    assert_int_equal(capacity_figures(&capacity, CPU, PODS).cpu_milli, CPU);
}

static void test_what_others_use_counts_when_it_lasts(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    look_at(&capacity, 500, 120, 20);
    assert_int_equal(free_cpu(&capacity), 500); /* it may be on its way out */
    look_at(&capacity, 500, 140, 20);
    assert_int_equal(free_cpu(&capacity), 400); /* the smaller one of two looks */
    /* Pods of ours come and go: the scheduler counts those itself. */
    look_at(&capacity, 500, 340, 220);
    look_at(&capacity, 500, 340, 220);
    assert_int_equal(free_cpu(&capacity), 380);
    look_at(&capacity, 500, 20, 20);
    assert_int_equal(free_cpu(&capacity), 500);
}

static void test_cpu_makes_no_noise(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    look_at(&capacity, 500, 100, 0);
    look_at(&capacity, 500, 100, 0);
    uint64_t changes = capacity.changes;
    for (int used = 93; used < 108; used++) { /* less than a step of 8 */
        look_at(&capacity, 500, used, 0);
        look_at(&capacity, 500, used, 0);
    }
    assert_int_equal(capacity.changes, changes);
    assert_int_equal(free_cpu(&capacity), 400);
}

static void test_more_used_than_there_is_shows_nothing_free(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    look_at(&capacity, 100, 900, 0);
    look_at(&capacity, 100, 900, 0);
    assert_int_equal(free_cpu(&capacity), 0);
    /* Requests above what is used (sizes by limits, or a late listing) are nothing negative. */
    look_at(&capacity, 100, 10, 90);
    look_at(&capacity, 100, 10, 90);
    assert_int_equal(free_cpu(&capacity), 100);
}

static void test_instances_without_a_pod_take_places(void **state)
{
    struct capacity capacity = {0};
    struct capacity_look look = {.strays = 7};
    (void)state;
    capacity_look_taken(&capacity, &look);
    assert_int_equal(capacity_figures(&capacity, CPU, PODS).pods_free, PODS);
    look.strays = 3;
    capacity_look_taken(&capacity, &look);
    assert_int_equal(capacity_figures(&capacity, CPU, PODS).pods_free, PODS - 3);
    assert_int_equal(capacity_figures(&capacity, CPU, 2).pods_free, 0);
    look.strays = 0;
    capacity_look_taken(&capacity, &look);
    assert_int_equal(capacity_figures(&capacity, CPU, PODS).pods_free, PODS);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static uint32_t free_pods(const struct capacity *capacity)
{
    return capacity_figures(capacity, CPU, PODS).pods_free;
}

static void close_it(struct capacity *capacity, msec now_ms)
{
    for (int i = 0; i < CAPACITY_REFUSALS; i++) {
        capacity_refused(capacity, now_ms);
    }
    assert_true(capacity->is_closed);
}

static void test_refusals_in_a_row_close_the_node(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    for (int i = 0; i < 10; i++) { /* small ones are accepted all the time */
        capacity_refused(&capacity, 1000);
        capacity_refused(&capacity, 1000);
        capacity_accepted(&capacity);
    }
    assert_int_equal(free_pods(&capacity), PODS);
    close_it(&capacity, 1000);
    assert_int_equal(free_pods(&capacity), 0);
    capacity_refused(&capacity, 2000); /* was on its way: prolongs nothing */
    assert_int_equal(capacity_wake_ms(&capacity), 1000 + CAPACITY_CLOSED_MS);
}

static void test_an_accepted_create_opens_it(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    close_it(&capacity, 1000);
    capacity_accepted(&capacity);
    capacity_turn(&capacity, 1000 + CAPACITY_CLOSED_MIN_MS - 1);
    assert_int_equal(free_pods(&capacity), 0);
    assert_int_equal(capacity_wake_ms(&capacity), 1000 + CAPACITY_CLOSED_MIN_MS);
    capacity_turn(&capacity, 1000 + CAPACITY_CLOSED_MIN_MS);
    assert_int_equal(free_pods(&capacity), PODS);
    assert_int_equal(capacity_wake_ms(&capacity), INT64_MAX);
}

static void test_it_opens_by_itself_later_each_time(void **state)
{
    struct capacity capacity = {0};
    msec now_ms = 1000, waited_ms[6];
    (void)state;
    for (int i = 0; i < 6; i++) {
        close_it(&capacity, now_ms);
        waited_ms[i] = capacity_wake_ms(&capacity) - now_ms;
        now_ms += waited_ms[i];
        capacity_turn(&capacity, now_ms - 1);
        assert_true(capacity.is_closed);
        capacity_turn(&capacity, now_ms);
        assert_false(capacity.is_closed);
    }
    assert_int_equal(waited_ms[0], CAPACITY_CLOSED_MS);
    assert_int_equal(waited_ms[1], 2 * CAPACITY_CLOSED_MS);
    assert_int_equal(waited_ms[5], CAPACITY_CLOSED_CAP_MS);
    capacity_accepted(&capacity);
    close_it(&capacity, now_ms);
    assert_int_equal(capacity_wake_ms(&capacity), now_ms + CAPACITY_CLOSED_MS);
}

static void test_each_change_is_counted_once(void **state)
{
    struct capacity capacity = {0};
    (void)state;
    close_it(&capacity, 1000);
    assert_int_equal(capacity.changes, 1);
    capacity_turn(&capacity, 5000);
    assert_int_equal(capacity.changes, 1);
    capacity_turn(&capacity, 1000 + CAPACITY_CLOSED_MS);
    capacity_turn(&capacity, 1000 + 2 * CAPACITY_CLOSED_MS);
    assert_int_equal(capacity.changes, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_configuration_counts_when_nothing_is_known),
        cmocka_unit_test(test_the_reply_is_read),
        cmocka_unit_test(test_a_reply_that_says_nothing_is_none),
        cmocka_unit_test(test_cpu_follows_the_quota),
        cmocka_unit_test(test_what_others_use_counts_when_it_lasts),
        cmocka_unit_test(test_cpu_makes_no_noise),
        cmocka_unit_test(test_more_used_than_there_is_shows_nothing_free),
        cmocka_unit_test(test_instances_without_a_pod_take_places),
        cmocka_unit_test(test_refusals_in_a_row_close_the_node),
        cmocka_unit_test(test_an_accepted_create_opens_it),
        cmocka_unit_test(test_it_opens_by_itself_later_each_time),
        cmocka_unit_test(test_each_change_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
