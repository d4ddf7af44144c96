/* see serve_port.h: who asks, and may they? */
#include <stdio.h>

#include "base/check.h"
#include "data/json_write.h"
#include "serve/serve_port.h"

#define REVIEW_BODY_BYTES 8192 /* a token has 4 KB at most (KUBE_TOKEN_BYTES_MAX) */
#define REVIEW_REPLY_BYTES 16384

static void ask_may(struct serve *serve, struct serve_pending *pending);

/* ---- callers --------------------------------------------------------------------------------- */

static bool caller_of_peer(const struct x509_subject *peer, struct serve_caller *out)
{
    struct buf groups;
    struct json_write w;
    buf_init(&groups, out->groups, sizeof out->groups - 1);
    json_write_init(&w, &groups);
    json_array(&w);
    for (uint32_t i = 0; i < peer->organizations_count; i++) {
        json_put_text(&w, str_of(peer->organizations[i]));
    }
    json_put_text(&w, S("system:authenticated"));
    json_end(&w);
    bool fits = json_write_ok(&w) && peer->common_name[0] != '\0' &&
                str_copy(out->user, sizeof out->user, str_of(peer->common_name));
    out->groups[fits ? groups.bytes : 0] = '\0';
    return fits;
}

/* As it came; `absent` when there is none. */
static str raw_of(json value, str absent)
{
    return json_is_there(value) && !json_is_null(value) ? json_raw(value) : absent;
}

static bool caller_of_review(json status, struct arena *arena, struct serve_caller *out)
{
    json user = json_get(status, "user");
    str name = json_text(json_get(user, "username"), arena);
    return !str_is_empty(name) && str_copy(out->user, sizeof out->user, name) &&
           str_copy(out->uid, sizeof out->uid, json_text(json_get(user, "uid"), arena)) &&
           str_copy(out->groups, sizeof out->groups, raw_of(json_get(user, "groups"), S("[]"))) &&
           str_copy(out->extra, sizeof out->extra, raw_of(json_get(user, "extra"), STR_NONE));
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static msec now_ms(const struct serve *serve)
{
    return serve->world.loop->now_ms;
}

static struct serve_token *token_find(struct serve *serve, const uint8_t *digest)
{
    for (uint32_t i = 0; i < SERVE_TOKENS_MAX; i++) {
        struct serve_token *token = &serve->tokens[i];
        if (token->until_ms > now_ms(serve) &&
            hash_same(token->digest, digest, HASH_SHA256_BYTES)) {
            return token;
        }
    }
    return NULL;
}

static void token_keep(struct serve *serve, const struct serve_pending *pending)
{
    struct serve_token *first = &serve->tokens[0];
    for (uint32_t i = 1; i < SERVE_TOKENS_MAX; i++) {
        first = serve->tokens[i].until_ms < first->until_ms ? &serve->tokens[i] : first;
    }
    memcpy(first->digest, pending->digest, HASH_SHA256_BYTES);
    first->caller = pending->caller;
    first->until_ms = now_ms(serve) + SERVE_TOKEN_KEPT_MS;
}

static struct serve_grant *grant_find(struct serve *serve, const uint8_t *digest)
{
    for (uint32_t i = 0; i < SERVE_GRANTS_MAX; i++) {
        struct serve_grant *grant = &serve->grants[i];
        if (grant->until_ms > now_ms(serve) &&
            memcmp(grant->digest, digest, HASH_SHA256_BYTES) == 0) {
            return grant;
        }
    }
    return NULL;
}

static void grant_keep(struct serve *serve, const uint8_t *digest, bool is_yes)
{
    struct serve_grant *first = &serve->grants[0];
    for (uint32_t i = 1; i < SERVE_GRANTS_MAX; i++) {
        first = serve->grants[i].until_ms < first->until_ms ? &serve->grants[i] : first;
    }
    memcpy(first->digest, digest, HASH_SHA256_BYTES);
    first->is_yes = is_yes;
    first->until_ms = now_ms(serve) + (is_yes ? SERVE_YES_KEPT_MS : SERVE_NO_KEPT_MS);
}

/* ---- asking the API server ------------------------------------------------------------------- */

static const char *verb_of(const struct http_exchange *exchange)
{
    return str_eq(exchange->method, S("GET")) ? "get" : "create";
}

static void set_stranger(struct serve_pending *pending, bool is_stranger)
{
    pending->serve->strangers += is_stranger;
    pending->serve->strangers -= pending->is_stranger;
    pending->is_stranger = is_stranger;
}

static void on_pending_gone(struct http_exchange *exchange)
{
    struct serve_pending *pending = exchange->state;
    kube_call_cancel(pending->serve->world.api, pending->call);
    set_stranger(pending, false);
    pool_give(&pending->serve->pending, pool_handle_of(&pending->serve->pending, pending));
}

static const struct http_server_handlers pending_handlers = {.on_gone = on_pending_gone};

/* The exchange is free again; what was known is copied first by who needs it. */
static struct http_exchange *let_go(struct serve_pending *pending)
{
    struct http_exchange *exchange = pending->exchange;
    exchange->state = NULL;
    set_stranger(pending, false);
    pool_give(&pending->serve->pending, pool_handle_of(&pending->serve->pending, pending));
    return exchange;
}

static void refuse_unanswered(struct serve *serve, struct http_exchange *exchange)
{
    serve->counters.unanswered++;
    serve_refuse(exchange, 503, NULL, "the API server cannot be asked whether this is allowed");
}

static void refuse_unknown(struct serve *serve, struct http_exchange *exchange)
{
    serve->counters.unauthenticated++;
    serve_refuse(exchange, 401, NULL, "Unauthorized");
}

static void refuse_forbidden(struct serve *serve, struct http_exchange *exchange,
                             const struct serve_caller *caller)
{
    serve->counters.forbidden++;
    serve_refuse(exchange, 403, NULL, "user %.200s may not do this on node %.63s", caller->user,
                 serve->world.node_name.ptr);
}

/* The status of a review; JSON_NONE when there is none. */
static json review_status(struct serve *serve, const struct kube_reply *reply)
{
    json object;
    bool is_good = reply->err == ERR_OK &&
                   json_parse(reply->body, serve->world.arena, &object, NULL) == ERR_OK;
    return is_good ? json_get(object, "status") : JSON_NONE;
}

static void on_may(void *owner, const struct kube_reply *reply)
{
    struct serve *serve = owner;
    struct serve_pending *pending = pool_at(&serve->pending, reply->about);
    if (pending == NULL) {
        return;
    }
    size_t mark = arena_mark(serve->world.arena);
    json status = review_status(serve, reply);
    const struct serve_caller caller = pending->caller;
    uint8_t digest[HASH_SHA256_BYTES];
    memcpy(digest, pending->digest, sizeof digest);
    struct http_exchange *exchange = let_go(pending);
    if (!json_is_there(status)) {
        refuse_unanswered(serve, exchange);
    } else {
        bool is_yes = json_bool_or(json_get(status, "allowed"), false);
        grant_keep(serve, digest, is_yes);
        if (is_yes) {
            serve_allowed(serve, exchange, &caller);
        } else {
            refuse_forbidden(serve, exchange, &caller);
        }
    }
    arena_rewind(serve->world.arena, mark);
}

static void on_who(void *owner, const struct kube_reply *reply)
{
    struct serve *serve = owner;
    struct serve_pending *pending = pool_at(&serve->pending, reply->about);
    if (pending == NULL) {
        return;
    }
    size_t mark = arena_mark(serve->world.arena);
    json status = review_status(serve, reply);
    if (!json_is_there(status)) {
        refuse_unanswered(serve, let_go(pending));
    } else if (!json_bool_or(json_get(status, "authenticated"), false) ||
               !caller_of_review(status, serve->world.arena, &pending->caller)) {
        refuse_unknown(serve, let_go(pending));
    } else {
        token_keep(serve, pending);
        set_stranger(pending, false);
        ask_may(serve, pending);
    }
    arena_rewind(serve->world.arena, mark);
}

static void send_review(struct serve *serve, struct serve_pending *pending, str path, str body,
                        kube_call_done *on_done)
{
    const struct kube_request request = {
        .verb = KUBE_CREATE,
        .rank = KUBE_RANK_NORMAL,
        .path = path,
        .body = body,
        .reply_bytes = REVIEW_REPLY_BYTES,
        .on_done = on_done,
        .owner = serve,
        .about = pool_handle_of(&serve->pending, pending),
    };
    serve->counters.reviews++;
    if (kube_call_send(serve->world.api, &request, &pending->call) != ERR_OK) {
        refuse_unanswered(serve, let_go(pending));
    }
}

static void put_access_review(const struct serve *serve, const struct serve_pending *pending,
                              struct json_write *w)
{
    json_object(w);
    json_member_text(w, "apiVersion", S("authorization.k8s.io/v1"));
    json_member_text(w, "kind", S("SubjectAccessReview"));
    json_member_object(w, "spec");
    json_member_text(w, "user", str_of(pending->caller.user));
    json_member_raw(w, "groups", str_of(pending->caller.groups));
    if (pending->caller.uid[0] != '\0') {
        json_member_text(w, "uid", str_of(pending->caller.uid));
    }
    if (pending->caller.extra[0] != '\0') {
        json_member_raw(w, "extra", str_of(pending->caller.extra));
    }
    json_member_object(w, "resourceAttributes");
    json_member_text(w, "verb", str_of(verb_of(pending->exchange)));
    json_member_text(w, "version", S("v1"));
    json_member_text(w, "resource", S("nodes"));
    json_member_text(w, "subresource", str_of(pending->subresource));
    json_member_text(w, "name", serve->world.node_name);
    json_end(w);
    json_end(w);
    json_end(w);
}

/* The caller is known: what was answered before counts, else the API server is asked. */
static void ask_may(struct serve *serve, struct serve_pending *pending)
{
    char *memory = arena_take(serve->world.arena, REVIEW_BODY_BYTES);
    if (memory == NULL) {
        refuse_unanswered(serve, let_go(pending));
        return;
    }
    struct buf body;
    struct json_write w;
    buf_init(&body, memory, REVIEW_BODY_BYTES);
    json_write_init(&w, &body);
    put_access_review(serve, pending, &w);
    CHECK(json_write_ok(&w)); /* what is known of a caller has bounds */
    hash_sha256(pending->digest, buf_str(&body));
    const struct serve_grant *known = grant_find(serve, pending->digest);
    if (known == NULL) {
        send_review(serve, pending, S("/apis/authorization.k8s.io/v1/subjectaccessreviews"),
                    buf_str(&body), on_may);
        return;
    }
    const struct serve_caller caller = pending->caller;
    if (known->is_yes) {
        serve_allowed(serve, let_go(pending), &caller);
    } else {
        refuse_forbidden(serve, let_go(pending), &caller);
    }
}

static void ask_who(struct serve *serve, struct serve_pending *pending, str token)
{
    char *memory = arena_take(serve->world.arena, REVIEW_BODY_BYTES);
    struct buf body;
    struct json_write w;
    if (memory == NULL || serve->strangers == SERVE_STRANGERS_MAX) {
        refuse_unanswered(serve, let_go(pending));
        return;
    }
    set_stranger(pending, true);
    buf_init(&body, memory, REVIEW_BODY_BYTES);
    json_write_init(&w, &body);
    json_object(&w);
    json_member_text(&w, "apiVersion", S("authentication.k8s.io/v1"));
    json_member_text(&w, "kind", S("TokenReview"));
    json_member_object(&w, "spec");
    json_member_text(&w, "token", token);
    json_end(&w);
    json_end(&w);
    if (!json_write_ok(&w)) { /* no token is so long */
        refuse_unknown(serve, let_go(pending));
        return;
    }
    send_review(serve, pending, S("/apis/authentication.k8s.io/v1/tokenreviews"), buf_str(&body),
                on_who);
}

/* The bearer token of a request; empty: none. */
static str token_of(const struct http_exchange *exchange)
{
    str value;
    if (!http_exchange_header(exchange, S("Authorization"), &value) ||
        !str_eq_nocase(str_sub(value, 0, 7), S("Bearer "))) {
        return STR_NONE;
    }
    return str_trim(str_sub(value, 7, value.bytes));
}

void serve_authorize(struct serve *serve, struct http_exchange *exchange, const char *subresource)
{
    str token = token_of(exchange);
    if (exchange->peer == NULL && str_is_empty(token)) {
        refuse_unknown(serve, exchange);
        return;
    }
    handle h;
    if (pool_take(&serve->pending, &h) != ERR_OK) {
        refuse_unanswered(serve, exchange);
        return;
    }
    struct serve_pending *pending = pool_at(&serve->pending, h);
    *pending = (struct serve_pending){.session = {&pending_handlers},
                                      .serve = serve,
                                      .exchange = exchange,
                                      .subresource = subresource,
                                      .call = HANDLE_NONE};
    exchange->state = pending;
    size_t mark = arena_mark(serve->world.arena);
    if (exchange->peer != NULL) {
        if (caller_of_peer(exchange->peer, &pending->caller)) {
            ask_may(serve, pending);
        } else {
            refuse_unknown(serve, let_go(pending));
        }
    } else {
        hash_sha256(pending->digest, token);
        const struct serve_token *known = token_find(serve, pending->digest);
        if (known != NULL) {
            pending->caller = known->caller;
            ask_may(serve, pending);
        } else {
            ask_who(serve, pending, token);
        }
    }
    arena_rewind(serve->world.arena, mark);
}
