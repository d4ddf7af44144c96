/*
 * serve_port.h - the kubelet port as a whole: the server, who may ask (serve_auth.c), and the table
 * of routes (serve.c). What handlers see of it is serve.h.
 *
 * Nobody is served anonymously. A request with a client certificate of the cluster's CA is its
 * subject's; else its bearer token is shown to the API server (TokenReview). Then the API server is
 * asked whether that user may (SubjectAccessReview: verb by method, nodes/<subresource> of our
 * node). Answers are remembered as the kubelet does: a token for 2 minutes, a yes for 5, a no for
 * 30 seconds. When the API server does not answer, neither do we: 503.
 */
#ifndef ECILET_SERVE_SERVE_PORT_H
#define ECILET_SERVE_SERVE_PORT_H

#include "base/hash.h"
#include "base/pool.h"
#include "serve/serve.h"

#define SERVE_CONNS 256          /* connections; kubectl, probes and metrics-server take few */
#define SERVE_CONNS_PER_PEER 192 /* all of kubectl's come through the API server */
#define SERVE_BODY_BYTES 4096    /* no route takes a body of meaning; larger ones: 413 */
#define SERVE_BODIES 8
#define SERVE_PENDING_MAX 64 /* requests whose caller is being asked about; more: 503 */
#define SERVE_STRANGERS_MAX \
    16 /* of them with a token that nobody knows yet; more: 503. Anybody can make up tokens: each \
        * costs a call to the API server, and those for pods share its slots and connections */
#define SERVE_TOKENS_MAX 64  /* remembered; the one that runs out first makes room */
#define SERVE_GRANTS_MAX 128 /* likewise */
#define SERVE_USER_BYTES 256
#define SERVE_UID_BYTES 128
#define SERVE_GROUPS_BYTES 1024 /* a JSON array; a caller with more of any of these: 401 */
#define SERVE_EXTRA_BYTES 1024  /* a JSON object */
#define SERVE_TOKEN_KEPT_MS 120000
#define SERVE_YES_KEPT_MS 300000
#define SERVE_NO_KEPT_MS 30000

struct serve_caller {
    char user[SERVE_USER_BYTES];
    char uid[SERVE_UID_BYTES];       /* empty: none, as of all certificates */
    char groups[SERVE_GROUPS_BYTES]; /* JSON array of texts */
    char extra[SERVE_EXTRA_BYTES];   /* JSON object, e.g. what a token is limited to; empty: none */
};

struct serve_token {
    uint8_t digest[HASH_SHA256_BYTES]; /* the token itself is not kept */
    struct serve_caller caller;
    msec until_ms; /* 0: free */
};

struct serve_grant {
    uint8_t digest[HASH_SHA256_BYTES]; /* of caller, verb and subresource */
    bool is_yes;
    msec until_ms;
};

/* One request that waits for the API server's word. */
struct serve_pending {
    struct serve_session session;
    struct serve *serve;
    struct http_exchange *exchange;
    const char *subresource; /* static */
    handle call;
    bool is_stranger; /* it is not known yet whose token this is */
    struct serve_caller caller;
    uint8_t digest[HASH_SHA256_BYTES]; /* of what is being asked */
};

struct serve_counters {
    uint64_t unauthenticated, forbidden, unanswered, reviews;
};

struct serve {
    struct serve_world world;
    struct http_server server;
    struct pool pending;
    uint32_t strangers; /* among them */
    struct serve_token *tokens;
    struct serve_grant *grants;
    struct serve_counters counters;
};

struct serve_config {
    struct serve_world world;
    struct sock_addr address; /* the family comes with serve_start(), when it is known */
    const struct tls_identity *(*identity)(void *owner); /* owner: the struct serve's world.owner */
    const struct tls_trust *(*clients)(void *owner);
};

void serve_init(struct serve *serve, struct region *region, const struct serve_config *config);
/* Listens on all addresses; family 4: of IPv4 only, 6: of both. Errors: ERR_SYSTEM (os_errno_text).
 */
MUST_USE enum err serve_start(struct serve *serve, uint8_t family);
void serve_stop(struct serve *serve);

/* ---- between the files ----------------------------------------------------------------------- */

/* Answers, or asks and comes back to serve_allowed() later. subresource: static. */
void serve_authorize(struct serve *serve, struct http_exchange *exchange, const char *subresource);
/* The caller is known and may: the route's handler runs. */
void serve_allowed(struct serve *serve, struct http_exchange *exchange,
                   const struct serve_caller *caller);

serve_handler serve_healthz, serve_pods, serve_running_pods;

#endif
