/* see os.h */
#include "unit.h"

#include "os/os.h"

static void test_clock_units_agree(void **state)
{
    (void)state;
    msec before_ms = os_now_ms();
    uint64_t us = os_now_us();
    msec after_ms = os_now_ms();
    assert_true(before_ms > 0);
    assert_in_range(us / 1000, before_ms, after_ms);
    assert_true(os_now_us() >= us);
}

static void test_clock_wall_is_of_our_days(void **state)
{
    (void)state;
    assert_true(os_wall_ms() > 1577836800000); /* 2020 */
    assert_true(os_wall_ms() < 4102444800000); /* 2100 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_units_agree),
        cmocka_unit_test(test_clock_wall_is_of_our_days),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
