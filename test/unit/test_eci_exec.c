/*
 * eci_exec: the API is a scripted server, the WebSocket's other end is played by the test itself.
 * And eci_exec_framing: what a status may look like.
 */
#include "unit.h"

#include "eci/eci_exec.h"
#include "os/os.h"
#include "test_eci_server.h"

#define PATIENCE_MS 10000
#define UNTIL(condition) \
    for (msec until_ms = os_now_ms() + PATIENCE_MS; !(condition);) { \
        assert_true(os_now_ms() < until_ms); \
        loop_turn(&w.loop, os_now_ms() + 5); \
    }

static _Alignas(64) char region_memory[16 << 20];
static char arena_memory[4 << 20];

static struct world {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct server *server;
    struct eci_client cloud;
    struct eci_exec_config config;
    struct eci_exec exec;
    int listener;
    int fd; /* of the WebSocket, the cloud's end */
    char uri[256];
    char reply[512];
    struct step steps[2];
    size_t room;
    char out_text[256];
    struct buf out;
    char err_text[256];
    struct buf err;
    int rooms, ends;
    struct eci_exec_end end;
    char message[256];
    char heard[4096];
    size_t heard_bytes;
} w;

static size_t output_room(struct eci_exec *exec)
{
    assert_ptr_equal(exec->owner, &w);
    return w.room;
}

static void on_output(struct eci_exec *exec, uint8_t channel, str data)
{
    (void)exec;
    assert_true(data.bytes <= w.room);
    buf_put(channel == CHANNEL_STDERR ? &w.err : &w.out, data);
}

static void on_room(struct eci_exec *exec)
{
    (void)exec;
    w.rooms++;
}

static void on_end(struct eci_exec *exec, const struct eci_exec_end *end)
{
    (void)exec;
    w.ends++;
    w.end = *end;
    (void)str_copy(w.message, sizeof w.message, end->message);
}

static const struct eci_exec_handlers handlers = {output_room, on_output, on_room, on_end};

static int begin(void **state)
{
    struct sock_addr any;
    struct sock_addr bound;
    char endpoint[64];
    (void)state;
    memset(&w, 0, sizeof w);
    memset(region_memory, 0, sizeof region_memory);
    w.fd = -1;
    assert_true(sock_addr_parse(S("127.0.0.1"), 0, &any));
    assert_int_equal(sock_listen(&any, 8, &w.listener, &bound), ERR_OK);
    (void)snprintf(w.uri, sizeof w.uri, "ws://127.0.0.1:%u/exec/?s=token", bound.port);
    (void)snprintf(w.reply, sizeof w.reply, "{\"RequestId\":\"R\",\"WebSocketUri\":\"%s\"}", w.uri);
    w.steps[0] = (struct step){SAY, "200 OK", NULL, w.reply, 0};
    w.steps[1] = (struct step){SAY, "200 OK", NULL,
                               "{\"RequestId\":\"R\",\"SyncResponse\":\"all at once\\n\"}", 0};
    w.server = server_start(w.steps, 2);
    server_run(w.server);
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", w.server->port);
    arena_init(&w.arena, arena_memory, sizeof arena_memory);
    region_init(&w.region, region_memory, sizeof region_memory);
    assert_int_equal(loop_init(&w.loop, &w.region, 64), ERR_OK);
    const struct eci_call_config config = {.endpoint = str_of(endpoint),
                                           .region_id = S("cn-test"),
                                           .arena = &w.arena,
                                           .small_count = 2,
                                           .small_bytes = 64 * 1024,
                                           .page_count = 1,
                                           .page_bytes = 256 * 1024,
                                           .kept_max = 2};
    assert_int_equal(eci_client_init(&w.cloud, &w.loop, &w.region, &config), ERR_OK);
    assert_int_equal(eci_client_set_keys(&w.cloud, S("id"), S("secret"), STR_NONE), ERR_OK);
    w.config = (struct eci_exec_config){
        .loop = &w.loop, .cloud = &w.cloud, .arena = &w.arena, .handlers = &handlers};
    w.room = 64;
    buf_init(&w.out, w.out_text, sizeof w.out_text);
    buf_init(&w.err, w.err_text, sizeof w.err_text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    eci_exec_stop(&w.exec);
    assert_int_equal(w.loop.timers.count, 0);
    sock_close(&w.fd);
    sock_close(&w.listener);
    eci_client_stop(&w.cloud);
    sock_close(&w.loop.epoll_fd);
    server_stop(w.server);
    return 0;
}

static void start(bool has_stdin, bool has_tty)
{
    static const str words[] = {{"sh", 2}, {"-c", 2}, {"echo \"hi\"", 9}};
    const struct eci_exec_want want = {.group_id = S("eci-1"),
                                       .container = S("main"),
                                       .words = words,
                                       .words_count = 3,
                                       .has_stdin = has_stdin,
                                       .has_tty = has_tty};
    assert_null(eci_exec_fault(&want));
    assert_int_equal(eci_exec_prepare(&w.exec, &w.config, &w, &want), ERR_OK);
    assert_int_equal(eci_exec_start(&w.exec), ERR_OK);
}

/* ---- the cloud's end ------------------------------------------------------------------------- */

static void hear(size_t bytes)
{
    size_t done = 0;
    UNTIL(w.heard_bytes >= bytes ||
          (sock_receive(w.fd, w.heard + w.heard_bytes, sizeof w.heard - w.heard_bytes - 1, &done) ==
               ERR_OK &&
           (w.heard_bytes += done) >= bytes));
}

static void tell(str text)
{
    size_t done = 0;
    assert_int_equal(sock_send(w.fd, text.ptr, text.bytes, &done), ERR_OK);
    assert_int_equal(done, text.bytes);
}
#define TELL(bytes) tell(str_make(bytes, sizeof(bytes) - 1))

static void accept_socket(void)
{
    struct sock_addr from;
    UNTIL(sock_accept(w.listener, &w.fd, &from) == ERR_OK);
    w.heard_bytes = 0;
    do {
        hear(w.heard_bytes + 1);
        w.heard[w.heard_bytes] = 0;
    } while (strstr(w.heard, "\r\n\r\n") == NULL);
}

static void agree(const char *protocol)
{
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    char memory[512];
    struct buf reply;
    accept_socket();
    assert_int_equal(strncmp(w.heard, "GET /exec/?s=token HTTP/1.1\r\n", 29), 0);
    const char *key = strstr(w.heard, "Sec-WebSocket-Key: ");
    assert_non_null(key);
    websocket_accept(str_make(key + 19, WEBSOCKET_KEY_BYTES), accept);
    buf_init(&reply, memory, sizeof memory);
    buf_put_fmt(&reply,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
                accept, protocol[0] != 0 ? "Sec-WebSocket-Protocol: " : "", protocol,
                protocol[0] != 0 ? "\r\n" : "");
    tell(buf_str(&reply));
    UNTIL(w.exec.phase == ECI_EXEC_OPEN);
    w.heard_bytes = 0;
}

static void tell_status(const char *text)
{
    static struct websocket server;
    static const uint8_t no_mask[4];
    char memory[512];
    struct buf out;
    websocket_init(&server, WEBSOCKET_SERVER);
    buf_init(&out, memory, sizeof memory);
    assert_true(channel_put(&server, false, &out, CHANNEL_ERROR, str_of(text), no_mask, NULL) > 0);
    tell(buf_str(&out));
}

/* The next message of the client: opcode and payload, unmasked. */
static void expect_message(unsigned opcode, const char *payload, size_t bytes)
{
    static struct websocket reader;
    struct websocket_got got;
    websocket_init(&reader, WEBSOCKET_SERVER);
    hear(6 + bytes);
    assert_int_equal((uint8_t)w.heard[0], 128 | opcode);
    str input = str_make(w.heard, w.heard_bytes);
    assert_true(websocket_next(&reader, &input, SIZE_MAX, &got) > WEBSOCKET_NEED_ROOM);
    assert_int_equal(got.piece.bytes, bytes);
    assert_memory_equal(got.piece.ptr, payload, bytes);
    memmove(w.heard, input.ptr, input.bytes);
    w.heard_bytes = input.bytes;
}
#define EXPECT(opcode, payload) expect_message(opcode, payload, sizeof(payload) - 1)

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_exec_runs_a_command(void **state)
{
    (void)state;
    start(true, false);
    agree("v4.channel.k8s.io");
    assert_non_null(strstr(w.server->requests[0].body != NULL && w.server->requests[0].body[0]
                               ? w.server->requests[0].body
                               : w.server->requests[0].head,
                           "Command=%5B%22sh%22%2C%22-c%22%2C%22echo%20%5C%22hi%5C%22%22%5D"));
    assert_int_equal(w.rooms, 1); /* stdin is welcome now */
    assert_int_equal(eci_exec_put(&w.exec, S("in")), 2);
    EXPECT(WEBSOCKET_BINARY, "\0in");
    TELL("\x82\x04\x01out\x82\x04\x02"
         "err");
    TELL("\x89\x01p");
    EXPECT(WEBSOCKET_PONG, "p");
    assert_text(buf_str(&w.out), "out");
    assert_text(buf_str(&w.err), "err");
    eci_exec_put_end(&w.exec);
    EXPECT(WEBSOCKET_BINARY, "\0"); /* v4 has no word for it */
    tell_status("{\"status\":\"Failure\",\"message\":\"x\",\"reason\":\"NonZeroExitCode\","
                "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"137\"}]}}");
    TELL("\x88\x02\x03\xe8");
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_OK);
    assert_true(w.end.has_code);
    assert_int_equal(w.end.code, 137);
}

static void test_exec_with_a_terminal_and_v5(void **state)
{
    (void)state;
    start(true, true);
    eci_exec_resize(&w.exec, 80, 24); /* before it is open: sent first */
    agree("v5.channel.k8s.io");
    EXPECT(WEBSOCKET_BINARY, "\4{\"Width\":80,\"Height\":24}");
    eci_exec_put_end(&w.exec);
    EXPECT(WEBSOCKET_BINARY, "\0\4"); /* ^D */
    tell_status("{\"status\":\"Success\"}");
    TELL("\x88\x00");
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_OK);
    assert_true(w.end.has_code);
    assert_int_equal(w.end.code, 0);
}

static void test_exec_tells_the_end_of_input_in_v5(void **state)
{
    (void)state;
    start(true, false);
    agree("v5.channel.k8s.io");
    eci_exec_put_end(&w.exec);
    EXPECT(WEBSOCKET_BINARY, "\xff\0");
    assert_int_equal(eci_exec_put(&w.exec, S("late")), 0);
    assert_int_equal(eci_exec_room(&w.exec), 0);
}

static void test_exec_without_a_protocol_is_raw(void **state)
{
    (void)state;
    start(true, false);
    agree("");
    TELL("\x81\x04plai\x81\x01n\x88\x02\x03\xe8");
    UNTIL(w.ends == 1);
    assert_text(buf_str(&w.out), "plain");
    assert_int_equal(w.end.err, ERR_OK);
    assert_false(w.end.has_code);
}

static void test_exec_waits_for_room(void **state)
{
    (void)state;
    start(true, false);
    agree("v4.channel.k8s.io");
    w.room = 0;
    TELL("\x82\x06\x01"
         "abcde");
    for (int i = 0; i < 5; i++) {
        loop_turn(&w.loop, os_now_ms() + 2);
    }
    assert_int_equal(w.out.bytes, 0);
    w.room = 2;
    eci_exec_resume(&w.exec);
    UNTIL(w.out.bytes == 5);
    /* stdin: what does not fit now is welcome later */
    static char much[ECI_EXEC_OUT_BYTES];
    size_t done = eci_exec_put(&w.exec, str_make(much, sizeof much));
    assert_true(done > 0 && done < sizeof much);
    while (eci_exec_room(&w.exec) > 0) {
        (void)eci_exec_put(&w.exec, str_make(much, sizeof much));
    }
    int rooms = w.rooms;
    UNTIL(w.rooms > rooms);
}

static void test_exec_falls_back_to_sync(void **state)
{
    (void)state;
    start(false, false);
    accept_socket();
    TELL("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_OK);
    assert_false(w.end.has_code);
    assert_text(buf_str(&w.out), "all at once\n");
    assert_int_equal(server_requests(w.server), 2);
}

static void test_exec_with_input_cannot_fall_back(void **state)
{
    (void)state;
    start(true, false);
    accept_socket();
    TELL("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_BAD_REPLY);
    assert_string_equal(w.message, "the cloud's terminal 127.0.0.1: it refused the WebSocket");
}

static void test_exec_tells_of_a_refused_connection(void **state)
{
    (void)state;
    sock_close(&w.listener);
    start(true, false);
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_REFUSED_CONN);
}

static void test_exec_tells_of_a_wrong_accept(void **state)
{
    (void)state;
    start(true, false);
    accept_socket();
    TELL("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: nonsense\r\n\r\n");
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_BAD_REPLY);
}

static void test_exec_tells_of_a_broken_session(void **state)
{
    (void)state;
    start(false, false);
    agree("v4.channel.k8s.io");
    sock_close(&w.fd);
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_CLOSED);
    w.ends = 0;
    eci_exec_stop(&w.exec); /* no-op */
    w.server->steps_used = 0;
    start(false, false);
    agree("base64.channel.k8s.io");
    TELL("\x81\x03x**");
    UNTIL(w.ends == 1);
    assert_int_equal(w.end.err, ERR_BAD_REPLY);
}

static void test_exec_stops_in_every_phase(void **state)
{
    (void)state;
    start(true, false);
    eci_exec_stop(&w.exec); /* within the call */
    w.server->steps_used = 0;
    start(true, false);
    accept_socket();
    eci_exec_stop(&w.exec); /* within the upgrade */
    sock_close(&w.fd);
    w.server->steps_used = 0;
    start(true, false);
    agree("v4.channel.k8s.io");
    eci_exec_stop(&w.exec);
    char byte;
    size_t done;
    UNTIL(sock_receive(w.fd, &byte, 1, &done) == ERR_END);
    assert_int_equal(w.ends, 0);
}

static void test_exec_knows_the_limits_of_a_command(void **state)
{
    (void)state;
    static char long_word[600];
    str words[ECI_EXEC_WORDS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        words[i] = S("x");
    }
    struct eci_exec_want want = {.words = words, .words_count = ECI_EXEC_WORDS_MAX};
    assert_null(eci_exec_fault(&want));
    want.words_count++;
    assert_non_null(strstr(eci_exec_fault(&want), "20 words"));
    want.words_count = 0;
    assert_non_null(eci_exec_fault(&want));
    want.words_count = 1;
    for (size_t i = 0; i < 257; i++) {
        memcpy(long_word + 2 * i, "\xc3\xa4", 2);
    }
    words[0] = str_make(long_word, 512); /* 256 characters */
    assert_null(eci_exec_fault(&want));
    words[0] = str_make(long_word, 514);
    assert_non_null(strstr(eci_exec_fault(&want), "256 characters"));
    words[0] = S("\xff");
    assert_non_null(strstr(eci_exec_fault(&want), "UTF-8"));
}

static void test_framing_reads_how_it_ended(void **state)
{
    static const struct {
        const char *text;
        bool is_known, has_code;
        int64_t code;
        const char *message;
    } rows[] = {
        {"", false, false, 0, ""},
        {" \n", false, false, 0, ""},
        {"{\"status\":\"Success\"}", true, true, 0, ""},
        {"{\"status\":\"Failure\",\"message\":\"no such container\"}", true, false, 0,
         "no such container"},
        {"{\"status\":\"Failure\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\","
         "\"message\":\"7\"}]}}",
         true, true, 7, ""},
        {"{\"status\":\"Failure\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\","
         "\"message\":\"seven\"}]}}",
         true, false, 0, ""},
        {"command terminated with exit code 2", true, true, 2,
         "command terminated with exit code 2"},
        {"no such file 2", true, false, 0, "no such file 2"},
        {"{broken", true, false, 0, "{broken"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct eci_exec_status status = eci_framing_status(str_of(rows[i].text), &w.arena);
        assert_int_equal(status.is_known, rows[i].is_known);
        assert_int_equal(status.has_code, rows[i].has_code);
        assert_int_equal(status.code, rows[i].code);
        assert_text(status.message, rows[i].message);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_exec_runs_a_command),
        TEST(test_exec_with_a_terminal_and_v5),
        TEST(test_exec_tells_the_end_of_input_in_v5),
        TEST(test_exec_without_a_protocol_is_raw),
        TEST(test_exec_waits_for_room),
        TEST(test_exec_falls_back_to_sync),
        TEST(test_exec_with_input_cannot_fall_back),
        TEST(test_exec_tells_of_a_refused_connection),
        TEST(test_exec_tells_of_a_wrong_accept),
        TEST(test_exec_tells_of_a_broken_session),
        TEST(test_exec_stops_in_every_phase),
        TEST(test_exec_knows_the_limits_of_a_command),
        TEST(test_framing_reads_how_it_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
