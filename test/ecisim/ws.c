/* see ws.h */
#include "ws.h"

#include <string.h>

#include "sign.h"

void ws_accept(struct buf *out, const char *key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 section 1.3 */
    struct buf text = {0};
    unsigned char digest[SHA1_BYTES];
    buf_fmt(&text, "%s%s", key, guid);
    sha1(digest, text.data, text.used);
    base64_encode(out, digest, sizeof digest);
    buf_free(&text);
}

struct frame {
    bool is_last;
    enum ws_opcode opcode;
    size_t head_bytes; /* with the mask */
    size_t bytes;
    const unsigned char *mask;
};

/* RFC 6455 section 5.2. 1: the whole frame is there, 0: not yet, -1: broken. */
static int read_frame(const struct buf *in, struct frame *frame)
{
    const unsigned char *at = (const unsigned char *)buf_string(in);
    size_t size_bytes = 0;
    if (in->used < 2) {
        return 0;
    }
    frame->is_last = (at[0] & 0x80) != 0;
    frame->opcode = at[0] & 15;
    frame->bytes = at[1] & 127;
    if ((at[0] & 0x70) != 0 || (at[1] & 0x80) == 0) {
        return -1; /* reserved bits, or a client that does not mask */
    }
    size_bytes = frame->bytes == 126 ? 2 : frame->bytes == 127 ? 8 : 0;
    frame->head_bytes = 2 + size_bytes + 4;
    if (in->used < frame->head_bytes) {
        return 0;
    }
    if (size_bytes > 0) {
        frame->bytes = 0;
        for (size_t byte = 0; byte < size_bytes; byte++) {
            frame->bytes = frame->bytes << 8 | at[2 + byte];
        }
    }
    bool is_control = frame->opcode >= WS_CLOSE;
    if (frame->bytes > WS_MESSAGE_BYTES_MAX ||
        (is_control && (!frame->is_last || frame->bytes > 125))) {
        return -1;
    }
    frame->mask = at + 2 + size_bytes;
    return in->used - frame->head_bytes >= frame->bytes ? 1 : 0;
}

static void take_payload(struct buf *in, const struct frame *frame, struct buf *out)
{
    const char *data = in->data + frame->head_bytes;
    char *place = buf_reserve(out, frame->bytes);
    for (size_t at = 0; at < frame->bytes; at++) {
        place[at] = (char)((unsigned char)data[at] ^ frame->mask[at % 4]);
    }
    out->used += frame->bytes;
    out->data[out->used] = '\0';
    buf_skip(in, frame->head_bytes + frame->bytes);
}

int ws_take(struct ws *ws, struct buf *in, enum ws_opcode *opcode, struct buf *control)
{
    struct frame frame;
    int result = 0;
    while ((result = read_frame(in, &frame)) == 1) {
        if (frame.opcode >= WS_CLOSE) {
            buf_clear(control);
            take_payload(in, &frame, control);
            *opcode = frame.opcode;
            return 1;
        }
        bool is_first = frame.opcode != WS_MORE;
        if (is_first == (ws->opcode != WS_MORE) ||
            (is_first && frame.opcode != WS_TEXT && frame.opcode != WS_BINARY)) {
            return -1; /* a message inside another, or the rest of none */
        }
        if (is_first) {
            ws->opcode = frame.opcode;
            buf_clear(&ws->message);
        }
        take_payload(in, &frame, &ws->message);
        if (ws->message.used > WS_MESSAGE_BYTES_MAX) {
            return -1;
        }
        if (frame.is_last) {
            *opcode = ws->opcode;
            ws->opcode = WS_MORE;
            return 1;
        }
    }
    return result;
}

void ws_put(struct buf *out, enum ws_opcode opcode, const void *data, size_t bytes)
{
    buf_byte(out, (char)(0x80 | opcode));
    if (bytes < 126) {
        buf_byte(out, (char)bytes);
    } else if (bytes < 65536) {
        buf_byte(out, 126);
        buf_byte(out, (char)(bytes >> 8));
        buf_byte(out, (char)bytes);
    } else {
        buf_byte(out, 127);
        for (int shift = 56; shift >= 0; shift -= 8) {
            buf_byte(out, (char)((unsigned long long)bytes >> shift));
        }
    }
    buf_add(out, data, bytes);
}

void ws_free(struct ws *ws)
{
    buf_free(&ws->message);
    ws->opcode = WS_MORE;
}
