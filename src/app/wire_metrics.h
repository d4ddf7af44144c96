/*
 * wire_metrics.h - what app, the brain and the edges know about themselves, for /metrics.
 */
#ifndef ECILET_APP_WIRE_METRICS_H
#define ECILET_APP_WIRE_METRICS_H

#include "app/wire.h"

/* Fits struct serve_world: owner is the struct wire. About 12 KiB. */
void wire_put_metrics(void *owner, struct buf *out);

#endif
