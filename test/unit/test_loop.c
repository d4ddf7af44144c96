/* see loop.h; on real pipes and socket pairs */
#include "unit.h"

#include <sys/socket.h>

#include "base/list.h"
#include "os/loop.h"
#include "os/os.h"

#define NOTES_MAX 32

static struct loop loop;
static struct {
    void *owner;
    uint32_t events;
} notes[NOTES_MAX];
static size_t notes_count;

static void start_loop(uint32_t timers_max)
{
    struct region region = unit_region();
    assert_int_equal(loop_init(&loop, &region, timers_max), ERR_OK);
    notes_count = 0;
}

static void stop_loop(void)
{
    (void)close(loop.epoll_fd);
}

static void note(void *owner, uint32_t events)
{
    assert_true(notes_count < NOTES_MAX);
    notes[notes_count].owner = owner;
    notes[notes_count++].events = events;
}

static void note_ready(struct loop_watch *watch, uint32_t events)
{
    note(watch->owner, events);
}

static void note_due(struct loop_timer *timer)
{
    note(timer->owner, 0);
}

/* A turn that does not sleep. */
static void turn_now(void)
{
    loop_turn(&loop, 0);
}

static void test_loop_reports_what_is_asked_for(void **state)
{
    (void)state;
    int pair[2];
    struct loop_watch watch = {0};
    char owner;
    start_loop(1);
    loop_watch_remove(&loop, &watch); /* zeroed: not watched, although its fd is 0 */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(loop_watch_add(&loop, &watch, pair[0], LOOP_READ, note_ready, &owner), ERR_OK);
    turn_now();
    assert_int_equal(notes_count, 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    turn_now();
    turn_now(); /* level-triggered: again until it is read */
    assert_int_equal(notes_count, 2);
    assert_int_equal(notes[0].events, LOOP_READ);
    assert_ptr_equal(notes[0].owner, &owner);
    loop_watch_set(&loop, &watch, LOOP_READ | LOOP_WRITE);
    turn_now();
    assert_int_equal(notes[2].events, LOOP_READ | LOOP_WRITE);
    loop_watch_set(&loop, &watch, 0);
    turn_now();
    assert_int_equal(notes_count, 3);
    (void)close(pair[1]); /* trouble is reported even when nothing is asked for */
    turn_now();
    assert_int_equal(notes[3].events, LOOP_READ | LOOP_WRITE | LOOP_ERROR);
    loop_watch_remove(&loop, &watch);
    assert_int_equal(watch.fd, -1);
    loop_watch_remove(&loop, &watch);
    turn_now();
    assert_int_equal(notes_count, 4);
    assert_int_equal(loop.turns, 7);
    (void)close(pair[0]);
    stop_loop();
}

/* ---- removal inside handlers ----------------------------------------------------------------- */

#define PAIRS 4

static int pairs[PAIRS][2];
static struct loop_watch watches[PAIRS];
static struct loop_watch stranger;

static void remove_all(struct loop_watch *watch, uint32_t events)
{
    note(watch->owner, events);
    for (size_t i = 0; i < PAIRS; i++) {
        loop_watch_remove(&loop, &watches[i]);
    }
}

/* The slot of a removed watch is given to another owner at once, in the same turn. */
static void remove_next_and_use_again(struct loop_watch *watch, uint32_t events)
{
    note(watch->owner, events);
    for (size_t i = 0; i < PAIRS; i++) {
        if (&watches[i] != watch && watches[i].fd >= 0) {
            int fd = watches[i].fd;
            loop_watch_remove(&loop, &watches[i]);
            assert_int_equal(
                loop_watch_add(&loop, &watches[i], fd, LOOP_READ, note_ready, &stranger), ERR_OK);
            return;
        }
    }
}

static void open_pairs(loop_ready *on_ready)
{
    start_loop(1);
    for (size_t i = 0; i < PAIRS; i++) {
        assert_int_equal(pipe(pairs[i]), 0);
        assert_int_equal(write(pairs[i][1], "x", 1), 1);
        assert_int_equal(
            loop_watch_add(&loop, &watches[i], pairs[i][0], LOOP_READ, on_ready, &watches[i]),
            ERR_OK);
    }
}

static void close_pairs(void)
{
    for (size_t i = 0; i < PAIRS; i++) {
        loop_watch_remove(&loop, &watches[i]);
        (void)close(pairs[i][0]);
        (void)close(pairs[i][1]);
    }
    stop_loop();
}

static void test_loop_removed_watches_are_not_called(void **state)
{
    (void)state;
    open_pairs(remove_all);
    turn_now();
    assert_int_equal(notes_count, 1);
    turn_now();
    assert_int_equal(notes_count, 1);
    close_pairs();
}

static void test_loop_slot_used_again_gets_no_old_event(void **state)
{
    (void)state;
    open_pairs(remove_next_and_use_again);
    turn_now();
    for (size_t i = 0; i < notes_count; i++) {
        assert_ptr_not_equal(notes[i].owner, &stranger);
    }
    size_t first_turn = notes_count, strangers = 0;
    turn_now(); /* but its own in the next turn */
    for (size_t i = first_turn; i < notes_count; i++) {
        strangers += notes[i].owner == &stranger ? 1 : 0;
    }
    assert_true(strangers > 0);
    close_pairs();
}

static void test_loop_refused_descriptor(void **state)
{
    (void)state;
    struct loop_watch watch = {0};
    start_loop(1);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(loop_watch_add(&loop, &watch, fileno(file), LOOP_READ, note_ready, NULL),
                     ERR_SYSTEM); /* epoll takes no regular files */
    assert_int_equal(watch.fd, -1);
    loop_watch_remove(&loop, &watch);
    (void)fclose(file);
    stop_loop();
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void set_again_to_the_past(struct loop_timer *timer)
{
    note(timer->owner, 0);
    loop_timer_set(&loop, timer, 0);
}

static void test_loop_timers_come_in_order(void **state)
{
    (void)state;
    struct loop_timer timers[3];
    start_loop(3);
    msec now_ms = loop.now_ms;
    for (size_t i = 0; i < 3; i++) {
        loop_timer_init(&timers[i], note_due, &timers[i]);
    }
    loop_timer_set(&loop, &timers[0], now_ms - 1);
    loop_timer_set(&loop, &timers[1], now_ms - 2);
    loop_timer_set(&loop, &timers[2], now_ms + 100000);
    turn_now();
    assert_int_equal(notes_count, 2);
    assert_ptr_equal(notes[0].owner, &timers[1]);
    assert_ptr_equal(notes[1].owner, &timers[0]);
    loop_timer_clear(&loop, &timers[2]);
    loop_timer_clear(&loop, &timers[2]);
    assert_false(due_is_set(&timers[2].due));
    stop_loop();
}

static void test_loop_timer_set_again_waits_for_the_next_turn(void **state)
{
    (void)state;
    struct loop_timer timer;
    start_loop(1);
    loop_timer_init(&timer, set_again_to_the_past, NULL);
    loop_timer_set(&loop, &timer, 0);
    turn_now();
    assert_int_equal(notes_count, 1);
    turn_now();
    assert_int_equal(notes_count, 2);
    stop_loop();
}

static void test_loop_sleeps_until_due_or_until_told(void **state)
{
    (void)state;
    struct loop_timer timer;
    start_loop(1);
    loop_timer_init(&timer, note_due, NULL);
    msec start_ms = os_now_ms();
    loop_timer_set(&loop, &timer, start_ms + 15);
    loop_turn(&loop, INT64_MAX);
    assert_int_equal(notes_count, 1);
    assert_in_range(os_now_ms() - start_ms, 15, 20000);
    assert_true(loop.now_ms >= start_ms + 15);
    start_ms = os_now_ms();
    loop_turn(&loop, start_ms + 10); /* nothing set: as told */
    assert_in_range(os_now_ms() - start_ms, 10, 20000);
    stop_loop();
}

static void spend_time(struct loop_timer *timer)
{
    (void)timer;
    uint64_t until_us = os_now_us() + 3000;
    while (os_now_us() < until_us) {
    }
}

static void test_loop_measures_its_turns(void **state)
{
    (void)state;
    struct loop_timer timer;
    start_loop(1);
    loop_timer_init(&timer, spend_time, NULL);
    loop_timer_set(&loop, &timer, 0);
    turn_now();
    turn_now();
    assert_in_range(loop.turn_us_max, 3000, 2000000);
    stop_loop();
}

static void turn_in_handler(struct loop_watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    turn_now();
}

static void turn_inside_a_turn(void)
{
    open_pairs(turn_in_handler);
    turn_now();
}

static void close_before_remove(void)
{
    open_pairs(note_ready);
    (void)close(pairs[0][0]);
    loop_watch_remove(&loop, &watches[0]);
}

static void test_loop_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(turn_inside_a_turn));
    assert_true(unit_dies(close_before_remove));
}

/* The kernel tells of an end whether it is waited for or not: who cannot act on it yet must not be
 * told again and again. */
static void test_loop_tells_once_of_an_end_that_nobody_waits_for(void **state)
{
    (void)state;
    int pair[2];
    struct loop_watch watch = {0};
    char owner;
    start_loop(1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(loop_watch_add(&loop, &watch, pair[0], LOOP_READ, note_ready, &owner), ERR_OK);
    loop_watch_set(&loop, &watch, 0);
    (void)close(pair[1]);
    for (int i = 0; i < 5; i++) {
        turn_now();
    }
    assert_int_equal(notes_count, 1);
    loop_watch_set(&loop, &watch, LOOP_READ);
    turn_now();
    turn_now();
    assert_int_equal(notes_count, 3);
    assert_int_equal(notes[2].events, LOOP_READ | LOOP_WRITE | LOOP_ERROR);
    loop_watch_remove(&loop, &watch);
    (void)close(pair[0]);
    stop_loop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_reports_what_is_asked_for),
        cmocka_unit_test(test_loop_removed_watches_are_not_called),
        cmocka_unit_test(test_loop_slot_used_again_gets_no_old_event),
        cmocka_unit_test(test_loop_refused_descriptor),
        cmocka_unit_test(test_loop_timers_come_in_order),
        cmocka_unit_test(test_loop_timer_set_again_waits_for_the_next_turn),
        cmocka_unit_test(test_loop_sleeps_until_due_or_until_told),
        cmocka_unit_test(test_loop_tells_once_of_an_end_that_nobody_waits_for),
        cmocka_unit_test(test_loop_measures_its_turns),
        cmocka_unit_test(test_loop_checks_its_caller),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
