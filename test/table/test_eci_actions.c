/* The action table against what is documented: rates (eci-api 5) and ClientToken (eci-api 1.10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eci/actions.h"

static const struct {
    const char *wire;
    uint32_t per_minute;
} documented_rates[] = {
    {"DescribeContainerGroups", 2000},
    {"DescribeContainerGroupMetric", 2000},
    {"CreateContainerGroup", 1000},
    {"DeleteContainerGroup", 1000},
    {"DescribeContainerGroupPrice", 1000},
    {"ExecContainerCommand", 500},
    {"DescribeContainerLog", 500},
    {"RestartContainerGroup", 500},
    {"UpdateContainerGroup", 500},
    {"DescribeMultiContainerGroupMetric", 500},
    {"CreateImageCache", 200},
};

static const char *const takes_token[] = {
    "CreateContainerGroup",       "DeleteContainerGroup", "RestartContainerGroup",
    "UpdateContainerGroup",       "CreateImageCache",     "UpdateImageCache",
    "ResizeContainerGroupVolume", "DeleteImageCache",     "UntagResources",
};

static void test_eci_actions_rates_are_the_documented_ones(void **state)
{
    (void)state;
    for (int i = 0; i < ECI_ACTION_COUNT; i++) {
        const struct eci_action_row *row = eci_action_row((enum eci_action)i);
        uint32_t expected = 500; /* nothing documented */
        for (size_t k = 0; k < sizeof documented_rates / sizeof documented_rates[0]; k++) {
            if (strcmp(row->wire, documented_rates[k].wire) == 0) {
                expected = documented_rates[k].per_minute;
            }
        }
        assert_int_equal(row->per_minute, expected);
    }
}

static void test_eci_actions_tokens_are_the_documented_ones(void **state)
{
    (void)state;
    for (int i = 0; i < ECI_ACTION_COUNT; i++) {
        const struct eci_action_row *row = eci_action_row((enum eci_action)i);
        bool expected = false;
        for (size_t k = 0; k < sizeof takes_token / sizeof takes_token[0]; k++) {
            expected |= strcmp(row->wire, takes_token[k]) == 0;
        }
        assert_int_equal(row->accepts_token, expected);
    }
}

static void test_eci_actions_are_sensible(void **state)
{
    (void)state;
    for (int i = 0; i < ECI_ACTION_COUNT; i++) {
        const struct eci_action_row *row = eci_action_row((enum eci_action)i);
        str wire = str_of(row->wire);
        bool is_read = str_starts(wire, S("Describe")) || str_starts(wire, S("List"));
        assert_string_equal(eci_action_name((enum eci_action)i), row->wire);
        assert_int_equal(row->is_write, !is_read);
        assert_true(row->is_write || !row->accepts_token);
        assert_true(!row->is_write || !row->has_big_reply);
        assert_in_range(row->deadline_ms, 5000, 60000);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(row->wire, eci_action_name((enum eci_action)k));
        }
    }
    assert_string_equal(eci_action_name(ECI_ACTION_COUNT), "?");
    assert_string_equal(eci_action_name((enum eci_action) - 1), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eci_actions_rates_are_the_documented_ones),
        cmocka_unit_test(test_eci_actions_tokens_are_the_documented_ones),
        cmocka_unit_test(test_eci_actions_are_sensible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
