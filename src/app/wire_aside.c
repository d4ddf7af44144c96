/*
 * wire_aside.c - a pod on which the process died twice is set aside (reliability.md row 41): one
 * poisonous pod never takes the node down.
 *
 * os/crash.h tells on which pods earlier lives died. Such a pod is looked at as little as can be:
 * names, UID, phase, deletion. The brain does nothing for it and its group, an event and the
 * status's reason say so, and that is all, until the pod is changed (labels, annotations, spec) or
 * somebody restarts ecilet: then it gets another chance, and after two more deaths it is set aside
 * again. When it is deleted, its group and then its object are removed, unless it kills even then;
 * removing its object by force is always possible, and the group goes then as any orphan does.
 */
#include "app/wire.h"

#include "base/check.h"
#include "base/hash.h"
#include "data/json_write.h"
#include "os/crash.h"

#define ASIDE_REASON "PodQuarantined"
#define ASIDE_TEXT                                                                                 \
    "ecilet died twice while it worked on this pod. Nothing is done for it, and its instance, if " \
    "any, is left alone, until the pod is changed or ecilet is restarted. This is a bug of "       \
    "ecilet: please report the lines with \"crash:\" in its log"
_Static_assert(sizeof ASIDE_TEXT <= POD_MESSAGE_BYTES, "the event is not cut");
#define ASIDE_PATCH_BYTES 1024

/* What of a pod must change to give it another chance. Not its status, which we write ourselves,
 * and not its deletion, which needs none. */
static uint64_t print_of(json object)
{
    static const char *const members[] = {"labels", "annotations"};
    uint8_t digest[HASH_SHA256_BYTES] = {0};
    uint8_t next[2 * HASH_SHA256_BYTES];
    json metadata = json_get(object, "metadata");
    for (size_t i = 0; i <= sizeof members / sizeof members[0]; i++) {
        json part = i == 0 ? json_get(object, "spec") : json_get(metadata, members[i - 1]);
        memcpy(next, digest, sizeof digest);
        hash_sha256(next + sizeof digest, json_is_there(part) ? json_raw(part) : STR_NONE);
        hash_sha256(digest, str_make((const char *)next, sizeof next));
    }
    uint64_t print;
    memcpy(&print, digest, sizeof print);
    return print | 1; /* 0 is "not seen yet" */
}

bool aside_is_wanted(json object, str uid)
{
    struct crash_suspect *suspect = crash_find_suspect(uid);
    if (suspect == NULL || suspect->deaths < CRASH_DEATHS_MAX) {
        return false;
    }
    uint64_t print = print_of(object);
    if (suspect->print != 0 && suspect->print != print) {
        log_line(LOG_INFO, "pod", "uid %.*s was set aside and has changed: trying it again",
                 STR_ARG(uid));
        crash_acquit(suspect);
        return false;
    }
    suspect->print = print;
    return true;
}

static void on_written(void *owner, const struct kube_reply *reply)
{
    (void)owner;
    if (reply->err != ERR_OK && reply->err != ERR_NOT_FOUND) {
        log_line(LOG_WARN, "pods", "status could not be written: %.*s", STR_ARG(reply->why));
    }
}

/* Reason and message only: the phase stays what it is. An event says the same, so a patch that
 * fails is not tried again before the pod is seen again. */
static void write_reason(struct wire *wire, const struct kube_meta *meta)
{
    char path[CLUSTER_PATH_BYTES], memory[ASIDE_PATCH_BYTES];
    struct buf body;
    struct json_write w;
    buf_init(&body, memory, sizeof memory);
    json_write_init(&w, &body);
    kube_open_patch(&w, meta->uid, STR_NONE);
    json_member_object(&w, "status");
    json_member_text(&w, "reason", S(ASIDE_REASON));
    json_member_text(&w, "message", S(ASIDE_TEXT));
    json_end(&w);
    json_end(&w);
    CHECK(buf_ok(&body));
    const struct kube_request request = {
        .verb = KUBE_MERGE_PATCH,
        .rank = KUBE_RANK_NORMAL,
        .path = cluster_pod_path(path, meta->name_space, meta->name, S("status")),
        .body = buf_str(&body),
        .on_done = on_written,
        .owner = wire};
    if (kube_call_send(&wire->calls, &request, NULL) != ERR_OK) {
        log_line(LOG_WARN, "pods", "no room to write the status of a pod that is set aside");
    }
}

enum err aside_pod_seen(struct wire *wire, json object, const struct kube_meta *meta,
                        struct arena *arena)
{
    const struct crash_suspect *suspect = crash_find_suspect(meta->uid);
    CHECK(suspect != NULL); /* aside_is_wanted() */
    json status = json_get(object, "status");
    bool is_leaving = json_is_there(json_get(json_get(object, "metadata"), "deletionTimestamp"));
    const struct pod_news news = {
        .uid = meta->uid,
        .name_space = meta->name_space,
        .name = meta->name,
        .phase = pod_phase_parse(json_text(json_get(status, "phase"), arena)),
        .is_leaving = is_leaving && suspect->deaths < CRASH_DEATHS_FROZEN,
    };
    enum err err = brain_pod_aside(&wire->brain, &news, ASIDE_TEXT, wire_now_ms(wire));
    bool is_told = json_text_is(json_get(status, "reason"), ASIDE_REASON);
    if (err == ERR_OK && !is_told && !pod_phase_is_terminal(news.phase) && leader_may_act(wire)) {
        write_reason(wire, meta);
    }
    return err;
}
