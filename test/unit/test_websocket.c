/* websocket: a table of byte streams, good and hostile, each read whole and byte by byte; what one
 * role writes the other reads; channels on top, plain and base64. */
#include "unit.h"

#include "base/prng.h"
#include "net/websocket_channel.h"

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

struct case_row {
    enum websocket_role reader;
    const char *input;
    size_t input_bytes;
    const char
        *told; /* data(whole message,flags) ping() pong() close(code,reason) failed(why) more */
};

#define IN(text) text, sizeof(text) - 1
#define D32 "01234567890123456789012345678901"

static const struct case_row rows[] = {
    /* RFC 6455 5.7 */
    {WEBSOCKET_CLIENT, IN("\x81\x05Hello"), "data(Hello,tfl) more"},
    {WEBSOCKET_SERVER, IN("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "data(Hello,tfl) more"},
    {WEBSOCKET_CLIENT, IN("\x01\x03Hel\x80\x02lo"), "data(Hello,tfl) more"},
    {WEBSOCKET_CLIENT, IN("\x89\x05Hello\x8a\x00"), "ping(Hello) pong() more"},
    {WEBSOCKET_SERVER, IN("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "pong(Hello) more"},
    /* joints of fragments, a ping between them, empty ones */
    {WEBSOCKET_CLIENT, IN("\x02\x01" "a\x89\x00\x80\x01" "b"), "data(aping() b,fl) more"},
    {WEBSOCKET_CLIENT, IN("\x02\x00\x00\x01x\x80\x00"), "data(x,fl) more"},
    {WEBSOCKET_CLIENT, IN("\x82\x00"), "data(,fl) more"},
    {WEBSOCKET_CLIENT, IN("\x82\x7e\x00\x80" D32 D32 D32 D32),
     "data(" D32 D32 D32 D32 ",fl) more"},
    /* the end */
    {WEBSOCKET_CLIENT, IN("\x88\x00"), "close(1005,) more"},
    {WEBSOCKET_CLIENT, IN("\x88\x05\x03\xe8" "bye\x81\x01x"), "close(1000,bye) more"},
    {WEBSOCKET_CLIENT, IN("\x88\x01\x03"), "failed(a close frame with half a code)"},
    /* broken rules */
    {WEBSOCKET_CLIENT, IN("\xc1\x00"), "failed(reserved bits are set)"},
    {WEBSOCKET_CLIENT, IN("\x83\x00"), "failed(unknown opcode)"},
    {WEBSOCKET_CLIENT, IN("\x8b\x00"), "failed(unknown opcode)"},
    {WEBSOCKET_CLIENT, IN("\x81\x81" "abcdx"), "failed(a server's frame is masked)"},
    {WEBSOCKET_SERVER, IN("\x81\x00"), "failed(a client's frame is not masked)"},
    {WEBSOCKET_CLIENT, IN("\x09\x00"), "failed(a control frame is too long or in fragments)"},
    {WEBSOCKET_CLIENT, IN("\x89\x7e\x00\x7e"),
     "failed(a control frame is too long or in fragments)"},
    {WEBSOCKET_CLIENT, IN("\x80\x00"), "failed(the rest of no message)"},
    {WEBSOCKET_CLIENT, IN("\x01\x01x\x81\x01y"), "data(xfailed(a message inside another)"},
    {WEBSOCKET_CLIENT, IN("\x81\x7e\x00\x7d"), "failed(a length not in the shortest form)"},
    {WEBSOCKET_CLIENT, IN("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"),
     "failed(a length not in the shortest form)"},
    {WEBSOCKET_CLIENT, IN("\x81\x7f\x80\x00\x00\x00\x00\x01\x00\x00"),
     "failed(a length not in the shortest form)"},
};

struct teller {
    struct buf out;
    char memory[1024];
    bool is_open; /* a data piece may be continued by the next one */
    bool was_first;
};

static void tell_data(struct teller *t, const struct websocket_got *got)
{
    if (!t->is_open) {
        buf_put_text(&t->out, "data(");
        t->was_first = got->is_first;
    }
    buf_put(&t->out, got->piece);
    t->is_open = true;
    if (got->is_last) {
        buf_put_fmt(&t->out, ",%s%s%s) ", got->is_text ? "t" : "", t->was_first ? "f" : "", "l");
        t->is_open = false;
    }
}

/* Reads all of the input in pieces of piece_bytes; the story must not depend on them. */
static void read_all(enum websocket_role role, str input, size_t piece_bytes, struct teller *t)
{
    static struct websocket ws;
    struct websocket_got got;
    websocket_init(&ws, role);
    buf_init(&t->out, t->memory, sizeof t->memory);
    t->is_open = false;
    while (input.bytes > 0) {
        str piece = str_sub(input, 0, piece_bytes);
        input = str_sub(input, piece_bytes, SIZE_MAX);
        for (;;) {
            enum websocket_event event = websocket_next(&ws, &piece, 3, &got);
            if (event == WEBSOCKET_NEED_MORE) {
                break;
            }
            if (event == WEBSOCKET_FAILED) {
                buf_put_fmt(&t->out, "failed(%s)", ws.why);
                assert_int_equal(websocket_next(&ws, &piece, 3, &got), WEBSOCKET_FAILED);
                return;
            }
            if (event == WEBSOCKET_DATA) {
                tell_data(t, &got);
            } else if (event == WEBSOCKET_CLOSED) {
                buf_put_fmt(&t->out, "close(%u,%.*s) ", got.code, STR_ARG(got.piece));
            } else {
                buf_put_fmt(&t->out, "%s(%.*s) ", event == WEBSOCKET_PINGED ? "ping" : "pong",
                            STR_ARG(got.piece));
            }
        }
    }
    buf_put_text(&t->out, "more");
}

static void test_websocket_reads_frames_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        str input = str_make(rows[i].input, rows[i].input_bytes);
        static struct teller whole;
        static struct teller bytes;
        read_all(rows[i].reader, input, SIZE_MAX, &whole);
        read_all(rows[i].reader, input, 1, &bytes);
        assert_text(buf_str(&whole.out), buf_cstr(&bytes.out));
        assert_text(buf_str(&whole.out), rows[i].told);
    }
}

static void test_websocket_waits_for_room(void **state)
{
    (void)state;
    static struct websocket ws;
    struct websocket_got got;
    str input = str_make("\x82\x03"
                         "abc",
                         5);
    websocket_init(&ws, WEBSOCKET_CLIENT);
    assert_int_equal(websocket_next(&ws, &input, 0, &got), WEBSOCKET_NEED_ROOM);
    assert_int_equal(input.bytes, 3);
    assert_int_equal(websocket_next(&ws, &input, 2, &got), WEBSOCKET_DATA);
    assert_text(got.piece, "ab");
    assert_false(got.is_last);
    assert_int_equal(websocket_next(&ws, &input, 2, &got), WEBSOCKET_DATA);
    assert_text(got.piece, "c");
    assert_true(got.is_last);
}

static void round_trip(enum websocket_role writer, size_t bytes)
{
    static struct websocket from;
    static struct websocket to;
    static char payload[70000];
    static char memory[70000 + WEBSOCKET_HEAD_BYTES_MAX];
    struct buf out;
    size_t seen = 0;
    for (size_t i = 0; i < bytes; i++) {
        payload[i] = (char)(i * 7);
    }
    websocket_init(&from, writer);
    websocket_init(&to, writer == WEBSOCKET_CLIENT ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT);
    buf_init(&out, memory, sizeof memory);
    assert_true(websocket_put(&from, &out, WEBSOCKET_BINARY, str_make(payload, bytes), mask));
    str input = buf_str(&out);
    bool is_last = false;
    while (!is_last) {
        struct websocket_got got;
        assert_int_equal(websocket_next(&to, &input, SIZE_MAX, &got), WEBSOCKET_DATA);
        assert_memory_equal(got.piece.ptr, payload + seen, got.piece.bytes);
        seen += got.piece.bytes;
        is_last = got.is_last;
    }
    assert_int_equal(seen, bytes);
    assert_int_equal(input.bytes, 0);
}

static void test_websocket_reads_what_it_writes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 70000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        round_trip(WEBSOCKET_CLIENT, sizes[i]);
        round_trip(WEBSOCKET_SERVER, sizes[i]);
    }
}

static void test_websocket_says_when_nothing_fits(void **state)
{
    (void)state;
    static struct websocket ws;
    char memory[4];
    struct buf out;
    websocket_init(&ws, WEBSOCKET_SERVER);
    buf_init(&out, memory, sizeof memory);
    assert_true(websocket_put_close(&ws, &out, WEBSOCKET_CODE_NORMAL, mask));
    assert_memory_equal(memory, "\x88\x02\x03\xe8", 4);
    assert_false(websocket_put(&ws, &out, WEBSOCKET_PONG, STR_NONE, mask));
}

static void test_websocket_handshake(void **state)
{
    (void)state;
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    websocket_accept(S("dGhlIHNhbXBsZSBub25jZQ=="), accept); /* RFC 6455 1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_true(websocket_key_is_valid(S("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_false(websocket_key_is_valid(S("dGhlIHNhbXBsZSBub25j")));
    assert_false(websocket_key_is_valid(S("!GhlIHNhbXBsZSBub25jZQ==")));
    assert_false(websocket_key_is_valid(S("dGhlIHNhbXBsZSBub25jZQAA")));
}

/* ---- channels -------------------------------------------------------------------------------- */

static void channel_round_trip(bool is_base64, size_t step)
{
    static struct websocket from;
    static struct websocket to;
    static struct channel_reader reader;
    char memory[128];
    char seen[64];
    struct buf out;
    struct buf got_text;
    bool is_put = false;
    websocket_init(&from, WEBSOCKET_CLIENT);
    websocket_init(&to, WEBSOCKET_SERVER);
    channel_reader_init(&reader, is_base64);
    buf_init(&out, memory, sizeof memory);
    buf_init(&got_text, seen, sizeof seen);
    assert_int_equal(
        channel_put(&from, is_base64, &out, CHANNEL_STDERR, S("hello, w\xff"), mask, &is_put), 9);
    assert_true(is_put);
    str input = buf_str(&out);
    bool is_last = false;
    while (!is_last) {
        struct websocket_got got;
        str data;
        assert_int_equal(websocket_next(&to, &input, step, &got), WEBSOCKET_DATA);
        assert_true(channel_read(&reader, &got, &data));
        buf_put(&got_text, data);
        is_last = got.is_last;
    }
    assert_int_equal(reader.channel, CHANNEL_STDERR);
    assert_text(buf_str(&got_text), "hello, w\xff");
}

static void test_channel_round_trips_in_any_pieces(void **state)
{
    (void)state;
    for (size_t step = 1; step < 12; step++) {
        channel_round_trip(false, step);
        channel_round_trip(true, step);
    }
}

static void test_channel_puts_what_fits(void **state)
{
    (void)state;
    static struct websocket ws;
    char memory[24];
    struct buf out;
    bool is_put = true;
    websocket_init(&ws, WEBSOCKET_SERVER);
    buf_init(&out, memory, sizeof memory);
    assert_int_equal(channel_put(&ws, false, &out, 1, S("0123456789012345"), mask, NULL), 9);
    assert_int_equal(channel_put(&ws, false, &out, 1, S("x"), mask, &is_put), 0);
    assert_false(is_put);
    buf_clear(&out);
    assert_int_equal(channel_put(&ws, true, &out, 1, S("0123456789"), mask, NULL), 6);
    assert_memory_equal(memory,
                        "\x81\x09"
                        "1MDEyMzQ1",
                        11);
    buf_clear(&out);
    assert_int_equal(channel_put(&ws, false, &out, 1, STR_NONE, mask, &is_put), 0);
    assert_true(is_put);
    assert_int_equal(out.bytes, 3);
}

static void test_channel_refuses_nonsense(void **state)
{
    (void)state;
    static struct channel_reader reader;
    struct websocket_got got = {.piece = S("xQUJD"), .is_first = true, .is_last = true};
    str data;
    channel_reader_init(&reader, true);
    assert_false(channel_read(&reader, &got, &data));
    got.piece = S("1A*BC");
    assert_false(channel_read(&reader, &got, &data));
    got.piece = S("1QUJDR");
    assert_false(channel_read(&reader, &got, &data));
    got.piece = S("1QUI");
    assert_true(channel_read(&reader, &got, &data));
    assert_text(data, "AB");
    got.piece = STR_NONE;
    assert_true(channel_read(&reader, &got, &data));
    assert_false(reader.has_channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_websocket_reads_frames_in_any_pieces),
        cmocka_unit_test(test_websocket_waits_for_room),
        cmocka_unit_test(test_websocket_reads_what_it_writes),
        cmocka_unit_test(test_websocket_says_when_nothing_fits),
        cmocka_unit_test(test_websocket_handshake),
        cmocka_unit_test(test_channel_round_trips_in_any_pieces),
        cmocka_unit_test(test_channel_puts_what_fits),
        cmocka_unit_test(test_channel_refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
