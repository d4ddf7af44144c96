/*
 * eci_curl.h - HTTP POST to one host by libcurl, in our loop.
 *
 * The only door to libcurl: its multi handle with the socket interface, driven by os/loop.h; TLS by
 * BearSSL with our trust anchors and our verifier (net/x509_verify.h), http:// proxies as curl
 * knows them, its threaded resolver (a name look-up never blocks the loop), connections kept alive,
 * gzip.
 *
 * Everything is made at start: one easy handle per transfer, one watch per descriptor curl may have
 * open; two timers of the loop. libcurl's memory comes from the bounded third-party heap
 * (os/heap.h).
 *
 * On a kept connection that turns out to be dead before the first byte of a reply, curl sends the
 * request again by itself on a fresh one. The repeated request carries the same nonce, so the cloud
 * performs it at most once. For requests where even that is too much, is_fresh asks for a
 * connection of its own, on which nothing is repeated.
 */
#ifndef ECILET_ECI_ECI_CURL_H
#define ECILET_ECI_ECI_CURL_H

#include "base/buf.h"
#include "base/region.h"
#include "os/loop.h"

#define ECI_CURL_CONNECT_MS 5000 /* name, TCP, proxy and TLS together, within the deadline */
#define ECI_CURL_WHY_BYTES 192   /* one line for people */
#define ECI_CURL_URL_BYTES 512   /* "https://" host ":" port "/" */
#define ECI_CURL_WATCHES_EACH 4  /* connection, second address family, resolver, a kept one */

struct x509_anchors; /* net/x509_verify.h: parsed once, shared */
struct x509_verifier;

struct eci_curl;
struct eci_curl_transfer;
typedef void eci_curl_done(struct eci_curl_transfer *transfer, enum err err);

/* One request and its reply; embedded in its owner. Zero it before the first use. */
struct eci_curl_transfer {
    /* set by the caller */
    str body;               /* the form; stays valid and unchanged until on_done or cancel */
    struct buf reply;       /* receives the body of the reply; more than fits is ERR_TOO_BIG */
    msec deadline_ms;       /* duration of the whole transfer, > 0 */
    bool is_fresh;          /* own connection: curl repeats nothing by itself */
    eci_curl_done *on_done; /* exactly once, from a later turn, unless cancelled */
    void *owner;
    /* filled when done */
    int http_status;              /* 0: no complete head */
    int64_t date_unix_s;          /* Date header, 0 when absent or malformed */
    int64_t retry_after_s;        /* Retry-After in seconds, -1 when absent */
    bool was_sent;                /* at least one byte of the request may have left this machine */
    char why[ECI_CURL_WHY_BYTES]; /* what failed, for people; empty on ERR_OK. No secrets. */
    /* eci_curl's own */
    struct eci_curl_easy *easy; /* while under way */
};

/* Copied; the texts need not outlive the call. */
struct eci_curl_config {
    str url;   /* "https://host[:port]" or, for a simulator, "http://..." */
    str proxy; /* "http://[user:password@]host:port"; empty: HTTPS_PROXY etc. in the environment */
    str no_proxy; /* comma list of hosts; empty: NO_PROXY in the environment */
    const struct x509_anchors *anchors; /* outlive us; NULL is allowed for http:// only */
    uint32_t transfers_max;             /* most transfers at once, >= 1 */
    uint32_t
        kept_max; /* connections kept open while idle; below transfers_max load costs handshakes */
};

struct eci_curl_counters {
    uint64_t transfers; /* ended, well or not */
    uint64_t connects;  /* new connections */
    uint64_t failures;
    uint64_t watches_refused; /* descriptors that found the table full; never seen in tests */
    uint64_t accidents;       /* libcurl could not go on (its memory was full) and was helped */
};

struct eci_curl {
    struct loop *loop;
    const struct x509_anchors *anchors;
    char url[ECI_CURL_URL_BYTES];
    char host[256]; /* the name to verify */
    bool is_tls;
    bool is_started; /* libcurl is in use */
    void *multi;     /* curl's */
    void *headers;   /* curl's list of request headers */
    struct eci_curl_easy *easies;
    uint32_t easies_count;
    struct x509_verifier *verifiers; /* one per easy handle; none without TLS */
    struct loop_watch *watches;
    uint32_t watches_count;
    struct loop_timer timer, recovery;
    struct eci_curl_counters counters;
};

/*
 * The table of errors: which enum err a libcurl result is. `code` is the number of the CURLcode
 * (fixed by libcurl's ABI), so tests can walk it without curl's header. What does not exist in this
 * table is ERR_SYSTEM.
 */
enum err eci_curl_err(int code);

/*
 * Carves the tables and, unless the region is only planning, starts libcurl.
 *
 * Errors: ERR_BAD_INPUT (url is not one of ours, https without anchors, or a text is too long),
 * ERR_NO_MEMORY, ERR_UNSUPPORTED (the linked libcurl lacks TLS, the threaded resolver or gzip).
 */
MUST_USE enum err eci_curl_init(struct eci_curl *curl, struct loop *loop, struct region *region,
                                const struct eci_curl_config *config);

/* Starts. Errors: ERR_FULL (transfers_max under way), ERR_NO_MEMORY. Then on_done is not called. */
MUST_USE enum err eci_curl_start(struct eci_curl *curl, struct eci_curl_transfer *transfer);
/* on_done will not be called; a connection in use is closed. No-op when not under way. */
void eci_curl_cancel(struct eci_curl *curl, struct eci_curl_transfer *transfer);
/* Cancels everything and frees what libcurl holds (end of the process, tests). No-op when libcurl
 * is not in use. */
void eci_curl_stop(struct eci_curl *curl);

#endif
