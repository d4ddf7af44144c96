/*
 * tunnel.h - a SPDY session inside a WebSocket: how kubectl 1.31 and later forward ports
 * (sub-protocol "SPDY/3.1+portforward.k8s.io"; apimachinery pkg/util/portforward, client-go
 * tools/portforward/tunneling_connection.go). Newer API servers end the tunnel themselves, older
 * ones pass it on to the kubelet as it came.
 *
 * Each binary message carries some bytes of the session, cut anywhere. What we send is one message
 * for whatever waits; pings are answered between messages, the last one if several came.
 *
 * Reading copies nothing: what a message carries is read where the engine unmasked it, and the next
 * message is looked at when all of that was taken.
 */
#ifndef ECILET_SERVE_TUNNEL_H
#define ECILET_SERVE_TUNNEL_H

#include "net/websocket.h"
#include "serve/serve.h"

#define TUNNEL_PROTOCOL "SPDY/3.1+portforward.k8s.io"
#define TUNNEL_HEAD_BYTES 144 /* a pong and a message's head */

struct tunnel {
    struct websocket ws;
    str rest;            /* of a message: what was not taken yet; inside ws */
    size_t message_left; /* of the message being sent */
    bool is_closing;     /* the close frame was written, nothing follows it */
    bool has_ping;
    uint8_t ping_bytes;
    char ping[WEBSOCKET_CONTROL_BYTES_MAX];
    struct buf head; /* goes before what is left of the message */
    char head_memory[TUNNEL_HEAD_BYTES];
};

enum tunnel_event {
    TUNNEL_NEED_MORE, /* all input is used up */
    TUNNEL_MOVED,     /* a frame was dealt with: look at rest, and call again */
    TUNNEL_OVER       /* the client closed it or broke the rules: tunnel_close() and leave */
};

/* Whether the request asks for an upgrade to a WebSocket of our sub-protocol. */
bool tunnel_is_offered(const struct http_exchange *exchange);
/* Answers 101. False: refused (400). */
bool tunnel_open(struct tunnel *tunnel, struct http_exchange *exchange);
/* Reads the next frame; rest must be empty. *input is advanced past what was used. */
enum tunnel_event tunnel_next(struct tunnel *tunnel, str *input);
/* Sends what is in out, as far as there is room; the exchange's on_room comes for more. */
void tunnel_flush(struct tunnel *tunnel, struct http_exchange *exchange, struct buf *out);
/* Sends a close frame, unless a message is under way that the client does not read. */
void tunnel_close(struct tunnel *tunnel, struct http_exchange *exchange, struct buf *out);

#endif
