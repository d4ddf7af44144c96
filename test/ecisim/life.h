/*
 * The life of container groups (eci-api 3.1) and of their containers (3.2), as rules over facts:
 * whenever a fact changes the group is woken, and life.c looks at all facts again.
 */
#ifndef ECISIM_LIFE_H
#define ECISIM_LIFE_H

#include "group.h"

/* Orders, from the actions and the control path. */
void life_begin(struct group *group);
void life_delete(struct group *group, bool is_forced, const char *how);
void life_restart(struct group *group);
void life_update(struct group *group); /* containers with must_restart are started anew */
void life_expire(struct group *group);
void life_fail(struct group *group, const char *reason);
void life_vanish(struct group *group); /* gone at once, without a trace in the API */
/* End the containers (all, or that name) with this exit code, as if they had ended themselves. */
void life_kill(struct group *group, const char *name, int exit_code, const char *reason);

/* News, from the runtime. problem NULL: it worked. */
void life_set_up(struct group *group, const char *problem);
void life_torn_down(struct group *group);
void life_started(struct container *container);
void life_ready(struct container *container, bool is_ready);
/* signal is 0 when it exited by itself; reason NULL: Completed or Error by the code. */
void life_ended(struct container *container, int exit_code, int signal, const char *reason,
                const char *message);
/* It cannot be started yet (image); it keeps Waiting with this reason. */
void life_waits(struct container *container, const char *reason, const char *message);

/* Inside life: look at the facts again, in this turn of the loop. */
void life_wake(struct group *group);
/* Containers (life_container.c). */
void life_start_container(struct container *container);
void life_stop_container(struct container *container, int64_t grace_ms);
void life_reset_container(struct container *container);

#endif
