/* see loop.h */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "settings.h"
#include "text.h"

#define EVENTS_MAX 256

static int epoll_fd = -1;
static bool is_stopping;
static struct watch signal_watch = {.fd = -1};
static void (*child_ended)(pid_t, int);

static struct timer **heap; /* heap[0] is the next to fire */
static size_t heap_count;
static size_t heap_room;

static void **garbage;
static size_t garbage_count;
static size_t garbage_room;

/* ---- clocks ---------------------------------------------------------------------------------- */

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t wall_ms(void)
{
    return read_clock(CLOCK_REALTIME) + 1000 * settings.clock_skew_s;
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void heap_place(size_t at, struct timer *timer)
{
    heap[at] = timer;
    timer->slot = at + 1;
}

static void heap_up(size_t at, struct timer *timer)
{
    while (at > 0 && heap[(at - 1) / 2]->at_ms > timer->at_ms) {
        heap_place(at, heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_place(at, timer);
}

static void heap_down(size_t at, struct timer *timer)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap_count && heap[child + 1]->at_ms < heap[child]->at_ms) {
            child++;
        }
        if (child >= heap_count || heap[child]->at_ms >= timer->at_ms) {
            break;
        }
        heap_place(at, heap[child]);
        at = child;
    }
    heap_place(at, timer);
}

void timer_stop(struct timer *timer)
{
    if (timer->slot == 0) {
        return;
    }
    size_t at = timer->slot - 1;
    struct timer *moved = heap[--heap_count];
    timer->slot = 0;
    if (moved != timer) {
        if (at > 0 && heap[(at - 1) / 2]->at_ms > moved->at_ms) {
            heap_up(at, moved);
        } else {
            heap_down(at, moved);
        }
    }
}

void timer_set(struct timer *timer, int64_t delay_ms, void (*fire)(struct timer *))
{
    timer_stop(timer);
    timer->at_ms = clock_ms() + (delay_ms < 0 ? 0 : delay_ms);
    timer->fire = fire;
    if (heap_count == heap_room) {
        heap_room = heap_room == 0 ? 64 : 2 * heap_room;
        heap = text_grab(heap, heap_room * sizeof *heap);
    }
    heap_up(heap_count++, timer);
}

/*
 * Steps that follow each other without delay are taken in one turn, so that no request sees the
 * state between them; but only so many, for the sake of the others.
 */
#define ROUNDS_MAX 16

static void fire_timers(void)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int64_t now_ms = clock_ms();
        size_t budget = heap_count;
        while (heap_count > 0 && heap[0]->at_ms <= now_ms && budget-- > 0) {
            struct timer *timer = heap[0];
            timer_stop(timer);
            timer->fire(timer);
        }
    }
}

/* ---- descriptors ----------------------------------------------------------------------------- */

void watch_add(struct watch *watch, int fd, uint32_t events,
               void (*ready)(struct watch *, uint32_t))
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    watch->fd = fd;
    watch->ready = ready;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("ecisim: epoll_ctl");
        abort();
    }
}

void watch_change(struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

int watch_drop(struct watch *watch)
{
    int fd = watch->fd;
    if (fd >= 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        watch->fd = -1;
    }
    return fd;
}

void loop_free_later(void *thing)
{
    if (garbage_count == garbage_room) {
        garbage_room = garbage_room == 0 ? 64 : 2 * garbage_room;
        garbage = text_grab(garbage, garbage_room * sizeof *garbage);
    }
    garbage[garbage_count++] = thing;
}

static void empty_garbage(void)
{
    while (garbage_count > 0) {
        free(garbage[--garbage_count]);
    }
}

/* ---- signals and children -------------------------------------------------------------------- */

static void reap_children(void)
{
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (child_ended != NULL) {
            child_ended(pid, status);
        }
    }
}

static void on_signal(struct watch *watch, uint32_t events)
{
    struct signalfd_siginfo info;
    (void)events;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            reap_children();
        } else {
            is_stopping = true;
        }
    }
}

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGCHLD);
}

void loop_child_reset(void)
{
    sigset_t set;
    signal_set(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    signal(SIGPIPE, SIG_DFL);
}

void loop_on_child(void (*ended)(pid_t pid, int status))
{
    child_ended = ended;
}

/* ---- the loop -------------------------------------------------------------------------------- */

void loop_start(void)
{
    sigset_t set;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
    signal_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    watch_add(&signal_watch, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), EPOLLIN, on_signal);
}

static int wait_ms(int64_t wait_max_ms)
{
    if (heap_count == 0) {
        return (int)wait_max_ms;
    }
    int64_t left_ms = heap[0]->at_ms - clock_ms();
    if (left_ms < 0) {
        left_ms = 0;
    }
    return (int)(left_ms < wait_max_ms ? left_ms : wait_max_ms);
}

void loop_turn(int64_t wait_max_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, wait_ms(wait_max_ms));
    for (int at = 0; at < count; at++) {
        struct watch *watch = events[at].data.ptr;
        if (watch->fd >= 0) { /* it may have been dropped earlier in this turn */
            watch->ready(watch, events[at].events);
        }
    }
    fire_timers();
    empty_garbage();
}

void loop_run(void)
{
    while (!is_stopping) {
        loop_turn(60000);
    }
}

void loop_close(void)
{
    empty_garbage();
    close(watch_drop(&signal_watch));
    close(epoll_fd);
    free(heap);
    free(garbage);
    heap = NULL;
    garbage = NULL;
    heap_count = heap_room = garbage_count = garbage_room = 0;
}
