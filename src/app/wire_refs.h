/*
 * wire_refs.h - what a pod refers to is read before it is translated: ConfigMaps, Secrets,
 * Services, claims, tokens (spec/spec_refs.h says which). Nothing is kept between two creates.
 *
 * A create that needs any of it takes a room: memory of one size in which the pod and all replies
 * stay until the translation is done. The objects are read one after the other, and some at
 * once while connections to the API server are open and idle. A room is wiped and its pages are
 * given back when it is left: it had Secrets in it.
 */
#ifndef ECILET_APP_WIRE_REFS_H
#define ECILET_APP_WIRE_REFS_H

#include "app/wire.h"
#include "spec/spec_refs.h"

/*
 * Begins to read what this pod refers to.
 *
 * job      of an EFFECT_CREATE; refs_done() is called for it with the pod and all references, at
 *          once when there are none
 * object   the pod as just read
 *
 * Errors, refs_done() is then not called and nothing is kept: ERR_FULL no room, or no slot for the
 * request: again soon; ERR_TOO_BIG the pod is too large for a room, or refers to more than
 * SPEC_REFS_MAX objects.
 */
MUST_USE enum err refs_start(struct wire *wire, struct wire_job *job, json object);

/* Leaves a job's room; a job without one is fine. */
void refs_give(struct wire *wire, handle room);

/* wire_create.c: everything is there, or it is known why not. Called with err other than ERR_OK
 * when reading could not go on (as from refs_start); refs and object are then not valid. */
void refs_done(struct wire *wire, struct wire_job *job, enum err err, json object,
               const struct spec_refs *refs);

#endif
