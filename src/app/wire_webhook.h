/*
 * wire_webhook.h - the webhook while running: an HTTPS server for the API server's questions.
 *
 * The certificate and who shares it: admit/webhook_certs.h. What the cluster is told:
 * admit/webhook_register.h. Every gateway answers, also one that waits to lead; what it needs for
 * that, the profile and the namespaces, it follows by itself. Only the leading one writes.
 *
 * Nothing here may keep a pod from being created. What goes wrong is logged; the effects of a pod
 * that was not seen here are added when it is translated.
 */
#ifndef ECILET_APP_WIRE_WEBHOOK_H
#define ECILET_APP_WIRE_WEBHOOK_H

#include "admit/webhook_certs.h"
#include "admit/webhook_register.h"
#include "net/http_server.h"

struct wire;

/* An API server keeps up to 25 idle connections (client-go, MaxIdleConnsPerHost; it speaks HTTP/1.1
 * with us) and opens more in a burst: three of them fit. More: the idlest goes, and a question that
 * is just being written to it is lost. */
#define WEBHOOK_CONNS 128
#define WEBHOOK_BODIES 16 /* questions that arrive at one time. More: 503, the pod is not seen */
#define WEBHOOK_BODY_BYTES (2 * 1024 * 1024) /* a pod has 1.5 MiB at most. More: 413, likewise */
#define WEBHOOK_ANSWER_BYTES HTTP_SERVER_REPLY_BYTES /* more: no patch, a warning says so */

struct wire_webhook {
    struct http_server server;
    struct webhook_certs certs;
    struct webhook_register registration;
    uint64_t questions, patched, refused;
    bool is_serving;
    bool writes;      /* the cluster's objects, at the last turn: it leads */
    uint64_t changes; /* of the profile that was registered last */
};

void webhook_wire_init(struct wire *wire, struct region *region);
void webhook_wire_start(struct wire *wire);
/* Once per turn of the loop: looks whether the profile is new, and whether this gateway leads. */
void webhook_wire_turn(struct wire *wire);
void webhook_wire_stop(struct wire *wire);

#endif
