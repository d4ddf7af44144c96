/*
 * Is a CreateContainerGroup request allowed (eci-api 2.1 and 4.4)? Types were checked before
 * (actions.h); here it is ranges, words, counts and what excludes what. Limits that the
 * documents state and the service may not enforce count only with the setting strict.
 */
#ifndef ECISIM_CHECK_H
#define ECISIM_CHECK_H

#include "call.h"
#include "sizing.h"

/* Calls call_fail() for the first thing that is wrong. */
void check_create(struct call *call);
/* The parts that UpdateContainerGroup shares. */
void check_containers(struct call *call, bool is_update);
void check_volumes(struct call *call);
void check_tags(struct call *call);
/* The effective size: wish and what it is rounded to (4.2, 4.3). */
bool check_size(struct call *call, struct size *wish, struct size *size);
/* Comma-separated items. */
size_t check_item_count(const char *list);

#endif
