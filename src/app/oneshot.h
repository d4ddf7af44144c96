/*
 * oneshot.h - a loop with both sides behind it, for commands that ask a few questions and end:
 * `check`, `uninstall`. Memory is mapped once and given back by the process's end.
 */
#ifndef ECILET_APP_ONESHOT_H
#define ECILET_APP_ONESHOT_H

#include "app/config.h"
#include "eci/eci_call.h"
#include "kube/call.h"
#include "net/x509_verify.h"

#define ONESHOT_REPLY_BYTES (256 * 1024) /* a node, or the metadata of 50 pods */
#define ONESHOT_CONNS 4                  /* to the API server; as many questions at one time */

struct oneshot {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct kube_auth auth;
    struct kube_calls calls;
    struct arena anchors_memory;
    struct x509_anchors anchors;
    struct eci_client cloud;
};

/* Zero the struct first. Errors: ERR_SYSTEM, ERR_BAD_INPUT (the endpoint), those of the loop. */
MUST_USE enum err oneshot_init(struct oneshot *oneshot, const struct config *config);

/* Who we are in the cluster. Errors: as kube_auth_load(); oneshot->auth.why says what. */
MUST_USE enum err oneshot_load_kube(struct oneshot *oneshot, const struct config *config);

/* Whom we believe in the cloud, and our keys there. On failure `why` receives one line. */
MUST_USE enum err oneshot_load_cloud(struct oneshot *oneshot, const struct config *config,
                                     struct buf *why);

/* Turns the loop until *is_done. */
void oneshot_run(struct oneshot *oneshot, const bool *is_done);

/* Cancels what is under way and wipes the keys. */
void oneshot_stop(struct oneshot *oneshot);

#endif
