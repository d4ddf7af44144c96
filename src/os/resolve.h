/*
 * resolve.h - host names to addresses without blocking the loop: getaddrinfo in one helper thread
 * with a deadline; the last good answer is kept and used when a later look-up fails. The cluster
 * side only: libcurl has its own threaded resolver for the cloud.
 */
#ifndef ECILET_OS_RESOLVE_H
#define ECILET_OS_RESOLVE_H

#include "os/loop.h"
#include "os/sock.h"

#define RESOLVE_ADDRS_MAX 8   /* addresses kept per name */
#define RESOLVE_HOST_BYTES 256
#define RESOLVE_DEADLINE_MS 5000
#define RESOLVE_FRESH_MS 60000 /* a good answer is reused this long */

struct resolve;
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
    struct loop_watch watch; /* eventfd of the thread */
    struct loop_timer deadline;
};

void resolve_init(struct resolve *resolve, struct loop *loop, str host, uint16_t port,
                  resolve_done *on_done, void *owner);
/* True: addrs are usable now. False: on_done will be called (with old answers kept on failure). */
bool resolve_want(struct resolve *resolve);

#endif
