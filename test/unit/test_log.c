/* see log.h. Each test gives the log a stderr of its own and looks at what comes out of it. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "os/log.h"
#include "os/loop.h"
#include "os/os.h"

#define RING_BYTES 8192

static int stderr_before = -1;
static int reader = -1; /* our end of stderr */
static struct loop loop;

/* A kind of stderr: fills fds[0] (to read) and fds[1] (to write). */
typedef int make_stderr(int fds[2]);

static int make_socket(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static int make_file(int fds[2])
{
    char path[] = "/tmp/test-log-XXXXXX";
    fds[1] = mkstemp(path);
    fds[0] = open(path, O_RDONLY);
    return unlink(path);
}

static void set_up(make_stderr *make)
{
    int fds[2];
    assert_int_equal(make(fds), 0);
    stderr_before = dup(STDERR_FILENO);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    (void)close(fds[1]);
    reader = fds[0];
    assert_true(fcntl(reader, F_SETFL, O_NONBLOCK) == 0);
    struct region region = unit_region();
    log_init(&region, RING_BYTES);
    assert_int_equal(loop_init(&loop, &region, 1), ERR_OK);
    log_set_level(LOG_INFO);
}

static void tear_down(void)
{
    log_attach(NULL);
    (void)close(reader);
    assert_true(dup2(stderr_before, STDERR_FILENO) >= 0);
    (void)close(stderr_before);
    (void)close(loop.epoll_fd);
    struct region region = unit_region();
    log_init(&region, RING_BYTES); /* lets go of the pipe */
}

/* What has come out up to now. */
static str read_out(void)
{
    static char text[1 << 20];
    size_t bytes = 0;
    ssize_t got;
    while ((got = read(reader, text + bytes, sizeof(text) - bytes)) > 0) {
        bytes += (size_t)got;
    }
    return str_make(text, bytes);
}

/* The message of a line, without "2026-01-02T03:04:05.678Z info  pod     ". */
static str message_of(str line)
{
    assert_true(line.bytes > 39);
    assert_true(line.ptr[10] == 'T' && line.ptr[19] == '.' && line.ptr[23] == 'Z');
    return str_sub(str_trim(line), 39, SIZE_MAX);
}

static void test_log_line_form(void **state)
{
    (void)state;
    set_up(pipe);
    errno = 4711;
    log_line(LOG_INFO, "pod", "web/%s: create sent, attempt %d", "nginx-1", 0);
    log_line(LOG_DEBUG, "pod", "not asked for");
    log_line(LOG_ERROR, "brain", "x");
    assert_int_equal(errno, 4711);
    str rest = read_out(), line;
    assert_true(str_cut(&rest, '\n', &line));
    assert_text(str_sub(line, 24, SIZE_MAX), " info  pod     web/nginx-1: create sent, attempt 0");
    assert_true(str_cut(&rest, '\n', &line));
    assert_text(str_sub(line, 24, SIZE_MAX), " error brain   x");
    assert_int_equal(rest.bytes, 0);
    tear_down();
}

static void test_log_levels(void **state)
{
    (void)state;
    log_set_level(LOG_WARN);
    assert_true(log_is_on(LOG_ERROR) && log_is_on(LOG_WARN));
    assert_false(log_is_on(LOG_INFO) || log_is_on(LOG_DEBUG));
}

static void test_log_escapes_what_could_mislead(void **state)
{
    (void)state;
    const struct {
        const char *text, *shown;
    } cases[] = {
        {"a\nfaked line", "a\\nfaked line"},
        {"\t\r\x1b[31m\x7f", "\\t\\r\\x1b[31m\\x7f"},
        {"\xC3\xA4\xE2\x82\xAC", "\xC3\xA4\xE2\x82\xAC"},
        {"\xC2\x9B"
         "31m",
         "\\xc2\\x9b31m"}, /* U+009B, a terminal's control sequence in one */
        {"bad \xff\xC3(", "bad \\xff\\xc3("},
        {"back\\slash", "back\\slash"},
    };
    set_up(pipe);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        log_line(LOG_INFO, "x", "%s", cases[i].text);
        assert_text(message_of(read_out()), cases[i].shown);
    }
    tear_down();
}

static void test_log_long_lines_end_in_dots(void **state)
{
    (void)state;
    char text[6000];
    const size_t sizes[] = {900, 980, 990, 1024, 4095, 4096, 5999};
    set_up(pipe);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        memset(text, 'x', sizeof(text));
        text[sizes[i]] = '\0';
        log_line(LOG_INFO, "x", "%s", text);
        str line = read_out();
        assert_true(line.bytes <= LOG_LINE_BYTES_MAX);
        assert_int_equal(str_ends(line, S("...\n")), sizes[i] > 982);
        assert_true(str_ends(line, S("\n")));
    }
    tear_down();
}

/* ---- secrets --------------------------------------------------------------------------------- */

static void test_log_hides_secrets(void **state)
{
    (void)state;
    char token[300], message[1000];
    set_up(pipe);
    memset(token, 't', sizeof(token));
    log_hide(S("s3cret-key"));
    log_hide(S("s3cret-key"));
    log_hide(S("short"));
    log_hide(str_make(token, sizeof(token)));
    log_line(LOG_INFO, "x", "key=s3cret-key&again=s3cret-keys3cret-key short s3cret-ke");
    assert_text(message_of(read_out()), "key=***&again=****** short s3cret-ke");
    (void)snprintf(message, sizeof(message), "<%.*s>", (int)sizeof(token), token);
    log_line(LOG_INFO, "x", "%s", message);
    assert_text(message_of(read_out()), "<***>");
    tear_down();
}

/* A secret across the place where a huge message is cut must not show its first half, even when
 * other secrets in front of it make the line shorter. */
static void test_log_hides_secrets_that_are_cut(void **state)
{
    (void)state;
    char text[5000], token[500];
    set_up(pipe);
    memset(token, 'k', sizeof(token));
    log_hide(str_make(token, sizeof(token)));
    log_hide(S("!precious!"));
    memset(text, 'k', 4000);
    memset(text + 4000, '.', 91);
    (void)snprintf(text + 4091, sizeof(text) - 4091, "!precious! and more");
    log_line(LOG_INFO, "x", "%s", text);
    str message = message_of(read_out());
    assert_true(str_starts(message, S("************************....")));
    assert_true(str_find(message, S("!p")) < 0);
    assert_true(str_ends(message, S(".***...")));
    tear_down();
}

static void test_log_old_secrets_make_room(void **state)
{
    (void)state;
    char secret[32];
    set_up(pipe);
    log_hide(S("oldest-one"));
    for (int i = 0; i < LOG_HIDDEN_MAX; i++) {
        (void)snprintf(secret, sizeof(secret), "secret-%02d", i);
        log_hide(str_of(secret));
    }
    log_line(LOG_INFO, "x", "secret-00 secret-15 oldest-one");
    assert_text(message_of(read_out()), "*** *** oldest-one");
    tear_down();
}

/* ---- a slow reader --------------------------------------------------------------------------- */

/* Writes numbered lines without reading; returns how many. */
static int write_until_dropped(void)
{
    int count = 0;
    uint64_t before = log_dropped();
    while (log_dropped() < before + 5) {
        log_line(LOG_INFO, "x", "line %d %0200d", count++, 0);
        assert_true(count < 100000);
    }
    return count;
}

/* Lines are whole, in order, and their gaps are told. */
static void assert_complete(str text, int count)
{
    str line;
    int expected = 0, dropped = 0;
    while (str_cut(&text, '\n', &line)) {
        int number = 0;
        char message[512];
        assert_true(str_copy(message, sizeof(message), message_of(line)));
        if (sscanf(message, "%d lines dropped here", &number) == 1) {
            dropped += number;
            expected += number;
        } else {
            assert_int_equal(sscanf(message, "line %d ", &number), 1);
            assert_int_equal(number, expected);
            expected++;
        }
    }
    assert_int_equal(expected, count);
    assert_int_equal(dropped, 5);
}

static void test_log_does_not_block_and_counts_what_it_drops(void **state)
{
    (void)state;
    make_stderr *makers[] = {pipe, make_socket};
    for (size_t i = 0; i < COUNT_OF(makers); i++) {
        static char all[1 << 20];
        struct buf text;
        set_up(makers[i]);
        int count = write_until_dropped();
        buf_init(&text, all, sizeof(all));
        buf_put(&text, read_out());
        for (int n = 0; n < 3; n++) { /* each line takes what waits with it */
            log_line(LOG_INFO, "x", "line %d ", count++);
            buf_put(&text, read_out());
        }
        assert_complete(buf_str(&text), count);
        tear_down();
    }
}

static void test_log_waits_in_the_loop(void **state)
{
    (void)state;
    make_stderr *makers[] = {pipe, make_socket};
    for (size_t i = 0; i < COUNT_OF(makers); i++) {
        static char all[1 << 20];
        struct buf text;
        set_up(makers[i]);
        log_attach(&loop);
        loop_turn(&loop, 0);
        int count = write_until_dropped();
        buf_init(&text, all, sizeof(all));
        for (int turn = 0; turn < 20; turn++) {
            buf_put(&text, read_out());
            loop_turn(&loop, 0);
        }
        buf_put(&text, read_out());
        assert_complete(buf_str(&text), count);
        /* Nothing waits: an idle loop sleeps. */
        msec start_ms = os_now_ms();
        loop_turn(&loop, start_ms + 5);
        assert_true(os_now_ms() >= start_ms + 5);
        tear_down();
    }
}

static void test_log_survives_the_reader(void **state)
{
    (void)state;
    make_stderr *makers[] = {pipe, make_socket};
    for (size_t i = 0; i < COUNT_OF(makers); i++) {
        set_up(makers[i]);
        log_attach(&loop);
        (void)close(reader);
        reader = -1;
        uint64_t before = log_dropped();
        for (int n = 0; n < 200; n++) {
            log_line(LOG_INFO, "x", "%0200d", n);
            loop_turn(&loop, 0);
        }
        assert_true(log_dropped() > before);
        msec start_ms = os_now_ms();
        loop_turn(&loop, start_ms + 5); /* no busy loop over the broken descriptor */
        assert_true(os_now_ms() >= start_ms + 5);
        log_flush(10000);
        assert_true(os_now_ms() < start_ms + 5000);
        tear_down();
    }
}

/* How many lines are reported missing in a text. */
static int count_missing(str text)
{
    str line;
    int sum = 0;
    while (str_cut(&text, '\n', &line)) {
        char message[LOG_LINE_BYTES_MAX];
        int number;
        (void)str_copy(message, sizeof(message), str_sub(line, 39, SIZE_MAX));
        if (sscanf(message, "%d lines dropped here", &number) == 1) {
            sum += number;
        }
    }
    return sum;
}

/* A reader that wakes up late: ends well when the last line has come. */
static void read_late(void)
{
    static char text[1 << 20];
    size_t bytes = 0;
    ssize_t got;
    (void)fcntl(reader, F_SETFL, 0);
    (void)usleep(20000);
    while ((got = read(reader, text + bytes, sizeof(text) - bytes)) > 0) {
        bytes += (size_t)got;
        if (count_missing(str_make(text, bytes)) == 5) {
            _exit(0);
        }
    }
    _exit(1);
}

static void test_log_flush_waits_for_the_reader(void **state)
{
    (void)state;
    int status = -1;
    set_up(pipe);
    (void)write_until_dropped();
    msec start_ms = os_now_ms();
    log_flush(10); /* nobody reads: gives up in time */
    assert_in_range(os_now_ms() - start_ms, 10, 20000);
    pid_t child = fork();
    if (child == 0) {
        read_late();
    }
    log_flush(10000);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(os_now_ms() < start_ms + 5000);
    tear_down();
}

static void test_log_to_a_file(void **state)
{
    (void)state;
    set_up(make_file);
    log_attach(&loop);
    for (int i = 0; i < 100; i++) {
        log_line(LOG_INFO, "x", "line %d %0200d", i, 0);
    }
    str rest = read_out(), line;
    int count = 0;
    while (str_cut(&rest, '\n', &line)) {
        count++;
    }
    assert_int_equal(count, 100);
    tear_down();
}

static void write_straight(void)
{
    log_line(LOG_INFO, "x", "before log_init");
    _exit(0);
}

/* In a child. This test is the first: the others set up the log of this process. */
static void test_log_before_init_goes_straight_out(void **state)
{
    (void)state;
    int fds[2];
    char text[256];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        write_straight();
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    ssize_t bytes = read(fds[0], text, sizeof(text));
    assert_true(bytes > 0);
    assert_text(message_of(str_make(text, (size_t)bytes)), "before log_init");
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as signals_init() does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_before_init_goes_straight_out),
        cmocka_unit_test(test_log_line_form),
        cmocka_unit_test(test_log_levels),
        cmocka_unit_test(test_log_escapes_what_could_mislead),
        cmocka_unit_test(test_log_long_lines_end_in_dots),
        cmocka_unit_test(test_log_hides_secrets),
        cmocka_unit_test(test_log_hides_secrets_that_are_cut),
        cmocka_unit_test(test_log_old_secrets_make_room),
        cmocka_unit_test(test_log_does_not_block_and_counts_what_it_drops),
        cmocka_unit_test(test_log_waits_in_the_loop),
        cmocka_unit_test(test_log_survives_the_reader),
        cmocka_unit_test(test_log_flush_waits_for_the_reader),
        cmocka_unit_test(test_log_to_a_file),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
