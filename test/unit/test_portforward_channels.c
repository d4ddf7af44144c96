/* portforward by WebSocket: over a real HTTPS server and real sockets on the loopback. */
#include "serve_fake.h"

#include "net/websocket_channel.h"
#include "serve/portforward.h"

#define UPGRADE(query, protocol) \
    "GET /portForward/default/web?" query " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n" \
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" protocol "\r\n"
#define BINARY "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
#define BASE64 "Sec-WebSocket-Protocol: v9.channel.k8s.io, v4.base64.channel.k8s.io\r\n"
#define BULK_BYTES (3 << 20)

static int listeners[2] = {-1, -1};
static uint16_t ports[2];
static struct websocket client; /* frames what we say */
static const uint8_t mask[4] = {1, 2, 3, 4};
static char bulk[BULK_BYTES];

static int begin(void **state)
{
    (void)state;
    fake_begin(forward_serve, FORWARD_TIMERS(2));
    forward_init(&w.region, &w.loop, 2);
    for (int i = 0; i < 2; i++) {
        struct sock_addr any, bound;
        assert_true(sock_addr_parse(S("127.0.0.1"), 0, &any));
        assert_int_equal(sock_listen(&any, 8, &listeners[i], &bound), ERR_OK);
        ports[i] = bound.port;
    }
    websocket_init(&client, WEBSOCKET_CLIENT);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sock_close(&listeners[0]);
    sock_close(&listeners[1]);
    fake_end();
    assert_int_equal(forward_open(), 0);
    return 0;
}

/* Asks for both ports, or for the first alone. */
static str open_session(const char *protocol, bool both)
{
    char text[512];
    int bytes =
        both
            ? snprintf(text, sizeof text, UPGRADE("port=%u,%u", "%s"), ports[0], ports[1], protocol)
            : snprintf(text, sizeof text, UPGRADE("x=y&port=%u", "%s"), ports[0], protocol);
    assert_true(bytes > 0 && (size_t)bytes < sizeof text);
    return request(text);
}

static void send_message(enum websocket_opcode opcode, str payload)
{
    static char memory[8192];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    assert_true(websocket_put(&client, &out, opcode, payload, mask));
    say(buf_str(&out));
}

/* The next message of the server: its payload; *opcode as it came. Ours are below 64 KB. */
static str next_message(uint8_t *opcode)
{
    const uint8_t *bytes = (const uint8_t *)w.peer.heard.ptr;
    UNTIL(w.peer.heard.bytes >= w.read_at + 2);
    size_t at = w.read_at;
    size_t length = bytes[at + 1];
    size_t head = 2;
    *opcode = bytes[at] & 15;
    if (length == 126) {
        UNTIL(w.peer.heard.bytes >= at + 4);
        length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        head = 4;
    }
    UNTIL(w.peer.heard.bytes >= at + head + length);
    w.read_at += head + length;
    return str_make(w.peer.heard.ptr + at + head, length);
}

static void expect_message(uint8_t opcode, const char *payload, size_t bytes)
{
    uint8_t got_opcode;
    str got = next_message(&got_opcode);
    assert_int_equal(got_opcode, opcode);
    assert_int_equal(got.bytes, bytes);
    assert_memory_equal(got.ptr, payload, bytes);
}

/* Both channels of number i begin with the port. */
static void expect_ports(int count)
{
    for (int i = 0; i < 2 * count; i++) {
        const char text[3] = {(char)i, (char)(ports[i / 2] & 0xff), (char)(ports[i / 2] >> 8)};
        expect_message(WEBSOCKET_BINARY, text, 3);
    }
}

static void expect_close(void)
{
    expect_message(WEBSOCKET_CLOSE, "\x03\xe8", 2);
    UNTIL(forward_open() == 0);
}

static int accept_one(int i)
{
    struct sock_addr from;
    int fd = -1;
    UNTIL(sock_accept(listeners[i], &fd, &from) == ERR_OK);
    return fd;
}

static void expect_instance_hears(int fd, const char *text)
{
    char memory[256];
    size_t bytes = 0, done = 0;
    UNTIL(sock_receive(fd, memory + bytes, sizeof memory - bytes, &done) == ERR_OK &&
          (bytes += done) >= strlen(text));
    assert_text(str_make(memory, bytes), text);
}

static void expect_instance_end(int fd)
{
    char byte;
    size_t done;
    enum err err;
    UNTIL((err = sock_receive(fd, &byte, 1, &done)) != ERR_AGAIN);
    assert_int_not_equal(err, ERR_OK);
}

static void instance_says(int fd, const char *text)
{
    size_t done;
    assert_int_equal(sock_send(fd, text, strlen(text), &done), ERR_OK);
}

static void test_two_ports(void **state)
{
    (void)state;
    str head = open_session(BINARY, true);
    assert_true(str_starts(head, S("HTTP/1.1 101 ")));
    assert_true(str_find(head, S("Upgrade: websocket\r\n")) > 0);
    assert_true(str_find(head, S("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")) > 0);
    assert_true(str_find(head, S("Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n")) > 0);
    expect_ports(2);
    int first = accept_one(0), second = accept_one(1);
    send_message(WEBSOCKET_BINARY, str_make("\0hello", 6));
    send_message(WEBSOCKET_BINARY, str_make("\2there", 6));
    expect_instance_hears(first, "hello");
    expect_instance_hears(second, "there");
    instance_says(second, "2");
    expect_message(WEBSOCKET_BINARY, "\0022", 2);
    instance_says(first, "1");
    expect_message(WEBSOCKET_BINARY, "\0001", 2);
    sock_close(&first); /* of one connection's end nothing is told; the other goes on */
    send_message(WEBSOCKET_PING, S("x"));
    expect_message(WEBSOCKET_PONG, "x", 1);
    send_message(WEBSOCKET_BINARY, str_make("\0lost", 5));
    send_message(WEBSOCKET_BINARY, str_make("\2more", 5));
    expect_instance_hears(second, "more");
    sock_close(&second);
    expect_close();
}

static void test_base64_and_no_protocol(void **state)
{
    (void)state;
    str head = open_session(BASE64, false);
    assert_true(str_find(head, S("Sec-WebSocket-Protocol: v4.base64.channel.k8s.io\r\n")) > 0);
    uint8_t opcode;
    for (char channel = '0'; channel <= '1'; channel++) {
        str message = next_message(&opcode);
        assert_int_equal(opcode, WEBSOCKET_TEXT);
        assert_int_equal(message.bytes, 5); /* the channel, two bytes in base64 */
        assert_int_equal(message.ptr[0], channel);
    }
    int fd = accept_one(0);
    send_message(WEBSOCKET_TEXT, S("0aGVsbG8="));
    expect_instance_hears(fd, "hello");
    instance_says(fd, "world");
    expect_message(WEBSOCKET_TEXT, "0d29ybGQ=", 9);
    sock_close(&fd);
    expect_close();
    net_peer_close(&w.peer);
    head = open_session("", false);
    assert_true(str_find(head, S("Sec-WebSocket-Protocol")) < 0);
    expect_ports(1);
    fd = accept_one(0);
    sock_close(&fd);
    expect_close();
}

static void test_what_went_wrong(void **state)
{
    (void)state;
    uint8_t opcode;
    sock_close(&listeners[1]);
    (void)open_session(BINARY, true);
    expect_ports(2);
    int fd = accept_one(0);
    str message = next_message(&opcode);
    assert_int_equal(message.ptr[0], 3);
    assert_true(str_starts(str_sub(message, 1, SIZE_MAX), S("error forwarding port ")));
    assert_true(str_ends(message, S(": connection refused")));
    instance_says(fd, "still here");
    expect_message(WEBSOCKET_BINARY, "\0still here", 11);
    sock_close(&fd);
    expect_close();
}

static void test_client_ends(void **state)
{
    (void)state;
    static const struct {
        enum websocket_opcode opcode;
        const char *says;
        size_t bytes;
        const char *hears;
    } rows[] = {
        {WEBSOCKET_CLOSE, "\x03\xe8", 2, "\x03\xe8"},
        {(enum websocket_opcode)5, "x", 1, "\x03\xea"}, /* no such opcode */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)open_session(BINARY, false);
        expect_ports(1);
        int fd = accept_one(0);
        send_message(rows[i].opcode, str_make(rows[i].says, rows[i].bytes));
        expect_message(WEBSOCKET_CLOSE, rows[i].hears, 2);
        expect_instance_end(fd);
        sock_close(&fd);
        net_peer_close(&w.peer);
        UNTIL(forward_open() == 0);
    }
    (void)open_session(BASE64, false); /* it is no base64 */
    int fd = accept_one(0);
    send_message(WEBSOCKET_TEXT, S("0!!!!"));
    expect_instance_end(fd);
    sock_close(&fd);
    net_peer_close(&w.peer);
    (void)open_session(BINARY, false);
    fd = accept_one(0);
    net_peer_reset(&w.peer);
    expect_instance_end(fd);
    sock_close(&fd);
    UNTIL(forward_open() == 0);
}

/* For channels that are not data: as if nothing had come. */
static void test_other_channels(void **state)
{
    (void)state;
    (void)open_session(BINARY, false);
    expect_ports(1);
    int fd = accept_one(0);
    send_message(WEBSOCKET_BINARY, str_make("\1x", 2));
    send_message(WEBSOCKET_BINARY, str_make("\2x", 2));
    send_message(WEBSOCKET_BINARY, str_make("\377x", 2));
    send_message(WEBSOCKET_BINARY, STR_NONE);
    send_message(WEBSOCKET_BINARY, str_make("\0y", 2));
    expect_instance_hears(fd, "y");
    sock_close(&fd);
    expect_close();
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *status;
    } rows[] = {
        {UPGRADE("", BINARY), "HTTP/1.1 400 "},
        {UPGRADE("port=", BINARY), "HTTP/1.1 400 "},
        {UPGRADE("port=0", BINARY), "HTTP/1.1 400 "},
        {UPGRADE("port=65536", BINARY), "HTTP/1.1 400 "},
        {UPGRADE("port=80,http", BINARY), "HTTP/1.1 400 "},
        {UPGRADE("port=1,2,3&port=4,5,6", BINARY), "HTTP/1.1 400 "},
        {UPGRADE("port=80", "Sec-WebSocket-Protocol: channel.k8s.io\r\n"), "HTTP/1.1 403 "},
        {"GET /p?port=80 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
         "HTTP/1.1 400 "},
        {"GET /p?port=80 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: short\r\n\r\n",
         "HTTP/1.1 400 "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(str_starts(request(rows[i].text), str_of(rows[i].status)));
        net_peer_close(&w.peer);
    }
    w.has_pod = false;
    assert_true(str_starts(open_session(BINARY, false), S("HTTP/1.1 404 ")));
    net_peer_close(&w.peer);
    assert_int_equal(forward_open(), 0);
}

static void test_more_sessions_than_places(void **state)
{
    (void)state;
    static char memory[2][1024];
    static struct net_peer others[2];
    char text[512];
    (void)snprintf(text, sizeof text, UPGRADE("port=%u", BINARY), ports[0]);
    for (int i = 0; i < 2; i++) {
        net_peer_open(&others[i], &w.loop, &w.addr, &w.trust, NULL, memory[i], sizeof memory[i]);
        net_peer_say(&others[i], str_of(text));
        UNTIL(forward_open() == (uint32_t)i + 1);
    }
    assert_true(str_starts(request(text), S("HTTP/1.1 429 ")));
    net_peer_close(&others[0]);
    net_peer_close(&others[1]);
    UNTIL(forward_open() == 0);
}

/* Far more than all buffers hold, to a client and to an instance that are slow to take it. */
static void test_back_pressure(void **state)
{
    (void)state;
    static char said_memory[BULK_BYTES / 1000 * 1009 + 1009];
    static char got[BULK_BYTES];
    struct buf said;
    size_t instance_heard = 0, instance_said = 0, client_heard = 0;
    for (size_t i = 0; i < BULK_BYTES; i++) {
        bulk[i] = (char)(i * 31 + (i >> 9));
    }
    (void)open_session(BINARY, false);
    expect_ports(1);
    int fd = accept_one(0);
    buf_init(&said, said_memory, sizeof said_memory);
    for (size_t at = 0; at < BULK_BYTES; at += 1000) {
        str piece = str_sub(str_make(bulk, BULK_BYTES), at, 1000);
        size_t begun = websocket_begin(&client, &said, WEBSOCKET_BINARY, 1 + piece.bytes, mask);
        buf_put_char(&said, 0);
        buf_put(&said, piece);
        assert_true(websocket_end(&client, &said, begun, mask));
    }
    net_peer_say(&w.peer, buf_str(&said));
    w.read_at = 0;
    w.peer.heard.bytes = 0;
    while (instance_heard < BULK_BYTES || client_heard < BULK_BYTES) {
        size_t done = 0;
        if (instance_said < BULK_BYTES &&
            sock_send(fd, bulk + instance_said, BULK_BYTES - instance_said, &done) == ERR_OK) {
            instance_said += done;
        }
        if (sock_receive(fd, got + instance_heard, 5000, &done) == ERR_OK) {
            instance_heard += done;
        }
        (void)loop_turn(&w.loop, os_now_ms());
        while (client_heard < instance_said && w.peer.heard.bytes > w.read_at) {
            uint8_t opcode;
            str message = next_message(&opcode);
            assert_int_equal(opcode, WEBSOCKET_BINARY);
            assert_int_equal(message.ptr[0], 0);
            assert_memory_equal(message.ptr + 1, bulk + client_heard, message.bytes - 1);
            client_heard += message.bytes - 1;
        }
    }
    assert_memory_equal(got, bulk, BULK_BYTES);
    sock_close(&fd);
    expect_close();
}

/* What the instance said last reaches a client that is slow to read, and only then comes the end.
 */
static void test_last_words_before_the_end(void **state)
{
    (void)state;
    enum { LAST_BYTES = 400000 };
    size_t said = 0, heard_bytes = 0;
    uint8_t opcode = WEBSOCKET_BINARY;
    (void)open_session(BINARY, false);
    expect_ports(1);
    int fd = accept_one(0);
    w.peer.is_deaf = true;
    net_peer_pump(&w.peer);
    while (said < LAST_BYTES) {
        size_t done = 0;
        if (sock_send(fd, bulk, LAST_BYTES - said < 4096 ? LAST_BYTES - said : 4096, &done) ==
            ERR_OK) {
            said += done;
        }
        (void)loop_turn(&w.loop, os_now_ms());
    }
    sock_close(&fd);
    for (int i = 0; i < 50; i++) {
        (void)loop_turn(&w.loop, os_now_ms() + 1);
    }
    w.peer.is_deaf = false;
    net_peer_pump(&w.peer);
    for (;;) {
        str message = next_message(&opcode);
        if (opcode != WEBSOCKET_BINARY) {
            break;
        }
        heard_bytes += message.bytes - 1;
    }
    assert_int_equal(opcode, WEBSOCKET_CLOSE);
    assert_int_equal(heard_bytes, LAST_BYTES);
    UNTIL(forward_open() == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_two_ports),
        TEST(test_base64_and_no_protocol),
        TEST(test_what_went_wrong),
        TEST(test_client_ends),
        TEST(test_other_channels),
        TEST(test_refusals),
        TEST(test_more_sessions_than_places),
        TEST(test_back_pressure),
        TEST(test_last_words_before_the_end),
    };
    return cmocka_run_group_tests_name("portforward_channels", tests, NULL, NULL);
}
