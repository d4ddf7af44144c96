/*
 * ref_read.h - what was fetched from the cluster for a pod (spec_refs.h), as its readers want it:
 * a value, or a remark that says why there is none. What is missing but optional is a warning, what
 * is missing and mandatory makes the pod wait; both name their events as the virtual-kubelet
 * library does ("OptionalSecretNotFound", "MandatoryConfigMapKeyNotFound", ...), those of claims
 * as the kubelet does.
 */
#ifndef ECILET_SPEC_REF_READ_H
#define ECILET_SPEC_REF_READ_H

#include "spec/spec_read.h"

/* The kubelet's reason for volumes that are not there (yet). */
#define REF_MOUNT_FAILED "FailedMount"

/* One use of an object. */
struct ref_use {
    enum spec_ref_kind kind; /* CONFIG_MAP, SECRET, CLAIM or VOLUME */
    str name_space;
    str name;
    bool is_optional;
    str path; /* of the member that asks for it */
};

/* The object, or JSON_NONE with a remark. A use without a name is refused. */
json ref_object(struct spec_read *read, const struct ref_use *use);

/*
 * The value of one key of a ConfigMap or Secret.
 *
 * has_binary   whether binaryData of a ConfigMap counts (for files; variables have none)
 * False with a remark when it is not there, or no base64.
 */
bool ref_value(struct spec_read *read, const struct ref_use *use, json object, str key,
               bool has_binary, str *out);

/* The bytes of a base64 text, in the arena. False with a remark when it is none. */
bool ref_decode(struct spec_read *read, str path, str text, str *out);

/* Member by a name that is no literal; JSON_NONE when absent. */
json ref_member(json object, str key, struct arena *arena);

#endif
