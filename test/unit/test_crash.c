/* see crash.h. What catches signals is the shipped program's alone: test/e2e/test_poison.py. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "unit.h"

#include "os/crash.h"
#include "os/os.h"

#define PAUSE_S 30 /* nobody waits for it to end */
#define SECOND_LIFE "second-life"

extern char **environ;

static uint32_t pods = 7;
static uint64_t turns = 99;

static void start(const char *const *argv, const char *const *envp)
{
    const struct crash_counts counts = {.pods = &pods, .turns = &turns};
    crash_keep_arguments((char *const *)argv, (char *const *)envp);
    (void)crash_start("v1", &counts);
}

static const char *variable_in(char *const *envp)
{
    const char *found = NULL;
    for (; *envp != NULL; envp++) {
        if (strncmp(*envp, CRASH_VARIABLE "=", sizeof CRASH_VARIABLE) == 0) {
            assert_null(found); /* once */
            found = *envp + sizeof CRASH_VARIABLE;
        }
    }
    return found;
}

static void test_nobody_is_suspected_at_first(void **state)
{
    (void)state;
    const char *const envp[] = {"A=b", NULL};
    start(NULL, envp);
    assert_int_equal(crash_row(), 0);
    assert_null(crash_find_suspect(S("uid")));
    assert_false(crash_can_restart()); /* no arguments were kept */
}

static void test_what_earlier_lives_died_on_is_read(void **state)
{
    (void)state;
    const char *const argv[] = {"x", NULL};
    const char *const envp[] = {"A=b", CRASH_VARIABLE "=1;uid-a,2,77;uid-b,1,0", "C=d", NULL};
    start(argv, envp);
    assert_true(crash_can_restart());
    assert_int_equal(crash_row(), 1);
    struct crash_suspect *a = crash_find_suspect(S("uid-a"));
    assert_non_null(a);
    assert_int_equal(a->deaths, CRASH_DEATHS_MAX);
    assert_int_equal(a->print, 77);
    assert_int_equal(crash_find_suspect(S("uid-b"))->deaths, 1);
    assert_null(crash_find_suspect(S("uid-")));

    char *const *with = crash_environment();
    assert_string_equal(with[0], "A=b");
    assert_string_equal(variable_in(with), "0;uid-a,2,77;uid-b,1,0");

    crash_acquit(a);
    assert_null(crash_find_suspect(S("uid-a")));
    assert_string_equal(variable_in(crash_environment()), "0;uid-b,1,0");
}

static void test_a_broken_memory_is_left_out_piece_by_piece(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t row;
        bool has_a;
    } cases[] = {
        {"", 0, false},
        {"nonsense", 0, false},
        {"nonsense;uid-a,2,0", 0, true},
        {"0;uid-a", 0, false},
        {"0;uid-a,2", 0, false},
        {"0;uid-a,x,0", 0, false},
        {"0;uid-a,2,x", 0, false},
        {"0;uid-a,0,0", 0, false},
        {"0;uid-a,99999999999,0", 0, false},
        {"0;,2,0;;uid-a,2,0;", 0, true},
        {"99999999999;uid-a,2,0", 0, true},
        {"1;uid-of-more-than-forty-bytes-is-nobody-of-ours,2,0;uid-a,2,0", 1, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "%s=%s", CRASH_VARIABLE, cases[i].text);
        const char *const envp[] = {text, NULL};
        start(NULL, envp);
        assert_int_equal(crash_row(), cases[i].row);
        assert_int_equal(crash_find_suspect(S("uid-a")) != NULL, cases[i].has_a);
    }
}

static void test_too_many_suspects(void **state)
{
    (void)state;
    char text[4096];
    size_t bytes = (size_t)snprintf(text, sizeof text, "%s=0", CRASH_VARIABLE);
    for (int i = 0; i < CRASH_SUSPECTS_MAX + 4; i++) {
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, ";uid-%d,%d,1", i, i + 1);
    }
    const char *const envp[] = {text, NULL};
    start(NULL, envp);
    assert_non_null(crash_find_suspect(S("uid-15")));
    assert_null(crash_find_suspect(S("uid-16"))); /* no room: it would have to kill us again */
}

static void test_too_large_an_environment(void **state)
{
    (void)state;
    static const char *envp[CRASH_ENVIRONMENT_MAX + 2];
    const char *const argv[] = {"x", NULL};
    for (int i = 0; i < CRASH_ENVIRONMENT_MAX; i++) {
        envp[i] = "A=b";
    }
    start(argv, envp);
    assert_true(crash_can_restart());
    assert_non_null(variable_in(crash_environment()));
    envp[CRASH_ENVIRONMENT_MAX] = "A=b";
    start(argv, envp);
    assert_false(crash_can_restart());
    assert_ptr_equal(crash_environment(), (char *const *)envp);
}

/* A child dies by crash_now() and is started anew: this program with other arguments, which prints
 * what it was left. Both lives write to standard error, which is read here. */
static int two_lives(const char *variable, void (*work)(void), char *out, size_t bytes)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const char *const argv[] = {"test_crash", SECOND_LIFE, NULL};
        char text[256];
        (void)snprintf(text, sizeof text, "%s=%s", CRASH_VARIABLE, variable);
        const char *const envp[] = {text, "ASAN_OPTIONS=detect_leaks=0", NULL};
        (void)dup2(ends[1], STDERR_FILENO);
        start(argv, envp);
        work();
        crash_now("a test", NULL);
    }
    (void)close(ends[1]);
    size_t count = 0;
    ssize_t got;
    while ((got = read(ends[0], out + count, bytes - 1 - count)) > 0) {
        count += (size_t)got;
    }
    out[count] = '\0';
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void on_one_pod(void)
{
    crash_enter("outer work", S("uid-o"), S("default"), S("outer"));
    crash_enter("inner work", S("uid-i"), S("default"), S("inner"));
    crash_enter("done already", S("uid-d"), S("default"), S("done"));
    crash_leave();
}

static void on_no_pod(void)
{
    crash_enter("some work", S("uid-s"), S("default"), S("some"));
    crash_turn();
}

static void deep_within(void)
{
    for (int i = 0; i < CRASH_DEPTH_MAX + 3; i++) {
        crash_enter("deep work", S("uid-x"), S("default"), S("deep"));
    }
    for (int i = 0; i < 5; i++) {
        crash_leave();
    }
}

static void test_last_words_and_a_second_life(void **state)
{
    (void)state;
    char said[4096];
    assert_int_equal(two_lives("0;uid-i,1,0", on_one_pod, said, sizeof said), 0);
    assert_non_null(strstr(said, "crash: a test, ecilet v1\n"));
    assert_non_null(strstr(said, "turns 99, pods 7, groups 0, deaths in a row before 0\n"));
    assert_non_null(strstr(said, "crash: while inner work of pod default/inner, uid uid-i\n"
                                 "crash: while outer work of pod default/outer, uid uid-o\n"));
    assert_null(strstr(said, "done already"));
    assert_non_null(strstr(said, "second life: 1;uid-i,2,0\n")); /* the innermost is to blame */
}

static void test_nobody_is_to_blame(void **state)
{
    (void)state;
    char said[4096];
    assert_int_equal(two_lives("1;uid-i,1,5", on_no_pod, said, sizeof said), 0);
    assert_null(strstr(said, "while"));
    assert_non_null(strstr(said, "second life: 2;uid-i,1,5\n"));
    assert_int_equal(two_lives("0", deep_within, said, sizeof said), 0);
    assert_non_null(strstr(said, "second life: 1;uid-x,1,0\n"));
}

static void fill_suspects(void)
{
    crash_enter("work", S("uid-new"), S("default"), S("new"));
}

static void test_the_one_with_fewest_deaths_makes_room(void **state)
{
    (void)state;
    char text[200] = "0", said[4096];
    for (int i = 0; i < CRASH_SUSPECTS_MAX; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), ";u%d,%d,0", i,
                       i == 3 ? 1 : 2);
    }
    assert_int_equal(two_lives(text, fill_suspects, said, sizeof said), 0);
    assert_null(strstr(said, ";u3,"));
    assert_non_null(strstr(said, ";u2,2,0;uid-new,1,0;u4,2,0"));
}

/* The life after many deaths in a row, as execve() leaves it: all signals blocked, one of the
 * watchdog's waiting. What it says is its exit code. */
static int life_in_a_pause(void)
{
    sigset_t all, waiting;
    const char *const envp[] = {CRASH_VARIABLE "=6", NULL};
    if (sigfillset(&all) != 0 || sigprocmask(SIG_SETMASK, &all, NULL) != 0 || raise(SIGALRM) != 0) {
        return 1;
    }
    msec began_ms = os_now_ms();
    start(NULL, envp);
    if (sigpending(&waiting) != 0 || os_now_ms() - began_ms > 10000) {
        return 2;
    }
    return sigismember(&waiting, SIGTERM) == 1 && sigismember(&waiting, SIGHUP) == 1 ? 0 : 3;
}

static void test_signals_in_the_pause_are_heard_later(void **state)
{
    (void)state;
    int ends[2], status = 0;
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sigset_t all;
        (void)sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        (void)write(ends[1], "x", 1);
        _exit(life_in_a_pause());
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(usleep(100000), 0);
    assert_int_equal(kill(pid, SIGHUP), 0); /* new keys: no reason to die */
    assert_int_equal(usleep(50000), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void cannot_start(void)
{
    (void)crash_try_later(0);
}

/* It is tried again with what is known; nobody has died. */
static void test_a_start_that_fails_is_tried_again_by_who_began_by_itself(void **state)
{
    (void)state;
    char said[4096];
    assert_int_equal(two_lives("0;uid-i,1,0", cannot_start, said, sizeof said), 0);
    assert_non_null(strstr(said, "tries again in 0 s"));
    assert_non_null(strstr(said, "second life: 0;uid-i,1,0\n"));
    assert_null(strstr(said, "crash: "));
}

static void cannot_start_for_a_while(void)
{
    (void)crash_try_later(1);
}

/* Else systemd would end who only waits, start it, and be told that this is for good. */
static void test_a_pause_gives_signs_of_life(void **state)
{
    (void)state;
    char said[4096], name[64], heard[64];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    int bytes = snprintf(name, sizeof name, "@test_crash_%d", (int)getpid());
    memcpy(addr.sun_path + 1, name + 1, (size_t)bytes - 1);
    socklen_t addr_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)bytes);
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, addr_bytes), 0);
    assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "300000000", 1), 0);
    assert_int_equal(two_lives("0", cannot_start_for_a_while, said, sizeof said), 0);
    assert_int_equal(unsetenv("NOTIFY_SOCKET") | unsetenv("WATCHDOG_USEC"), 0);
    assert_non_null(strstr(said, "second life: 0\n"));
    assert_int_equal(recv(fd, heard, sizeof heard, 0), 10);
    assert_memory_equal(heard, "WATCHDOG=1", 10);
    assert_int_equal(recv(fd, heard, sizeof heard, 0), -1);
    (void)close(fd);
}

static void is_stopped(void)
{
    (void)raise(SIGTERM); /* held */
    _exit(crash_try_later(PAUSE_S) ? 7 : 8);
}

static void test_it_is_not_tried_again_when_told_to_stop(void **state)
{
    (void)state;
    char said[4096];
    int status = two_lives("0", is_stopped, said, sizeof said);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_null(strstr(said, "second life"));
}

/* Whoever started it gets the answer, and does what he wants. */
static void test_a_start_by_somebody_else_is_not_tried_again(void **state)
{
    (void)state;
    const char *const argv[] = {"x", NULL};
    const char *const envp[] = {"A=b", NULL};
    start(argv, envp);
    assert_false(crash_try_later(PAUSE_S));
}

static int second_life(void)
{
    crash_keep_arguments(NULL, environ);
    fprintf(stderr, "second life: %s\n", variable_in(environ));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], SECOND_LIFE) == 0) {
        return second_life();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_is_suspected_at_first),
        cmocka_unit_test(test_what_earlier_lives_died_on_is_read),
        cmocka_unit_test(test_a_broken_memory_is_left_out_piece_by_piece),
        cmocka_unit_test(test_too_many_suspects),
        cmocka_unit_test(test_too_large_an_environment),
        cmocka_unit_test(test_last_words_and_a_second_life),
        cmocka_unit_test(test_nobody_is_to_blame),
        cmocka_unit_test(test_the_one_with_fewest_deaths_makes_room),
        cmocka_unit_test(test_a_start_that_fails_is_tried_again_by_who_began_by_itself),
        cmocka_unit_test(test_a_pause_gives_signs_of_life),
        cmocka_unit_test(test_it_is_not_tried_again_when_told_to_stop),
        cmocka_unit_test(test_a_start_by_somebody_else_is_not_tried_again),
        cmocka_unit_test(test_signals_in_the_pause_are_heard_later),
    };
    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
