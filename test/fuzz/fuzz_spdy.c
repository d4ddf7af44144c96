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

/* Digests of what the events tell, and of what is answered: an answer may wait for the next event.
 */
struct story {
    uint64_t told, said;
};

static uint64_t mix(uint64_t digest, str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        digest = (digest ^ (uint8_t)text.ptr[i]) * 1099511628211u;
    }
    return digest;
}

static void drain(struct story *story)
{
    story->said = mix(story->said, buf_str(&out));
    buf_clear(&out);
}

static void opened(struct spdy_stream *stream, struct story *story)
{
    str value = STR_NONE;
    (void)spdy_header(&spdy, S("streamtype"), &value);
    story->told = mix(story->told, value);
    spdy_reply(&spdy, stream);
    (void)spdy_put(&spdy, stream, S("hello"));
}

/* False when the session has failed. */
static bool feed(str input, struct story *story)
{
    struct spdy_got got;
    for (;;) {
        enum spdy_event event = spdy_next(&spdy, &input, 1 << 16, &got);
        CHECK(buf_ok(&out));
        if (event != SPDY_OPENED) { /* a reply needs the room that was promised, as it is */
            drain(story);
        }
        switch (event) {
        case SPDY_NEED_MORE:
            CHECK(input.bytes == 0);
            return true;
        case SPDY_NEED_ROOM:
            break; /* it has just been drained */
        case SPDY_OPENED:
            opened(got.stream, story);
            break;
        case SPDY_DATA:
            CHECK(got.piece.bytes > 0);
            story->told = mix(story->told, got.piece);
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
        drain(story);
    }
}

static bool tell(str input, size_t step, struct story *story)
{
    bool is_well = true;
    *story = (struct story){.told = 0};
    buf_init(&out, out_memory, sizeof out_memory);
    CHECK(spdy_init(&spdy, &out, streams, STREAMS) == ERR_OK);
    while (input.bytes > 0 && is_well) {
        is_well = feed(str_sub(input, 0, step), story);
        input = str_sub(input, step, SIZE_MAX);
    }
    return is_well;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct story whole, parts;
    if (bytes < 1) {
        return 0;
    }
    str input = str_make((const char *)data + 1, bytes - 1);
    bool is_whole_well = tell(input, SIZE_MAX, &whole);
    bool is_parts_well = tell(input, 1u + data[0] % 64u, &parts);
    CHECK(is_whole_well == is_parts_well);
    CHECK((whole.told == parts.told && whole.said == parts.said) || !is_whole_well);
    return 0;
}
