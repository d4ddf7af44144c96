/* Labels: reading, matching, and what may be one. */
#include "unit.h"

#include "spec/label_select.h"

static char memory[4096];

static void test_label_set_read_and_find(void **state)
{
    (void)state;
    struct arena arena;
    json root;
    struct spec_pair *items;
    uint32_t count = 0;
    arena_init(&arena, memory, sizeof memory);
    assert_int_equal(json_parse(S("{\"a\":\"1\",\"b\":\"\",\"c\":7}"), &arena, &root, NULL),
                     ERR_OK);
    assert_int_equal(label_set_read(root, 2, &arena, &items, &count), ERR_OK);
    assert_int_equal(count, 3);
    struct label_set set = {items, count};
    assert_text(*label_set_find(set, S("a")), "1");
    assert_text(*label_set_find(set, S("b")), "");
    assert_text(*label_set_find(set, S("c")), "");
    assert_null(label_set_find(set, S("d")));
    items[3] = items[4] = items[0]; /* the spare ones are there */
    assert_int_equal(label_set_read(JSON_NONE, 0, &arena, &items, &count), ERR_OK);
    assert_int_equal(count, 0);
    struct arena tiny;
    arena_init(&tiny, memory, 16);
    assert_int_equal(label_set_read(root, 0, &tiny, &items, &count), ERR_FULL);
}

static void test_label_select_matches_as_kubernetes_does(void **state)
{
    (void)state;
    static const struct {
        enum label_op op;
        bool when_one, when_other, when_absent;
    } rows[] = {
        {LABEL_IN, true, false, false},
        {LABEL_NOT_IN, false, true, true},
        {LABEL_EXISTS, true, true, false},
        {LABEL_DOES_NOT_EXIST, false, false, true},
    };
    const str values[] = {S("1"), S("2")};
    const struct spec_pair one[] = {{S("k"), S("2")}}, other[] = {{S("k"), S("3")}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct label_term term = {S("k"), rows[i].op, values, 2};
        struct label_select select = {&term, 1};
        assert_int_equal(label_select_matches(&select, (struct label_set){one, 1}),
                         rows[i].when_one);
        assert_int_equal(label_select_matches(&select, (struct label_set){other, 1}),
                         rows[i].when_other);
        assert_int_equal(label_select_matches(&select, (struct label_set){NULL, 0}),
                         rows[i].when_absent);
    }
    struct label_select nothing = {NULL, 0};
    assert_true(label_select_matches(&nothing, (struct label_set){one, 1}));
}

static void test_label_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_key, is_value;
    } rows[] = {
        {"a", true, true},          {"a.b_c-d", true, true},  {"-a", false, false},
        {"a-", false, false},       {"", false, true},        {"a b", false, false},
        {"x.y/z", true, false},     {"x/", false, false},     {"/x", false, false},
        {"X.y/z", false, false},    {"x..y/z", false, false}, {"x./z", false, false},
        {"x_y/z", false, false},    {"a/b/c", false, false},  {"x.y/Z", true, false},
        {"\xc3\xa4", false, false}, {".a", false, false},     {"a~b", false, false},
        {"~", false, false},        {"a@b", false, false},    {"Az09", true, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (label_key_is_valid(str_of(rows[i].text)) != rows[i].is_key ||
            label_value_is_valid(str_of(rows[i].text)) != rows[i].is_value) {
            fail_msg("%s", rows[i].text);
        }
    }
    char sixty_four[65] = "";
    memset(sixty_four, 'a', 64);
    assert_false(label_key_is_valid(str_of(sixty_four)));
    assert_true(label_key_is_valid(str_make(sixty_four, 63)));
    assert_false(label_value_is_valid(str_of(sixty_four)));
    char prefixed[LABEL_PREFIX_BYTES_MAX + 4];
    for (size_t i = 0; i < LABEL_PREFIX_BYTES_MAX; i++) {
        prefixed[i] = i % 2 == 0 ? 'a' : '.'; /* a.a.a...a, then /k */
    }
    memcpy(prefixed + LABEL_PREFIX_BYTES_MAX, "/k", 3);
    assert_true(label_key_is_valid(str_of(prefixed)));
    memcpy(prefixed + LABEL_PREFIX_BYTES_MAX, "a/k", 4);
    assert_false(label_key_is_valid(str_of(prefixed)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_label_set_read_and_find),
        cmocka_unit_test(test_label_select_matches_as_kubernetes_does),
        cmocka_unit_test(test_label_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
