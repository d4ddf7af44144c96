/*
 * status_write.c - PodStatus as a strategic merge patch, and its hash; see pod_status.h
 *
 * The server merges objects member by member: a member that must go is written as null. It merges
 * conditions by type and podIPs by ip; containerStatuses are replaced as a whole.
 */
#include "base/check.h"
#include "base/hash.h"
#include "data/json_write.h"
#include "spec/status_parts.h"

/* Is the text for the server, or only for comparing? Then what moves by itself is left out. */
enum purpose { FOR_SERVER, FOR_HASH };

static void put_status(struct json_write *w, const struct pod_status *status,
                       const struct pod_status_past *past, enum purpose purpose);
static void put_addresses(struct json_write *w, const struct pod_status *status,
                          const struct pod_status_past *past);
static void put_conditions(struct json_write *w, const struct pod_status *status,
                           enum purpose purpose);
static void put_containers(struct json_write *w, const char *key,
                           const struct pod_container_status *list, uint32_t count);
static void put_state(struct json_write *w, const char *key, const struct eci_state *state);
static void member_text_or_null(struct json_write *w, const char *key, str text);
static void member_text_if(struct json_write *w, const char *key, str text);

enum err pod_status_write(const struct pod_status *status, const struct pod_status_past *past,
                          str pod_uid, const struct pod_note *note, struct buf *out)
{
    struct json_write w;

    CHECK(past != NULL);
    json_write_init(&w, out);
    json_object(&w);
    json_member_object(&w, "metadata");
    json_member_text(&w, "uid", pod_uid);
    pod_note_put(&w, pod_uid, note);
    json_end(&w);
    json_member_object(&w, "status");
    put_status(&w, status, past, FOR_SERVER);
    json_end(&w);
    json_end(&w);
    return json_write_ok(&w) ? ERR_OK : ERR_FULL;
}

enum err pod_status_hash(const struct pod_status *status, struct arena *arena, uint64_t *hash)
{
    size_t bytes = 0;
    char *room = arena_rest(arena, &bytes); /* nothing is kept */
    uint8_t digest[HASH_SHA256_BYTES];
    struct json_write w;
    struct buf text;

    buf_init(&text, room, bytes);
    json_write_init(&w, &text);
    json_object(&w);
    put_status(&w, status, NULL, FOR_HASH);
    json_end(&w);
    if (!json_write_ok(&w)) {
        return ERR_FULL;
    }
    hash_sha256(digest, buf_str(&text));
    *hash = 0;
    for (unsigned i = 0; i < 8; i++) {
        *hash = *hash << 8 | digest[i];
    }
    return ERR_OK;
}

static void put_status(struct json_write *w, const struct pod_status *status,
                       const struct pod_status_past *past, enum purpose purpose)
{
    if (status->phase != POD_PHASE_NONE) {
        json_member_text(w, "phase", str_of(pod_phase_name(status->phase)));
        /* An ended pod keeps the reason it ended with, so the reason is not what makes it new. */
        bool is_ended = pod_phase_is_terminal(status->phase);
        if (purpose == FOR_HASH ? !is_ended : !status->keeps_reason) {
            member_text_or_null(w, "reason", status->reason);
            member_text_or_null(w, "message", status->message);
        }
        member_text_if(w, "hostIP", status->host_ip);
        put_addresses(w, status, past);
        if (status->started_at_s > 0) {
            json_member_time(w, "startTime", status->started_at_s);
        }
        put_conditions(w, status, purpose);
    }
    if (status->containers != NULL) {
        put_containers(w, "containerStatuses", status->containers, status->containers_count);
    }
    if (status->init_containers != NULL) {
        put_containers(w, "initContainerStatuses", status->init_containers,
                       status->init_containers_count);
    }
}

static bool has_address(const struct pod_status *status, str address)
{
    for (uint32_t i = 0; i < status->pod_ips_count; i++) {
        if (str_eq(status->pod_ips[i], address)) {
            return true;
        }
    }
    return false;
}

static void put_addresses(struct json_write *w, const struct pod_status *status,
                          const struct pod_status_past *past)
{
    if (status->pod_ips_count == 0) {
        return;
    }
    json_member_text(w, "podIP", status->pod_ips[0]);
    json_member_array(w, "podIPs");
    for (uint32_t i = 0; past != NULL && i < POD_IPS_MAX; i++) {
        str old = str_of(past->pod_ips[i]);
        if (!str_is_empty(old) && !has_address(status, old)) {
            json_object(w);
            json_member_text(w, "$patch", S("delete"));
            json_member_text(w, "ip", old);
            json_end(w);
        }
    }
    for (uint32_t i = 0; i < status->pod_ips_count; i++) {
        json_object(w);
        json_member_text(w, "ip", status->pod_ips[i]);
        json_end(w);
    }
    json_end(w);
}

/* The smallest type above `after`; NULL at the end. The API server keeps its own order, so both
 * sides of a comparison are sorted. */
static const struct pod_condition *next_condition(const struct pod_status *status,
                                                  const struct pod_condition *after)
{
    const struct pod_condition *next = NULL;

    for (uint32_t i = 0; i < status->conditions_count; i++) {
        const struct pod_condition *one = &status->conditions[i];
        if ((after == NULL || str_cmp(one->type, after->type) > 0) &&
            (next == NULL || str_cmp(one->type, next->type) < 0)) {
            next = one;
        }
    }
    return next;
}

static void put_conditions(struct json_write *w, const struct pod_status *status,
                           enum purpose purpose)
{
    json_member_array(w, "conditions");
    for (const struct pod_condition *one = next_condition(status, NULL); one != NULL;
         one = next_condition(status, one)) {
        json_object(w);
        json_member_text(w, "type", one->type);
        json_member_text(w, "status", one->status);
        member_text_or_null(w, "reason", one->reason);
        member_text_or_null(w, "message", one->message);
        if (purpose == FOR_SERVER) {
            json_member_time(w, "lastTransitionTime", one->changed_at_s);
        }
        json_end(w);
    }
    json_end(w);
}

static void put_containers(struct json_write *w, const char *key,
                           const struct pod_container_status *list, uint32_t count)
{
    json_member_array(w, key);
    for (uint32_t i = 0; i < count; i++) {
        const struct eci_container *one = &list[i].is;

        json_object(w);
        json_member_text(w, "name", one->name);
        json_member_text(w, "image", one->image);
        json_member_text(w, "imageID", one->image_id);
        member_text_if(w, "containerID", list[i].container_id);
        json_member_bool(w, "ready", one->is_ready);
        json_member_bool(w, "started", one->is_started);
        json_member_i64(w, "restartCount", one->restarts);
        put_state(w, "state", &one->now);
        put_state(w, "lastState", &one->last);
        json_end(w);
    }
    json_end(w);
}

static void put_state(struct json_write *w, const char *key, const struct eci_state *state)
{
    json_member_object(w, key);
    if (state->kind == ECI_STATE_WAITING) {
        json_member_object(w, "waiting");
        member_text_if(w, "reason", state->reason);
        member_text_if(w, "message", state->message);
        json_end(w);
    } else if (state->kind == ECI_STATE_RUNNING) {
        json_member_object(w, "running");
        json_member_time(w, "startedAt", state->started_at_s);
        json_end(w);
    } else if (state->kind == ECI_STATE_TERMINATED) {
        json_member_object(w, "terminated");
        json_member_i64(w, "exitCode", state->exit_code);
        if (state->signal != 0) {
            json_member_i64(w, "signal", state->signal);
        }
        member_text_if(w, "reason", state->reason);
        member_text_if(w, "message", state->message);
        json_member_time(w, "startedAt", state->started_at_s);
        json_member_time(w, "finishedAt", state->finished_at_s);
        member_text_if(w, "containerID", state->container_id);
        json_end(w);
    }
    json_end(w);
}

static void member_text_or_null(struct json_write *w, const char *key, str text)
{
    if (str_is_empty(text)) {
        json_member_null(w, key);
    } else {
        json_member_text(w, key, text);
    }
}

static void member_text_if(struct json_write *w, const char *key, str text)
{
    if (!str_is_empty(text)) {
        json_member_text(w, key, text);
    }
}
