/* verdict.c: what speaks against a pod or is remarked upon, and how it is told. */
#include "table/spec_case.h"

static void test_verdict(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(verdict_err(&verdict), ERR_OK);
    assert_string_equal(case_remarks(&verdict, false), "");
    verdict_warn(&verdict, S("spec.a"), "is %s", "odd");
    assert_int_equal(verdict_err(&verdict), ERR_OK);
    verdict_refuse(&verdict, SPEC_WAIT, S("spec.b"), "%d of them", 3);
    assert_int_equal(verdict_err(&verdict), ERR_BUSY);
    verdict_refuse(&verdict, SPEC_NEVER, S("spec.c"), "no");
    verdict_refuse(&verdict, SPEC_WAIT, S("spec.d"), "no");
    assert_int_equal(verdict_err(&verdict), ERR_UNSUPPORTED); /* the worst */
    assert_string_equal(case_remarks(&verdict, false), "spec.b: 3 of them; spec.c: no; spec.d: no");
    assert_string_equal(case_remarks(&verdict, true), "spec.a: is odd");
    for (unsigned i = 0; i < 40; i++) {
        verdict_warn(&verdict, S("x"), "y");
    }
    assert_int_equal(verdict.warnings_count, SPEC_WARNINGS_MAX);
    assert_int_equal(verdict.warnings_lost, 41 - SPEC_WARNINGS_MAX);
}

/* The event's reason is that of what waits; nothing that waits matters when the pod is refused. */
static void test_verdict_reason(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    case_begin(&arena, &verdict);
    assert_null(verdict_reason(&verdict));
    verdict_refuse(&verdict, SPEC_WAIT, S("spec.a"), "not yet");
    assert_null(verdict_reason(&verdict));
    verdict_refuse_as(&verdict, SPEC_WAIT, "FailedMount", S("spec.b"), "not yet");
    assert_string_equal(verdict_reason(&verdict), "FailedMount");
    verdict_refuse(&verdict, SPEC_NEVER, S("spec.c"), "no");
    assert_null(verdict_reason(&verdict));
}

/* Of one field many may warn; it is said once, whatever object the field is of. */
static void test_verdict_says_it_once(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    case_begin(&arena, &verdict);
    verdict_warn_once(&verdict, S("spec.containers[0].x"), "is odd");
    verdict_warn_once(&verdict, S("spec.containers[1].x"), "is odd");
    verdict_warn_once(&verdict, S("x"), "is odd");
    verdict_warn_once(&verdict, S("spec.containers[0].y"), "is odd");
    verdict_warn_once(&verdict, S("spec.containers[0].x"), "is new");
    assert_string_equal(case_remarks(&verdict, true),
                        "spec.containers[0].x: is odd; spec.containers[0].y: is odd; "
                        "spec.containers[0].x: is new");
}

/* A sentence is cut where the room ends, between two characters. */
static void test_verdict_in_little_room(void **state)
{
    static const struct {
        size_t bytes;
        const char *text;
    } cases[] = {{20, "a: is \xC3\xA9t\xC3\xA9"},
                 {9, "a: is \xC3\xA9t"},
                 {10, "a: is \xC3\xA9t"},
                 {7, "a: is "},
                 {3, "a: "},
                 {2, "a"}};
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    case_begin(&arena, &verdict);
    verdict_refuse(&verdict, SPEC_NEVER, S("a"), "is \xC3\xA9t\xC3\xA9");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char memory[32];
        struct buf out;
        buf_init(&out, memory, cases[i].bytes);
        verdict_put_refusals(&verdict, &out);
        assert_true(str_eq(str_make(out.ptr, out.bytes), str_of(cases[i].text)));
        assert_int_equal(buf_ok(&out), i == 0);
    }
}

static void test_verdict_without_memory(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    arena_init(&arena, case_arena_memory, 8);
    verdict_init(&verdict, &arena);
    verdict_refuse(&verdict, SPEC_NEVER, S("a"), "a sentence that does not fit");
    assert_int_equal(verdict.answer, SPEC_NEVER);
    assert_int_equal(verdict.refusals_count, 1);
    assert_int_equal(verdict_err(&verdict), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_verdict_reason),
        cmocka_unit_test(test_verdict_says_it_once),
        cmocka_unit_test(test_verdict_in_little_room),
        cmocka_unit_test(test_verdict_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
