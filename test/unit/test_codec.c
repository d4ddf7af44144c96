/* see codec.h */
#include "unit.h"

#include "base/codec.h"
#include "base/prng.h"

static char memory[4096];

static struct buf fresh(void)
{
    struct buf buf;
    buf_init(&buf, memory, sizeof(memory));
    return buf;
}

/* RFC 4648 section 10, and what else is accepted or not. */
static void test_codec_base64(void **state)
{
    (void)state;
    const struct {
        const char *plain, *coded;
    } cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfd", "//79"},
        {"\xfb\xef\xbe", "++++"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf buf = fresh();
        codec_put_base64(&buf, cases[i].plain, strlen(cases[i].plain));
        assert_text(buf_str(&buf), cases[i].coded);
        buf = fresh();
        assert_int_equal(codec_get_base64(&buf, str_of(cases[i].coded)), ERR_OK);
        assert_text(buf_str(&buf), cases[i].plain);
        /* without padding */
        str bare = str_of(cases[i].coded);
        while (str_ends(bare, S("="))) {
            bare.bytes--;
        }
        buf = fresh();
        assert_int_equal(codec_get_base64(&buf, bare), ERR_OK);
        assert_text(buf_str(&buf), cases[i].plain);
    }
    struct buf buf = fresh();
    assert_int_equal(codec_get_base64(&buf, S("Zm9v\r\nYmFy\n")), ERR_OK);
    assert_text(buf_str(&buf), "foobar");
    const char *bad[] = {"Z",        "Zm9vZ", "Zg=",  "Zg===", "Z===",  "=",
                         "Zg==Zg==", "Zm 9v", "Zm9_", "Zm9v=", "Zm8=v", "Zm9{"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        buf = fresh();
        buf_put(&buf, S("kept"));
        assert_int_equal(codec_get_base64(&buf, str_of(bad[i])), ERR_BAD_INPUT);
        assert_text(buf_str(&buf), "kept");
    }
    buf_init(&buf, memory, 5);
    assert_int_equal(codec_get_base64(&buf, S("Zm9vYmFy")), ERR_FULL);
    assert_int_equal(buf.bytes, 0);
}

static void test_codec_base64_round_trip(void **state)
{
    (void)state;
    struct prng prng;
    char data[100], coded_memory[200];
    prng_seed(&prng, 1);
    for (size_t bytes = 0; bytes < sizeof(data); bytes++) {
        for (size_t i = 0; i < bytes; i++) {
            data[i] = (char)prng_u64(&prng);
        }
        struct buf coded, plain = fresh();
        buf_init(&coded, coded_memory, sizeof(coded_memory));
        codec_put_base64(&coded, data, bytes);
        assert_int_equal(codec_get_base64(&plain, buf_str(&coded)), ERR_OK);
        assert_true(str_eq(buf_str(&plain), str_make(data, bytes)));
    }
}

static void test_codec_hex(void **state)
{
    (void)state;
    struct buf buf = fresh();
    codec_put_hex(&buf, "\x00\x7f\xff", 3);
    assert_text(buf_str(&buf), "007fff");
}

static void test_codec_percent(void **state)
{
    (void)state;
    struct buf buf = fresh();
    codec_put_percent(&buf, S("aZ09-_.~ +*/:=&%\xC3\xA4"));
    assert_text(buf_str(&buf), "aZ09-_.~%20%2B%2A%2F%3A%3D%26%25%C3%A4");
    const struct {
        const char *coded, *plain;
        bool plus_is_space;
        enum err err;
    } cases[] = {
        {"a%20b", "a b", false, ERR_OK},   {"a+b", "a+b", false, ERR_OK},
        {"a+b", "a b", true, ERR_OK},      {"%c3%A4", "\xC3\xA4", false, ERR_OK},
        {"", "", false, ERR_OK},           {"%", "", false, ERR_BAD_INPUT},
        {"%2", "", false, ERR_BAD_INPUT},  {"%2g", "", false, ERR_BAD_INPUT},
        {"%g2", "", false, ERR_BAD_INPUT}, {"ok%", "", false, ERR_BAD_INPUT},
        {"%2/", "", false, ERR_BAD_INPUT}, {"%G2", "", false, ERR_BAD_INPUT},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf = fresh();
        assert_int_equal(codec_get_percent(&buf, str_of(cases[i].coded), cases[i].plus_is_space),
                         cases[i].err);
        assert_text(buf_str(&buf), cases[i].plain);
    }
    buf_init(&buf, memory, 1);
    assert_int_equal(codec_get_percent(&buf, S("ab"), false), ERR_FULL);
}

/* Every code point round trips; everything next to the borders of RFC 3629's table is refused. */
static void test_codec_utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; code_point++) {
        char text[4];
        bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
        size_t bytes = codec_utf8_encode(text, code_point);
        if (codec_utf8_char(str_make(text, bytes)) != bytes) {
            fail_msg("U+%04X", (unsigned)code_point);
        }
        if (is_surrogate && memcmp(text, "\xEF\xBF\xBD", 3) != 0) {
            fail_msg("surrogate U+%04X", (unsigned)code_point);
        }
    }
    const char *bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2\x7F",
        "\xC2\xC0",
        "\xE0\x9F\xBF",
        "\xE0\xA0",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xEF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF0\x90\x80",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xE1\x80\x7F",
        "\xF1\x80\x80\xC0",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(codec_utf8_char(str_of(bad[i])), 0);
        assert_false(codec_is_utf8(str_of(bad[i])));
    }
    assert_true(codec_is_utf8(STR_NONE));
    assert_true(codec_is_utf8(S("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")));
    assert_int_equal(codec_utf8_char(STR_NONE), 0);
}

static void test_codec_utf8_prefix(void **state)
{
    (void)state;
    str text = S("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z"); /* characters of 1, 2, 3, 4, 1 bytes */
    const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t bytes_max = 0; bytes_max < COUNT_OF(expected); bytes_max++) {
        assert_int_equal(codec_utf8_prefix(text, bytes_max).bytes, expected[bytes_max]);
    }
    assert_int_equal(codec_utf8_prefix(S("\x80\x80\x80\x80\x80\x80"), 5).bytes, 5); /* no text */
}

static void test_codec_time_writes_and_reads(void **state)
{
    (void)state;
    const struct {
        int64_t unix_s;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},          {951782400, "2000-02-29T00:00:00Z"},
        {1136214245, "2006-01-02T15:04:05Z"}, {1709251199, "2024-02-29T23:59:59Z"},
        {4107542400, "2100-03-01T00:00:00Z"}, {253402300799, "9999-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf buf = fresh();
        int64_t unix_s = -1;
        codec_put_time(&buf, cases[i].unix_s);
        assert_text(buf_str(&buf), cases[i].text);
        assert_true(codec_get_time(str_of(cases[i].text), &unix_s));
        assert_true(unix_s == cases[i].unix_s);
    }
    for (int64_t day = 0; day < 40000; day++) { /* every day until 2079 */
        struct buf buf = fresh();
        int64_t unix_s = -1;
        codec_put_time(&buf, day * 86400 + day);
        assert_true(codec_get_time(buf_str(&buf), &unix_s));
        assert_true(unix_s == day * 86400 + day);
    }
    struct buf buf = fresh();
    codec_put_time(&buf, -5);
    codec_put_time(&buf, INT64_MAX);
    assert_text(buf_str(&buf), "1970-01-01T00:00:00Z9999-12-31T23:59:59Z");
    buf = fresh();
    codec_put_micro_time(&buf, 1136214245006);
    assert_text(buf_str(&buf), "2006-01-02T15:04:05.006000Z");
}

static void test_codec_time_other_forms(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t unix_s; /* -1: not a time */
    } cases[] = {
        {"2006-01-02T15:04:05.999999999Z", 1136214245},
        {"2006-01-02t15:04:05z", 1136214245},
        {"2006-01-02T22:04:05+07:00", 1136214245},
        {"2006-01-02T08:04:05-07:00", 1136214245},
        {"2006-01-02T15:04:60Z", 1136214300},
        {"2006-01-02T15:04:05", -1},
        {"2006-01-02 15:04:05Z", -1},
        {"2006-1-2T15:04:05Z", -1},
        {"2006-01-02T15:04:05.Z", -1},
        {"2006-01-02T15:04:05Zx", -1},
        {"2006-13-02T15:04:05Z", -1},
        {"2006-00-02T15:04:05Z", -1},
        {"2006-02-30T15:04:05Z", -1},
        {"2100-02-29T15:04:05Z", -1},
        {"2006-01-02T24:04:05Z", -1},
        {"2006-01-02T15:60:05Z", -1},
        {"2006-01-02T15:04:61Z", -1},
        {"2006-01-02T15:04:05+24:00", -1},
        {"2006-01-02T15:04:05+0700", -1},
        {"1969-12-31T23:59:59Z", -1},
        {"0001-01-01T00:00:00Z", -1},
        {"9999-12-31T23:59:59-01:00", -1},
        {"20x6-01-02T15:04:05Z", -1},
        {"", -1},
        {"2006", -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t unix_s = -1;
        bool is_time = codec_get_time(str_of(cases[i].text), &unix_s);
        if (is_time != (cases[i].unix_s >= 0) || unix_s != cases[i].unix_s) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void test_codec_http_date(void **state)
{
    (void)state;
    int64_t unix_s = -1;
    assert_true(codec_get_http_date(S("Sun, 06 Nov 1994 08:49:37 GMT"), &unix_s));
    assert_true(unix_s == 784111777);
    assert_true(codec_get_http_date(S("Thu, 29 Feb 2024 00:00:00 GMT"), &unix_s));
    const char *bad[] = {
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 UTC",  "Sun, 31 Feb 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",  "Sun, 06 Xxx 1994 08:49:37 GMT",
        "unM, 06 Nov 1994 08:49:37 GMT",  "Sun, 06 anF 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",   "",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Su",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(codec_get_http_date(str_of(bad[i]), &unix_s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec_base64),
        cmocka_unit_test(test_codec_base64_round_trip),
        cmocka_unit_test(test_codec_hex),
        cmocka_unit_test(test_codec_percent),
        cmocka_unit_test(test_codec_utf8_every_code_point),
        cmocka_unit_test(test_codec_utf8_prefix),
        cmocka_unit_test(test_codec_time_writes_and_reads),
        cmocka_unit_test(test_codec_time_other_forms),
        cmocka_unit_test(test_codec_http_date),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
