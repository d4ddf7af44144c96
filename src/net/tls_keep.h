/*
 * tls_keep.h - the certificate that a port of ours shows: from files, from texts that somebody
 * brings, or made here; and its renewal.
 *
 * There are two rooms. One holds the set in use; what is new is prepared in the other, while nobody
 * looks at it, and taken into use by tls_keep_swap(), at once or when those who must trust it have
 * been told. After that the set before stays readable for handshakes under way until the next one
 * is prepared: on_prepare says when that is.
 *
 * Files win while they are there. Files that cannot be used leave the set in use as it is. A set
 * made here is self-signed and is its own authority; it is renewed when a third of its life is
 * left.
 */
#ifndef ECILET_NET_TLS_KEEP_H
#define ECILET_NET_TLS_KEEP_H

#include "base/region.h"
#include "net/tls_identity.h"
#include "net/x509_write.h"

#define TLS_KEEP_BYTES (32 * 1024) /* of a set, and of its files' texts together; more: refused */
#define TLS_KEEP_PEM_BYTES 2048    /* the authority of a set made here */
#define TLS_KEEP_OWN_LIFE_S (90 * 86400) /* of a set made here */
#define TLS_KEEP_EARLY_S 3600            /* clocks differ: valid from a little before now */

/* A certificate, its key, and who vouches for it. */
struct tls_set {
    struct tls_identity identity;
    struct arena arena; /* what the identity points to, and the authority; holds a secret */
    str authority;      /* PEM; empty when none was given */
    bool is_loaded;
};

struct tls_keep_config {
    const char *name;  /* static; the part of the program in log lines */
    const char *files; /* static; what the files are called there: "KUBELET_TLS_..." */
    /* Absolute paths, for ever; an empty authority: none is needed. */
    const char *chain_path, *key_path, *authority_path;
    /* Files that are named must be there; else one of our own is made while there is none. */
    bool must_have_files;
    /* The room that is not in use is about to be overwritten: cut handshakes that look at it. */
    void (*on_prepare)(void *owner);
    void *owner;
};

struct tls_keep {
    struct tls_keep_config config;
    struct tls_set sets[2];
    uint32_t at;
    bool is_prepared; /* the other room holds what comes next */
    uint64_t stamp;   /* of the files that were read last; 0: none were */
};

void tls_keep_init(struct tls_keep *keep, struct region *region,
                   const struct tls_keep_config *config);

/* The set in use; NULL when there is none. */
const struct tls_set *tls_keep_current(const struct tls_keep *keep);
/* What is prepared; NULL when nothing is. */
const struct tls_set *tls_keep_next(const struct tls_keep *keep);
/* The prepared set comes into use. Without effect when nothing is prepared. */
void tls_keep_swap(struct tls_keep *keep);

/* What is prepared is forgotten. */
void tls_keep_drop(struct tls_keep *keep);

/* Whether the certificate comes from files now. */
bool tls_keep_has_files(const struct tls_keep *keep);

/*
 * Looks whether there is something new: files that have changed, or a set of our own that is due.
 *
 * wish      names for one of our own; its dates are set here
 * now_s     wall clock, seconds since 1970
 * scratch   for the files' texts; wiped and rewound
 *
 * True: a set was prepared. What cannot be used is logged and leaves everything as it is; files
 * that are not good are judged again when they change.
 */
bool tls_keep_look(struct tls_keep *keep, const struct x509_wish *wish, int64_t now_s,
                   struct arena *scratch);

/* A set that is neither in files nor made here is prepared. Errors: those of tls_identity_load();
 * nothing is prepared then. why receives a sentence. */
MUST_USE enum err tls_keep_load(struct tls_keep *keep, str chain, str key, str authority,
                                const char **why);

/* A third of the certificate's life is left, or less; also true of one that is not valid yet. */
bool tls_set_is_due(const struct tls_set *set, int64_t now_s);
/* It is valid now. */
bool tls_set_is_valid(const struct tls_set *set, int64_t now_s);

/* Overwrites both keys (end of the process). */
void tls_keep_wipe(struct tls_keep *keep);

#endif
