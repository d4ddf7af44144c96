/* portforward: over a real HTTPS server and real sockets on the loopback. */
#include "serve_fake.h"

#include "serve/portforward.h"

#define UPGRADE(protocol) \
    "POST /portForward/default/web HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n" \
    "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: " protocol "\r\n\r\n"
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
    assert_true(str_starts(request("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
                           S("HTTP/1.1 400 ")));
    net_peer_close(&w.peer);
    assert_int_equal(forward_open(), 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_forward_moves_bytes_and_half_closes),
        TEST(test_forward_keeps_several_connections_apart),
        TEST(test_forward_tells_what_went_wrong),
        TEST(test_forward_passes_on_a_reset_of_the_client),
        TEST(test_forward_refuses_bad_streams),
        TEST(test_forward_refuses_requests),
        TEST(test_forward_waits_for_the_slower_side),
        TEST(test_forward_frees_all_when_the_client_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
