/*
 * exec.h - kubectl exec: a command in a container of an instance. The client's side is remote.h,
 * the cloud's eci/eci_exec.h; this joins them. One pool of sessions for the process (a route's
 * handler has no owner of its own).
 *
 * Bytes wait where they come from: what the client does not take stays with the cloud, what the
 * cloud does not take stays with the client. A session ends with whichever side ends first, and
 * frees everything.
 *
 * Limits: EXEC_SESSIONS at once (full: 429); the command as in eci_exec.h (400).
 */
#ifndef ECILET_SERVE_EXEC_H
#define ECILET_SERVE_EXEC_H

#include "eci/eci_exec.h"
#include "serve/serve.h"

struct exec_config {
    struct loop *loop;
    struct eci_client *cloud;
    struct arena *arena;
    const struct tls_trust *trust; /* for the cloud's WebSocket; may be NULL for a simulator */
    enum eci_framing framing;
    uint32_t sessions_max;
};

#define EXEC_TIMERS(sessions_max) (5 * (sessions_max)) /* of the loop */

/* Carves the sessions (about 150 KiB each, touched only in use). */
void exec_init(struct region *region, const struct exec_config *config);
/* Sessions under way. */
uint32_t exec_open(void);

/* The pod of a request with a running instance; false: refused (404, 400). Shared with attach. */
bool exec_find_instance(struct serve *serve, struct http_exchange *exchange,
                        const struct serve_target *target, struct serve_pod *pod);

/* GET and POST /exec/{namespace}/{pod}[/{uid}]/{container} */
void exec_serve(struct serve *serve, struct http_exchange *exchange,
                const struct serve_target *target);

#endif
