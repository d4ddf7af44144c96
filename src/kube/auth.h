/*
 * auth.h - where the API server is, and who we are.
 *
 * Two sources: a kubeconfig file, or the service account of the pod we run in (no path given and
 * KUBERNETES_SERVICE_HOST is set). Everything the other files of kube/ need to open a connection
 * comes from here, and they register their HTTP clients here, so that changed credentials reach all
 * of them.
 *
 * What is followed while running: the kubeconfig itself, token files, client certificate, key and
 * CA files are looked at once a minute, and at once when the server answers 401. A changed file
 * that cannot be used leaves the old credentials in place, with one warning.
 *
 * A kubeconfig without certificate-authority trusts the system's bundle, as kubectl does.
 *
 * Not supported, refused with a message that names the field: exec and auth-provider (they start
 * programs), username/password (removed from Kubernetes in 1.19), proxy-url, impersonation.
 *
 * Secrets (token, private key) live in one buffer here and in the request slots that are under way;
 * they are wiped on reload and when a slot is given back, and log_hide() knows the token.
 */
#ifndef ECILET_KUBE_AUTH_H
#define ECILET_KUBE_AUTH_H

#include "net/http_client.h"

#define KUBE_CLIENTS_MAX 64          /* registered HTTP clients; a program constant, CHECKed */
#define KUBE_PREFIX_BYTES 128        /* path part of the server's URL, e.g. a Rancher proxy's */
#define KUBE_TOKEN_BYTES_MAX 4096    /* service-account tokens have 1 KB, OIDC tokens up to 3 KB */
#define KUBE_AUTH_PATH_BYTES 512     /* paths of files, NUL included */
#define KUBE_AUTH_WHY_BYTES 768      /* messages for people, NUL included */
#define KUBE_AUTH_LOOK_MS 60000      /* files are looked at so often */
#define KUBE_AUTH_AGAIN_MS 2000      /* after a 401, at most one look in this time */
#define KUBE_AUTH_WARN_S (7 * 86400) /* a client certificate that ends sooner is warned about */
/* Header lines of one request: Authorization, Accept, Content-Type, User-Agent. */
#define KUBE_HEADERS_BYTES_MAX (KUBE_TOKEN_BYTES_MAX + 512)

struct kube_auth_config {
    str kubeconfig;          /* path; empty: in-cluster */
    str context;             /* empty: current-context */
    str service_host;        /* in-cluster: KUBERNETES_SERVICE_HOST; empty: this is no pod */
    uint16_t service_port;   /* ... and KUBERNETES_SERVICE_PORT */
    str service_account_dir; /* empty: /var/run/secrets/kubernetes.io/serviceaccount */
    str agent;               /* User-Agent, e.g. "ecilet/1.0"; static text */
};

struct kube_auth_files; /* private: contents, certificates, stamps */

struct kube_auth {
    struct http_target target; /* of every client of kube/; changes on reload */
    struct resolve resolve;
    char prefix[KUBE_PREFIX_BYTES]; /* "" or "/prefix" without a slash at its end */
    /* "https://host:port/prefix" for people; never a secret */
    char url[RESOLVE_HOST_BYTES + KUBE_PREFIX_BYTES + 16];
    /* Why the last load or reload failed, or the warning about the client certificate; "" = well.
     */
    char why[KUBE_AUTH_WHY_BYTES];
    int64_t cert_ends_unix_s; /* of the client certificate, 0 = none */
    uint64_t reloads;         /* changes taken over while running */
    uint64_t refusals;        /* 401 answers */
    /* private */
    struct kube_auth_files *files;
    struct arena *arena;
    struct loop *loop;
    struct http_client *clients[KUBE_CLIENTS_MAX];
    uint32_t clients_count;
    struct loop_timer look_timer;
    msec looked_at_ms;
    int64_t warned_at_unix_s;
    str agent;
};

/* The API server's name or address, as it is dialled. */
str kube_auth_host(const struct kube_auth *auth);
/* The cluster's own certificate authority as the kubeconfig gives it; NULL when it gives none (then
 * the API server is judged by the system's bundle, which vouches for nobody's client). May change
 * with a reload. */
const struct tls_trust *kube_auth_cluster_ca(const struct kube_auth *auth);

/*
 * Carves its memory (no file is touched; runs in the planning pass too).
 *
 * arena           scratch memory for one event; a load needs about three times the kubeconfig's
 * size handshakes_max  connections that may shake hands with the API server at one time: all of
 * them after it was restarted (11 KB each, only while used)
 */
void kube_auth_init(struct kube_auth *auth, struct loop *loop, struct region *region,
                    struct arena *arena, uint32_t handshakes_max);

/*
 * Reads everything. Once at start; blocks for local file reads only. The texts of config are
 * copied, except agent.
 *
 * On failure auth->why says what and where, fit to be printed as the only line: "kubeconfig
 * /etc/x.conf: user admin: exec plugins are not supported; give a token, tokenFile or client
 * certificate".
 * Errors: ERR_NOT_FOUND, ERR_FORBIDDEN (file), ERR_BAD_INPUT, ERR_UNSUPPORTED, ERR_TOO_BIG,
 * ERR_FULL, ERR_SYSTEM.
 */
MUST_USE enum err kube_auth_load(struct kube_auth *auth, const struct kube_auth_config *config);

/* Looks at all files now (SIGHUP). True when something changed and was taken over. */
bool kube_auth_reload(struct kube_auth *auth);

/* ---- for the other files of kube/ ------------------------------------------------------------ */

/* The client is refreshed whenever target or credentials change. For the life of the process. */
void kube_auth_attach(struct kube_auth *auth, struct http_client *client);

/*
 * Appends the header lines of one request: User-Agent, Authorization, Accept (accept empty:
 * application/json) and, when content_type is not empty, Content-Type. Contains a secret: the
 * caller wipes the memory when the call is done.
 */
void kube_auth_put_headers(const struct kube_auth *auth, struct buf *out, str accept,
                           str content_type);

/* The server answered 401: files are looked at now (not more often than KUBE_AUTH_AGAIN_MS). True
 * when the credentials are now others than `generation` said: trying again at once makes sense. */
bool kube_auth_refused(struct kube_auth *auth, uint64_t generation);
/* Changes with every reload. */
uint64_t kube_auth_generation(const struct kube_auth *auth);

/* Zeroes memory that held a secret, in a way the compiler keeps. */
void kube_wipe(void *memory, size_t bytes);

#endif
