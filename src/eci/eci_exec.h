/*
 * eci_exec.h - one command in a container of an instance: ExecContainerCommand, then its WebSocket
 * (eci-api 2.6; what is said on it: eci_exec_framing.h).
 *
 *     start -> [the API call] -> resolve -> connect -> TLS -> upgrade -> open -> on_end
 *
 * When the WebSocket cannot be reached and neither input nor a terminal is wanted, the command is
 * asked for once more with Sync=true, which returns its output with the reply: nothing has been run
 * until then, because a command starts when its WebSocket is opened. Sync has no exit code.
 *
 * Calls of the owner (put, resize ...) only collect; handlers come from the loop. Handlers may not
 * stop the session, except on_end, after which it is stopped already.
 *
 * Limits: 20 words of 256 characters (the API's), the room of stdin on its way (ECI_EXEC_OUT_BYTES;
 * full: room is 0, on_room comes later), deadlines below. A connection that says nothing for
 * ECI_EXEC_DEAD_MS, though we ping it, is dead.
 */
#ifndef ECILET_ECI_ECI_EXEC_H
#define ECILET_ECI_ECI_EXEC_H

#include "eci/eci_call.h"
#include "eci/eci_exec_framing.h"
#include "net/http_parse.h"
#include "net/link.h"
#include "os/resolve.h"

#define ECI_EXEC_WORDS_MAX 20
#define ECI_EXEC_WORD_CHARS_MAX 256
#define ECI_EXEC_COMMAND_BYTES (16 * 1024) /* as JSON; more is refused as too long */
#define ECI_EXEC_OUT_BYTES (16 * 1024)
#define ECI_EXEC_STATUS_BYTES 2048 /* of channel 3; the rest is dropped */
#define ECI_EXEC_URI_BYTES 1024
#define ECI_EXEC_NAME_BYTES 128
#define ECI_EXEC_CONNECT_MS 10000 /* resolve until the WebSocket is open */
#define ECI_EXEC_PING_MS 20000
#define ECI_EXEC_DEAD_MS 60000
#define ECI_EXEC_WHY_BYTES 256

struct eci_exec;

struct eci_exec_end {
    enum err err; /* ERR_OK: the command ran and ended */
    bool has_code;
    int64_t code;
    str message; /* what went wrong, for people; empty when nothing did */
};

struct eci_exec_handlers {
    /* Most bytes of output that are welcome now; 0: eci_exec_resume() will tell. */
    size_t (*output_room)(struct eci_exec *exec);
    /* Never more than that. channel: CHANNEL_STDOUT or CHANNEL_STDERR. */
    void (*on_output)(struct eci_exec *exec, uint8_t channel, str data);
    void (*on_room)(struct eci_exec *exec); /* more stdin is welcome */
    void (*on_end)(struct eci_exec *exec, const struct eci_exec_end *end);
};

/* Of all sessions; lives as long as they. */
struct eci_exec_config {
    struct loop *loop;
    struct eci_client *cloud;
    struct arena *arena;           /* of one event */
    const struct tls_trust *trust; /* may be NULL when the cloud is http:// (a simulator) */
    enum eci_framing framing;
    const struct eci_exec_handlers *handlers;
};

struct eci_exec_want {
    str group_id;
    str container;
    const str *words;
    uint32_t words_count;
    bool has_stdin;
    bool has_tty;
};

enum eci_exec_phase {
    ECI_EXEC_OFF,
    ECI_EXEC_CALL,
    ECI_EXEC_RESOLVE,
    ECI_EXEC_CONNECT,
    ECI_EXEC_UPGRADE, /* TLS included */
    ECI_EXEC_OPEN,
    ECI_EXEC_SYNC
};

struct eci_exec {
    const struct eci_exec_config *config;
    void *owner; /* the owner's own */
    enum eci_exec_phase phase;
    bool has_stdin, has_tty;
    bool is_stdin_over; /* the owner said so */
    bool is_stdin_over_sent;
    bool has_drained;       /* some of out went on its way: on_room is owed when there is room */
    bool is_closed;         /* the cloud said close */
    uint32_t width, height; /* a size that waits to be sent; 0: none */
    handle call;
    char group_id[ECI_EXEC_NAME_BYTES];
    char container[ECI_EXEC_NAME_BYTES];
    char command[ECI_EXEC_COMMAND_BYTES]; /* JSON, NUL-terminated */
    char uri[ECI_EXEC_URI_BYTES];
    str path; /* in uri */
    bool is_tls;
    struct resolve resolve;
    struct loop_timer timer; /* deadline until it is open, then pings */
    struct loop_timer kick;
    msec heard_ms;
    struct link link;
    char key[WEBSOCKET_KEY_BYTES + 1];
    struct buf out;
    char status[ECI_EXEC_STATUS_BYTES];
    uint32_t status_bytes;
    char why[ECI_EXEC_WHY_BYTES];
    struct http_parse parse;
    char head[4096];
    struct websocket ws;
    struct eci_exec_framing framing;
    char out_memory[ECI_EXEC_OUT_BYTES];
    struct tls_engine engine;
};

/*
 * Checks the command against the API's limits, before anything is asked of the cloud. NULL, or what
 * is wrong with it (static text).
 */
const char *eci_exec_fault(const struct eci_exec_want *want);
/*
 * Copies what is wanted. exec: any memory; not under way. Errors: ERR_TOO_BIG (the command, or a
 * name).
 */
MUST_USE enum err eci_exec_prepare(struct eci_exec *exec, const struct eci_exec_config *config,
                                   void *owner, const struct eci_exec_want *want);
/* Begins. on_end comes exactly once, unless it is stopped. Errors: as eci_call_start(). */
MUST_USE enum err eci_exec_start(struct eci_exec *exec);
/* Bytes of stdin that a put would take; 0 before it is open. */
size_t eci_exec_room(const struct eci_exec *exec);
size_t eci_exec_put(struct eci_exec *exec, str data);
void eci_exec_put_end(struct eci_exec *exec);
void eci_exec_resize(struct eci_exec *exec, uint32_t width, uint32_t height);
/* Output is welcome again. */
void eci_exec_resume(struct eci_exec *exec);
/* Forgets it; on_end will not come. The cloud ends the command when its connection goes. */
void eci_exec_stop(struct eci_exec *exec);

#endif
