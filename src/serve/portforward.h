/*
 * portforward.h - kubectl port-forward: connections to ports of an instance, over SPDY/3.1
 * (portforward.k8s.io; kubelet's pkg/kubelet/cri/streaming/portforward), as it is or inside a
 * WebSocket (tunnel.h): API servers from 1.30 on turn the tunnel of newer clients into plain SPDY,
 * those before pass it on to us.
 *
 * For each connection the client opens two streams with the same requestID: error, then data, both
 * with the port. We dial the instance's address over the line and move bytes both ways; what goes
 * wrong is a sentence on the error stream. Half-closes are passed on.
 *
 * Client libraries may also come with a WebSocket (v4.channel.k8s.io, v4.base64.channel.k8s.io):
 * one connection for each port of the query, see portforward_channels.c.
 *
 * Bytes wait where they come from: while the client takes nothing the instance is not read. Towards
 * the instance each connection holds FORWARD_PENDING_BYTES; when one is full, the client's session
 * waits, because its clients know no windows. The kernel's own buffers come on top of that.
 *
 * Limits: sessions (full: 429), FORWARD_CONNS connections in each (more: their streams are
 * refused; of a WebSocket five ports, more: 400), FORWARD_CONNECT_MS for the instance to answer,
 * FORWARD_STALL_MS for it to take bytes, FORWARD_LINGER_MS for the client to end a connection that
 * is over and of which it was told, FORWARD_HALF_MS without a byte for one of which only the
 * instance's side is over (see portforward_link.h).
 */
#ifndef ECILET_SERVE_PORTFORWARD_H
#define ECILET_SERVE_PORTFORWARD_H

#include "serve/serve.h"

#define FORWARD_CONNS 100
#define FORWARD_PENDING_BYTES 8192
#define FORWARD_CONNECT_MS 10000
#define FORWARD_STALL_MS 60000
#define FORWARD_LINGER_MS 10000
#define FORWARD_HALF_MS 600000
#define FORWARD_IDLE_MS (4 * 3600 * 1000) /* of a session */

#define FORWARD_TIMERS(sessions_max) ((sessions_max)*FORWARD_CONNS) /* of the loop */

/* Carves the sessions (about 1 MiB each, touched only in use: most of it by many connections). */
void forward_init(struct region *region, struct loop *loop, uint32_t sessions_max);
uint32_t forward_open(void);

/* GET and POST /portForward/{namespace}/{pod}[/{uid}] */
void forward_serve(struct serve *serve, struct http_exchange *exchange,
                   const struct serve_target *target);

#endif
