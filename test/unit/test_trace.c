/* see trace.h */
#include "unit.h"

#include "base/trace.h"

static struct trace trace;

static void test_trace_keeps_the_last_records(void **state)
{
    (void)state;
    static char memory[32 * 1024];
    struct buf out;
    memset(&trace, 0, sizeof(trace));
    for (uint32_t i = 0; i < TRACE_RECORDS_MAX + 10; i++) {
        trace_add(&trace, i, "step", i, i + 1);
    }
    buf_init(&out, memory, sizeof(memory));
    trace_print(&trace, &out);
    assert_true(buf_ok(&out));
    str rest = buf_str(&out);
    str line;
    uint32_t count = 0;
    while (str_cut(&rest, '\n', &line)) {
        char expected[64];
        uint32_t i = 10 + count++;
        (void)snprintf(expected, sizeof(expected), "%u step %u %u", i, i, i + 1);
        assert_text(str_trim(line), expected);
    }
    assert_int_equal(count, TRACE_RECORDS_MAX);
}

static uint64_t digest_of(msec at_ms, const char *what, uint32_t a, uint32_t b)
{
    memset(&trace, 0, sizeof(trace));
    trace_add(&trace, 1, "first", 0, 0);
    trace_add(&trace, at_ms, what, a, b);
    return trace.digest;
}

static void test_trace_digest_tells_stories_apart(void **state)
{
    (void)state;
    char same_text[] = "create"; /* another address */
    uint64_t digest = digest_of(5, "create", 1, 2);
    assert_true(digest_of(5, same_text, 1, 2) == digest);
    assert_true(digest_of(6, "create", 1, 2) != digest);
    assert_true(digest_of(5, "delete", 1, 2) != digest);
    assert_true(digest_of(5, "create", 2, 1) != digest);
    assert_true(digest_of(5, "create", 1, 3) != digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace_keeps_the_last_records),
        cmocka_unit_test(test_trace_digest_tells_stories_apart),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
