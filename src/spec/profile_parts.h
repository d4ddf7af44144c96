/*
 * profile_parts.h - between profile.c (the ConfigMap's keys) and profile_selectors.c (the JSON
 * inside `selectors`). See profile.h.
 */
#ifndef ECILET_SPEC_PROFILE_PARTS_H
#define ECILET_SPEC_PROFILE_PARTS_H

#include "spec/profile.h"

struct profile_reader {
    struct profile *out;
    struct profile_fault *fault;
    struct buf *warnings; /* may be NULL */
    uint32_t warnings_left_out;
    struct arena *arena;
    str json; /* the text of `selectors` without its comments; empty: reading another key */
};

/* Both format one sentence. The first always returns ERR_INVALID: return profile_bad(...). `at` is
 * the place in `selectors`, JSON_NONE for none. */
enum err profile_bad(struct profile_reader *reader, json at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void profile_warn(struct profile_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copies a text into the profile. Errors: ERR_INVALID (PROFILE_TEXT_BYTES). */
MUST_USE enum err profile_keep(struct profile_reader *reader, str text, str *out);

MUST_USE enum err profile_read_selectors(struct profile_reader *reader, str text);
void profile_default_selectors(struct profile *out);

#endif
