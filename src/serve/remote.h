/*
 * remote.h - remotecommand: the streams of exec and attach between us and whoever asked (kubectl by
 * way of the API server), as the kubelet speaks it (virtual-node 3.6, 3.7; kubelet's
 * pkg/kubelet/cri/streaming/remotecommand).
 *
 *   SPDY/3.1     GET or POST; X-Stream-Protocol-Version v1 to v5.channel.k8s.io; the client opens a
 *                stream for each of error, stdin, stdout, stderr, resize (header streamType)
 *   WebSocket    (none), channel, base64.channel, v4.channel, v4.base64.channel and v5.channel
 *                .k8s.io; streams are channels (net/websocket_channel.h)
 *
 * How it ended goes out on the error stream: a metav1.Status from v4 on, a sentence before (nothing
 * on success). With a terminal there is no stderr, and a client that asks for both gets none.
 *
 * Calls of the owner only collect; handlers come from the loop. Bytes that the owner has no room
 * for stay with the client: that is the back-pressure.
 *
 * Limits: REMOTE_CREATE_MS until all streams are open, REMOTE_IDLE_MS of silence, and
 * REMOTE_LINGER_MS for the client to leave after the end.
 */
#ifndef ECILET_SERVE_REMOTE_H
#define ECILET_SERVE_REMOTE_H

#include "net/spdy.h"
#include "net/websocket_channel.h"
#include "serve/serve.h"

#define REMOTE_OUT_BYTES (20 * 1024)
#define REMOTE_CREATE_MS 30000
#define REMOTE_IDLE_MS (4 * 3600 * 1000) /* the kubelet's streamingConnectionIdleTimeout */
#define REMOTE_LINGER_MS 5000
#define REMOTE_STATUS_BYTES 2048
#define REMOTE_STREAMS 8 /* five are in use */
#define REMOTE_CHANNELS 5
#define REMOTE_RESIZE_BYTES 128

struct remote_wants {
    bool has_stdin, has_stdout, has_stderr, has_tty;
};

/* What is said on the error stream. */
struct remote_status {
    bool is_success;
    bool has_code; /* a command that ended with this code, not 0 */
    int64_t code;
    str message; /* of another failure */
};

struct remote;

struct remote_handlers {
    void (*on_open)(struct remote *remote); /* all streams are there */
    size_t (*stdin_room)(struct remote *remote);
    void (*on_stdin)(struct remote *remote, str data); /* never more than that */
    void (*on_stdin_end)(struct remote *remote);
    void (*on_resize)(struct remote *remote, uint32_t width, uint32_t height);
    void (*on_room)(struct remote *remote); /* more output is welcome */
    void (*on_gone)(struct remote *remote); /* the last; the exchange is gone */
};

struct remote {
    struct serve_session session; /* first: the exchange's state points here */
    struct http_exchange *exchange;
    struct loop *loop;
    const struct remote_handlers *handlers;
    void *owner;
    struct remote_wants wants;
    bool is_spdy;
    bool is_base64;
    unsigned version; /* 1 ... 5 */
    bool is_open;
    bool is_stdin_over;
    bool is_finishing; /* the owner has said how it ended */
    bool is_lingering; /* all was said */
    bool is_cut;
    bool is_pumping;         /* what handlers ask for meanwhile is done by the pump at work */
    struct loop_timer timer; /* until the streams are open; then until the client leaves */
    char resize[REMOTE_RESIZE_BYTES];
    uint32_t resize_bytes;
    struct buf status;
    char status_memory[REMOTE_STATUS_BYTES];
    struct buf out;
    char out_memory[REMOTE_OUT_BYTES];
    struct spdy_stream *streams[REMOTE_CHANNELS]; /* by channel; NULL: not open */
    struct spdy_stream slots[REMOTE_STREAMS];
    union {
        struct spdy spdy;
        struct {
            struct websocket ws;
            struct channel_reader reader;
        };
    } as;
};

/* What the query asks for (input, output, error, tty). False: nothing, and the refusal is sent. */
bool remote_read_wants(struct http_exchange *exchange, struct remote_wants *wants);

/*
 * Agrees on a protocol and upgrades; the exchange is the session's from now on. False: no protocol
 * in common, or no upgrade at all; the refusal (4xx) is sent and the session has not begun.
 */
bool remote_accept(struct remote *remote, struct http_exchange *exchange, struct loop *loop,
                   const struct remote_wants *wants, const struct remote_handlers *handlers,
                   void *owner);
/* Most bytes of output that would be taken now; of a stream nobody wants, any number. */
size_t remote_room(const struct remote *remote);
/* Takes what fits (remote_room() says how much), drops what nobody wants. */
void remote_put(struct remote *remote, uint8_t channel, str data);
/* The owner has room for stdin again. */
void remote_resume(struct remote *remote);
/* How it ended; nothing more may be put. on_gone follows when the client has taken it. */
void remote_finish(struct remote *remote, const struct remote_status *status);

#endif
