/* The requests that made the newest groups. */
#include "unit.h"

#include "app/wire.h"

static struct wire wire;

static str name(char out[static 32], const char *prefix, unsigned number)
{
    (void)snprintf(out, 32, "%s-%u", prefix, number);
    return str_of(out);
}

static void test_wire_requests_keeps_the_newest(void **state)
{
    char group[32], request[32];
    (void)state;
    assert_true(str_is_empty(requests_find(&wire, S("eci-0"))));
    assert_true(str_is_empty(requests_find(&wire, STR_NONE)));
    for (unsigned i = 0; i < WIRE_REQUESTS + 5; i++) {
        requests_keep(&wire, name(group, "eci", i), name(request, "R", i));
    }
    for (unsigned i = 0; i < WIRE_REQUESTS + 5; i++) {
        str found = requests_find(&wire, name(group, "eci", i));
        assert_true(str_eq(found, i < 5 ? STR_NONE : name(request, "R", i)));
    }
}

static void test_wire_requests_keeps_nothing_that_is_cut(void **state)
{
    char text[200];
    (void)state;
    memset(text, 'x', sizeof text);
    requests_keep(&wire, S("eci-long"), str_make(text, sizeof text));
    assert_true(str_is_empty(requests_find(&wire, S("eci-long"))));
    requests_keep(&wire, str_make(text, sizeof text), S("R"));
    assert_true(str_is_empty(requests_find(&wire, str_make(text, sizeof text))));
    requests_keep(&wire, S("eci-long"), S("R-2"));
    assert_true(str_eq(requests_find(&wire, S("eci-long")), S("R-2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_requests_keeps_the_newest),
        cmocka_unit_test(test_wire_requests_keeps_nothing_that_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
