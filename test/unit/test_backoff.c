/* see backoff.h */
#include "unit.h"

#include "base/backoff.h"

static void test_backoff_doubles_up_to_the_cap(void **state)
{
    (void)state;
    const struct {
        uint32_t failures;
        msec middle_ms;
    } cases[] = {
        {1, 1000},  {2, 2000},   {3, 4000},   {6, 32000},          {7, 60000},
        {8, 60000}, {64, 60000}, {65, 60000}, {UINT32_MAX, 60000},
    };
    struct prng prng;
    prng_seed(&prng, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        msec least = INT64_MAX, most = 0;
        for (int n = 0; n < 1000; n++) {
            msec wait_ms = backoff_ms(cases[i].failures, 1000, 60000, &prng);
            least = wait_ms < least ? wait_ms : least;
            most = wait_ms > most ? wait_ms : most;
        }
        msec middle = cases[i].middle_ms;
        assert_in_range(least, middle * 3 / 4, middle * 4 / 5); /* the spread is used */
        assert_in_range(most, middle * 6 / 5, middle * 5 / 4);
    }
}

static void test_backoff_waits_at_least_a_moment(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 1);
    assert_int_equal(backoff_ms(1, 0, 0, &prng), 1);
    assert_in_range(backoff_ms(1, 5000, 1000, &prng), 750, 1250); /* the cap wins */
    assert_true(backoff_ms(63, 1, INT64_MAX / 2, &prng) > 0);
}

static void wait_without_failure(void)
{
    struct prng prng = {{1, 2, 3, 4}};
    (void)backoff_ms(0, 1, 1, &prng);
}

static void test_backoff_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(wait_without_failure));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_doubles_up_to_the_cap),
        cmocka_unit_test(test_backoff_waits_at_least_a_moment),
        cmocka_unit_test(test_backoff_checks_its_caller),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
