/*
 * link.h - one TCP connection: a descriptor, its place in the loop, and the engine (tls.h) between
 * the wire and whoever speaks HTTP on it. Client and server connections alike.
 *
 * A link moves bytes and notes what happened; it never calls anybody. Its owner pumps:
 *
 *     do {
 *         write into the engine; moved = link_send(link); moved |= link_receive(link);
 *         read from the engine
 *     } while (moved);
 *     link_rest(link);
 */
#ifndef ECILET_NET_LINK_H
#define ECILET_NET_LINK_H

#include "net/tls.h"
#include "os/loop.h"

struct link {
    struct loop *loop;
    struct tls_engine *engine;
    struct loop_watch watch;
    int fd;              /* -1 when closed */
    bool is_send_broken; /* the kernel refused to send: what is left to say is dropped */
    uint64_t sent_bytes, received_bytes; /* of this connection, on the wire */
};

/* A closed link. The engine belongs to the owner, who starts it (tls_start_...) before pumping. */
void link_init(struct link *link, struct loop *loop, struct tls_engine *engine);

/* Takes over the descriptor (closes it on failure). on_ready comes when it is readable or writable
 * as link_rest() asked for; at first: writable, which is how a connect ends. Errors: ERR_SYSTEM. */
MUST_USE enum err link_open(struct link *link, int fd, loop_ready *on_ready, void *owner);

static inline bool link_is_open(const struct link *link)
{
    return link->fd >= 0;
}

/* Moves what can be moved now: true if at least one byte, or the end of the stream, went through.
 * One read or write to the kernel for each record. */
bool link_send(struct link *link);
bool link_receive(struct link *link);

/* Tells the loop what to wait for, by the engine's state. */
void link_rest(struct link *link);

/* Closes the descriptor and stops the engine. is_polite: one attempt to say close_notify first. */
void link_close(struct link *link, bool is_polite);

#endif
