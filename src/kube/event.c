/* see event.h */
#include "kube/event.h"

#include "base/backoff.h"
#include "base/check.h"
#include "base/codec.h"
#include "os/os.h"

#define RETRY_MS 1000
#define RETRY_MAX_MS 60000
#define OBJECT_WAYS 4 /* cells of the budget table an object may be in */
#define HEX_DIGITS 16
#define NAME_COUNTER_BITS 20

/* The texts of an entry lie one after the other, each with its NUL, in a block of one of two sizes:
 * most events are short, and only what is used of a pool costs memory. */
#define SHORT_TEXTS_BYTES 512
#define TEXTS_COUNT 7
#define TEXTS_BYTES_MAX                                                                        \
    (KUBE_NAMESPACE_BYTES_MAX + 3 * KUBE_NAME_BYTES_MAX + 2 * KUBE_EVENT_REASON_BYTES_MAX +    \
     KUBE_EVENT_MESSAGE_BYTES_MAX + TEXTS_COUNT)

struct entry {
    struct due_item due;     /* set while it waits to be written */
    struct list_node recent; /* else, unless it is being written */
    uint64_t key;
    enum kube_kind kind;
    bool is_warning;
    bool is_posted; /* the server has the event: repetitions are patches */
    bool is_named;  /* counted by somebody else, under a name of its own */
    uint32_t count, count_sent;
    int64_t first_unix_s, last_unix_s;
    msec sent_at_ms;     /* start of the newest write */
    msec waits_since_ms; /* for the first write that has not succeeded */
    uint32_t failures_row;
    bool is_long; /* which pool its texts are of */
    handle texts;
    const char *name_space;
    const char *name;
    const char *uid; /* a Node's is its name */
    char *event_name;
    size_t event_name_bytes; /* of room, with the NUL */
    const char *reason;
    const char *component; /* empty: ours */
    const char *message;
};

struct kube_event_object {
    uint64_t hash; /* 0 = free */
    msec filled_at_ms;
    uint32_t tokens;
};

static void pump(struct kube_events *events);

/* ---- budget of an object --------------------------------------------------------------------- */

/* Its cell, brought up to date; an object that is new takes the place of the one longest at rest.
 */
static struct kube_event_object *object_cell(struct kube_events *events, str uid)
{
    msec now_ms = events->loop->now_ms;
    uint64_t hash = str_hash(uid) | 1;
    uint32_t sets = events->config.objects_max / OBJECT_WAYS;
    struct kube_event_object *set = &events->objects[(hash >> 1) % sets * OBJECT_WAYS];
    struct kube_event_object *cell = &set[0];
    for (uint32_t i = 0; i < OBJECT_WAYS && cell->hash != hash; i++) {
        bool is_better = set[i].hash == hash || set[i].hash == 0 ||
                         (cell->hash != 0 && set[i].filled_at_ms < cell->filled_at_ms);
        cell = is_better ? &set[i] : cell;
    }
    if (cell->hash != hash) {
        *cell = (struct kube_event_object){
            .hash = hash, .filled_at_ms = now_ms, .tokens = KUBE_EVENT_BURST};
    }
    msec passed = (now_ms - cell->filled_at_ms) / KUBE_EVENT_REFILL_MS;
    msec tokens = cell->tokens + passed;
    cell->filled_at_ms += passed * KUBE_EVENT_REFILL_MS;
    cell->tokens = tokens > KUBE_EVENT_BURST ? KUBE_EVENT_BURST : (uint32_t)tokens;
    return cell;
}

static msec object_wait_ms(struct kube_events *events, str uid)
{
    const struct kube_event_object *cell = object_cell(events, uid);
    return cell->tokens > 0 ? 0 : cell->filled_at_ms + KUBE_EVENT_REFILL_MS - events->loop->now_ms;
}

static void object_charge(struct kube_events *events, str uid)
{
    struct kube_event_object *cell = object_cell(events, uid);
    cell->tokens -= cell->tokens > 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static struct pool *pool_of_texts(struct kube_events *events, const struct entry *entry)
{
    return entry->is_long ? &events->long_texts : &events->short_texts;
}

static bool texts_fit(const struct kube_event *event, str message)
{
    return event->name_space.bytes <= KUBE_NAMESPACE_BYTES_MAX &&
           event->name.bytes <= KUBE_NAME_BYTES_MAX && event->uid.bytes <= KUBE_NAME_BYTES_MAX &&
           event->own_name.bytes <= KUBE_NAME_BYTES_MAX &&
           event->reason.bytes <= KUBE_EVENT_REASON_BYTES_MAX &&
           message.bytes <= KUBE_EVENT_MESSAGE_BYTES_MAX;
}

static char *put_text(struct buf *block, str text)
{
    char *start = block->ptr + block->bytes;
    buf_put(block, text);
    buf_put_char(block, '\0');
    return start;
}

/* Room for a name that is made here: make_name(). */
static size_t name_bytes(const struct kube_event *event)
{
    size_t bytes = event->name.bytes + 1 + HEX_DIGITS;
    bytes = bytes > KUBE_NAME_BYTES_MAX ? KUBE_NAME_BYTES_MAX : bytes;
    return 1 + (str_is_empty(event->own_name) ? bytes : event->own_name.bytes);
}

/* There are as many blocks of each size as entries. False: the texts are too long. */
static bool take_texts(struct kube_events *events, struct entry *entry,
                       const struct kube_event *event, str message)
{
    struct buf block;
    if (!texts_fit(event, message)) {
        return false;
    }
    str component = str_sub(event->component, 0, KUBE_EVENT_REASON_BYTES_MAX);
    entry->event_name_bytes = name_bytes(event);
    size_t bytes = event->name_space.bytes + event->name.bytes + event->uid.bytes +
                   event->reason.bytes + component.bytes + message.bytes + entry->event_name_bytes +
                   TEXTS_COUNT - 1;
    entry->is_long = bytes > SHORT_TEXTS_BYTES;
    struct pool *pool = pool_of_texts(events, entry);
    if (pool_take(pool, &entry->texts) != ERR_OK) {
        return false;
    }
    buf_init(&block, pool_at(pool, entry->texts), bytes);
    entry->name_space = put_text(&block, event->name_space);
    entry->name = put_text(&block, event->name);
    entry->uid = put_text(&block, event->uid);
    entry->reason = put_text(&block, event->reason);
    entry->component = put_text(&block, component);
    entry->message = put_text(&block, message);
    entry->event_name = put_text(&block, event->own_name);
    CHECK(buf_ok(&block));
    return true;
}

static void give_texts(struct kube_events *events, struct entry *entry)
{
    if (!handle_is_none(entry->texts)) {
        pool_give(pool_of_texts(events, entry), entry->texts);
    }
}

/* ---- entries --------------------------------------------------------------------------------- */

static void forget(struct kube_events *events, struct entry *entry)
{
    handle h = pool_handle_of(&events->entries, entry);
    CHECK(index_remove(&events->by_key, entry->key, h));
    due_clear(&events->due, &entry->due);
    if (list_has(&entry->recent)) {
        list_remove(&events->recent, &entry->recent);
    }
    give_texts(events, entry);
    pool_give(&events->entries, h);
}

/* A free entry, or the one longest without news; NULL when all wait to be written. */
static struct entry *take_entry(struct kube_events *events)
{
    handle h;
    struct list_node *oldest = list_front(&events->recent);
    if (events->entries.count == events->entries.count_max && oldest != NULL) {
        forget(events, LIST_OWNER(oldest, struct entry, recent));
    }
    return pool_take(&events->entries, &h) == ERR_OK ? pool_at(&events->entries, h) : NULL;
}

static uint64_t key_of(const struct kube_event *event, str message)
{
    uint64_t key = str_hash(event->uid);
    key = key * 31 + str_hash(event->name);
    key = key * 31 + str_hash(event->reason);
    key = key * 31 + str_hash(message);
    key = key * 31 + str_hash(event->own_name);
    return key * 31 + event->is_warning;
}

static bool is_same_name(const struct entry *entry, const struct kube_event *event)
{
    bool is_named = !str_is_empty(event->own_name);
    return entry->is_named == is_named &&
           (!is_named || str_eq(str_of(entry->event_name), event->own_name));
}

static struct entry *find_entry(struct kube_events *events, uint64_t key,
                                const struct kube_event *event, str message)
{
    uint32_t at = INDEX_START;
    handle h;
    while (index_find(&events->by_key, key, &at, &h)) {
        struct entry *entry = pool_at(&events->entries, h);
        if (entry->is_warning == event->is_warning && entry->kind == event->kind &&
            str_eq(str_of(entry->uid), event->uid) && str_eq(str_of(entry->name), event->name) &&
            str_eq(str_of(entry->reason), event->reason) &&
            str_eq(str_of(entry->message), message) && is_same_name(entry, event)) {
            return entry;
        }
    }
    return NULL;
}

/* "<object>.<hex>", at most 253 bytes, and what stands before the dot ends in a letter or digit. */
static void make_name(struct kube_events *events, struct entry *entry)
{
    uint64_t number = (uint64_t)os_wall_ms() << NAME_COUNTER_BITS;
    events->names = number > events->names ? number : events->names + 1;
    str object = str_sub(str_of(entry->name), 0, KUBE_NAME_BYTES_MAX - 1 - HEX_DIGITS);
    while (str_ends(object, S(".")) || str_ends(object, S("-"))) {
        object = str_sub(object, 0, object.bytes - 1);
    }
    (void)snprintf(entry->event_name, entry->event_name_bytes, "%.*s.%016llx", STR_ARG(object),
                   (unsigned long long)events->names);
}

static void write_at(struct kube_events *events, struct entry *entry, msec at_ms)
{
    if (list_has(&entry->recent)) {
        list_remove(&events->recent, &entry->recent);
    }
    due_set(&events->due, &entry->due, at_ms);
}

/* ---- one write ------------------------------------------------------------------------------- */

static void put_new(struct kube_events *events, const struct entry *entry, struct json_write *w)
{
    const struct kube_kind_row *row = kube_kind_row(entry->kind);
    bool has_namespace = entry->name_space[0] != '\0';
    json_object(w);
    json_member_text(w, "kind", S("Event"));
    json_member_text(w, "apiVersion", S("v1"));
    json_member_object(w, "metadata");
    json_member_text(w, "name", str_of(entry->event_name));
    json_member_text(w, "namespace", has_namespace ? str_of(entry->name_space) : S("default"));
    json_end(w);
    json_member_object(w, "involvedObject");
    json_member_text(w, "kind", str_of(row->kind));
    json_member_text(w, "apiVersion", str_of(row->api_version));
    if (has_namespace) {
        json_member_text(w, "namespace", str_of(entry->name_space));
    }
    json_member_text(w, "name", str_of(entry->name));
    json_member_text(w, "uid", str_of(entry->uid));
    json_end(w);
    json_member_text(w, "type", entry->is_warning ? S("Warning") : S("Normal"));
    json_member_text(w, "reason", str_of(entry->reason));
    json_member_text(w, "message", str_of(entry->message));
    json_member_i64(w, "count", entry->count);
    json_member_time(w, "firstTimestamp", entry->first_unix_s);
    json_member_time(w, "lastTimestamp", entry->last_unix_s);
    json_member_object(w, "source");
    str component =
        entry->component[0] != '\0' ? str_of(entry->component) : events->config.component;
    json_member_text(w, "component", component);
    json_member_text(w, "host", events->config.host);
    json_end(w);
    json_member_text(w, "reportingComponent", component);
    json_member_text(w, "reportingInstance", events->config.host);
    json_end(w);
}

/* The message is part of the key, so it has not changed. */
static void put_repeat(const struct entry *entry, struct json_write *w)
{
    json_object(w);
    json_member_i64(w, "count", entry->count);
    json_member_time(w, "lastTimestamp", entry->last_unix_s);
    json_end(w);
}

static void on_done(void *owner, const struct kube_reply *reply);

static enum err send_entry(struct kube_events *events, struct entry *entry)
{
    struct arena *arena = events->calls->arena;
    size_t mark = arena_mark(arena);
    size_t room;
    char path_text[1024];
    struct buf path, body;
    struct json_write w;
    str name_space = entry->name_space[0] != '\0' ? str_of(entry->name_space) : S("default");
    buf_init(&path, path_text, sizeof path_text);
    kube_put_path(&path, KUBE_EVENT, name_space,
                  entry->is_posted ? str_of(entry->event_name) : STR_NONE, STR_NONE);
    char *rest = arena_rest(arena, &room);
    buf_init(&body, rest, room);
    json_write_init(&w, &body);
    if (entry->is_posted) {
        put_repeat(entry, &w);
    } else {
        put_new(events, entry, &w);
    }
    const struct kube_request request = {
        .verb = entry->is_posted ? KUBE_STRATEGIC_PATCH : KUBE_CREATE,
        .rank = KUBE_RANK_LOW,
        .path = buf_str(&path),
        .body = buf_str(&body),
        .on_done = on_done,
        .owner = events,
        .about = pool_handle_of(&events->entries, entry),
    };
    enum err err = buf_ok(&path) && json_write_ok(&w)
                       ? kube_call_send(events->calls, &request, NULL)
                       : ERR_TOO_BIG;
    arena_rewind(arena, mark);
    return err;
}

/* ---- how a write ended ----------------------------------------------------------------------- */

static void after_success(struct kube_events *events, struct entry *entry)
{
    entry->is_posted = true;
    entry->failures_row = 0;
    if (entry->count > entry->count_sent) {
        entry->waits_since_ms = events->loop->now_ms;
        write_at(events, entry, entry->sent_at_ms + KUBE_EVENT_SPREAD_MS);
    } else {
        list_push_back(&events->recent, &entry->recent);
    }
}

/* Permission and namespaces that are gone do not come back within the life of an event. */
static bool is_final(enum err err)
{
    return err_fate(err) == FATE_NEVER || err == ERR_FORBIDDEN || err == ERR_TOO_BIG;
}

static void after_failure(struct kube_events *events, struct entry *entry, enum err err)
{
    msec now_ms = events->loop->now_ms;
    if (is_final(err) || now_ms - entry->waits_since_ms > KUBE_EVENT_TRY_MS) {
        events->failed++;
        forget(events, entry);
        return;
    }
    entry->failures_row++;
    write_at(events, entry,
             now_ms + backoff_ms(entry->failures_row, RETRY_MS, RETRY_MAX_MS, &events->prng));
}

static void on_done(void *owner, const struct kube_reply *reply)
{
    struct kube_events *events = owner;
    struct entry *entry = pool_at(&events->entries, reply->about);
    CHECK(entry != NULL);
    events->is_busy = false;
    /* A name of ours that exists already: the write that was believed lost had landed. */
    bool is_there = !entry->is_posted && reply->err == ERR_CONFLICT;
    if (is_there && entry->is_named && entry->count > 1) {
        entry->count_sent = 0; /* posted by a process before us: its count may have grown since */
    }
    if (reply->err == ERR_OK || is_there) {
        events->posted += !entry->is_posted;
        events->patched += entry->is_posted;
        after_success(events, entry);
    } else if (entry->is_posted && reply->err == ERR_NOT_FOUND) {
        entry->is_posted = false; /* events live for an hour: a new one goes on counting */
        if (!entry->is_named) {
            make_name(events, entry);
        }
        write_at(events, entry, events->loop->now_ms);
    } else {
        after_failure(events, entry, reply->err);
    }
    pump(events);
}

/* ---- what is written next -------------------------------------------------------------------- */

static void write_entry(struct kube_events *events, struct entry *entry)
{
    entry->sent_at_ms = events->loop->now_ms;
    entry->count_sent = entry->count;
    enum err err = send_entry(events, entry);
    if (err == ERR_OK) {
        events->is_busy = true;
    } else {
        after_failure(events, entry, err);
    }
}

/* 0 when this entry may be written now. New events were charged to their object when they came;
 * repetitions wait for the object's budget, which loses no count. */
static msec must_wait_ms(struct kube_events *events, const struct entry *entry)
{
    msec wait_ms = entry->is_posted ? object_wait_ms(events, str_of(entry->uid)) : 0;
    return wait_ms > 0 ? wait_ms : bucket_wait_ms(&events->bucket, events->loop->now_ms, 0);
}

static void pump(struct kube_events *events)
{
    msec now_ms = events->loop->now_ms;
    struct due_item *item;
    while (!events->is_busy && (item = due_pop(&events->due, now_ms)) != NULL) {
        struct entry *entry = LIST_OWNER(item, struct entry, due);
        msec wait_ms = must_wait_ms(events, entry);
        if (wait_ms > 0) {
            write_at(events, entry, now_ms + wait_ms);
            continue;
        }
        CHECK(bucket_take(&events->bucket, now_ms, 0));
        if (entry->is_posted) {
            object_charge(events, str_of(entry->uid));
        }
        write_entry(events, entry);
    }
    msec next_ms = due_next_ms(&events->due);
    if (next_ms == INT64_MAX || events->is_busy) {
        loop_timer_clear(events->loop, &events->timer);
    } else {
        loop_timer_set(events->loop, &events->timer, next_ms);
    }
}

static void on_timer(struct loop_timer *timer)
{
    pump(timer->owner);
}

/* ---- from outside ---------------------------------------------------------------------------- */

/* False: an event that was seen before, and nothing happened since. */
static bool count_again(struct entry *entry, const struct kube_event *event)
{
    if (!entry->is_named) {
        entry->count += entry->count < UINT32_MAX / 2;
        entry->last_unix_s = os_wall_s();
        return true;
    }
    if (event->count <= entry->count) {
        return false;
    }
    entry->count = event->count;
    entry->last_unix_s = event->last_unix_s;
    return true;
}

static void repeat(struct kube_events *events, struct entry *entry, const struct kube_event *event)
{
    msec now_ms = events->loop->now_ms;
    bool is_being_written = !due_is_set(&entry->due) && !list_has(&entry->recent);
    if (!count_again(entry, event)) {
        return;
    }
    events->repeated++;
    if (!due_is_set(&entry->due) && !is_being_written) {
        msec next_ms = entry->sent_at_ms + KUBE_EVENT_SPREAD_MS;
        entry->waits_since_ms = now_ms;
        write_at(events, entry, next_ms > now_ms ? next_ms : now_ms);
    }
}

static void fill_entry(struct kube_events *events, struct entry *entry,
                       const struct kube_event *event)
{
    entry->kind = event->kind;
    entry->is_warning = event->is_warning;
    entry->count = 1;
    entry->first_unix_s = entry->last_unix_s = os_wall_s();
    entry->waits_since_ms = events->loop->now_ms;
    entry->is_named = !str_is_empty(event->own_name);
    if (entry->is_named) {
        entry->count = event->count > 0 ? event->count : 1;
        entry->first_unix_s = event->first_unix_s;
        entry->last_unix_s = event->last_unix_s;
    }
}

/* False: dropped. */
static bool add(struct kube_events *events, uint64_t key, const struct kube_event *event,
                str message)
{
    if (object_wait_ms(events, event->uid) > 0) {
        return false;
    }
    struct entry *entry = take_entry(events);
    if (entry == NULL) {
        return false;
    }
    handle h = pool_handle_of(&events->entries, entry);
    if (!take_texts(events, entry, event, message) ||
        index_add(&events->by_key, key, h) != ERR_OK) {
        give_texts(events, entry);
        pool_give(&events->entries, h);
        return false;
    }
    fill_entry(events, entry, event);
    entry->key = key;
    if (!entry->is_named) {
        make_name(events, entry);
    }
    object_charge(events, event->uid);
    write_at(events, entry, events->loop->now_ms);
    return true;
}

void kube_event_post(struct kube_events *events, const struct kube_event *event)
{
    str message = codec_utf8_prefix(event->message, KUBE_EVENT_MESSAGE_BYTES_MAX);
    uint64_t key = key_of(event, message);
    struct entry *entry = find_entry(events, key, event, message);
    if (entry != NULL) {
        repeat(events, entry, event);
    } else if (!add(events, key, event, message)) {
        events->dropped++;
    }
    pump(events);
}

bool kube_events_has_room(const struct kube_events *events)
{
    return kube_events_waiting(events) < events->config.entries_max * 3 / 4;
}

uint32_t kube_events_waiting(const struct kube_events *events)
{
    return events->due.count + events->is_busy;
}

void kube_events_init(struct kube_events *events, struct loop *loop, struct region *region,
                      struct kube_calls *calls, uint64_t seed,
                      const struct kube_events_config *config)
{
    CHECK(config->entries_max > 0 && config->objects_max >= OBJECT_WAYS);
    *events = (struct kube_events){.calls = calls, .loop = loop, .config = *config};
    pool_init(&events->entries, region, "kube events", config->entries_max, sizeof(struct entry));
    pool_init(&events->short_texts, region, "kube event texts", config->entries_max,
              SHORT_TEXTS_BYTES);
    pool_init(&events->long_texts, region, "kube event long texts", config->entries_max,
              TEXTS_BYTES_MAX);
    index_init(&events->by_key, region, "kube events by key", config->entries_max);
    due_init(&events->due, region, "kube events due", config->entries_max);
    events->objects = region_carve(region, "kube event budgets", config->objects_max,
                                   sizeof(struct kube_event_object));
    list_init(&events->recent);
    bucket_init(&events->bucket, config->per_minute_max, config->per_minute_max, loop->now_ms);
    prng_seed(&events->prng, seed);
    loop_timer_init(&events->timer, on_timer, events);
}
