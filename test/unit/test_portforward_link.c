/* portforward_link: over real sockets on the loopback; deadlines are looked at, not waited for. */
#include <sys/socket.h>

#include "unit.h"

#include "os/os.h"
#include "serve/portforward.h"
#include "serve/portforward_link.h"

#define PATIENCE_MS 10000
#define UNTIL(condition) \
    for (msec until_ms = os_now_ms() + PATIENCE_MS; !(condition);) { \
        assert_true(os_now_ms() < until_ms); \
        (void)loop_turn(&loop, os_now_ms() + 5); \
    }

static _Alignas(64) char region_memory[1 << 20];
static char pending_memory[FORWARD_PENDING_BYTES];
static char got_memory[1 << 20];
static struct region region;
static struct loop loop;
static struct forward_link tie;
static struct sock_addr at;
static int listener = -1, instance = -1;
static uint32_t moves;
static struct buf got; /* what the instance has said */

/* As the owners do it; the client takes all. */
static void on_moved(struct forward_link *moved)
{
    char memory[1000];
    str data;
    moves++;
    while ((data = forward_link_receive(moved, memory, sizeof memory)).bytes > 0) {
        buf_put(&got, data);
    }
    forward_link_rest(moved, true);
}

static int begin(void **state)
{
    struct sock_addr any;
    (void)state;
    memset(region_memory, 0, sizeof region_memory);
    region_init(&region, region_memory, sizeof region_memory);
    assert_int_equal(loop_init(&loop, &region, 4), ERR_OK);
    assert_true(sock_addr_parse(S("127.0.0.1"), 0, &any));
    assert_int_equal(sock_listen(&any, 8, &listener, &at), ERR_OK);
    (void)loop_turn(&loop, os_now_ms());
    buf_init(&got, got_memory, sizeof got_memory);
    moves = 0;
    forward_link_init(&tie, &loop, &at, pending_memory, on_moved, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    forward_link_close(&tie);
    assert_int_equal(loop.timers.count, 0);
    sock_close(&listener);
    sock_close(&instance);
    sock_close(&loop.epoll_fd);
    return 0;
}

static void connect_now(void)
{
    struct sock_addr from;
    forward_link_dial(&tie);
    UNTIL(sock_accept(listener, &instance, &from) == ERR_OK);
    UNTIL(tie.is_connected);
}

/* Milliseconds from the newest turn of the loop; -1: no deadline. */
static msec deadline_ms(void)
{
    return due_is_set(&tie.timer.due) ? due_next_ms(&loop.timers) - loop.now_ms : -1;
}

static void assert_deadline(msec expected_ms)
{
    assert_in_range(deadline_ms(), expected_ms - PATIENCE_MS / 2, expected_ms);
}

static void pass_deadline(void)
{
    loop_timer_clear(&loop, &tie.timer);
    tie.timer.on_due(&tie.timer);
}

static void instance_resets(void)
{
    const struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(instance, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    sock_close(&instance);
}

static void expect_instance_hears(str text)
{
    static char memory[1 << 20];
    size_t bytes = 0, done = 0;
    UNTIL(sock_receive(instance, memory + bytes, sizeof memory - bytes, &done) == ERR_OK &&
          (bytes += done) >= text.bytes);
    assert_int_equal(bytes, text.bytes);
    assert_memory_equal(memory, text.ptr, bytes);
}

static void expect_instance_end(void)
{
    char byte;
    size_t done;
    UNTIL(sock_receive(instance, &byte, 1, &done) == ERR_END);
}

/* The instance has said all it wants and still listens: the client has all the time it needs. */
static void test_the_instance_ends_first(void **state)
{
    (void)state;
    size_t done;
    connect_now();
    assert_int_equal(deadline_ms(), -1);
    assert_int_equal(sock_send(instance, "answer", 6, &done), ERR_OK);
    sock_shut_write(instance);
    UNTIL(tie.is_over);
    assert_text(buf_str(&got), "answer");
    assert_true(tie.fd >= 0 && tie.why_bytes == 0);
    assert_int_equal(deadline_ms(), -1); /* the client may be slow to hear of it */
    forward_link_told(&tie);
    assert_deadline(FORWARD_HALF_MS);
    forward_link_put(&tie, S("late question"));
    expect_instance_hears(S("late question"));
    assert_deadline(FORWARD_HALF_MS); /* since the last byte */
    forward_link_end(&tie);
    expect_instance_end();
    UNTIL(tie.fd < 0); /* both sides are over */
    assert_deadline(FORWARD_LINGER_MS);
    pass_deadline();
    assert_true(tie.is_late);
}

/* ... and when it is gone altogether, that is no reason to wait longer. */
static void test_the_instance_ends_and_goes(void **state)
{
    (void)state;
    connect_now();
    sock_shut_write(instance);
    UNTIL(tie.is_over);
    forward_link_told(&tie);
    instance_resets();
    UNTIL(tie.fd < 0);
    assert_deadline(FORWARD_LINGER_MS);
    assert_int_equal(tie.why_bytes, 0);
    assert_true(forward_link_room(&tie) == SIZE_MAX);
    forward_link_put(&tie, S("for nobody"));
    forward_link_end(&tie);
}

/* The client has asked, and waits for the answer as long as it takes. */
static void test_the_client_ends_first(void **state)
{
    (void)state;
    size_t done;
    forward_link_put(&tie, S("early "));
    connect_now();
    forward_link_put(&tie, S("question"));
    forward_link_end(&tie);
    expect_instance_hears(S("early question"));
    expect_instance_end();
    assert_int_equal(deadline_ms(), -1);
    assert_int_equal(sock_send(instance, "answer", 6, &done), ERR_OK);
    UNTIL(got.bytes == 6);
    assert_false(tie.is_over);
    sock_close(&instance);
    UNTIL(tie.is_over);
}

/* What waits when either side ends still goes through first. */
static void end_behind_what_waits(bool instance_ends)
{
    static char sent_memory[8 << 20];
    char piece[1000];
    size_t sent = 0, heard = 0, done = 0;
    connect_now();
    for (; forward_link_room(&tie) >= sizeof piece && sent + sizeof piece < sizeof sent_memory;
         sent += sizeof piece) {
        memset(piece, (int)('a' + sent % 23), sizeof piece);
        memcpy(sent_memory + sent, piece, sizeof piece);
        forward_link_put(&tie, str_make(piece, sizeof piece));
    }
    assert_true(tie.pending.bytes > 0);
    assert_deadline(FORWARD_STALL_MS);
    if (instance_ends) {
        sock_shut_write(instance);
        forward_link_rest(&tie, true);
        UNTIL(tie.is_over);
        forward_link_told(&tie);
    }
    forward_link_end(&tie);
    assert_true(tie.is_shut == (tie.pending.bytes == 0));
    forward_link_rest(&tie, true);
    static char memory[1 << 20];
    enum err err = ERR_OK;
    UNTIL((err = sock_receive(instance, memory, sizeof memory, &done)) == ERR_END ||
          (err == ERR_OK && memcmp(memory, sent_memory + heard, done) == 0 &&
           (heard += done) > sizeof sent_memory));
    assert_int_equal(heard, sent);
    assert_true(tie.is_shut);
    assert_int_equal(tie.pending.bytes, 0);
}

static void test_an_end_of_the_client_behind_what_waits(void **state)
{
    (void)state;
    end_behind_what_waits(false);
    assert_int_equal(deadline_ms(), -1);
}

static void test_an_end_of_the_instance_before_what_waits(void **state)
{
    (void)state;
    end_behind_what_waits(true);
}

static void test_an_instance_that_takes_nothing(void **state)
{
    (void)state;
    char piece[1000] = "x";
    connect_now();
    while (forward_link_room(&tie) >= sizeof piece) {
        forward_link_put(&tie, str_make(piece, sizeof piece));
    }
    assert_deadline(FORWARD_STALL_MS);
    pass_deadline();
    assert_true(tie.is_over && !tie.is_late && tie.fd < 0);
    assert_true(str_find(str_make(tie.why, tie.why_bytes), str_of(err_text(ERR_TIMEOUT))) > 0);
    forward_link_told(&tie);
    assert_deadline(FORWARD_LINGER_MS);
}

static void test_nothing_listens(void **state)
{
    (void)state;
    sock_close(&listener);
    forward_link_dial(&tie);
    UNTIL(tie.is_over);
    str why = str_make(tie.why, tie.why_bytes);
    assert_true(str_starts(why, S("error forwarding port ")));
    assert_true(str_ends(why, S(": connection refused")));
    assert_int_equal(moves, 1);
}

static void test_never_dialled(void **state)
{
    (void)state;
    assert_deadline(FORWARD_CONNECT_MS);
    pass_deadline();
    assert_true(tie.is_late && moves == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_instance_ends_first),
        TEST(test_the_instance_ends_and_goes),
        TEST(test_the_client_ends_first),
        TEST(test_an_end_of_the_client_behind_what_waits),
        TEST(test_an_end_of_the_instance_before_what_waits),
        TEST(test_an_instance_that_takes_nothing),
        TEST(test_nothing_listens),
        TEST(test_never_dialled),
    };
    return cmocka_run_group_tests_name("portforward_link", tests, NULL, NULL);
}
