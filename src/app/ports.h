/*
 * ports.h - which addresses our ports listen on: for `run` (wire_serve.c, wire_webhook.c), and for
 * `check`, which tries them the same way.
 *
 * Family 6 is all addresses of both families, 4 all of IPv4: not the node's only, as a gateway may
 * be reached by another one.
 */
#ifndef ECILET_APP_PORTS_H
#define ECILET_APP_PORTS_H

#include "app/config.h"

/* The kubelet port, by the node's address (connect.h); 4 when that is not known. */
uint8_t ports_family(const char *address);
/* The webhook's, by what is registered: WEBHOOK_URL, or the node's address. */
uint8_t ports_webhook_family(const struct config *config, const char *address);

#endif
