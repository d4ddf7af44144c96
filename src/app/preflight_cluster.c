/*
 * see preflight.h: GET /version, then one SelfSubjectAccessReview (authorization.k8s.io/v1) for
 * each verb of each permission, a few at a time, then the Node and its leases.
 */
#include "app/preflight.h"

#include "base/check.h"
#include "base/codec.h"
#include "core/node.h"
#include "kube/lease.h"
#include "os/os.h"

#define SERVER "API server"
#define REVIEW_BYTES 2048
#define NODE_BYTES (256 * 1024)
#define CREDENTIALS "credentials"
#define LEADER_DURATION_S 15 /* as in wire_leader.c */
#define AT_ONCE 4

static void read_node(struct preflight_cluster *cluster);
static void read_lease(struct preflight_cluster *cluster, bool is_leaders);

static msec left_ms(const struct preflight_cluster *cluster)
{
    msec left = cluster->end_at_ms - cluster->loop->now_ms;
    return left > 1 ? left : 1;
}

static void finish(struct preflight_cluster *cluster)
{
    cluster->is_done = true;
}

static void send(struct preflight_cluster *cluster, struct kube_request *request,
                 kube_call_done *on_done)
{
    request->rank = KUBE_RANK_HIGH;
    request->deadline_ms = left_ms(cluster);
    request->on_done = on_done;
    request->owner = cluster;
    enum err err = kube_call_send(cluster->calls, request, NULL);
    CHECK(err == ERR_OK); /* slots and sizes are for what is asked here */
}

static void get(struct preflight_cluster *cluster, str path, kube_call_done *on_done)
{
    struct kube_request request = {.verb = KUBE_GET, .path = path, .reply_bytes = NODE_BYTES};
    send(cluster, &request, on_done);
}

/* ---- permissions ----------------------------------------------------------------------------- */

static bool is_needed(const struct config *config, const struct permission *permission)
{
    return permission->need == PERMISSION_ALWAYS ||
           (permission->need == PERMISSION_WEBHOOK && config->webhook) ||
           (permission->need == PERMISSION_LEADER && config->leader_elect);
}

static void collect_questions(struct preflight_cluster *cluster)
{
    for (uint32_t i = 0; i < PERMISSIONS_COUNT; i++) {
        str rest = str_of(permissions[i].verbs), verb;
        while (is_needed(cluster->config, &permissions[i]) && str_cut(&rest, ',', &verb)) {
            CHECK(cluster->questions_count < PREFLIGHT_QUESTIONS_MAX);
            cluster->questions[cluster->questions_count++] =
                (struct preflight_question){.permission = i, .verb = str_trim(verb)};
        }
    }
}

static str namespace_of(const struct config *config, const struct permission *permission)
{
    if (permission->is_lease_role) {
        return S(PERMISSIONS_LEASE_NAMESPACE);
    }
    if (permission->need == PERMISSION_LEADER) {
        return config->leader_namespace;
    }
    /* The eci-profile is the only object with a namespace that a name in the ClusterRole is for. */
    bool is_profile = permission->name != NULL && permission->group == NULL;
    return permission->is_system_role || is_profile ? S(PERMISSIONS_SYSTEM_NAMESPACE) : STR_NONE;
}

static void put_review(const struct preflight_cluster *cluster,
                       const struct preflight_question *question, struct buf *body)
{
    const struct config *config = cluster->config;
    const struct permission *permission = &permissions[question->permission];
    char name_memory[KUBE_NAME_BYTES_MAX + 1];
    struct buf name;
    struct json_write w;
    str sub = str_of(permission->resource), resource;
    (void)str_cut(&sub, '/', &resource);
    buf_init(&name, name_memory, sizeof name_memory);
    if (permission->is_named || permission->is_leader_lease) {
        buf_put_fmt(&name, "%s%s", permission->is_leader_lease ? "ecilet-" : "",
                    config->node_name.ptr);
    } else if (permission->name != NULL) {
        buf_put_text(&name, permission->name);
    }
    json_write_init(&w, body);
    json_object(&w);
    json_member_text(&w, "apiVersion", S("authorization.k8s.io/v1"));
    json_member_text(&w, "kind", S("SelfSubjectAccessReview"));
    json_member_object(&w, "spec");
    json_member_object(&w, "resourceAttributes");
    json_member_text(&w, "verb", question->verb);
    json_member_text(&w, "group", str_of(permission->group));
    json_member_text(&w, "resource", resource);
    json_member_text(&w, "subresource", sub);
    json_member_text(&w, "namespace", namespace_of(config, permission));
    json_member_text(&w, "name", buf_str(&name));
    json_end(&w);
    json_end(&w);
    json_end(&w);
}

/* The verbs of one permission that are missing, as one line below the finding. */
static void put_missing(const struct preflight_cluster *cluster, uint32_t permission_at,
                        struct buf *out)
{
    const struct permission *permission = &permissions[permission_at];
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->questions_count; i++) {
        const struct preflight_question *question = &cluster->questions[i];
        if (question->permission == permission_at && question->is_denied) {
            buf_put_fmt(out, "%s%.*s", count++ == 0 ? "\n                     may not " : ", ",
                        STR_ARG(question->verb));
        }
    }
    if (count > 0) {
        str where = namespace_of(cluster->config, permission);
        buf_put_fmt(out, " %s", permission->resource);
        if (permission->is_named || permission->is_leader_lease) {
            buf_put_fmt(out, " %s%s", permission->is_leader_lease ? "ecilet-" : "",
                        cluster->config->node_name.ptr);
        } else if (permission->name != NULL) {
            buf_put_fmt(out, " %s", permission->name);
        }
        buf_put_fmt(out, "%s%.*s (%s)", str_is_empty(where) ? "" : " in ", STR_ARG(where),
                    permission->why);
    }
}

static void say_permissions(struct preflight_cluster *cluster)
{
    char memory[PREFLIGHT_TEXT_BYTES - 512];
    struct buf missing;
    buf_init(&missing, memory, sizeof memory);
    preflight_say(cluster->preflight, VERDICT_OK, CREDENTIALS, "accepted");
    for (uint32_t i = 0; i < PERMISSIONS_COUNT; i++) {
        put_missing(cluster, i, &missing);
    }
    if (cluster->denied == 0) {
        preflight_say(cluster->preflight, VERDICT_OK, "permissions", "all %u are there",
                      cluster->questions_count);
    } else {
        preflight_say(cluster->preflight, VERDICT_FAIL, "permissions",
                      "%u of %u are missing: apply `ecilet manifests --nodename %s`%s",
                      cluster->denied, cluster->questions_count, cluster->config->node_name.ptr,
                      buf_cstr(&missing));
    }
}

/* The first question that got no answer ends the asking. */
static void say_unanswered(struct preflight_cluster *cluster, const struct kube_reply *reply)
{
    /* Servers take requests without credentials for this user, who may not even ask. */
    bool is_anonymous =
        reply->err == ERR_FORBIDDEN && str_find(reply->why, S("system:anonymous")) >= 0;
    if (reply->err == ERR_AUTH || is_anonymous) {
        preflight_say(cluster->preflight, VERDICT_FAIL, CREDENTIALS, "refused: %.*s",
                      STR_ARG(reply->why));
    } else if (reply->err == ERR_FORBIDDEN) {
        preflight_say(cluster->preflight, VERDICT_WARN, "permissions",
                      "not known, for they may not be asked for: %.*s", STR_ARG(reply->why));
    } else {
        preflight_say(cluster->preflight, VERDICT_FAIL, "permissions", "not known: %.*s",
                      STR_ARG(reply->why));
    }
    cluster->is_stopped = true;
    if (reply->err != ERR_FORBIDDEN || is_anonymous) {
        finish(cluster);
    }
}

static void ask_more(struct preflight_cluster *cluster);

static void on_review(void *owner, const struct kube_reply *reply)
{
    struct preflight_cluster *cluster = owner;
    json root = JSON_NONE;
    bool is_allowed = false;
    cluster->answered++;
    if (cluster->is_done) {
        return;
    }
    bool is_read = reply->err == ERR_OK &&
                   json_parse(reply->body, cluster->arena, &root, NULL) == ERR_OK &&
                   json_bool(json_get(json_get(root, "status"), "allowed"), &is_allowed);
    if (reply->err != ERR_OK && !cluster->is_stopped) {
        say_unanswered(cluster, reply);
    }
    if (is_read && !is_allowed) {
        cluster->questions[reply->op].is_denied = true;
        cluster->denied++;
    } else if (!is_read && reply->err == ERR_OK && !cluster->is_stopped) {
        preflight_say(cluster->preflight, VERDICT_FAIL, "permissions",
                      "not known: the answer is no SelfSubjectAccessReview");
        cluster->is_stopped = true;
    }
    if (!cluster->is_done) {
        ask_more(cluster);
    }
}

static void ask_more(struct preflight_cluster *cluster)
{
    char body_memory[REVIEW_BYTES], path_memory[128];
    struct buf body, path;
    while (!cluster->is_stopped && cluster->asked < cluster->questions_count &&
           cluster->asked - cluster->answered < AT_ONCE) {
        uint32_t at = cluster->asked++;
        buf_init(&body, body_memory, sizeof body_memory);
        buf_init(&path, path_memory, sizeof path_memory);
        put_review(cluster, &cluster->questions[at], &body);
        kube_put_path(&path, KUBE_SELF_ACCESS_REVIEW, STR_NONE, STR_NONE, STR_NONE);
        struct kube_request request = {.verb = KUBE_CREATE,
                                       .path = buf_str(&path),
                                       .body = buf_str(&body),
                                       .reply_bytes = 4096,
                                       .op = at};
        send(cluster, &request, on_review);
    }
    if (cluster->answered < cluster->asked) {
        return;
    }
    if (!cluster->is_stopped) {
        say_permissions(cluster);
    }
    read_node(cluster);
}

/* ---- the server ------------------------------------------------------------------------------ */

static void say_version(struct preflight_cluster *cluster, const struct kube_reply *reply)
{
    struct kube_version version = {.text = ""};
    if (reply->err == ERR_OK) {
        enum err err = kube_version_read(reply->body, cluster->arena, &version);
        if (err != ERR_OK) {
            preflight_say(cluster->preflight, VERDICT_WARN, SERVER,
                          "%s answers, but does not tell its version", cluster->calls->auth->url);
            return;
        }
    }
    preflight_say(cluster->preflight, VERDICT_OK, SERVER, "%s answers (%s)",
                  cluster->calls->auth->url,
                  version.text[0] != '\0' ? version.text : "its version is not shown to us");
}

static void on_version(void *owner, const struct kube_reply *reply)
{
    struct preflight_cluster *cluster = owner;
    bool is_answer = reply->err == ERR_OK || reply->err == ERR_AUTH || reply->err == ERR_FORBIDDEN;
    if (!is_answer) {
        preflight_say(cluster->preflight, VERDICT_FAIL, SERVER, "%s: %.*s",
                      cluster->calls->auth->url, STR_ARG(reply->why));
        finish(cluster);
        return;
    }
    say_version(cluster, reply);
    if (reply->date_unix_s > 0) {
        cluster->clock_offset_ms = reply->date_unix_s * 1000 + 500 - os_wall_ms();
        preflight_say_clock(cluster->preflight, "API clock", cluster->clock_offset_ms,
                            "certificates and tokens may seem to have run out; set the clock");
    }
    if (reply->err == ERR_AUTH) {
        preflight_say(cluster->preflight, VERDICT_FAIL, CREDENTIALS, "refused: %.*s",
                      STR_ARG(reply->why));
        finish(cluster);
        return;
    }
    ask_more(cluster);
}

void preflight_cluster_start(struct preflight_cluster *cluster)
{
    cluster->end_at_ms = cluster->loop->now_ms + PREFLIGHT_MS;
    collect_questions(cluster);
    get(cluster, S("/version"), on_version);
}

/* ---- the node -------------------------------------------------------------------------------- */

static void say_node(struct preflight_cluster *cluster, json node)
{
    const char *name = cluster->config->node_name.ptr;
    str runtime = json_text(
        json_get(json_get(json_get(node, "status"), "nodeInfo"), "containerRuntimeVersion"),
        cluster->arena);
    if (!node_is_virtual(node, cluster->arena)) {
        preflight_say(cluster->preflight, VERDICT_FAIL, "node",
                      "%s exists and is no virtual node: choose another NODE_NAME, or delete that "
                      "node first",
                      name);
    } else if (str_starts(runtime, S(NODE_RUNTIME_PREFIX))) {
        preflight_say(cluster->preflight, VERDICT_OK, "node", "%s is there, made by ecilet", name);
        cluster->has_node = true;
    } else {
        preflight_say(cluster->preflight, VERDICT_WARN, "node",
                      "%s is that of another virtual kubelet: it would be taken over, but not the "
                      "instances of its pods; stop that one first, delete its pods",
                      name);
        cluster->has_node = true;
    }
}

static void on_node(void *owner, const struct kube_reply *reply)
{
    struct preflight_cluster *cluster = owner;
    json node = JSON_NONE;
    const char *name = cluster->config->node_name.ptr;
    if (kube_is_absent(reply, KUBE_NODE, cluster->config->node_name)) {
        preflight_say(cluster->preflight, VERDICT_OK, "node", "%s is not there yet", name);
        cluster->has_node = true; /* a lease may still be renewed by somebody */
    } else if (reply->err != ERR_OK) {
        preflight_say(cluster->preflight, VERDICT_WARN, "node", "%s cannot be read: %.*s", name,
                      STR_ARG(reply->why));
    } else if (json_parse(reply->body, cluster->arena, &node, NULL) != ERR_OK) {
        preflight_say(cluster->preflight, VERDICT_WARN, "node", "%s: the answer is no node", name);
    } else {
        say_node(cluster, node);
    }
    if (cluster->has_node) {
        read_lease(cluster, cluster->config->leader_elect);
    } else { /* that of a real node is its own affair */
        finish(cluster);
    }
}

static void read_node(struct preflight_cluster *cluster)
{
    char memory[1024];
    struct buf path;
    buf_init(&path, memory, sizeof memory);
    kube_put_path(&path, KUBE_NODE, STR_NONE, cluster->config->node_name, STR_NONE);
    get(cluster, buf_str(&path), on_node);
}

/* ---- the leases ------------------------------------------------------------------------------ */

/* By the server's clock, not ours, renewed within its duration; *age_s says when. */
static bool is_fresh(const struct preflight_cluster *cluster, json spec, int64_t otherwise_s,
                     int64_t *age_s)
{
    int64_t at_s = 0, duration_s = otherwise_s;
    str renewed = json_text(json_get(spec, "renewTime"), cluster->arena);
    (void)json_i64(json_get(spec, "leaseDurationSeconds"), &duration_s);
    if (!codec_get_time(renewed, &at_s)) {
        return false;
    }
    *age_s = (os_wall_ms() + cluster->clock_offset_ms) / 1000 - at_s;
    *age_s = *age_s < 0 ? 0 : *age_s;
    return *age_s < duration_s;
}

static void on_lease(void *owner, const struct kube_reply *reply)
{
    struct preflight_cluster *cluster = owner;
    bool is_leaders = reply->op == 1;
    json root = JSON_NONE;
    int64_t age_s = 0;
    str holder = STR_NONE;
    bool is_read =
        reply->err == ERR_OK && json_parse(reply->body, cluster->arena, &root, NULL) == ERR_OK;
    json spec = json_get(root, "spec");
    if (is_read) {
        holder = json_text(json_get(spec, "holderIdentity"), cluster->arena);
    }
    bool is_held =
        is_read && !str_is_empty(holder) &&
        is_fresh(cluster, spec, is_leaders ? LEADER_DURATION_S : KUBE_LEASE_DURATION_S, &age_s);
    if (is_leaders) {
        cluster->is_another_lead = is_held;
        if (cluster->is_another_lead) {
            preflight_say(cluster->preflight, VERDICT_OK, "lease",
                          "%.*s leads; with LEADER_ELECT=true this one would wait",
                          STR_ARG(holder));
        }
        read_lease(cluster, false);
        return;
    }
    if (is_held && !cluster->is_another_lead) {
        preflight_say(cluster->preflight, VERDICT_WARN, "lease",
                      "renewed %lld s ago by %.*s: another ecilet runs with this node name, or did "
                      "just now; two at one time need LEADER_ELECT=true on both",
                      (long long)age_s, STR_ARG(holder));
    } else if (!cluster->is_another_lead && reply->err != ERR_OK && reply->err != ERR_NOT_FOUND) {
        preflight_say(cluster->preflight, VERDICT_WARN, "lease", "cannot be read: %.*s",
                      STR_ARG(reply->why));
    } else if (!cluster->is_another_lead) {
        preflight_say(cluster->preflight, VERDICT_OK, "lease", "nobody renews it");
    }
    finish(cluster);
}

static void read_lease(struct preflight_cluster *cluster, bool is_leaders)
{
    const struct config *config = cluster->config;
    char memory[1024], name_memory[KUBE_NAME_BYTES_MAX + 1];
    struct buf path, name;
    buf_init(&path, memory, sizeof memory);
    buf_init(&name, name_memory, sizeof name_memory);
    buf_put_fmt(&name, "%s%s", is_leaders ? "ecilet-" : "", config->node_name.ptr);
    kube_put_path(&path, KUBE_LEASE,
                  is_leaders ? config->leader_namespace : S(PERMISSIONS_LEASE_NAMESPACE),
                  buf_str(&name), STR_NONE);
    struct kube_request request = {.verb = KUBE_GET,
                                   .path = buf_str(&path),
                                   .reply_bytes = KUBE_LEASE_REPLY_BYTES,
                                   .op = is_leaders};
    send(cluster, &request, on_lease);
}
