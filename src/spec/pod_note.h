/*
 * pod_note.h - the instance, noted on its pod: two annotations that travel with each status patch.
 *
 *     k8s.aliyun.com/eci-instance-id: eci-...          for people and tools (eci-api 6.3)
 *     ecilet/instance: <pod UID>/<attempt>/eci-...     for us, after a restart
 *
 * With the note an instance can be asked for, or deleted, by its id even when no listing shows it
 * any more. The UID is in it because manifests get copied: a note made for another pod means
 * nothing.
 */
#ifndef ECILET_SPEC_POD_NOTE_H
#define ECILET_SPEC_POD_NOTE_H

#include "data/json_read.h"
#include "data/json_write.h"

#define ANNOTATION_NOTE "ecilet/instance"

struct pod_note {
    str instance_id; /* empty: no note */
    uint32_t attempt;
};

/* Writes the member "annotations" of metadata; nothing when there is no note. */
void pod_note_put(struct json_write *w, str pod_uid, const struct pod_note *note);

/* The note on a pod, if it was made for this very pod; else an empty one. The text lives in arena
 * or in the document. */
void pod_note_read(json pod, struct arena *arena, struct pod_note *out);

#endif
