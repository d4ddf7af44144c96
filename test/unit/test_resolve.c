/* see resolve.h. Look-ups are answered by functions of the test, in the real helper threads. */
#include <signal.h>
#include <sys/wait.h>

#include "unit.h"

#include "os/os.h"
#include "os/resolve.h"

static struct loop loop;
static int gate[2]; /* a look-up waits until a byte comes: how many addresses to answer */
static _Atomic int lookups_running, lookups_ever;

static enum err last_err;
static uint32_t calls;

static uint32_t answer_through_gate(const char *host, uint16_t port, struct sock_addr *addrs)
{
    char count = 0;
    lookups_ever++;
    lookups_running++;
    (void)!read(gate[0], &count, 1);
    for (int i = 0; i < count; i++) {
        addrs[i] =
            (struct sock_addr){.bytes = {10, 0, 0, (uint8_t)(i + 1)}, .port = port, .family = 4};
    }
    count = host[0] == 'x' ? 0 : count;
    lookups_running--;
    return (uint32_t)count;
}

static void let_through(char addresses)
{
    assert_int_equal(write(gate[1], &addresses, 1), 1);
}

static void note_done(struct resolve *resolve, enum err err)
{
    assert_ptr_equal(resolve->owner, &loop);
    last_err = err;
    calls++;
}

/* Turns until on_done was called so often in all, at most for five seconds. */
static void turn_until_calls(uint32_t count)
{
    msec deadline_ms = os_now_ms() + 20000;
    while (calls < count && os_now_ms() < deadline_ms) {
        loop_turn(&loop, os_now_ms() + 50);
    }
    assert_int_equal(calls, count);
}

static int start(void **state)
{
    (void)state;
    struct region region = unit_region();
    calls = 0;
    lookups_ever = 0;
    last_err = ERR_COUNT;
    resolve_set_lookup(answer_through_gate);
    return pipe(gate) | (int)loop_init(&loop, &region, 16);
}

/* No thread may be left behind. */
static int stop(void **state)
{
    (void)state;
    (void)close(gate[1]); /* whoever still waits gets an end of file: no addresses */
    for (int i = 0; i < 20000 && lookups_running > 0; i++) {
        (void)usleep(1000);
    }
    (void)close(gate[0]);
    (void)close(loop.epoll_fd);
    return lookups_running;
}

static void test_resolve_address_needs_no_look_up(void **state)
{
    (void)state;
    struct resolve resolve;
    resolve_init(&resolve, &loop, S("192.0.2.7"), 6443, note_done, &loop);
    assert_true(resolve_want(&resolve));
    assert_int_equal(resolve.addrs_count, 1);
    assert_int_equal(resolve.addrs[0].port, 6443);
    resolve_close(&resolve);
    assert_int_equal(lookups_ever, 0);
}

static void test_resolve_answers_and_keeps_them_fresh(void **state)
{
    (void)state;
    struct resolve resolve;
    resolve_init(&resolve, &loop, S("api.example"), 6443, note_done, &loop);
    assert_false(resolve_want(&resolve));
    assert_false(resolve_want(&resolve)); /* one thread, one call */
    let_through(3);
    turn_until_calls(1);
    assert_int_equal(last_err, ERR_OK);
    assert_int_equal(resolve.addrs_count, 3);
    assert_int_equal(resolve.addrs[2].bytes[3], 3);
    assert_int_equal(resolve.addrs[2].port, 6443);
    assert_true(resolve_want(&resolve));
    assert_int_equal(lookups_ever, 1);
    loop.now_ms += RESOLVE_FRESH_MS;
    assert_false(resolve_want(&resolve)); /* old now */
    let_through(1);
    turn_until_calls(2);
    assert_int_equal(resolve.addrs_count, 1);
    assert_int_equal(lookups_ever, 2);
    assert_false(due_is_set(&resolve.deadline.due));
}

static void test_resolve_failure_keeps_the_old_answer(void **state)
{
    (void)state;
    struct resolve resolve;
    resolve_init(&resolve, &loop, S("api.example"), 6443, note_done, &loop);
    assert_false(resolve_want(&resolve));
    let_through(0);
    turn_until_calls(1);
    assert_int_equal(last_err, ERR_RESOLVE);
    assert_int_equal(resolve.addrs_count, 0);
    assert_false(resolve_want(&resolve)); /* nothing known: tries again at once */
    let_through(2);
    turn_until_calls(2);
    assert_int_equal(last_err, ERR_OK);
    loop.now_ms += RESOLVE_FRESH_MS;
    assert_false(resolve_want(&resolve));
    let_through(0);
    turn_until_calls(3);
    assert_int_equal(last_err, ERR_RESOLVE);
    assert_int_equal(resolve.addrs_count, 2);
    assert_true(resolve_want(&resolve)); /* the old one, for a while */
    loop.now_ms += RESOLVE_RETRY_MS;
    assert_false(resolve_want(&resolve));
    let_through(0);
    turn_until_calls(4);
}

static void test_resolve_deadline_then_late_answer(void **state)
{
    (void)state;
    struct resolve resolve;
    resolve_init(&resolve, &loop, S("slow.example"), 1, note_done, &loop);
    assert_false(resolve_want(&resolve));
    assert_in_range(resolve.deadline.due.at_ms - loop.now_ms, RESOLVE_DEADLINE_MS,
                    RESOLVE_DEADLINE_MS);
    loop_timer_set(&loop, &resolve.deadline, 0);
    turn_until_calls(1);
    assert_int_equal(last_err, ERR_TIMEOUT);
    /* Asked again: the same thread is waited for. */
    assert_false(resolve_want(&resolve));
    loop_timer_set(&loop, &resolve.deadline, 0);
    turn_until_calls(2);
    assert_int_equal(last_err, ERR_TIMEOUT);
    /* Nobody waits when it comes: taken all the same, in silence. */
    let_through(1);
    for (int i = 0; i < 100 && resolve.addrs_count == 0; i++) {
        loop_turn(&loop, os_now_ms() + 50);
    }
    assert_int_equal(resolve.addrs_count, 1);
    assert_int_equal(calls, 2);
    assert_int_equal(lookups_ever, 1);
    assert_true(resolve_want(&resolve));
}

static void test_resolve_late_answer_to_a_second_asking(void **state)
{
    (void)state;
    struct resolve resolve;
    resolve_init(&resolve, &loop, S("slow.example"), 1, note_done, &loop);
    assert_false(resolve_want(&resolve));
    loop_timer_set(&loop, &resolve.deadline, 0);
    turn_until_calls(1);
    assert_false(resolve_want(&resolve));
    let_through(1);
    turn_until_calls(2);
    assert_int_equal(last_err, ERR_OK);
    assert_int_equal(lookups_ever, 1);
}

/* Closed while its thread runs, and when the thread is done but the loop has not heard of it. */
static void test_resolve_close_early(void **state)
{
    (void)state;
    uint32_t descriptors = os_descriptors_open();
    for (int round = 0; round < 50; round++) {
        struct resolve resolve;
        resolve_init(&resolve, &loop, S("api.example"), 1, note_done, &loop);
        assert_false(resolve_want(&resolve));
        if (round % 2 == 0) {
            resolve_close(&resolve);
            let_through(1);
        } else {
            let_through(1);
            (void)usleep((useconds_t)(round * 20));
            resolve_close(&resolve);
        }
        memset(&resolve, 0xA5, sizeof(resolve));      /* the slot is somebody else's now */
        while (os_descriptors_open() > descriptors) { /* the thread has cleaned up */
            (void)usleep(100);
        }
        loop_turn(&loop, 0);
    }
    assert_int_equal(calls, 0);
    assert_int_equal(lookups_ever, 50);
}

static void test_resolve_no_thread_left_is_told_later(void **state)
{
    (void)state;
    struct resolve resolves[RESOLVE_THREADS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(resolves); i++) {
        resolve_init(&resolves[i], &loop, S("api.example"), 1, note_done, &loop);
        assert_false(resolve_want(&resolves[i]));
    }
    assert_int_equal(calls, 0); /* not from inside resolve_want() */
    turn_until_calls(1);
    assert_int_equal(last_err, ERR_SYSTEM);
    for (size_t i = 0; i < RESOLVE_THREADS_MAX; i++) {
        let_through(1);
    }
    turn_until_calls(RESOLVE_THREADS_MAX + 1);
    assert_int_equal(last_err, ERR_OK);
    assert_false(resolve_want(&resolves[RESOLVE_THREADS_MAX])); /* now there is one */
    let_through(1);
    turn_until_calls(RESOLVE_THREADS_MAX + 2);
    assert_int_equal(last_err, ERR_OK);
}

static void note_signal(int number)
{
    (void)number;
    _exit(7);
}

static uint32_t break_down(const char *host, uint16_t port, struct sock_addr *addrs)
{
    (void)host;
    (void)port;
    (void)addrs;
    return raise(SIGILL) == 0 ? 0 : 1;
}

/* What breaks in a thread is caught as anywhere else (os/crash.h); other signals are the loop's. */
static void test_resolve_a_thread_that_breaks_is_heard(void **state)
{
    (void)state;
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct resolve resolve;
        (void)signal(SIGILL, note_signal);
        resolve_set_lookup(break_down);
        resolve_init(&resolve, &loop, S("host.example"), 1, note_done, &loop);
        (void)resolve_want(&resolve);
        turn_until_calls(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_resolve_asks_the_system(void **state)
{
    (void)state;
    struct resolve resolve;
    resolve_set_lookup(NULL);
    resolve_init(&resolve, &loop, S("localhost"), 80, note_done, &loop);
    assert_false(resolve_want(&resolve));
    turn_until_calls(1);
    if (last_err == ERR_OK) { /* every machine knows it; a bare container may not */
        assert_true(resolve.addrs[0].family == 4 ? resolve.addrs[0].bytes[0] == 127
                                                 : resolve.addrs[0].bytes[15] == 1);
        assert_int_equal(resolve.addrs[0].port, 80);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_resolve_address_needs_no_look_up, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_answers_and_keeps_them_fresh, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_failure_keeps_the_old_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_deadline_then_late_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_late_answer_to_a_second_asking, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_close_early, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_no_thread_left_is_told_later, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_a_thread_that_breaks_is_heard, start, stop),
        cmocka_unit_test_setup_teardown(test_resolve_asks_the_system, start, stop),
    };
    return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
