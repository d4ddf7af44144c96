/* see eci_exec_framing.h */
#include "eci/eci_exec_framing.h"

#include <stdio.h>

#include "data/json_read.h"

#define END_OF_TRANSMISSION "\x04"

const char *eci_framing_offer(enum eci_framing wanted)
{
    switch (wanted) {
    case ECI_FRAMING_RAW:
        return NULL;
    case ECI_FRAMING_BASE64:
        return "v4.base64.channel.k8s.io, base64.channel.k8s.io";
    case ECI_FRAMING_AUTO:
    case ECI_FRAMING_CHANNEL:
        break;
    }
    return "v5.channel.k8s.io, v4.channel.k8s.io, channel.k8s.io, base64.channel.k8s.io";
}

void eci_framing_agree(struct eci_exec_framing *framing, enum eci_framing wanted, str agreed)
{
    framing->has_channels =
        wanted == ECI_FRAMING_AUTO ? !str_is_empty(agreed) : wanted != ECI_FRAMING_RAW;
    framing->is_base64 = framing->has_channels &&
                         (wanted == ECI_FRAMING_BASE64 || str_find(agreed, S("base64.")) >= 0);
    framing->has_close = framing->has_channels && str_starts(agreed, S("v5."));
    channel_reader_init(&framing->reader, framing->is_base64);
}

bool eci_framing_read(struct eci_exec_framing *framing, const struct websocket_got *got,
                      uint8_t *channel, str *data)
{
    if (!framing->has_channels) {
        *channel = CHANNEL_STDOUT;
        *data = got->piece;
        return true;
    }
    bool is_good = channel_read(&framing->reader, got, data);
    *channel = framing->reader.channel;
    return is_good;
}

size_t eci_framing_put_stdin(const struct eci_exec_framing *framing, const struct websocket *ws,
                             struct buf *out, str data, const uint8_t mask[static 4])
{
    size_t room = out->bytes_max - out->bytes;
    if (framing->has_channels) {
        return channel_put(ws, framing->is_base64, out, CHANNEL_STDIN, data, mask, NULL);
    }
    room = room > WEBSOCKET_HEAD_BYTES_MAX ? room - WEBSOCKET_HEAD_BYTES_MAX : 0;
    str piece = str_sub(data, 0, room);
    if (piece.bytes > 0) {
        (void)websocket_put(ws, out, WEBSOCKET_BINARY, piece, mask);
    }
    return piece.bytes;
}

bool eci_framing_put_stdin_end(const struct eci_exec_framing *framing, const struct websocket *ws,
                               struct buf *out, bool has_tty, const uint8_t mask[static 4])
{
    static const char end[] = {CHANNEL_STDIN};
    bool is_put = false;
    if (has_tty) {
        return eci_framing_put_stdin(framing, ws, out, S(END_OF_TRANSMISSION), mask) > 0;
    }
    if (framing->has_close) {
        return channel_put(ws, framing->is_base64, out, CHANNEL_CLOSE, str_make(end, sizeof end),
                           mask, NULL) > 0;
    }
    if (!framing->has_channels) {
        return true;
    }
    (void)channel_put(ws, framing->is_base64, out, CHANNEL_STDIN, STR_NONE, mask, &is_put);
    return is_put;
}

bool eci_framing_put_size(const struct eci_exec_framing *framing, const struct websocket *ws,
                          struct buf *out, uint32_t width, uint32_t height,
                          const uint8_t mask[static 4])
{
    char text[64];
    int bytes = snprintf(text, sizeof text, "{\"Width\":%u,\"Height\":%u}", width, height);
    if (!framing->has_channels) {
        return true;
    }
    if (out->bytes_max - out->bytes < 2 * sizeof text + WEBSOCKET_HEAD_BYTES_MAX) {
        return false; /* whole or not at all */
    }
    return channel_put(ws, framing->is_base64, out, CHANNEL_RESIZE, str_make(text, (size_t)bytes),
                       mask, NULL) > 0;
}

/* ---- how it ended ---------------------------------------------------------------------------- */

/* "... exit code 3": the number after the last blank. */
static bool code_of_sentence(str text, int64_t *code)
{
    size_t at = text.bytes;
    while (at > 0 && text.ptr[at - 1] != ' ') {
        at--;
    }
    return str_find(text, S("exit")) >= 0 && str_to_i64(str_sub(text, at, SIZE_MAX), code);
}

static void read_status_object(json status, struct arena *arena, struct eci_exec_status *out)
{
    if (json_text_is(json_get(status, "status"), "Success")) {
        out->has_code = true;
        return;
    }
    json causes = json_get(json_get(status, "details"), "causes");
    for (json cause = json_first(causes); json_is_there(cause); cause = json_next(cause)) {
        if (json_text_is(json_get(cause, "reason"), "ExitCode")) {
            out->has_code = str_to_i64(json_text(json_get(cause, "message"), arena), &out->code);
        }
    }
    out->message = json_text(json_get(status, "message"), arena);
}

struct eci_exec_status eci_framing_status(str text, struct arena *arena)
{
    struct eci_exec_status out = {.is_known = !str_is_empty(str_trim(text))};
    json status;
    if (!out.is_known) {
        return out;
    }
    if (json_parse(text, arena, &status, NULL) == ERR_OK && json_type(status) == JSON_TYPE_OBJECT) {
        read_status_object(status, arena, &out);
    } else {
        out.has_code = code_of_sentence(str_trim(text), &out.code);
        out.message = str_trim(text);
    }
    return out;
}
