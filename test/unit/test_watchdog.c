/* see watchdog.h. That it really ends a loop that is stuck: test/e2e/test_poison.py. */
#include "unit.h"

#include "os/watchdog.h"

#define SECOND 1000000u

/* Whatever was before: a look between two turns. */
static void begin(void)
{
    assert_null(watchdog_look(1, true, 0));
}

static void test_turns_that_end_are_well(void **state)
{
    (void)state;
    begin();
    for (uint64_t turn = 2; turn < 100; turn++) { /* busy all the time, but each turn ends */
        assert_null(watchdog_look(turn, false, turn * 10 * SECOND));
    }
}

static void test_an_idle_loop_is_well(void **state)
{
    (void)state;
    begin();
    for (int look = 0; look < 100; look++) {
        assert_null(watchdog_look(7, true, 0));
    }
    assert_null(watchdog_look(7, false, 1000 * (uint64_t)SECOND)); /* other threads burnt that */
}

static void test_a_turn_that_spins_is_stuck(void **state)
{
    (void)state;
    begin();
    assert_null(watchdog_look(5, false, 3 * SECOND));
    assert_null(watchdog_look(5, false, (3 + WATCHDOG_CPU_S) * SECOND - 1));
    const char *why = watchdog_look(5, false, (3 + WATCHDOG_CPU_S) * SECOND);
    assert_non_null(why);
    assert_non_null(strstr(why, "does not end"));
}

static void test_a_turn_that_hangs_is_stuck(void **state)
{
    (void)state;
    begin();
    for (int look = 1; look < WATCHDOG_LOOKS; look++) {
        assert_null(watchdog_look(5, false, SECOND));
    }
    const char *why = watchdog_look(5, false, SECOND);
    assert_non_null(why);
    assert_non_null(strstr(why, "hangs"));
}

/* However long it was stopped or suspended, the kernel's timer fires once after it. */
static void test_a_pause_of_the_machine_is_one_look(void **state)
{
    (void)state;
    begin();
    assert_null(watchdog_look(5, false, SECOND));
    assert_null(watchdog_look(5, false, SECOND)); /* after it, still in the same turn */
    assert_null(watchdog_look(6, false, SECOND));
    for (int look = 1; look < WATCHDOG_LOOKS - 1; look++) { /* counted anew */
        assert_null(watchdog_look(6, false, SECOND));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_that_end_are_well),
        cmocka_unit_test(test_an_idle_loop_is_well),
        cmocka_unit_test(test_a_turn_that_spins_is_stuck),
        cmocka_unit_test(test_a_turn_that_hangs_is_stuck),
        cmocka_unit_test(test_a_pause_of_the_machine_is_one_look),
    };
    return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
