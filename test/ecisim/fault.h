/*
 * Fault rules: made over the control path, asked by the gateway for each call of a known action.
 */
#ifndef ECISIM_FAULT_H
#define ECISIM_FAULT_H

#include "call.h"

/* Add a rule from the members of a control request (see main.c). NULL, or what is wrong. */
const char *fault_add(const struct node *request, long *id);
/* Drop one rule, or all when id is 0. Returns how many there were. */
long fault_drop(long id);
/* Roll for each rule that matches, and merge what those that fire want. */
void fault_choose(const char *action, struct effects *effects);
void fault_write(struct jw *jw); /* the rules as an array */

#endif
