/* pod_spec.c - see pod_spec.h */
#include "spec/pod_spec.h"

#include "base/check.h"
#include "spec/annotation.h"
#include "spec/container_read.h"
#include "spec/network_read.h"
#include "spec/pod_fields.h"
#include "spec/pod_to_eci.h"
#include "spec/security_read.h"
#include "spec/service_env.h"
#include "spec/volume_read.h"

#define CONTAINERS_READ_MAX 20 /* the cloud's limit; more are refused, so they need no reading */
#define HOST_NAME_BYTES_MAX 63
#define NAME_BYTES_SHOWN 100

static void check_owner(struct spec_read *read, const struct pod_facts *facts);
static void read_pod_level(struct spec_read *read, json spec, struct pod_spec *out);
static void read_parts(struct spec_read *read, json spec, struct pod_spec *out);
static str kubelet_host_name(str pod_name);
static struct spec_container *begin_containers(struct spec_read *read, json spec, const char *key,
                                               uint32_t *count);
static void check_names(struct spec_read *read, const char *key,
                        const struct spec_container *containers, uint32_t count,
                        const struct spec_container *before, uint32_t before_count);
static struct sizing instance_size(const struct spec_read *read);
static void read_containers(struct spec_read *read, json spec, const char *key, bool is_init,
                            struct spec_container *containers, uint32_t count);
static void read_host_aliases(struct spec_read *read, json spec, struct pod_spec *out);

enum err pod_spec_read(json pod, const struct spec_refs *refs, const struct spec_config *config,
                       struct arena *arena, struct pod_spec *out, struct spec_verdict *verdict)
{
    struct spec_read read = {
        .arena = arena, .verdict = verdict, .refs = refs, .config = config, .pod = out};
    json metadata = json_get(pod, "metadata"), spec = json_get(pod, "spec");

    *out = (struct pod_spec){0};
    enum err err = pod_facts_read(pod, arena, &out->facts);
    if (err != ERR_OK) {
        return err;
    }
    out->labels = json_get(metadata, "labels");
    out->annotations = json_get(metadata, "annotations");
    check_owner(&read, &out->facts);
    read_pod_level(&read, spec, out);
    read_parts(&read, spec, out);
    if (json_count(json_get(spec, "containers")) == 0) {
        verdict_refuse(verdict, SPEC_NEVER, S("spec.containers"), "there are no containers");
    }
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

/* In this order: the sizes of all containers, what variables and files may name, then all else. */
static void read_parts(struct spec_read *read, json spec, struct pod_spec *out)
{
    struct spec_container *init =
        begin_containers(read, spec, "initContainers", &out->init_containers_count);
    struct spec_container *apps =
        begin_containers(read, spec, "containers", &out->containers_count);

    out->init_containers = init;
    out->containers = apps;
    check_names(read, "initContainers", init, out->init_containers_count, NULL, 0);
    check_names(read, "containers", apps, out->containers_count, init, out->init_containers_count);
    read->instance = instance_size(read);
    service_env_read(read, spec, out->containers_count + out->init_containers_count);
    volumes_read(read, spec);
    read_containers(read, spec, "initContainers", true, init, out->init_containers_count);
    read_containers(read, spec, "containers", false, apps, out->containers_count);
}

/* Pods that must stay Pending whatever is in them: their makers would replace a failed one at once,
 * for ever (virtual-node 2, item 22). */
static void check_owner(struct spec_read *read, const struct pod_facts *facts)
{
    if (str_eq(facts->owner_kind, S("DaemonSet"))) {
        verdict_refuse(read->verdict, SPEC_WAIT, S("metadata.ownerReferences"),
                       "pods of a DaemonSet serve a machine, and this node has none; keep the "
                       "DaemonSet off it with node affinity (type NotIn virtual-kubelet)");
    }
    if (facts->is_mirror) {
        verdict_refuse(read->verdict, SPEC_WAIT, S("metadata.annotations"),
                       "static pods belong to the kubelet that mirrors them");
    }
}

static void read_pod_level(struct spec_read *read, json spec, struct pod_spec *out)
{
    str path = S("spec");
    str policy = spec_read_text(read, spec, "restartPolicy", path);
    str host_name = spec_read_text(read, spec, "hostname", path);

    fields_check(FIELD_SCOPE_POD, spec, path, read->verdict);
    read->pod_security = json_get(spec, "securityContext");
    fields_check(FIELD_SCOPE_POD_SECURITY, read->pod_security, S("spec.securityContext"),
                 read->verdict);
    sysctls_read(read);
    read->account = spec_read_text(read, spec, "serviceAccountName", path);
    if (str_is_empty(read->account)) {
        read->account = S("default");
    }
    dns_read(read, spec);
    logins_read(read, spec);
    if (!str_is_empty(policy) && !restart_policy_parse(policy, &out->facts.restart_policy)) {
        verdict_refuse(read->verdict, SPEC_NEVER, S("spec.restartPolicy"),
                       "must be Always, OnFailure or Never");
    }
    out->host_name = str_is_empty(host_name) ? kubelet_host_name(out->facts.name) : host_name;
    out->has_grace = json_is_there(json_get(spec, "terminationGracePeriodSeconds"));
    out->grace_s = spec_read_number(read, spec, "terminationGracePeriodSeconds", path, 0);
    if (out->grace_s < 0) {
        out->grace_s = 1; /* as the API server and the kubelet take negative numbers */
    }
    (void)spec_read_number(read, spec, "activeDeadlineSeconds", path, 0); /* only its type */
    out->shares_processes = spec_read_bool(read, spec, "shareProcessNamespace", path);
    read_host_aliases(read, spec, out);
}

/* truncatePodHostnameIfNeeded: 63 characters, then no "-" or "." at the end. */
static str kubelet_host_name(str pod_name)
{
    str name = str_sub(pod_name, 0, HOST_NAME_BYTES_MAX);

    while (str_ends(name, S("-")) || str_ends(name, S("."))) {
        name.bytes--;
    }
    return name;
}

static void read_host_aliases(struct spec_read *read, json spec, struct pod_spec *out)
{
    json list = spec_read_list(read, spec, "hostAliases", S("spec"));
    uint32_t count = json_count(list), at = 0;
    struct spec_host_alias *aliases =
        count > 0 ? ARENA_ARRAY(read->arena, count, struct spec_host_alias) : NULL;

    if (aliases == NULL) {
        return;
    }
    for (json one = json_first(list); json_is_there(one); one = json_next(one), at++) {
        str path = spec_path_at(read, S("spec"), "hostAliases", at);

        fields_check(FIELD_SCOPE_HOST_ALIAS, one, path, read->verdict);
        aliases[at].ip = spec_read_text(read, one, "ip", path);
        aliases[at].names = spec_read_texts(read, one, "hostnames", path, &aliases[at].names_count);
    }
    out->host_aliases = aliases;
    out->host_aliases_count = count;
}

/* Names and sizes of the containers of one list, before all else (container_read.h). */
static struct spec_container *begin_containers(struct spec_read *read, json spec, const char *key,
                                               uint32_t *count)
{
    json list = spec_read_list(read, spec, key, S("spec"));
    uint32_t listed = json_count(list);
    uint32_t most = listed < CONTAINERS_READ_MAX ? listed : CONTAINERS_READ_MAX;
    struct spec_container *containers =
        most > 0 ? ARENA_ARRAY(read->arena, most, struct spec_container) : NULL;

    *count = 0;
    if (containers == NULL) {
        return NULL;
    }
    if (listed > most) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, S("spec"), key),
                       "%u containers; an instance has at most %u", listed, CONTAINERS_READ_MAX);
    }
    for (json one = json_first(list); *count < most; one = json_next(one)) {
        container_read_size(read, one, spec_path_at(read, S("spec"), key, *count),
                            &containers[*count]);
        (*count)++;
    }
    return containers;
}

static bool has_name(const struct spec_container *containers, uint32_t count, str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(containers[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The cloud takes a name once (InvalidParameter.DuplicatedName), of init containers too. */
static void check_names(struct spec_read *read, const char *key,
                        const struct spec_container *containers, uint32_t count,
                        const struct spec_container *before, uint32_t before_count)
{
    for (uint32_t i = 0; i < count; i++) {
        str name = containers[i].name;
        if (!str_is_empty(name) &&
            (has_name(containers, i, name) || has_name(before, before_count, name))) {
            str path = spec_path_at(read, S("spec"), key, i);
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "name"),
                           "there is another container \"%.*s\"",
                           STR_ARG(str_sub(name, 0, NAME_BYTES_SHOWN)));
        }
    }
}

/* False when they do not tell it: of ECS types and their families it is not known. What is wrong
 * with them is told by pod_to_eci. */
static bool size_of_annotations(const struct spec_read *read, struct sizing wanted,
                                struct sizing *out)
{
    size_t mark = arena_mark(read->arena);
    struct annotations *asked = ARENA_NEW(read->arena, struct annotations);
    struct annotation_size chosen = {0};
    struct spec_verdict untold;

    verdict_init(&untold, read->arena);
    if (asked == NULL) {
        return false;
    }
    annotations_read(read->pod->annotations, read->config->effects, read->config->effects_count,
                     asked, &untold);
    enum err err = annotations_size(asked, wanted, read->config->region_id, read->arena, &chosen);
    bool has_failed = read->arena->has_failed;
    arena_rewind(read->arena, mark); /* which would forget it */
    read->arena->has_failed = has_failed;
    bool is_known = chosen.size.cpu_milli > 0 && chosen.room.cpu_milli > 0;
    if (err == ERR_OK && is_known) {
        *out = chosen.room;
    }
    return err == ERR_OK && is_known;
}

/* What the instance has: what a container without limits may use. */
static struct sizing instance_size(const struct spec_read *read)
{
    const struct pod_spec *pod = read->pod;
    struct sizing_sum sum = {0};
    struct sizing size = {SIZING_CPU_MILLI_DEFAULT, SIZING_MEMORY_GIB_DEFAULT * SIZING_GIB};

    for (uint32_t i = 0; i < pod->containers_count; i++) {
        sizing_add_app(&sum, pod_spec_container_size(&pod->containers[i]));
    }
    for (uint32_t i = 0; i < pod->init_containers_count; i++) {
        sizing_add_init(&sum, pod_spec_container_size(&pod->init_containers[i]));
    }
    struct sizing wanted = sizing_total(&sum);
    if (size_of_annotations(read, wanted, &size)) {
        return size;
    }
    /* One that is too large is refused by pod_to_eci; it stays at the default here. */
    enum err err = sizing_round(wanted, read->config->region_id, &size);
    CHECK(err == ERR_OK || err == ERR_TOO_BIG);
    return size;
}

static void read_containers(struct spec_read *read, json spec, const char *key, bool is_init,
                            struct spec_container *containers, uint32_t count)
{
    json one = json_first(json_get(spec, key));

    for (uint32_t i = 0; i < count; i++, one = json_next(one)) {
        container_read(read, one, is_init, spec_path_at(read, S("spec"), key, i), &containers[i]);
    }
}

static int64_t amount_milli(const struct spec_amount *amount)
{
    return amount->has_limit ? amount->limit_milli : amount->request_milli;
}

struct sizing pod_spec_container_size(const struct spec_container *one)
{
    int64_t memory_milli = amount_milli(&one->memory);

    return (struct sizing){amount_milli(&one->cpu),
                           memory_milli / 1000 + (memory_milli % 1000 > 0)};
}

int64_t pod_spec_container_gpus(const struct spec_container *one)
{
    return amount_milli(&one->gpu) / 1000;
}

str pod_spec_pull_policy(str image)
{
    str name = image;
    bool has_digest = str_find_char(image, '@') >= 0;

    if (has_digest) {
        name = str_sub(image, 0, (size_t)str_find_char(image, '@'));
    }
    /* A colon before the last slash is the registry's port. */
    while (str_find_char(name, '/') >= 0) {
        name = str_sub(name, (size_t)str_find_char(name, '/') + 1, name.bytes);
    }
    ptrdiff_t colon = str_find_char(name, ':');
    bool is_latest =
        colon < 0 ? !has_digest : str_eq(str_sub(name, (size_t)colon, name.bytes), S(":latest"));
    return is_latest ? S("Always") : S("IfNotPresent");
}
