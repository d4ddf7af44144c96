/*
 * Exec sessions: ExecContainerCommand without Sync, and the WebSocket it gives out.
 *
 * The service documents neither the framing nor how the exit code comes (eci-api 2.6, A-13).
 * Here it is the framing of Kubernetes by default: the first byte of a binary message is the
 * stream (0 stdin, 1 stdout, 2 stderr, 3 status, 4 resize), when a sub-protocol was agreed;
 * else plain bytes. The settings exec_protocols, exec_framing and exec_no_status change that.
 */
#ifndef ECISIM_SESSION_H
#define ECISIM_SESSION_H

#include "call.h"
#include "group.h"
#include "ws.h"

enum {
    STREAM_STDIN,
    STREAM_STDOUT,
    STREAM_STDERR,
    STREAM_STATUS,
    STREAM_RESIZE,
    STREAM_CLOSE = 255 /* v5: the next byte is the stream that has ended */
};

struct session {
    char token[40];
    struct arena arena;
    char *group_id;
    char *container_name;
    struct node *command; /* children */
    bool has_tty;
    bool has_stdin;
    struct timer expiry;
    struct conn *conn; /* NULL until the WebSocket is there, and after it is gone */
    struct ws ws;
    bool has_channels; /* the first byte tells the stream */
    bool is_base64;
    bool has_status_json; /* v4, v5: the status is JSON */
    bool is_over;
    void *run; /* of the runtime */
    struct session *next;
};

/* The WebSocketUri for the call; the session waits for its WebSocket. */
void session_offer(struct call *call, const struct container *container,
                   const struct node *command);
/* Is this a request for one? Then it is served. */
bool session_handle(struct exchange *exchange);
void sessions_reset(void);

/* From the runtime. */
void session_output(struct session *session, int stream, const void *data, size_t bytes);
/* More output than the peer takes: the runtime should wait. */
bool session_is_full(const struct session *session);
/* The command has ended; session->run is NULL from here on. */
void session_ended(struct session *session, int exit_code);

#endif
