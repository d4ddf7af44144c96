/* see params.h */
#include "unit.h"

#include "data/params.h"

static _Alignas(16) char memory[PARAMS_MAX * (sizeof(struct param) + 16) + 1024];

static void test_params_adds_in_order(void **state)
{
    (void)state;
    struct arena arena;
    struct params params;
    char value[] = "nginx";
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    params_add(&params, S("Action"), S("CreateContainerGroup"));
    params_add_at(&params, str_of(value), "Container.%u.Image", 3u);
    params_add_secret(&params, S("Password"), S("hush"));
    params_add_i64(&params, S("Min"), INT64_MIN);
    params_add_bool(&params, S("Yes"), true);
    params_add_bool(&params, S("No"), false);
    params_add(&params, S("Empty"), STR_NONE);
    memset(value, 'x', 5); /* copied, not borrowed */
    assert_false(params.has_failed);
    const struct {
        const char *name, *value;
        bool is_secret;
    } expected[] = {
        {"Action", "CreateContainerGroup", false},
        {"Container.3.Image", "nginx", false},
        {"Password", "hush", true},
        {"Min", "-9223372036854775808", false},
        {"Yes", "true", false},
        {"No", "false", false},
        {"Empty", "", false},
    };
    assert_int_equal(params.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_text(params.items[i].name, expected[i].name);
        assert_text(params.items[i].value, expected[i].value);
        assert_int_equal(params.items[i].is_secret, expected[i].is_secret);
        assert_text(params_find(&params, str_of(expected[i].name)), expected[i].value);
    }
    assert_null(params_find(&params, S("action")).ptr);
}

static void test_params_has_room_for_the_maximum(void **state)
{
    (void)state;
    struct arena arena;
    struct params params;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    for (int i = 0; i < PARAMS_MAX; i++) {
        params_add(&params, S("n"), S("v"));
    }
    assert_false(params.has_failed);
    params_add(&params, S("n"), S("v"));
    assert_true(params.has_failed);
    assert_int_equal(params.count, PARAMS_MAX);
}

static void test_params_are_replaced_and_dropped(void **state)
{
    (void)state;
    struct arena arena;
    struct params params;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    params_set(&params, S("A"), S("1"));
    params_add(&params, S("Dns.1"), S("x"));
    params_add(&params, S("B"), S("2"));
    params_add(&params, S("Dns.2"), S("y"));
    params_set(&params, S("A"), S("3"));
    assert_int_equal(params.count, 4);
    params_drop(&params, S("Dns."));
    assert_int_equal(params.count, 2);
    assert_true(str_eq(params.items[0].value, S("3")) && str_eq(params.items[1].name, S("B")));
    params_drop(&params, S("C"));
    assert_int_equal(params.count, 2);
    arena_fail_at(1);
    params_set(&params, S("B"), S("4"));
    arena_fail_at(0);
    assert_true(params.has_failed);
}

static void test_params_name_too_long(void **state)
{
    (void)state;
    struct arena arena;
    struct params params;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    params_add_at(&params, S("v"), "%0300d", 1);
    assert_true(params.has_failed);
    assert_int_equal(params.count, 0);
}

static void test_params_nth_take_fails(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 8; nth++) {
        struct arena arena;
        struct params params;
        arena_init(&arena, memory, sizeof(memory));
        arena_fail_at(nth);
        enum err err = params_init(&params, &arena);
        assert_int_equal(err, nth == 1 ? ERR_FULL : ERR_OK);
        for (int i = 0; i < 3; i++) {
            params_add_at(&params, S("v"), "n%d", i);
        }
        arena_fail_at(0);
        assert_int_equal(params.has_failed, nth <= 7);
        assert_int_equal(params.count, nth == 1 ? 0 : (nth - 2) / 2); /* two takes for each */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params_adds_in_order),
        cmocka_unit_test(test_params_has_room_for_the_maximum),
        cmocka_unit_test(test_params_are_replaced_and_dropped),
        cmocka_unit_test(test_params_name_too_long),
        cmocka_unit_test(test_params_nth_take_fails),
    };
    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
