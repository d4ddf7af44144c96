/*
 * loop.h - epoll and timers. One thread, level-triggered.
 *
 * Handlers only collect: they move bytes and record facts. Decisions are made between turns (see
 * app/wire), so nothing here is re-entered. A watch or timer belongs to the caller, is embedded in
 * its owner, and must be removed before the owner's slot is given back; removing one inside its own
 * or another handler of the same turn is safe (pending events for it are dropped).
 */
#ifndef ECILET_OS_LOOP_H
#define ECILET_OS_LOOP_H

#include "base/due.h"
#include "base/err.h"

#define LOOP_EVENTS_MAX 256 /* descriptors looked at in one turn; the rest come in the next turn \
                             */

#define LOOP_READ 1u
#define LOOP_WRITE 2u
#define LOOP_ERROR 4u /* always reported, never asked for; comes together with READ|WRITE. Once, \
                       * while nothing is asked for: the handler could only be told for ever */

struct loop;
struct loop_watch;
struct loop_timer;

typedef void loop_ready(struct loop_watch *watch, uint32_t events);
typedef void loop_due(struct loop_timer *timer);

struct loop_watch {
    int fd; /* -1 when not watched; a zeroed watch is not watched either (on_ready is NULL) */
    uint32_t events;
    loop_ready *on_ready;
    void *owner;
    uint32_t turn_slot; /* the loop's own */
};

struct loop_timer {
    struct due_item due;
    loop_due *on_due;
    void *owner;
};

struct loop {
    int epoll_fd;
    struct due timers;
    msec now_ms; /* monotonic, refreshed once per turn */
    struct loop_watch *turn_watches[LOOP_EVENTS_MAX];
    uint32_t turn_count;
    uint64_t turns;
    uint64_t woke_at_us;  /* 0 before the first sleep */
    uint64_t turn_us_max; /* longest time from one sleep to the next: handlers and what follows */
    bool is_waiting;      /* in the kernel, between two turns; see watchdog.h */
};

/* timers_max: most timers set at once. Errors: ERR_SYSTEM. */
MUST_USE enum err loop_init(struct loop *loop, struct region *region, uint32_t timers_max);

/* Errors: ERR_SYSTEM (descriptor refused by epoll). watch->owner and on_ready are set here. */
MUST_USE enum err loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd,
                                 uint32_t events, loop_ready *on_ready, void *owner);
void loop_watch_set(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* Does not close the descriptor. No-op when not watched. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

void loop_timer_init(struct loop_timer *timer, loop_due *on_due, void *owner);
void loop_timer_set(struct loop *loop, struct loop_timer *timer, msec at_ms);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Waits until something is ready or due, at most until wait_until_ms, and runs the handlers. */
void loop_turn(struct loop *loop, msec wait_until_ms);

#endif
