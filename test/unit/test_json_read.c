/* see json_read.h */
#include "unit.h"

#include "base/prng.h"
#include "data/json_read.h"
#include "data/json_write.h"

static _Alignas(16) char memory[8 << 20];

static struct arena fresh_arena(void)
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    return arena;
}

static struct arena doc_arena;

/* Parses into doc_arena, which the next call clears. */
static json parse(const char *text)
{
    json root;
    doc_arena = fresh_arena();
    if (json_parse(str_of(text), &doc_arena, &root, NULL) != ERR_OK) {
        fail_msg("not JSON: %s", text);
    }
    return root;
}

static const char *const samples[] = {
    "null",
    "-12.5e+3",
    "\"a\\u00e4\\ud83d\\ude00\\n\\\"\"",
    " [ ] ",
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"nginx-1\","
    "\"namespace\":\"web\",\"uid\":\"5e0d\","
    "\"labels\":{\"app\":\"nginx\"},\"annotations\":{}},\"spec\":{\"containers\":["
    "{\"name\":\"c\",\"image\":\"nginx:1.25\",\"args\":[\"-g\",\"daemon off;\"],\"ports\":["
    "{\"containerPort\":80}],\"tty\":false}],\"terminationGracePeriodSeconds\":30,"
    "\"nodeName\":null},\"status\":{\"phase\":\"Pending\"}}",
    "[[1,2,[3]],{\"a\":{\"b\":[true,false,null,\"\",0.1]}},\"\xC3\xA4\"]",
};

static void test_json_read_walks_a_pod(void **state)
{
    (void)state;
    json pod = parse(samples[4]);
    int64_t seconds = 0;
    bool tty = true;
    assert_int_equal(json_type(pod), JSON_TYPE_OBJECT);
    assert_int_equal(json_count(pod), 5);
    assert_true(json_text_is(json_get(pod, "kind"), "Pod"));
    assert_text(json_text(json_get(json_get(pod, "metadata"), "name"), &doc_arena), "nginx-1");
    json spec = json_get(pod, "spec");
    assert_true(json_i64(json_get(spec, "terminationGracePeriodSeconds"), &seconds));
    assert_int_equal(seconds, 30);
    assert_false(json_is_there(json_get(spec, "nodeName"))); /* null is not there */
    json container = json_first(json_get(spec, "containers"));
    assert_true(json_bool(json_get(container, "tty"), &tty));
    assert_false(tty);
    assert_false(json_is_there(json_next(container)));
    json args = json_get(container, "args");
    assert_int_equal(json_count(args), 2);
    assert_true(json_text_is(json_next(json_first(args)), "daemon off;"));
    assert_text(json_raw(args), "[\"-g\",\"daemon off;\"]");
    assert_text(json_raw(json_first(args)), "\"-g\"");
    assert_text(json_raw(json_get(json_get(pod, "metadata"), "annotations")), "{}");
    const char *keys[] = {"apiVersion", "kind", "metadata", "spec", "status"};
    size_t count = 0;
    for (json x = json_first(pod); json_is_there(x); x = json_next(x)) {
        assert_true(json_key_is(x, keys[count]));
        assert_text(json_key(x, &doc_arena), keys[count++]);
    }
    assert_int_equal(count, COUNT_OF(keys));
}

static void test_json_read_none_is_accepted_everywhere(void **state)
{
    (void)state;
    int64_t number = 7;
    double real = 7;
    bool flag = true;
    const json others[] = {JSON_NONE, parse("null")};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        json none = others[i];
        assert_true(json_is_null(none));
        assert_false(json_is_there(json_get(none, "a")));
        assert_false(json_is_there(json_get_nocase(none, "a")));
        assert_false(json_is_there(json_get(json_get(none, "a"), "b")));
        assert_false(json_is_there(json_first(none)));
        assert_false(json_is_there(json_next(none)));
        assert_int_equal(json_count(none), 0);
        assert_true(str_is_empty(json_text(none, &doc_arena)));
        assert_true(str_is_empty(json_key(none, &doc_arena)));
        assert_false(json_key_is(none, ""));
        assert_false(json_text_is(none, ""));
        assert_false(json_i64(none, &number));
        assert_false(json_double(none, &real));
        assert_false(json_bool(none, &flag));
        assert_int_equal(json_i64_or(none, 5), 5);
        assert_true(json_bool_or(none, true));
        assert_false(json_bool_or(none, false));
    }
    assert_true(number == 7 && flag);
    assert_int_equal(json_type(JSON_NONE), JSON_TYPE_NONE);
    assert_text(json_raw(JSON_NONE), "");
}

static const struct {
    const char *text;
    const char *what;
    uint32_t line, column;
} malformed[] = {
    {"", "text ends too early", 1, 1},
    {" \n ", "text ends too early", 2, 2},
    {"{\"a\":1,}", "trailing comma", 1, 8},
    {"[1,]", "trailing comma", 1, 4},
    {"[,1]", "value expected", 1, 2},
    {"[1,,2]", "value expected", 1, 4},
    {"{,}", "key expected", 1, 2},
    {"[1 2]", "comma or ] expected", 1, 4},
    {"{\"a\":1 \"b\":2}", "comma or } expected", 1, 8},
    {"{\"a\" 1}", "colon expected", 1, 6},
    {"{\"a\"}", "colon expected", 1, 5},
    {"{\"a\":}", "value expected", 1, 6},
    {"{\"a\":1:2}", "comma or } expected", 1, 7},
    {"{\"a\":1,\n  b:2}", "key expected", 2, 3},
    {"{1:2}", "key expected", 1, 2},
    {"{\"a\":1", "text ends too early", 1, 7},
    {"[1", "text ends too early", 1, 3},
    {"[1}", "comma or ] expected", 1, 3},
    {"{\"a\":1]", "comma or } expected", 1, 7},
    {"]", "value expected", 1, 1},
    {"[true", "text ends too early", 1, 6},
    {"[truex]", "comma or ] expected", 1, 6},
    {"[tru]", "unknown word", 1, 2},
    {"[nul", "unknown word", 1, 2},
    {"[True]", "value expected", 1, 2},
    {"[NaN]", "value expected", 1, 2},
    {"[Infinity]", "value expected", 1, 2},
    {"[01]", "number with a leading zero", 1, 2},
    {"[-01]", "number with a leading zero", 1, 3},
    {"[-]", "invalid number", 1, 3},
    {"[+1]", "value expected", 1, 2},
    {"[.5]", "value expected", 1, 2},
    {"[1.]", "invalid number", 1, 4},
    {"[1.e5]", "invalid number", 1, 4},
    {"[1e]", "invalid number", 1, 4},
    {"[1e+]", "invalid number", 1, 5},
    {"[0x10]", "comma or ] expected", 1, 3},
    {"[1a]", "comma or ] expected", 1, 3},
    {"[\"a]", "string without end", 1, 5},
    {"[\"a\nb\"]", "control character in a string", 1, 4},
    {"[\"\t\"]", "control character in a string", 1, 3},
    {"[\"\x1f\"]", "control character in a string", 1, 3},
    {"[\"\\x41\"]", "invalid escape", 1, 4},
    {"[\"\\", "invalid escape", 1, 4},
    {"[\"\\u12g4\"]", "invalid \\u escape", 1, 7},
    {"[\"\\u123", "invalid \\u escape", 1, 8},
    {"['a']", "value expected", 1, 2},
    {"[\"\xff\"]", "invalid UTF-8", 1, 3},
    {"[\"\xC0\x80\"]", "invalid UTF-8", 1, 3},
    {"[\"\xED\xA0\x80\"]", "invalid UTF-8", 1, 3},
    {"[\"\xC3", "invalid UTF-8", 1, 3},
    {"1 2", "more text after the end", 1, 3},
    {"{}{}", "more text after the end", 1, 3},
    {"[1],", "more text after the end", 1, 4},
    {"[1]//x", "more text after the end", 1, 4},
    {"[1/*x*/]", "comma or ] expected", 1, 3},
    {"\xEF\xBB\xBF[]", "value expected", 1, 1}, /* byte order mark */
    {"\v[]", "value expected", 1, 1},
    {"[]\f", "more text after the end", 1, 3},
    {"{\"a\":1,\"b\":2,\"a\":3}", "duplicate key", 1, 14},
    {"[{\"a\":{\"b\":1,\n\"b\":2}}]", "duplicate key", 2, 1},
    {"{\"\":1,\"\":2}", "duplicate key", 1, 7},
};

static void test_json_read_refuses_what_is_not_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(malformed); i++) {
        struct arena arena = fresh_arena();
        struct json_fault fault = {0};
        json root = {NULL, 77};
        enum err err = json_parse(str_of(malformed[i].text), &arena, &root, &fault);
        if (err != ERR_BAD_INPUT || json_is_there(root) || arena.used != 0 ||
            strcmp(fault.what, malformed[i].what) != 0 || fault.line != malformed[i].line ||
            fault.column != malformed[i].column) {
            fail_msg("%s: %s %s %u:%u", malformed[i].text, err_name(err), fault.what,
                     (unsigned)fault.line, (unsigned)fault.column);
        }
        assert_int_equal(json_parse(str_of(malformed[i].text), &arena, &root, NULL), ERR_BAD_INPUT);
    }
    struct arena arena = fresh_arena();
    json root;
    assert_int_equal(json_parse(str_make("[\"\0\"]", 5), &arena, &root, NULL), ERR_BAD_INPUT);
    assert_int_equal(json_parse(str_make("[]\0", 3), &arena, &root, NULL), ERR_BAD_INPUT);
    assert_int_equal(json_parse(STR_NONE, &arena, &root, NULL), ERR_BAD_INPUT);
    assert_int_equal(json_parse(str_make("x", INT32_MAX), &arena, &root, NULL), ERR_TOO_BIG);
}

static void test_json_read_accepts_what_is_json(void **state)
{
    (void)state;
    const char *good[] = {
        "0",
        "-0",
        "1",
        "-1.5",
        "1e5",
        "1E-5",
        "0.0",
        "123456789012345678901234567890",
        "true",
        "false",
        "null",
        "\"\"",
        "[]",
        "{}",
        " \t\r\n[ 1 , 2 ] \n",
        "{ \"a\" : { } }",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\x7f\"",
        "\"\xE2\x80\xA8\"",
        "{\"a\":1,\"A\":2,\"\\u0061\":3}", /* keys differ byte by byte */
        "[[],[[]],{}]",
        "[0,0.1,-0.1e10]",
        "[\"a\",\"a\"]",
        "{\"a\":{\"a\":{\"a\":1}}}",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        json root = parse(good[i]);
        assert_true(json_is_there(root));
        assert_true(str_eq(json_raw(root), str_trim(str_of(good[i]))));
    }
}

static void test_json_read_depth(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1)];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct arena arena = fresh_arena();
        struct json_fault fault;
        json root;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        enum err err = json_parse(str_make(text, 2 * depth), &arena, &root, &fault);
        assert_int_equal(err, depth <= JSON_DEPTH_MAX ? ERR_OK : ERR_BAD_INPUT);
        assert_true(err == ERR_OK || strcmp(fault.what, "nested too deeply") == 0);
    }
}

static void test_json_read_decodes_escapes(void **state)
{
    (void)state;
    const struct {
        const char *text, *decoded;
    } cases[] = {
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e4\\u20AC\"", "A\xC3\xA4\xE2\x82\xAC"},
        {"\"\\ud83d\\ude00x\"", "\xF0\x9F\x98\x80x"},
        {"\"\\uD83D\"", "\xEF\xBF\xBD"},
        {"\"\\ude00\"", "\xEF\xBF\xBD"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
        {"\"\\ud83d\\n\"", "\xEF\xBF\xBD\n"},
        {"\"\\ud83dx\"", "\xEF\xBF\xBDx"},
        {"\"a\\nb\"", "a\nb"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json value = parse(cases[i].text);
        assert_text(json_text(value, &doc_arena), cases[i].decoded);
        assert_true(json_text_is(value, cases[i].decoded));
        assert_false(json_text_is(value, ""));
        assert_false(json_text_is(value, "plainer"));
    }
    json object = parse("{\"a\\u0062\":1,\"\\n\":2}");
    assert_int_equal(json_i64_or(json_get(object, "ab"), 0), 1);
    assert_int_equal(json_i64_or(json_get(object, "\n"), 0), 2);
    assert_text(json_key(json_first(object), &doc_arena), "ab");
    assert_true(json_key_is(json_first(object), "ab"));
    assert_false(json_key_is(json_first(object), "a"));
    assert_false(json_key_is(json_first(object), "abc"));
    assert_int_equal(json_text(parse("\"a\\u0000b\""), &doc_arena).bytes, 3);
}

static void test_json_read_text_is_borrowed_unless_escaped(void **state)
{
    (void)state;
    const char *text = "[\"plain\",\"esc\\n\"]";
    json array = parse(text);
    size_t used = doc_arena.used;
    str plain = json_text(json_first(array), &doc_arena);
    assert_ptr_equal(plain.ptr, text + 2);
    assert_int_equal(doc_arena.used, used);
    struct arena small;
    char small_memory[4];
    arena_init(&small, small_memory, sizeof(small_memory));
    assert_null(json_text(json_next(json_first(array)), &small).ptr);
    assert_true(small.has_failed);
}

static void test_json_read_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_i64;
        int64_t i64;
        bool is_double;
        double real;
    } cases[] = {
        {"0", true, 0, true, 0},
        {"-0", true, 0, true, 0},
        {"42", true, 42, true, 42},
        {"-42", true, -42, true, -42},
        {"1e3", true, 1000, true, 1000},
        {"1.5e1", true, 15, true, 15},
        {"1.000", true, 1, true, 1},
        {"100e-2", true, 1, true, 1},
        {"1000000000000000000000e-20", true, 10, true, 10},
        {"0.000e99", true, 0, true, 0},
        {"0e999999999999", true, 0, true, 0},
        {"1.5", false, 0, true, 1.5},
        {"1e-1", false, 0, true, 0.1},
        {"101e-2", false, 0, true, 1.01},
        {"9223372036854775807", true, INT64_MAX, true, 9223372036854775807.0},
        {"9223372036854775808", false, 0, true, 9223372036854775808.0},
        {"-9223372036854775808", true, INT64_MIN, true, -9223372036854775808.0},
        {"-9223372036854775809", false, 0, true, -9223372036854775808.0},
        {"922337203685477580.7e1", true, INT64_MAX, true, 9223372036854775807.0},
        {"1e19", false, 0, true, 1e19},
        {"1e400", false, 0, false, 0},
        {"1e999999999999999999999", false, 0, false, 0},
        {"1e-999999999999999999999", false, 0, true, 0},
        {"1e1000001", false, 0, false, 0},
        {"1e-1000001", false, 0, true, 0},
        {"0.000000000000000000000e-1000001", true, 0, true, 0},
        {"10000000000000000000000000000001", false, 0, true, 10000000000000000000000000000001.0},
        {"123456789012345678901234567890", false, 0, true, 123456789012345678901234567890.0},
        {"\"42\"", false, 0, false, 0},
        {"true", false, 0, false, 0},
        {"[1]", false, 0, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json value = parse(cases[i].text);
        int64_t i64 = 4711;
        double real = 4711;
        bool is_i64 = json_i64(value, &i64);
        bool is_double = json_double(value, &real);
        double off = real - (cases[i].is_double ? cases[i].real : 4711);
        if (is_i64 != cases[i].is_i64 || i64 != (is_i64 ? cases[i].i64 : 4711) ||
            is_double != cases[i].is_double || off > 1e-9 || off < -1e-9) {
            fail_msg("%s: %d %lld %d %g", cases[i].text, is_i64, (long long)i64, is_double, real);
        }
    }
    static char digits[1024];
    memset(digits, '1', sizeof(digits) - 1);
    int64_t i64;
    double real;
    assert_false(json_i64(parse(digits), &i64));
    assert_false(json_double(parse(digits), &real));
}

static void test_json_read_get_nocase(void **state)
{
    (void)state;
    json object = parse("{\"STARTTIME\":1,\"startTime\":2,\"Name\":3,\"none\":null,\"NONE\":4,"
                        "\"\\u0041x\":5}");
    assert_int_equal(json_i64_or(json_get_nocase(object, "startTime"), 0), 2); /* exact wins */
    assert_int_equal(json_i64_or(json_get_nocase(object, "StartTime"), 0), 1); /* else the first */
    assert_int_equal(json_i64_or(json_get_nocase(object, "name"), 0), 3);
    assert_int_equal(json_i64_or(json_get_nocase(object, "aX"), 0), 5);
    assert_false(json_is_there(json_get_nocase(object, "none")));
    assert_false(json_is_there(json_get_nocase(object, "other")));
}

/* Objects on both sides of the size at which the search for duplicates changes. */
static void test_json_read_duplicates_in_objects_of_all_sizes(void **state)
{
    (void)state;
    static char text[200000];
    const uint32_t sizes[] = {2, 3, 15, 16, 17, 18, 64, 65, 1000, 9000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (uint32_t twice = 0; twice <= sizes[i]; twice += 1 + sizes[i] / 3) {
            struct buf buf;
            struct arena arena = fresh_arena();
            json root;
            buf_init(&buf, text, sizeof(text));
            for (uint32_t n = 0; n < sizes[i]; n++) {
                /* The last key repeats number `twice`, or none. */
                uint32_t key = n == sizes[i] - 1 && twice < n ? twice : n;
                buf_put_fmt(&buf, "%s\"key-%u\":%u", n == 0 ? "{" : ",", key, n);
            }
            buf_put_char(&buf, '}');
            assert_true(buf_ok(&buf));
            bool is_good = twice >= sizes[i] - 1;
            assert_int_equal(json_parse(buf_str(&buf), &arena, &root, NULL),
                             is_good ? ERR_OK : ERR_BAD_INPUT);
            assert_true(!is_good || json_count(root) == sizes[i]);
        }
    }
}

/* Quadratic behaviour anywhere would take minutes here. */
static void test_json_read_time_is_linear(void **state)
{
    (void)state;
    static char text[1 << 20];
    static const char *const shapes[][3] = {
        {"[", "[0],", "[0]]"},
        {"[", "\"a\",", "\"a\"]"},
        {"[", "{\"a\":{}},", "0]"},
    };
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct buf buf;
        struct arena arena = fresh_arena();
        json root;
        uint32_t count = 1;
        buf_init(&buf, text, sizeof(text) / 8);
        buf_put_text(&buf, shapes[i][0]);
        while (buf.bytes + 32 < buf.bytes_max) {
            buf_put_text(&buf, shapes[i][1]);
            count++;
        }
        buf_put_text(&buf, shapes[i][2]);
        assert_int_equal(json_parse(buf_str(&buf), &arena, &root, NULL), ERR_OK);
        assert_int_equal(json_count(root), count);
        for (json x = json_first(root); json_is_there(x); x = json_next(x)) {
            count--;
        }
        assert_int_equal(count, 0);
    }
}

static void test_json_read_arena_too_small(void **state)
{
    (void)state;
    str text = str_of(samples[4]);
    struct arena arena = fresh_arena();
    json root;
    assert_int_equal(json_parse(text, &arena, &root, NULL), ERR_OK);
    size_t needed = arena.used;
    for (size_t bytes = 0; bytes < needed; bytes += 7) {
        arena_init(&arena, memory, bytes);
        assert_int_equal(json_parse(text, &arena, &root, NULL), ERR_FULL);
        assert_false(json_is_there(root));
        assert_true(arena.has_failed);
        assert_int_equal(arena.used, 0);
    }
    arena_init(&arena, memory, needed);
    assert_int_equal(json_parse(text, &arena, &root, NULL), ERR_OK);
}

static void test_json_read_nth_take_fails(void **state)
{
    (void)state;
    static char text[4096];
    struct buf buf;
    buf_init(&buf, text, sizeof(text));
    for (int i = 0; i < 100; i++) { /* large enough for the table of keys */
        buf_put_fmt(&buf, "%s\"k%d\":%d", i == 0 ? "{" : ",", i, i);
    }
    buf_put_char(&buf, '}');
    enum err err = ERR_FULL;
    uint64_t nth = 0;
    while (err == ERR_FULL) {
        struct arena arena = fresh_arena();
        json root;
        arena_fail_at(++nth);
        err = json_parse(buf_str(&buf), &arena, &root, NULL);
        arena_fail_at(0);
        assert_int_equal(arena.has_failed, err == ERR_FULL);
    }
    assert_int_equal(err, ERR_OK);
    assert_int_equal(nth, 4); /* the document, its tokens and the table failed in turn */
}

/* Visits everything, as far as the type allows. */
static void visit(json value, struct arena *arena)
{
    int64_t i64;
    double real;
    (void)json_raw(value);
    (void)json_text(value, arena);
    (void)json_key(value, arena);
    (void)json_i64(value, &i64);
    (void)json_double(value, &real);
    (void)json_get(value, "name");
    (void)json_get_nocase(value, "name");
    for (json x = json_first(value); json_is_there(x); x = json_next(x)) {
        visit(x, arena);
    }
}

static void test_json_read_cut_and_changed_samples_never_crash(void **state)
{
    (void)state;
    static char copy[1024];
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        str whole = str_of(samples[i]);
        struct arena arena = fresh_arena();
        json root;
        bool may_be_cut =
            strchr("0123456789- ", whole.ptr[0]) != NULL || whole.ptr[whole.bytes - 1] == ' ';
        for (size_t bytes = 0; bytes <= whole.bytes; bytes++) {
            arena_clear(&arena);
            char *exact = copy + sizeof(copy) - bytes; /* nothing behind it to read by mistake */
            memcpy(exact, whole.ptr, bytes);
            enum err err = json_parse(str_make(exact, bytes), &arena, &root, NULL);
            assert_true(err == (bytes == whole.bytes ? ERR_OK : ERR_BAD_INPUT) || may_be_cut);
        }
        memcpy(copy, whole.ptr, whole.bytes);
        for (size_t at = 0; at < whole.bytes; at++) {
            for (uint32_t byte = 0; byte < 256; byte += 3) {
                arena_clear(&arena);
                copy[at] = (char)byte;
                if (json_parse(str_make(copy, whole.bytes), &arena, &root, NULL) == ERR_OK) {
                    visit(root, &arena);
                }
            }
            copy[at] = whole.ptr[at];
        }
    }
}

/* ---- written, read, compared ----------------------------------------------------------------- */

/* Random values come from a stream of random numbers; the same stream tells what was written. */
static void write_random(struct json_write *w, struct prng *prng, uint32_t depth)
{
    char text[8];
    int64_t number;
    uint64_t kind = prng_below(prng, depth < 6 ? 7 : 5);
    switch (kind) {
    case 0:
        json_put_null(w);
        break;
    case 1:
        json_put_bool(w, prng_chance(prng, 1, 2));
        break;
    case 2:
        number = (int64_t)prng_u64(prng);
        json_put_i64(w, number >> prng_below(prng, 64));
        break;
    case 3:
    case 4:
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = (char)prng_below(prng, 128);
        }
        json_put_text(w, str_make(text, prng_below(prng, sizeof(text) + 1)));
        break;
    default: {
        uint64_t count = prng_below(prng, depth == 0 ? 40 : 5);
        if (kind == 5) {
            json_array(w);
        } else {
            json_object(w);
        }
        for (uint64_t i = 0; i < count; i++) {
            if (kind == 6) {
                (void)snprintf(text, sizeof(text), "k\n%u", (unsigned)i);
                json_key_put(w, str_of(text));
            }
            write_random(w, prng, depth + 1);
        }
        json_end(w);
        break;
    }
    }
}

static void compare_random(json value, struct prng *prng, uint32_t depth, struct arena *arena)
{
    char text[8];
    int64_t number, expected;
    bool flag;
    uint64_t kind = prng_below(prng, depth < 6 ? 7 : 5);
    switch (kind) {
    case 0:
        assert_int_equal(json_type(value), JSON_TYPE_NULL);
        break;
    case 1:
        assert_true(json_bool(value, &flag));
        assert_int_equal(flag, prng_chance(prng, 1, 2));
        break;
    case 2:
        expected = (int64_t)prng_u64(prng);
        assert_true(json_i64(value, &number));
        assert_true(number == expected >> prng_below(prng, 64));
        break;
    case 3:
    case 4:
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = (char)prng_below(prng, 128);
        }
        assert_int_equal(json_type(value), JSON_TYPE_STRING);
        assert_true(
            str_eq(json_text(value, arena), str_make(text, prng_below(prng, sizeof(text) + 1))));
        break;
    default: {
        uint64_t count = prng_below(prng, depth == 0 ? 40 : 5);
        assert_int_equal(json_type(value), kind == 5 ? JSON_TYPE_ARRAY : JSON_TYPE_OBJECT);
        assert_int_equal(json_count(value), count);
        json x = json_first(value);
        for (uint64_t i = 0; i < count; i++, x = json_next(x)) {
            if (kind == 6) {
                (void)snprintf(text, sizeof(text), "k\n%u", (unsigned)i);
                assert_true(json_key_is(x, text));
                json same = json_get(value, text);
                assert_true(json_is_null(x) || same.at == x.at);
            } else {
                assert_true(str_is_empty(json_key(x, arena)));
            }
            compare_random(x, prng, depth + 1, arena);
        }
        assert_false(json_is_there(x));
        break;
    }
    }
}

static void test_json_read_reads_what_was_written(void **state)
{
    (void)state;
    static char text[1 << 20];
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct prng prng;
        struct buf buf;
        struct json_write w;
        struct arena arena = fresh_arena();
        json root;
        buf_init(&buf, text, sizeof(text));
        json_write_init(&w, &buf);
        prng_seed(&prng, seed);
        write_random(&w, &prng, 0);
        assert_true(json_write_ok(&w));
        assert_int_equal(json_parse(buf_str(&buf), &arena, &root, NULL), ERR_OK);
        prng_seed(&prng, seed);
        compare_random(root, &prng, 0, &arena);
        assert_false(arena.has_failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_read_walks_a_pod),
        cmocka_unit_test(test_json_read_none_is_accepted_everywhere),
        cmocka_unit_test(test_json_read_refuses_what_is_not_json),
        cmocka_unit_test(test_json_read_accepts_what_is_json),
        cmocka_unit_test(test_json_read_depth),
        cmocka_unit_test(test_json_read_decodes_escapes),
        cmocka_unit_test(test_json_read_text_is_borrowed_unless_escaped),
        cmocka_unit_test(test_json_read_numbers),
        cmocka_unit_test(test_json_read_get_nocase),
        cmocka_unit_test(test_json_read_duplicates_in_objects_of_all_sizes),
        cmocka_unit_test(test_json_read_time_is_linear),
        cmocka_unit_test(test_json_read_arena_too_small),
        cmocka_unit_test(test_json_read_nth_take_fails),
        cmocka_unit_test(test_json_read_cut_and_changed_samples_never_crash),
        cmocka_unit_test(test_json_read_reads_what_was_written),
    };
    return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
