/*
 * pod_fields.h - the table pod_fields.def at work: nothing that a pod asks for is dropped in
 * silence.
 */
#ifndef ECILET_SPEC_POD_FIELDS_H
#define ECILET_SPEC_POD_FIELDS_H

#include "data/json_read.h"
#include "spec/verdict.h"

enum field_scope {
#define SCOPE(name, title, unknown_text) FIELD_SCOPE_##name,
#define FIELD(scope, key, treatment, passes, text)
#include "spec/pod_fields.def"
#undef SCOPE
#undef FIELD
    FIELD_SCOPE_COUNT
};

/*
 * Goes through the members of one object; refuses those that the table refuses or does not know,
 * unless their value asks for nothing. Warns about those that are left out: once for each name,
 * however many containers have it.
 *
 * object   JSON_NONE and null are fine; anything else but an object is refused
 * path     where the object is, for the remarks: "spec.containers[0]"; lives as long as the arena
 */
void fields_check(enum field_scope scope, json object, str path, struct spec_verdict *verdict);

/* null, false, 0, "", [] and {}: what a Go client leaves out or writes without meaning anything. */
bool fields_is_empty(json value);

#endif
