/*
 * webhook_register.h - MutatingWebhookConfiguration vk-webhook in the cluster, kept in step with
 * the profile, the address and the certificate.
 *
 * It is looked at when one of them changes, and every WEBHOOK_REGISTER_LOOK_MS: what somebody has
 * deleted is made again, what somebody has edited is set right. Only its metadata is read: the hash
 * of what we wrote stands in an annotation, and metadata.generation tells whether its webhooks were
 * changed since. The first look of a process therefore writes it once; a write that changes nothing
 * leaves the object's version as it is.
 *
 * admissionregistration.k8s.io/v1 where the server has it; v1beta1 before 1.16, which knows no
 * objectSelector: an event says which selectors are not shown.
 *
 * A gateway that may not write looks only while somebody wants to know what is registered.
 *
 * Of several gateways that may write (of several nodes, or of one without election) and have
 * different URLs, one holds the registration: its place stands in an annotation. Another one leaves
 * it alone, says so once in an event, and notes in an annotation that it waits. The holder takes
 * the note away when it looks; who finds its note untouched for WEBHOOK_REGISTER_HOLD_MS takes
 * over. Within one node who comes last takes over at once, because that is most often the same
 * gateway at a new address, or the one that leads now; who had it before then waits. (With election
 * it takes it back: nobody else may have it.) Writes depend on the version that was looked at, so
 * that two never undo each other's.
 */
#ifndef ECILET_ADMIT_WEBHOOK_REGISTER_H
#define ECILET_ADMIT_WEBHOOK_REGISTER_H

#include "admit/webhook_config.h"
#include "base/prng.h"
#include "kube/call.h"

#define WEBHOOK_REGISTER_LOOK_MS (5 * 60 * 1000) /* between looks when nothing has changed */
#define WEBHOOK_REGISTER_WAIT_MS 2000  /* until profile, certificate or leadership are there */
#define WEBHOOK_REGISTER_SIGHT_MS 5000 /* between looks while somebody else has to write */
#define WEBHOOK_REGISTER_HOLD_MS (2 * WEBHOOK_REGISTER_LOOK_MS) /* a silent holder is believed */
#define WEBHOOK_REGISTER_RETRY_MS 2000 /* after a failure; doubled up to ..._CAP_MS */
#define WEBHOOK_REGISTER_CAP_MS 60000
#define WEBHOOK_REGISTER_REPLY_BYTES (64 * 1024) /* metadata; more: told, tried again */
#define WEBHOOK_REGISTER_URL_BYTES 300

struct webhook_register_config {
    struct loop *loop;
    struct kube_calls *calls;
    struct arena *arena;
    str node;                                           /* our node's name; borrowed for ever */
    const struct profile *(*profile)(void *owner);      /* NULL: not known yet */
    str (*authority)(void *owner, struct arena *arena); /* PEM; empty: no certificate yet */
    bool (*may_write)(void *owner);
    bool is_elected;                  /* only one gateway of our node may write at a time */
    bool (*wants_sight)(void *owner); /* on_seen is waited for */
    /* The fingerprint of the authority that is registered now; at each look, after each write. */
    void (*on_seen)(void *owner, str fingerprint);
    void (*warn)(void *owner, const char *reason, const char *message); /* an event */
    void *owner;
    uint64_t seed;
};

struct webhook_register {
    struct webhook_register_config config;
    struct loop_timer timer; /* the next look */
    struct prng prng;
    char url[WEBHOOK_REGISTER_URL_BYTES]; /* "" = Service mode */
    bool is_started;
    bool is_busy;    /* a request is under way */
    bool is_changed; /* and something has changed since it was sent */
    bool is_v1_known, is_v1;
    /* In the next turn, when the look has given its slot back. */
    bool must_create, must_change, must_note;
    int64_t generation;                       /* as we left it; -1: not known */
    char version[KUBE_VERSION_BYTES_MAX + 1]; /* as it was looked at; empty: there is none */
    uint32_t failures;
    uint32_t left_out;
    bool is_brief;                         /* as it was put together last */
    bool holds;                            /* the registration was ours while we may write */
    bool has_yielded;                      /* another gateway of our node has taken it from us */
    char told[WEBHOOK_REGISTER_URL_BYTES]; /* the place that is left alone; empty: none */
    uint64_t note_print; /* the version at which its holder was silent since ... */
    msec note_since_ms;  /* ... then */
    uint64_t writes;
};

void webhook_register_init(struct webhook_register *reg,
                           const struct webhook_register_config *config);
/* url: "https://host:port"; empty: Service mode. Copied. */
void webhook_register_start(struct webhook_register *reg, str url);
void webhook_register_stop(struct webhook_register *reg);
/* Profile or certificate are new: look now. */
void webhook_register_changed(struct webhook_register *reg);
/* This gateway may write from now on: likewise, and what another of its node holds is taken over.
 */
void webhook_register_leads(struct webhook_register *reg);

#endif
