/* The file's syntax: what is accepted means what a shell would make of it; the rest is refused. */
#include "unit/config_fixture.h"

#include "app/config_parse.h"
#include "base/prng.h"

/* ---- one line ---------------------------------------------------------------------------------
 */

struct line {
    const char *text;
    const char *key;   /* NULL: no setting in it */
    const char *value; /* NULL: refused */
    const char *fault; /* part of the message */
};

static const struct line lines[] = {
    /* accepted */
    {"KEY=value", "KEY", "value", NULL},
    {"  KEY=value", "KEY", "value", NULL},
    {"\tKEY=value\t", "KEY", "value", NULL},
    {"export KEY=value", "KEY", "value", NULL},
    {"export \t KEY=value", "KEY", "value", NULL},
    {"KEY=value # comment", "KEY", "value", NULL},
    {"KEY=value\t#comment", "KEY", "value", NULL},
    {"KEY=a#b", "KEY", "a#b", NULL},
    {"KEY=#b", "KEY", "#b", NULL},
    {"KEY=", "KEY", "", NULL},
    {"KEY=   ", "KEY", "", NULL},
    {"KEY= # nothing", "KEY", "", NULL},
    {"KEY=''", "KEY", "", NULL},
    {"KEY=\"\"", "KEY", "", NULL},
    {"KEY='a b'", "KEY", "a b", NULL},
    {"KEY='a\"$`\\b'", "KEY", "a\"$`\\b", NULL},
    {"KEY='a # b' # c", "KEY", "a # b", NULL},
    {"KEY=\"a b\"", "KEY", "a b", NULL},
    {"KEY=\"it's\"", "KEY", "it's", NULL},
    {"KEY=\"\\\"\\\\\\$\\`\"", "KEY", "\"\\$`", NULL},
    {"KEY=\"a\\nb\"", "KEY", "a\\nb", NULL},
    {"KEY=\"a\" # c", "KEY", "a", NULL},
    {"KEY=a=b,c=d", "KEY", "a=b,c=d", NULL},
    {"KEY=https://host:443/x_y-z.%+@", "KEY", "https://host:443/x_y-z.%+@", NULL},
    {"KEY=a~b", "KEY", "a~b", NULL},
    {"_K2=v", "_K2", "v", NULL},
    {"KEY=\xe4\xb8\xad", "KEY", "\xe4\xb8\xad", NULL},
    {"K234567890123456789012345678901234567890123456789012345678901234=v",
     "K234567890123456789012345678901234567890123456789012345678901234", "v", NULL},
    /* nothing in it */
    {"", NULL, "", NULL},
    {"   ", NULL, "", NULL},
    {"# KEY=value", NULL, "", NULL},
    {"   # \x01\xff\xd6\xd0", NULL, "", NULL},
    /* refused */
    {"KEY =value", "KEY", NULL, "no space is allowed before ="},
    {"KEY= value", "KEY", NULL, "no space is allowed after ="},
    {"KEY=a b", "KEY", NULL, "needs quotes"},
    {"KEY=a b=c", "KEY", NULL, "needs quotes"},
    {"KEY=$HOME", "KEY", NULL, "single quotes"},
    {"KEY=`id`", "KEY", NULL, "single quotes"},
    {"KEY=a\\b", "KEY", NULL, "single quotes"},
    {"KEY=a;b", "KEY", NULL, "single quotes"},
    {"KEY=a&b", "KEY", NULL, "single quotes"},
    {"KEY=a|b", "KEY", NULL, "single quotes"},
    {"KEY=a<b", "KEY", NULL, "single quotes"},
    {"KEY=a>b", "KEY", NULL, "single quotes"},
    {"KEY=(a)", "KEY", NULL, "single quotes"},
    {"KEY=a*", "KEY", NULL, "single quotes"},
    {"KEY={a,b}", "KEY", NULL, "single quotes"},
    {"KEY=a'b'", "KEY", NULL, "single quotes"},
    {"KEY=a\"b\"", "KEY", NULL, "single quotes"},
    {"KEY=~/x", "KEY", NULL, "single quotes"},
    {"KEY=a:~/x", "KEY", NULL, "single quotes"},
    {"KEY='a", "KEY", NULL, "closing '"},
    {"KEY=\"a", "KEY", NULL, "closing \""},
    {"KEY=\"a\\", "KEY", NULL, "closing \""},
    {"KEY=\"a\\\"", "KEY", NULL, "closing \""},
    {"KEY=\"$HOME\"", "KEY", NULL, "\\ before them"},
    {"KEY=\"`id`\"", "KEY", NULL, "\\ before them"},
    {"KEY='a'b", "KEY", NULL, "after the closing quote"},
    {"KEY='a''b'", "KEY", NULL, "after the closing quote"},
    {"KEY='a'#b", "KEY", NULL, "after the closing quote"},
    {"KEY=\"a\"b", "KEY", NULL, "after the closing quote"},
    {"KEY", "", NULL, "KEY=value"},
    {"export KEY", "", NULL, "KEY=value"},
    {"exportKEY=v", "", NULL, "KEY=value"},
    {"export", "", NULL, "KEY=value"},
    {"=value", "", NULL, "KEY=value"},
    {"key=value", "", NULL, "KEY=value"},
    {"KEy=value", "", NULL, "KEY=value"},
    {"2KEY=value", "", NULL, "KEY=value"},
    {"KEY-X=value", "", NULL, "KEY=value"},
    {"KEY: value", "", NULL, "KEY=value"},
    {"[section]", "", NULL, "KEY=value"},
    {"K2345678901234567890123456789012345678901234567890123456789012345=v", "", NULL, "KEY=value"},
    {"KEY=a\x01", "", NULL, "control character"},
    {"KEY=a\x7f", "", NULL, "control character"},
    {"KEY=a\rb", "", NULL, "control character"},
};

#define LINES_COUNT (sizeof(lines) / sizeof(lines[0]))

static void check_line(const struct line *line, const char *end)
{
    char text[256];
    struct config_parse parse;
    (void)snprintf(text, sizeof(text), "%s%s", line->text, end);
    config_parse_init(&parse, text, strlen(text));
    enum config_line got = config_parse_next(&parse);
    if (line->key == NULL) {
        assert_int_equal(got, CONFIG_LINE_END);
        return;
    }
    assert_int_equal(got, line->value != NULL ? CONFIG_LINE_SETTING : CONFIG_LINE_BAD);
    assert_int_equal(parse.line, 1);
    assert_true(str_eq(parse.key, str_of(line->key)));
    if (line->value != NULL) {
        assert_true(str_eq(parse.value, str_of(line->value)));
    } else {
        assert_non_null(strstr(parse.fault, line->fault));
    }
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_END);
}

static void test_config_parse_line(void **state)
{
    check_line(*state, "");
    check_line(*state, "\n");
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static void test_config_parse_counts_lines(void **state)
{
    (void)state;
    char text[] = "# one\n\nA=1\n   \nB =2\nC='x'";
    struct config_parse parse;
    config_parse_init(&parse, text, sizeof(text) - 1);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_SETTING);
    assert_int_equal(parse.line, 3);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_BAD);
    assert_int_equal(parse.line, 5);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_SETTING);
    assert_int_equal(parse.line, 6);
    assert_true(str_eq(parse.value, S("x")));
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_END);
}

static void test_config_parse_dos_line_ends_are_told_once(void **state)
{
    (void)state;
    char text[] = "# one\r\nA=1\r\nB=\r\nC='2'\r";
    struct config_parse parse;
    config_parse_init(&parse, text, sizeof(text) - 1);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_BAD);
    assert_int_equal(parse.line, 1);
    assert_non_null(strstr(parse.fault, "DOS"));
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_SETTING);
    assert_int_equal(parse.line, 2);
    assert_true(str_eq(parse.value, S("1")));
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_SETTING);
    assert_true(str_eq(parse.value, S("")));
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_SETTING);
    assert_true(str_eq(parse.value, S("2")));
    assert_int_equal(parse.line, 4);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_END);
}

static void test_config_parse_byte_order_mark_is_told_and_skipped(void **state)
{
    (void)state;
    char text[] = "\xef\xbb\xbf"
                  "A=1\r\n";
    struct config_parse parse;
    config_parse_init(&parse, text, sizeof(text) - 1);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_BAD);
    assert_non_null(strstr(parse.fault, "byte order mark"));
    assert_int_equal(parse.line, 1);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_BAD);
    assert_non_null(strstr(parse.fault, "DOS"));
    assert_int_equal(parse.line, 1);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_SETTING);
    assert_int_equal(parse.line, 1);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_END);
}

static void test_config_parse_nul_byte_is_a_control_character(void **state)
{
    (void)state;
    char text[] = "A=1\0\nB=2";
    struct config_parse parse;
    config_parse_init(&parse, text, sizeof(text) - 1);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_BAD);
    assert_int_equal(config_parse_next(&parse), CONFIG_LINE_SETTING);
}

static void test_config_parse_longest_line(void **state)
{
    (void)state;
    static char text[CONFIG_LINE_BYTES_MAX + 2];
    struct config_parse parse;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t bytes = CONFIG_LINE_BYTES_MAX + extra;
        memset(text, 'x', bytes);
        text[0] = 'A';
        text[1] = '=';
        config_parse_init(&parse, text, bytes);
        assert_int_equal(config_parse_next(&parse),
                         extra == 0 ? CONFIG_LINE_SETTING : CONFIG_LINE_BAD);
    }
    assert_non_null(strstr(parse.fault, "too long"));
}

/* ---- a shell as the second opinion ------------------------------------------------------------
 */

/* Sources `conf` with sh and compares the variable K of each setting: one subshell per setting,
 * because a line may set any of a few names. */
static void compare_with_shell(struct fixture *fixture, const char *accepted, uint32_t count,
                               const char *expected)
{
    const char *conf = fixture_write(fixture, "lines.sh", accepted, strlen(accepted));
    char command[256];
    static char got[64 * 1024];
    (void)snprintf(command, sizeof(command), "sh %s 2>&1", conf);
    FILE *shell = popen(command, "r");
    assert_non_null(shell);
    size_t bytes = fread(got, 1, sizeof(got) - 1, shell);
    got[bytes] = '\0';
    assert_int_equal(pclose(shell), 0);
    assert_true(count > 0);
    assert_string_equal(got, expected);
}

/* Random lines from an alphabet of everything special; no word in it names a command. */
static void test_config_parse_agrees_with_a_shell(void **state)
{
    struct fixture *fixture = *state;
    static const char alphabet[] = "aab  ==''\"\"\\\\$`#~:;&|<>()*?[]!{}^%,.-+@/\t0";
    static char accepted[60 * 1024];
    static char expected[30 * 1024];
    struct buf script;
    struct buf results;
    struct prng prng;
    uint32_t count = 0;
    buf_init(&script, accepted, sizeof(accepted) - 1);
    buf_init(&results, expected, sizeof(expected) - 1);
    prng_seed(&prng, 1);
    for (uint32_t i = 0; i < 40000 && count < 600; i++) {
        char line[32] = "K=";
        char copy[32];
        size_t bytes = 2 + prng_below(&prng, 9);
        for (size_t at = 2; at < bytes; at++) {
            line[at] = alphabet[prng_below(&prng, sizeof(alphabet) - 1)];
        }
        line[bytes] = '\0';
        strcpy(copy, line);
        struct config_parse parse;
        config_parse_init(&parse, line, bytes);
        if (config_parse_next(&parse) == CONFIG_LINE_SETTING) {
            /* both ways a file may be sourced */
            buf_put_fmt(&script, "K=unset\n%s%s\nprintf '%%s\\n' \"$K\"\n",
                        prng_chance(&prng, 1, 2) ? "" : "export ", copy);
            buf_put_fmt(&results, "%.*s\n", STR_ARG(parse.value));
            count++;
        }
    }
    assert_true(buf_ok(&script) && buf_ok(&results));
    assert_true(count >= 500);
    accepted[script.bytes] = '\0';
    expected[results.bytes] = '\0';
    compare_with_shell(fixture, accepted, count, expected);
}

static void test_config_parse_table_agrees_with_a_shell(void **state)
{
    struct fixture *fixture = *state;
    static char accepted[16 * 1024];
    static char expected[8 * 1024];
    struct buf script;
    struct buf results;
    uint32_t count = 0;
    buf_init(&script, accepted, sizeof(accepted) - 1);
    buf_init(&results, expected, sizeof(expected) - 1);
    for (size_t i = 0; i < LINES_COUNT; i++) {
        if (lines[i].key != NULL && lines[i].value != NULL) {
            buf_put_fmt(&script, "%s\nprintf '%%s\\n' \"$%s\"\n", lines[i].text, lines[i].key);
            buf_put_fmt(&results, "%s\n", lines[i].value);
            count++;
        }
    }
    accepted[script.bytes] = '\0';
    expected[results.bytes] = '\0';
    compare_with_shell(fixture, accepted, count, expected);
}

/* Whatever the bytes are, each call moves on and stays inside the text. */
static void test_config_parse_survives_noise(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 2);
    for (uint32_t round = 0; round < 3000; round++) {
        size_t bytes = prng_below(&prng, 80);
        char *text = malloc(bytes + 1); /* exact size: the sanitizer watches its end */
        assert_non_null(text);
        for (size_t i = 0; i < bytes; i++) {
            static const char often[] = "A=\n\r'\"\\ #export";
            text[i] = prng_chance(&prng, 1, 4) ? (char)prng_u64(&prng)
                                               : often[prng_below(&prng, sizeof(often) - 1)];
        }
        struct config_parse parse;
        char *exact = realloc(text, bytes > 0 ? bytes : 1);
        assert_non_null(exact);
        config_parse_init(&parse, exact, bytes);
        uint32_t calls = 0;
        while (config_parse_next(&parse) != CONFIG_LINE_END) {
            assert_true(++calls <= bytes + 2);
        }
        free(exact);
    }
}

int main(void)
{
    static struct CMUnitTest tests[LINES_COUNT + 16];
    static char names[LINES_COUNT][64];
    size_t count = 0;
    for (; count < LINES_COUNT; count++) {
        (void)snprintf(names[count], sizeof(names[count]), "test_config_parse_line %zu: %.24s",
                       count, lines[count].text);
        for (char *c = names[count]; *c != '\0'; c++) {
            *c = *c < ' ' || *c > '~' ? '?' : *c;
        }
        tests[count] = (struct CMUnitTest){.name = names[count],
                                           .test_func = test_config_parse_line,
                                           .initial_state = (void *)(uintptr_t)&lines[count]};
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_config_parse_counts_lines),
        cmocka_unit_test(test_config_parse_dos_line_ends_are_told_once),
        cmocka_unit_test(test_config_parse_byte_order_mark_is_told_and_skipped),
        cmocka_unit_test(test_config_parse_nul_byte_is_a_control_character),
        cmocka_unit_test(test_config_parse_longest_line),
        cmocka_unit_test_setup_teardown(test_config_parse_agrees_with_a_shell, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_config_parse_table_agrees_with_a_shell, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(test_config_parse_survives_noise),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        tests[count++] = others[i];
    }
    return _cmocka_run_group_tests("config_parse", tests, count, NULL, NULL);
}
