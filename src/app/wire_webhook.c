/* see wire_webhook.h */
#include "app/wire.h"

#include <stdio.h>

#include "admit/webhook.h"
#include "base/backoff.h"
#include "base/check.h"
#include "net/x509_write.h"
#include "os/os.h"
#include "os/sock.h"

#define PARTIAL "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
#define REPLY_BYTES (64 * 1024)

/* ---- questions ------------------------------------------------------------------------------- */

static bool is_system(str name_space)
{
    return str_eq(name_space, S("kube-system")) || str_eq(name_space, S("kube-public")) ||
           str_eq(name_space, S("kube-node-lease"));
}

/* The patch for one pod. A pod that cannot be judged is left as it is. */
static void judge(struct wire *wire, const struct webhook_review *review, str selector,
                  struct buf *patch, struct mutate_outcome *outcome)
{
    struct mutate_input in = {.pod = review->pod,
                              .profile = wire->profile.current,
                              .node = &wire->profile.node,
                              .selector = selector};
    /* Labels that are not known yet count as none: the path names the selector that matched. */
    enum err err = profile_wire_labels(wire, review->name_space, &in.namespace_labels);
    if (err == ERR_OK || err == ERR_BUSY) {
        err = mutate_pod(&in, wire->arena, patch, outcome);
    }
    if (err != ERR_OK) {
        buf_clear(patch);
        *outcome = (struct mutate_outcome){
            .warnings = {S("the pod cannot be judged by the virtual node's webhook; it is left as "
                           "it is")},
            .warnings_count = 1};
        wire->webhook.refused++;
    }
}

static void answer(struct wire *wire, struct http_exchange *exchange,
                   const struct webhook_review *review, str selector)
{
    struct mutate_outcome outcome = {.ops = 0};
    struct buf patch, out;
    char *patch_memory = arena_take(wire->arena, MUTATE_PATCH_BYTES);
    char *out_memory = arena_take(wire->arena, WEBHOOK_ANSWER_BYTES);
    if (patch_memory == NULL || out_memory == NULL) {
        http_reply(exchange, 503, S("text/plain"), S("no memory\n"));
        return;
    }
    buf_init(&patch, patch_memory, MUTATE_PATCH_BYTES);
    buf_init(&out, out_memory, WEBHOOK_ANSWER_BYTES);
    if (review->is_pod_create && !is_system(review->name_space)) {
        judge(wire, review, selector, &patch, &outcome);
    }
    wire->webhook.patched += outcome.ops > 0;
    webhook_put_answer(review, buf_str(&patch), outcome.warnings, outcome.warnings_count, &out);
    if (!buf_ok(&out)) {
        buf_clear(&out);
        webhook_put_answer(review, STR_NONE, NULL, 0, &out);
    }
    http_reply(exchange, 200, S("application/json"), buf_str(&out));
}

static void on_question(struct wire *wire, struct http_exchange *exchange, str selector)
{
    struct webhook_review review;
    size_t mark = arena_mark(wire->arena);
    wire->webhook.questions++;
    enum err err = webhook_read(exchange->body, wire->arena, &review);
    if (err == ERR_OK) {
        answer(wire, exchange, &review, selector);
    } else {
        http_reply(exchange, err == ERR_FULL ? 503 : 400, S("text/plain"),
                   S("not an AdmissionReview that can be read here\n"));
    }
    arena_rewind(wire->arena, mark);
}

static void on_request(struct http_exchange *exchange)
{
    struct wire *wire = exchange->owner;
    str selector;
    if (str_eq(exchange->path, S("/healthz"))) {
        http_reply(exchange, 200, S("text/plain"), S("ok\n"));
    } else if (!webhook_selector_of(wire->profile.current, exchange->path, &selector)) {
        http_reply(exchange, 404, S("text/plain"), S("not found\n"));
    } else if (!str_eq(exchange->method, S("POST"))) {
        http_reply(exchange, 405, S("text/plain"), S("POST an AdmissionReview\n"));
    } else {
        on_question(wire, exchange, selector);
    }
}

static void on_other(struct http_exchange *exchange)
{
    (void)exchange; /* replies are whole, and nothing hangs on an exchange */
}

static const struct http_server_handlers handlers = {
    .on_request = on_request, .on_room = on_other, .on_data = on_other, .on_gone = on_other};

/* ---- the certificate ------------------------------------------------------------------------- */

static const struct tls_identity *identity(void *owner)
{
    const struct wire *wire = owner;
    const struct webhook_files *files = &wire->webhook.files[wire->webhook.files_at];
    return files->is_loaded ? &files->identity : NULL;
}

static const char *path_of(struct wire *wire, const char *name, char out[static 600])
{
    (void)snprintf(out, 600, "%s/%s", wire->config->webhook_cert_dir.ptr, name);
    return out;
}

static uint64_t stamp_of(struct wire *wire)
{
    char path[600];
    uint64_t stamp = os_file_stamp(path_of(wire, "tls.crt", path));
    stamp = stamp * 31 + os_file_stamp(path_of(wire, "tls.key", path));
    return stamp * 31 + os_file_stamp(path_of(wire, "ca.crt", path));
}

/* Into the event's arena, which is rewound by the caller. */
static enum err read_file(struct wire *wire, const char *name, str *out)
{
    char path[600];
    struct buf text;
    char *memory = arena_take(wire->arena, WEBHOOK_FILES_BYTES / 2);
    if (memory == NULL) {
        return ERR_FULL;
    }
    buf_init(&text, memory, WEBHOOK_FILES_BYTES / 2);
    enum err err = os_file_read(path_of(wire, name, path), &text);
    if (err != ERR_OK) {
        log_line(LOG_WARN, "webhook", "%s: cannot be read: %s", path,
                 err == ERR_TOO_BIG ? err_text(err) : os_errno_text());
    }
    *out = buf_str(&text);
    return err;
}

static enum err load_files(struct wire *wire, struct webhook_files *files)
{
    str chain, key, authority;
    const char *why = "";
    arena_clear(&files->arena);
    files->is_loaded = false;
    if (read_file(wire, "tls.crt", &chain) != ERR_OK ||
        read_file(wire, "tls.key", &key) != ERR_OK ||
        read_file(wire, "ca.crt", &authority) != ERR_OK) {
        return ERR_NOT_FOUND;
    }
    enum err err = tls_identity_load(&files->identity, chain, key, &files->arena, &why);
    files->ca_pem = arena_copy(&files->arena, authority);
    if (err == ERR_OK && files->arena.has_failed) {
        err = ERR_FULL;
        why = "too large";
    }
    if (err != ERR_OK) {
        log_line(LOG_WARN, "webhook", "%s: tls.crt and tls.key cannot be used: %s",
                 wire->config->webhook_cert_dir.ptr, why);
    }
    files->is_loaded = err == ERR_OK;
    return err;
}

static bool has_files(struct wire *wire)
{
    char path[600];
    return os_file_stamp(path_of(wire, "tls.crt", path)) != 0;
}

/* The host of our address as API servers will check it; in Service mode the Service's name. */
static str host_of(const struct wire_webhook *own)
{
    str rest = str_of(own->url), host;
    if (str_is_empty(rest)) {
        return S(WEBHOOK_SERVICE ".kube-system.svc");
    }
    rest = str_sub(rest, sizeof "https://" - 1, rest.bytes);
    if (str_starts(rest, S("["))) {
        rest = str_sub(rest, 1, rest.bytes);
        return str_cut(&rest, ']', &host) ? host : rest;
    }
    return str_cut(&rest, ':', &host) ? host : rest;
}

/* Without files: one of our own, which is its own authority. */
static enum err make_own(struct wire *wire, struct webhook_files *files)
{
    uint8_t seed[X509_WRITE_SEED_BYTES];
    struct sock_addr address;
    str host = host_of(&wire->webhook);
    bool is_address = sock_addr_parse(host, 0, &address);
    int64_t now_s = os_wall_ms() / 1000;
    const struct x509_wish wish = {.common_name = S(WEBHOOK_NAME),
                                   .dns_name = is_address ? STR_NONE : host,
                                   .address = is_address ? host : STR_NONE,
                                   .not_before_s = now_s - 3600,
                                   .not_after_s = now_s + WEBHOOK_OWN_LIFE_S};
    struct buf pem;
    arena_clear(&files->arena);
    files->is_loaded = false;
    os_random(seed, sizeof seed);
    enum err err = x509_write_identity(&wish, seed, &files->arena, &files->identity);
    explicit_bzero(seed, sizeof seed);
    char *memory = arena_take(&files->arena, WEBHOOK_OWN_PEM_BYTES);
    if (err != ERR_OK || memory == NULL) {
        log_line(LOG_WARN, "webhook", "no certificate could be made for %.*s", STR_ARG(host));
        return err == ERR_OK ? ERR_FULL : err;
    }
    buf_init(&pem, memory, WEBHOOK_OWN_PEM_BYTES);
    x509_put_pem(&files->identity, &pem);
    files->ca_pem = buf_str(&pem);
    files->is_loaded = true;
    return ERR_OK;
}

static bool is_own_due(const struct wire_webhook *own)
{
    const struct webhook_files *files = &own->files[own->files_at];
    int64_t ends_s = files->identity.not_after_s;
    return !files->is_loaded || os_wall_ms() / 1000 > ends_s - WEBHOOK_OWN_LIFE_S / 3;
}

/* Files that changed are taken over when they are good; a handshake under way keeps the old ones.
 */
static void look_at_files(struct wire *wire)
{
    struct wire_webhook *own = &wire->webhook;
    bool is_own = !has_files(wire);
    uint64_t stamp = is_own ? 1 : stamp_of(wire);
    if (stamp == own->files_stamp && !(is_own && is_own_due(own))) {
        return;
    }
    size_t mark = arena_mark(wire->arena);
    uint32_t next = 1 - own->files_at;
    http_server_refresh(&own->server); /* nobody shakes hands with what is replaced now */
    enum err err = is_own ? make_own(wire, &own->files[next]) : load_files(wire, &own->files[next]);
    if (err == ERR_OK) {
        own->files_at = next;
        own->files_stamp = stamp;
        own->must_register = true;
        log_line(LOG_INFO, "webhook", "certificate of %s taken over",
                 own->files[next].identity.name);
    }
    arena_rewind(wire->arena, mark);
}

/* ---- registration ---------------------------------------------------------------------------- */

enum step { STEP_VERSION, STEP_LOOK, STEP_CREATE, STEP_CHANGE };

static void look_at(struct wire *wire, msec in_ms)
{
    loop_timer_set(wire->loop, &wire->webhook.timer, wire_now_ms(wire) + in_ms);
}

static void failed(struct wire *wire, const struct kube_reply *reply)
{
    struct wire_webhook *own = &wire->webhook;
    log_line(LOG_WARN, "webhook",
             "MutatingWebhookConfiguration " WEBHOOK_NAME " is not in step: %.*s",
             STR_ARG(reply->why));
    own->failures++;
    look_at(wire, backoff_ms(own->failures, WEBHOOK_RETRY_MS, WEBHOOK_RETRY_CAP_MS, &wire->prng));
}

static void done(struct wire *wire)
{
    struct wire_webhook *own = &wire->webhook;
    own->must_register = false;
    own->failures = 0;
    look_at(wire, WEBHOOK_LOOK_MS);
}

static enum kube_kind kind_of(const struct wire *wire)
{
    return wire->webhook.is_v1 ? KUBE_WEBHOOK : KUBE_WEBHOOK_BETA;
}

static void on_reply(void *owner, const struct kube_reply *reply);

static void send(struct wire *wire, enum step step, str body)
{
    static const enum kube_verb verbs[] = {[STEP_VERSION] = KUBE_GET,
                                           [STEP_LOOK] = KUBE_GET,
                                           [STEP_CREATE] = KUBE_CREATE,
                                           [STEP_CHANGE] = KUBE_MERGE_PATCH};
    char memory[300];
    struct buf path;
    buf_init(&path, memory, sizeof memory);
    if (step == STEP_VERSION) {
        buf_put_text(&path, "/apis/admissionregistration.k8s.io");
    } else {
        kube_put_path(&path, kind_of(wire), STR_NONE,
                      step == STEP_CREATE ? STR_NONE : S(WEBHOOK_NAME), STR_NONE);
    }
    const struct kube_request request = {
        .verb = verbs[step],
        .rank = KUBE_RANK_NORMAL,
        .path = buf_str(&path),
        .body = body,
        .reply_bytes = step == STEP_VERSION || step == STEP_LOOK ? REPLY_BYTES : 0,
        .accept = step == STEP_LOOK ? S(PARTIAL) : STR_NONE,
        .on_done = on_reply,
        .owner = wire,
        .op = step,
    };
    wire->webhook.is_busy = kube_call_send(&wire->calls, &request, NULL) == ERR_OK;
    if (!wire->webhook.is_busy) {
        look_at(wire, WEBHOOK_RETRY_MS);
    }
}

/* What the configuration has to say now, and its hash. */
static bool put_config(struct wire *wire, struct buf *out)
{
    const struct wire_webhook *own = &wire->webhook;
    const struct webhook_place place = {
        .url = str_of(own->url), .ca_pem = own->files[own->files_at].ca_pem, .is_v1 = own->is_v1};
    char *memory = arena_take(wire->arena, WEBHOOK_CONFIG_BYTES);
    if (memory == NULL) {
        return false;
    }
    buf_init(out, memory, WEBHOOK_CONFIG_BYTES);
    webhook_config_put(wire->profile.current, &place, out, &wire->webhook.left_out);
    return buf_ok(out);
}

static str hash_in(struct wire *wire, str object)
{
    json root;
    if (json_parse(object, wire->arena, &root, NULL) != ERR_OK) {
        return STR_NONE;
    }
    json annotations = json_get(json_get(root, "metadata"), "annotations");
    return json_text(json_get(annotations, WEBHOOK_HASH_ANNOTATION), wire->arena);
}

static void tell_registered(struct wire *wire)
{
    const struct wire_webhook *own = &wire->webhook;
    log_line(LOG_INFO, "webhook",
             "MutatingWebhookConfiguration " WEBHOOK_NAME " is in step with the profile, at %s",
             own->url[0] != '\0' ? own->url : "the Service " WEBHOOK_SERVICE);
    if (own->left_out > 0) {
        brain_warn(&wire->brain, "WebhookOldServer",
                   "Kubernetes before 1.16 has no objectSelector: selectors of pod labels are not "
                   "shown in vk-webhook; its last webhook, which sees all pods, serves them");
    }
}

/* The configuration was looked at: is it what it has to be? */
static void compare(struct wire *wire, const struct kube_reply *reply)
{
    struct buf body;
    size_t mark = arena_mark(wire->arena);
    bool is_there = reply->err == ERR_OK;
    if (!put_config(wire, &body)) {
        log_line(LOG_WARN, "webhook", "the configuration does not fit: too many selectors");
        done(wire);
    } else if (!is_there) {
        send(wire, STEP_CREATE, buf_str(&body));
    } else if (str_eq(hash_in(wire, reply->body), hash_in(wire, buf_str(&body)))) {
        done(wire);
    } else {
        send(wire, STEP_CHANGE, buf_str(&body));
    }
    arena_rewind(wire->arena, mark);
}

static void on_version(struct wire *wire, const struct kube_reply *reply)
{
    json root = JSON_NONE;
    size_t mark = arena_mark(wire->arena);
    if (json_parse(reply->body, wire->arena, &root, NULL) == ERR_OK) {
        json list = json_get(root, "versions");
        for (json x = json_first(list); json_is_there(x); x = json_next(x)) {
            wire->webhook.is_v1 = wire->webhook.is_v1 || json_text_is(json_get(x, "version"), "v1");
        }
        wire->webhook.is_v1_known = json_count(list) > 0;
    }
    arena_rewind(wire->arena, mark);
    look_at(wire, wire->webhook.is_v1_known ? 0 : WEBHOOK_RETRY_MS);
}

static void on_reply(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    wire->webhook.is_busy = false;
    if (wire->is_stopping) {
        return;
    }
    bool is_absent = reply->err == ERR_NOT_FOUND && reply->op == STEP_LOOK &&
                     kube_is_absent(reply, kind_of(wire), S(WEBHOOK_NAME));
    if (reply->op == STEP_CREATE && reply->err == ERR_CONFLICT) {
        look_at(wire, 0); /* the other gateway was faster */
    } else if (reply->err != ERR_OK && !is_absent) {
        failed(wire, reply);
    } else if (reply->op == STEP_VERSION) {
        on_version(wire, reply);
    } else if (reply->op == STEP_LOOK) {
        compare(wire, reply);
    } else {
        tell_registered(wire);
        done(wire);
    }
}

void webhook_wire_turn(struct wire *wire)
{
    struct wire_webhook *own = &wire->webhook;
    if (!own->is_serving || own->is_busy || wire->is_stopping || !wire->profile.is_known) {
        return;
    }
    if (own->changes != wire->profile.changes) {
        own->changes = wire->profile.changes;
        own->must_register = true;
        own->failures = 0;
        loop_timer_clear(wire->loop, &own->timer);
    }
    if (due_is_set(&own->timer.due)) {
        return; /* not yet */
    }
    look_at_files(wire);
    if (!own->files[own->files_at].is_loaded) {
        if (own->failures++ == 0) {
            log_line(LOG_WARN, "webhook",
                     "no usable tls.crt, tls.key and ca.crt in %s "
                     "(WEBHOOK_CERT_DIR): no pod is looked at",
                     wire->config->webhook_cert_dir.ptr);
        }
        look_at(wire, WEBHOOK_RETRY_CAP_MS);
        return;
    }
    if (!leader_may_act(wire)) { /* the leading gateway registers its own address */
        look_at(wire, WEBHOOK_RETRY_MS);
        return;
    }
    send(wire, own->is_v1_known ? STEP_LOOK : STEP_VERSION, STR_NONE);
}

/* ---- start and stop -------------------------------------------------------------------------- */

static void on_time(struct loop_timer *timer)
{
    (void)timer; /* not set any more: webhook_wire_turn() looks */
}

static void find_url(struct wire *wire)
{
    const struct config *config = wire->config;
    struct wire_webhook *own = &wire->webhook;
    bool is_inside = str_is_empty(config->kubeconfig);
    bool is_v6 = str_find_char(str_of(wire->address), ':') >= 0;
    if (!str_is_empty(config->webhook_url)) {
        (void)snprintf(own->url, sizeof own->url, "%s", config->webhook_url.ptr);
    } else if (!is_inside) {
        (void)snprintf(own->url, sizeof own->url, is_v6 ? "https://[%s]:%u" : "https://%s:%u",
                       wire->address, config->webhook_port);
    }
}

void webhook_wire_init(struct wire *wire, struct region *region)
{
    struct wire_webhook *own = &wire->webhook;
    if (!wire->config->webhook) {
        return;
    }
    char *memory = region_carve(region, "webhook certificate, old and new", 2, WEBHOOK_FILES_BYTES);
    for (uint32_t i = 0; i < 2; i++) {
        arena_init(&own->files[i].arena, memory != NULL ? memory + i * WEBHOOK_FILES_BYTES : NULL,
                   memory != NULL ? WEBHOOK_FILES_BYTES : 0);
    }
    struct http_server_config config = {
        .name = "webhook",
        .identity = identity,
        .conns_max = WEBHOOK_CONNS,
        .conns_per_peer_max = WEBHOOK_CONNS,
        .body_bytes_max = WEBHOOK_BODY_BYTES,
        .bodies_max = WEBHOOK_BODIES,
        .handlers = &handlers,
        .owner = wire,
    };
    bool is_address =
        sock_addr_parse(S("0.0.0.0"), (uint16_t)wire->config->webhook_port, &config.address);
    CHECK(is_address);
    http_server_init(&own->server, wire->loop, region, &config);
    loop_timer_init(&own->timer, on_time, wire);
}

void webhook_wire_start(struct wire *wire)
{
    struct wire_webhook *own = &wire->webhook;
    if (!wire->config->webhook) {
        return;
    }
    find_url(wire);
    enum err err = http_server_start(&own->server, NULL);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "webhook", "port %u (WEBHOOK_PORT) cannot be listened on: %s",
                 wire->config->webhook_port, os_errno_text());
        return;
    }
    own->is_serving = true;
}

void webhook_wire_stop(struct wire *wire)
{
    if (wire->webhook.is_serving) {
        http_server_stop(&wire->webhook.server);
        loop_timer_clear(wire->loop, &wire->webhook.timer);
        wire->webhook.is_serving = false;
    }
}
