/* see err.h */
#include "unit.h"

#include "base/err.h"

static void test_err_every_row_is_filled(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_non_null(strstr(err_name((enum err)i), "ERR_"));
        assert_true(strlen(err_text((enum err)i)) > 4);
        assert_true(err_fate((enum err)i) < FATE_COUNT);
        assert_true(strlen(fate_name(err_fate((enum err)i))) > 3);
    }
    assert_string_equal(err_name(ERR_TIMEOUT), "ERR_TIMEOUT");
    assert_string_equal(err_text(ERR_TIMEOUT), "no reply in time");
    assert_int_equal(err_fate(ERR_OK), FATE_NONE);
    assert_int_equal(err_fate(ERR_THROTTLED), FATE_SLOW);
    assert_string_equal(fate_name(FATE_UNKNOWN), "unknown");
}

static void test_err_other_numbers_have_names_too(void **state)
{
    (void)state;
    const int numbers[] = {-1, ERR_COUNT, 1 << 30};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_non_null(err_name((enum err)numbers[i]));
        assert_non_null(err_text((enum err)numbers[i]));
        assert_int_equal(err_fate((enum err)numbers[i]), FATE_OURS);
        assert_non_null(fate_name((enum fate)numbers[i]));
    }
}

static void test_err_of_write_lost_only_when_sent_and_unanswered(void **state)
{
    (void)state;
    const struct {
        enum err err;
        bool is_open; /* the outcome, once bytes were sent */
    } cases[] = {
        {ERR_TIMEOUT, true},      {ERR_CLOSED, true},     {ERR_TLS, true},
        {ERR_SERVER, true},       {ERR_BAD_REPLY, true},  {ERR_UNREACHABLE, true},
        {ERR_REFUSED_CONN, true}, {ERR_RESOLVE, true},    {ERR_TOO_BIG, true},
        {ERR_FULL, true},         {ERR_CANCELLED, true},  {ERR_OK, false},
        {ERR_AGAIN, false},       {ERR_THROTTLED, false}, {ERR_CONFLICT, false},
        {ERR_QUOTA, false},       {ERR_STOCK, false},     {ERR_INVALID, false},
        {ERR_NOT_FOUND, false},   {ERR_FORBIDDEN, false}, {ERR_AUTH, false},
        {ERR_CLOCK, false},       {ERR_BUSY, false},      {ERR_LOST_WRITE, false},
        {ERR_UNSUPPORTED, false}, {ERR_GONE, false},      {ERR_TOKEN_CLASH, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err err = cases[i].err;
        assert_int_equal(err_of_write(err, 0), err);
        assert_int_equal(err_of_write(err, 1), cases[i].is_open ? ERR_LOST_WRITE : err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_every_row_is_filled),
        cmocka_unit_test(test_err_other_numbers_have_names_too),
        cmocka_unit_test(test_err_of_write_lost_only_when_sent_and_unanswered),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
