/*
 * config_doc.h - the configuration's reference, printed from its own table (config.def), so that
 * code and documents cannot drift apart.
 */
#ifndef ECILET_APP_CONFIG_DOC_H
#define ECILET_APP_CONFIG_DOC_H

#include "base/buf.h"

#define CONFIG_DOC_BYTES (48 * 1024) /* the longest of the three, twice */

/* config/ecilet.conf.example: every key with its explanation; required ones ready to be filled in,
 * the others commented out with their default. */
void config_doc_example(struct buf *out);
/* A Markdown table for the README: key, default, meaning. */
void config_doc_table(struct buf *out);
/* The `env:` list of a container in a Deployment, secrets by reference. */
void config_doc_env(struct buf *out);

#endif
