/* see json_write.h */
#include "unit.h"

#include "data/json_write.h"

static char memory[4096];
static struct buf out;
static struct json_write w;

static void start(size_t bytes_max)
{
    buf_init(&out, memory, bytes_max);
    json_write_init(&w, &out);
}

static void test_json_write_all_kinds(void **state)
{
    (void)state;
    start(sizeof(memory));
    json_object(&w);
    json_member_text(&w, "kind", S("Pod"));
    json_member_i64(&w, "n", -5);
    json_member_bool(&w, "t", true);
    json_member_null(&w, "z");
    json_member_raw(&w, "raw", S("{\"a\":[1]}"));
    json_member_raw(&w, "gone", STR_NONE);
    json_member_time(&w, "at", 1136214245);
    json_member_time(&w, "never", 0);
    json_member_object(&w, "o");
    json_end(&w);
    json_member_array(&w, "a");
    json_put_i64(&w, 1);
    json_put_text(&w, S("x"));
    json_array(&w);
    json_end(&w);
    json_object(&w);
    json_key_put(&w, S("k"));
    json_put_bool(&w, false);
    json_end(&w);
    json_put_null(&w);
    json_put_raw(&w, S("2.5"));
    json_end(&w);
    assert_false(json_write_ok(&w));
    json_end(&w);
    assert_true(json_write_ok(&w));
    assert_text(buf_str(&out),
                "{\"kind\":\"Pod\",\"n\":-5,\"t\":true,\"z\":null,\"raw\":{\"a\":[1]},"
                "\"gone\":null,\"at\":\"2006-01-02T15:04:05Z\",\"never\":null,"
                "\"o\":{},\"a\":[1,\"x\",[],{\"k\":false},null,2.5]}");
}

static void test_json_write_escapes(void **state)
{
    (void)state;
    const struct {
        const char *text, *escaped;
    } cases[] = {
        {"plain", "plain"},
        {"\"\\/", "\\\"\\\\/"},
        {"\n\r\t", "\\n\\r\\t"},
        {"\x01\x1f\x7f", "\\u0001\\u001f\x7f"},
        {"\xC3\xA4\xF0\x9F\x98\x80", "\xC3\xA4\xF0\x9F\x98\x80"},
        {"a\xff\xC3z", "a\xEF\xBF\xBD\xEF\xBF\xBDz"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\",\"evil\":\"", "\\\",\\\"evil\\\":\\\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        start(sizeof(memory));
        json_put_escaped(&out, str_of(cases[i].text));
        assert_text(buf_str(&out), cases[i].escaped);
    }
    start(sizeof(memory));
    json_put_text(&w, str_make("a\0b", 3));
    assert_text(buf_str(&out), "\"a\\u0000b\"");
}

static void value_without_key(void)
{
    json_object(&w);
    json_put_null(&w);
    json_end(&w);
}

static void key_without_value(void)
{
    json_object(&w);
    json_key_put(&w, S("a"));
    json_end(&w);
}

static void two_keys(void)
{
    json_object(&w);
    json_key_put(&w, S("a"));
    json_key_put(&w, S("b"));
    json_put_null(&w);
    json_end(&w);
}

static void key_in_array(void)
{
    json_array(&w);
    json_member_null(&w, "a");
    json_end(&w);
}

static void key_at_root(void)
{
    json_member_null(&w, "a");
}

static void end_too_often(void)
{
    json_array(&w);
    json_end(&w);
    json_end(&w);
}

static void not_closed(void)
{
    json_array(&w);
}

static void two_roots(void)
{
    json_put_null(&w);
    json_put_null(&w);
}

static void too_deep(void)
{
    for (int i = 0; i <= JSON_WRITE_DEPTH_MAX; i++) {
        json_array(&w);
    }
    for (int i = 0; i <= JSON_WRITE_DEPTH_MAX; i++) {
        json_end(&w);
    }
}

static void test_json_write_notices_wrong_nesting(void **state)
{
    (void)state;
    void (*wrong[])(void) = {
        value_without_key, key_without_value, two_keys,  key_in_array, key_at_root,
        end_too_often,     not_closed,        two_roots, too_deep,
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        start(sizeof(memory));
        wrong[i]();
        assert_false(json_write_ok(&w));
    }
    start(sizeof(memory));
    for (int i = 0; i < JSON_WRITE_DEPTH_MAX; i++) {
        json_array(&w);
    }
    for (int i = 0; i < JSON_WRITE_DEPTH_MAX; i++) {
        json_end(&w);
    }
    assert_true(json_write_ok(&w));
}

static void test_json_write_is_not_ok_when_full(void **state)
{
    (void)state;
    for (size_t bytes_max = 0; bytes_max < 9; bytes_max++) {
        start(bytes_max);
        json_array(&w);
        json_put_text(&w, S("abcd"));
        json_end(&w);
        assert_int_equal(json_write_ok(&w), bytes_max >= strlen("[\"abcd\"]"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_write_all_kinds),
        cmocka_unit_test(test_json_write_escapes),
        cmocka_unit_test(test_json_write_notices_wrong_nesting),
        cmocka_unit_test(test_json_write_is_not_ok_when_full),
    };
    return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
