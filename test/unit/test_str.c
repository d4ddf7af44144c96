/* see str.h */
#include "unit.h"

#include "base/prng.h"

static void test_str_compares(void **state)
{
    (void)state;
    assert_true(str_eq(S("abc"), S("abc")));
    assert_false(str_eq(S("abc"), S("abd")));
    assert_false(str_eq(S("abc"), S("ab")));
    assert_true(str_eq(STR_NONE, S("")));
    assert_true(str_eq(str_of(NULL), STR_NONE));
    assert_true(str_eq_nocase(S("Content-Type"), S("content-TYPE")));
    assert_false(str_eq_nocase(S("a["), S("A{"))); /* 0x20 apart, but no letters */
    assert_true(str_cmp(S("a"), S("b")) < 0);
    assert_true(str_cmp(S("ab"), S("a")) > 0);
    assert_true(str_cmp(S("a"), S("ab")) < 0);
    assert_true(str_cmp(S("\xff"), S("a")) > 0);
    assert_int_equal(str_cmp(STR_NONE, S("")), 0);
    assert_true(str_starts(S("eci-123"), S("eci-")));
    assert_false(str_starts(S("ec"), S("eci-")));
    assert_true(str_ends(S("a.yaml"), S(".yaml")));
    assert_false(str_ends(S("yaml"), S(".yaml")));
    assert_true(str_ends(S("x"), STR_NONE));
}

static void test_str_finds(void **state)
{
    (void)state;
    assert_int_equal(str_find(S("abcabc"), S("ca")), 2);
    assert_int_equal(str_find(S("abc"), S("x")), -1);
    assert_int_equal(str_find(S("abc"), S("abcd")), -1);
    assert_int_equal(str_find(S("abc"), S("")), 0);
    assert_int_equal(str_find(STR_NONE, S("a")), -1);
    assert_int_equal(str_find_char(S("a=b"), '='), 1);
    assert_int_equal(str_find_char(STR_NONE, '='), -1);
}

static void test_str_prints(void **state)
{
    (void)state;
    char text[16];
    (void)snprintf(text, sizeof text, "<%.*s,%.*s>", STR_ARG(S("ab")), STR_ARG(STR_NONE));
    assert_string_equal(text, "<ab,>");
}

static void test_str_sub_is_clamped(void **state)
{
    (void)state;
    assert_text(str_sub(S("abcdef"), 2, 3), "cde");
    assert_text(str_sub(S("abcdef"), 4, 99), "ef");
    assert_text(str_sub(S("abcdef"), 4, SIZE_MAX), "ef");
    assert_text(str_sub(S("abcdef"), 99, 1), "");
    assert_text(str_sub(STR_NONE, 0, 1), "");
    assert_text(str_trim(S(" \t a b\r\n")), "a b");
    assert_text(str_trim(S(" \n")), "");
    assert_text(str_trim(STR_NONE), "");
}

static void test_str_cut_gives_pieces(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *pieces[4];
    } cases[] = {
        {"", {NULL}},
        {"a", {"a", NULL}},
        {"a,,b", {"a", "", "b", NULL}},
        {",a", {"", "a", NULL}},
        {"a,", {"a", NULL}},
        {",", {"", NULL}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str rest = str_of(cases[i].text);
        str piece;
        size_t count = 0;
        while (str_cut(&rest, ',', &piece)) {
            assert_non_null(cases[i].pieces[count]);
            assert_text(piece, cases[i].pieces[count++]);
        }
        assert_null(cases[i].pieces[count]);
    }
}

static void test_str_to_numbers(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool is_i64, is_u64;
        int64_t i64;
        uint64_t u64;
    } cases[] = {
        {"0", true, true, 0, 0},
        {"007", true, true, 7, 7},
        {"-0", true, false, 0, 0},
        {"-1", true, false, -1, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", false, true, 0, 9223372036854775808u},
        {"-9223372036854775808", true, false, INT64_MIN, 0},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", false, true, 0, UINT64_MAX},
        {"18446744073709551616", false, false, 0, 0},
        {"99999999999999999999999", false, false, 0, 0},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"+1", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"1x", false, false, 0, 0},
        {"--1", false, false, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t i64 = 4711;
        uint64_t u64 = 4711;
        assert_int_equal(str_to_i64(str_of(cases[i].text), &i64), cases[i].is_i64);
        assert_int_equal(str_to_u64(str_of(cases[i].text), &u64), cases[i].is_u64);
        assert_true(i64 == (cases[i].is_i64 ? cases[i].i64 : 4711));
        assert_true(u64 == (cases[i].is_u64 ? cases[i].u64 : 4711));
    }
}

static void test_str_copy_cuts_between_characters(void **state)
{
    (void)state;
    char to[6];
    assert_true(str_copy(to, sizeof(to), S("abcde")));
    assert_string_equal(to, "abcde");
    assert_false(str_copy(to, sizeof(to), S("abcdef")));
    assert_string_equal(to, "abcde");
    assert_false(str_copy(to, sizeof(to), S("abcd\xC3\xA4"))); /* a-umlaut does not fit */
    assert_string_equal(to, "abcd");
    assert_true(str_copy(to, 1, STR_NONE));
    assert_string_equal(to, "");
    assert_false(str_copy(to, 1, S("a")));
    assert_string_equal(to, "");
}

/* Reference values of SipHash-1-3 under the key 00 01 .. 0f, message 00 01 .. (n-1), as other
 * implementations give them. */
static void test_str_hash_is_siphash_1_3(void **state)
{
    (void)state;
    char message[16];
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (char)i;
    }
    str_hash_seed(0x0706050403020100u, 0x0f0e0d0c0b0a0908u);
    assert_true(str_hash(str_make(message, 0)) == 0xabac0158050fc4dcu);
    assert_true(str_hash(str_make(message, 1)) == 0xc9f49bf37d57ca93u);
    assert_true(str_hash(str_make(message, 2)) == 0x82cb9b024dc7d44du);
    assert_true(str_hash(STR_NONE) == str_hash(S("")));
    uint64_t with_this_key = str_hash(S("pod"));
    str_hash_seed(1, 2);
    assert_true(str_hash(S("pod")) != with_this_key);
}

static void test_str_distance(void **state)
{
    (void)state;
    assert_int_equal(str_distance(S("kitten"), S("sitting"), 5), 3);
    assert_int_equal(str_distance(S("kitten"), S("sitting"), 2), 3);
    assert_int_equal(str_distance(S(""), S("abc"), 9), 3);
    assert_int_equal(str_distance(S("same"), S("same"), 0), 0);
    assert_int_equal(str_distance(S("same"), S("some"), 0), 1);
    char text[65];
    memset(text, 'a', sizeof(text));
    assert_int_equal(str_distance(str_make(text, 64), str_make(text, 64), 3), 0);
    assert_int_equal(str_distance(str_make(text, 65), str_make(text, 64), 3), 4);
    assert_int_equal(str_distance(str_make(text, 64), str_make(text, 65), 3), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_compares),
        cmocka_unit_test(test_str_finds),
        cmocka_unit_test(test_str_prints),
        cmocka_unit_test(test_str_sub_is_clamped),
        cmocka_unit_test(test_str_cut_gives_pieces),
        cmocka_unit_test(test_str_to_numbers),
        cmocka_unit_test(test_str_copy_cuts_between_characters),
        cmocka_unit_test(test_str_hash_is_siphash_1_3),
        cmocka_unit_test(test_str_distance),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
