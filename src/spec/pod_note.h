/*
 * pod_note.h - the instance, noted on its pod: annotations that travel with status patches.
 *
 *     k8s.aliyun.com/eci-instance-id: eci-...          for people and tools (eci-api 6.3)
 *     ecilet/instance: <pod UID>/<attempt>/eci-...     for us, after a restart
 *
 * and, soon after the instance was made, the request that made it; and, when the patch comes from a
 * detail row, what else is known of the instance: its size, VPC, vSwitch, zone, network interface,
 * public and IPv6 address, computing power. Names are those of the cloud's own node where it has
 * one.
 *
 * With the note an instance can be asked for, or deleted, by its id even when no listing shows it
 * any more. The UID is in it because manifests get copied: a note made for another pod means
 * nothing.
 */
#ifndef ECILET_SPEC_POD_NOTE_H
#define ECILET_SPEC_POD_NOTE_H

#include "data/group_rows.h"
#include "data/json_read.h"
#include "data/json_write.h"

#define ANNOTATION_NOTE "ecilet/instance"

struct pod_note {
    str instance_id; /* empty: no note */
    uint32_t attempt;
    /* Empty ones are not known and not written: what a pod carries stays. */
    str request_id; /* of the call that made the instance */
    str spec;       /* what is billed: "2.0-4.0Gi", or an ECS type */
    str compute_category;
    str vpc_id;
    str vswitch_id;
    str zone_id;
    str eni_id;
    str eip_address;
    str ipv6_address;
};

/* Fills in what a detail row says; id and attempt stay. Texts are the row's, spec is the arena's.
 */
void pod_note_see(struct pod_note *note, const struct eci_group_row *row, struct arena *arena);

/* Writes the member "annotations" of metadata; nothing when there is no note. */
void pod_note_put(struct json_write *w, str pod_uid, const struct pod_note *note);

/* The note on a pod, if it was made for this very pod; else an empty one. Of what else is known of
 * the instance only `spec`, which tells that it was written. The texts live in arena or in the
 * document. */
void pod_note_read(json pod, struct arena *arena, struct pod_note *out);

#endif
