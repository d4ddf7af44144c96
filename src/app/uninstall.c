/* see uninstall.h */
#include "app/uninstall.h"

#include <stdio.h>

#include "admit/webhook_config.h"
#include "admit/webhook_secret.h"
#include "core/node.h"

#define META "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
#define META_LIST \
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
#define NODE_LEASES "kube-node-lease"

enum step { STEP_LEASE, STEP_READ, STEP_PODS, STEP_DELETE };

/* ---- the objects ----------------------------------------------------------------------------- */

/* NULL: it is ours; else a sentence that says why it stays. */
typedef const char *judge(struct uninstall *un, json object);

static judge judge_registration, judge_secret, judge_node, judge_node_lease;

static const struct object {
    enum kube_kind kind;
    const char *name_space; /* NULL: none */
    const char *name;       /* NULL: see place_of() */
    bool is_whole;          /* read as it is; else only its metadata, so that no key is read */
    judge *judge;           /* NULL: its name is enough */
} objects[] = {
    {.kind = KUBE_WEBHOOK, .name = WEBHOOK_NAME, .judge = judge_registration},
    {.kind = KUBE_SECRET,
     .name_space = WEBHOOK_SECRET_NAMESPACE,
     .name = WEBHOOK_SECRET,
     .judge = judge_secret},
    {.kind = KUBE_NODE, .is_whole = true, .judge = judge_node},
    {.kind = KUBE_LEASE, .name_space = NODE_LEASES, .judge = judge_node_lease},
    {.kind = KUBE_LEASE},
};

#define OBJECTS_COUNT (sizeof objects / sizeof objects[0])
#define FIRST_LEASE (OBJECTS_COUNT - UNINSTALL_LEASES)

/* The registration of another virtual kubelet has the same name, but not our mark; a gateway of
 * another node, whose leases are not watched here, has its node's name in it. */
static const char *judge_registration(struct uninstall *un, json object)
{
    json annotations = json_get(json_get(object, "metadata"), "annotations");
    json node = json_get(annotations, WEBHOOK_NODE_ANNOTATION); /* none: of an older ecilet */
    if (!json_is_there(json_get(annotations, WEBHOOK_HASH_ANNOTATION))) {
        return "it was not made by ecilet";
    }
    bool is_ours =
        !json_is_there(node) || str_eq(json_text(node, un->config.arena), un->config.node_name);
    return is_ours ? NULL : "a gateway of another node has made it";
}

/* It bears no mark. Whose the registration is, his is most likely the Secret; a gateway of another
 * node that shared it makes both again. */
static const char *judge_secret(struct uninstall *un, json object)
{
    (void)object;
    return un->has_foreign_hook ? "it may belong to that vk-webhook" : NULL;
}

static const char *judge_node(struct uninstall *un, json object)
{
    json labels = json_get(json_get(object, "metadata"), "labels");
    json info = json_get(json_get(object, "status"), "nodeInfo");
    str runtime = json_text(json_get(info, "containerRuntimeVersion"), un->config.arena);
    bool is_ours = json_text_is(json_get(labels, "type"), "virtual-kubelet") &&
                   str_starts(runtime, S(NODE_RUNTIME_PREFIX));
    return is_ours ? NULL : "it is no node of ecilet";
}

static const char *judge_node_lease(struct uninstall *un, json object)
{
    (void)object;
    return un->keeps_node ? "it belongs to the node" : NULL;
}

struct place {
    enum kube_kind kind;
    str name_space, name;
};

static struct place place_of(const struct uninstall *un, uint32_t at)
{
    const struct object *object = &objects[at];
    bool is_leader = at == OBJECTS_COUNT - 1;
    bool is_beta = un->is_beta && object->kind == KUBE_WEBHOOK;
    return (struct place){
        .kind = is_beta ? KUBE_WEBHOOK_BETA : object->kind,
        .name_space = is_leader ? un->config.leader_namespace : str_of(object->name_space),
        .name = object->name != NULL ? str_of(object->name)
                : is_leader          ? str_of(un->leader_lease)
                                     : un->config.node_name,
    };
}

/* ---- what is said ---------------------------------------------------------------------------- */

static void say(struct uninstall *un, const char *what, str why)
{
    struct place place = place_of(un, un->at);
    buf_put_fmt(un->config.out, "%-13s %s %.*s%s%.*s%s%.*s\n", what,
                kube_kind_row(place.kind)->kind, STR_ARG(place.name_space),
                str_is_empty(place.name_space) ? "" : "/", STR_ARG(place.name),
                str_is_empty(why) ? "" : ": ", STR_ARG(why));
}

static void leave(struct uninstall *un, str why)
{
    un->left++;
    un->keeps_node = un->keeps_node || objects[un->at].kind == KUBE_NODE;
    un->has_foreign_hook = un->has_foreign_hook || objects[un->at].kind == KUBE_WEBHOOK;
    say(un, "left", why);
}

static void fail(struct uninstall *un, const struct kube_reply *reply)
{
    un->failed++;
    un->keeps_node = un->keeps_node || objects[un->at].kind == KUBE_NODE;
    say(un, "failed", reply->why);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void on_reply(void *owner, const struct kube_reply *reply);

static void finish(struct uninstall *un)
{
    un->is_done = true;
    loop_timer_clear(un->config.loop, &un->timer);
}

static void put_path(struct uninstall *un, enum step step, struct buf *path)
{
    struct place place = place_of(un, step == STEP_LEASE ? FIRST_LEASE + un->at : un->at);
    if (step != STEP_PODS) {
        kube_put_path(path, place.kind, place.name_space, place.name, STR_NONE);
        return;
    }
    char selector[320], limit[16];
    (void)snprintf(selector, sizeof selector, "spec.nodeName=%.*s", STR_ARG(un->config.node_name));
    (void)snprintf(limit, sizeof limit, "%d", UNINSTALL_PODS_MAX);
    kube_put_path(path, KUBE_POD, STR_NONE, STR_NONE, STR_NONE);
    kube_put_query(path, "fieldSelector", str_of(selector));
    kube_put_query(path, "limit", str_of(limit));
}

static void send(struct uninstall *un, enum step step)
{
    char path_memory[1024], body_memory[256];
    struct buf path, body;
    bool is_whole = step == STEP_LEASE || (step == STEP_READ && objects[un->at].is_whole);
    buf_init(&path, path_memory, sizeof path_memory);
    buf_init(&body, body_memory, sizeof body_memory);
    put_path(un, step, &path);
    if (step == STEP_DELETE) {
        kube_put_delete_options(&body, str_of(un->uid), -1);
    }
    const struct kube_request request = {
        .verb = step == STEP_DELETE ? KUBE_DELETE : KUBE_GET,
        .rank = KUBE_RANK_HIGH,
        .path = buf_str(&path),
        .body = buf_str(&body),
        .reply_bytes = step == STEP_DELETE ? 0 : UNINSTALL_REPLY_BYTES,
        .accept = step == STEP_PODS             ? S(META_LIST)
                  : step == STEP_READ && !is_whole ? S(META)
                                                   : STR_NONE,
        .on_done = on_reply,
        .owner = un,
        .op = step,
    };
    if (kube_call_send(un->config.calls, &request, NULL) != ERR_OK) {
        un->failed++;
        finish(un);
    }
}

/* ---- the leases ------------------------------------------------------------------------------ */

static void next_object(struct uninstall *un)
{
    if (++un->at < OBJECTS_COUNT) {
        send(un, STEP_READ);
    } else {
        finish(un);
    }
}

static void begin_objects(struct uninstall *un)
{
    un->at = 0;
    send(un, STEP_READ);
}

static void on_time(struct loop_timer *timer)
{
    struct uninstall *un = timer->owner;
    un->at = 0;
    send(un, STEP_LEASE);
}

/* A lease that changes while we look is being renewed. One that cannot be read may be. */
static void on_lease(struct uninstall *un, const struct kube_reply *reply)
{
    json root = JSON_NONE;
    struct kube_meta meta = {.uid = STR_NONE};
    struct arena *arena = un->config.arena;
    if (reply->err != ERR_OK && reply->err != ERR_NOT_FOUND) {
        un->at += FIRST_LEASE;
        fail(un, reply);
        finish(un);
        return;
    }
    if (reply->err == ERR_OK && json_parse(reply->body, arena, &root, NULL) == ERR_OK) {
        kube_meta_read(root, arena, &meta);
        str holder = json_text(json_get(json_get(root, "spec"), "holderIdentity"), arena);
        (void)str_copy(un->holder, sizeof un->holder, holder);
        un->leases_found++;
    }
    uint64_t print = str_hash(meta.resource_version);
    if (un->looks > 0 && reply->err == ERR_OK && print != un->leases[un->at]) {
        un->is_in_use = true;
        finish(un);
        return;
    }
    un->leases[un->at] = print;
    if (++un->at < UNINSTALL_LEASES) {
        send(un, STEP_LEASE);
    } else if (un->leases_found == 0 || un->looks++ >= UNINSTALL_WATCH_MS / UNINSTALL_LOOK_MS) {
        begin_objects(un);
    } else {
        loop_timer_set(un->config.loop, &un->timer, un->config.loop->now_ms + UNINSTALL_LOOK_MS);
    }
}

/* ---- one object after the other -------------------------------------------------------------- */

static void remove_it(struct uninstall *un)
{
    if (un->config.is_real) {
        send(un, STEP_DELETE);
    } else {
        un->removed++;
        say(un, "would remove", STR_NONE);
        next_object(un);
    }
}

static void on_object(struct uninstall *un, const struct kube_reply *reply)
{
    const struct object *object = &objects[un->at];
    struct place place = place_of(un, un->at);
    struct kube_meta meta;
    json root = JSON_NONE;
    if (reply->err == ERR_NOT_FOUND && object->kind == KUBE_WEBHOOK && !un->is_beta &&
        !kube_is_absent(reply, place.kind, place.name)) {
        un->is_beta = true; /* a server before 1.16 */
        send(un, STEP_READ);
        return;
    }
    if (kube_is_absent(reply, place.kind, place.name)) {
        say(un, "not there", STR_NONE);
        next_object(un);
        return;
    }
    if (reply->err != ERR_OK) {
        fail(un, reply);
        next_object(un);
        return;
    }
    if (json_parse(reply->body, un->config.arena, &root, NULL) == ERR_OK) {
        kube_meta_read(root, un->config.arena, &meta);
        (void)str_copy(un->uid, sizeof un->uid, meta.uid);
    }
    const char *why = object->judge != NULL ? object->judge(un, root) : NULL;
    if (why != NULL) {
        leave(un, str_of(why));
        next_object(un);
    } else if (object->kind == KUBE_NODE) {
        send(un, STEP_PODS);
    } else {
        remove_it(un);
    }
}

/* A node with pods stays: without it their instances would be forgotten. */
static void on_pods(struct uninstall *un, const struct kube_reply *reply)
{
    char memory[1024];
    struct buf why;
    json root = JSON_NONE;
    buf_init(&why, memory, sizeof memory);
    if (reply->err != ERR_OK) {
        fail(un, reply);
        next_object(un);
        return;
    }
    bool is_read = json_parse(reply->body, un->config.arena, &root, NULL) == ERR_OK;
    json items = json_get(root, "items"); /* null when there are none */
    uint32_t count = json_count(items), shown = 0;
    bool is_list = json_text_is(json_get(root, "kind"), "PartialObjectMetadataList") ||
                   json_text_is(json_get(root, "kind"), "PodList"); /* before 1.15 */
    if (!is_read || !is_list) {
        leave(un, S("its pods cannot be listed"));
        next_object(un);
        return;
    }
    if (count == 0) {
        remove_it(un);
        return;
    }
    str more = json_text(json_get(json_get(root, "metadata"), "continue"), un->config.arena);
    buf_put_fmt(&why,
                "it has %s%u pod%s, delete them first:", str_is_empty(more) ? "" : "more than ",
                count, count == 1 ? "" : "s");
    for (json x = json_first(items); json_is_there(x) && shown < UNINSTALL_PODS_SHOWN;
         x = json_next(x), shown++) {
        struct kube_meta meta;
        kube_meta_read(x, un->config.arena, &meta);
        buf_put_fmt(&why, " %.*s/%.*s", STR_ARG(str_sub(meta.name_space, 0, 63)),
                    STR_ARG(str_sub(meta.name, 0, 100)));
    }
    buf_put_text(&why, shown < count ? " ..." : "");
    leave(un, buf_str(&why));
    next_object(un);
}

static void on_deleted(struct uninstall *un, const struct kube_reply *reply)
{
    struct place place = place_of(un, un->at);
    bool is_gone = kube_is_absent(reply, place.kind, place.name);
    if (reply->err == ERR_OK || is_gone) {
        un->removed++;
        say(un, "removed", STR_NONE);
    } else {
        fail(un, reply);
    }
    next_object(un);
}

static void on_reply(void *owner, const struct kube_reply *reply)
{
    struct uninstall *un = owner;
    size_t mark = arena_mark(un->config.arena);
    switch ((enum step)reply->op) {
    case STEP_LEASE:
        on_lease(un, reply);
        break;
    case STEP_READ:
        on_object(un, reply);
        break;
    case STEP_PODS:
        on_pods(un, reply);
        break;
    case STEP_DELETE:
        on_deleted(un, reply);
        break;
    }
    arena_rewind(un->config.arena, mark);
}

/* ---- start ----------------------------------------------------------------------------------- */

void uninstall_init(struct uninstall *un, const struct uninstall_config *config)
{
    *un = (struct uninstall){.config = *config};
    (void)snprintf(un->leader_lease, sizeof un->leader_lease, "ecilet-%.*s",
                   STR_ARG(config->node_name));
    loop_timer_init(&un->timer, on_time, un);
}

void uninstall_start(struct uninstall *un)
{
    if (un->config.is_forced) {
        begin_objects(un);
    } else {
        send(un, STEP_LEASE);
    }
}
