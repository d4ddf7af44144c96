/* see loop.h */
#include "os/loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/check.h"
#include "base/list.h"
#include "os/os.h"

enum err loop_init(struct loop *loop, struct region *region, uint32_t timers_max)
{
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .now_ms = os_now_ms()};
    due_init(&loop->timers, region, "timers", timers_max);
    return loop->epoll_fd >= 0 ? ERR_OK : ERR_SYSTEM;
}

/* ---- one turn -------------------------------------------------------------------------------- */

/* Milliseconds to sleep, as epoll_wait wants them; -1 is for ever. */
static int sleep_ms(const struct loop *loop, msec wait_until_ms)
{
    msec due_ms = due_next_ms(&loop->timers);
    msec until_ms = due_ms < wait_until_ms ? due_ms : wait_until_ms;
    if (until_ms == INT64_MAX) {
        return -1;
    }
    msec left_ms = until_ms - os_now_ms();
    return left_ms <= 0 ? 0 : left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
}

static void note_turn_time(struct loop *loop)
{
    if (loop->woke_at_us != 0) {
        uint64_t turn_us = os_now_us() - loop->woke_at_us;
        loop->turn_us_max = turn_us > loop->turn_us_max ? turn_us : loop->turn_us_max;
    }
}

static uint32_t events_of_kernel(uint32_t kernel_events)
{
    uint32_t events = 0;
    if (kernel_events & (EPOLLERR | EPOLLHUP)) {
        return LOOP_READ | LOOP_WRITE | LOOP_ERROR;
    }
    events |= kernel_events & EPOLLIN ? LOOP_READ : 0;
    events |= kernel_events & EPOLLOUT ? LOOP_WRITE : 0;
    return events;
}

/* A handler may remove any watch, its own or another's; that empties the watch's cell in
 * turn_watches, so the watches are looked up there and not in the kernel's list. */
static void run_watches(struct loop *loop, const struct epoll_event *ready, uint32_t count)
{
    loop->turn_count = count;
    for (uint32_t i = 0; i < count; i++) {
        loop->turn_watches[i] = ready[i].data.ptr;
        loop->turn_watches[i]->turn_slot = i + 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct loop_watch *watch = loop->turn_watches[i];
        if (watch != NULL) {
            watch->turn_slot = 0;
            watch->on_ready(watch, events_of_kernel(ready[i].events));
        }
    }
    loop->turn_count = 0;
}

/* Each timer at most once per turn, even when its handler sets it to the past again. */
static void run_timers(struct loop *loop)
{
    for (uint32_t left = loop->timers.count; left > 0; left--) {
        struct due_item *item = due_pop(&loop->timers, loop->now_ms);
        if (item == NULL) {
            break;
        }
        struct loop_timer *timer = LIST_OWNER(item, struct loop_timer, due);
        timer->on_due(timer);
    }
}

void loop_turn(struct loop *loop, msec wait_until_ms)
{
    struct epoll_event ready[LOOP_EVENTS_MAX];
    CHECK(loop->turn_count == 0); /* not from inside a handler */
    note_turn_time(loop);
    loop->is_waiting = true;
    int count = epoll_wait(loop->epoll_fd, ready, LOOP_EVENTS_MAX, sleep_ms(loop, wait_until_ms));
    loop->is_waiting = false;
    CHECK(count >= 0 || errno == EINTR);
    loop->woke_at_us = os_now_us();
    loop->now_ms = os_now_ms();
    loop->turns++;
    /* Descriptors before timers: a reply that has come in is not timed out. */
    run_watches(loop, ready, count > 0 ? (uint32_t)count : 0);
    run_timers(loop);
}

/* ---- watches --------------------------------------------------------------------------------- */

static struct epoll_event event_for_kernel(struct loop_watch *watch)
{
    struct epoll_event event = {.events = 0};
    event.events |= watch->events & LOOP_READ ? (uint32_t)EPOLLIN : 0;
    event.events |= watch->events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0;
    event.events |= watch->events == 0 ? (uint32_t)EPOLLONESHOT : 0; /* of errors; see loop.h */
    event.data.ptr = watch;
    return event;
}

static bool is_watched(const struct loop_watch *watch)
{
    return watch->fd >= 0 && watch->on_ready != NULL;
}

enum err loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events,
                        loop_ready *on_ready, void *owner)
{
    CHECK(fd >= 0 && on_ready != NULL);
    CHECK((events & ~(LOOP_READ | LOOP_WRITE)) == 0);
    *watch = (struct loop_watch){
        .fd = fd, .events = events, .on_ready = on_ready, .owner = owner, .turn_slot = 0};
    struct epoll_event event = event_for_kernel(watch);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        watch->fd = -1;
        return ERR_SYSTEM;
    }
    return ERR_OK;
}

void loop_watch_set(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    CHECK(is_watched(watch));
    CHECK((events & ~(LOOP_READ | LOOP_WRITE)) == 0);
    if (watch->events == events) {
        return;
    }
    watch->events = events;
    struct epoll_event event = event_for_kernel(watch);
    CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    if (!is_watched(watch)) {
        return;
    }
    /* Fails only when the descriptor was closed before, which may already be another's. */
    CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) == 0);
    if (watch->turn_slot != 0) {
        CHECK(loop->turn_watches[watch->turn_slot - 1] == watch);
        loop->turn_watches[watch->turn_slot - 1] = NULL;
        watch->turn_slot = 0;
    }
    watch->fd = -1;
}

/* ---- timers ---------------------------------------------------------------------------------- */

void loop_timer_init(struct loop_timer *timer, loop_due *on_due, void *owner)
{
    *timer = (struct loop_timer){.on_due = on_due, .owner = owner};
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, msec at_ms)
{
    CHECK(timer->on_due != NULL);
    due_set(&loop->timers, &timer->due, at_ms);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    due_clear(&loop->timers, &timer->due);
}
