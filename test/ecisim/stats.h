/*
 * What ecisim counts for the control path: error codes, unknown parameters, and the ledger of
 * every group that ever existed.
 */
#ifndef ECISIM_STATS_H
#define ECISIM_STATS_H

#include "tree.h"

void stats_count_code(const char *code);
void stats_count_unknown(const char *key);   /* a parameter that the table does not know */
void stats_count_reply_key(const char *key); /* a key of ours that the table does not know */
void stats_write(struct jw *jw);             /* members of an object */
void stats_reset(void);

#endif
