/*
 * net_peer.h - a TLS client in the test's own loop that says exactly the bytes it is told to and
 * keeps what it hears: for servers under test.
 */
#ifndef ECILET_TEST_NET_PEER_H
#define ECILET_TEST_NET_PEER_H

#include "base/buf.h"
#include "net/link.h"
#include "os/sock.h"

struct net_peer {
    struct link link;
    struct tls_engine engine;
    str to_say;       /* not yet in the engine */
    struct buf heard; /* memory is set by the caller; what does not fit fails the test */
    bool is_deaf;     /* reads nothing any more */
    bool is_over;     /* the server ended the connection ... */
    enum err err;     /* ... in this way, as tls.h says */
};

/* Connects to addr as "localhost". trust must believe the server; identity may be NULL. memory
 * takes what is heard. */
void net_peer_open(struct net_peer *peer, struct loop *loop, const struct sock_addr *addr,
                   const struct tls_trust *trust, const struct tls_identity *identity, void *memory,
                   size_t bytes);
/* TCP only, no handshake: link.fd is the caller's to use. */
void net_peer_open_raw(struct net_peer *peer, struct loop *loop, const struct sock_addr *addr);
/* text must live until it is said (to_say is empty); nothing else may be under way. */
void net_peer_say(struct net_peer *peer, str text);
/* Reads again after is_deaf was set and cleared. */
void net_peer_pump(struct net_peer *peer);
/* In order, or by a reset; no-op when closed. */
void net_peer_close(struct net_peer *peer);
void net_peer_reset(struct net_peer *peer);

#endif
