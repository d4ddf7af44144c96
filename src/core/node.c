/* See node.h. */
#include "core/node.h"

#include <stdio.h>

#include "base/check.h"
#include "base/codec.h"
#include "spec/pod_to_eci.h"

struct condition {
    const char *type;
    const char *status; /* True, False */
    const char *reason;
    const char *message;
};

static struct condition condition_of(const struct node_facts *facts, enum node_condition which)
{
    switch (which) {
    case NODE_READY:
        return (struct condition){"Ready", "True", "KubeletReady", "ecilet is ready"};
    case NODE_MEMORY_PRESSURE:
        return (struct condition){"MemoryPressure", "False", "KubeletHasSufficientMemory",
                                  "the node is virtual: pods bring their own memory"};
    case NODE_DISK_PRESSURE:
        return (struct condition){"DiskPressure", "False", "KubeletHasNoDiskPressure",
                                  "the node is virtual: pods bring their own disk"};
    case NODE_PID_PRESSURE:
        return (struct condition){"PIDPressure", "False", "KubeletHasSufficientPID",
                                  "the node is virtual: pods bring their own processes"};
    case NODE_NETWORK_UNAVAILABLE:
        return (struct condition){"NetworkUnavailable", "False", "RouteCreated",
                                  "the node is virtual: the cloud routes"};
    case NODE_ECI_REACHABLE:
        return (struct condition){"ECIReachable", facts->is_reachable ? "True" : "False",
                                  facts->reach_reason, facts->reach_message};
    case NODE_ECI_QUOTA:
        return facts->is_over_quota
                   ? (struct condition){"ECIQuotaExceeded", "True", "CreatesRefused",
                                        "the cloud refuses new instances because a quota is used "
                                        "up: the node shows room for 0 pods for a while"}
                   : (struct condition){"ECIQuotaExceeded", "False", "NothingUnusual",
                                        "no quota is known to be used up"};
    default:
        return (struct condition){"OrphanDeletionStopped", facts->is_braked ? "True" : "False",
                                  facts->is_braked ? "TooManyOrphans" : "NothingUnusual",
                                  facts->brake_message};
    }
}

static void put_conditions(struct json_write *w, const struct node_facts *facts, int64_t now_unix_s)
{
    json_member_array(w, "conditions");
    for (int i = 0; i < NODE_CONDITION_COUNT; i++) {
        struct condition c = condition_of(facts, (enum node_condition)i);
        json_object(w);
        json_member_text(w, "type", str_of(c.type));
        json_member_text(w, "status", str_of(c.status));
        json_member_text(w, "reason", str_of(c.reason));
        json_member_text(w, "message", str_of(c.message));
        json_member_time(w, "lastHeartbeatTime", now_unix_s);
        int64_t changed = facts->changed_unix_s[i];
        json_member_time(w, "lastTransitionTime", changed != 0 ? changed : now_unix_s);
        json_end(w);
    }
    json_end(w);
}

/* Each instance has a disk of its own. That of them together is shown: the scheduler places no pod
 * that asks for ephemeral-storage where none is. */
static void put_resources(struct json_write *w, const char *key, const struct node_facts *facts,
                          str cpu, uint32_t pods)
{
    char text[32];
    json_member_object(w, key);
    json_member_text(w, "cpu", cpu);
    json_member_text(w, "memory", facts->memory);
    (void)snprintf(text, sizeof text, "%lluGi",
                   (unsigned long long)facts->pods *
                       (ECI_EPHEMERAL_FREE_GIB + ECI_EPHEMERAL_MORE_GIB_MAX));
    json_member_text(w, "ephemeral-storage", str_of(text));
    (void)snprintf(text, sizeof text, "%u", facts->gpus);
    json_member_text(w, "nvidia.com/gpu", str_of(text));
    (void)snprintf(text, sizeof text, "%u", pods);
    json_member_text(w, "pods", str_of(text));
    json_end(w);
}

static void put_address(struct json_write *w, const char *type, str address)
{
    json_object(w);
    json_member_text(w, "type", str_of(type));
    json_member_text(w, "address", address);
    json_end(w);
}

static void put_info(struct json_write *w, const struct node_facts *facts)
{
    json_member_object(w, "nodeInfo");
    json_member_text(w, "kubeletVersion", facts->kubelet_version);
    json_member_text(w, "kubeProxyVersion", facts->kubelet_version);
    json_member_text(w, "architecture", facts->architecture);
    json_member_text(w, "operatingSystem", S("linux"));
    json_member_text(w, "osImage", S("Alibaba Cloud ECI"));
    json_member_text(w, "containerRuntimeVersion", S(NODE_RUNTIME_PREFIX "2018-08-08"));
    /* Required by the type; a virtual node has none of these. */
    json_member_text(w, "machineID", STR_NONE);
    json_member_text(w, "systemUUID", STR_NONE);
    json_member_text(w, "bootID", STR_NONE);
    json_member_text(w, "kernelVersion", STR_NONE);
    json_end(w);
}

static void put_status(struct json_write *w, const struct node_facts *facts, int64_t now_unix_s)
{
    json_member_object(w, "status");
    json_member_text(w, "phase", S("Running"));
    put_resources(w, "capacity", facts, facts->cpu, facts->pods);
    put_resources(w, "allocatable", facts, facts->cpu_free, facts->pods_free);
    put_conditions(w, facts, now_unix_s);
    json_member_array(w, "addresses");
    put_address(w, "InternalIP", facts->address);
    put_address(w, "Hostname", facts->name);
    json_end(w);
    if (facts->kubelet_port != 0) {
        json_member_object(w, "daemonEndpoints");
        json_member_object(w, "kubeletEndpoint");
        json_member_i64(w, "Port", facts->kubelet_port);
        json_end(w);
        json_end(w);
    }
    put_info(w, facts);
    json_end(w);
}

/* ---- labels and taints ----------------------------------------------------------------------- */

typedef void label_visitor(void *context, str key, str value);

/* All labels of ours, in one place: written at registration, looked for afterwards. */
static void each_label(const struct node_facts *facts, label_visitor *visit, void *context)
{
    visit(context, S("type"), S("virtual-kubelet"));
    visit(context, S("kubernetes.io/role"), S("agent"));
    visit(context, S("kubernetes.io/hostname"), facts->name);
    visit(context, S("kubernetes.io/os"), S("linux"));
    visit(context, S("kubernetes.io/arch"), facts->architecture);
    visit(context, S("beta.kubernetes.io/os"), S("linux"));
    visit(context, S("beta.kubernetes.io/arch"), facts->architecture);
    /* Load balancers and route controllers must not count on this node. */
    visit(context, S("alpha.service-controller.kubernetes.io/exclude-balancer"), S("true"));
    visit(context, S("node.kubernetes.io/exclude-from-external-load-balancers"), S("true"));
    if (!str_is_empty(facts->region)) {
        visit(context, S("topology.kubernetes.io/region"), facts->region);
    }
    if (!str_is_empty(facts->zone)) {
        visit(context, S("topology.kubernetes.io/zone"), facts->zone);
    }
    for (uint32_t i = 0; i < facts->labels_count; i++) {
        str rest = facts->labels[i], key;
        if (str_cut(&rest, '=', &key)) {
            visit(context, key, rest);
        }
    }
}

static void put_label(void *context, str key, str value)
{
    struct json_write *w = context;
    json_key_put(w, key);
    json_put_text(w, value);
}

#define LAST_CHOICE "PreferNoSchedule"

static void put_taint(struct json_write *w, const struct node_facts *facts, str effect)
{
    json_object(w);
    json_member_text(w, "key", facts->taint_key);
    json_member_text(w, "value", facts->taint_value);
    json_member_text(w, "effect", effect);
    json_end(w);
}

static void put_taints(struct json_write *w, const struct node_facts *facts)
{
    put_taint(w, facts, facts->taint_effect);
    if (facts->is_last_choice) {
        put_taint(w, facts, S(LAST_CHOICE));
    }
}

void node_put_object(struct json_write *w, const struct node_facts *facts, int64_t now_unix_s)
{
    json_object(w);
    json_member_text(w, "apiVersion", S("v1"));
    json_member_text(w, "kind", S("Node"));
    json_member_object(w, "metadata");
    json_member_text(w, "name", facts->name);
    json_member_object(w, "labels");
    each_label(facts, put_label, w);
    json_end(w);
    json_end(w);
    json_member_object(w, "spec");
    if (!str_is_empty(facts->taint_key)) {
        json_member_array(w, "taints");
        put_taints(w, facts);
        json_end(w);
    }
    json_end(w);
    put_status(w, facts, now_unix_s);
    json_end(w);
}

void node_put_status_patch(struct json_write *w, const struct node_facts *facts, str uid,
                           int64_t now_unix_s)
{
    json_object(w);
    if (!str_is_empty(uid)) {
        json_member_object(w, "metadata");
        json_member_text(w, "uid", uid);
        json_end(w);
    }
    put_status(w, facts, now_unix_s);
    json_end(w);
}

struct label_look {
    json labels;
    uint32_t missing;
};

static void look_label(void *context, str key, str value)
{
    struct label_look *look = context;
    char name[320], text[320];
    if (!str_copy(name, sizeof name, key) || !str_copy(text, sizeof text, value)) {
        return;
    }
    look->missing += json_text_is(json_get(look->labels, name), text) ? 0u : 1u;
}

/* The second one is ours also when it is not wanted any more. */
static bool is_our_taint(json taint, const struct node_facts *facts, struct arena *arena)
{
    json effect = json_get(taint, "effect");
    bool is_alike = str_eq(json_text(json_get(taint, "value"), arena), facts->taint_value);
    return str_eq(json_text(json_get(taint, "key"), arena), facts->taint_key) &&
           (str_eq(json_text(effect, arena), facts->taint_effect) ||
            (json_text_is(effect, LAST_CHOICE) && (facts->is_last_choice || is_alike)));
}

/* Ours are there as they have to be. A key and an effect are there once at most. */
static bool has_taints(json taints, const struct node_facts *facts, struct arena *arena)
{
    uint32_t wanted = facts->is_last_choice ? 2 : 1, found = 0, alike = 0;
    for (json t = json_first(taints); json_is_there(t); t = json_next(t)) {
        bool is_ours = is_our_taint(t, facts, arena);
        found += is_ours;
        alike += is_ours && str_eq(json_text(json_get(t, "value"), arena), facts->taint_value);
    }
    return str_is_empty(facts->taint_key) || (found == wanted && alike == wanted);
}

bool node_put_spec_patch(struct json_write *w, const struct node_facts *facts, json node,
                         struct arena *arena)
{
    json meta = json_get(node, "metadata");
    json taints = json_get(json_get(node, "spec"), "taints");
    struct label_look look = {json_get(meta, "labels"), 0};
    each_label(facts, look_label, &look);
    bool is_tainted = has_taints(taints, facts, arena);
    if (look.missing == 0 && is_tainted) {
        return false;
    }
    json_object(w);
    json_member_object(w, "metadata");
    json_member_text(w, "uid", json_text(json_get(meta, "uid"), arena));
    json_member_text(w, "resourceVersion", json_text(json_get(meta, "resourceVersion"), arena));
    json_member_object(w, "labels");
    each_label(facts, put_label, w);
    json_end(w);
    json_end(w);
    if (!is_tainted) {
        json_member_object(w, "spec");
        json_member_array(w, "taints");
        for (json t = json_first(taints); json_is_there(t); t = json_next(t)) {
            if (!is_our_taint(t, facts, arena)) {
                json_put_raw(w, json_raw(t));
            }
        }
        put_taints(w, facts);
        json_end(w);
        json_end(w);
    }
    json_end(w);
    return true;
}

void node_keep_times(struct node_facts *facts, json node, struct arena *arena, int64_t now_unix_s)
{
    json conditions = json_get(json_get(node, "status"), "conditions");
    for (int i = 0; i < NODE_CONDITION_COUNT; i++) {
        struct condition ours = condition_of(facts, (enum node_condition)i);
        facts->changed_unix_s[i] = now_unix_s;
        for (json c = json_first(conditions); json_is_there(c); c = json_next(c)) {
            int64_t since;
            if (json_text_is(json_get(c, "type"), ours.type) &&
                json_text_is(json_get(c, "status"), ours.status) &&
                codec_get_time(json_text(json_get(c, "lastTransitionTime"), arena), &since)) {
                facts->changed_unix_s[i] = since;
            }
        }
    }
}

static bool condition_differs(const struct condition *ours, json conditions)
{
    for (json c = json_first(conditions); json_is_there(c); c = json_next(c)) {
        if (json_text_is(json_get(c, "type"), ours->type)) {
            return !json_text_is(json_get(c, "status"), ours->status);
        }
    }
    return true;
}

bool node_conditions_differ(const struct node_facts *facts, json node)
{
    json conditions = json_get(json_get(node, "status"), "conditions");
    bool differs = false;
    for (int i = 0; i < NODE_CONDITION_COUNT; i++) {
        struct condition ours = condition_of(facts, (enum node_condition)i);
        differs = differs || condition_differs(&ours, conditions);
    }
    return differs;
}

bool node_is_virtual(json node, struct arena *arena)
{
    json labels = json_get(json_get(node, "metadata"), "labels");
    json info = json_get(json_get(node, "status"), "nodeInfo");
    str runtime = json_text(json_get(info, "containerRuntimeVersion"), arena);
    return json_text_is(json_get(labels, "type"), "virtual-kubelet") ||
           str_starts(runtime, S(NODE_RUNTIME_PREFIX));
}
