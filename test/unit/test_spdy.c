/* spdy: a table of frames, good and hostile, each read whole and byte by byte; what is written;
 * windows; header blocks as a real zlib makes them. */
#include "unit.h"

#include "net/spdy.h"

#define OUT_BYTES 2048
#define STREAMS 2

struct peer {
    struct spdy spdy;
    struct buf out;
    char out_memory[OUT_BYTES];
    struct spdy_stream streams[STREAMS];
    char told_memory[1024];
    struct buf told;
};

static void peer_init(struct peer *p)
{
    buf_init(&p->out, p->out_memory, sizeof p->out_memory);
    buf_init(&p->told, p->told_memory, sizeof p->told_memory);
    assert_int_equal(spdy_init(&p->spdy, &p->out, p->streams, STREAMS), ERR_OK);
}

/* Reads the input in pieces; every stream that opens is accepted. */
static void peer_feed(struct peer *p, str input, size_t piece_bytes)
{
    while (input.bytes > 0) {
        str piece = str_sub(input, 0, piece_bytes);
        input = str_sub(input, piece_bytes, SIZE_MAX);
        for (;;) {
            struct spdy_got got;
            str type = S("-");
            enum spdy_event event = spdy_next(&p->spdy, &piece, 1 << 20, &got);
            uint32_t id = got.stream != NULL ? got.stream->id : 0;
            if (event == SPDY_NEED_MORE) {
                break;
            }
            switch (event) {
            case SPDY_OPENED:
                (void)spdy_header(&p->spdy, S("StreamType"), &type);
                buf_put_fmt(&p->told, "open%u(%.*s) ", id, STR_ARG(type));
                spdy_reply(&p->spdy, got.stream);
                break;
            case SPDY_DATA:
                for (size_t i = 0; i < got.piece.bytes; i++) {
                    buf_put_fmt(&p->told, "%u:%c ", id, got.piece.ptr[i]);
                }
                break;
            case SPDY_ENDED:
                buf_put_fmt(&p->told, "end%u ", id);
                break;
            case SPDY_RESET:
                buf_put_fmt(&p->told, "reset%u ", id);
                spdy_forget(got.stream);
                break;
            case SPDY_AWAY:
                buf_put_text(&p->told, "away ");
                break;
            default:
                buf_put_fmt(&p->told, "failed(%s)", p->spdy.why);
                assert_int_equal(event, SPDY_FAILED);
                return;
            }
        }
    }
}

/* Header blocks as zlib 1.2 makes them with the draft's dictionary: streamtype error, stdin, and
 * accept-encoding with streamtype stdout. */
#define ERROR_BLOCK \
    "\x78\xf9\xe3\xc6\xa7\xc2\x02\xa6\x23\x46\x70\x3a\x2b\x29\x4a\x4d\xcc\x85\x16\x25\xac\xa9\xa0" \
    "\x80\x06\x00\x00\x00\xff\xff"
#define STDIN_BLOCK "\xc2\x2e\x55\x5c\x02\xcc\x2e\x00\x00\x00\x00\xff\xff"
#define STDOUT_BLOCK \
    "\x02\xe5\x29\xec\xe5\x2e\x0f\xb2\x73\x30\x74\x03\xb3\x42\x4a\x7e\x69\x09\x00\x00\x00\xff\xff"
#define SYN(flags, length, id) \
    "\x80\x03\x00\x01" flags "\x00\x00" length "\x00\x00\x00" id "\x00\x00\x00\x00\x00\x00"
#define OPEN_1 SYN("\x00", "\x28", "\x01") ERROR_BLOCK
#define OPEN_3 SYN("\x00", "\x17", "\x03") STDIN_BLOCK
#define OPEN_5 SYN("\x00", "\x21", "\x05") STDOUT_BLOCK
#define DATA(id, flags, length) "\x00\x00\x00" id flags "\x00\x00" length
#define RST(id) "\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00" id "\x00\x00\x00\x05"
#define IN(text) text, sizeof(text) - 1

static const struct case_row {
    const char *input;
    size_t input_bytes;
    const char *told;
} rows[] = {
    {IN(OPEN_1), "open1(error) "},
    {IN(OPEN_1 OPEN_3), "open1(error) open3(stdin) "},
    {IN(OPEN_1 DATA("\x01", "\x00", "\x02") "hi"), "open1(error) 1:h 1:i "},
    {IN(OPEN_1 DATA("\x01", "\x01", "\x01") "x"), "open1(error) 1:x end1 "},
    {IN(OPEN_1 DATA("\x01", "\x01", "\x00")), "open1(error) end1 "},
    {IN(OPEN_1 DATA("\x01", "\x00", "\x00")), "open1(error) "},
    {IN(SYN("\x01", "\x28", "\x01") ERROR_BLOCK), "open1(error) end1 "},
    /* the table is full: refused, but its block was read; a slot that is free again is used */
    {IN(OPEN_1 OPEN_3 OPEN_5), "open1(error) open3(stdin) "},
    {IN(OPEN_1 OPEN_3 RST("\x01") OPEN_5), "open1(error) open3(stdin) reset1 open5(stdout) "},
    /* late data for what is over is no news */
    {IN(OPEN_1 RST("\x01") DATA("\x01", "\x01", "\x01") "x"), "open1(error) reset1 "},
    {IN(RST("\x07")), ""},
    {IN(OPEN_1 DATA("\x01", "\x01", "\x00") DATA("\x01", "\x01", "\x01") "x"),
     "open1(error) end1 "},
    /* other frames: ping, settings, a type nobody knows, headers, go away, window */
    {IN("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01" OPEN_1), "open1(error) "},
    {IN("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x02"), ""},
    {IN("\x80\x03\x00\x04\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x64" OPEN_1),
     "open1(error) "},
    {IN("\x80\x03\x00\x0a\x00\x00\x00\x02zz" OPEN_1), "open1(error) "},
    {IN(OPEN_1 "\x80\x03\x00\x08\x01\x00\x00\x11\x00\x00\x00\x01" STDIN_BLOCK),
     "open1(error) end1 "},
    {IN("\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00" OPEN_1), "away "},
    {IN("\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01" OPEN_1),
     "open1(error) "},
    /* broken rules */
    {IN("\x80\x02\x00\x06\x00\x00\x00\x04"), "failed(not SPDY/3)"},
    {IN("GET / HTTP/1.1\r\n"), "failed(data for a stream that was not opened)"},
    {IN(DATA("\x00", "\x00", "\x01") "x"), "failed(data for stream 0)"},
    {IN("\x80\x03\x00\x01\x00\x00\x00\x09"), "failed(a control frame is too short)"},
    {IN(SYN("\x00", "\x28", "\x02") ERROR_BLOCK), "failed(a stream number out of order)"},
    {IN(OPEN_1 SYN("\x00", "\x17", "\x01") STDIN_BLOCK),
     "open1(error) failed(a stream number out of order)"},
    {IN("\x80\x03\x00\x02\x00\x00\x00\x22\x00\x00\x00\x01" ERROR_BLOCK),
     "failed(a reply to a stream we did not open)"},
    {IN(SYN("\x00", "\x0e", "\x01") "zlib"), "failed(malformed input)"},
    {IN(SYN("\x00", "\x0a", "\x01")), "failed(a malformed header block)"},
    {IN(SYN("\x00", "\x1f", "\x01") "\x78\xbb\xe3\xc6\xa7\xc2\x00\x05\x00\xfa\xff\x00\x00\x00\x01!"
                                    "\x00\x00\x00\xff\xff"),
     "failed(a malformed header block)"},
    {IN("\x80\x03\x00\x04\x00\x00\x00\x0a\x00\x00\x00\x02\x00\x00\x00\x07zz"),
     "failed(settings are cut short)"},
    {IN("\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x00\x7f\xff\xff\xff"),
     "failed(a window grew too large)"},
    {IN(OPEN_1 "\x80\x03\x00\x04\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x07\xff\xff\xff\xff"),
     "open1(error) failed(a window grew too large)"},
};

static void test_spdy_reads_frames_in_any_pieces(void **state)
{
    (void)state;
    static struct peer whole;
    static struct peer bytes;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        str input = str_make(rows[i].input, rows[i].input_bytes);
        peer_init(&whole);
        peer_init(&bytes);
        peer_feed(&whole, input, SIZE_MAX);
        peer_feed(&bytes, input, 1);
        assert_text(buf_str(&whole.told), rows[i].told);
        assert_text(buf_str(&bytes.told), rows[i].told);
        assert_int_equal(whole.out.bytes, bytes.out.bytes);
        assert_memory_equal(whole.out_memory, bytes.out_memory, whole.out.bytes);
    }
}

static void assert_out(struct peer *p, const char *expected, size_t bytes)
{
    assert_int_equal(p->out.bytes, bytes);
    assert_memory_equal(p->out_memory, expected, bytes);
    buf_clear(&p->out);
}

static void test_spdy_writes_frames(void **state)
{
    (void)state;
    static struct peer p;
    peer_init(&p);
    peer_feed(&p, str_make(IN(OPEN_1)), SIZE_MAX);
    assert_out(&p, IN("\x80\x03\x00\x02\x00\x00\x00\x18\x00\x00\x00\x01\x78\xbb\xe3\xc6\xa7\xc2"
                      "\x00\x04\x00\xfb\xff\x00\x00\x00\x00\x00\x00\x00\xff\xff"));
    peer_feed(&p, str_make(IN(OPEN_3)), SIZE_MAX);
    assert_out(&p, IN("\x80\x03\x00\x02\x00\x00\x00\x12\x00\x00\x00\x03"
                      "\x00\x04\x00\xfb\xff\x00\x00\x00\x00\x00\x00\x00\xff\xff"));
    struct spdy_stream *stream = &p.streams[1];
    assert_int_equal(spdy_put(&p.spdy, stream, S("abc")), 3);
    assert_true(spdy_end(&p.spdy, stream));
    assert_true(spdy_end(&p.spdy, stream));
    assert_out(&p, IN("\x00\x00\x00\x03\x00\x00\x00\x03"
                      "abc\x00\x00\x00\x03\x01\x00\x00\x00"));
    assert_int_equal(spdy_put(&p.spdy, stream, S("abc")), 0);
    assert_true(spdy_reset(&p.spdy, stream, SPDY_CANCEL));
    assert_out(&p, IN("\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x05"));
    assert_int_equal(stream->id, 0);
    /* one slot is free: 5 is taken, 7 refused */
    peer_feed(&p, str_make(IN(OPEN_5)), SIZE_MAX);
    buf_clear(&p.out);
    peer_feed(&p, str_make(IN("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x09")), SIZE_MAX);
    assert_out(&p, IN("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x09"));
}

static void test_spdy_refuses_streams_beyond_its_table(void **state)
{
    (void)state;
    static struct peer p;
    peer_init(&p);
    peer_feed(&p, str_make(IN(OPEN_1 OPEN_3)), SIZE_MAX);
    buf_clear(&p.out);
    peer_feed(&p, str_make(IN(OPEN_5)), SIZE_MAX);
    assert_out(&p, IN("\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00\x03"));
}

static void test_spdy_says_go_away_when_it_fails(void **state)
{
    (void)state;
    static struct peer p;
    peer_init(&p);
    peer_feed(&p, str_make(IN(OPEN_1)), SIZE_MAX);
    buf_clear(&p.out);
    peer_feed(&p, str_make(IN("\x80\x02\x00\x01\x00\x00\x00\x00")), SIZE_MAX);
    assert_out(&p, IN("\x80\x03\x00\x07\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x01"));
    assert_int_equal(spdy_room(&p.spdy, &p.streams[0]), 0);
}

static void test_spdy_out_keeps_room_for_answers(void **state)
{
    (void)state;
    static struct peer p;
    static const char text[OUT_BYTES] = {0};
    struct spdy_got got;
    peer_init(&p);
    peer_feed(&p, str_make(IN(OPEN_1)), SIZE_MAX);
    while (spdy_put(&p.spdy, &p.streams[0], str_make(text, sizeof text)) > 0) {
    }
    assert_int_equal(p.out.bytes_max - p.out.bytes, SPDY_RESERVE_BYTES);
    /* pings until even the reserve is used up: then reading stops instead of losing an answer */
    for (int i = 0; i < 100; i++) {
        str ping = str_make(IN("\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01"));
        enum spdy_event event = spdy_next(&p.spdy, &ping, 0, &got);
        assert_true(event == SPDY_NEED_MORE || event == SPDY_NEED_ROOM);
        assert_true(buf_ok(&p.out));
        if (event == SPDY_NEED_ROOM) {
            assert_true(ping.bytes == 12 || ping.bytes == 0);
            assert_false(spdy_end(&p.spdy, &p.streams[0]));
            assert_false(spdy_reset(&p.spdy, &p.streams[0], SPDY_CANCEL));
            return;
        }
    }
    fail();
}

static void test_spdy_windows_bind_once_the_peer_speaks_of_them(void **state)
{
    (void)state;
    static struct peer p;
    static const char text[1024] = {0};
    peer_init(&p);
    peer_feed(&p, str_make(IN(OPEN_1)), SIZE_MAX);
    for (int i = 0; i < 100; i++) { /* 100 KB: this peer takes all */
        buf_clear(&p.out);
        assert_int_equal(spdy_put(&p.spdy, &p.streams[0], str_make(text, 1024)), 1024);
    }
    buf_clear(&p.out);
    /* so many more bytes for the session: 100 KB are gone, 64 KB were there at first */
    peer_feed(&p, str_make(IN("\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x90\x0a")),
              SIZE_MAX);
    assert_int_equal(spdy_room(&p.spdy, &p.streams[0]), 0); /* the stream's own is used up */
    peer_feed(&p, str_make(IN("\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x01\x00\x01\x00\x00")),
              SIZE_MAX);
    assert_int_equal(spdy_put(&p.spdy, &p.streams[0], str_make(text, 1024)), 10);
    assert_int_equal(spdy_room(&p.spdy, &p.streams[0]), 0);
}

static void test_spdy_tells_what_was_taken(void **state)
{
    (void)state;
    static struct peer p;
    static char data[8 + 40000];
    struct spdy_got got;
    peer_init(&p);
    peer_feed(&p, str_make(IN(OPEN_1)), SIZE_MAX);
    buf_clear(&p.out);
    memcpy(data, "\x00\x00\x00\x01\x00\x00\x9c\x40", 8);
    str input = str_make(data, sizeof data);
    assert_int_equal(spdy_next(&p.spdy, &input, 0, &got), SPDY_NEED_ROOM);
    assert_int_equal(spdy_next(&p.spdy, &input, 30000, &got), SPDY_DATA);
    assert_int_equal(got.piece.bytes, 30000);
    assert_int_equal(p.out.bytes, 0);
    assert_int_equal(spdy_next(&p.spdy, &input, 30000, &got), SPDY_DATA);
    assert_int_equal(got.piece.bytes, 10000);
    assert_out(&p, IN("\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x9c\x40"
                      "\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x9c\x40"));
}

/* ---- header blocks --------------------------------------------------------------------------- */

static void test_inflate_stops_at_its_limit(void **state)
{
    (void)state;
    static struct spdy_inflate inflate;
    char memory[64];
    char zipped_memory[256];
    struct buf out;
    struct buf zipped;
    char block[64] = {0};
    buf_init(&zipped, zipped_memory, sizeof zipped_memory);
    spdy_deflate_put(&zipped, str_make(block, 40), true);
    spdy_deflate_put(&zipped, str_make(block, 60), false);
    assert_int_equal(spdy_inflate_start(&inflate), ERR_OK);
    buf_init(&out, memory, sizeof memory);
    assert_int_equal(spdy_inflate_put(&inflate, buf_str(&zipped), &out), ERR_TOO_BIG);
    buf_clear(&out);
    assert_int_equal(spdy_inflate_start(&inflate), ERR_OK);
    assert_int_equal(spdy_inflate_put(&inflate, S("\x78\xbb\x00\x00\x00\x01"), &out),
                     ERR_BAD_INPUT); /* another dictionary */
}

static void test_inflate_lives_within_its_memory(void **state)
{
    (void)state;
    static struct spdy_inflate inflate;
    static char memory[70000];
    static char block[60000];
    static char zipped_memory[70000];
    struct buf out;
    struct buf zipped;
    buf_init(&zipped, zipped_memory, sizeof zipped_memory);
    buf_init(&out, memory, sizeof memory);
    spdy_deflate_put(&zipped, str_make(block, sizeof block), true);
    assert_int_equal(spdy_inflate_start(&inflate), ERR_OK);
    for (size_t i = 0; i < zipped.bytes; i += 999) { /* more than a window, so zlib needs it all */
        assert_int_equal(spdy_inflate_put(&inflate, str_sub(buf_str(&zipped), i, 999), &out),
                         ERR_OK);
    }
    assert_int_equal(out.bytes, sizeof block);
    assert_true(inflate.used_bytes > 32768 && inflate.used_bytes <= SPDY_INFLATE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spdy_reads_frames_in_any_pieces),
        cmocka_unit_test(test_spdy_writes_frames),
        cmocka_unit_test(test_spdy_refuses_streams_beyond_its_table),
        cmocka_unit_test(test_spdy_says_go_away_when_it_fails),
        cmocka_unit_test(test_spdy_out_keeps_room_for_answers),
        cmocka_unit_test(test_spdy_windows_bind_once_the_peer_speaks_of_them),
        cmocka_unit_test(test_spdy_tells_what_was_taken),
        cmocka_unit_test(test_inflate_stops_at_its_limit),
        cmocka_unit_test(test_inflate_lives_within_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
