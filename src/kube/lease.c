/*
 * see lease.h
 *
 * One request at a time. What is known of the lease (its version, or nothing) says which: read,
 * make or renew. How it ended is handled by after_read(), after_make() and after_renew(); each ends
 * in succeed(), in a next step at once, or in a wait.
 */
#include "kube/lease.h"

#include "base/backoff.h"
#include "base/check.h"
#include "base/codec.h"
#include "os/log.h"
#include "os/os.h"

#define NODE_LEASES S("kube-node-lease")
#define STEPS_MAX 4 /* requests without a wait between: read, make, read, renew */

static void on_done(struct http_call *call, enum err err);

/* ---- requests -------------------------------------------------------------------------------- */

static void put_owner(struct kube_lease *lease, struct json_write *w)
{
    if (lease->node_uid[0] == '\0') {
        return;
    }
    json_member_array(w, "ownerReferences");
    json_object(w);
    json_member_text(w, "apiVersion", S("v1"));
    json_member_text(w, "kind", S("Node"));
    json_member_text(w, "name", lease->config.name);
    json_member_text(w, "uid", str_of(lease->node_uid));
    json_end(w);
    json_end(w);
}

/* spec of a new lease, and of each renewal. */
static void put_spec(struct kube_lease *lease, struct json_write *w)
{
    char text[40];
    struct buf time;
    buf_init(&time, text, sizeof text);
    codec_put_micro_time(&time, os_wall_ms());
    lease->written[lease->written_count++ % KUBE_LEASE_WRITTEN_MAX] = str_hash(buf_str(&time));
    json_member_object(w, "spec");
    json_member_text(w, "holderIdentity", lease->config.holder);
    json_member_i64(w, "leaseDurationSeconds", lease->config.duration_s);
    json_member_text(w, "renewTime", buf_str(&time));
    json_end(w);
}

static void put_new(struct kube_lease *lease, struct json_write *w)
{
    json_object(w);
    json_member_text(w, "apiVersion", str_of(kube_kind_row(lease->kind)->api_version));
    json_member_text(w, "kind", S("Lease"));
    json_member_object(w, "metadata");
    json_member_text(w, "name", lease->config.name);
    json_member_text(w, "namespace", lease->config.name_space);
    put_owner(lease, w);
    json_end(w);
    put_spec(lease, w);
    json_end(w);
}

/* The version makes it conditional: whoever else wrote in between, wins (409). */
static void put_renewal(struct kube_lease *lease, struct json_write *w)
{
    json_object(w);
    json_member_object(w, "metadata");
    json_member_text(w, "resourceVersion", str_of(lease->version));
    if (!lease->has_owner) {
        put_owner(lease, w);
    }
    json_end(w);
    put_spec(lease, w);
    json_end(w);
}

/* Nobody holds it any more. */
static void put_release(struct kube_lease *lease, struct json_write *w)
{
    json_object(w);
    json_member_object(w, "metadata");
    json_member_text(w, "resourceVersion", str_of(lease->version));
    json_end(w);
    json_member_object(w, "spec");
    json_key_put(w, S("holderIdentity"));
    json_put_null(w);
    json_end(w);
    json_end(w);
}

static const struct step_row {
    const char *method;
    const char *content_type;
    void (*put_body)(struct kube_lease *lease, struct json_write *w);
    bool is_named; /* the path ends in the lease's name */
} step_rows[] = {
    [KUBE_LEASE_READ] = {"GET", "", NULL, true},
    [KUBE_LEASE_MAKE] = {"POST", "application/json", put_new, false},
    [KUBE_LEASE_RENEW] = {"PATCH", "application/merge-patch+json", put_renewal, true},
    [KUBE_LEASE_RELEASE] = {"PATCH", "application/merge-patch+json", put_release, true},
};

static void on_body(struct http_call *call, str bytes)
{
    struct kube_lease *lease = call->owner;
    buf_put(&lease->reply, bytes);
}

static void send_step(struct kube_lease *lease)
{
    const struct step_row *row = &step_rows[lease->step];
    struct buf *request = &lease->request;
    struct json_write w;
    buf_clear(request);
    buf_clear(&lease->reply);
    buf_put_text(request, lease->auth->prefix);
    kube_put_path(request, lease->kind, lease->config.name_space,
                  row->is_named ? lease->config.name : STR_NONE, STR_NONE);
    size_t path_bytes = request->bytes;
    kube_auth_put_headers(lease->auth, request, STR_NONE, str_of(row->content_type));
    size_t head_bytes = request->bytes;
    if (row->put_body != NULL) {
        json_write_init(&w, request);
        row->put_body(lease, &w);
    }
    CHECK(buf_ok(request));
    lease->generation = kube_auth_generation(lease->auth);
    lease->is_busy = true;
    lease->call = (struct http_call){
        .method = row->method,
        .path = str_sub(buf_str(request), 0, path_bytes),
        .headers = str_sub(buf_str(request), path_bytes, head_bytes - path_bytes),
        .body = str_sub(buf_str(request), head_bytes, request->bytes),
        .deadline_ms = lease->config.deadline_ms,
        .on_body = on_body,
        .on_done = on_done,
        .owner = lease,
    };
    http_client_send(&lease->client, &lease->call);
}

static void do_step(struct kube_lease *lease, enum kube_lease_step step)
{
    lease->step = step;
    lease->steps_row++;
    send_step(lease);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static void wait_until(struct kube_lease *lease, msec at_ms)
{
    if (!lease->is_leaving) {
        loop_timer_set(lease->loop, &lease->timer, at_ms);
    }
}

static void succeed(struct kube_lease *lease)
{
    bool was_foreign = lease->is_foreign;
    lease->renewals++;
    lease->failures_row = 0;
    lease->said_unsupported = false;
    lease->is_foreign = false;
    lease->foreign_hash = 0;
    lease->renewed_at_ms = lease->began_ms;
    if (lease->is_leaving && lease->version[0] != '\0') {
        do_step(lease, KUBE_LEASE_RELEASE);
        return;
    }
    wait_until(lease, lease->began_ms + lease->config.period_ms);
    if (was_foreign) {
        log_line(LOG_INFO, "kube", "lease: taken over");
    }
    lease->config.handlers->on_result(lease, ERR_OK, "");
}

/* Tries again soon, over a new connection. */
static void fail(struct kube_lease *lease, enum err err, const char *why)
{
    lease->failures++;
    lease->failures_row++;
    http_client_refresh(&lease->client);
    wait_until(lease, lease->loop->now_ms + backoff_ms(lease->failures_row, KUBE_LEASE_RETRY_MS,
                                                       KUBE_LEASE_RETRY_MAX_MS, &lease->prng));
    lease->config.handlers->on_result(lease, err, why);
}

/* No leases in this cluster (yet): said once, asked again later. */
static void give_up_for_now(struct kube_lease *lease, msec again_ms, const char *why)
{
    lease->kind = KUBE_LEASE;
    wait_until(lease, lease->loop->now_ms + again_ms);
    if (!lease->said_unsupported) {
        lease->said_unsupported = true;
        lease->config.handlers->on_result(lease, ERR_UNSUPPORTED, why);
    }
}

/* The lease object in a reply: from now on we know its version. */
static bool note_version(struct kube_lease *lease, json object)
{
    struct kube_meta meta;
    kube_meta_read(object, lease->arena, &meta);
    bool is_good = !str_is_empty(meta.resource_version) &&
                   str_copy(lease->version, sizeof lease->version, meta.resource_version);
    if (!is_good) {
        lease->version[0] = '\0';
    }
    return is_good;
}

static bool has_our_owner(struct kube_lease *lease, json object)
{
    json owners = json_get(json_get(object, "metadata"), "ownerReferences");
    for (json row = json_first(owners); json_is_there(row); row = json_next(row)) {
        if (json_text_is(json_get(row, "uid"), lease->node_uid)) {
            return true;
        }
    }
    return false;
}

/* ---- reading: is it ours? -------------------------------------------------------------------- */

/* Our identity, but a time we did not write, although we have been writing: a second agent. A write
 * of ours that was believed lost may land late, so the last few times all count as ours. */
static bool is_twin(struct kube_lease *lease, json spec)
{
    uint64_t hash = str_hash(json_text(json_get(spec, "renewTime"), lease->arena));
    if (lease->renewed_at_ms == 0) {
        return false; /* left behind by the process before us */
    }
    for (uint32_t i = 0; i < KUBE_LEASE_WRITTEN_MAX; i++) {
        if (lease->written[i] == hash) {
            return false;
        }
    }
    return true;
}

/* Somebody else's lease, not yet run out: "unchanged" is measured by our own clock. */
static bool is_held_by_other(struct kube_lease *lease, json spec)
{
    str holder = json_text(json_get(spec, "holderIdentity"), lease->arena);
    bool is_ours = str_is_empty(holder) || str_eq(holder, lease->config.holder);
    if (str_is_empty(holder) || (is_ours && !is_twin(lease, spec))) {
        return false;
    }
    msec now_ms = lease->loop->now_ms;
    int64_t duration_s =
        json_i64_or(json_get(spec, "leaseDurationSeconds"), lease->config.duration_s);
    duration_s = duration_s < 1 || duration_s > 3600 ? lease->config.duration_s : duration_s;
    uint64_t hash = str_hash(json_raw(spec)) | 1;
    if (hash != lease->foreign_hash) {
        lease->foreign_hash = hash;
        lease->foreign_since_ms = now_ms;
    }
    return now_ms - lease->foreign_since_ms < duration_s * 1000;
}

static void stand_back(struct kube_lease *lease, json spec)
{
    str holder = json_text(json_get(spec, "holderIdentity"), lease->arena);
    lease->is_foreign = true;
    lease->version[0] = '\0';
    lease->failures_row = 0;
    wait_until(lease, lease->loop->now_ms + lease->config.period_ms);
    lease->config.handlers->on_foreign(lease, holder);
}

static void after_read(struct kube_lease *lease, enum err err, const struct kube_status *status,
                       const char *why)
{
    json object;
    if (err == ERR_OK) {
        bool is_good = json_parse(buf_str(&lease->reply), lease->arena, &object, NULL) == ERR_OK;
        err = is_good ? ERR_OK : ERR_BAD_REPLY;
        why = err_text(err);
    }
    if (err == ERR_OK && is_held_by_other(lease, json_get(object, "spec"))) {
        stand_back(lease, json_get(object, "spec"));
    } else if (err == ERR_OK && note_version(lease, object)) {
        lease->has_owner = has_our_owner(lease, object);
        do_step(lease, KUBE_LEASE_RENEW);
    } else if (err == ERR_NOT_FOUND && !str_is_empty(status->kind)) {
        do_step(lease, KUBE_LEASE_MAKE);
    } else if (err == ERR_NOT_FOUND && lease->kind == KUBE_LEASE) {
        lease->kind = KUBE_LEASE_BETA;
        do_step(lease, KUBE_LEASE_READ);
    } else if (err == ERR_NOT_FOUND && lease->renewals > 0) {
        lease->kind = KUBE_LEASE; /* it had leases before: a proxy said so, not the server */
        fail(lease, ERR_BAD_REPLY, why);
    } else if (err == ERR_NOT_FOUND) {
        give_up_for_now(lease, KUBE_LEASE_UNSUPPORTED_MS, "the server has no leases");
    } else {
        fail(lease, err == ERR_OK ? ERR_BAD_REPLY : err, why); /* OK: without a version */
    }
}

/* A lease made or renewed comes back with its new version. Should the reply be unreadable, the
 * write has landed all the same; the next renewal reads first. */
static void after_write(struct kube_lease *lease)
{
    json object;
    lease->version[0] = '\0';
    if (json_parse(buf_str(&lease->reply), lease->arena, &object, NULL) == ERR_OK &&
        note_version(lease, object)) {
        lease->has_owner = lease->node_uid[0] == '\0' || has_our_owner(lease, object);
    }
    succeed(lease);
}

static void after_make(struct kube_lease *lease, enum err err, const struct kube_status *status,
                       const char *why)
{
    if (err == ERR_OK) {
        lease->creates++;
        after_write(lease);
    } else if (err == ERR_NOT_FOUND && str_eq(status->kind, S("namespaces"))) {
        give_up_for_now(lease, lease->config.period_ms, why);
    } else {
        fail(lease, err, why);
    }
}

static void after_renew(struct kube_lease *lease, enum err err, const struct kube_status *status,
                        const char *why)
{
    (void)status;
    if (err == ERR_OK) {
        after_write(lease);
        return;
    }
    /* Whatever happened, we no longer know what the server has. */
    lease->version[0] = '\0';
    lease->conflicts += err == ERR_CONFLICT;
    if ((err == ERR_CONFLICT || err == ERR_NOT_FOUND) && lease->steps_row < STEPS_MAX) {
        do_step(lease, KUBE_LEASE_READ);
    } else {
        fail(lease, err, why);
    }
}

static void after_release(struct kube_lease *lease, enum err err, const struct kube_status *status,
                          const char *why)
{
    (void)err;
    (void)status;
    (void)why; /* not released: it runs out by itself */
    lease->version[0] = '\0';
}

static void on_done(struct http_call *call, enum err err)
{
    static void (*const after[])(struct kube_lease *, enum err, const struct kube_status *,
                                 const char *) = {
        [KUBE_LEASE_READ] = after_read,
        [KUBE_LEASE_MAKE] = after_make,
        [KUBE_LEASE_RENEW] = after_renew,
        [KUBE_LEASE_RELEASE] = after_release,
    };
    struct kube_lease *lease = call->owner;
    struct kube_status status;
    size_t mark = arena_mark(lease->arena);
    lease->is_busy = false;
    kube_wipe(lease->request.ptr, lease->request.bytes);
    err = kube_judge(call, err, false, buf_str(&lease->reply), lease->arena, &status);
    const char *why = arena_cstr(lease->arena, kube_why(call, err, &status, lease->arena));
    if (err == ERR_AUTH && lease->steps_row < STEPS_MAX &&
        kube_auth_refused(lease->auth, lease->generation)) {
        do_step(lease, lease->step);
    } else {
        after[lease->step](lease, err, &status, why != NULL ? why : err_text(err));
    }
    arena_rewind(lease->arena, mark);
}

static void on_due(struct loop_timer *timer)
{
    struct kube_lease *lease = timer->owner;
    lease->began_ms = lease->loop->now_ms;
    lease->steps_row = 0;
    do_step(lease, lease->version[0] == '\0' ? KUBE_LEASE_READ : KUBE_LEASE_RENEW);
}

/* ---- from outside ---------------------------------------------------------------------------- */

void kube_lease_init(struct kube_lease *lease, struct loop *loop, struct region *region,
                     struct kube_auth *auth, struct arena *arena, uint64_t seed,
                     const struct kube_lease_config *config)
{
    CHECK(config->holder.bytes > 0 && config->holder.bytes <= KUBE_LEASE_HOLDER_BYTES_MAX);
    CHECK(config->name.bytes > 0 && config->name.bytes <= KUBE_NAME_BYTES_MAX);
    *lease = (struct kube_lease){.owner = config->owner,
                                 .config = *config,
                                 .auth = auth,
                                 .arena = arena,
                                 .loop = loop,
                                 .kind = KUBE_LEASE};
    struct kube_lease_config *own = &lease->config;
    own->name_space = str_is_empty(own->name_space) ? NODE_LEASES : own->name_space;
    own->duration_s = own->duration_s == 0 ? KUBE_LEASE_DURATION_S : own->duration_s;
    own->period_ms = own->period_ms == 0 ? KUBE_LEASE_PERIOD_MS : own->period_ms;
    own->deadline_ms = own->deadline_ms == 0 ? KUBE_LEASE_DEADLINE_MS : own->deadline_ms;
    prng_seed(&lease->prng, seed);
    loop_timer_init(&lease->timer, on_due, lease);
    char *memory =
        region_carve(region, "kube lease", 1, KUBE_LEASE_REQUEST_BYTES + KUBE_LEASE_REPLY_BYTES);
    http_client_init(&lease->client, loop, region, "lease", 1, &auth->target);
    kube_auth_attach(auth, &lease->client);
    if (memory != NULL) { /* not in the planning pass */
        buf_init(&lease->request, memory, KUBE_LEASE_REQUEST_BYTES);
        buf_init(&lease->reply, memory + KUBE_LEASE_REQUEST_BYTES, KUBE_LEASE_REPLY_BYTES);
    }
}

void kube_lease_start(struct kube_lease *lease)
{
    CHECK(!lease->is_busy && !due_is_set(&lease->timer.due));
    lease->is_leaving = false;
    wait_until(lease, lease->loop->now_ms);
}

void kube_lease_stop(struct kube_lease *lease)
{
    if (lease->is_busy) {
        http_client_cancel(&lease->client, &lease->call);
        lease->is_busy = false;
    }
    kube_wipe(lease->request.ptr, lease->request.bytes);
    loop_timer_clear(lease->loop, &lease->timer);
    lease->version[0] = '\0';
}

bool kube_lease_is_busy(const struct kube_lease *lease)
{
    return lease->is_busy;
}

void kube_lease_release(struct kube_lease *lease)
{
    loop_timer_clear(lease->loop, &lease->timer);
    bool is_ours = lease->renewed_at_ms != 0 && !lease->is_foreign;
    lease->is_leaving = is_ours && lease->is_busy;
    if (lease->is_leaving) {
        return;
    }
    if (!is_ours || lease->version[0] == '\0') {
        kube_lease_stop(lease);
        return;
    }
    lease->began_ms = lease->loop->now_ms;
    do_step(lease, KUBE_LEASE_RELEASE);
}

void kube_lease_set_node(struct kube_lease *lease, str uid)
{
    if (uid.bytes > KUBE_UID_BYTES_MAX || str_eq(uid, str_of(lease->node_uid))) {
        return;
    }
    (void)str_copy(lease->node_uid, sizeof lease->node_uid, uid);
    lease->has_owner = str_is_empty(uid);
}
