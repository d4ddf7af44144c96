/*
 * yaml_plain.h - what a plain scalar of YAML means: null, a truth, a number or a text.
 *
 * As kubectl reads it (YAML 1.1): yes, no, on and off are truths; 0644, 0o644 and 0x1a4 are whole
 * numbers. Numbers keep their digits; one of hundreds of digits stays the text it was written as.
 */
#ifndef ECILET_DATA_YAML_PLAIN_H
#define ECILET_DATA_YAML_PLAIN_H

#include "data/json_write.h"

/* Writes the scalar's text as one JSON value. */
void yaml_put_plain(struct json_write *writer, str text);

#endif
