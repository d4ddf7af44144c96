/*
 * The table of actions and the table of their parameters.
 */
#ifndef ECISIM_ACTIONS_H
#define ECISIM_ACTIONS_H

#include "call.h"

extern struct action actions[]; /* ends with a row without name */

void actions_start(void);
void actions_free(void);
struct action *action_find(const char *name);
/* Calls per minute that are allowed now, 0: no limit (setting throttle). */
long action_rate(const struct action *action);
/* Required ones, types; counts the unknown ones. Calls call_fail() for what is wrong. */
void action_check_params(struct call *call);
/* Count the keys of a reply that the response table of the action does not know. */
void action_check_reply(const struct action *action, const char *json);

/* One function per action; the number is the section of eci-api that it follows. */
void act_create(struct call *call);         /* 2.1 */
void act_delete(struct call *call);         /* 2.2 */
void act_describe(struct call *call);       /* 2.3 */
void act_status(struct call *call);         /* 2.4 */
void act_log(struct call *call);            /* 2.5 */
void act_exec(struct call *call);           /* 2.6 */
void act_update(struct call *call);         /* 2.7 */
void act_restart(struct call *call);        /* 2.8 */
void act_resize_volume(struct call *call);  /* 2.9 */
void act_metric(struct call *call);         /* 2.10 */
void act_multi_metric(struct call *call);   /* 2.10 */
void act_events(struct call *call);         /* 2.11 */
void act_price(struct call *call);          /* 2.12 */
void act_regions(struct call *call);        /* 2.13 */
void act_available(struct call *call);      /* 2.13 */
void act_usage(struct call *call);          /* 2.13 */
void act_cache_create(struct call *call);   /* 2.14 */
void act_cache_describe(struct call *call); /* 2.14 */
void act_cache_update(struct call *call);   /* 2.14 */
void act_cache_delete(struct call *call);   /* 2.14 */
void act_tag(struct call *call);            /* 2.15 */
void act_untag(struct call *call);          /* 2.15 */
void act_list_tags(struct call *call);      /* 2.15 */

#endif
