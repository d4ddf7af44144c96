/* see upgrade.h */
#include "serve/upgrade.h"

#include "base/check.h"
#include "net/websocket.h"

bool upgrade_is_to(const struct http_exchange *exchange, str protocol)
{
    str to = STR_NONE;
    return exchange->wants_upgrade && http_exchange_header(exchange, S("upgrade"), &to) &&
           str_eq_nocase(to, protocol);
}

bool upgrade_offers(const struct http_exchange *exchange, str header, str protocol)
{
    uint32_t at = 0;
    for (str list; http_exchange_header_next(exchange, header, &at, &list);) {
        if (http_has_token(list, protocol)) {
            return true;
        }
    }
    return false;
}

bool upgrade_to_websocket(struct http_exchange *exchange, const char *protocol)
{
    char memory[192];
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    struct buf headers;
    str key = STR_NONE;
    bool has_key = http_exchange_header(exchange, S("sec-websocket-key"), &key);
    if (!has_key || !websocket_key_is_valid(key)) {
        serve_refuse(exchange, 400, NULL, "no valid Sec-WebSocket-Key");
        return false;
    }
    websocket_accept(key, accept);
    buf_init(&headers, memory, sizeof memory);
    buf_put_fmt(&headers, "Sec-WebSocket-Accept: %s\r\n", accept);
    if (protocol != NULL) {
        buf_put_fmt(&headers, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    }
    CHECK(buf_ok(&headers));
    http_upgrade(exchange, S("websocket"), buf_str(&headers));
    return true;
}
