/*
 * yaml_plain.h - what a plain scalar of YAML means: null, a truth, a number or a text.
 *
 * As kubectl reads it (YAML 1.1): yes, no, on and off are truths; 0644, 0o644, 0x1a4, 0b110 and
 * 1_000 are whole numbers. Numbers keep their digits; one of hundreds of digits stays the text it
 * was written as.
 */
#ifndef ECILET_DATA_YAML_PLAIN_H
#define ECILET_DATA_YAML_PLAIN_H

#include "data/json_write.h"

/* Writes the scalar's text as one JSON value. */
void yaml_put_plain(struct json_write *writer, str text);

#define YAML_PLAIN_KEY_BYTES 32

/* What a key has as its name: "true" when it is `on`, "420" when it is 0644; else as written. */
str yaml_plain_key(str text, char memory[static YAML_PLAIN_KEY_BYTES]);

#endif
