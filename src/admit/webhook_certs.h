/*
 * webhook_certs.h - which certificate the webhook shows, and when it changes.
 *
 *   1. the files of WEBHOOK_CERT_DIR, while there is a tls.crt
 *   2. the Secret kube-system/vk-webhook-certs, shared by all gateways: made when it is not there
 *      (who comes second reads what the first one made), renewed at two thirds of its life and
 *      replaced when it cannot be used, always on the condition that nobody else has written since.
 *      Of gateways that elect a leader only that one writes (may_write).
 *   3. one of our own, when the Secret may not be read or written: told once; or when for some time
 *      nobody has made it. With several gateways
 *      the API server then believes the one that registered last only.
 *
 * A new certificate is prepared first. webhook_certs_authority() names the old and the new one from
 * then on; when the registered configuration does too (webhook_certs_seen), the new one comes into
 * use a little later, because API servers follow their own objects with a delay. Connections that
 * are open go on with what they were opened with.
 *
 * Looks every WEBHOOK_CERTS_LOOK_MS, so that files and Secret are followed within a minute. The
 * Secret is forgotten with the event that read it; only the key in use stays, and no text of it
 * ever reaches a log.
 */
#ifndef ECILET_ADMIT_WEBHOOK_CERTS_H
#define ECILET_ADMIT_WEBHOOK_CERTS_H

#include "admit/webhook_secret.h"
#include "base/prng.h"
#include "kube/call.h"

#define WEBHOOK_CERTS_LOOK_MS 30000     /* between looks at files or Secret */
#define WEBHOOK_CERTS_REFUSED_MS 300000 /* ... while the Secret is refused to us */
#define WEBHOOK_CERTS_RETRY_MS 2000     /* first wait after a failure; doubled up to ..._LOOK_MS */
#define WEBHOOK_CERTS_TRIES 4           /* so often nothing was there: one of our own until it is */
#define WEBHOOK_CERTS_SETTLE_MS 5000    /* from the registration to the use of a new certificate */
#define WEBHOOK_CERTS_PATH_BYTES 600
#define WEBHOOK_CERTS_HOST_BYTES 256

struct webhook_certs_config {
    struct loop *loop;
    struct kube_calls *calls;
    struct arena *arena;
    const char *folder;             /* WEBHOOK_CERT_DIR */
    bool (*may_write)(void *owner); /* the Secret */
    /* A room is about to be overwritten: cut handshakes that look at it. */
    void (*on_prepare)(void *owner);
    /* webhook_certs_authority() may say something new. */
    void (*on_change)(void *owner);
    /* For people: an event. */
    void (*warn)(void *owner, const char *reason, const char *message);
    void *owner;
    uint64_t seed;
};

struct webhook_certs {
    struct webhook_certs_config config;
    struct tls_keep keep;
    char paths[3][WEBHOOK_CERTS_PATH_BYTES]; /* tls.crt, tls.key, ca.crt */
    char host[WEBHOOK_CERTS_HOST_BYTES];
    struct loop_timer timer;  /* the next look */
    struct loop_timer settle; /* the prepared set comes into use */
    struct prng prng;
    /* The Secret that was judged last. */
    char uid[KUBE_UID_BYTES_MAX + 1];
    char version[KUBE_VERSION_BYTES_MAX + 1];
    const char *fault; /* what is wrong with it; NULL: nothing */
    bool is_busy;      /* a request is under way */
    bool is_started;
    bool was_told; /* that the Secret is refused to us */
    uint32_t failures;
    uint64_t writes, replaced; /* of the Secret */
    msec wrote_at_ms;          /* the last of them; the next not before ..._LOOK_MS */
    bool was_named;            /* one of them was made for our host: not again for that alone */
};

void webhook_certs_init(struct webhook_certs *certs, struct region *region,
                        const struct webhook_certs_config *config);
/* host: what the certificate has to name, as API servers check it; copied. */
void webhook_certs_start(struct webhook_certs *certs, str host);
/* may_write() has become true: the Secret may have to be made, or to name our host, now. */
void webhook_certs_look(struct webhook_certs *certs);
void webhook_certs_stop(struct webhook_certs *certs);

/* What is shown to peers; NULL while there is nothing. */
const struct tls_identity *webhook_certs_identity(const struct webhook_certs *certs);
/* PEM of whom API servers have to believe; empty while there is no certificate. In arena, or as
 * long as the certificates. */
str webhook_certs_authority(const struct webhook_certs *certs, struct arena *arena);
/* The registered configuration names an authority with this fingerprint, see
 * webhook_config_fingerprint(). */
void webhook_certs_seen(struct webhook_certs *certs, str fingerprint);
/* A new certificate waits until it is registered. */
bool webhook_certs_waits(const struct webhook_certs *certs);

#endif
