/*
 * WebSocket, the server's side (RFC 6455): the handshake, frames both ways. An engine without
 * I/O: bytes are fed, whole messages and bytes to send come out.
 *
 * Limits: a message of 1 MiB. No extensions.
 */
#ifndef ECISIM_WS_H
#define ECISIM_WS_H

#include "text.h"

#define WS_MESSAGE_BYTES_MAX (1 << 20)

enum ws_opcode {
    WS_MORE = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

struct ws {
    struct buf message; /* the fragments so far */
    enum ws_opcode opcode;
};

/* The value of Sec-WebSocket-Accept for a key. */
void ws_accept(struct buf *out, const char *key);
/*
 * Take one frame from the front of in. Returns 1 when a message is complete: *opcode says which
 * kind, ws->message holds it until the next call; 0: more bytes are needed; -1: the peer broke
 * the rules. Control frames are messages of their own, in *control.
 */
int ws_take(struct ws *ws, struct buf *in, enum ws_opcode *opcode, struct buf *control);
/* Write one frame. */
void ws_put(struct buf *out, enum ws_opcode opcode, const void *data, size_t bytes);
void ws_free(struct ws *ws);

#endif
