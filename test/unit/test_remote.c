/* remote: exec's client side over a real HTTPS server; the owner is an echo. */
#include "serve_fake.h"

#include "serve/remote.h"

#define PATH "/exec/default/web/main?input=1&output=1&error=1&tty=0"
#define SPDY_HEAD(method, path, protocol) \
    method " " path " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n" \
    protocol "\r\n"
#define VERSION(name) "X-Stream-Protocol-Version: " name "\r\n"
#define WS_HEAD(path, protocol) \
    "GET " path " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" protocol "\r\n"
#define SUB(name) "Sec-WebSocket-Protocol: " name "\r\n"

static struct owner {
    struct remote remote;
    bool is_accepted;
    bool cannot_begin; /* on_open says so at once */
    int opened, ended, gone;
    uint32_t width, height;
    size_t room;
    char got[256];
    struct buf said;
} owner;

static char out_memory[8192];
static struct buf out;

static void on_open(struct remote *remote)
{
    const struct remote_status status = {.message = S("no slot")};
    assert_ptr_equal(remote->owner, &owner);
    owner.opened++;
    if (owner.cannot_begin) {
        remote_finish(remote, &status);
    }
}

static size_t stdin_room(struct remote *remote)
{
    (void)remote;
    return owner.room;
}

/* Echoes, and on stderr says how much it was. */
static void on_stdin(struct remote *remote, str data)
{
    assert_true(data.bytes <= owner.room);
    buf_put(&owner.said, data);
    if (remote_room(remote) >= data.bytes) {
        remote_put(remote, CHANNEL_STDOUT, data);
    }
}

static void on_stdin_end(struct remote *remote)
{
    (void)remote;
    owner.ended++;
}

static void on_resize(struct remote *remote, uint32_t width, uint32_t height)
{
    (void)remote;
    owner.width = width;
    owner.height = height;
}

static void on_room(struct remote *remote)
{
    (void)remote;
}

static void on_gone(struct remote *remote)
{
    (void)remote;
    owner.gone++;
}

static const struct remote_handlers handlers = {on_open,   stdin_room, on_stdin, on_stdin_end,
                                                on_resize, on_room,    on_gone};

static void serve_it(struct serve *serve, struct http_exchange *exchange,
                     const struct serve_target *target)
{
    struct remote_wants wants;
    (void)serve;
    (void)target;
    owner.is_accepted = remote_read_wants(exchange, &wants) &&
                        remote_accept(&owner.remote, exchange, &w.loop, &wants, &handlers, &owner);
}

static int begin(void **state)
{
    (void)state;
    fake_begin(serve_it, 4);
    memset(&owner, 0, sizeof owner);
    owner.room = 64;
    buf_init(&owner.said, owner.got, sizeof owner.got);
    buf_init(&out, out_memory, sizeof out_memory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_end();
    assert_int_equal(owner.gone, owner.is_accepted);
    return 0;
}

static void say_out(void)
{
    say(buf_str(&out));
    buf_clear(&out);
}

static void finish_with(bool is_success, bool has_code, int64_t code, const char *message)
{
    const struct remote_status status = {
        .is_success = is_success, .has_code = has_code, .code = code, .message = str_of(message)};
    remote_finish(&owner.remote, &status);
}

/* ---- SPDY ------------------------------------------------------------------------------------ */

static void put_ping(struct buf *to, uint32_t id)
{
    put_u32(to, 0x80030006u);
    put_u32(to, 4);
    put_u32(to, id);
}

static void open_spdy(const char *head)
{
    assert_true(str_starts(request(head), S("HTTP/1.1 101 ")));
    put_stream(&out, 1, "error", NULL, NULL);
    put_stream(&out, 3, "stdin", NULL, NULL);
    put_stream(&out, 5, "stdout", NULL, NULL);
    put_stream(&out, 7, "stderr", NULL, NULL);
    say_out();
    for (uint32_t id = 1; id <= 7; id += 2) {
        expect_reply(id);
    }
    assert_int_equal(owner.opened, 1);
}

#define EXIT_3 \
    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit " \
    "code: exit status 3\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":" \
    "\"ExitCode\",\"message\":\"3\"}]}}"

static void test_remote_speaks_spdy(void **state)
{
    (void)state;
    open_spdy(SPDY_HEAD("POST", PATH, VERSION("v4.channel.k8s.io")));
    put_data(&out, 3, S("hello"), false);
    say_out();
    expect_data(5, "hello");
    remote_put(&owner.remote, CHANNEL_STDERR, S("oh"));
    expect_data(7, "oh");
    put_data(&out, 3, S("bye"), true);
    say_out();
    expect_data(5, "bye");
    UNTIL(owner.ended == 1);
    finish_with(false, true, 3, "");
    expect_end(5);
    expect_end(7);
    expect_data(1, EXIT_3);
    expect_end(1);
    net_peer_close(&w.peer); /* the client leaves when it has read the end */
    UNTIL(owner.gone == 1);
}

/* The end is said from within the reading of the stream that was opened last. */
static void test_remote_that_cannot_begin_says_why(void **state)
{
    (void)state;
    owner.cannot_begin = true;
    open_spdy(SPDY_HEAD("POST", PATH, VERSION("v4.channel.k8s.io")));
    expect_end(5);
    expect_end(7);
    expect_data(1, "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"no slot\",\"reason\":"
                   "\"InternalError\",\"code\":500}");
    expect_end(1);
    put_data(&out, 3, S("too late"), true); /* the session itself is whole */
    put_ping(&out, 1);
    say_out();
    assert_int_equal(next_frame().type, 6);
}

static void test_remote_tells_of_an_input_that_ended_early(void **state)
{
    (void)state;
    assert_true(str_starts(request(SPDY_HEAD("POST", PATH, VERSION("v4.channel.k8s.io"))),
                           S("HTTP/1.1 101 ")));
    put_stream(&out, 1, "stdin", NULL, NULL);
    put_data(&out, 1, STR_NONE, true);
    put_stream(&out, 3, "error", NULL, NULL);
    put_stream(&out, 5, "stdout", NULL, NULL);
    put_stream(&out, 7, "stderr", NULL, NULL);
    say_out();
    UNTIL(owner.opened == 1);
    assert_int_equal(owner.ended, 1);
}

static void test_remote_says_how_it_ended(void **state)
{
    static const struct {
        const char *head;
        bool is_success, has_code;
        const char *message, *said; /* NULL: nothing */
    } rows[] = {
        {SPDY_HEAD("GET", PATH, VERSION("v4.channel.k8s.io")), true, true, "",
         "{\"metadata\":{},\"status\":\"Success\"}"},
        {SPDY_HEAD("POST", PATH, VERSION("v5.channel.k8s.io")), false, false, "no \"such\" thing",
         "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"no \\\"such\\\" thing\",\"reason\":"
         "\"InternalError\",\"code\":500}"},
        {SPDY_HEAD("POST", PATH, VERSION("v3.channel.k8s.io")), true, true, "", NULL},
        {SPDY_HEAD("POST", PATH, VERSION("v2.channel.k8s.io")), false, true, "",
         "command terminated with non-zero exit code: exit status 3"},
        {SPDY_HEAD("POST", PATH, ""), false, false, "broken", "broken"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        owner.opened = owner.gone = 0;
        open_spdy(rows[i].head);
        finish_with(rows[i].is_success, rows[i].has_code, 3, rows[i].message);
        expect_end(5);
        expect_end(7);
        if (rows[i].said != NULL) {
            expect_data(1, rows[i].said);
        }
        expect_end(1);
        net_peer_close(&w.peer);
        UNTIL(owner.gone == 1);
    }
}

static void test_remote_takes_what_the_owner_has_room_for(void **state)
{
    (void)state;
    open_spdy(SPDY_HEAD("POST", PATH, VERSION("v4.channel.k8s.io")));
    owner.room = 0;
    put_data(&out, 3, S("waits"), false);
    say_out();
    for (int i = 0; i < 5; i++) {
        loop_turn(&w.loop, os_now_ms() + 2);
    }
    assert_int_equal(owner.said.bytes, 0);
    owner.room = 3;
    remote_resume(&owner.remote);
    assert_text(buf_str(&owner.said), "waits"); /* in two pieces */
}

static void test_remote_with_a_terminal_has_no_stderr(void **state)
{
    (void)state;
    (void)request(SPDY_HEAD("POST", "/e?output=1&error=1&tty=1", VERSION("v4.channel.k8s.io")));
    put_stream(&out, 1, "error", NULL, NULL);
    put_stream(&out, 3, "stdout", NULL, NULL);
    put_stream(&out, 5, "nonsense", NULL, NULL);
    put_stream(&out, 7, "resize", NULL, NULL);
    put_data(&out, 7, S("{\"Width\":80,\"Hei"), false);
    put_data(&out, 7, S("ght\":24}\n{\"Width\":0,\"Height\":1}"), false);
    say_out();
    UNTIL(owner.width == 80 && owner.height == 24);
    assert_int_equal(owner.opened, 1);
    remote_put(&owner.remote, CHANNEL_STDERR, S("dropped"));
    expect_reply(1);
    expect_reply(3);
    assert_int_equal(next_frame().type, 3); /* the nonsense is reset */
    expect_reply(7);
    remote_put(&owner.remote, CHANNEL_STDOUT, S("seen"));
    expect_data(3, "seen");
}

static void test_remote_ends_a_broken_session(void **state)
{
    (void)state;
    open_spdy(SPDY_HEAD("POST", PATH, VERSION("v4.channel.k8s.io")));
    say(S("this is not SPDY at all"));
    UNTIL(w.peer.is_over);
    assert_int_equal(owner.gone, 1);
}

/* ---- WebSocket ------------------------------------------------------------------------------- */

static struct websocket client;
static const uint8_t mask[4] = {1, 2, 3, 4};

static void client_put(bool is_base64, uint8_t channel, str data)
{
    (void)channel_put(&client, is_base64, &out, channel, data, mask, NULL);
    say_out();
}

static void expect_bytes(const char *bytes, size_t count)
{
    UNTIL(w.peer.heard.bytes >= count || w.peer.is_over);
    assert_true(w.peer.heard.bytes >= count);
    assert_memory_equal(w.peer.heard.ptr, bytes, count);
    buf_drop(&w.peer.heard, count);
}
#define EXPECT(bytes) expect_bytes(bytes, sizeof(bytes) - 1)

static void test_remote_speaks_websocket(void **state)
{
    (void)state;
    websocket_init(&client, WEBSOCKET_CLIENT);
    str head = request(WS_HEAD(PATH, SUB("v9.channel.k8s.io, v5.channel.k8s.io")));
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    assert_true(str_find(head, S("Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n")) > 0);
    assert_true(str_find(head, S("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")) > 0);
    EXPECT("\x82\x01\x01"); /* the session is there */
    UNTIL(owner.opened == 1);
    client_put(false, CHANNEL_STDIN, S("hi"));
    EXPECT("\x82\x03\x01hi");
    (void)websocket_put(&client, &out, WEBSOCKET_PING, S("p"), mask);
    say_out();
    EXPECT("\x8a\x01p");
    client_put(false, CHANNEL_CLOSE, str_make("\0", 1));
    UNTIL(owner.ended == 1);
    finish_with(true, true, 0, "");
    EXPECT("\x82\x23\x03{\"metadata\":{},\"status\":\"Success\"}\x88\x02\x03\xe8");
    (void)websocket_put_close(&client, &out, WEBSOCKET_CODE_NORMAL, mask);
    say_out();
    UNTIL(owner.gone == 1);
}

static void test_remote_speaks_base64(void **state)
{
    (void)state;
    websocket_init(&client, WEBSOCKET_CLIENT);
    (void)request(WS_HEAD(PATH, SUB("base64.channel.k8s.io")));
    EXPECT("\x81\x01"
           "1");
    UNTIL(owner.opened == 1);
    client_put(true, CHANNEL_STDIN, S("hello"));
    EXPECT("\x81\x09"
           "1aGVsbG8=");
    finish_with(false, false, 0, "broken");
    EXPECT("\x81\x09"
           "3YnJva2Vu\x88\x02\x03\xe8"); /* v1: a sentence */
    net_peer_close(&w.peer);
    UNTIL(owner.gone == 1);
}

/* A character that ends a group of base64 brings three bytes: the room is kept all the same. */
static void test_remote_base64_in_single_bytes_keeps_to_the_room(void **state)
{
    (void)state;
    websocket_init(&client, WEBSOCKET_CLIENT);
    (void)request(WS_HEAD(PATH, SUB("base64.channel.k8s.io")));
    EXPECT("\x81\x01"
           "1");
    UNTIL(owner.opened == 1);
    owner.room = 3;
    (void)channel_put(&client, true, &out, CHANNEL_STDIN, S("hello, world"), mask, NULL);
    for (size_t i = 0; i < out.bytes; i++) {
        say(str_sub(buf_str(&out), i, 1));
    }
    UNTIL(owner.said.bytes == 12);
    assert_text(buf_str(&owner.said), "hello, world");
}

static void test_remote_ends_a_broken_websocket(void **state)
{
    (void)state;
    (void)request(WS_HEAD(PATH, ""));
    EXPECT("\x82\x01\x01");
    say(S("\x82\x01x")); /* not masked */
    EXPECT("\x88\x02\x03\xea");
    UNTIL(w.peer.is_over);
    assert_int_equal(owner.gone, 1);
}

/* Clients send a line for each protocol they speak (client-go's spdy), or one for all. */
static void test_remote_reads_all_lines_of_protocols(void **state)
{
    (void)state;
    str head = request(SPDY_HEAD("POST", PATH,
                                 VERSION("v9.channel.k8s.io") VERSION("v4.channel.k8s.io")
                                     VERSION("channel.k8s.io")));
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    assert_true(str_find(head, S("X-Stream-Protocol-Version: v4.channel.k8s.io\r\n")) > 0);
    net_peer_close(&w.peer);
    UNTIL(owner.gone == 1);
    owner.gone = 0;
    head = request(WS_HEAD(PATH, SUB("v9.channel.k8s.io") SUB("v8.x, v4.base64.channel.k8s.io")));
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    assert_true(str_find(head, S("Sec-WebSocket-Protocol: v4.base64.channel.k8s.io\r\n")) > 0);
    net_peer_close(&w.peer);
    UNTIL(owner.gone == 1);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_remote_refuses(void **state)
{
    static const struct {
        const char *head, *status;
    } rows[] = {
        {SPDY_HEAD("POST", "/e?tty=1", ""), "HTTP/1.1 400 "},
        {SPDY_HEAD("POST", PATH, VERSION("v9.channel.k8s.io")), "HTTP/1.1 403 "},
        {WS_HEAD(PATH, SUB("v9.channel.k8s.io")), "HTTP/1.1 403 "},
        {"GET " PATH " HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400 "},
        {"GET " PATH " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
         "HTTP/1.1 400 "},
        {"GET " PATH " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: short\r\n\r\n",
         "HTTP/1.1 400 "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(str_starts(request(rows[i].head), str_of(rows[i].status)));
        assert_false(owner.is_accepted);
        net_peer_close(&w.peer);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_remote_speaks_spdy),
        TEST(test_remote_says_how_it_ended),
        TEST(test_remote_that_cannot_begin_says_why),
        TEST(test_remote_tells_of_an_input_that_ended_early),
        TEST(test_remote_takes_what_the_owner_has_room_for),
        TEST(test_remote_with_a_terminal_has_no_stderr),
        TEST(test_remote_ends_a_broken_session),
        TEST(test_remote_speaks_websocket),
        TEST(test_remote_speaks_base64),
        TEST(test_remote_base64_in_single_bytes_keeps_to_the_room),
        TEST(test_remote_ends_a_broken_websocket),
        TEST(test_remote_reads_all_lines_of_protocols),
        TEST(test_remote_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
