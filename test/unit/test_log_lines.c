/* data/log_lines: stamps, whole lines, and readings that become one stream. */
#include "data/log_lines.h"
#include "unit.h"

static const struct stamp_case {
    const char *line;
    int64_t at_ns;
    size_t bytes;
} stamps[] = {
    {"2024-01-02T03:04:05.123456789Z hello", 1704164645123456789, 31},
    {"2024-01-02T03:04:05Z hello", 1704164645000000000, 21},
    {"2024-01-02T03:04:05.5Z ", 1704164645500000000, 23},
    {"2024-01-02T11:04:05.000000001+08:00 x", 1704164645000000001, 36},
    {"2024-01-02T11:04:05.25+08:00 x", 1704164645250000000, 29},
    {"2262-04-11T23:47:15Z x", 9223372035000000000, 21},
    {"2262-04-11T23:47:16Z x", 0, 0}, /* more nanoseconds than there is room for */
    {"2024-01-02T03:04:05.1234567891Z x", 1704164645123456789, 32}, /* more digits than there are */
    {"2024-01-02T03:04:05Z", 1704164645000000000, 20},              /* an empty line */
    {"", 0, 0},
    {"hello world", 0, 0},
    {" 2024-01-02T03:04:05Z hello", 0, 0},
    {"2024-13-02T03:04:05Z hello", 0, 0},
    {"2024-01-02T03:04:05Zhello", 0, 0},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, 0},
};

static void test_log_stamp_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(stamps); i++) {
        int64_t at_ns = -1;
        assert_int_equal(log_stamp_read(str_of(stamps[i].line), &at_ns), stamps[i].bytes);
        assert_int_equal(at_ns, stamps[i].at_ns);
    }
}

static void test_log_lines_next_splits(void **state)
{
    (void)state;
    str rest = S("2024-01-02T03:04:05Z a\n\nb\r\nc");
    struct log_line line;
    assert_true(log_lines_next(&rest, &line));
    assert_text(line.text, "a");
    assert_text(line.whole, "2024-01-02T03:04:05Z a");
    assert_true(log_lines_next(&rest, &line));
    assert_text(line.text, "");
    assert_true(log_lines_next(&rest, &line));
    assert_text(line.text, "b\r");
    assert_true(line.is_terminated);
    assert_true(log_lines_next(&rest, &line));
    assert_text(line.text, "c");
    assert_false(line.is_terminated);
    assert_false(log_lines_next(&rest, &line));
}

static void test_log_whole_lines_drops_a_cut_line(void **state)
{
    (void)state;
    assert_text(log_whole_lines(S("ab\ncd\n"), 7), "ab\ncd\n");
    assert_text(log_whole_lines(S("ab\ncd\n"), 6), "cd\n");
    assert_text(log_whole_lines(S("abcdef"), 6), "abcdef"); /* one huge line: better than nothing */
}

static void test_log_is_capped(void **state)
{
    (void)state;
    assert_false(log_is_capped(S("a\nb\n"), 3, 100));
    assert_true(log_is_capped(S("a\nb\nc\n"), 3, 100));
    assert_true(log_is_capped(S("a\nb\n"), 3, 4));
    assert_false(log_is_capped(STR_NONE, 3, 100));
}

/* ---- successive readings --------------------------------------------------------------------- */

/* Letters stand for lines: 'a' is stamped second 1, 'b' second 2 ...; the same letter twice is two
 * equal lines of one instant. A trailing '-' leaves the last line unterminated, a leading '!' says
 * that the reading is capped, a leading '.' that it is the final one. Output: the letters that were
 * new, '#' for a gap. */
static const struct merge_case {
    const char *what;
    const char *readings[6];
    const char *shown;
} merges[] = {
    {"all new at first", {"abc"}, "abc"},
    {"nothing new", {"abc", "abc", "bc"}, "abc"},
    {"overlap", {"abc", "bcde", "ef"}, "abcdef"},
    {"an empty log fills", {"", "", "ab"}, "ab"},
    {"an empty log fills beyond the cap", {"", "!ab"}, "#ab"},
    {"an empty reading proves nothing", {"ab", "", "bc"}, "abc"},
    {"equal lines are as many as there are", {"aa", "aaab", "aab"}, "aaab"},
    {"a gap", {"abc", "!efg", "fgh"}, "abc#efgh"},
    {"a rotated log", {"abc", "ef"}, "abc#ef"},
    {"capped, but it reaches back", {"abc", "!cde"}, "abcde"},
    {"a late line is not lost", {"acd", "abcde"}, "acdbe"},
    {"an unterminated line waits", {"ab-", "abc"}, "abc"},
    {"... until it is shown again", {"ab-", "ab-", "abc"}, "abc"},
    {"... and is then known", {"ab-", "ab-", "ab", "ab"}, "ab"},
    {"... or the end has come", {"ab-", ".abc-"}, "abc"},
    {"order holds without stamps in order", {"cba", "cbad"}, "cbad"},
    {"many gaps", {"a", "!c", "!e"}, "a#c#e"},
};

static str reading_text(const char *reading, struct buf *out)
{
    for (const char *at = reading; *at != '\0'; at++) {
        if (*at >= 'a' && *at <= 'z') {
            buf_put_fmt(out, "2024-01-02T03:04:%02d.000000001Z %c%s", *at - 'a', *at,
                        at[1] == '-' ? "" : "\n");
        }
    }
    assert_true(buf_ok(out));
    return buf_str(out);
}

static void test_log_merge_table(void **state)
{
    (void)state;
    static struct log_merge merge;
    static struct log_walk walk;
    for (size_t i = 0; i < COUNT_OF(merges); i++) {
        char shown_memory[64];
        struct buf shown;
        buf_init(&shown, shown_memory, sizeof shown_memory);
        log_merge_init(&merge);
        for (size_t k = 0; k < COUNT_OF(merges[i].readings) && merges[i].readings[k] != NULL; k++) {
            char memory[1024];
            struct buf text;
            struct log_line line;
            const char *reading = merges[i].readings[k];
            buf_init(&text, memory, sizeof memory);
            log_merge_begin(&walk, &merge, reading_text(reading, &text), reading[0] == '!',
                            reading[0] == '.');
            while (log_merge_next(&walk, &line)) {
                if (walk.has_gap) {
                    buf_put_char(&shown, '#');
                }
                buf_put(&shown, line.text);
            }
        }
        if (!str_eq(buf_str(&shown), str_of(merges[i].shown))) {
            print_error("%s: %.*s\n", merges[i].what, STR_ARG(buf_str(&shown)));
        }
        assert_text(buf_str(&shown), merges[i].shown);
    }
}

static void test_log_merge_floor_hides_older_lines(void **state)
{
    (void)state;
    static struct log_merge merge;
    static struct log_walk walk;
    char memory[1024];
    struct buf text;
    struct log_line line;
    int64_t floor_ns;
    buf_init(&text, memory, sizeof memory);
    log_merge_init(&merge);
    assert_int_equal(log_merge_since_s(&merge), 0);
    (void)log_stamp_read(S("2024-01-02T03:04:02.000000001Z "), &floor_ns); /* 'c' */
    log_merge_floor(&merge, floor_ns);
    assert_int_equal(log_merge_since_s(&merge), 1704164641);
    log_merge_begin(&walk, &merge, reading_text("abcd", &text), false, false);
    assert_true(log_merge_next(&walk, &line));
    assert_text(line.text, "d");
    assert_false(walk.has_gap); /* it reaches back behind the floor */
    assert_false(log_merge_next(&walk, &line));
    assert_int_equal(log_merge_since_s(&merge), 1704164642);
}

/* Lines without a stamp have no age, so they are never behind the floor. */
static void test_log_merge_floor_hides_no_line_without_a_stamp(void **state)
{
    (void)state;
    static struct log_merge merge;
    static struct log_walk walk;
    struct log_line line;
    log_merge_init(&merge);
    log_merge_floor(&merge, INT64_MAX);
    log_merge_begin(&walk, &merge, S("2024-01-02T03:04:05Z old\nno stamp\n"), false, false);
    assert_true(log_merge_next(&walk, &line));
    assert_text(line.text, "no stamp");
    assert_false(log_merge_next(&walk, &line));
}

/* The count of lines ever shown wraps after 2^32; what was shown is known all the same. */
static void test_log_merge_count_wraps(void **state)
{
    (void)state;
    static struct log_merge merge;
    static struct log_walk walk;
    static char memory[LOG_RING_LINES * 16];
    struct buf text;
    struct log_line line;
    log_merge_init(&merge);
    merge.count = UINT32_MAX - LOG_RING_LINES + 1; /* the last line brings it to 2^32 */
    buf_init(&text, memory, sizeof memory);
    for (uint32_t n = 0; n < LOG_RING_LINES; n++) {
        buf_put_fmt(&text, "line %u\n", n);
    }
    log_merge_begin(&walk, &merge, buf_str(&text), false, false);
    for (uint32_t n = 0; n < LOG_RING_LINES; n++) {
        assert_true(log_merge_next(&walk, &line));
    }
    assert_true(merge.count >= LOG_RING_LINES); /* the ring is full */
    log_merge_begin(&walk, &merge, buf_str(&text), false, false);
    assert_false(log_merge_next(&walk, &line));
    assert_int_equal(walk.known, LOG_RING_LINES);
}

/* A long log in readings of LOG_LINES_MAX lines: nothing doubled, nothing lost, ring wrapped. */
static void test_log_merge_long(void **state)
{
    (void)state;
    static struct log_merge merge;
    static struct log_walk walk;
    static char memory[LOG_LINES_MAX * 64];
    struct log_line line;
    uint32_t next = 0;
    log_merge_init(&merge);
    for (uint32_t end = 1500; end <= 30000; end += 1500) {
        struct buf text;
        buf_init(&text, memory, sizeof memory);
        for (uint32_t n = end > LOG_LINES_MAX ? end - LOG_LINES_MAX : 0; n < end; n++) {
            buf_put_fmt(&text, "2024-01-02T03:%02u:%02u.%09uZ line %u\n", n / 60 % 60, n % 60, n,
                        n);
        }
        assert_true(buf_ok(&text));
        log_merge_begin(&walk, &merge, buf_str(&text), end > LOG_LINES_MAX, false);
        while (log_merge_next(&walk, &line)) {
            char expected[32];
            assert_false(walk.has_gap);
            (void)snprintf(expected, sizeof expected, "line %u", next++);
            assert_text(line.text, expected);
        }
        assert_int_equal(next, end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_stamp_read),
        cmocka_unit_test(test_log_lines_next_splits),
        cmocka_unit_test(test_log_whole_lines_drops_a_cut_line),
        cmocka_unit_test(test_log_is_capped),
        cmocka_unit_test(test_log_merge_table),
        cmocka_unit_test(test_log_merge_floor_hides_older_lines),
        cmocka_unit_test(test_log_merge_floor_hides_no_line_without_a_stamp),
        cmocka_unit_test(test_log_merge_count_wraps),
        cmocka_unit_test(test_log_merge_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
