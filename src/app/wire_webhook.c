/* see wire_webhook.h */
#include "app/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admit/webhook.h"
#include "app/ports.h"
#include "os/os.h"
#include "os/sock.h"

static_assert(WEBHOOK_CONFIG_BYTES + WEBHOOK_REGISTER_REPLY_BYTES + 8192 <= WIRE_LARGE_CALL_BYTES,
              "the largest registration can be sent");

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
    /* While labels are not known, only the selector counts that the path names. */
    enum err err = profile_wire_labels(wire, review->name_space, &in.namespace_labels);
    in.is_namespace_unknown = err == ERR_BUSY || err == ERR_NOT_FOUND;
    if (err == ERR_OK || in.is_namespace_unknown) {
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
    /* Before the profile has been read, what stands in its place may say something else. */
    if (review->is_pod_create && !is_system(review->name_space) && wire->profile.is_known) {
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

/* ---- what certificate and registration ask --------------------------------------------------- */

static const struct tls_identity *identity(void *owner)
{
    const struct wire *wire = owner;
    return webhook_certs_identity(&wire->webhook.certs);
}

/* Without election every gateway may: conditions on what is written keep them apart. */
static bool may_write(void *owner)
{
    const struct wire *wire = owner;
    return !wire->is_stopping && leader_may_act(wire);
}

static void on_prepare(void *owner)
{
    struct wire *wire = owner;
    http_server_refresh(&wire->webhook.server);
}

static void on_change(void *owner)
{
    struct wire *wire = owner;
    webhook_register_changed(&wire->webhook.registration);
}

static void warn(void *owner, const char *reason, const char *message)
{
    struct wire *wire = owner;
    if (!leader_may_act(wire)) { /* its event waits until this gateway leads */
        log_line(LOG_WARN, "webhook", "%s", message);
    }
    brain_warn(&wire->brain, reason, message);
}

static const struct profile *profile(void *owner)
{
    const struct wire *wire = owner;
    return wire->profile.is_known ? wire->profile.current : NULL;
}

static str authority(void *owner, struct arena *arena)
{
    const struct wire *wire = owner;
    return webhook_certs_authority(&wire->webhook.certs, arena);
}

static bool wants_sight(void *owner)
{
    const struct wire *wire = owner;
    return webhook_certs_waits(&wire->webhook.certs);
}

static void on_seen(void *owner, str fingerprint)
{
    struct wire *wire = owner;
    webhook_certs_seen(&wire->webhook.certs, fingerprint);
}

void webhook_wire_turn(struct wire *wire)
{
    struct wire_webhook *own = &wire->webhook;
    bool writes = own->is_serving && may_write(wire);
    if (own->is_serving && own->changes != wire->profile.changes) {
        own->changes = wire->profile.changes;
        webhook_register_changed(&own->registration);
    }
    if (writes && !own->writes) { /* the certificate may not name this gateway yet */
        webhook_register_leads(&own->registration);
        webhook_certs_look(&own->certs);
    }
    own->writes = writes;
}

/* ---- start and stop -------------------------------------------------------------------------- */

static void put_url(const struct wire *wire, char out[static WEBHOOK_REGISTER_URL_BYTES])
{
    const struct config *config = wire->config;
    bool is_inside = str_is_empty(config->kubeconfig);
    bool is_v6 = str_find_char(str_of(wire->address), ':') >= 0;
    out[0] = '\0';
    if (!str_is_empty(config->webhook_url)) {
        (void)str_copy(out, WEBHOOK_REGISTER_URL_BYTES, config->webhook_url);
    } else if (!is_inside) {
        (void)snprintf(out, WEBHOOK_REGISTER_URL_BYTES, is_v6 ? "https://[%s]:%u" : "https://%s:%u",
                       wire->address, config->webhook_port);
    }
}

/* The host of our address as API servers will check it; in Service mode the Service's name. */
static str host_of(str url)
{
    str host = url;
    if (str_is_empty(url)) {
        return S(WEBHOOK_SERVICE "." WEBHOOK_SERVICE_NAMESPACE ".svc");
    }
    str rest = str_sub(url, sizeof "https://" - 1, url.bytes);
    if (str_starts(rest, S("["))) {
        rest = str_sub(rest, 1, rest.bytes);
        return str_cut(&rest, ']', &host) ? host : rest;
    }
    (void)str_cut(&rest, '/', &host);
    return str_cut(&host, ':', &rest) ? rest : host;
}

static void init_parts(struct wire *wire, struct region *region)
{
    const struct webhook_certs_config certs = {
        .loop = wire->loop,
        .calls = &wire->calls,
        .arena = wire->arena,
        .folder = wire->config->webhook_cert_dir.ptr,
        .may_write = may_write,
        .on_prepare = on_prepare,
        .on_change = on_change,
        .warn = warn,
        .owner = wire,
        .seed = prng_u64(&wire->prng),
    };
    webhook_certs_init(&wire->webhook.certs, region, &certs);
    const struct webhook_register_config registration = {
        .loop = wire->loop,
        .calls = &wire->calls,
        .arena = wire->arena,
        .node = wire->config->node_name,
        .profile = profile,
        .authority = authority,
        .may_write = may_write,
        .is_elected = wire->config->leader_elect,
        .wants_sight = wants_sight,
        .on_seen = on_seen,
        .warn = warn,
        .owner = wire,
        .seed = prng_u64(&wire->prng),
    };
    webhook_register_init(&wire->webhook.registration, &registration);
}

void webhook_wire_init(struct wire *wire, struct region *region)
{
    struct wire_webhook *own = &wire->webhook;
    if (!wire->config->webhook) {
        return;
    }
    const struct http_server_config config = {
        .name = "webhook",
        .address = {.port = (uint16_t)wire->config->webhook_port},
        .identity = identity,
        .conns_max = WEBHOOK_CONNS,
        .conns_per_peer_max = WEBHOOK_CONNS,
        .body_bytes_max = WEBHOOK_BODY_BYTES,
        .bodies_max = WEBHOOK_BODIES,
        .handlers = &handlers,
        .owner = wire,
    };
    http_server_init(&own->server, wire->loop, region, &config);
    init_parts(wire, region);
}

void webhook_wire_start(struct wire *wire)
{
    struct wire_webhook *own = &wire->webhook;
    char url[WEBHOOK_REGISTER_URL_BYTES];
    if (!wire->config->webhook) {
        return;
    }
    put_url(wire, url);
    own->server.config.address.family = ports_webhook_family(wire->config, wire->address);
    enum err err = http_server_start(&own->server, NULL);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "webhook", "port %u (WEBHOOK_PORT) cannot be listened on: %s",
                 wire->config->webhook_port, strerror(errno));
        return;
    }
    webhook_certs_start(&own->certs, host_of(str_of(url)));
    webhook_register_start(&own->registration, str_of(url));
    own->is_serving = true;
}

void webhook_wire_stop(struct wire *wire)
{
    if (wire->webhook.is_serving) {
        http_server_stop(&wire->webhook.server);
        webhook_register_stop(&wire->webhook.registration);
        webhook_certs_stop(&wire->webhook.certs);
        wire->webhook.is_serving = false;
    }
}
