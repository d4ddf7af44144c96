/* see tunnel.h */
#include "serve/tunnel.h"

#include "base/check.h"
#include "serve/upgrade.h"

static const uint8_t no_mask[4]; /* a server masks nothing */

bool tunnel_is_offered(const struct http_exchange *exchange)
{
    return upgrade_is_to(exchange, S("websocket")) &&
           upgrade_offers(exchange, S("sec-websocket-protocol"), S(TUNNEL_PROTOCOL));
}

bool tunnel_open(struct tunnel *tunnel, struct http_exchange *exchange)
{
    websocket_init(&tunnel->ws, WEBSOCKET_SERVER);
    tunnel->rest = STR_NONE;
    tunnel->message_left = 0;
    tunnel->is_closing = tunnel->has_ping = false;
    buf_init(&tunnel->head, tunnel->head_memory, sizeof tunnel->head_memory);
    return upgrade_to_websocket(exchange, TUNNEL_PROTOCOL);
}

static void keep_ping(struct tunnel *tunnel, str text)
{
    CHECK(text.bytes <= sizeof tunnel->ping);
    tunnel->has_ping = true;
    tunnel->ping_bytes = (uint8_t)text.bytes;
    for (size_t i = 0; i < text.bytes; i++) {
        tunnel->ping[i] = text.ptr[i];
    }
}

enum tunnel_event tunnel_next(struct tunnel *tunnel, str *input)
{
    struct websocket_got got;
    CHECK(tunnel->rest.bytes == 0);
    switch (websocket_next(&tunnel->ws, input, WEBSOCKET_PIECE_BYTES, &got)) {
    case WEBSOCKET_NEED_MORE:
    case WEBSOCKET_NEED_ROOM:
        return TUNNEL_NEED_MORE;
    case WEBSOCKET_DATA:
        tunnel->rest = got.piece;
        return TUNNEL_MOVED;
    case WEBSOCKET_PINGED:
        keep_ping(tunnel, got.piece);
        return TUNNEL_MOVED;
    case WEBSOCKET_PONGED:
        return TUNNEL_MOVED;
    case WEBSOCKET_CLOSED:
    case WEBSOCKET_FAILED:
        break;
    }
    return TUNNEL_OVER;
}

/* False: no room for all of it now. */
static bool send_all(struct http_exchange *exchange, struct buf *from, size_t *bytes)
{
    size_t done = *bytes > 0 ? http_stream_put(exchange, str_sub(buf_str(from), 0, *bytes)) : 0;
    if (done > 0) {
        buf_drop(from, done);
    }
    *bytes -= done;
    return *bytes == 0;
}

/* What is under way goes first; then a pong, then all of out as one message. */
void tunnel_flush(struct tunnel *tunnel, struct http_exchange *exchange, struct buf *out)
{
    for (;;) {
        size_t head_left = tunnel->head.bytes;
        if (!send_all(exchange, &tunnel->head, &head_left) ||
            !send_all(exchange, out, &tunnel->message_left)) {
            return;
        }
        if (tunnel->is_closing || (!tunnel->has_ping && out->bytes == 0)) {
            return;
        }
        if (tunnel->has_ping) {
            str text = str_make(tunnel->ping, tunnel->ping_bytes);
            (void)websocket_put(&tunnel->ws, &tunnel->head, WEBSOCKET_PONG, text, no_mask);
            tunnel->has_ping = false;
        }
        if (out->bytes > 0) {
            (void)websocket_begin(&tunnel->ws, &tunnel->head, WEBSOCKET_BINARY, out->bytes,
                                  no_mask);
            tunnel->message_left = out->bytes;
        }
        CHECK(buf_ok(&tunnel->head));
    }
}

void tunnel_close(struct tunnel *tunnel, struct http_exchange *exchange, struct buf *out)
{
    uint16_t code = *tunnel->ws.why != 0 ? WEBSOCKET_CODE_BROKEN : WEBSOCKET_CODE_NORMAL;
    tunnel_flush(tunnel, exchange, out);
    if (!tunnel->is_closing && tunnel->head.bytes == 0 && tunnel->message_left == 0) {
        (void)websocket_put_close(&tunnel->ws, &tunnel->head, code, no_mask);
        tunnel->is_closing = true;
        tunnel_flush(tunnel, exchange, out);
    }
}
