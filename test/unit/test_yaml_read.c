/* see yaml_read.h */
#include "unit.h"

#include "data/json_read.h"
#include "data/yaml_read.h"

static char memory[1 << 20];

static enum err convert(const char *text, uint32_t index, struct buf *out, struct yaml_fault *fault)
{
    buf_init(out, memory, sizeof(memory));
    return yaml_to_json(str_of(text), index, out, NULL, fault);
}

static const struct {
    const char *yaml, *json;
} good[] = {
    {"a: 1", "{\"a\":1}"},
    {"- a\n- b: [1, {c: d}]\n-\n", "[\"a\",{\"b\":[1,{\"c\":\"d\"}]},null]"},
    {"plain text", "\"plain text\""},
    {"{\"a\": [1, true, null, \"x\\n\"]}", "{\"a\":[1,true,null,\"x\\n\"]}"},
    {"a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}"},
    {"# comment\na: 'it''s' # more\nb: \"\\u00e4\"\n", "{\"a\":\"it's\",\"b\":\"\xC3\xA4\"}"},
    {"['x''''y', '''''', 'x''y''z''']", "[\"x''y\",\"''\",\"x'y'z'\"]"}, /* patched in libfyaml */
    {"1: a\ntrue: b\nnull: c\n", "{\"1\":\"a\",\"true\":\"b\",\"null\":\"c\"}"},
    {"? a\n: b\n", "{\"a\":\"b\"}"},
    {"a: {}\nb: []\n", "{\"a\":{},\"b\":[]}"},
    {"[~, null, Null, NULL, '', nUll]", "[null,null,null,null,\"\",\"nUll\"]"},
    {"[true, True, TRUE, false, False, FALSE, tRue, yEs, oN, nO, offf]",
     "[true,true,true,false,false,false,\"tRue\",\"yEs\",\"oN\",\"nO\",\"offf\"]"},
    {"[y, Y, yes, Yes, YES, on, On, ON]", "[true,true,true,true,true,true,true,true]"},
    {"[n, N, no, No, NO, off, Off, OFF]", "[false,false,false,false,false,false,false,false]"},
    {"['yes', \"off\", !!str no]", "[\"yes\",\"off\",\"no\"]"},
    {"[0, 7, -7, +7, 12345678901234567890123]", "[0,7,-7,7,12345678901234567890123]"},
    {"[0644, 0o644, 0x1F, 0xg, 0o8, 089, 00, -0644, 0x]",
     "[420,420,31,\"0xg\",\"0o8\",89,0,-420,\"0x\"]"},
    {"[-00, +00, -0b0]", "[0,0,0]"},
    {"[0X1f, 0O17, 0b110, 0B1, 0b2, 0b, +0x10, -0b11, -0, +, +_]",
     "[31,15,6,1,\"0b2\",\"0b\",16,-3,-0,\"+\",\"+_\"]"},
    {"[1_000, 1_, 0_7, 0x_f, -1_0.5, 1_0e1_0, 2024_01_02, _1, 1_a, '1_0']",
     "[1000,1,7,15,-10.5,10e10,20240102,\"_1\",\"1_a\",\"1_0\"]"},
    {"{on: 1, No: 2, 0644: 3, 'y': 4, 1_0: 5, 0.50: 6, !!str n: 7, +7: 8, -0b11: 9, -5: x}",
     "{\"true\":1,\"false\":2,\"420\":3,\"y\":4,\"10\":5,\"0.50\":6,"
     "\"n\":7,\"7\":8,\"-3\":9,\"-5\":\"x\"}"},
    {"[0x7fffffffffffffff, 0xffffffffffffffff, 0x10000000000000000]",
     "[9223372036854775807,18446744073709551615,\"0x10000000000000000\"]"},
    {"[1.5, .5, 5., -.5e3, 1e3, 1E-3, +1.0, 1e, e3, ., +, 1.2.3]",
     "[1.5,0.5,5,-0.5e3,1e3,1e-3,1.0,\"1e\",\"e3\",\".\",\"+\",\"1.2.3\"]"},
    {"[.inf, -.inf, .nan, 1:30, 1_0:30]", "[\".inf\",\"-.inf\",\".nan\",\"1:30\",\"1_0:30\"]"},
    {"['1', \"true\", !!str 5, ! 6]", "[\"1\",\"true\",\"5\",\"6\"]"},
    {"!!map {a: !!int 5}", "{\"a\":5}"},
    {"2024-01-02", "\"2024-01-02\""},
    {"10.0.0.1", "\"10.0.0.1\""},
    {"a: &x 1\nb: *x\nc: *x\n", "{\"a\":1,\"b\":1,\"c\":1}"},
    {"a: &x {k: [1, 2]}\nb: [*x, *x]\n",
     "{\"a\":{\"k\":[1,2]},\"b\":[{\"k\":[1,2]},{\"k\":[1,2]}]}"},
    {"[&x a, &x b, *x]", "[\"a\",\"b\",\"b\"]"},
    {"a: &x [&y 1, *y]\nb: *x\n", "{\"a\":[1,1],\"b\":[1,1]}"},
    {"%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}"},
    {"---\n", "null"},
    {"a: b: c\n", NULL},
    {"'<<': 1\n", "{\"<<\":1}"},
};

static void test_yaml_read_converts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct buf out;
        struct yaml_fault fault = {0};
        enum err err = convert(good[i].yaml, 0, &out, &fault);
        if (good[i].json == NULL) {
            assert_int_equal(err, ERR_BAD_INPUT);
            continue;
        }
        if (err != ERR_OK || !str_eq(buf_str(&out), str_of(good[i].json))) {
            fail_msg("%s: %s %s %.*s", good[i].yaml, err_name(err), fault.what,
                     STR_ARG(buf_str(&out)));
        }
    }
}

/* More digits than anybody has a number for stay a text, all of them. */
static void test_yaml_read_endless_numbers_are_texts(void **state)
{
    (void)state;
    static const char *const signs[] = {"", "-"};
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        char digits[600], yaml[640], expected[640];
        struct buf out;
        memset(digits, '9', sizeof(digits));
        (void)snprintf(yaml, sizeof(yaml), "[%s%.*s]", signs[i], (int)sizeof(digits), digits);
        (void)snprintf(expected, sizeof(expected), "[\"%s%.*s\"]", signs[i], (int)sizeof(digits),
                       digits);
        assert_int_equal(convert(yaml, 0, &out, NULL), ERR_OK);
        assert_text(buf_str(&out), expected);
        yaml[2 + strlen(signs[i])] = expected[3 + strlen(signs[i])] = '_';
        assert_int_equal(convert(yaml, 0, &out, NULL), ERR_OK);
        assert_text(buf_str(&out), expected);
    }
}

static void test_yaml_read_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        uint32_t line, column; /* 0 = libfyaml's business */
        const char *what;      /* NULL = libfyaml's words */
    } bad[] = {
        {"a: 1\nb: [1, 2\nc: 3\n", 0, 0, NULL},
        {"a: \"b\n", 0, 0, NULL},
        {"a:\n\t- b\n", 0, 0, NULL},
        {"a: 1\n b: 2\n", 0, 0, NULL},
        {"a: 1\nb: \xff\n", 2, 4, "invalid UTF-8"},
        {"a: 1\n%YA\xffML 1.2\n", 2, 4, "invalid UTF-8"}, /* libfyaml would not come back */
        {"\xC3\xA4: \x01\n", 1, 4, "control character"},
        {"a: \x7f\n", 1, 4, "control character"},
        {"a: *nobody\n", 1, 5, "unknown alias"},
        {"a: 1\n[b]: 2\n", 2, 1, "a key must be a scalar"},
        {"{a: b}: 2\n", 1, 1, "a key must be a scalar"},
        {"x: &a b\n*a : 2\n", 2, 2, "an alias as a key is not supported"},
        {"&a b: 1\n", 0, 0, "an anchor at a key is not supported"},
        {"x: &a {b: 1}\ny:\n  <<: *a\n", 3, 3, "merge keys (<<) are not supported"},
        {"a: &x [1, *x]\n", 1, 12, "alias inside of its anchor"},
        {"- &aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b", 0, 0,
         "the name of an anchor is too long"},
        {"- &aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa [b]", 0, 0,
         "the name of an anchor is too long"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf out;
        struct yaml_fault fault = {0};
        enum err err = convert(bad[i].yaml, 0, &out, &fault);
        if (err != ERR_BAD_INPUT || out.bytes != 0 || fault.line == 0 || fault.column == 0 ||
            fault.what[0] == '\0' || (bad[i].line != 0 && bad[i].line != fault.line) ||
            (bad[i].column != 0 && bad[i].column != fault.column) ||
            (bad[i].what != NULL && strcmp(bad[i].what, fault.what) != 0)) {
            fail_msg("%s: %s %u:%u %s", bad[i].yaml, err_name(err), fault.line, fault.column,
                     fault.what);
        }
        assert_int_equal(convert(bad[i].yaml, 0, &out, NULL), ERR_BAD_INPUT);
    }
}

static void test_yaml_read_says_where(void **state)
{
    (void)state;
    struct buf out;
    struct yaml_fault fault = {0};
    assert_int_equal(convert("a: 1\nb: 2\nc: \"x\" y\n", 0, &out, &fault), ERR_BAD_INPUT);
    assert_int_equal(fault.line, 3);
}

static void test_yaml_read_documents(void **state)
{
    (void)state;
    static const char text[] = "# first\na: 1\n---\nb: 2\n---\n# third is empty\n---\n- d\n...\n";
    static const struct {
        const char *json;
        uint32_t first_line;
    } documents[] = {{"{\"a\":1}", 1}, {"{\"b\":2}", 3}, {"null", 5}, {"[\"d\"]", 7}};
    for (uint32_t i = 0; i < COUNT_OF(documents); i++) {
        struct buf out;
        uint32_t first_line = 0;
        buf_init(&out, memory, sizeof(memory));
        buf_put(&out, S("kept "));
        assert_int_equal(yaml_to_json(str_of(text), i, &out, &first_line, NULL), ERR_OK);
        assert_text(str_sub(buf_str(&out), 5, SIZE_MAX), documents[i].json);
        assert_int_equal(first_line, documents[i].first_line);
    }
    struct buf out;
    const char *none[] = {"", "\n\n", "# only a comment\n"};
    assert_int_equal(convert(text, COUNT_OF(documents), &out, NULL), ERR_END);
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        assert_int_equal(convert(none[i], 0, &out, NULL), ERR_END);
        assert_int_equal(out.bytes, 0);
    }
    assert_int_equal(yaml_to_json(STR_NONE, 0, &out, NULL, NULL), ERR_END);
}

/* The line of a member is that of its key, of an item that of the item. */
static void test_yaml_read_lines(void **state)
{
    static const char text[] = "first: 1\n---\na:\n  b: &x\n    c: 1\n"
                               "  d:\n  - 1\n  -\n    e: 2\n  - *x\nf: 'two\n  lines'\ng: 1\n";
    static const struct {
        const char *json;
        uint32_t line;
    } places[] = {{"{\"b\"", 3},      {"{\"c\":1},\"d\"", 4}, {"1},\"d\"", 5},
                  {"[1", 6},          {"1,{\"e\"", 7},        {"{\"e\"", 9},
                  {"{\"c\":1}]", 10}, {"\"two", 11},          {"1}", 13}};
    struct yaml_line items[32];
    struct yaml_lines lines = {.items = items, .count_max = 32};
    struct buf out;

    (void)state;
    buf_init(&out, memory, sizeof(memory));
    buf_put_text(&out, "before"); /* offsets are those of the memory */
    assert_int_equal(yaml_to_json_lines(str_of(text), 1, &out, &lines, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        ptrdiff_t at = i + 1 == sizeof(places) / sizeof(places[0])
                           ? (ptrdiff_t)out.bytes - 2
                           : str_find(buf_str(&out), str_of(places[i].json));
        assert_true(at > 0);
        assert_int_equal(yaml_line_at(&lines, (size_t)at), places[i].line);
    }
    assert_int_equal(yaml_line_at(&lines, 0), 1);
    lines.count_max = 2; /* what follows counts to the last that was noted */
    buf_clear(&out);
    assert_int_equal(yaml_to_json_lines(str_of(text), 1, &out, &lines, NULL), ERR_OK);
    assert_int_equal(lines.count, 2);
    assert_int_equal(yaml_line_at(&lines, out.bytes), 3);
}

static void test_yaml_read_limits(void **state)
{
    (void)state;
    static char text[YAML_BYTES_MAX + 1];
    struct buf out;
    struct yaml_fault fault;
    memset(text, ' ', sizeof(text));
    buf_init(&out, memory, sizeof(memory));
    assert_int_equal(yaml_to_json(str_make(text, sizeof(text)), 0, &out, NULL, NULL), ERR_TOO_BIG);
    /* depth */
    for (size_t depth = YAML_DEPTH_MAX; depth <= YAML_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        buf_clear(&out);
        enum err err = yaml_to_json(str_make(text, 2 * depth), 0, &out, NULL, &fault);
        assert_int_equal(err, depth <= YAML_DEPTH_MAX ? ERR_OK : ERR_BAD_INPUT);
    }
    assert_string_equal(fault.what, "nested too deeply");
    /* anchors */
    struct buf yaml;
    buf_init(&yaml, text, sizeof(text));
    for (int i = 0; i <= YAML_ANCHORS_MAX; i++) {
        buf_put_fmt(&yaml, "- &a%d x\n", i);
        buf_clear(&out);
        assert_int_equal(yaml_to_json(buf_str(&yaml), 0, &out, NULL, &fault),
                         i < YAML_ANCHORS_MAX ? ERR_OK : ERR_BAD_INPUT);
    }
    assert_string_equal(fault.what, "too many anchors");
    /* the alias bomb: each line is ten times the one before */
    buf_clear(&yaml);
    buf_put_text(&yaml, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        buf_put_fmt(&yaml, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                    i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    buf_clear(&out);
    assert_int_equal(yaml_to_json(buf_str(&yaml), 0, &out, NULL, &fault), ERR_BAD_INPUT);
    assert_string_equal(fault.what, "the aliases expand to too much");
}

static void test_yaml_read_full(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        size_t bytes = good[i].json != NULL ? strlen(good[i].json) : 0;
        for (size_t bytes_max = 0; bytes_max < bytes; bytes_max += 1 + bytes / 8) {
            struct buf out;
            buf_init(&out, memory, bytes_max);
            assert_int_equal(yaml_to_json(str_of(good[i].yaml), 0, &out, NULL, NULL), ERR_FULL);
            assert_int_equal(out.bytes, 0);
        }
    }
}

/* Whatever is cut off or changed: an error or a text that is JSON. */
static void test_yaml_read_cut_and_changed_samples(void **state)
{
    (void)state;
    static _Alignas(16) char arena_memory[65536];
    static char copy[256];
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        size_t whole = strlen(good[i].yaml);
        memcpy(copy, good[i].yaml, whole);
        for (size_t at = 0; at < whole; at += 2) {
            const char changes[] = {'\0', '\n', ':', '\'', '&', '*', '\xff'};
            for (size_t change = 0; change <= COUNT_OF(changes); change++) {
                struct buf out;
                struct arena arena;
                json root;
                bool is_cut = change == COUNT_OF(changes);
                copy[at] = is_cut ? copy[at] : changes[change];
                buf_init(&out, memory, sizeof(memory));
                arena_init(&arena, arena_memory, sizeof(arena_memory));
                if (yaml_to_json(str_make(copy, is_cut ? at : whole), 0, &out, NULL, NULL) ==
                    ERR_OK) {
                    struct json_fault fault = {0};
                    enum err err = json_parse(buf_str(&out), &arena, &root, &fault);
                    assert_true(err == ERR_OK || strcmp(fault.what, "duplicate key") == 0);
                }
                copy[at] = good[i].yaml[at];
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_read_converts),
        cmocka_unit_test(test_yaml_read_endless_numbers_are_texts),
        cmocka_unit_test(test_yaml_read_refuses),
        cmocka_unit_test(test_yaml_read_says_where),
        cmocka_unit_test(test_yaml_read_documents),
        cmocka_unit_test(test_yaml_read_lines),
        cmocka_unit_test(test_yaml_read_limits),
        cmocka_unit_test(test_yaml_read_full),
        cmocka_unit_test(test_yaml_read_cut_and_changed_samples),
    };
    return cmocka_run_group_tests_name("yaml_read", tests, NULL, NULL);
}
