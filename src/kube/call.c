/*
 * see call.h
 *
 * A slot's text holds, one after the other: path, body, headers (last of the three, because new
 * credentials may make them longer or shorter), then room for the reply.
 */
#include "kube/call.h"

#include "base/check.h"

#define SWEEP_MS 250          /* deadlines of waiting requests are looked at so often */
#define HOLD_BACK_MAX_S 60    /* we do not believe a Retry-After of hours */
#define LARGE_BIT 0x80000000u /* in handle.slot: which of the two pools */

static const struct verb_row {
    const char *method;
    const char *content_type;
    bool is_write;
} verb_rows[KUBE_VERB_COUNT] = {
    [KUBE_GET] = {"GET", "", false},
    [KUBE_CREATE] = {"POST", "application/json", true},
    [KUBE_UPDATE] = {"PUT", "application/json", true},
    [KUBE_MERGE_PATCH] = {"PATCH", "application/merge-patch+json", true},
    [KUBE_STRATEGIC_PATCH] = {"PATCH", "application/strategic-merge-patch+json", true},
    [KUBE_DELETE] = {"DELETE", "application/json", true},
};

enum slot_state { SLOT_WAITING, SLOT_RUNNING, SLOT_DONE };

struct slot {
    struct list_node node; /* in calls->waiting */
    struct http_call http;
    struct kube_calls *calls;
    struct kube_request request; /* its path and body point into the text */
    enum slot_state state;
    uint32_t size; /* index into calls->sizes */
    struct buf text;
    size_t headers_at;
    struct buf reply;
    bool is_cut;       /* the reply did not fit */
    bool was_repeated; /* after a 401 */
    msec deadline_at_ms;
    uint64_t generation; /* of the credentials in the headers */
};

static void calls_pump(struct kube_calls *calls);

/* ---- slots ----------------------------------------------------------------------------------- */

static handle slot_handle(const struct slot *slot)
{
    handle h = pool_handle_of(&slot->calls->sizes[slot->size].pool, slot);
    h.slot |= slot->size == 1 ? LARGE_BIT : 0;
    return h;
}

static struct slot *slot_at(struct kube_calls *calls, handle h)
{
    struct pool *pool = &calls->sizes[(h.slot & LARGE_BIT) != 0 ? 1 : 0].pool;
    h.slot &= ~LARGE_BIT;
    return pool_at(pool, h);
}

static bool size_has_room(const struct kube_call_size *size, enum kube_rank rank)
{
    uint32_t max = size->pool.count_max;
    uint32_t reserve = 0;
    if (rank == KUBE_RANK_LOW) {
        reserve = max / 2;
    } else if (rank == KUBE_RANK_NORMAL) {
        reserve = max / 8 > 0 ? max / 8 : max > 1;
    }
    return max - size->pool.count > reserve;
}

/* Everything the slot held may be secret: token, a Secret's data. Only what was used is touched. */
static void slot_give(struct slot *slot)
{
    struct kube_call_size *size = &slot->calls->sizes[slot->size];
    kube_wipe(slot->text.ptr, slot->text.bytes + slot->reply.bytes);
    pool_give(&size->pool, pool_handle_of(&size->pool, slot));
}

static struct slot *slot_take(struct kube_calls *calls, uint32_t size_index)
{
    struct kube_call_size *size = &calls->sizes[size_index];
    handle h;
    if (pool_take(&size->pool, &h) != ERR_OK) {
        return NULL;
    }
    struct slot *slot = pool_at(&size->pool, h);
    slot->calls = calls;
    slot->size = size_index;
    buf_init(&slot->text, size->texts + (size_t)(h.slot - 1) * size->bytes, size->bytes);
    return slot;
}

/* Writes the headers behind path and body; what is left is for the reply. False when too small. */
static bool slot_put_headers(struct slot *slot)
{
    const struct verb_row *verb = &verb_rows[slot->request.verb];
    struct kube_auth *auth = slot->calls->auth;
    size_t room;
    slot->text.bytes = slot->headers_at;
    kube_auth_put_headers(auth, &slot->text, slot->request.accept, str_of(verb->content_type));
    slot->generation = kube_auth_generation(auth);
    char *rest = buf_tail(&slot->text, &room);
    buf_init(&slot->reply, rest, room);
    size_t wanted = slot->request.reply_bytes;
    return buf_ok(&slot->text) &&
           room >= (wanted > KUBE_REPLY_BYTES_MIN ? wanted : KUBE_REPLY_BYTES_MIN);
}

static bool slot_fill(struct slot *slot, const struct kube_request *request)
{
    struct buf *text = &slot->text;
    slot->request = *request;
    buf_put_text(text, slot->calls->auth->prefix);
    buf_put(text, request->path);
    size_t path_bytes = text->bytes;
    buf_put(text, request->body);
    slot->request.path = str_make(text->ptr, path_bytes);
    slot->request.body = str_make(text->ptr + path_bytes, text->bytes - path_bytes);
    slot->headers_at = text->bytes;
    return slot_put_headers(slot);
}

static void count_running(const struct slot *slot, bool begins)
{
    struct kube_calls *calls = slot->calls;
    uint32_t one = begins ? 1 : (uint32_t)-1;
    calls->running += one;
    calls->running_high += slot->request.rank == KUBE_RANK_HIGH ? one : 0;
}

/* ---- the end of a request -------------------------------------------------------------------- */

static void slot_finish(struct slot *slot, enum err err, const struct kube_status *status, str why)
{
    struct kube_calls *calls = slot->calls;
    const struct kube_request *request = &slot->request;
    struct kube_reply reply = {.err = err,
                               .status = slot->http.head.status,
                               .body = buf_str(&slot->reply),
                               .why_status = *status,
                               .why = why,
                               .date_unix_s = slot->http.head.date_unix_s,
                               .retry_after_s = slot->http.head.retry_after_s,
                               .about = request->about,
                               .op = request->op};
    if (reply.status == 0) {
        reply.retry_after_s = -1;
    } else if (reply.retry_after_s < 0) {
        reply.retry_after_s = status->retry_after_s;
    }
    slot->state = SLOT_DONE;
    calls->done[err]++;
    request->on_done(request->owner, &reply);
    slot_give(slot);
}

/* The server is busy: events are the first to wait. */
static void hold_events_back(struct kube_calls *calls, const struct slot *slot)
{
    int64_t wait_s = slot->http.head.retry_after_s;
    wait_s = wait_s < 1 ? 1 : wait_s > HOLD_BACK_MAX_S ? HOLD_BACK_MAX_S : wait_s;
    calls->low_after_ms = calls->loop->now_ms + wait_s * 1000;
}

static bool slot_is_repeated(struct slot *slot, struct kube_status *status)
{
    struct kube_calls *calls = slot->calls;
    if (slot->was_repeated || !kube_auth_refused(calls->auth, slot->generation)) {
        return false;
    }
    if (!slot_put_headers(slot)) { /* where the texts of status were there may be a token now */
        *status = (struct kube_status){.retry_after_s = -1};
        return false;
    }
    slot->was_repeated = true;
    slot->state = SLOT_WAITING;
    list_push_front(&calls->waiting[slot->request.rank], &slot->node);
    return true;
}

static void on_done(struct http_call *http, enum err err)
{
    struct slot *slot = http->owner;
    struct kube_calls *calls = slot->calls;
    size_t mark = arena_mark(calls->arena);
    struct kube_status status;
    count_running(slot, false);
    err = kube_judge(http, err, verb_rows[slot->request.verb].is_write, buf_str(&slot->reply),
                     calls->arena, &status);
    if (err == ERR_THROTTLED) {
        hold_events_back(calls, slot);
    } else if (err == ERR_OK && slot->is_cut && slot->request.reply_bytes > 0) {
        err = ERR_TOO_BIG;
    }
    if (err != ERR_AUTH || !slot_is_repeated(slot, &status)) {
        slot_finish(slot, err, &status, kube_why(http, err, &status, calls->arena));
    }
    arena_rewind(calls->arena, mark);
    calls_pump(calls);
}

/* ---- the reply as it comes ------------------------------------------------------------------- */

static void on_body(struct http_call *http, str bytes)
{
    struct slot *slot = http->owner;
    bool is_success = http->head.status / 100 == 2;
    if (is_success && slot->request.reply_bytes == 0) {
        return;
    }
    size_t room;
    (void)buf_tail(&slot->reply, &room);
    slot->is_cut = slot->is_cut || bytes.bytes > room;
    buf_put(&slot->reply, str_sub(bytes, 0, room));
}

/* ---- start ----------------------------------------------------------------------------------- */

static void slot_run(struct slot *slot)
{
    struct kube_calls *calls = slot->calls;
    slot->http = (struct http_call){
        .method = verb_rows[slot->request.verb].method,
        .path = slot->request.path,
        .headers = str_sub(buf_str(&slot->text), slot->headers_at, slot->text.bytes),
        .body = slot->request.body,
        .deadline_ms = slot->deadline_at_ms - calls->loop->now_ms,
        .on_body = on_body,
        .on_done = on_done,
        .owner = slot,
    };
    slot->reply.bytes = 0;
    slot->is_cut = false;
    slot->state = SLOT_RUNNING;
    count_running(slot, true);
    http_client_send(&calls->client, &slot->http);
}

/* Whether a request of this rank may have one more connection. */
static bool rank_may_run(const struct kube_calls *calls, int rank)
{
    if (rank == KUBE_RANK_HIGH) {
        return calls->running_high < calls->running_max - calls->running_max / 4;
    }
    return rank != KUBE_RANK_LOW || calls->loop->now_ms >= calls->low_after_ms;
}

static struct list *next_waiting(struct kube_calls *calls)
{
    for (int rank = KUBE_RANK_COUNT - 1; rank >= 0; rank--) {
        if (calls->waiting[rank].count > 0 && rank_may_run(calls, rank)) {
            return &calls->waiting[rank];
        }
    }
    return NULL;
}

static bool anybody_waits(const struct kube_calls *calls)
{
    uint32_t count = 0;
    for (int rank = 0; rank < KUBE_RANK_COUNT; rank++) {
        count += calls->waiting[rank].count;
    }
    return count > 0;
}

/* One whose time is up is not sent any more; on_sweep(), in its own turn, tells its owner. */
static void calls_pump(struct kube_calls *calls)
{
    struct list *list;
    msec sweep_ms = SWEEP_MS;
    while (calls->running < calls->running_max && (list = next_waiting(calls)) != NULL) {
        struct slot *slot = LIST_OWNER(list_front(list), struct slot, node);
        if (slot->deadline_at_ms <= calls->loop->now_ms) {
            sweep_ms = 0;
            break;
        }
        list_remove(list, &slot->node);
        slot_run(slot);
    }
    if (anybody_waits(calls)) {
        loop_timer_set(calls->loop, &calls->timer, calls->loop->now_ms + sweep_ms);
    } else {
        loop_timer_clear(calls->loop, &calls->timer);
    }
}

bool kube_calls_idle(const struct kube_calls *calls)
{
    return !anybody_waits(calls) && calls->running < calls->running_max &&
           http_client_has_idle(&calls->client);
}

enum err kube_call_send(struct kube_calls *calls, const struct kube_request *request, handle *out)
{
    CHECK((unsigned)request->verb < KUBE_VERB_COUNT && (unsigned)request->rank < KUBE_RANK_COUNT);
    CHECK(request->on_done != NULL && request->path.bytes > 0 && request->path.ptr[0] == '/');
    enum err err = ERR_TOO_BIG;
    for (uint32_t i = 0; i < KUBE_CALL_SIZES; i++) {
        struct slot *slot =
            size_has_room(&calls->sizes[i], request->rank) ? slot_take(calls, i) : NULL;
        if (slot == NULL) {
            err = ERR_FULL;
            continue;
        }
        if (!slot_fill(slot, request)) {
            slot_give(slot);
            continue;
        }
        msec allowed_ms = request->deadline_ms > 0 ? request->deadline_ms : KUBE_CALL_DEADLINE_MS;
        slot->deadline_at_ms = calls->loop->now_ms + allowed_ms;
        list_push_back(&calls->waiting[request->rank], &slot->node);
        if (out != NULL) {
            *out = slot_handle(slot);
        }
        calls_pump(calls);
        return ERR_OK;
    }
    calls->refused++;
    return err;
}

/* ---- deadlines of those that wait; cancelling ------------------------------------------------ */

static struct slot *find_late(struct kube_calls *calls)
{
    for (int rank = 0; rank < KUBE_RANK_COUNT; rank++) {
        struct list *list = &calls->waiting[rank];
        for (struct list_node *node = list_front(list); node != NULL;
             node = list_after(list, node)) {
            struct slot *slot = LIST_OWNER(node, struct slot, node);
            if (slot->deadline_at_ms <= calls->loop->now_ms) {
                return slot;
            }
        }
    }
    return NULL;
}

/* Looks from the start after each one: its on_done may have sent or cancelled others. Requests sent
 * from there are not late, so this ends. */
static void on_sweep(struct loop_timer *timer)
{
    struct kube_calls *calls = timer->owner;
    static const struct kube_status none = {.retry_after_s = -1};
    struct slot *slot;
    while ((slot = find_late(calls)) != NULL) {
        list_remove(&calls->waiting[slot->request.rank], &slot->node);
        slot->http.head = (struct http_reply_head){0};
        slot_finish(slot, ERR_TIMEOUT, &none,
                    S("waited too long for a connection; nothing was sent"));
    }
    calls_pump(calls);
}

static void slot_cancel(struct slot *slot)
{
    struct kube_calls *calls = slot->calls;
    if (slot->state == SLOT_WAITING) {
        list_remove(&calls->waiting[slot->request.rank], &slot->node);
    } else {
        http_client_cancel(&calls->client, &slot->http);
        count_running(slot, false);
    }
    calls->done[ERR_CANCELLED]++;
    slot_give(slot);
}

/* A slot whose on_done is running just now is given back by slot_finish(). */
void kube_call_cancel(struct kube_calls *calls, handle call)
{
    struct slot *slot = slot_at(calls, call);
    if (slot != NULL && slot->state != SLOT_DONE) {
        slot_cancel(slot);
        calls_pump(calls);
    }
}

void kube_calls_stop(struct kube_calls *calls)
{
    for (uint32_t i = 0; i < KUBE_CALL_SIZES; i++) {
        struct pool *pool = &calls->sizes[i].pool;
        for (handle h = pool_first(pool); !handle_is_none(h); h = pool_after(pool, h)) {
            struct slot *slot = pool_at(pool, h);
            if (slot->state != SLOT_DONE) {
                slot_cancel(slot);
            }
        }
    }
    loop_timer_clear(calls->loop, &calls->timer);
    http_client_stop(&calls->client);
}

static void size_init(struct kube_call_size *size, struct region *region, const char *name,
                      const char *texts_name, uint32_t count, uint32_t bytes)
{
    size->bytes = bytes;
    pool_init(&size->pool, region, name, count, sizeof(struct slot));
    size->texts = region_carve(region, texts_name, count, bytes);
}

void kube_calls_init(struct kube_calls *calls, struct loop *loop, struct region *region,
                     struct kube_auth *auth, struct arena *arena,
                     const struct kube_calls_config *config)
{
    *calls = (struct kube_calls){.auth = auth, .arena = arena, .loop = loop};
    calls->running_max = config->conns_count;
    size_init(&calls->sizes[0], region, "kube calls", "kube call texts", config->small_count,
              config->small_bytes);
    size_init(&calls->sizes[1], region, "kube large calls", "kube large texts", config->large_count,
              config->large_bytes);
    http_client_init(&calls->client, loop, region, "calls", config->conns_count, &auth->target);
    kube_auth_attach(auth, &calls->client);
    loop_timer_init(&calls->timer, on_sweep, calls);
    for (int rank = 0; rank < KUBE_RANK_COUNT; rank++) {
        list_init(&calls->waiting[rank]);
    }
}

/* ---- what a reply means ---------------------------------------------------------------------- */

static const struct reason_row {
    const char *reason; /* metav1.StatusReason */
    enum err err;
} reason_rows[] = {
    {"Unauthorized", ERR_AUTH},
    {"Forbidden", ERR_FORBIDDEN},
    {"NotFound", ERR_NOT_FOUND},
    {"AlreadyExists", ERR_CONFLICT},
    {"Conflict", ERR_CONFLICT},
    {"Gone", ERR_GONE},
    {"Expired", ERR_GONE},
    {"Invalid", ERR_INVALID},
    {"BadRequest", ERR_INVALID},
    {"MethodNotAllowed", ERR_INVALID},
    {"NotAcceptable", ERR_INVALID},
    {"RequestEntityTooLarge", ERR_INVALID},
    {"UnsupportedMediaType", ERR_INVALID},
    {"TooManyRequests", ERR_THROTTLED},
    {"Timeout", ERR_TIMEOUT}, /* the server gave up; it may still have done it */
    {"ServerTimeout", ERR_TIMEOUT},
    {"InternalError", ERR_SERVER},
    {"ServiceUnavailable", ERR_SERVER},
};

static const struct status_row {
    int status;
    enum err err;
} status_rows[] = {
    {401, ERR_AUTH},     {403, ERR_FORBIDDEN}, {404, ERR_NOT_FOUND}, {408, ERR_TIMEOUT},
    {409, ERR_CONFLICT}, {410, ERR_GONE},      {429, ERR_THROTTLED}, {504, ERR_TIMEOUT},
};

enum err kube_err_of(int status, str reason)
{
    if (status / 100 == 2) {
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof reason_rows / sizeof *reason_rows; i++) {
        if (str_eq(reason, str_of(reason_rows[i].reason))) {
            return reason_rows[i].err;
        }
    }
    for (size_t i = 0; i < sizeof status_rows / sizeof *status_rows; i++) {
        if (status == status_rows[i].status) {
            return status_rows[i].err;
        }
    }
    return status / 100 == 5 ? ERR_SERVER : status / 100 == 4 ? ERR_INVALID : ERR_BAD_REPLY;
}

bool kube_is_absent(const struct kube_reply *reply, enum kube_kind kind, str name)
{
    const struct kube_status *status = &reply->why_status;
    return reply->err == ERR_NOT_FOUND && reply->status == 404 &&
           str_eq(status->reason, S("NotFound")) &&
           str_eq(status->kind, str_of(kube_kind_row(kind)->resource)) &&
           str_eq(status->name, name);
}

enum err kube_read_one(const struct kube_reply *reply, enum kube_kind kind, str name, str uid,
                       struct arena *arena, json *object)
{
    struct kube_meta meta;
    if (reply->err == ERR_NOT_FOUND) {
        return kube_is_absent(reply, kind, name) ? ERR_NOT_FOUND : ERR_BAD_REPLY;
    }
    if (reply->err != ERR_OK) {
        return reply->err;
    }
    if (json_parse(reply->body, arena, object, NULL) != ERR_OK) {
        return ERR_BAD_REPLY;
    }
    kube_meta_read(*object, arena, &meta);
    if (!json_text_is(json_get(*object, "kind"), kube_kind_row(kind)->kind) ||
        !str_eq(meta.name, name) || str_is_empty(meta.uid)) {
        return ERR_BAD_REPLY;
    }
    return str_eq(meta.uid, uid) ? ERR_OK : ERR_NOT_FOUND; /* another one has its name now */
}

enum err kube_judge(const struct http_call *call, enum err err, bool is_write, str body,
                    struct arena *arena, struct kube_status *status)
{
    *status = (struct kube_status){.retry_after_s = -1};
    if (err == ERR_OK && call->head.status / 100 != 2) {
        kube_status_read(body, arena, status);
        err = kube_err_of(call->head.status, status->reason);
        /* A patch with the UID of an object's predecessor: 409 is what newer servers say, older
         * ones (1.20) find that the patch wants to change an immutable field. */
        if (err == ERR_INVALID && str_eq(status->field, S("metadata.uid"))) {
            err = ERR_CONFLICT;
        }
    }
    return is_write ? err_of_write(err, call->was_sent) : err;
}

str kube_why(const struct http_call *call, enum err err, const struct kube_status *status,
             struct arena *arena)
{
    str why = STR_NONE;
    if (err == ERR_OK) {
        return why;
    }
    if (!str_is_empty(status->message)) {
        why = arena_fmt(arena, "%d %.*s: %.*s", call->head.status, STR_ARG(status->reason),
                        STR_ARG(status->message));
    } else if (call->head.status != 0 && call->why[0] == '\0') {
        why = arena_fmt(arena, "HTTP status %d: %s", call->head.status, err_text(err));
    } else if (call->why[0] != '\0') {
        why = str_of(call->why);
    }
    return str_is_empty(why) ? str_of(err_text(err)) : why;
}
