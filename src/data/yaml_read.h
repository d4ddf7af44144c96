/*
 * yaml_read.h - YAML (or JSON) documents turned into JSON text, by libfyaml's event interface.
 *
 * Used for kubeconfigs, eci-profile files and `ecilet explain` only: at start and in offline
 * commands. libfyaml keeps its own heap (os/heap.c bounds it); inputs are capped, aliases are
 * refused beyond a bound (alias bombs), and the document interface, quadratic in keys, is not used.
 */
#ifndef ECILET_DATA_YAML_READ_H
#define ECILET_DATA_YAML_READ_H

#include "base/arena.h"
#include "base/buf.h"

#define YAML_BYTES_MAX (256 * 1024) /* one file; a kubeconfig has 5 KB, an eci-profile less */
#define YAML_DEPTH_MAX 48
#define YAML_ANCHORS_MAX 64                 /* per document */
#define YAML_ANCHOR_BYTES_MAX 64            /* name of one */
#define YAML_ALIAS_BYTES_MAX YAML_BYTES_MAX /* JSON added by all aliases of one document */

struct yaml_fault {
    uint32_t line, column; /* from 1 */
    char what[160];
};

/*
 * Converts document number `index` (from 0) of a YAML stream into JSON, appended to out.
 * Plain scalars follow YAML 1.2 core schema (null, true/false, ints, floats; the rest is text),
 * except that, as in every Kubernetes tool, a leading zero means octal (defaultMode: 0644), y, yes,
 * on and n, no, off are true and false, also as keys, and underscores may stand in numbers; and
 * that .inf and .nan, which JSON does not have, are text. Anchors and aliases of scalars and small
 * subtrees are supported by re-emission. Refused: keys that are no scalars, merge keys (<<),
 * aliases inside of what they stand for. Duplicate keys are left to json_parse.
 *
 * first_line   may be NULL; receives the line on which the document starts
 * fault        may be NULL
 * Errors: ERR_END when there is no such document; ERR_BAD_INPUT (fault filled);
 * ERR_TOO_BIG; ERR_FULL when out is too small; ERR_NO_MEMORY. Nothing is appended then.
 */
MUST_USE enum err yaml_to_json(str text, uint32_t index, struct buf *out, uint32_t *first_line,
                               struct yaml_fault *fault);

/* Where in the YAML each member (its key) and each item of a list starts, in order. */
struct yaml_line {
    uint32_t at;   /* bytes from the start of out's memory: at or just before the JSON of it */
    uint32_t line; /* from 1 */
};

struct yaml_lines {
    struct yaml_line *items; /* the caller's */
    uint32_t count;
    uint32_t count_max; /* more are not noted: what follows counts to the last noted line */
};

/* The same, and notes the lines (emptied first). */
MUST_USE enum err yaml_to_json_lines(str text, uint32_t index, struct buf *out,
                                     struct yaml_lines *lines, struct yaml_fault *fault);

/* The line of the value whose JSON starts `at` bytes from the start of out's memory; 1 when nothing
 * was noted before it. */
uint32_t yaml_line_at(const struct yaml_lines *lines, size_t at);

#endif
