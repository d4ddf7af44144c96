/*
 * wire_webhook.h - the webhook while running: an HTTPS server for the API server's questions, and
 * the MutatingWebhookConfiguration that leads them here, kept in step with the eci-profile.
 *
 * Its certificate comes from WEBHOOK_CERT_DIR with the names of a Secret of type kubernetes.io/tls:
 * tls.crt, tls.key and ca.crt. Replaced files are taken over within WEBHOOK_LOOK_MS, the authority
 * in the configuration with them. Two gateways may use the same files and one WEBHOOK_URL.
 *
 * Nothing here may keep a pod from being created. What goes wrong is logged; the effects of a pod
 * that was not seen here are added when it is translated.
 */
#ifndef ECILET_APP_WIRE_WEBHOOK_H
#define ECILET_APP_WIRE_WEBHOOK_H

#include "admit/webhook_config.h"
#include "net/http_server.h"
#include "net/tls_identity.h"
#include "os/loop.h"

struct wire;

#define WEBHOOK_CONNS 32 /* API servers keep few, and use them again. More: the idlest goes */
#define WEBHOOK_BODIES 8 /* questions that arrive at one time. More: 503, the pod is not seen */
#define WEBHOOK_BODY_BYTES (2 * 1024 * 1024) /* a pod has 1.5 MiB at most. More: 413, likewise */
#define WEBHOOK_ANSWER_BYTES HTTP_SERVER_REPLY_BYTES /* more: no patch, a warning says so */
#define WEBHOOK_FILES_BYTES (32 * 1024) /* tls.crt, tls.key, ca.crt together; more: not used */
#define WEBHOOK_OWN_LIFE_S (90 * 86400) /* of a certificate of our own; renewed at two thirds */
#define WEBHOOK_OWN_PEM_BYTES 2048
#define WEBHOOK_LOOK_MS (5 * 60 * 1000) /* between looks at files and configuration */
#define WEBHOOK_RETRY_MS 2000
#define WEBHOOK_RETRY_CAP_MS 60000

/* One set of files. */
struct webhook_files {
    struct tls_identity identity;
    struct arena arena; /* certificates, key, and the authority's text */
    str ca_pem;
    bool is_loaded;
};

struct wire_webhook {
    struct http_server server;
    struct webhook_files files[2]; /* the one in use, and the next */
    uint32_t files_at;
    uint64_t files_stamp;
    struct loop_timer timer; /* next look */
    char url[300];           /* "" = Service mode */
    uint64_t questions, patched, refused;
    /* registration */
    bool is_serving;
    bool is_busy; /* a request of ours is under way */
    bool is_v1_known, is_v1;
    bool must_register; /* profile or files have changed, or it is time to look */
    uint64_t changes;   /* of the profile that was registered last */
    uint32_t failures;
    uint32_t left_out;
};

void webhook_wire_init(struct wire *wire, struct region *region);
void webhook_wire_start(struct wire *wire);
/* Once per turn of the loop: registers when there is something new. */
void webhook_wire_turn(struct wire *wire);
void webhook_wire_stop(struct wire *wire);

#endif
