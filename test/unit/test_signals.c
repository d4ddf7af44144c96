/* see signals.h */
#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/signals.h"

static struct loop loop;
static enum signals_event seen[8];
static size_t seen_count;

static void note_signal(enum signals_event event, void *owner)
{
    assert_ptr_equal(owner, &loop);
    assert_true(seen_count < COUNT_OF(seen));
    seen[seen_count++] = event;
}

static void test_signals_become_events(void **state)
{
    (void)state;
    struct region region = unit_region();
    const struct {
        int number;
        enum signals_event event;
    } cases[] = {
        {SIGTERM, SIGNALS_STOP},
        {SIGINT, SIGNALS_STOP},
        {SIGHUP, SIGNALS_RELOAD},
        {SIGUSR1, SIGNALS_REPORT},
    };
    assert_int_equal(loop_init(&loop, &region, 1), ERR_OK);
    assert_int_equal(signals_init(&loop, note_signal, &loop), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(kill(getpid(), cases[i].number), 0);
        loop_turn(&loop, 0);
        assert_int_equal(seen_count, i + 1);
        assert_int_equal(seen[i], cases[i].event);
    }
    /* several at once: all come, over as many turns */
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(kill(getpid(), cases[i].number), 0);
    }
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        loop_turn(&loop, 0);
    }
    assert_int_equal(seen_count, 2 * COUNT_OF(cases));
    loop_turn(&loop, 0);
    assert_int_equal(seen_count, 2 * COUNT_OF(cases));
    assert_int_equal(raise(SIGPIPE), 0); /* ignored: we are still here */
}

static int pause_in_child(int number)
{
    int status = 0, held[2];
    char byte = 0;
    assert_int_equal(pipe(held), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signals_hold();
        if (write(held[1], &byte, 1) != 1) {
            _exit(2);
        }
        _exit(signals_pause(1) ? 0 : 1);
    }
    assert_int_equal(read(held[0], &byte, 1), 1); /* before that a signal would be its end */
    (void)close(held[0]);
    (void)close(held[1]);
    for (int i = 0; i < 100 && waitpid(child, &status, WNOHANG) != child; i++) {
        (void)poll(NULL, 0, 25);
        (void)kill(child, SIGSTOP);
        (void)poll(NULL, 0, 25);
        (void)kill(child, SIGCONT);
        (void)kill(child, number);
    }
    bool has_ended = WIFEXITED(status) && waitpid(child, NULL, WNOHANG) < 0;
    (void)kill(child, SIGKILL);
    return has_ended ? WEXITSTATUS(status) : -1;
}

/* As cpulimit does it. */
static void test_a_pause_ends_also_when_it_is_stopped_again_and_again(void **state)
{
    (void)state;
    assert_int_equal(pause_in_child(0), 0);
    assert_int_equal(pause_in_child(SIGTERM), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_become_events),
        cmocka_unit_test(test_a_pause_ends_also_when_it_is_stopped_again_and_again),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
