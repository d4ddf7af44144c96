/*
 * see auth.h
 *
 * Credentials come in two generations. A load fills the one that is not in use and only then makes
 * it current, so a broken file never costs us working credentials, and a handshake that has begun
 * with the old ones still finds them. That is also why two loads are never closer than a handshake
 * may last.
 */
#include "kube/auth.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/codec.h"
#include "data/yaml_read.h"
#include "kube/kubeconfig.h"
#include "net/tls.h"
#include "os/log.h"
#include "os/os.h"

#define ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define FILE_BYTES_MAX YAML_BYTES_MAX /* any file we read here */
#define TRUST_BYTES (160u * 1024)     /* Debian's bundle of 144 CAs takes 72 KB */
#define IDENTITY_BYTES (32u * 1024)   /* a chain of four and a key take 8 KB */
#define LOADS_APART_MS (2 * HTTP_CONNECT_MS)
#define WARN_EACH_S 86400

enum file_kind { FILE_KUBECONFIG, FILE_CA, FILE_CERT, FILE_KEY, FILE_TOKEN, FILE_COUNT };

static const char *const file_names[FILE_COUNT] = {
    [FILE_KUBECONFIG] = "kubeconfig",      [FILE_CA] = "certificate authority",
    [FILE_CERT] = "client certificate",    [FILE_KEY] = "client key",
    [FILE_TOKEN] = "token file",
};

struct file {
    char path[KUBE_AUTH_PATH_BYTES]; /* "" = not used */
    uint64_t stamp;                  /* when last read or tried */
};

struct generation {
    struct tls_trust trust;
    struct tls_identity identity;
    bool has_identity;
    bool has_own_ca;               /* trust is the cluster's authority, not the system's bundle */
    char host[RESOLVE_HOST_BYTES]; /* to dial; target.host may be another (tls-server-name) */
    char user[128];                /* for messages */
    char token[KUBE_TOKEN_BYTES_MAX + 1];
    struct file files[FILE_COUNT];
};

struct kube_auth_files {
    char kubeconfig[KUBE_AUTH_PATH_BYTES]; /* as configured */
    char context[256];
    char account_dir[KUBE_AUTH_PATH_BYTES];
    char service_host[RESOLVE_HOST_BYTES];
    uint16_t service_port;
    struct generation generations[2];
    uint32_t current;
    msec loaded_at_ms;
    struct pool verifiers;
    char *rooms[2]; /* of each generation: TRUST_BYTES, then IDENTITY_BYTES */
};

/* One load. err is sticky; the first complaint stays. */
struct loading {
    struct kube_auth *auth;
    struct generation *to;
    struct arena *arena;
    struct arena trust_room, identity_room;
    struct kubeconfig found;
    struct buf why;
    enum err err;
};

str kube_auth_host(const struct kube_auth *auth)
{
    return str_of(auth->files->generations[auth->files->current].host);
}

const struct tls_trust *kube_auth_cluster_ca(const struct kube_auth *auth)
{
    const struct generation *now = &auth->files->generations[auth->files->current];
    return now->has_own_ca ? &now->trust : NULL;
}

void kube_wipe(void *memory, size_t bytes)
{
    if (bytes > 0) {
        explicit_bzero(memory, bytes);
    }
}

static struct generation *current(const struct kube_auth *auth)
{
    return &auth->files->generations[auth->files->current];
}

/* ---- reading files --------------------------------------------------------------------------- */

static void fail(struct loading *l, enum err err, const char *what, const char *detail)
{
    if (l->err == ERR_OK) {
        l->err = err;
        buf_put_fmt(&l->why, "%s%s%s", what, detail[0] != '\0' ? ": " : "", detail);
    }
}

/* The file's text in the arena; noted, so that it is looked at again. */
static str read_file(struct loading *l, enum file_kind kind, str path)
{
    struct file *file = &l->to->files[kind];
    struct buf text;
    size_t room;
    if (!str_copy(file->path, sizeof file->path, path)) {
        fail(l, ERR_TOO_BIG, file_names[kind], "the path is too long");
        return STR_NONE;
    }
    file->stamp = os_file_stamp(file->path);
    char *rest = arena_rest(l->arena, &room);
    buf_init(&text, rest, room < FILE_BYTES_MAX ? room : FILE_BYTES_MAX);
    enum err err = os_file_read(file->path, &text);
    if (err != ERR_OK) {
        char what[KUBE_AUTH_WHY_BYTES];
        (void)snprintf(what, sizeof what, "%s %s", file_names[kind], file->path);
        fail(l, err, what, err == ERR_TOO_BIG ? err_text(err) : os_errno_text());
        return STR_NONE;
    }
    arena_keep(l->arena, text.bytes);
    return buf_str(&text);
}

static void take_token(struct loading *l, str text)
{
    str token = str_trim(text);
    for (size_t i = 0; i < token.bytes; i++) {
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~') { /* it goes into a header line */
            fail(l, ERR_BAD_INPUT, "token", "contains characters no token has");
            return;
        }
    }
    if (str_is_empty(token)) {
        fail(l, ERR_BAD_INPUT, "token", "is empty");
    } else if (!str_copy(l->to->token, sizeof l->to->token, token)) {
        fail(l, ERR_TOO_BIG, "token", "is longer than 4096 bytes");
    }
    log_hide(token);
}

/* ---- the parts of a generation --------------------------------------------------------------- */

/* A token file wins over a token: it is the one that is renewed. */
static void load_token(struct loading *l)
{
    const struct kubeconfig *found = &l->found;
    if (!str_is_empty(found->token_file)) {
        take_token(l, read_file(l, FILE_TOKEN, found->token_file));
    } else if (!str_is_empty(found->token)) {
        take_token(l, found->token);
    }
}

static void load_trust(struct loading *l)
{
    const struct kubeconfig *found = &l->found;
    if (!found->is_tls || found->skip_verify || l->err != ERR_OK) {
        return;
    }
    str pem = found->ca_pem;
    bool has_file = !str_is_empty(found->ca_file);
    l->to->has_own_ca = has_file || !str_is_empty(pem);
    if (str_is_empty(pem)) {
        pem = read_file(l, FILE_CA, has_file ? found->ca_file : S(SYSTEM_BUNDLE));
    }
    if (l->err == ERR_OK &&
        x509_anchors_load(&l->to->trust.anchors, pem, &l->trust_room) != ERR_OK) {
        fail(l, ERR_BAD_INPUT, "certificate authority",
             "holds no certificate that can be used (PEM, RSA up to 4096 bits or EC)");
    }
}

static void load_identity(struct loading *l)
{
    const struct kubeconfig *found = &l->found;
    str cert = found->cert_pem;
    str key = found->key_pem;
    const char *why = "";
    if (!str_is_empty(found->cert_file)) {
        cert = read_file(l, FILE_CERT, found->cert_file);
    }
    if (!str_is_empty(found->key_file)) {
        key = read_file(l, FILE_KEY, found->key_file);
    }
    if (str_is_empty(cert) || l->err != ERR_OK) {
        return;
    }
    enum err err = tls_identity_load(&l->to->identity, cert, key, &l->identity_room, &why);
    if (err != ERR_OK) {
        fail(l, err, "client certificate", why);
    }
    l->to->has_identity = err == ERR_OK;
}

/* ---- where all that is found ----------------------------------------------------------------- */

static str directory_of(str path)
{
    size_t end = path.bytes;
    while (end > 0 && path.ptr[end - 1] != '/') {
        end--;
    }
    return end > 1 ? str_sub(path, 0, end - 1) : str_sub(path, 0, end);
}

/* YAML (or JSON, which is YAML) to JSON to a document. */
static json parse_kubeconfig(struct loading *l, str text)
{
    struct yaml_fault fault = {0};
    struct buf out;
    json root = JSON_NONE;
    size_t room;
    char *rest = arena_rest(l->arena, &room);
    buf_init(&out, rest, room);
    enum err err = l->err == ERR_OK ? yaml_to_json(text, 0, &out, NULL, &fault) : l->err;
    if (err == ERR_OK) {
        arena_keep(l->arena, out.bytes);
        err = json_parse(buf_str(&out), l->arena, &root, NULL);
    }
    if (err != ERR_OK) {
        char where[224] = "";
        (void)snprintf(where, sizeof where, "line %u: %s", fault.line, fault.what);
        fail(l, err == ERR_END ? ERR_BAD_INPUT : err, "not YAML",
             fault.line > 0 ? where : err_text(err));
    }
    return root;
}

static void find_in_kubeconfig(struct loading *l)
{
    struct kube_auth_files *files = l->auth->files;
    str path = str_of(files->kubeconfig);
    str text = read_file(l, FILE_KUBECONFIG, path);
    if (l->err != ERR_OK) {
        return;
    }
    buf_put_fmt(&l->why, "kubeconfig %s: ", files->kubeconfig);
    json root = parse_kubeconfig(l, text);
    if (l->err == ERR_OK) {
        l->err = kubeconfig_read(root, str_of(files->context), directory_of(path), l->arena,
                                 &l->found, &l->why);
    }
}

/* The service account of the pod we run in (client-go rest.InClusterConfig). */
static void find_in_cluster(struct loading *l)
{
    const struct kube_auth_files *files = l->auth->files;
    if (files->service_host[0] == '\0' || files->service_port == 0) {
        fail(l, ERR_NOT_FOUND,
             "no kubeconfig is configured, and this is no pod of a cluster "
             "(KUBERNETES_SERVICE_HOST and _PORT are not set)",
             "");
        return;
    }
    const char *dir = files->account_dir;
    l->found.is_tls = true;
    l->found.host = str_of(files->service_host);
    l->found.port = files->service_port;
    l->found.user = S("service account");
    l->found.ca_file = arena_fmt(l->arena, "%s/ca.crt", dir);
    l->found.token_file = arena_fmt(l->arena, "%s/token", dir);
}

/* ---- making a generation current ------------------------------------------------------------- */

static bool is_same_place(const struct kube_auth *auth, const struct loading *l)
{
    return auth->target.port == l->found.port &&
           str_eq(str_of(current(auth)->host), str_of(l->to->host));
}

static void set_target(struct kube_auth *auth, const struct loading *l)
{
    const struct kubeconfig *found = &l->found;
    struct http_target *target = &auth->target;
    bool has_name = !str_is_empty(found->tls_server_name);
    (void)str_copy(target->host, sizeof target->host,
                   has_name ? found->tls_server_name : found->host);
    target->port = found->port;
    target->is_tls = found->is_tls;
    target->skip_verify = found->skip_verify;
    target->trust = &l->to->trust;
    target->identity = l->to->has_identity ? &l->to->identity : NULL;
    target->resolve = &auth->resolve;
    (void)str_copy(auth->prefix, sizeof auth->prefix, found->prefix);
    bool is_v6 = str_find_char(found->host, ':') >= 0;
    (void)snprintf(auth->url, sizeof auth->url, "%s://%s%.*s%s:%u%s",
                   found->is_tls ? "https" : "http", is_v6 ? "[" : "", STR_ARG(found->host),
                   is_v6 ? "]" : "", found->port, auth->prefix);
}

/* The clients of kube/ share one resolver and look for its answer themselves. */
static void on_resolved(struct resolve *resolve, enum err err)
{
    (void)resolve;
    (void)err;
}

static void make_current(struct kube_auth *auth, struct loading *l)
{
    struct kube_auth_files *files = auth->files;
    bool is_moved = !is_same_place(auth, l);
    files->current = (uint32_t)(l->to - files->generations);
    files->loaded_at_ms = auth->loop->now_ms;
    set_target(auth, l);
    if (is_moved) {
        if (auth->resolve.loop != NULL) {
            resolve_close(&auth->resolve);
        }
        resolve_init(&auth->resolve, auth->loop, str_of(l->to->host), auth->target.port,
                     on_resolved, NULL);
    }
    if (!l->found.is_tls && l->to->token[0] != '\0') {
        log_line(LOG_WARN, "kube", "the token goes to %s unencrypted", auth->url);
    }
    auth->cert_ends_unix_s = l->to->has_identity ? l->to->identity.not_after_s : 0;
    auth->warned_at_unix_s = 0;
    auth->why[0] = '\0';
    for (uint32_t i = 0; i < auth->clients_count; i++) {
        http_client_refresh(auth->clients[i]);
    }
}

static void clear_generation(struct kube_auth *auth, struct loading *l)
{
    char *room = auth->files->rooms[l->to - auth->files->generations];
    if (l->to->has_identity) {
        tls_identity_wipe(&l->to->identity);
    }
    kube_wipe(l->to->token, sizeof l->to->token);
    *l->to =
        (struct generation){.trust = {.verifiers = &auth->files->verifiers, .wall_s = os_wall_s}};
    kube_wipe(room + TRUST_BYTES, IDENTITY_BYTES);
    arena_init(&l->trust_room, room, TRUST_BYTES);
    arena_init(&l->identity_room, room + TRUST_BYTES, IDENTITY_BYTES);
}

static void load_parts(struct loading *l)
{
    if (l->err != ERR_OK) {
        return;
    }
    if (!str_copy(l->to->host, sizeof l->to->host, l->found.host) ||
        l->found.prefix.bytes >= sizeof l->auth->prefix ||
        l->found.tls_server_name.bytes >= sizeof l->auth->target.host) {
        fail(l, ERR_TOO_BIG, "server", "is too long");
    }
    (void)str_copy(l->to->user, sizeof l->to->user, l->found.user);
    load_trust(l);
    load_identity(l);
    load_token(l);
    if (l->arena->has_failed) { /* some text above may be missing, and look as if not given */
        fail(l, ERR_FULL, "kubeconfig", "is too large for our memory");
    }
}

/* Everything anew into the generation that is not in use; why receives the complaint. */
static enum err load(struct kube_auth *auth, char why[static KUBE_AUTH_WHY_BYTES])
{
    struct kube_auth_files *files = auth->files;
    struct loading l = {
        .auth = auth, .arena = auth->arena, .to = &files->generations[1 - files->current]};
    size_t mark = arena_mark(auth->arena);
    buf_init(&l.why, why, KUBE_AUTH_WHY_BYTES);
    clear_generation(auth, &l);
    if (files->kubeconfig[0] != '\0') {
        find_in_kubeconfig(&l);
    } else {
        find_in_cluster(&l);
    }
    load_parts(&l);
    if (l.err == ERR_OK) {
        make_current(auth, &l);
        buf_clear(&l.why);
    } else if (l.why.is_full) {
        buf_clear(&l.why);
        buf_put_text(&l.why, err_text(l.err));
    }
    (void)buf_cstr(&l.why);
    kube_wipe(auth->arena->ptr + mark, auth->arena->used - mark);
    arena_rewind(auth->arena, mark);
    return l.err;
}

/* ---- the client certificate's end ------------------------------------------------------------ */

static void check_certificate(struct kube_auth *auth)
{
    int64_t now_s = os_wall_s();
    int64_t ends_s = auth->cert_ends_unix_s;
    if (ends_s == 0 || ends_s - now_s > KUBE_AUTH_WARN_S ||
        now_s - auth->warned_at_unix_s < WARN_EACH_S) {
        return;
    }
    char date[16];
    struct buf text;
    buf_init(&text, date, sizeof date);
    x509_put_date(&text, ends_s);
    auth->warned_at_unix_s = now_s;
    (void)snprintf(auth->why, sizeof auth->why,
                   "the client certificate of user \"%s\" %s on %s; renew it in %s",
                   current(auth)->user, ends_s <= now_s ? "expired" : "expires", buf_cstr(&text),
                   auth->files->kubeconfig);
    log_line(ends_s <= now_s ? LOG_ERROR : LOG_WARN, "kube", "%s", auth->why);
}

/* ---- looking again --------------------------------------------------------------------------- */

static bool has_changed(const struct kube_auth *auth)
{
    const struct generation *g = current(auth);
    for (int kind = 0; kind < FILE_COUNT; kind++) {
        const struct file *file = &g->files[kind];
        if (file->path[0] != '\0' && os_file_stamp(file->path) != file->stamp) {
            return true;
        }
    }
    return false;
}

/* A file that cannot be used is tried again at each look, and warned about when the reason is new.
 */
static bool load_again(struct kube_auth *auth)
{
    char why[KUBE_AUTH_WHY_BYTES];
    if (load(auth, why) == ERR_OK) {
        auth->reloads++;
        log_line(LOG_INFO, "kube", "credentials for %s were read again", auth->url);
        check_certificate(auth);
        return true;
    }
    if (strcmp(why, auth->why) != 0) {
        (void)str_copy(auth->why, sizeof auth->why, str_of(why));
        log_line(LOG_WARN, "kube", "%s; the old credentials stay in use", auth->why);
    }
    return false;
}

/* Files are read again at most once in LOADS_APART_MS; until then they are only kept in mind. */
bool kube_auth_reload(struct kube_auth *auth)
{
    msec now_ms = auth->loop->now_ms;
    msec next_ms = KUBE_AUTH_LOOK_MS;
    bool is_new = false;
    auth->looked_at_ms = now_ms;
    if (has_changed(auth)) {
        msec apart_ms = auth->files->loaded_at_ms + LOADS_APART_MS - now_ms;
        if (apart_ms > 0) {
            next_ms = apart_ms;
        } else {
            is_new = load_again(auth);
        }
    }
    loop_timer_set(auth->loop, &auth->look_timer, now_ms + next_ms);
    return is_new;
}

static void on_look(struct loop_timer *timer)
{
    struct kube_auth *auth = timer->owner;
    (void)kube_auth_reload(auth);
    check_certificate(auth);
}

/* A request may have been built before the last reload, and refused after it: then there is nothing
 * to look at, trying again is enough. */
bool kube_auth_refused(struct kube_auth *auth, uint64_t generation)
{
    auth->refusals++;
    if (generation == auth->reloads &&
        auth->loop->now_ms - auth->looked_at_ms >= KUBE_AUTH_AGAIN_MS) {
        (void)kube_auth_reload(auth);
    }
    return generation != auth->reloads;
}

uint64_t kube_auth_generation(const struct kube_auth *auth)
{
    return auth->reloads;
}

/* ---- start ----------------------------------------------------------------------------------- */

enum err kube_auth_load(struct kube_auth *auth, const struct kube_auth_config *config)
{
    struct kube_auth_files *files = auth->files;
    str account_dir = config->service_account_dir;
    auth->agent = config->agent;
    files->service_port = config->service_port;
    if (!str_copy(files->kubeconfig, sizeof files->kubeconfig, config->kubeconfig) ||
        !str_copy(files->context, sizeof files->context, config->context) ||
        !str_copy(files->service_host, sizeof files->service_host, config->service_host) ||
        !str_copy(files->account_dir, sizeof files->account_dir,
                  str_is_empty(account_dir) ? S(ACCOUNT_DIR) : account_dir)) {
        (void)str_copy(auth->why, sizeof auth->why, S("kubeconfig: path or context is too long"));
        return ERR_TOO_BIG;
    }
    enum err err = load(auth, auth->why);
    if (err == ERR_OK) {
        auth->looked_at_ms = auth->loop->now_ms;
        loop_timer_set(auth->loop, &auth->look_timer, auth->looked_at_ms + KUBE_AUTH_LOOK_MS);
        check_certificate(auth);
    }
    return err;
}

void kube_auth_init(struct kube_auth *auth, struct loop *loop, struct region *region,
                    struct arena *arena, uint32_t handshakes_max)
{
    *auth = (struct kube_auth){.loop = loop, .arena = arena};
    auth->files = region_carve(region, "kube credentials", 1, sizeof *auth->files);
    char *rooms = region_carve(region, "kube certificates", 2, TRUST_BYTES + IDENTITY_BYTES);
    struct pool verifiers;
    tls_verifiers_init(&verifiers, region, handshakes_max);
    loop_timer_init(&auth->look_timer, on_look, auth);
    if (auth->files != NULL) { /* not in the planning pass */
        *auth->files = (struct kube_auth_files){
            .verifiers = verifiers, .rooms = {rooms, rooms + TRUST_BYTES + IDENTITY_BYTES}};
    }
}

void kube_auth_attach(struct kube_auth *auth, struct http_client *client)
{
    CHECK(auth->clients_count < KUBE_CLIENTS_MAX);
    auth->clients[auth->clients_count++] = client;
}

/* ---- what requests need ---------------------------------------------------------------------- */

static void put_line(struct buf *out, const char *name, str value)
{
    buf_put_text(out, name);
    buf_put(out, value);
    buf_put_text(out, "\r\n");
}

void kube_auth_put_headers(const struct kube_auth *auth, struct buf *out, str accept,
                           str content_type)
{
    const char *token = current(auth)->token;
    put_line(out, "User-Agent: ", auth->agent);
    put_line(out, "Accept: ", str_is_empty(accept) ? S("application/json") : accept);
    if (!str_is_empty(content_type)) {
        put_line(out, "Content-Type: ", content_type);
    }
    if (token[0] != '\0') {
        put_line(out, "Authorization: Bearer ", str_of(token));
    }
}
