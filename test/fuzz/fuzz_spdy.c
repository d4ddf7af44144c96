/*
 * Any bytes as a SPDY session, read whole and in pieces: both ways must tell the same story and
 * answer the same bytes. First byte: size of the pieces. Every stream is accepted, echoed a little,
 * and forgotten when it is over.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "net/spdy.h"

#define STREAMS 4
#define OUT_BYTES 1024

static struct spdy spdy;
static struct spdy_stream streams[STREAMS];
static char out_memory[OUT_BYTES];
static struct buf out;

static uint64_t mix(uint64_t digest, str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        digest = (digest ^ (uint8_t)text.ptr[i]) * 1099511628211u;
    }
    return digest;
}

static void opened(struct spdy_stream *stream, uint64_t *digest)
{
    str value = STR_NONE;
    (void)spdy_header(&spdy, S("streamtype"), &value);
    *digest = mix(*digest, value);
    spdy_reply(&spdy, stream);
    (void)spdy_put(&spdy, stream, S("hello"));
}

/* False when the session has failed. */
static bool feed(str input, uint64_t *digest)
{
    struct spdy_got got;
    for (;;) {
        enum spdy_event event = spdy_next(&spdy, &input, 1 << 16, &got);
        CHECK(buf_ok(&out));
        *digest = mix(*digest, buf_str(&out));
        if (event != SPDY_OPENED) { /* a reply needs the room that was promised, as it is */
            buf_clear(&out);
        }
        switch (event) {
        case SPDY_NEED_MORE:
            CHECK(input.bytes == 0);
            return true;
        case SPDY_NEED_ROOM:
            break; /* it has just been drained */
        case SPDY_OPENED:
            opened(got.stream, digest);
            break;
        case SPDY_DATA:
            CHECK(got.piece.bytes > 0);
            *digest = mix(*digest, got.piece);
            break;
        case SPDY_ENDED:
            if (spdy_end(&spdy, got.stream)) {
                spdy_forget(got.stream);
            }
            break;
        case SPDY_RESET:
            spdy_forget(got.stream);
            break;
        case SPDY_AWAY:
            break;
        case SPDY_FAILED:
            return false;
        }
        *digest = mix(*digest, buf_str(&out));
        buf_clear(&out);
    }
}

static bool tell(str input, size_t step, uint64_t *digest)
{
    bool is_well = true;
    *digest = 0;
    buf_init(&out, out_memory, sizeof out_memory);
    CHECK(spdy_init(&spdy, &out, streams, STREAMS) == ERR_OK);
    while (input.bytes > 0 && is_well) {
        is_well = feed(str_sub(input, 0, step), digest);
        input = str_sub(input, step, SIZE_MAX);
    }
    return is_well;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint64_t whole = 0;
    uint64_t parts = 0;
    if (bytes < 1) {
        return 0;
    }
    str input = str_make((const char *)data + 1, bytes - 1);
    bool is_whole_well = tell(input, SIZE_MAX, &whole);
    bool is_parts_well = tell(input, 1u + data[0] % 64u, &parts);
    CHECK(is_whole_well == is_parts_well);
    CHECK(whole == parts || !is_whole_well);
    return 0;
}
