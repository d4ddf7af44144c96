/*
 * signals.h - signals as events of the loop (signalfd).
 */
#ifndef ECILET_OS_SIGNALS_H
#define ECILET_OS_SIGNALS_H

#include "os/loop.h"

enum signals_event {
    SIGNALS_STOP,   /* SIGTERM, SIGINT */
    SIGNALS_RELOAD, /* SIGHUP */
    SIGNALS_REPORT  /* SIGUSR1: print status to the log */
};

typedef void signals_handler(enum signals_event event, void *owner);

/* Before signals_init(): these signals, and only these, wait for it, so that none ends the process
 * while it starts, or is lost (process 1 would never hear of it). */
void signals_hold(void);
/* After signals_hold(): does nothing for so long, or until SIGTERM or SIGINT waits; then false. */
bool signals_pause(uint32_t seconds);

/* Blocks these signals for the process (threads created later inherit that) and SIGPIPE is ignored.
 * Errors: ERR_SYSTEM. */
MUST_USE enum err signals_init(struct loop *loop, signals_handler *handler, void *owner);

#endif
