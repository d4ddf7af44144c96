/*
 * see watch.h
 *
 * One call is under way at a time: a page of the list, or the stream. How a call ended is a fact
 * (enum err), and after_page() and after_stream() say what comes next:
 *
 *     start --> list page --> list page --> ... --> stream --> stream --> ...
 *                  ^  \______ back-off ______/        |  ^_ back-off _/
 *                  |__________________________________|   too old, nonsense, long silence
 */
#include "kube/watch_in.h"

#include "base/backoff.h"
#include "base/check.h"
#include "os/log.h"

#define REFUSAL_BYTES 8192 /* a Status has less than 1 KB */
#define STREAM_S_MIN 300   /* timeoutSeconds: random, so that not all come back at once */
#define STREAM_S_MAX 600
#define STREAM_MARGIN_MS 15000 /* a quiet stream is to end so long before the limit of silence */
#define STREAM_LATE_MS 30000   /* a server that does not end the stream in time is left */
#define STREAM_SHORT_MS 1000   /* an empty stream that ended sooner was a failure */
#define RETRY_AFTER_MAX_S 60

static void stream_begin(struct kube_watch *watch);

static void enter(struct kube_watch *watch, enum kube_watch_state state)
{
    static const char *const names[] = {"off", "waiting", "listing", "streaming"};
    if (state != watch->state) {
        log_line(LOG_DEBUG, "kube", "watch %s: %s -> %s", watch->config.name, names[watch->state],
                 names[state]);
        watch->state = state;
    }
}

/* ---- what the owner hears -------------------------------------------------------------------- */

static void say_connected(struct kube_watch *watch)
{
    watch->said_err = ERR_OK;
    if (!watch->is_connected) {
        watch->is_connected = true;
        watch->config.handlers->on_state(watch, true, ERR_OK, "");
    }
}

static void say_disconnected(struct kube_watch *watch, enum err err, const char *why)
{
    if (watch->is_connected || err != watch->said_err) {
        watch->is_connected = false;
        watch->said_err = err;
        watch->config.handlers->on_state(watch, false, err, why);
    }
}

/* ---- the position ---------------------------------------------------------------------------- */

void kube_watch_set_version(struct kube_watch *watch, str version)
{
    if (str_is_empty(version) || version.bytes > KUBE_VERSION_BYTES_MAX) {
        return;
    }
    (void)str_copy(watch->version, sizeof watch->version, version);
    watch->broken_streams = 0;
}

void kube_watch_want_stop(struct kube_watch *watch, enum err err)
{
    if (watch->stop_err == ERR_OK) {
        watch->stop_err = err;
        loop_timer_set(watch->loop, &watch->timer, watch->loop->now_ms);
    }
}

/* ---- starting a call ------------------------------------------------------------------------- */

/* Both answer with single objects where the server knows no such reduction. */
#define METADATA_OF(kind)                                        \
    S("application/json;as=" kind ";g=meta.k8s.io;v=v1,"          \
      "application/json;as=" kind ";g=meta.k8s.io;v=v1beta1,"     \
      "application/json")

static str accept_of(const struct kube_watch *watch, bool is_list)
{
    if (!watch->config.metadata_only) {
        return STR_NONE;
    }
    return is_list ? METADATA_OF("PartialObjectMetadataList")
                   : METADATA_OF("PartialObjectMetadata");
}

/* The token is not needed any more once the reply has begun. */
static void wipe_headers(struct kube_watch *watch)
{
    kube_wipe(watch->request.ptr, watch->request.bytes);
}

static void on_head(struct http_call *call, const struct http_reply_head *head)
{
    struct kube_watch *watch = call->owner;
    watch->heard_at_ms = watch->loop->now_ms;
    wipe_headers(watch);
    if (head->status == 200) {
        say_connected(watch);
    }
}

static void on_body(struct http_call *call, str bytes)
{
    struct kube_watch *watch = call->owner;
    watch->heard_at_ms = watch->loop->now_ms;
    if (watch->stop_err != ERR_OK) {
        return;
    }
    if (call->head.status != 200) {
        size_t room;
        (void)buf_tail(&watch->refusal, &room);
        buf_put(&watch->refusal, str_sub(bytes, 0, room));
    } else if (watch->state == KUBE_WATCH_LISTING) {
        kube_watch_take_list(watch, bytes);
    } else {
        kube_watch_take_stream(watch, bytes);
    }
}

static void on_done(struct http_call *call, enum err err);

/* request holds the path; shape and deadlines are what page and stream differ in. */
static void call_begin(struct kube_watch *watch, enum split_shape shape, msec idle_ms,
                       msec limit_ms)
{
    struct buf piece, envelope;
    size_t path_bytes = watch->request.bytes;
    buf_init(&piece, watch->piece, watch->config.object_bytes_max);
    buf_init(&envelope, watch->envelope, KUBE_WATCH_ENVELOPE_BYTES);
    buf_init(&watch->refusal, watch->piece, REFUSAL_BYTES);
    json_split_init(&watch->split, shape, piece, envelope);
    kube_auth_put_headers(watch->auth, &watch->request, accept_of(watch, shape == SPLIT_LIST),
                          STR_NONE);
    CHECK(buf_ok(&watch->request));
    watch->generation = kube_auth_generation(watch->auth);
    watch->call_began_ms = watch->loop->now_ms;
    watch->call_pieces = 0;
    watch->stop_err = ERR_OK;
    watch->is_page_whole = false;
    watch->call = (struct http_call){
        .method = "GET",
        .path = str_sub(buf_str(&watch->request), 0, path_bytes),
        .headers = str_sub(buf_str(&watch->request), path_bytes, watch->request.bytes),
        .deadline_ms = limit_ms,
        .idle_max_ms = idle_ms,
        .on_head = on_head,
        .on_body = on_body,
        .on_done = on_done,
        .owner = watch,
    };
    http_client_send(&watch->client, &watch->call);
}

static void put_path(struct kube_watch *watch)
{
    buf_clear(&watch->request);
    buf_put_text(&watch->request, watch->auth->prefix);
    buf_put_text(&watch->request, watch->path);
}

static void put_query_number(struct buf *out, const char *key, uint64_t number)
{
    char text[24];
    struct buf digits;
    buf_init(&digits, text, sizeof text);
    buf_put_u64(&digits, number);
    kube_put_query(out, key, buf_str(&digits));
}

static void page_begin(struct kube_watch *watch)
{
    put_path(watch);
    if (watch->broken_pages < KUBE_LIST_BROKEN_MAX) {
        put_query_number(&watch->request, "limit", watch->config.page);
    }
    if (watch->token[0] != '\0') {
        kube_put_query(&watch->request, "continue", str_of(watch->token));
    } else if (watch->config.from_cache) {
        kube_put_query(&watch->request, "resourceVersion", S("0"));
    }
    call_begin(watch, SPLIT_LIST, KUBE_LIST_IDLE_MS, 0);
}

static void list_begin(struct kube_watch *watch)
{
    enter(watch, KUBE_WATCH_LISTING);
    watch->token[0] = '\0';
    watch->list_version[0] = '\0';
    watch->list = (struct kube_list_end){0};
    watch->list_began_ms = watch->loop->now_ms;
    watch->config.handlers->on_list_begin(watch);
    page_begin(watch);
}

static void list_end(struct kube_watch *watch)
{
    watch->lists++;
    watch->broken_pages = 0;
    watch->silent_streams = watch->silent_streams > 0; /* it may well be as quiet as before */
    watch->must_list = false;
    watch->is_synced = true;
    watch->synced_at_ms = watch->list_began_ms;
    kube_watch_set_version(watch, str_of(watch->list_version));
    watch->list.resource_version = str_of(watch->version);
    watch->config.handlers->on_list_end(watch, &watch->list);
    stream_begin(watch);
}

/* How long the stream shall last. After one on which nothing was said, the next is asked to end
 * before the limit of silence: then its end is the sign of life, and the connection is kept. */
static uint32_t stream_seconds(struct kube_watch *watch)
{
    msec quiet_ms = watch->config.idle_max_ms - STREAM_MARGIN_MS;
    if (watch->silent_streams > 0 && quiet_ms >= 1000) {
        return (uint32_t)(quiet_ms / 1000);
    }
    return STREAM_S_MIN + (uint32_t)prng_below(&watch->prng, STREAM_S_MAX - STREAM_S_MIN + 1);
}

static void stream_begin(struct kube_watch *watch)
{
    uint32_t stream_s = stream_seconds(watch);
    enter(watch, KUBE_WATCH_STREAMING);
    put_path(watch);
    kube_put_query(&watch->request, "watch", S("true"));
    kube_put_query(&watch->request, "allowWatchBookmarks", S("true"));
    kube_put_query(&watch->request, "resourceVersion", str_of(watch->version));
    put_query_number(&watch->request, "timeoutSeconds", stream_s);
    call_begin(watch, SPLIT_WATCH, watch->config.idle_max_ms,
               (msec)stream_s * 1000 + STREAM_LATE_MS);
}

/* ---- how a call ended, and what comes next --------------------------------------------------- */

static void go_on(struct kube_watch *watch)
{
    if (watch->must_list || watch->version[0] == '\0') {
        list_begin(watch);
    } else {
        watch->resumes++;
        stream_begin(watch);
    }
}

/* count: one of the counters of things that went wrong in a row. Each has its own, so that "too
 * old" after a long outage is followed by a list at once. */
static void back_off(struct kube_watch *watch, uint32_t *count)
{
    watch->failures++;
    ++*count;
    msec max_ms =
        count == &watch->failures_row ? KUBE_WATCH_AWAY_MAX_MS : KUBE_WATCH_BACKOFF_MAX_MS;
    msec wait_ms = backoff_ms(*count, KUBE_WATCH_BACKOFF_MS, max_ms, &watch->prng);
    int64_t asked_s = watch->call.head.status / 100 == 2 ? -1 : watch->call.head.retry_after_s;
    asked_s = asked_s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : asked_s;
    if (watch->call.head.status != 0 && wait_ms < asked_s * 1000) {
        wait_ms = asked_s * 1000;
    }
    enter(watch, KUBE_WATCH_WAITING);
    loop_timer_set(watch->loop, &watch->timer, watch->loop->now_ms + wait_ms);
}

/* New credentials make an immediate second try worth while; otherwise a refusal is a failure. */
static void fail(struct kube_watch *watch, enum err err, const char *why)
{
    if (err == ERR_AUTH && kube_auth_refused(watch->auth, watch->generation)) {
        go_on(watch);
        return;
    }
    say_disconnected(watch, err, why);
    back_off(watch, &watch->failures_row);
}

static void after_page(struct kube_watch *watch, enum err err, const char *why)
{
    bool has_token = watch->token[0] != '\0'; /* of the next page, or of the one that failed */
    if (err == ERR_OK && watch->is_page_whole) {
        if (has_token) {
            page_begin(watch);
        } else {
            list_end(watch);
        }
        return;
    }
    watch->must_list = true;
    if (err == ERR_OK) {
        err = ERR_BAD_REPLY;
        why = "the list was not complete, or changed its version between two pages";
    }
    if (err == ERR_BAD_REPLY || err == ERR_GONE || (err == ERR_INVALID && has_token)) {
        watch->broken_pages++;
    }
    if (err == ERR_GONE) {
        back_off(watch, &watch->gone_row); /* a page token expired: the connection is well */
    } else {
        fail(watch, err, why);
    }
}

/* The stream was accepted and is over without a fault that anybody told us. */
static void after_quiet_end(struct kube_watch *watch)
{
    msec lived_ms = watch->loop->now_ms - watch->call_began_ms;
    watch->silent_streams = watch->call_pieces == 0 ? watch->silent_streams + 1 : 0;
    if (watch->silent_streams >= KUBE_WATCH_SILENT_MAX) {
        watch->must_list = true;
    }
    if (lived_ms < STREAM_SHORT_MS && watch->call_pieces == 0) {
        back_off(watch, &watch->failures_row);
    } else {
        go_on(watch);
    }
}

static void after_stream(struct kube_watch *watch, enum err err, const char *why)
{
    bool was_accepted = watch->call.head.status == 200;
    if (watch->loop->now_ms - watch->call_began_ms > KUBE_WATCH_BACKOFF_MAX_MS) {
        watch->failures_row = watch->gone_row = 0;
    }
    if (err == ERR_CANCELLED) {
        go_on(watch);
    } else if (was_accepted && (err == ERR_OK || err == ERR_TIMEOUT)) {
        after_quiet_end(watch);
    } else if (err == ERR_GONE) {
        watch->must_list = true;
        back_off(watch, &watch->gone_row);
    } else {
        bool is_nonsense =
            err == ERR_BAD_REPLY || err == ERR_INVALID || (was_accepted && err == ERR_SERVER);
        watch->broken_streams += is_nonsense;
        watch->must_list = watch->must_list || watch->broken_streams >= KUBE_WATCH_BROKEN_MAX;
        fail(watch, err, why);
    }
}

static void call_ended(struct kube_watch *watch, enum err err, const char *why)
{
    watch->stop_err = ERR_OK;
    loop_timer_clear(watch->loop, &watch->timer);
    wipe_headers(watch);
    if (watch->state == KUBE_WATCH_LISTING) {
        after_page(watch, err, why);
    } else {
        after_stream(watch, err, why);
    }
}

static void on_done(struct http_call *call, enum err err)
{
    struct kube_watch *watch = call->owner;
    struct kube_status status;
    size_t mark = arena_mark(watch->arena);
    if (watch->stop_err != ERR_OK) {
        call_ended(watch, watch->stop_err, err_text(watch->stop_err));
        return;
    }
    err = kube_judge(call, err, false, buf_str(&watch->refusal), watch->arena, &status);
    const char *why = arena_cstr(watch->arena, kube_why(call, err, &status, watch->arena));
    call_ended(watch, err, why != NULL ? why : err_text(err));
    arena_rewind(watch->arena, mark);
}

static void on_timer(struct loop_timer *timer)
{
    struct kube_watch *watch = timer->owner;
    if (watch->stop_err != ERR_OK) {
        http_client_cancel(&watch->client, &watch->call);
        call_ended(watch, watch->stop_err, err_text(watch->stop_err));
    } else {
        go_on(watch);
    }
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void build_path(struct kube_watch *watch)
{
    const struct kube_watch_config *config = &watch->config;
    struct buf path;
    buf_init(&path, watch->path, sizeof watch->path - 1);
    kube_put_path(&path, config->kind, config->name_space, STR_NONE, STR_NONE);
    if (!str_is_empty(config->field_selector)) {
        kube_put_query(&path, "fieldSelector", config->field_selector);
    }
    if (!str_is_empty(config->label_selector)) {
        kube_put_query(&path, "labelSelector", config->label_selector);
    }
    CHECK(buf_ok(&path));
    watch->path[path.bytes] = '\0';
    watch->config.name_space = watch->config.field_selector = watch->config.label_selector =
        STR_NONE;
}

void kube_watch_init(struct kube_watch *watch, struct loop *loop, struct region *region,
                     struct kube_auth *auth, struct arena *arena, uint64_t seed,
                     const struct kube_watch_config *config)
{
    *watch = (struct kube_watch){
        .owner = config->owner, .config = *config, .auth = auth, .arena = arena, .loop = loop};
    size_t object_bytes =
        config->object_bytes_max > 0 ? config->object_bytes_max : KUBE_OBJECT_BYTES_MAX;
    CHECK(object_bytes >= REFUSAL_BYTES);
    watch->config.object_bytes_max = object_bytes;
    watch->config.page = config->page > 0 ? config->page : KUBE_WATCH_PAGE;
    watch->config.idle_max_ms = config->idle_max_ms > 0 ? config->idle_max_ms : KUBE_WATCH_IDLE_MS;
    build_path(watch);
    prng_seed(&watch->prng, seed);
    loop_timer_init(&watch->timer, on_timer, watch);
    char *memory =
        region_carve(region, config->name, 1,
                     object_bytes + KUBE_WATCH_ENVELOPE_BYTES + KUBE_WATCH_REQUEST_BYTES);
    http_client_init(&watch->client, loop, region, config->name, 1, &auth->target);
    kube_auth_attach(auth, &watch->client);
    if (memory != NULL) { /* not in the planning pass */
        watch->piece = memory;
        watch->envelope = memory + object_bytes;
        buf_init(&watch->request, watch->envelope + KUBE_WATCH_ENVELOPE_BYTES,
                 KUBE_WATCH_REQUEST_BYTES);
    }
}

void kube_watch_start(struct kube_watch *watch)
{
    CHECK(watch->state == KUBE_WATCH_OFF);
    watch->failures_row = 0;
    watch->must_list = true;
    list_begin(watch);
}

void kube_watch_stop(struct kube_watch *watch)
{
    if (watch->state == KUBE_WATCH_LISTING || watch->state == KUBE_WATCH_STREAMING) {
        http_client_cancel(&watch->client, &watch->call);
    }
    wipe_headers(watch);
    loop_timer_clear(watch->loop, &watch->timer);
    watch->stop_err = ERR_OK;
    watch->version[0] = '\0';
    watch->is_connected = false;
    enter(watch, KUBE_WATCH_OFF);
}

void kube_watch_relist(struct kube_watch *watch)
{
    watch->must_list = watch->must_list || watch->state != KUBE_WATCH_LISTING;
    if (watch->state == KUBE_WATCH_STREAMING) {
        kube_watch_want_stop(watch, ERR_CANCELLED);
    }
}
