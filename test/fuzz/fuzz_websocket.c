/*
 * Any bytes as WebSocket frames with channels, read whole and in pieces: both ways must tell the
 * same story, and every view must lie inside what was given or the engine's own memory. First byte:
 * role and framing; second: size of the pieces.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "net/websocket_channel.h"

struct story {
    uint64_t digest;
    bool has_failed;
};

static void note(struct story *story, unsigned what, str text)
{
    story->digest = (story->digest ^ what) * 1099511628211u;
    for (size_t i = 0; i < text.bytes; i++) {
        story->digest = (story->digest ^ (uint8_t)text.ptr[i]) * 1099511628211u;
    }
}

static struct websocket ws;
static struct channel_reader reader;

static void feed(str input, size_t room, struct story *story)
{
    struct websocket_got got;
    for (;;) {
        enum websocket_event event =
            websocket_next(&ws, &input, channel_piece_room(reader.is_base64, room), &got);
        if (event == WEBSOCKET_NEED_MORE || event == WEBSOCKET_FAILED) {
            story->has_failed = event == WEBSOCKET_FAILED;
            CHECK(event == WEBSOCKET_FAILED || input.bytes == 0);
            return;
        }
        CHECK(event != WEBSOCKET_NEED_ROOM);
        if (event == WEBSOCKET_DATA) {
            str data;
            CHECK(got.piece.bytes <= room && (got.piece.bytes > 0 || got.is_last));
            if (!channel_read(&reader, &got, &data)) {
                story->has_failed = true;
                return;
            }
            CHECK(data.bytes <= room && data.bytes <= got.piece.bytes + 2);
            for (size_t i = 0; i < data.bytes; i++) {
                note(story, reader.channel, str_sub(data, i, 1));
            }
        } else {
            note(story, 1000u + event + got.code, got.piece);
        }
    }
}

static struct story tell(str input, enum websocket_role role, bool is_base64, size_t step)
{
    struct story story = {0};
    websocket_init(&ws, role);
    channel_reader_init(&reader, is_base64);
    while (input.bytes > 0 && !story.has_failed) {
        feed(str_sub(input, 0, step), step < 3 ? 3 : step, &story);
        input = str_sub(input, step, SIZE_MAX);
    }
    return story;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2) {
        return 0;
    }
    enum websocket_role role = (data[0] & 1) != 0 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER;
    bool is_base64 = (data[0] & 2) != 0;
    str input = str_make((const char *)data + 2, bytes - 2);
    struct story whole = tell(input, role, is_base64, SIZE_MAX);
    struct story parts = tell(input, role, is_base64, 1u + data[1] % 64u);
    CHECK(whole.has_failed == parts.has_failed);
    CHECK(whole.has_failed || whole.digest == parts.digest);
    return 0;
}
