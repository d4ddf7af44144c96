/*
 * resolve.h - host names to addresses without blocking the loop: getaddrinfo in one helper thread
 * with a deadline; the last good answer is kept and used when a later look-up fails. The cluster
 * side only: libcurl has its own threaded resolver for the cloud.
 */
#ifndef ECILET_OS_RESOLVE_H
#define ECILET_OS_RESOLVE_H

#include "os/loop.h"
#include "os/sock.h"

#define RESOLVE_ADDRS_MAX 8 /* addresses kept per name */
#define RESOLVE_HOST_BYTES 256
#define RESOLVE_DEADLINE_MS 5000
#define RESOLVE_FRESH_MS 60000 /* a good answer is reused this long */
#define RESOLVE_RETRY_MS 5000  /* after a failure, an old answer is reused this long */
#define RESOLVE_THREADS_MAX 8  /* at once in the process; one more is ERR_SYSTEM */

struct resolve;
struct resolve_job; /* the thread's side; outlives a resolve that is closed early */
typedef void resolve_done(struct resolve *resolve, enum err err);

struct resolve {
    struct loop *loop;
    char host[RESOLVE_HOST_BYTES];
    uint16_t port;
    struct sock_addr addrs[RESOLVE_ADDRS_MAX]; /* last good answer */
    uint32_t addrs_count;
    msec fresh_until_ms;
    bool is_running;
    bool is_literal; /* host is an address: always fresh */
    resolve_done *on_done;
    void *owner;
    enum err start_err;      /* why no thread could be started; told from the timer */
    struct resolve_job *job; /* NULL when no thread runs; may outlast the deadline */
    struct loop_watch watch; /* eventfd of the thread */
    struct loop_timer deadline;
};

void resolve_init(struct resolve *resolve, struct loop *loop, str host, uint16_t port,
                  resolve_done *on_done, void *owner);
/*
 * True: addrs are usable now. False: on_done will be called from the loop, with
 *   ERR_OK       addrs are fresh
 *   ERR_RESOLVE  the look-up failed      } addrs_count tells whether there are older answers;
 *   ERR_TIMEOUT  no answer in time       } those count as fresh for RESOLVE_RETRY_MS then
 *   ERR_SYSTEM   no thread to be had     }
 * A thread that misses the deadline goes on; its late answer is taken, and no second thread is
 * started beside it.
 */
bool resolve_want(struct resolve *resolve);
/* Stops waiting (on_done will not be called) and forgets the thread, if one runs. */
void resolve_close(struct resolve *resolve);

/* Replaces getaddrinfo (tests). Runs in the helper thread; fills at most RESOLVE_ADDRS_MAX
 * addresses and returns their number, 0 for failure. NULL restores. */
typedef uint32_t resolve_lookup(const char *host, uint16_t port, struct sock_addr *addrs);
void resolve_set_lookup(resolve_lookup *lookup);

#endif
