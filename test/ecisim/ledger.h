/*
 * The ledger: what stays known of every group that ever existed, for the tests to judge by.
 */
#ifndef ECISIM_LEDGER_H
#define ECISIM_LEDGER_H

#include "group.h"

/* Open a page for a new group; its id must have been chosen already. */
struct record *record_new(struct group *group, const char *id, const char *token);
/* The group has reached a terminal status, or was removed: it counts as living no more. */
void record_over(struct record *record);
/* The group is about to be freed: keep what is needed of it. */
void record_close(struct record *record, const char *how);
/* An array; the filters are exists, id, name, tag_key with tag_value. */
void ledger_write(struct jw *jw, const struct node *query);
/*
 * Members of an object: how many groups exist and ever existed; and when tag is not NULL, per
 * value of that tag, how many were ever made and how many lived at the same time at most.
 */
void ledger_write_stats(struct jw *jw, const char *tag);
void ledger_reset(void);

#endif
