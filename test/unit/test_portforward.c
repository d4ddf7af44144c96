/* portforward: over a real HTTPS server and real sockets on the loopback. */
#include <sys/socket.h>

#include "serve_fake.h"

#include "net/websocket.h"
#include "serve/portforward.h"

#define UPGRADE(protocol) \
    "POST /portForward/default/web HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n" \
    "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: " protocol "\r\n\r\n"
#define TUNNEL(protocol, key) \
    "GET /portForward/default/web HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n" \
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " key "\r\n" \
    "Sec-WebSocket-Protocol: " protocol "\r\n\r\n"
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define BULK_BYTES (3 << 20)

static int listener = -1;
static char port_text[8];
static char out_memory[4096];
static struct buf out;
static char bulk[BULK_BYTES];

static int begin(void **state)
{
    struct sock_addr any;
    struct sock_addr bound;
    (void)state;
    fake_begin(forward_serve, FORWARD_TIMERS(2));
    forward_init(&w.region, &w.loop, 2);
    assert_true(sock_addr_parse(S("127.0.0.1"), 0, &any));
    assert_int_equal(sock_listen(&any, 8, &listener, &bound), ERR_OK);
    (void)snprintf(port_text, sizeof port_text, "%u", bound.port);
    buf_init(&out, out_memory, sizeof out_memory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sock_close(&listener);
    fake_end();
    assert_int_equal(forward_open(), 0);
    return 0;
}

static void open_pair(uint32_t id, const char *request_id)
{
    buf_clear(&out);
    put_stream(&out, id, "error", port_text, request_id);
    put_stream(&out, id + 2, "data", port_text, request_id);
    say(buf_str(&out));
    expect_reply(id);
    expect_reply(id + 2);
}

static void send_data(uint32_t id, str data, bool is_last)
{
    buf_clear(&out);
    put_data(&out, id, data, is_last);
    say(buf_str(&out));
}

static int accept_one(void)
{
    struct sock_addr from;
    int fd = -1;
    UNTIL(sock_accept(listener, &fd, &from) == ERR_OK);
    return fd;
}

static void expect_instance_hears(int fd, const char *text)
{
    char memory[256];
    size_t bytes = 0;
    size_t done = 0;
    UNTIL(sock_receive(fd, memory + bytes, sizeof memory - bytes, &done) == ERR_OK &&
          (bytes += done) >= strlen(text));
    assert_text(str_make(memory, bytes), text);
}

static void expect_instance_end(int fd)
{
    char byte;
    size_t done;
    UNTIL(sock_receive(fd, &byte, 1, &done) == ERR_END);
}

static void test_forward_moves_bytes_and_half_closes(void **state)
{
    (void)state;
    size_t done;
    str head = request(UPGRADE("portforward.k8s.io"));
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    assert_true(str_find(head, S("X-Stream-Protocol-Version: portforward.k8s.io\r\n")) > 0);
    open_pair(1, "0");
    int fd = accept_one();
    send_data(1, STR_NONE, true); /* kubectl never writes to the error stream */
    send_data(3, S("hello"), false);
    expect_instance_hears(fd, "hello");
    assert_int_equal(sock_send(fd, "world", 5, &done), ERR_OK);
    expect_data(3, "world");
    send_data(3, S("bye"), true);
    expect_instance_hears(fd, "bye");
    expect_instance_end(fd);
    assert_int_equal(sock_send(fd, "late", 4, &done), ERR_OK);
    expect_data(3, "late");
    sock_close(&fd);
    expect_end(3);
    expect_end(1);
    /* the slot is free: the same number may come again in a later pair */
    open_pair(5, "0");
    fd = accept_one();
    sock_close(&fd);
    expect_end(7);
    expect_end(5);
}

/* The other way round: the instance has said all, and the client goes on. */
static void test_forward_half_closes_from_the_instance(void **state)
{
    (void)state;
    size_t done;
    (void)request(UPGRADE("portforward.k8s.io"));
    open_pair(1, "0");
    int fd = accept_one();
    assert_int_equal(sock_send(fd, "banner", 6, &done), ERR_OK);
    sock_shut_write(fd);
    expect_data(3, "banner");
    expect_end(3);
    expect_end(1);
    send_data(3, S("still "), false);
    expect_instance_hears(fd, "still ");
    send_data(3, S("here"), true);
    expect_instance_hears(fd, "here");
    expect_instance_end(fd);
    sock_close(&fd);
    send_data(1, STR_NONE, true);
    open_pair(5, "0"); /* the slot is free */
    fd = accept_one();
    sock_close(&fd);
    expect_end(7);
    expect_end(5);
}

static void test_forward_keeps_several_connections_apart(void **state)
{
    (void)state;
    int fds[3];
    char text[24];
    size_t done;
    (void)request(UPGRADE("portforward.k8s.io"));
    for (uint32_t i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof text, "%u", i);
        open_pair(1 + 4 * i, text);
        fds[i] = accept_one();
    }
    for (uint32_t i = 3; i-- > 0;) {
        (void)snprintf(text, sizeof text, "to %u", i);
        send_data(3 + 4 * i, str_of(text), false);
        expect_instance_hears(fds[i], text);
        assert_int_equal(sock_send(fds[i], text, 4, &done), ERR_OK);
        expect_data(3 + 4 * i, text);
    }
    for (uint32_t i = 0; i < 3; i++) {
        sock_close(&fds[i]);
        expect_end(3 + 4 * i);
        expect_end(1 + 4 * i);
    }
}

static void test_forward_tells_what_went_wrong(void **state)
{
    (void)state;
    (void)request(UPGRADE("portforward.k8s.io"));
    sock_close(&listener);
    open_pair(1, "0");
    struct frame frame = next_frame();
    assert_int_equal(frame.id, 1);
    assert_true(str_starts(frame.payload, S("error forwarding port ")));
    assert_true(str_ends(frame.payload, S(": connection refused")));
    expect_end(3);
    expect_end(1);
}

static void test_forward_passes_on_a_reset_of_the_client(void **state)
{
    (void)state;
    (void)request(UPGRADE("portforward.k8s.io"));
    open_pair(1, "0");
    int fd = accept_one();
    buf_clear(&out);
    put_u32(&out, 0x80030003u);
    put_u32(&out, 8);
    put_u32(&out, 3);
    put_u32(&out, 5);
    say(buf_str(&out));
    struct frame frame = next_frame();
    assert_int_equal(frame.type, 3); /* the error stream goes, too */
    assert_int_equal(frame.id, 1);
    expect_instance_end(fd);
    sock_close(&fd);
}

static void test_forward_refuses_bad_streams(void **state)
{
    static const struct {
        const char *type, *to_port, *request_id;
    } rows[] = {
        {"data", NULL, "0"},      {"data", "0", "1"},
        {"data", "65536", "2"},   {"data", "http", "3"},
        {"something", "80", "4"}, {"data", "80", "1234567890123456789012345"},
    };
    (void)state;
    (void)request(UPGRADE("portforward.k8s.io"));
    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&out);
        put_stream(&out, 1 + 2 * i, rows[i].type, rows[i].to_port, rows[i].request_id);
        say(buf_str(&out));
        struct frame frame = next_frame();
        assert_int_equal(frame.type, 3);
        assert_int_equal(frame.id, 1 + 2 * i);
    }
}

static void test_forward_refuses_requests(void **state)
{
    (void)state;
    assert_true(str_starts(request(UPGRADE("v9.portforward.k8s.io")), S("HTTP/1.1 403 ")));
    w.has_pod = false;
    UNTIL(w.peer.heard.bytes > 0 || w.peer.is_over);
    net_peer_close(&w.peer);
    assert_true(str_starts(request(UPGRADE("portforward.k8s.io")), S("HTTP/1.1 404 ")));
    net_peer_close(&w.peer);
    w.has_pod = true;
    w.pod.is_running = false;
    assert_true(str_starts(request(UPGRADE("portforward.k8s.io")), S("HTTP/1.1 400 ")));
    net_peer_close(&w.peer);
    assert_true(str_starts(request(TUNNEL("v9.portforward.k8s.io", KEY)), S("HTTP/1.1 403 ")));
    net_peer_close(&w.peer);
    w.pod.is_running = true;
    assert_true(
        str_starts(request(TUNNEL("SPDY/3.1+portforward.k8s.io", "short")), S("HTTP/1.1 400 ")));
    net_peer_close(&w.peer);
    w.pod.address = STR_NONE;
    assert_true(str_starts(request(UPGRADE("portforward.k8s.io")), S("HTTP/1.1 400 ")));
    net_peer_close(&w.peer);
    assert_true(str_starts(request("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
                           S("HTTP/1.1 400 ")));
    net_peer_close(&w.peer);
    assert_int_equal(forward_open(), 0);
}

/* Each protocol may come in a line of its own. */
static void test_forward_reads_all_lines_of_protocols(void **state)
{
    (void)state;
    str head = request(UPGRADE("v9.portforward.k8s.io\r\n"
                               "X-Stream-Protocol-Version: portforward.k8s.io"));
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    net_peer_close(&w.peer);
    head = request(TUNNEL("v9.portforward.k8s.io\r\n"
                          "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io",
                          KEY));
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    net_peer_close(&w.peer);
    head = request(TUNNEL("v9.portforward.k8s.io\r\n"
                          "Sec-WebSocket-Protocol: v8.x, v7.x",
                          KEY));
    assert_true(str_starts(head, S("HTTP/1.1 403 ")));
    net_peer_close(&w.peer);
    UNTIL(forward_open() == 0);
}

/* ---- inside a WebSocket ---------------------------------------------------------------------- */

static const uint8_t mask[4] = {1, 2, 3, 4};

static void open_tunnel(void)
{
    str head = request(TUNNEL("SPDY/3.1+portforward.k8s.io", KEY));
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    assert_true(str_find(head, S("Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n")) > 0);
    assert_true(str_find(head, S("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")) > 0);
}

static void say_message(enum websocket_opcode opcode, str payload)
{
    static char memory[4096];
    struct buf text;
    struct websocket client;
    websocket_init(&client, WEBSOCKET_CLIENT);
    buf_init(&text, memory, sizeof memory);
    assert_true(websocket_put(&client, &text, opcode, payload, mask));
    say(buf_str(&text));
}

/* The next small message that the server sent. */
static str next_message(int opcode)
{
    UNTIL(w.peer.heard.bytes >= w.read_at + 2);
    const uint8_t *head = (const uint8_t *)w.peer.heard.ptr + w.read_at;
    assert_int_equal(head[0], 128 | opcode);
    assert_true(head[1] < 126);
    UNTIL(w.peer.heard.bytes >= w.read_at + 2 + head[1]);
    w.read_at += 2u + head[1];
    return str_make((const char *)head + 2, head[1]);
}

static int open_pair_in_tunnel(void)
{
    str text;
    open_tunnel();
    buf_clear(&out);
    put_stream(&out, 1, "error", port_text, "0");
    put_stream(&out, 3, "data", port_text, "0");
    text = buf_str(&out);
    say_message(WEBSOCKET_BINARY, str_sub(text, 0, 5)); /* cut anywhere */
    say_message(WEBSOCKET_BINARY, STR_NONE);
    say_message(WEBSOCKET_BINARY, str_sub(text, 5, SIZE_MAX));
    for (size_t bytes = 0; bytes < 2 * 17;) { /* two SYN_REPLY with a stored block of none */
        str reply = next_message(WEBSOCKET_BINARY);
        assert_true(bytes > 0 || str_starts(reply, str_make("\x80\x03\x00\x02", 4)));
        bytes += reply.bytes;
    }
    return accept_one();
}

static void test_tunnel_moves_bytes(void **state)
{
    (void)state;
    size_t done;
    int fd = open_pair_in_tunnel();
    buf_clear(&out);
    put_data(&out, 3, S("hello"), true);
    say_message(WEBSOCKET_BINARY, buf_str(&out));
    expect_instance_hears(fd, "hello");
    expect_instance_end(fd);
    assert_int_equal(sock_send(fd, "world", 5, &done), ERR_OK);
    str text = next_message(WEBSOCKET_BINARY);
    assert_true(str_eq(text, str_make("\0\0\0\3\0\0\0\5world", 13)));
    say_message(WEBSOCKET_PING, S("are you there"));
    assert_text(next_message(WEBSOCKET_PONG), "are you there");
    say_message(WEBSOCKET_PING, STR_NONE);
    assert_text(next_message(WEBSOCKET_PONG), "");
    say_message(WEBSOCKET_PONG, STR_NONE);
    say_message(WEBSOCKET_CLOSE, str_make("\x03\xe8", 2));
    assert_true(str_eq(next_message(WEBSOCKET_CLOSE), str_make("\x03\xe8", 2)));
    UNTIL(w.peer.is_over && forward_open() == 0);
    sock_close(&fd);
}

static void test_tunnel_ends_when_its_rules_are_broken(void **state)
{
    (void)state;
    open_tunnel();
    say(str_make("\x82\x01x", 3)); /* not masked */
    assert_true(str_eq(next_message(WEBSOCKET_CLOSE), str_make("\x03\xea", 2)));
    UNTIL(w.peer.is_over && forward_open() == 0);
    net_peer_close(&w.peer);
    open_tunnel();
    say_message(WEBSOCKET_BINARY, S("GET / HTTP/1.1\r\n\r\n")); /* no SPDY inside */
    assert_true(next_message(WEBSOCKET_BINARY).bytes > 0);      /* its GOAWAY */
    assert_true(str_eq(next_message(WEBSOCKET_CLOSE), str_make("\x03\xe8", 2)));
    UNTIL(w.peer.is_over && forward_open() == 0);
}

/* Both ways at once, far more than all buffers hold. */
static void test_forward_waits_for_the_slower_side(void **state)
{
    (void)state;
    static char client_says[BULK_BYTES / 1000 * 1008 + 1008];
    static char memory[BULK_BYTES];
    struct buf said;
    size_t instance_heard = 0;
    size_t instance_said = 0;
    size_t client_heard = 0;
    for (size_t i = 0; i < BULK_BYTES; i++) {
        bulk[i] = (char)(i * 31 + (i >> 9));
    }
    (void)request(UPGRADE("portforward.k8s.io"));
    open_pair(1, "0");
    int fd = accept_one();
    buf_init(&said, client_says, sizeof client_says);
    for (size_t at = 0; at < BULK_BYTES; at += 1000) {
        put_data(&said, 3, str_sub(str_make(bulk, BULK_BYTES), at, 1000), false);
    }
    assert_true(buf_ok(&said));
    net_peer_say(&w.peer, buf_str(&said));
    while (instance_heard < BULK_BYTES || client_heard < BULK_BYTES) {
        size_t done = 0;
        if (instance_said < BULK_BYTES &&
            sock_send(fd, bulk + instance_said, BULK_BYTES - instance_said, &done) == ERR_OK) {
            instance_said += done;
        }
        if (sock_receive(fd, memory + instance_heard, 5000, &done) == ERR_OK) {
            instance_heard += done;
        }
        (void)loop_turn(&w.loop, os_now_ms());
        while (client_heard < instance_said && w.peer.heard.bytes >= w.read_at + 8 &&
               w.peer.heard.bytes >= w.read_at + 8 + (u32_at(w.read_at + 4) & 0xffffffu)) {
            uint32_t type = u32_at(w.read_at);
            uint32_t length = u32_at(w.read_at + 4) & 0xffffffu;
            if (type == 3) {
                assert_memory_equal(w.peer.heard.ptr + w.read_at + 8, bulk + client_heard, length);
                client_heard += length;
            }
            w.read_at += 8 + length;
        }
    }
    assert_memory_equal(memory, bulk, BULK_BYTES);
    sock_close(&fd);
}

static void test_forward_frees_all_when_the_client_vanishes(void **state)
{
    (void)state;
    uint32_t before = os_descriptors_open();
    (void)request(UPGRADE("portforward.k8s.io"));
    open_pair(1, "0");
    open_pair(5, "1");
    int first = accept_one();
    int second = accept_one();
    net_peer_reset(&w.peer);
    UNTIL(forward_open() == 0);
    expect_instance_end(first);
    expect_instance_end(second);
    sock_close(&first);
    sock_close(&second);
    UNTIL(http_server_open(&w.server) == 0);
    assert_int_equal(os_descriptors_open(), before);
}

/* The instance is reset while the client takes nothing: there is nothing to do but to wait. */
static void test_forward_sleeps_while_nothing_can_be_done(void **state)
{
    (void)state;
    enum { TURNS = 20, WAIT_MS = 10 };
    const struct linger at_once = {.l_onoff = 1};
    size_t done = 1;
    (void)request(UPGRADE("portforward.k8s.io"));
    open_pair(1, "0");
    int fd = accept_one();
    w.peer.is_deaf = true;
    net_peer_pump(&w.peer);
    for (msec quiet_ms = os_now_ms(); os_now_ms() - quiet_ms < 300;) {
        if (sock_send(fd, bulk, sizeof bulk, &done) == ERR_OK) {
            quiet_ms = os_now_ms();
        }
        (void)loop_turn(&w.loop, os_now_ms() + 1);
    }
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    sock_close(&fd);
    (void)loop_turn(&w.loop, os_now_ms() + WAIT_MS);
    msec began_ms = os_now_ms();
    for (int i = 0; i < TURNS; i++) {
        (void)loop_turn(&w.loop, os_now_ms() + WAIT_MS);
    }
    assert_true(os_now_ms() - began_ms >= TURNS * WAIT_MS / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_forward_moves_bytes_and_half_closes),
        TEST(test_forward_half_closes_from_the_instance),
        TEST(test_forward_keeps_several_connections_apart),
        TEST(test_forward_tells_what_went_wrong),
        TEST(test_forward_passes_on_a_reset_of_the_client),
        TEST(test_forward_refuses_bad_streams),
        TEST(test_forward_refuses_requests),
        TEST(test_forward_reads_all_lines_of_protocols),
        TEST(test_tunnel_moves_bytes),
        TEST(test_tunnel_ends_when_its_rules_are_broken),
        TEST(test_forward_waits_for_the_slower_side),
        TEST(test_forward_frees_all_when_the_client_vanishes),
        TEST(test_forward_sleeps_while_nothing_can_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
