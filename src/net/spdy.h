/*
 * spdy.h - SPDY/3.1, the server's side, as far as Kubernetes speaks it (SPDY Protocol draft 3.1;
 * docker/spdystream): streams opened by the client over one connection. An engine without I/O: it
 * is given what has arrived and answers with one event at a time; frames to be sent collect in a
 * buf of the caller, who drains it.
 *
 *     while ((event = spdy_next(&spdy, &input, room, &got)) > SPDY_NEED_ROOM) { ... }
 *
 * Data is passed on as it comes: no frame is too large, none is buffered. Pings, settings and
 * window updates are dealt with inside; a few bytes of `out` are always kept for them.
 *
 * Flow control (draft 2.6.8). We keep windows for what we send, and report what was taken. But the
 * client of Kubernetes never sends a WINDOW_UPDATE, so the windows bind us only once the peer has
 * shown, by a WINDOW_UPDATE or SETTINGS_INITIAL_WINDOW_SIZE, that it knows them.
 *
 * Limits: streams at once as given (more: RST_STREAM REFUSED_STREAM); a header block of
 * SPDY_HEADERS_BYTES decoded. Every broken rule of the session ends in SPDY_FAILED, with a GOAWAY
 * in out.
 */
#ifndef ECILET_NET_SPDY_H
#define ECILET_NET_SPDY_H

#include "net/spdy_inflate.h"

#define SPDY_HEADERS_BYTES 4096
#define SPDY_WINDOW_BYTES 65536   /* of the session and of each stream, at first */
#define SPDY_RESERVE_BYTES 256    /* of out, for what is answered inside */
#define SPDY_OUT_BYTES_MIN 1024   /* smallest useful out */
#define SPDY_DATA_BYTES_MAX 16384 /* of one frame of ours */

enum spdy_status { /* of RST_STREAM (draft 2.6.3) */
                   SPDY_PROTOCOL_ERROR = 1,
                   SPDY_INVALID_STREAM = 2,
                   SPDY_REFUSED_STREAM = 3,
                   SPDY_CANCEL = 5,
                   SPDY_INTERNAL_ERROR = 6,
                   SPDY_STREAM_IN_USE = 8
};

struct spdy_stream {
    uint32_t id;      /* 0: this slot is free */
    bool is_in_over;  /* the peer has ended or reset it */
    bool is_out_over; /* we have ended it */
    int64_t window;   /* bytes we may send */
    uint32_t unsaid;  /* bytes taken that no WINDOW_UPDATE has told */
    void *owner;      /* the caller's own; NULL at first */
};

enum spdy_event {
    SPDY_NEED_MORE, /* all input is used up */
    SPDY_NEED_ROOM, /* data of got->stream is there but there is no room; or, NULL, out is full */
    SPDY_OPENED,    /* got->stream is new; spdy_header() reads its headers: reply or reset */
    SPDY_DATA,      /* got->piece of got->stream, never empty */
    SPDY_ENDED,     /* got->stream: the peer sends no more */
    SPDY_RESET,     /* got->stream: the peer gave it up; forget it */
    SPDY_AWAY,      /* the peer opens no more streams */
    SPDY_FAILED     /* the session is broken: spdy->why; sticky */
};

struct spdy_got {
    struct spdy_stream *stream;
    str piece; /* inside the input */
};

struct spdy {
    struct buf *out;
    struct spdy_stream *streams;
    uint32_t streams_max;
    int phase; /* see spdy.c */
    uint8_t head[10];
    uint32_t head_bytes;
    bool is_control;
    uint16_t type;
    uint8_t flags;
    uint32_t left_bytes; /* of the frame's payload */
    uint32_t stream_id;  /* of the frame */
    uint32_t settings_left;
    uint32_t last_id;      /* highest the peer has opened */
    bool has_replied;      /* our stream of header blocks has begun */
    bool has_flow_control; /* see above */
    int64_t window;        /* bytes we may send in this session */
    int64_t window_initial;
    uint32_t unsaid;
    bool is_away;
    const char *why; /* static text */
    struct buf headers;
    char headers_memory[SPDY_HEADERS_BYTES];
    struct spdy_inflate inflate;
};

/*
 * out       frames for the peer, at least SPDY_OUT_BYTES_MIN; the caller drains it
 * streams   zeroed slots; like out the caller's, they live as long as the session
 * Errors: ERR_NO_MEMORY, see spdy_inflate.h.
 */
MUST_USE enum err spdy_init(struct spdy *spdy, struct buf *out, struct spdy_stream *streams,
                            uint32_t streams_max);

/* The next event; *input is advanced past what was used. room: most bytes of data that the caller
 * can take now. */
enum spdy_event spdy_next(struct spdy *spdy, str *input, size_t room, struct spdy_got *got);

/* A header of the stream that was just opened (case ignored); false when absent. */
bool spdy_header(const struct spdy *spdy, str name, str *value);

/* Accepts a stream that was opened (SYN_REPLY). There is always room for it. */
void spdy_reply(struct spdy *spdy, struct spdy_stream *stream);
/* Copies as much as out and the windows have room for; returns how much that was. */
size_t spdy_put(struct spdy *spdy, struct spdy_stream *stream, str data);
/* What a put would take now. */
size_t spdy_room(const struct spdy *spdy, const struct spdy_stream *stream);
/* Nothing more will be sent on it. False: no room in out, try again. */
bool spdy_end(struct spdy *spdy, struct spdy_stream *stream);
/* Gives a stream up on both sides and frees its slot. False as above; the slot is freed anyway. */
bool spdy_reset(struct spdy *spdy, struct spdy_stream *stream, enum spdy_status status);
/* Frees the slot: both sides have ended it, or the peer has reset it. */
void spdy_forget(struct spdy_stream *stream);

#endif
