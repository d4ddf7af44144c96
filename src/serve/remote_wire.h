/*
 * remote_wire.h - between remote.c (what the streams of a session mean) and remote_wire.c (how they
 * travel: SPDY or WebSocket). For these two files only.
 */
#ifndef ECILET_SERVE_REMOTE_WIRE_H
#define ECILET_SERVE_REMOTE_WIRE_H

#include "serve/remote.h"

/* remote_wire.c */
bool wire_accept(struct remote *remote); /* negotiates and upgrades, or refuses */
void wire_pump(struct remote *remote);   /* moves what can be moved, both ways */
void wire_cut(struct remote *remote);
size_t wire_room(const struct remote *remote, uint8_t channel);
void wire_put(struct remote *remote, uint8_t channel, str data);

/* remote.c */
void remote_opened(struct remote *remote);
void remote_took(struct remote *remote, uint8_t channel, str data);
void remote_took_end(struct remote *remote, uint8_t channel);
size_t remote_in_room(struct remote *remote);

#endif
