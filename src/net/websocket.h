/*
 * websocket.h - WebSocket frames (RFC 6455), server's and client's side. An engine without I/O: it
 * is given what has arrived, in pieces of any size, and answers with one event at a time; what is
 * to be sent goes into a buf of the caller.
 *
 *     while ((event = websocket_next(&ws, &input, room, &got)) > WEBSOCKET_NEED_ROOM) { ... }
 *
 * Payloads are passed on as they come, so there is no limit to the size of a message and no buffer
 * for one; a caller that collects whole messages sets a limit of its own. Fragments of a message
 * are joined: only its first and its last piece are marked. No extensions are spoken.
 *
 * Limits and rules, each of which ends in WEBSOCKET_FAILED with the close code of RFC 6455 7.4.1:
 * reserved bits and opcodes, frames masked the wrong way, control frames over 125 bytes or in
 * fragments, lengths not written in the shortest form, a message inside another (all 1002). Texts
 * are not checked to be UTF-8: the only text that is spoken here is base64, checked by its reader.
 */
#ifndef ECILET_NET_WEBSOCKET_H
#define ECILET_NET_WEBSOCKET_H

#include "base/buf.h"

#define WEBSOCKET_HEAD_BYTES_MAX 14 /* of a frame, with its mask */
#define WEBSOCKET_CONTROL_BYTES_MAX 125
#define WEBSOCKET_PIECE_BYTES 4096 /* largest piece of one event; a masked one is unmasked here */
#define WEBSOCKET_KEY_BYTES 24     /* Sec-WebSocket-Key: base64 of 16 random bytes */
#define WEBSOCKET_ACCEPT_BYTES 28  /* Sec-WebSocket-Accept */

#define WEBSOCKET_CODE_NORMAL 1000
#define WEBSOCKET_CODE_BROKEN 1002
#define WEBSOCKET_CODE_NONE 1005 /* a close frame without a code */

enum websocket_role { WEBSOCKET_SERVER, WEBSOCKET_CLIENT };

enum websocket_opcode {
    WEBSOCKET_MORE = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};

enum websocket_event {
    WEBSOCKET_NEED_MORE, /* all input is used up */
    WEBSOCKET_NEED_ROOM, /* payload is there but the caller wants none now */
    WEBSOCKET_DATA,      /* got->piece of a message; may be empty when it is the last one */
    WEBSOCKET_PINGED,    /* answer with a pong that carries got->piece */
    WEBSOCKET_PONGED,
    WEBSOCKET_CLOSED, /* got->code, got->piece the reason; nothing more is read */
    WEBSOCKET_FAILED  /* the peer broke the rules: ws->why; sticky */
};

struct websocket_got {
    str piece; /* valid until the next call */
    bool is_text;
    bool is_first; /* of its message */
    bool is_last;
    uint16_t code;
};

struct websocket {
    enum websocket_role role;
    int phase; /* see websocket.c */
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
    uint32_t head_bytes;
    uint8_t opcode; /* of the frame */
    bool is_final;
    bool is_masked;
    uint8_t mask[4];
    uint32_t mask_at;
    uint64_t left_bytes; /* of the frame's payload */
    bool is_in_message;  /* its last frame has not come */
    bool is_text;
    bool was_told; /* its first piece has been told */
    uint32_t control_bytes;
    const char *why; /* static text */
    char control[WEBSOCKET_CONTROL_BYTES_MAX];
    char piece[WEBSOCKET_PIECE_BYTES];
};

void websocket_init(struct websocket *ws, enum websocket_role role);

/* The next event; *input is advanced past what was used. room: most payload bytes that the caller
 * can take now. */
enum websocket_event websocket_next(struct websocket *ws, str *input, size_t room,
                                    struct websocket_got *got);

/*
 * Writes the head of a whole message in one frame; the caller appends payload_bytes to out and then
 * calls websocket_end(), which masks them (client) and answers false when anything did not fit.
 *
 * mask   four unpredictable bytes (RFC 6455 5.3); not looked at by a server
 */
size_t websocket_begin(const struct websocket *ws, struct buf *out, enum websocket_opcode opcode,
                       size_t payload_bytes, const uint8_t mask[static 4]);
bool websocket_end(const struct websocket *ws, struct buf *out, size_t begun_at,
                   const uint8_t mask[static 4]);
/* Both in one go. */
bool websocket_put(const struct websocket *ws, struct buf *out, enum websocket_opcode opcode,
                   str payload, const uint8_t mask[static 4]);
bool websocket_put_close(const struct websocket *ws, struct buf *out, uint16_t code,
                         const uint8_t mask[static 4]);

/* The handshake (RFC 6455 4.2.2): what a server answers to a key. */
void websocket_accept(str key, char out[static WEBSOCKET_ACCEPT_BYTES + 1]);
/* Whether this is the form of a key: base64 of 16 bytes. */
bool websocket_key_is_valid(str key);

#endif
