/*
 * config_value.h - text to typed value and back, by the type of the row. Pure.
 */
#ifndef ECILET_APP_CONFIG_VALUE_H
#define ECILET_APP_CONFIG_VALUE_H

#include "app/config_key.h"

#define CONFIG_WHY_BYTES 256

/*
 * Checks `text` against the row and stores it in the row's field.
 *
 * text    without surrounding white space; not empty
 * why     receives, on failure, what is allowed, as the end of a sentence ("must be a whole number
 *         from 1 to 10 per minute"); never any part of the text itself
 * Errors: ERR_BAD_INPUT (why filled); ERR_FULL when config->text is full (why filled). The field is
 * unchanged then.
 */
MUST_USE enum err config_value_set(struct config *config, const struct config_key *row, str text,
                                   char why[static CONFIG_WHY_BYTES]);
/* The field's zero value: empty text, false, 0, first word. */
void config_value_clear(struct config *config, const struct config_key *row);
/* True when two configs hold the same value in this field. */
bool config_value_same(const struct config *a, const struct config *b,
                       const struct config_key *row);
/* The rule of the row in words: "whole number, 1 to 10 per minute". */
void config_value_put_rule(struct buf *out, const struct config_key *row);

/* Copies into config->text, NUL-terminated. False when full. */
bool config_text_keep(struct config *config, str text, str *out);

#endif
