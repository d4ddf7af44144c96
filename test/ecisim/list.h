/*
 * Which groups a Describe call shows: ids, filters, SinceSecond, lags, pages, and the faults
 * that leave rows out.
 */
#ifndef ECISIM_LIST_H
#define ECISIM_LIST_H

#include "call.h"
#include "group.h"

struct list {
    struct group **rows; /* in the arena of the call */
    size_t count;
    size_t total;  /* of all pages */
    char next[24]; /* NextToken; "" on the last page */
};

/* false: call_fail() was called. */
bool list_groups(struct call *call, long limit_usual, long limit_max, struct list *list);
/* The ids of a JSON array text, or NULL when it is none. Empty array: *count is 0. */
const struct node *list_ids(struct call *call, const char *text, size_t *count);
/* Is the group shown now in reads by id (or in listings)? */
bool list_shows(const struct group *group, bool is_by_id);

/* Forget the last search (it is kept for the pages of a sweep). */
void list_reset(void);

#endif
