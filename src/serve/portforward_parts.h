/*
 * portforward_parts.h - between the files of portforward: portforward.c (SPDY) and
 * portforward_channels.c (WebSocket). Their sessions lie in one pool, their connections are links
 * (portforward_link.h).
 */
#ifndef ECILET_SERVE_PORTFORWARD_PARTS_H
#define ECILET_SERVE_PORTFORWARD_PARTS_H

#include "os/sock.h"
#include "serve/portforward.h"

/* Whether a session of SPDY can be had, as it is or in a tunnel; *has_protocol: it was named, which
 * very old clients do not. False: the refusal is sent. */
bool forward_judge(struct http_exchange *exchange, bool is_tunnelled, bool *has_protocol);
/* The instance of the target; false: the refusal is sent. */
bool forward_find(struct serve *serve, struct http_exchange *exchange,
                  const struct serve_target *target, struct sock_addr *address);
/* Zeroed room for a session of that size; NULL: all are in use, and the refusal is sent. */
void *forward_take(struct http_exchange *exchange, size_t bytes);
void forward_give(void *session);
struct loop *forward_loop(void);

/* A request that asks for an upgrade to WebSocket. */
void forward_serve_channels(struct serve *serve, struct http_exchange *exchange,
                            const struct serve_target *target);

#endif
