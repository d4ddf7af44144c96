/*
 * see resolve.h
 *
 * Who owns what: a job is a row of a static table, so it outlives whoever asked. Its state says
 * whose turn it is, and is the only thing both sides write:
 *
 *     FREE -> RUNNING -> DONE -> FREE            the loop asks, the thread answers, the loop takes
 *                    \-> FORSAKEN -> FREE        resolve_close() came first: the thread cleans up
 *
 * The thread writes the eventfd after DONE and touches nothing afterwards; the loop frees the row
 * only after reading that eventfd.
 */
#include "os/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os.h"

/* musl's resolver needs about 20 KB, glibc's with its plug-ins more; what is untouched is free. */
#define STACK_BYTES (256 * 1024)

enum job_state { JOB_FREE, JOB_RUNNING, JOB_DONE, JOB_FORSAKEN };

struct resolve_job {
    _Atomic int state;
    int event_fd;
    char host[RESOLVE_HOST_BYTES];
    uint16_t port;
    struct sock_addr addrs[RESOLVE_ADDRS_MAX];
    uint32_t addrs_count;
};

static struct resolve_job jobs[RESOLVE_THREADS_MAX];

/* ---- the thread ------------------------------------------------------------------------------ */

static uint32_t ask_system(const char *host, uint16_t port, struct sock_addr *addrs)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    uint32_t count = 0;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return 0;
    }
    for (const struct addrinfo *at = found; at != NULL && count < RESOLVE_ADDRS_MAX;
         at = at->ai_next) {
        struct sock_addr *addr = &addrs[count];
        *addr = (struct sock_addr){.port = port};
        if (at->ai_family == AF_INET) {
            const struct sockaddr_in *v4 = (const void *)at->ai_addr;
            addr->family = 4;
            memcpy(addr->bytes, &v4->sin_addr, 4);
            count++;
        } else if (at->ai_family == AF_INET6) {
            const struct sockaddr_in6 *v6 = (const void *)at->ai_addr;
            addr->family = 6;
            memcpy(addr->bytes, &v6->sin6_addr, 16);
            count++;
        }
    }
    freeaddrinfo(found);
    return count;
}

static resolve_lookup *lookup_now = ask_system;

void resolve_set_lookup(resolve_lookup *lookup)
{
    lookup_now = lookup != NULL ? lookup : ask_system;
}

static void free_job(struct resolve_job *job)
{
    (void)close(job->event_fd);
    atomic_store(&job->state, JOB_FREE);
}

static void *run_job(void *argument)
{
    struct resolve_job *job = argument;
    job->addrs_count = lookup_now(job->host, job->port, job->addrs);
    int expected = JOB_RUNNING;
    if (!atomic_compare_exchange_strong(&job->state, &expected, JOB_DONE)) {
        free_job(job);
        return NULL;
    }
    const uint64_t one = 1;
    CHECK(write(job->event_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    return NULL;
}

/* ---- the loop's side: starting --------------------------------------------------------------- */

/* What is raised by the code itself: never blocked, or the process would just be gone. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/* A detached thread with a small stack that no signal from outside is delivered to. */
static bool start_thread(struct resolve_job *job)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    CHECK(sigfillset(&all) == 0);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        CHECK(sigdelset(&all, faults[i]) == 0);
    }
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    bool is_started = pthread_create(&thread, &attributes, run_job, job) == 0;
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    CHECK(pthread_attr_destroy(&attributes) == 0);
    return is_started;
}

static struct resolve_job *find_free_job(void)
{
    for (size_t i = 0; i < RESOLVE_THREADS_MAX; i++) {
        if (atomic_load(&jobs[i].state) == JOB_FREE) {
            return &jobs[i];
        }
    }
    return NULL;
}

static void on_answer(struct loop_watch *watch, uint32_t events);

static enum err start_job(struct resolve *resolve)
{
    struct resolve_job *job = find_free_job();
    if (job == NULL) {
        return ERR_SYSTEM;
    }
    job->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (job->event_fd < 0) {
        return ERR_SYSTEM;
    }
    memcpy(job->host, resolve->host, sizeof(job->host));
    job->port = resolve->port;
    job->addrs_count = 0;
    enum err err = loop_watch_add(resolve->loop, &resolve->watch, job->event_fd, LOOP_READ,
                                  on_answer, resolve);
    atomic_store(&job->state, JOB_RUNNING);
    if (err != ERR_OK || !start_thread(job)) {
        loop_watch_remove(resolve->loop, &resolve->watch);
        free_job(job);
        return ERR_SYSTEM;
    }
    resolve->job = job;
    return ERR_OK;
}

static void on_deadline(struct loop_timer *timer);

void resolve_init(struct resolve *resolve, struct loop *loop, str host, uint16_t port,
                  resolve_done *on_done, void *owner)
{
    *resolve = (struct resolve){
        .loop = loop, .port = port, .on_done = on_done, .owner = owner, .watch = {.fd = -1}};
    loop_timer_init(&resolve->deadline, on_deadline, resolve);
    if (sock_addr_parse(host, port, &resolve->addrs[0])) {
        resolve->is_literal = true;
        resolve->addrs_count = 1;
    }
    /* A name too long for us is too long for DNS as well (253); the look-up will say so. */
    (void)str_copy(resolve->host, sizeof(resolve->host), host);
}

bool resolve_want(struct resolve *resolve)
{
    msec now_ms = resolve->loop->now_ms;
    if (resolve->is_literal || (resolve->addrs_count > 0 && now_ms < resolve->fresh_until_ms)) {
        return true;
    }
    if (resolve->is_running) {
        return false;
    }
    resolve->is_running = true;
    /* A thread that missed an earlier deadline may still be at it: wait for that one. */
    resolve->start_err = resolve->job == NULL ? start_job(resolve) : ERR_OK;
    msec wait_ms = resolve->start_err == ERR_OK ? RESOLVE_DEADLINE_MS : 0;
    loop_timer_set(resolve->loop, &resolve->deadline, now_ms + wait_ms);
    return false;
}

/* ---- the loop's side: answers ---------------------------------------------------------------- */

/* Tells the caller, if one waits. */
static void finish(struct resolve *resolve, enum err err)
{
    if (err != ERR_OK && resolve->addrs_count > 0) {
        resolve->fresh_until_ms = resolve->loop->now_ms + RESOLVE_RETRY_MS;
    }
    loop_timer_clear(resolve->loop, &resolve->deadline);
    if (resolve->is_running) {
        resolve->is_running = false;
        resolve->on_done(resolve, err);
    }
}

static void on_deadline(struct loop_timer *timer)
{
    struct resolve *resolve = timer->owner;
    finish(resolve, resolve->start_err != ERR_OK ? resolve->start_err : ERR_TIMEOUT);
}

/* Waits until the thread has written the eventfd, after which it touches the job no more. It is
 * DONE already, so this takes a moment at most. */
static void await_thread(const struct resolve_job *job)
{
    uint64_t count;
    struct pollfd written = {.fd = job->event_fd, .events = POLLIN};
    while (read(job->event_fd, &count, sizeof(count)) != (ssize_t)sizeof(count)) {
        (void)poll(&written, 1, -1);
    }
}

static void on_answer(struct loop_watch *watch, uint32_t events)
{
    struct resolve *resolve = watch->owner;
    struct resolve_job *job = resolve->job;
    (void)events;
    CHECK(job != NULL && atomic_load(&job->state) == JOB_DONE);
    await_thread(job);
    bool is_good = job->addrs_count > 0;
    if (is_good) {
        memcpy(resolve->addrs, job->addrs, sizeof(resolve->addrs));
        resolve->addrs_count = job->addrs_count;
        resolve->fresh_until_ms = resolve->loop->now_ms + RESOLVE_FRESH_MS;
    }
    loop_watch_remove(resolve->loop, watch);
    free_job(job);
    resolve->job = NULL;
    finish(resolve, is_good ? ERR_OK : ERR_RESOLVE);
}

void resolve_close(struct resolve *resolve)
{
    struct resolve_job *job = resolve->job;
    resolve->is_running = false;
    loop_timer_clear(resolve->loop, &resolve->deadline);
    if (job == NULL) {
        return;
    }
    loop_watch_remove(resolve->loop, &resolve->watch);
    resolve->job = NULL;
    int expected = JOB_RUNNING;
    if (atomic_compare_exchange_strong(&job->state, &expected, JOB_FORSAKEN)) {
        return;
    }
    await_thread(job);
    free_job(job);
}
