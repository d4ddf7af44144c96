/*
 * The control path /_sim (see main.c for its manual): how tests look into ecisim and break it.
 */
#ifndef ECISIM_CONTROL_H
#define ECISIM_CONTROL_H

#include "http.h"

/* The API's listener is made unreachable by /_sim/unreachable. */
void control_start(struct listener *api);
/* Serve a request whose path starts with /_sim. */
void control_handle(struct exchange *exchange);
/* Forget every group, token, nonce, cache, fault and count. */
void control_reset(void);

#endif
