/* see websocket_channel.h */
#include "net/websocket_channel.h"

#include "base/codec.h"

void channel_reader_init(struct channel_reader *reader, bool is_base64)
{
    reader->is_base64 = is_base64;
    reader->has_channel = false;
    reader->quad_bytes = 0;
}

/* Decodes whole groups of four; what is left of the last one waits for the next piece. */
static bool decode(struct channel_reader *reader, str text, bool is_last, str *data)
{
    struct buf out;
    bool is_good = true;
    buf_init(&out, reader->decoded, sizeof reader->decoded);
    while (is_good && text.bytes > 0) {
        reader->quad[reader->quad_bytes++] = text.ptr[0];
        text = str_sub(text, 1, SIZE_MAX);
        if (reader->quad_bytes == 4) {
            is_good = codec_get_base64(&out, str_make(reader->quad, 4)) == ERR_OK;
            reader->quad_bytes = 0;
        }
    }
    if (is_good && is_last && reader->quad_bytes > 0) { /* padding may be left out */
        is_good = codec_get_base64(&out, str_make(reader->quad, reader->quad_bytes)) == ERR_OK;
        reader->quad_bytes = 0;
    }
    *data = buf_str(&out);
    return is_good;
}

bool channel_read(struct channel_reader *reader, const struct websocket_got *got, str *data)
{
    str rest = got->piece;
    *data = STR_NONE;
    if (got->is_first) {
        reader->has_channel = false;
        reader->quad_bytes = 0;
    }
    if (!reader->has_channel && rest.bytes > 0) {
        uint8_t first = (uint8_t)rest.ptr[0];
        if (reader->is_base64 && (first < '0' || first > '9')) {
            return false;
        }
        reader->channel = reader->is_base64 ? (uint8_t)(first - '0') : first;
        reader->has_channel = true;
        rest = str_sub(rest, 1, SIZE_MAX);
    }
    if (reader->is_base64) {
        return decode(reader, rest, got->is_last, data);
    }
    *data = rest;
    return true;
}

size_t channel_put(const struct websocket *ws, bool is_base64, struct buf *out, uint8_t channel,
                   str data, const uint8_t mask[static 4], bool *is_put)
{
    size_t room = out->bytes_max - out->bytes;
    room = room > WEBSOCKET_HEAD_BYTES_MAX + 1 ? room - WEBSOCKET_HEAD_BYTES_MAX - 1 : 0;
    size_t fits = is_base64 ? room / 4 * 3 : room;
    size_t bytes = data.bytes < fits ? data.bytes : fits;
    bool is_possible = room > 0 && (bytes > 0 || data.bytes == 0);
    if (is_put != NULL) {
        *is_put = is_possible;
    }
    if (!is_possible) {
        return 0;
    }
    size_t payload = 1 + (is_base64 ? (bytes + 2) / 3 * 4 : bytes);
    size_t at =
        websocket_begin(ws, out, is_base64 ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, payload, mask);
    if (is_base64) {
        buf_put_char(out, (char)('0' + channel));
        codec_put_base64(out, data.ptr, bytes);
    } else {
        buf_put_char(out, (char)channel);
        buf_put(out, str_sub(data, 0, bytes));
    }
    (void)websocket_end(ws, out, at, mask);
    return bytes;
}
