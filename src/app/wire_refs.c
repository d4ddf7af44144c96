/* see wire_refs.h */
#include "app/wire_refs.h"

#include <assert.h>

#include "base/check.h"
#include "os/os.h"
#include "spec/service_env.h"

/* A page of services that is too big a reply is asked for again with so many times fewer. */
#define PAGE_SHRINKS 10

#define PAGE_BYTES 4096 /* of memory; rooms begin at one, so that all of theirs can be given back \
                         */

struct room {
    struct arena arena; /* the references, the pod, the replies, and what was parsed of both */
    size_t bytes;       /* of replies so far, at most WIRE_REFS_BYTES */
    json pod;
    struct spec_refs *refs;
    uint32_t under_way; /* requests */
    uint64_t asked;     /* bit i: for refs->items[i] one is under way ... */
    uint64_t large;     /* ... or will be, with the larger reply room */
};

static_assert(SPEC_REFS_MAX <= 64, "a bit for each");
static_assert(WIRE_ROOM_BYTES % PAGE_BYTES == 0, "whole pages");

void refs_init(struct wire *wire, struct region *region)
{
    pool_init(&wire->rooms, region, "reference rooms", WIRE_ROOMS, sizeof(struct room));
    char *memory = region_carve(region, "what pods refer to",
                                WIRE_ROOMS * (WIRE_ROOM_BYTES / PAGE_BYTES) + 1, PAGE_BYTES);
    wire->room_memory = memory + (PAGE_BYTES - (uintptr_t)memory % PAGE_BYTES) % PAGE_BYTES;
}

static struct room *room_of(struct wire *wire, const struct wire_job *job)
{
    struct room *room = pool_at(&wire->rooms, job->room);
    CHECK(room != NULL);
    return room;
}

void refs_give(struct wire *wire, handle h)
{
    struct room *room = pool_at(&wire->rooms, h);
    if (room != NULL) {
        kube_wipe(room->arena.ptr, room->arena.peak);
        os_map_release_pages(room->arena.ptr, WIRE_ROOM_BYTES);
        pool_give(&wire->rooms, h);
    }
}

static void leave(struct wire *wire, struct wire_job *job)
{
    refs_give(wire, job->room);
    job->room = HANDLE_NONE;
}

/* A room with the pod in it. */
static enum err room_take(struct wire *wire, struct wire_job *job, json object)
{
    handle h;
    if (pool_take(&wire->rooms, &h) != ERR_OK) {
        return ERR_FULL;
    }
    struct room *room = pool_at(&wire->rooms, h);
    job->room = h;
    arena_init(&room->arena, wire->room_memory + (size_t)(h.slot - 1) * WIRE_ROOM_BYTES,
               WIRE_ROOM_BYTES);
    room->refs = ARENA_NEW(&room->arena, struct spec_refs);
    CHECK(room->refs != NULL);
    str text = arena_copy(&room->arena, json_raw(object));
    enum err err =
        str_is_empty(text) ? ERR_TOO_BIG : json_parse(text, &room->arena, &room->pod, NULL);
    if (err == ERR_OK) {
        err = spec_refs_collect(room->pod, &room->arena, room->refs);
    }
    if (err != ERR_OK) {
        leave(wire, job);
    }
    return err == ERR_OK ? ERR_OK : ERR_TOO_BIG;
}

/* ---- one reply ------------------------------------------------------------------------------- */

static bool is_absent(const struct spec_ref *ref, const struct kube_reply *reply)
{
    static const enum kube_kind kinds[] = {
        [SPEC_REF_CONFIG_MAP] = KUBE_CONFIG_MAP, [SPEC_REF_SECRET] = KUBE_SECRET,
        [SPEC_REF_SERVICES] = KUBE_SERVICE,      [SPEC_REF_CLAIM] = KUBE_CLAIM,
        [SPEC_REF_VOLUME] = KUBE_VOLUME,         [SPEC_REF_TOKEN] = KUBE_SERVICE_ACCOUNT,
    };
    return kube_is_absent(reply, kinds[ref->kind], ref->name);
}

/* Writes what is needed of a page of services into the room. Empty: there is no place for it. */
static enum err copy_services(struct room *room, str body, struct arena *scratch, str *text)
{
    json list;
    enum err err = json_parse(body, scratch, &list, NULL);
    if (err != ERR_OK) {
        return err;
    }
    size_t bytes = 0;
    char *memory = arena_rest(&room->arena, &bytes);
    struct buf out;
    struct json_write writer;
    buf_init(&out, memory, bytes);
    json_write_init(&writer, &out);
    service_env_trim(list, &writer);
    if (!json_write_ok(&writer)) {
        return ERR_FULL;
    }
    arena_keep(&room->arena, out.bytes);
    *text = buf_str(&out);
    return ERR_OK;
}

/* Copies a reply into the room and reads it there. scratch is rewound by the caller. */
static enum err keep(struct room *room, struct spec_ref *ref, str body, struct arena *scratch)
{
    bool is_page = ref->kind == SPEC_REF_SERVICES && str_is_empty(ref->name);
    size_t mark = arena_mark(&room->arena);
    str text = STR_NONE;
    enum err err = ERR_OK;
    if (is_page) {
        err = copy_services(room, body, scratch, &text);
    } else if (body.bytes <= WIRE_REFS_BYTES - room->bytes) {
        text = arena_copy(&room->arena, body);
    }
    if (err == ERR_OK && (str_is_empty(text) || text.bytes > WIRE_REFS_BYTES - room->bytes)) {
        err = ERR_FULL;
    }
    if (err == ERR_OK) {
        err = json_parse(text, &room->arena, &ref->object, NULL);
    }
    if (err != ERR_OK) {
        arena_rewind(&room->arena, mark); /* forgets has_failed: only this object is not there */
        ref->object = JSON_NONE;
        return err == ERR_FULL ? ERR_TOO_BIG : ERR_BAD_REPLY;
    }
    room->bytes += text.bytes;
    return ERR_OK;
}

static const char *why_not(enum err err)
{
    return err == ERR_TOO_BIG ? "it, or all that the pod refers to, is larger than this node reads"
                              : err_text(err);
}

/* May not be read, and that does not pass by itself soon. */
static bool is_denied(const struct spec_ref *ref, enum err err)
{
    return err == ERR_AUTH || err == ERR_FORBIDDEN ||
           (err == ERR_TOO_BIG && ref->kind == SPEC_REF_SERVICES);
}

static void take_reply(struct room *room, struct spec_ref *ref, const struct kube_reply *reply,
                       struct arena *scratch)
{
    enum err err = reply->err;
    str why = reply->why;
    if (err == ERR_OK) {
        size_t mark = arena_mark(scratch);
        err = keep(room, ref, reply->body, scratch);
        arena_rewind(scratch, mark);
        why = str_of(err == ERR_OK ? "" : why_not(err));
    } else if (err == ERR_TOO_BIG) {
        why = str_of(why_not(err));
    }
    if (err == ERR_OK) {
        ref->state = SPEC_REF_FOUND;
    } else if (is_absent(ref, reply)) {
        ref->state = SPEC_REF_ABSENT;
    } else {
        ref->state = is_denied(ref, err) ? SPEC_REF_DENIED : SPEC_REF_FAILED;
    }
    ref->why = arena_copy(&room->arena, why);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void on_reply(void *owner, const struct kube_reply *reply);

static uint64_t bit(uint32_t at)
{
    return UINT64_C(1) << at;
}

static enum err ask(struct wire *wire, struct wire_job *job, struct room *room, uint32_t at)
{
    const struct pod *pod = brain_pod(&wire->brain, job->effect.pod);
    const struct spec_ref *ref = &room->refs->items[at];
    bool is_token = ref->kind == SPEC_REF_TOKEN;
    /* Names in a pod are checked by the API server (253 bytes each), but an audience is any text:
     * what is too long for these fails as a reference that cannot be read. */
    char path_memory[2400], body_memory[4096];
    struct buf path, body;
    buf_init(&path, path_memory, sizeof path_memory);
    buf_init(&body, body_memory, sizeof body_memory);
    spec_ref_put_path(ref, &path);
    if (is_token) {
        spec_ref_put_token_request(ref, str_of(pod->name), str_of(pod->uid), &body);
    }
    if (!buf_ok(&path) || !buf_ok(&body)) {
        return ERR_TOO_BIG;
    }
    const struct kube_request request = {
        .verb = is_token ? KUBE_CREATE : KUBE_GET,
        .rank = KUBE_RANK_NORMAL,
        .path = buf_str(&path),
        .body = buf_str(&body),
        .reply_bytes = (room->large & bit(at)) != 0 ? WIRE_POD_BYTES_MAX : WIRE_POD_BYTES,
        .on_done = on_reply,
        .owner = wire,
        .about = wire_job_handle(job),
        .op = at,
    };
    enum err err = kube_call_send(&wire->calls, &request, NULL);
    if (err == ERR_OK) {
        room->asked |= bit(at);
        room->under_way++;
    }
    return err;
}

static bool find_wanted(const struct room *room, uint32_t *at)
{
    for (uint32_t i = 0; i < room->refs->count; i++) {
        if (room->refs->items[i].state == SPEC_REF_WANTED && (room->asked & bit(i)) == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

/* One request at least is under way afterwards, if anything is wanted. More only over connections
 * that are open and idle: opening one takes longer than waiting for the one in use. */
static enum err ask_wanted(struct wire *wire, struct wire_job *job, struct room *room)
{
    uint32_t at;
    while (find_wanted(room, &at) && (room->under_way == 0 || kube_calls_idle(&wire->calls))) {
        enum err err = ask(wire, job, room, at);
        if (err == ERR_TOO_BIG) {
            room->refs->items[at].state = SPEC_REF_FAILED;
            room->refs->items[at].why = S("its name or audience is too long");
        } else if (err != ERR_OK) {
            return room->under_way > 0 ? ERR_OK : err;
        }
    }
    return ERR_OK;
}

/*
 * Asks for what is wanted; *is_done when nothing is left to ask for. What was read may name more
 * (a claim its volume), so the pod is looked at again before that is said. It ends: references are
 * only ever added, up to SPEC_REFS_MAX, and each is asked for once. On an error nothing is under
 * way.
 */
static enum err go_on(struct wire *wire, struct wire_job *job, bool *is_done)
{
    struct room *room = room_of(wire, job);
    uint32_t at;
    for (;;) {
        enum err err = ask_wanted(wire, job, room);
        if (err != ERR_OK || room->under_way > 0) {
            return err;
        }
        if (spec_refs_collect(room->pod, &room->arena, room->refs) != ERR_OK) {
            return ERR_TOO_BIG;
        }
        if (!find_wanted(room, &at)) {
            *is_done = true;
            return ERR_OK;
        }
    }
}

/* After a reply that was too big: with the larger room, then for a shorter page. */
static bool can_ask_again(struct room *room, uint32_t at, bool was_large)
{
    struct spec_ref *ref = &room->refs->items[at];
    bool is_page = ref->kind == SPEC_REF_SERVICES && str_is_empty(ref->name);
    if (!was_large) {
        room->large |= bit(at);
        return true;
    }
    if (!is_page || ref->limit == 1) {
        return false;
    }
    uint32_t fewer = (ref->limit > 0 ? ref->limit : SPEC_SERVICES_PAGE) / PAGE_SHRINKS;
    ref->limit = fewer > 0 ? fewer : 1;
    return true;
}

static void on_reply(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    struct wire_job *job = wire_job_at(wire, reply->about);
    struct room *room = room_of(wire, job);
    CHECK(reply->op < room->refs->count && (room->asked & bit(reply->op)) != 0);
    room->asked &= ~bit(reply->op);
    room->under_way--;
    bool was_large = (room->large & bit(reply->op)) != 0;
    if (was_large) { /* its slot is given back after us only: others begin with the small room */
        room->large &= room->asked;
    }
    if (reply->err != ERR_TOO_BIG || !can_ask_again(room, reply->op, was_large)) {
        take_reply(room, &room->refs->items[reply->op], reply, wire->arena);
    }
    bool is_done = false;
    enum err err = go_on(wire, job, &is_done);
    if (err != ERR_OK || is_done) {
        refs_done(wire, job, err, room->pod, room->refs);
    }
}

enum err refs_start(struct wire *wire, struct wire_job *job, json object)
{
    enum err err = room_take(wire, job, object);
    bool is_done = false;
    if (err == ERR_OK) {
        err = go_on(wire, job, &is_done);
    }
    if (err != ERR_OK) {
        leave(wire, job);
    } else if (is_done) {
        struct room *room = room_of(wire, job);
        refs_done(wire, job, ERR_OK, room->pod, room->refs);
    }
    return err;
}
