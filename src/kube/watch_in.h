/*
 * watch_in.h - what the files of the watch share among themselves; nobody else includes it.
 * watch.c makes the calls and says what comes next, watch_read.c reads what they bring.
 */
#ifndef ECILET_KUBE_WATCH_IN_H
#define ECILET_KUBE_WATCH_IN_H

#include "kube/watch.h"

/* ---- watch.c --------------------------------------------------------------------------------- */

/* The position, opaque to us. One that we could not store would be a position we cannot resume
 * from: it is passed over. */
void kube_watch_set_version(struct kube_watch *watch, str version);
/* Ends the call under way, in a later turn: we may be inside the client's handler. The first reason
 * counts. */
void kube_watch_want_stop(struct kube_watch *watch, enum err err);

/* ---- watch_read.c ---------------------------------------------------------------------------- */

/* Bytes of a page of the list, as they come; its envelope leaves is_page_whole and token. */
void kube_watch_take_list(struct kube_watch *watch, str bytes);
/* Bytes of the stream, as they come; nothing after an event that ends it. */
void kube_watch_take_stream(struct kube_watch *watch, str bytes);

#endif
