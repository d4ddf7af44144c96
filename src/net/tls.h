/*
 * tls.h - one TLS 1.2 connection as an engine with four ports; no I/O, no clock, no entropy of its
 * own.
 *
 *                     +------------+
 *      peer --wire--> |            | --plain--> application
 *                     | tls_engine |
 *      peer <--wire-- |            | <--plain-- application
 *                     +------------+
 *
 * Each port is a pair of calls in the manner of BearSSL: one lends memory inside the engine, one
 * says how much of it was used. tls_state() tells which ports are open right now. A third kind of
 * engine passes bytes through unchanged, so that whoever pumps does not care whether there is TLS
 * at all.
 *
 * Offered and accepted: TLS 1.2 (BearSSL knows no 1.3), ECDHE with AEAD suites, ALPN "http/1.1", no
 * renegotiation, no resumption (Go servers never resume, and a resumed session carries no client
 * certificate).
 *
 * Memory: everything of a connection is inside its engine; what
 * only a handshake needs (13 KB to judge the peer's chain) is borrowed from a pool from the first
 * certificate until its key has been used, which is mostly one read from the network later.
 */
#ifndef ECILET_NET_TLS_H
#define ECILET_NET_TLS_H

#include "base/pool.h"
#include "net/tls_identity.h"
#include "net/x509_verify.h"

#define TLS_SEED_BYTES 32 /* from os_random(), fresh for every start */

/* BearSSL must hold a whole record to decrypt it: 16384 bytes of plain text + 325 of overhead.
 * Smaller buffers die on the large records of Go servers. */
#define TLS_IN_BYTES (16384 + 325)
/* We cut what we send as we like, and requests are small: with 2 KB an idle connection stays within
 * four pages. 85 is BearSSL's overhead. */
#define TLS_OUT_BYTES (2048 + 85)
#define TLS_WHY_BYTES X509_WHY_BYTES

/* Whom we believe. Shared by all connections of that side; const while any of them shakes hands. */
struct tls_trust {
    struct x509_anchors anchors;
    struct pool *verifiers;  /* of struct x509_verifier, see tls_verifiers_init(); may be shared */
    int64_t (*wall_s)(void); /* wall clock, seconds since 1970 */
};

/*
 * The pool of handshake memory. One slot is taken when the peer's certificates begin to arrive and
 * given back when their key has been used; when none is free the handshake fails with ERR_FULL.
 * count: one for each connection that may shake hands at the same time; few are ever touched, and
 * the others cost no memory.
 */
void tls_verifiers_init(struct pool *pool, struct region *region, uint32_t count);

enum tls_mode { TLS_OFF, TLS_PLAIN, TLS_CLIENT, TLS_SERVER };

struct tls_plain_ports {
    uint32_t in_from, in_to; /* received, not yet taken: in[from..to) */
    uint32_t out_from, out_to;
};

struct tls_engine {
    enum tls_mode mode;
    union {
        br_ssl_client_context client;
        br_ssl_server_context server;
        struct tls_plain_ports plain;
    } as;
    const br_x509_class *proxy; /* BearSSL's view of our verifier; see tls.c */
    const struct tls_trust *trust;
    handle verifier; /* while the peer's chain is judged */
    bool skip_verify;
    bool is_anonymous_ok; /* server: go on without an acceptable client certificate */
    bool is_open;         /* the handshake is done */
    bool is_closing;      /* tls_close() was called */
    bool is_wire_ended;   /* tls_wire_ended() was called */
    bool is_wire_reset;   /* and it was not in order */
    bool is_peer_known;   /* the peer proved to hold the key of a certificate we accept */
    enum err err;         /* ERR_OK while running */
    char why[TLS_WHY_BYTES];
    char host[X509_HOST_BYTES];
    struct x509_subject peer; /* its name, when is_peer_known */
    int64_t peer_not_after_s; /* the end of its certificate; a connection may live longer */
    _Alignas(64) uint8_t out[TLS_OUT_BYTES];
    _Alignas(
        64) uint8_t in[TLS_IN_BYTES]; /* last: an idle connection touches its first page only */
};

/* ---- start: any engine, any state before; the old connection is forgotten (tls_stop() first) - */

/*
 * trust        whom to believe; anchors must live until the handshake is done
 * identity     shown when the server asks for a client certificate; may be NULL; must live likewise
 * host         DNS name or address to verify; a DNS name is sent as SNI
 * skip_verify  believe anybody (the user said so)
 *
 * Errors come as the engine's state.
 */
void tls_start_client(struct tls_engine *engine, const struct tls_trust *trust,
                      const struct tls_identity *identity, str host, bool skip_verify,
                      const uint8_t seed[static TLS_SEED_BYTES]);

/*
 * clients      who may sign client certificates; NULL: do not ask for any
 * is_required  no acceptable client certificate, no connection; otherwise the connection goes on
 * and is_peer_known tells
 */
void tls_start_server(struct tls_engine *engine, const struct tls_identity *identity,
                      const struct tls_trust *clients, bool is_required,
                      const uint8_t seed[static TLS_SEED_BYTES]);

void tls_start_plain(struct tls_engine *engine);

/* Forgets the connection, wipes its keys, gives back what it borrowed. Sends nothing. No-op when
 * off. */
void tls_stop(struct tls_engine *engine);

/* ---- what it wants --------------------------------------------------------------------------- */

#define TLS_TAKES_WIRE 1u  /* bytes from the peer are welcome */
#define TLS_HAS_WIRE 2u    /* bytes for the peer are ready */
#define TLS_TAKES_PLAIN 4u /* the application may write */
#define TLS_HAS_PLAIN 8u   /* the application has something to read */
#define TLS_IS_OVER 16u    /* nothing more will come out of the plain side: see engine->err */

/*
 * engine->err once TLS_IS_OVER is set:
 *   ERR_END        the peer closed in an orderly way (or we did, and all is sent)
 *   ERR_CLOSED     the peer vanished: connection cut without close_notify, or within the handshake
 *   ERR_TLS_TRUST  its certificate is not acceptable
 *   ERR_TLS        any other trouble of handshake or records, alerts included
 *   ERR_FULL       no handshake memory was free
 * engine->why is a sentence about it. TLS_HAS_WIRE may still be set: last words worth sending.
 */
unsigned tls_state(struct tls_engine *engine);

/* ---- the ports: NULL and 0 when closed ------------------------------------------------------- */

void *tls_wire_room(struct tls_engine *engine,
                    size_t *bytes); /* where to put bytes from the peer */
void tls_wire_fed(struct tls_engine *engine, size_t bytes);
/* The transport has ended: in order, or by a reset. */
void tls_wire_ended(struct tls_engine *engine, bool is_orderly);

const void *tls_wire_ready(struct tls_engine *engine, size_t *bytes); /* bytes for the peer */
void tls_wire_drained(struct tls_engine *engine, size_t bytes);

str tls_plain_ready(struct tls_engine *engine); /* valid until the next call on this engine */
void tls_plain_taken(struct tls_engine *engine, size_t bytes);

/* Copies as much of `text` as fits and returns how much that was; tls_flush() after the last piece
 * of a message, or the rest of it stays inside. */
size_t tls_plain_put(struct tls_engine *engine, str text);
void tls_flush(struct tls_engine *engine);

/* No more will be written: close_notify follows what was written. What still arrives is dropped. */
void tls_close(struct tls_engine *engine);

#endif
