/* see check.h */
#include "unit.h"

#include <string.h>

static int notes[2]; /* a pipe from the child's hook */

static void write_note(const char *expression, const char *file, int line)
{
    (void)dprintf(notes[1], "%s|%s|%d", expression, strrchr(file, '/') + 1, line > 0);
}

/* Runs the action in a child; returns what the child wrote, with how it ended in *status. */
static const char *run_in_child(void (*action)(void), int *status)
{
    static char text[256];
    assert_int_equal(pipe(notes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, unit_die);
        (void)dup2(notes[1], STDERR_FILENO);
        action();
        _exit(0);
    }
    (void)close(notes[1]);
    assert_int_equal(waitpid(child, status, 0), child);
    ssize_t bytes = read(notes[0], text, sizeof(text) - 1);
    assert_true(bytes >= 0);
    (void)close(notes[0]);
    text[bytes] = '\0';
    return text;
}

static void check_truth(void)
{
    CHECK(1 + 1 == 2);
}

static void check_lie(void)
{
    CHECK(1 + 1 == 3);
}

static void check_lie_with_hook(void)
{
    check_set_hook(write_note);
    CHECK(1 + 1 == 3);
}

static void fail_again(const char *expression, const char *file, int line)
{
    write_note(expression, file, line);
    CHECK(2 + 2 == 5);
}

static void check_lie_with_failing_hook(void)
{
    check_set_hook(fail_again);
    CHECK(1 + 1 == 3);
}

static void test_check_true_is_silent(void **state)
{
    int status;
    (void)state;
    assert_string_equal(run_in_child(check_truth, &status), "");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_check_false_prints_and_aborts(void **state)
{
    int status;
    (void)state;
    const char *text = run_in_child(check_lie, &status);
    assert_non_null(strstr(text, "CHECK failed: 1 + 1 == 3 ("));
    assert_non_null(strstr(text, "test_check.c:"));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_check_false_calls_hook_and_aborts(void **state)
{
    int status;
    (void)state;
    const char *text = run_in_child(check_lie_with_hook, &status);
    assert_string_equal(text, "1 + 1 == 3|test_check.c|1");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_check_failing_in_the_hook_still_ends(void **state)
{
    int status;
    (void)state;
    const char *text = run_in_child(check_lie_with_failing_hook, &status);
    assert_non_null(strstr(text, "1 + 1 == 3|"));
    assert_non_null(strstr(text, "CHECK failed: 2 + 2 == 5"));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_true_is_silent),
        cmocka_unit_test(test_check_false_prints_and_aborts),
        cmocka_unit_test(test_check_false_calls_hook_and_aborts),
        cmocka_unit_test(test_check_failing_in_the_hook_still_ends),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
