/* see webhook_certs.h */
#include "admit/webhook_certs.h"

#include <stdio.h>
#include <string.h>

#include "admit/webhook_config.h"
#include "base/backoff.h"
#include "os/log.h"
#include "os/os.h"

#define SECRET WEBHOOK_SECRET_NAMESPACE "/" WEBHOOK_SECRET

enum step { STEP_READ, STEP_MAKE, STEP_REPLACE };

static void look_in(struct webhook_certs *certs, msec in_ms)
{
    loop_timer_set(certs->config.loop, &certs->timer, certs->config.loop->now_ms + in_ms);
}

static void prepared(struct webhook_certs *certs);
static struct x509_wish wish_of(const struct webhook_certs *certs);

/* When nobody brings a Secret for some time, one of our own is better than none. */
static void look_after_failure(struct webhook_certs *certs)
{
    struct x509_wish wish = wish_of(certs);
    certs->failures++;
    if (certs->failures >= WEBHOOK_CERTS_TRIES && tls_keep_current(&certs->keep) == NULL &&
        tls_keep_look(&certs->keep, &wish, os_wall_s(), certs->config.arena)) {
        prepared(certs);
    }
    look_in(certs, backoff_ms(certs->failures, WEBHOOK_CERTS_RETRY_MS, WEBHOOK_CERTS_LOOK_MS,
                              &certs->prng));
}

static struct x509_wish wish_of(const struct webhook_certs *certs)
{
    struct sock_addr address;
    str host = str_of(certs->host);
    bool is_address = sock_addr_parse(host, 0, &address);
    return (struct x509_wish){.common_name = S(WEBHOOK_NAME),
                              .dns_name = is_address ? STR_NONE : host,
                              .address = is_address ? host : STR_NONE};
}

/* ---- old and new ----------------------------------------------------------------------------- */

const struct tls_identity *webhook_certs_identity(const struct webhook_certs *certs)
{
    const struct tls_set *set = tls_keep_current(&certs->keep);
    return set != NULL ? &set->identity : NULL;
}

bool webhook_certs_waits(const struct webhook_certs *certs)
{
    return tls_keep_next(&certs->keep) != NULL;
}

str webhook_certs_authority(const struct webhook_certs *certs, struct arena *arena)
{
    const struct tls_set *old = tls_keep_current(&certs->keep);
    const struct tls_set *new = tls_keep_next(&certs->keep);
    if (new == NULL || old == NULL) {
        return new != NULL ? new->authority : old != NULL ? old->authority : STR_NONE;
    }
    if (webhook_secret_vouches(new->authority, old)) {
        return new->authority;
    }
    struct buf both;
    size_t bytes = new->authority.bytes + old->authority.bytes + 1;
    char *memory = arena_take(arena, bytes);
    if (memory == NULL) {
        return STR_NONE;
    }
    buf_init(&both, memory, bytes);
    buf_put(&both, new->authority);
    buf_put_char(&both, '\n'); /* files need not end with one */
    buf_put(&both, old->authority);
    return buf_str(&both);
}

static void swap(struct webhook_certs *certs)
{
    loop_timer_clear(certs->config.loop, &certs->settle);
    tls_keep_swap(&certs->keep);
    certs->config.on_change(certs->config.owner);
}

/* Something new was prepared. Nobody is served by what is not there or not valid any more. */
static void prepared(struct webhook_certs *certs)
{
    const struct tls_set *old = tls_keep_current(&certs->keep);
    loop_timer_clear(certs->config.loop, &certs->settle);
    if (old == NULL || !tls_set_is_valid(old, os_wall_s())) {
        swap(certs);
    } else {
        certs->config.on_change(certs->config.owner);
    }
}

static bool is_print_of(str fingerprint, str authority)
{
    char own[WEBHOOK_FINGERPRINT_BYTES];
    webhook_config_fingerprint(authority, own);
    return str_eq(fingerprint, str_of(own));
}

void webhook_certs_seen(struct webhook_certs *certs, str fingerprint)
{
    const struct tls_set *next = tls_keep_next(&certs->keep);
    struct loop *loop = certs->config.loop;
    struct arena *arena = certs->config.arena;
    if (next == NULL || due_is_set(&certs->settle.due)) {
        return;
    }
    size_t mark = arena_mark(arena);
    bool is_believed = is_print_of(fingerprint, next->authority) ||
                       is_print_of(fingerprint, webhook_certs_authority(certs, arena));
    arena_rewind(arena, mark);
    if (is_believed) {
        loop_timer_set(loop, &certs->settle, loop->now_ms + WEBHOOK_CERTS_SETTLE_MS);
    }
}

static void on_settled(struct loop_timer *timer)
{
    swap(timer->owner);
}

/* ---- without the Secret ---------------------------------------------------------------------- */

static void use_own(struct webhook_certs *certs, const char *what, str why)
{
    struct x509_wish wish = wish_of(certs);
    if (!certs->was_told) {
        char said[512];
        certs->was_told = true;
        (void)snprintf(said, sizeof said,
                       "the webhook shows a certificate of its own, which no other gateway has: "
                       "Secret " SECRET " %s (apply what `ecilet manifests` prints): %.*s",
                       what, STR_ARG(str_sub(why, 0, 200)));
        certs->config.warn(certs->config.owner, "WebhookSecretRefused", said);
    }
    if (tls_keep_look(&certs->keep, &wish, os_wall_s(), certs->config.arena)) {
        certs->version[0] = '\0'; /* what the Secret holds is shown no more: it counts as new */
        prepared(certs);
    }
    look_in(certs, WEBHOOK_CERTS_REFUSED_MS);
}

/* ---- the Secret ------------------------------------------------------------------------------ */

static void on_reply(void *owner, const struct kube_reply *reply);

static void send(struct webhook_certs *certs, enum step step, str body)
{
    static const enum kube_verb verbs[] = {
        [STEP_READ] = KUBE_GET, [STEP_MAKE] = KUBE_CREATE, [STEP_REPLACE] = KUBE_MERGE_PATCH};
    char memory[200];
    struct buf path;
    buf_init(&path, memory, sizeof memory);
    kube_put_path(&path, KUBE_SECRET, S(WEBHOOK_SECRET_NAMESPACE),
                  step == STEP_MAKE ? STR_NONE : S(WEBHOOK_SECRET), STR_NONE);
    const struct kube_request request = {
        .verb = verbs[step],
        .rank = KUBE_RANK_NORMAL,
        .path = buf_str(&path),
        .body = body,
        .reply_bytes = step == STEP_READ ? WEBHOOK_SECRET_BYTES : 0,
        .on_done = on_reply,
        .owner = certs,
        .op = step,
    };
    certs->is_busy = kube_call_send(certs->config.calls, &request, NULL) == ERR_OK;
    if (!certs->is_busy) {
        look_in(certs, WEBHOOK_CERTS_RETRY_MS);
    }
}

/* A new certificate into the Secret; what came of it shows when it is read again. */
static void write_secret(struct webhook_certs *certs, bool is_there)
{
    struct arena *arena = certs->config.arena;
    size_t mark = arena_mark(arena);
    struct x509_wish wish = wish_of(certs);
    struct buf body;
    const struct tls_set *before =
        webhook_certs_waits(certs) ? tls_keep_next(&certs->keep) : tls_keep_current(&certs->keep);
    if (before != NULL && !tls_set_is_valid(before, os_wall_s())) {
        before = NULL;
    }
    char *memory = arena_take(arena, WEBHOOK_SECRET_BODY_BYTES);
    enum err err = ERR_FULL;
    if (memory != NULL) {
        buf_init(&body, memory, WEBHOOK_SECRET_BODY_BYTES);
        err = webhook_secret_put(&wish, before, str_of(certs->uid),
                                 is_there ? str_of(certs->version) : STR_NONE, os_wall_s(), arena,
                                 &body);
    }
    if (err == ERR_OK) {
        certs->writes++;
        certs->wrote_at_ms = certs->config.loop->now_ms;
        send(certs, is_there ? STEP_REPLACE : STEP_MAKE, buf_str(&body));
    } else {
        log_line(LOG_WARN, "webhook", "no certificate could be made for %s: %s", certs->host,
                 err_text(err));
        look_after_failure(certs);
    }
    explicit_bzero(arena->ptr + mark, arena->used - mark);
    arena_rewind(arena, mark);
}

/* Takes over what the Secret says now. */
static const char *load(struct webhook_certs *certs, const struct webhook_secret *secret)
{
    const char *why = "";
    if (tls_keep_load(&certs->keep, secret->chain, secret->key, secret->authority, &why) !=
        ERR_OK) {
        return why;
    }
    const char *fault = webhook_secret_fault(tls_keep_next(&certs->keep), os_wall_s());
    if (fault != NULL) {
        tls_keep_drop(&certs->keep);
    }
    return fault;
}

static void judge(struct webhook_certs *certs, str body)
{
    struct arena *arena = certs->config.arena;
    struct webhook_secret secret;
    size_t mark = arena_mark(arena);
    const char *fault = webhook_secret_read(body, arena, &secret);
    bool is_new = str_is_empty(secret.version) || !str_eq(secret.version, str_of(certs->version)) ||
                  !str_eq(secret.uid, str_of(certs->uid));
    if (is_new) {
        (void)str_copy(certs->uid, sizeof certs->uid, secret.uid);
        (void)str_copy(certs->version, sizeof certs->version, secret.version);
        certs->fault = fault != NULL ? fault : load(certs, &secret);
        if (certs->fault == NULL) {
            certs->was_told = false;
            prepared(certs);
        } else {
            log_line(LOG_WARN, "webhook", "Secret " SECRET " cannot be used: %s", certs->fault);
        }
    }
    explicit_bzero(arena->ptr + mark, arena->used - mark);
    arena_rewind(arena, mark);
}

static bool must_be_written(const struct webhook_certs *certs)
{
    const struct tls_set *newest =
        webhook_certs_waits(certs) ? tls_keep_next(&certs->keep) : tls_keep_current(&certs->keep);
    return certs->fault != NULL || newest == NULL || tls_set_is_due(newest, os_wall_s()) ||
           (!certs->was_named && !webhook_secret_names(newest, str_of(certs->host)));
}

static void on_read(struct webhook_certs *certs, const struct kube_reply *reply)
{
    /* Whatever undoes what we write, it is not fought over more often than we look. */
    bool is_early = certs->writes > 0 &&
                    certs->config.loop->now_ms - certs->wrote_at_ms < WEBHOOK_CERTS_LOOK_MS;
    bool may_write = certs->config.may_write(certs->config.owner) && !is_early;
    bool is_there = reply->err == ERR_OK;
    if (is_there) {
        judge(certs, reply->body);
    } else {
        certs->version[0] = '\0';
    }
    if (is_there && !must_be_written(certs)) {
        certs->failures = 0;
        look_in(certs, WEBHOOK_CERTS_LOOK_MS);
    } else if (may_write && (!is_there || certs->version[0] != '\0')) {
        write_secret(certs, is_there);
    } else {
        look_after_failure(certs); /* the leading gateway does it */
    }
}

static void on_written(struct webhook_certs *certs, enum step step)
{
    certs->was_named = true;
    if (step == STEP_REPLACE && certs->fault != NULL) {
        char said[256];
        (void)snprintf(said, sizeof said,
                       "Secret " SECRET " could not be used (%s) and was given a new certificate",
                       certs->fault);
        certs->replaced++;
        certs->config.warn(certs->config.owner, "WebhookSecretReplaced", said);
    } else {
        log_line(LOG_INFO, "webhook", "Secret " SECRET " has a new certificate for %s",
                 certs->host);
    }
    look_in(certs, 0);
}

static void on_reply(void *owner, const struct kube_reply *reply)
{
    struct webhook_certs *certs = owner;
    certs->is_busy = false;
    if (!certs->is_started) {
        return;
    }
    bool is_absent =
        reply->op == STEP_READ && kube_is_absent(reply, KUBE_SECRET, S(WEBHOOK_SECRET));
    bool is_reading = reply->op == STEP_READ;
    if (reply->err == ERR_FORBIDDEN || (!is_reading && reply->err == ERR_INVALID)) {
        use_own(certs, is_reading ? "may not be read" : "may not be written", reply->why);
    } else if (is_reading && (reply->err == ERR_OK || is_absent)) {
        on_read(certs, reply);
    } else if (reply->err == ERR_OK) {
        on_written(certs, (enum step)reply->op);
    } else if (!is_reading && reply->err == ERR_CONFLICT && certs->failures == 0) {
        certs->failures++;
        look_in(certs, 0); /* the other gateway was faster: what has it made? */
    } else {
        log_line(LOG_WARN, "webhook", "Secret " SECRET ": %.*s", STR_ARG(reply->why));
        look_after_failure(certs);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

static void on_time(struct loop_timer *timer)
{
    struct webhook_certs *certs = timer->owner;
    const struct tls_set *old = tls_keep_current(&certs->keep);
    if (webhook_certs_waits(certs) && (old == NULL || !tls_set_is_valid(old, os_wall_s()))) {
        swap(certs); /* nobody could register it so long */
    }
    if (certs->is_busy) {
        look_in(certs, WEBHOOK_CERTS_RETRY_MS);
    } else if (tls_keep_has_files(&certs->keep)) {
        struct x509_wish wish = wish_of(certs);
        certs->version[0] = '\0';
        if (tls_keep_look(&certs->keep, &wish, os_wall_s(), certs->config.arena)) {
            prepared(certs);
        }
        look_in(certs, WEBHOOK_CERTS_LOOK_MS);
    } else {
        send(certs, STEP_READ, STR_NONE);
    }
}

/* ---- start and stop -------------------------------------------------------------------------- */

void webhook_certs_init(struct webhook_certs *certs, struct region *region,
                        const struct webhook_certs_config *config)
{
    static const char *const names[] = {"tls.crt", "tls.key", "ca.crt"};
    certs->config = *config;
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(certs->paths[i], sizeof certs->paths[i], "%s/%s", config->folder, names[i]);
    }
    const struct tls_keep_config keep = {
        .name = "webhook",
        .files = "WEBHOOK_CERT_DIR",
        .chain_path = certs->paths[0],
        .key_path = certs->paths[1],
        .authority_path = certs->paths[2],
        .on_prepare = config->on_prepare,
        .owner = config->owner,
    };
    tls_keep_init(&certs->keep, region, &keep);
    loop_timer_init(&certs->timer, on_time, certs);
    loop_timer_init(&certs->settle, on_settled, certs);
    prng_seed(&certs->prng, config->seed);
}

void webhook_certs_start(struct webhook_certs *certs, str host)
{
    (void)str_copy(certs->host, sizeof certs->host, host);
    certs->is_started = true;
    look_in(certs, 0);
}

void webhook_certs_look(struct webhook_certs *certs)
{
    if (certs->is_started) {
        look_in(certs, 0);
    }
}

void webhook_certs_stop(struct webhook_certs *certs)
{
    certs->is_started = false;
    loop_timer_clear(certs->config.loop, &certs->timer);
    loop_timer_clear(certs->config.loop, &certs->settle);
    tls_keep_wipe(&certs->keep);
}
