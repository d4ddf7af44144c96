/*
 * net_server.h - a scripted HTTP server in the same loop as the client under test.
 *
 * Each request, on whatever connection, takes the next step of the script. Requests are recorded as
 * they came. Beyond the script's end every request gets a 500.
 */
#ifndef ECILET_TEST_NET_SERVER_H
#define ECILET_TEST_NET_SERVER_H

#include "base/buf.h"
#include "net/link.h"
#include "os/sock.h"

#define NET_SERVER_CONNS_MAX 8
#define NET_REQUEST_BYTES_MAX (256 * 1024)
#define NET_STEPS_MAX 64

enum net_end {
    NET_KEEP,   /* wait for the next request */
    NET_CLOSE,  /* close in order (TLS: with close_notify) */
    NET_CUT,    /* close without close_notify */
    NET_RESET,  /* RST */
    NET_SILENCE /* say and do nothing any more */
};

struct net_step {
    str reply;          /* sent as it stands */
    size_t piece_bytes; /* 0: at once; else so many bytes for each turn of the loop */
    enum net_end end;   /* after the reply */
    bool is_early;      /* as soon as the head is there, without reading the body */
};

struct net_server;

struct net_server_conn {
    struct net_server *server;
    struct link link;
    struct tls_engine engine;
    struct loop_timer timer; /* the next piece */
    const struct net_step *step;
    size_t sent_bytes; /* of the step's reply, into the engine */
    struct buf request;
    char request_memory[NET_REQUEST_BYTES_MAX];
};

struct net_server {
    struct loop *loop;
    const struct tls_identity *identity; /* NULL: plain TCP */
    const struct tls_trust *clients;     /* NULL: asks for no certificate */
    struct net_step steps[NET_STEPS_MAX];
    uint32_t steps_count, step_at;
    uint32_t accepted;
    uint32_t requests;
    int listener;
    struct sock_addr addr;
    struct loop_watch watch;
    struct net_server_conn conns[NET_SERVER_CONNS_MAX];
    struct buf record; /* all requests, one after the other */
    char record_memory[2 * NET_REQUEST_BYTES_MAX];
};

/* Listens on a free port of 127.0.0.1. identity and clients are set by the caller before. */
void net_server_start(struct net_server *server, struct loop *loop);
/* The steps are copied, the texts in them are not. */
void net_server_script(struct net_server *server, const struct net_step *steps, uint32_t count);
/* Closes all connections (not the listener) without a word. */
void net_server_hang_up(struct net_server *server, enum net_end end);
uint32_t net_server_open_conns(const struct net_server *server);
void net_server_stop(struct net_server *server);

#endif
