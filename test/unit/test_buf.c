/* see buf.h */
#include "unit.h"

static void test_buf_puts(void **state)
{
    (void)state;
    char memory[128];
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    buf_put(&buf, S("a"));
    buf_put_text(&buf, "b");
    buf_put_text(&buf, NULL);
    buf_put_char(&buf, 'c');
    buf_put_u64(&buf, 0);
    buf_put_u64(&buf, UINT64_MAX);
    buf_put_i64(&buf, INT64_MIN);
    buf_put_i64(&buf, INT64_MAX);
    buf_put_fmt(&buf, " %s %d", "x", 7);
    assert_true(buf_ok(&buf));
    assert_text(buf_str(&buf),
                "abc018446744073709551615-92233720368547758089223372036854775807 x 7");
    assert_string_equal(buf_cstr(&buf) + buf.bytes - 3, "x 7");
}

static void test_buf_is_sticky_when_full(void **state)
{
    (void)state;
    char memory[4];
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    buf_put(&buf, S("abc"));
    buf_put(&buf, S("de")); /* does not fit: nothing of it */
    assert_false(buf_ok(&buf));
    buf_put(&buf, S("f")); /* would fit, but the text has a hole already */
    buf_put_u64(&buf, 1);
    buf_put_fmt(&buf, "x");
    assert_text(buf_str(&buf), "abc");
    buf_clear(&buf);
    assert_true(buf_ok(&buf));
    buf_put(&buf, S("abcd"));
    assert_true(buf_ok(&buf));
    assert_string_equal(buf_cstr(&buf), ""); /* no room for a NUL */
    buf_put(&buf, STR_NONE);
    assert_true(buf_ok(&buf));
}

static void test_buf_fmt_needs_room_for_a_nul(void **state)
{
    (void)state;
    char memory[4];
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    buf_put_fmt(&buf, "%s", "abc");
    assert_true(buf_ok(&buf));
    buf_clear(&buf);
    buf_put_fmt(&buf, "%s", "abcd");
    assert_false(buf_ok(&buf));
    assert_int_equal(buf.bytes, 0);
}

static void test_buf_fmt_of_what_cannot_be_printed(void **state)
{
    (void)state;
    char memory[16];
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    buf_put(&buf, S("abc"));
    buf_put_fmt(&buf, "%ls", L"\x110000"); /* no character */
    assert_false(buf_ok(&buf));
    assert_text(buf_str(&buf), "abc");
}

static void test_buf_tail_grow_drop(void **state)
{
    (void)state;
    char memory[8];
    size_t room;
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    memcpy(buf_tail(&buf, &room), "abcdef", 6);
    assert_int_equal(room, 8);
    buf_grow(&buf, 6);
    buf_drop(&buf, 2);
    assert_text(buf_str(&buf), "cdef");
    buf_drop(&buf, 0);
    buf_drop(&buf, 4);
    assert_text(buf_str(&buf), "");
    buf_put(&buf, S("123456789"));
    (void)buf_tail(&buf, &room);
    assert_int_equal(room, 0); /* full is full */
}

static void test_buf_without_memory(void **state)
{
    (void)state;
    struct buf buf;
    size_t room;
    buf_init(&buf, NULL, 0);
    assert_string_equal(buf_cstr(&buf), "");
    buf_put(&buf, STR_NONE);
    assert_true(buf_ok(&buf));
    (void)buf_tail(&buf, &room);
    assert_int_equal(room, 0);
    buf_put_fmt(&buf, "x");
    assert_false(buf_ok(&buf));
}

static void grow_too_far(void)
{
    char memory[4];
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    buf_grow(&buf, 5);
}

static void drop_too_much(void)
{
    char memory[4];
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    buf_drop(&buf, 1);
}

static void test_buf_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(grow_too_far));
    assert_true(unit_dies(drop_too_much));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_puts),
        cmocka_unit_test(test_buf_is_sticky_when_full),
        cmocka_unit_test(test_buf_fmt_needs_room_for_a_nul),
        cmocka_unit_test(test_buf_fmt_of_what_cannot_be_printed),
        cmocka_unit_test(test_buf_tail_grow_drop),
        cmocka_unit_test(test_buf_without_memory),
        cmocka_unit_test(test_buf_checks_its_caller),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
