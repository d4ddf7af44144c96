/* see websocket.h */
#include "net/websocket.h"

#include "base/check.h"
#include "base/codec.h"
#include "net/bear.h"

enum phase { PHASE_HEAD, PHASE_PAYLOAD, PHASE_CONTROL, PHASE_OVER, PHASE_FAILED };

void websocket_init(struct websocket *ws, enum websocket_role role)
{
    ws->role = role;
    ws->phase = PHASE_HEAD;
    ws->head_bytes = 0;
    ws->left_bytes = 0;
    ws->control_bytes = 0;
    ws->is_in_message = false;
    ws->was_told = false;
    ws->why = "";
}

static enum websocket_event fail(struct websocket *ws, const char *why)
{
    ws->phase = PHASE_FAILED;
    ws->why = why;
    return WEBSOCKET_FAILED;
}

/* ---- the head of a frame (RFC 6455 5.2) ------------------------------------------------------ */

static uint32_t size_bytes(const struct websocket *ws)
{
    unsigned code = ws->head[1] & 127u;
    return code == 126 ? 2 : code == 127 ? 8 : 0;
}

static uint32_t head_bytes_wanted(const struct websocket *ws)
{
    if (ws->head_bytes < 2) {
        return 2;
    }
    return 2 + size_bytes(ws) + ((ws->head[1] & 128u) != 0 ? 4 : 0);
}

/* False while bytes are missing. */
static bool collect_head(struct websocket *ws, str *input)
{
    while (ws->head_bytes < head_bytes_wanted(ws)) {
        if (input->bytes == 0) {
            return false;
        }
        ws->head[ws->head_bytes++] = (uint8_t)input->ptr[0];
        *input = str_sub(*input, 1, SIZE_MAX);
    }
    return true;
}

/* The length; false when it was not written in the shortest form, or has the sign bit. */
static bool read_length(struct websocket *ws)
{
    uint32_t count = size_bytes(ws);
    uint64_t length = ws->head[1] & 127u;
    if (count > 0) {
        length = 0;
        for (uint32_t i = 0; i < count; i++) {
            length = length << 8 | ws->head[2 + i];
        }
    }
    ws->left_bytes = length;
    return count == 0 || (count == 2 ? length >= 126 : length > 65535 && length >> 63 == 0);
}

static bool is_control(uint8_t opcode)
{
    return (opcode & 8u) != 0;
}

/* NULL, or what is wrong with this head. */
static const char *judge_head(const struct websocket *ws)
{
    bool is_data = ws->opcode <= WEBSOCKET_BINARY;
    if ((ws->head[0] & 0x70u) != 0) {
        return "reserved bits are set";
    }
    if (!is_data && (ws->opcode < WEBSOCKET_CLOSE || ws->opcode > WEBSOCKET_PONG)) {
        return "unknown opcode";
    }
    if (ws->is_masked != (ws->role == WEBSOCKET_SERVER)) {
        return ws->is_masked ? "a server's frame is masked" : "a client's frame is not masked";
    }
    if (is_control(ws->opcode) && (!ws->is_final || ws->left_bytes > WEBSOCKET_CONTROL_BYTES_MAX)) {
        return "a control frame is too long or in fragments";
    }
    if (is_data && (ws->opcode == WEBSOCKET_MORE) != ws->is_in_message) {
        return ws->is_in_message ? "a message inside another" : "the rest of no message";
    }
    return NULL;
}

static const char *take_head(struct websocket *ws)
{
    bool is_short = read_length(ws);
    ws->opcode = ws->head[0] & 15u;
    ws->is_final = (ws->head[0] & 128u) != 0;
    ws->is_masked = (ws->head[1] & 128u) != 0;
    const char *fault = is_short ? judge_head(ws) : "a length not in the shortest form";
    if (fault != NULL) {
        return fault;
    }
    if (ws->is_masked) {
        memcpy(ws->mask, ws->head + ws->head_bytes - 4, 4);
    }
    ws->mask_at = 0;
    ws->head_bytes = 0;
    if (is_control(ws->opcode)) {
        ws->control_bytes = 0;
        ws->phase = PHASE_CONTROL;
        return NULL;
    }
    if (ws->opcode != WEBSOCKET_MORE) {
        ws->is_in_message = true;
        ws->is_text = ws->opcode == WEBSOCKET_TEXT;
        ws->was_told = false;
    }
    ws->phase = PHASE_PAYLOAD;
    return NULL;
}

/* ---- payloads -------------------------------------------------------------------------------- */

static void unmask(struct websocket *ws, char *to, str from)
{
    for (size_t i = 0; i < from.bytes; i++) {
        to[i] = (char)((uint8_t)from.ptr[i] ^ (ws->is_masked ? ws->mask[ws->mask_at & 3] : 0));
        ws->mask_at++;
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Tells one piece; false when there is nothing to tell yet (frame ended, or input is used up). */
static bool take_payload(struct websocket *ws, str *input, size_t room, struct websocket_got *got)
{
    size_t bytes = least(least(input->bytes, room), WEBSOCKET_PIECE_BYTES);
    if (ws->left_bytes < bytes) {
        bytes = (size_t)ws->left_bytes;
    }
    str piece = str_sub(*input, 0, bytes);
    *input = str_sub(*input, bytes, SIZE_MAX);
    ws->left_bytes -= bytes;
    if (ws->is_masked) {
        unmask(ws, ws->piece, piece);
        piece = str_make(ws->piece, bytes);
    }
    bool is_last = ws->left_bytes == 0 && ws->is_final;
    *got = (struct websocket_got){
        .piece = piece, .is_text = ws->is_text, .is_first = !ws->was_told, .is_last = is_last};
    if (ws->left_bytes == 0) {
        ws->phase = PHASE_HEAD;
        ws->is_in_message = !is_last;
    }
    ws->was_told = ws->was_told || bytes > 0;
    return bytes > 0 || is_last;
}

static enum websocket_event take_control(struct websocket *ws, str *input,
                                         struct websocket_got *got)
{
    size_t bytes = least(input->bytes, (size_t)ws->left_bytes);
    unmask(ws, ws->control + ws->control_bytes, str_sub(*input, 0, bytes));
    *input = str_sub(*input, bytes, SIZE_MAX);
    ws->control_bytes += (uint32_t)bytes;
    ws->left_bytes -= bytes;
    if (ws->left_bytes > 0) {
        return WEBSOCKET_NEED_MORE;
    }
    ws->phase = PHASE_HEAD;
    *got = (struct websocket_got){.piece = str_make(ws->control, ws->control_bytes)};
    if (ws->opcode != WEBSOCKET_CLOSE) {
        return ws->opcode == WEBSOCKET_PING ? WEBSOCKET_PINGED : WEBSOCKET_PONGED;
    }
    if (ws->control_bytes == 1) {
        return fail(ws, "a close frame with half a code");
    }
    ws->phase = PHASE_OVER;
    got->code = WEBSOCKET_CODE_NONE;
    if (ws->control_bytes >= 2) {
        got->code = (uint16_t)((uint8_t)ws->control[0] << 8 | (uint8_t)ws->control[1]);
        got->piece = str_sub(got->piece, 2, SIZE_MAX);
    }
    return WEBSOCKET_CLOSED;
}

enum websocket_event websocket_next(struct websocket *ws, str *input, size_t room,
                                    struct websocket_got *got)
{
    const char *fault;
    for (;;) {
        switch ((enum phase)ws->phase) {
        case PHASE_HEAD:
            if (!collect_head(ws, input)) {
                return WEBSOCKET_NEED_MORE;
            }
            fault = take_head(ws);
            if (fault != NULL) {
                return fail(ws, fault);
            }
            break;
        case PHASE_PAYLOAD:
            if (ws->left_bytes > 0 && input->bytes == 0) {
                return WEBSOCKET_NEED_MORE;
            }
            if (ws->left_bytes > 0 && room == 0) {
                return WEBSOCKET_NEED_ROOM;
            }
            if (take_payload(ws, input, room, got)) {
                return WEBSOCKET_DATA;
            }
            break;
        case PHASE_CONTROL:
            return take_control(ws, input, got);
        case PHASE_OVER:
            *input = STR_NONE;
            return WEBSOCKET_NEED_MORE;
        case PHASE_FAILED:
            return WEBSOCKET_FAILED;
        }
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

size_t websocket_begin(const struct websocket *ws, struct buf *out, enum websocket_opcode opcode,
                       size_t payload_bytes, const uint8_t mask[static 4])
{
    char masked = ws->role == WEBSOCKET_CLIENT ? (char)128 : 0;
    buf_put_char(out, (char)(128 | opcode));
    if (payload_bytes < 126) {
        buf_put_char(out, (char)(masked | (char)payload_bytes));
    } else if (payload_bytes < 65536) {
        buf_put_char(out, (char)(masked | 126));
        buf_put_char(out, (char)(payload_bytes >> 8));
        buf_put_char(out, (char)payload_bytes);
    } else {
        buf_put_char(out, (char)(masked | 127));
        for (int shift = 56; shift >= 0; shift -= 8) {
            buf_put_char(out, (char)((uint64_t)payload_bytes >> shift));
        }
    }
    if (masked != 0) {
        buf_put(out, str_make((const char *)mask, 4));
    }
    return out->bytes;
}

bool websocket_end(const struct websocket *ws, struct buf *out, size_t begun_at,
                   const uint8_t mask[static 4])
{
    CHECK(begun_at <= out->bytes);
    if (ws->role == WEBSOCKET_CLIENT) {
        for (size_t i = begun_at; i < out->bytes; i++) {
            out->ptr[i] = (char)((uint8_t)out->ptr[i] ^ mask[(i - begun_at) & 3]);
        }
    }
    return buf_ok(out);
}

bool websocket_put(const struct websocket *ws, struct buf *out, enum websocket_opcode opcode,
                   str payload, const uint8_t mask[static 4])
{
    size_t at = websocket_begin(ws, out, opcode, payload.bytes, mask);
    buf_put(out, payload);
    return websocket_end(ws, out, at, mask);
}

bool websocket_put_close(const struct websocket *ws, struct buf *out, uint16_t code,
                         const uint8_t mask[static 4])
{
    const char payload[2] = {(char)(code >> 8), (char)code};
    return websocket_put(ws, out, WEBSOCKET_CLOSE, str_make(payload, sizeof payload), mask);
}

/* ---- the handshake --------------------------------------------------------------------------- */

void websocket_accept(str key, char out[static WEBSOCKET_ACCEPT_BYTES + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
    uint8_t digest[br_sha1_SIZE];
    br_sha1_context sha1;
    struct buf text;
    br_sha1_init(&sha1);
    br_sha1_update(&sha1, key.ptr, key.bytes);
    br_sha1_update(&sha1, guid, sizeof guid - 1);
    br_sha1_out(&sha1, digest);
    buf_init(&text, out, WEBSOCKET_ACCEPT_BYTES);
    codec_put_base64(&text, digest, sizeof digest);
    CHECK(text.bytes == WEBSOCKET_ACCEPT_BYTES);
    out[WEBSOCKET_ACCEPT_BYTES] = 0;
}

bool websocket_key_is_valid(str key)
{
    char memory[WEBSOCKET_KEY_BYTES];
    struct buf decoded;
    buf_init(&decoded, memory, sizeof memory);
    return key.bytes == WEBSOCKET_KEY_BYTES && codec_get_base64(&decoded, key) == ERR_OK &&
           decoded.bytes == 16;
}
