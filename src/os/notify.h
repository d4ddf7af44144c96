/*
 * notify.h - the protocol by which systemd (and others) learn how a service is: sd_notify(3),
 * spoken without its library. NOTIFY_SOCKET names a datagram socket, WATCHDOG_USEC how often a sign
 * of life is wanted. Without them, or when a message is refused, nothing happens: nobody listens.
 *
 * Signs of life come from a timer of the loop, so a loop that is stuck gives none (and watchdog.h
 * ends it before the service manager does).
 */
#ifndef ECILET_OS_NOTIFY_H
#define ECILET_OS_NOTIFY_H

#include "os/loop.h"

/* READY=1, and from then on WATCHDOG=1 three times per WATCHDOG_USEC. Once per process. */
void notify_start(struct loop *loop);
/* WATCHDOG=1 now, if it is wanted: who waits outside the loop says it himself. */
void notify_alive(void);
/* STOPPING=1; nothing when the same process starts anew: systemd ends who said so and lives on. */
void notify_stop(struct loop *loop, bool starts_anew);

#endif
