/*
 * portforward_link.h - one connection to a port of the instance, for sessions of both kinds: it is
 * dialled, takes what the client sent, gives what the instance says, and has deadlines.
 *
 * on_moved comes whenever something has happened: it is connected, there are bytes or room for
 * some, it has failed, a deadline has passed. The owner then looks at the fields, reads as far as
 * the client has room, and says with forward_link_rest() what it waits for.
 *
 * Each side ends by itself. What the client sent still goes through after the instance has ended
 * its side, and the other way round.
 *
 * Deadlines: FORWARD_CONNECT_MS from forward_link_init() for the connection to stand;
 * FORWARD_STALL_MS for the instance to take some of what waits. When the instance's side is over
 * and the client knows it (forward_link_told()): FORWARD_LINGER_MS for the client to end its own
 * side, or FORWARD_HALF_MS since the last byte while the instance still takes some. None else: who
 * has said all he wants may wait for the answer as long as the session lasts.
 */
#ifndef ECILET_SERVE_PORTFORWARD_LINK_H
#define ECILET_SERVE_PORTFORWARD_LINK_H

#include "base/buf.h"
#include "os/loop.h"
#include "os/sock.h"

#define FORWARD_WHY_BYTES 160

struct forward_link {
    struct loop *loop;
    struct sock_addr to;
    int fd; /* -1: not dialled, closed, or failed */
    struct loop_watch watch;
    struct loop_timer timer;
    bool is_dialled;
    bool is_connected;
    bool is_client_over;         /* the client sends no more */
    bool is_shut;                /* ... and the instance was told */
    bool is_over;                /* the instance sends no more, or the connection has failed */
    bool is_told;                /* ... and the client knows */
    bool is_late;                /* a deadline has passed, and there is nothing to wait for */
    char why[FORWARD_WHY_BYTES]; /* a failure in a sentence, for the client; what is left of it */
    uint32_t why_bytes;
    struct buf pending; /* from the client, to the instance */
    void (*on_moved)(struct forward_link *link);
    void *owner;
};

/* pending_memory: FORWARD_PENDING_BYTES, the caller's. Nothing is dialled yet. */
void forward_link_init(struct forward_link *link, struct loop *loop, const struct sock_addr *to,
                       char *pending_memory, void (*on_moved)(struct forward_link *link),
                       void *owner);
/* Fails at once, without on_moved, when it cannot even begin: see is_over. */
void forward_link_dial(struct forward_link *link);

/* Most bytes that forward_link_put() takes now; SIZE_MAX when they would go nowhere. */
size_t forward_link_room(const struct forward_link *link);
/* Takes all of it, which must fit; sends what it can. */
void forward_link_put(struct forward_link *link, str data);
/* The client sends no more: the instance is told when all that waits is through. */
void forward_link_end(struct forward_link *link);
/* Some of what the instance has said; empty: nothing now. Ends and failures: see is_over. */
str forward_link_receive(struct forward_link *link, char *memory, size_t bytes);
/* The client knows that the instance's side is over. */
void forward_link_told(struct forward_link *link);
/* Waits for bytes of the instance (wants_bytes), and for whatever else there is to wait for. */
void forward_link_rest(struct forward_link *link, bool wants_bytes);
/* Without a word; on_moved does not come any more. */
void forward_link_close(struct forward_link *link);

#endif
