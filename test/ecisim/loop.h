/*
 * The loop: epoll, timers, signals, children.
 *
 * One thread. A watch or a timer is a member of the object it serves; the object finds itself
 * again by its address. Objects that may be named by an event of the current turn are freed
 * with loop_free_later().
 */
#ifndef ECISIM_LOOP_H
#define ECISIM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

struct watch {
    int fd; /* -1: not watched */
    void (*ready)(struct watch *watch, uint32_t events);
};

void watch_add(struct watch *watch, int fd, uint32_t events,
               void (*ready)(struct watch *, uint32_t));
void watch_change(struct watch *watch, uint32_t events);
/* Stop watching; the descriptor stays open and is returned. */
int watch_drop(struct watch *watch);

struct timer {
    int64_t at_ms;
    size_t slot; /* place in the heap plus one; 0: not set */
    void (*fire)(struct timer *timer);
};

void timer_set(struct timer *timer, int64_t delay_ms, void (*fire)(struct timer *));
void timer_stop(struct timer *timer);

int64_t clock_ms(void); /* monotonic */
int64_t wall_ms(void);  /* UTC, as the simulated cloud sees it: with clock_skew_s */

void loop_free_later(void *thing);

/*
 * Called for each child that ended, also for those that were handed to us as the reaper of our
 * grandchildren. status is that of waitpid().
 */
void loop_on_child(void (*ended)(pid_t pid, int status));

void loop_start(void);
void loop_run(void); /* until SIGTERM or SIGINT */
void loop_turn(int64_t wait_max_ms);
void loop_close(void);
/* In a child after fork(): default signals again. */
void loop_child_reset(void);

#endif
