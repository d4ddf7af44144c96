/*
 * upgrade.h - the answer to a WebSocket handshake (RFC 6455 4.2), for all routes that speak it.
 */
#ifndef ECILET_SERVE_UPGRADE_H
#define ECILET_SERVE_UPGRADE_H

#include "serve/serve.h"

/* Whether the request asks for an upgrade to this protocol. */
bool upgrade_is_to(const struct http_exchange *exchange, str protocol);

/* Whether the client names this sub-protocol in the header, in any of its lines. */
bool upgrade_offers(const struct http_exchange *exchange, str header, str protocol);

/*
 * Answers 101 to a request whose upgrade is to websocket.
 *
 * protocol   the sub-protocol that was agreed on, at most UPGRADE_PROTOCOL_BYTES; NULL: none
 *
 * False: its key is not one, and the refusal (400) is sent.
 */
#define UPGRADE_PROTOCOL_BYTES 64
bool upgrade_to_websocket(struct http_exchange *exchange, const char *protocol);

#endif
