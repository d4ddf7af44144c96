/*
 * pod_to_eci.c - see pod_to_eci.h
 *
 * The parameters come in the order of eci-api 2.1: the group, its tags, containers, volumes.
 */
#include "spec/pod_to_eci.h"

#include "base/check.h"
#include "spec/annotation.h"
#include "spec/container_to_eci.h"
#include "spec/identity.h"
#include "spec/settings_to_eci.h"
#include "spec/tags.h"
#include "spec/volume_to_eci.h"

struct ways {
    const struct pod_spec *pod;
    const struct spec_config *config;
    uint32_t attempt;
    struct params *params;
    struct spec_verdict *verdict;
    struct annotations *asked;
    struct annotation_size *chosen;
};

static void check_counts(const struct ways *to);
static void add_group(const struct ways *to);
static bool add_size(const struct ways *to);
static void check_gpus(const struct ways *to);
static void add_ephemeral(const struct ways *to);
static void add_tags(const struct ways *to);
static void add_containers(const struct ways *to);
static void add_host_aliases(const struct ways *to);

enum err pod_to_eci(const struct pod_spec *pod, const struct spec_config *config, uint32_t attempt,
                    struct params *params, struct sizing *size, struct spec_verdict *verdict)
{
    struct annotation_size chosen = {0};
    const struct ways to = {
        pod, config, attempt, params, verdict, ARENA_NEW(verdict->arena, struct annotations),
        &chosen};

    CHECK(spec_config_fault(config) == NULL && attempt > 0);
    if (to.asked == NULL) {
        return ERR_FULL;
    }
    annotations_read(pod->annotations, config->effects, config->effects_count, to.asked, verdict);
    check_counts(&to);
    add_group(&to);
    if (add_size(&to)) {
        check_gpus(&to);
        add_ephemeral(&to);
        add_tags(&to);
        add_containers(&to);
        volumes_to_eci(pod, params, verdict);
        add_host_aliases(&to);
        settings_to_eci(pod, params);
        annotations_put(to.asked, config, params, verdict);
    }
    if (size != NULL) {
        *size = chosen.size;
    }
    if (params->has_failed && params->count >= PARAMS_MAX) {
        verdict_refuse(verdict, SPEC_NEVER, S("spec"), "needs more than %u parameters", PARAMS_MAX);
    } else if (params->has_failed || params->arena->has_failed) {
        return ERR_FULL;
    }
    return verdict_err(verdict);
}

enum err pod_json_to_eci(json pod, const struct spec_refs *refs, const struct spec_config *config,
                         uint32_t attempt, struct params *params, struct sizing *size,
                         struct spec_verdict *verdict)
{
    struct pod_spec spec;
    enum err err = pod_spec_read(pod, refs, config, verdict->arena, &spec, verdict);

    if (err == ERR_OK) {
        err = verdict_err(verdict);
    }
    struct annotations *asked =
        err == ERR_UNSUPPORTED ? ARENA_NEW(verdict->arena, struct annotations) : NULL;
    if (asked != NULL) { /* whoever has to change the pod sees all that is wrong at once */
        annotations_read(spec.annotations, config->effects, config->effects_count, asked, verdict);
    }
    return err == ERR_OK ? pod_to_eci(&spec, config, attempt, params, size, verdict) : err;
}

const char *spec_config_fault(const struct spec_config *config)
{
    str rest = config->vswitch_ids, one;
    unsigned vswitches = 0;

    while (str_cut(&rest, ',', &one)) {
        vswitches++;
    }
    if (str_is_empty(config->cluster_id) || config->cluster_id.bytes > TAG_VALUE_BYTES_MAX) {
        return "the cluster id must have 1 to 128 characters";
    }
    if (str_starts(config->cluster_id, S("acs:"))) {
        return "the cluster id must not start with \"acs:\"";
    }
    if (str_is_empty(config->node_name)) {
        return "the node needs a name";
    }
    if (str_is_empty(config->region_id)) {
        return "the region is missing";
    }
    return vswitches > ECI_VSWITCHES_MAX ? "there are more than 10 vSwitches" : NULL;
}

static void check_counts(const struct ways *to)
{
    uint32_t containers = to->pod->containers_count + to->pod->init_containers_count;

    if (containers > ECI_GROUP_CONTAINERS_MAX) {
        verdict_refuse(to->verdict, SPEC_NEVER, S("spec.containers"),
                       "%u containers with the init containers; an instance has at most %u",
                       containers, ECI_GROUP_CONTAINERS_MAX);
    }
    if (to->pod->volumes_count > ECI_GROUP_VOLUMES_MAX) {
        verdict_refuse(to->verdict, SPEC_NEVER, S("spec.volumes"),
                       "%u volumes; an instance has at most %u", to->pod->volumes_count,
                       ECI_GROUP_VOLUMES_MAX);
    }
}

static void add_if(struct params *params, str name, str value)
{
    if (!str_is_empty(value)) {
        params_add(params, name, value);
    }
}

static void add_group(const struct ways *to)
{
    const struct pod_facts *facts = &to->pod->facts;
    struct params *params = to->params;
    char token[CLIENT_TOKEN_BYTES + 1];

    identity_token(token, to->config->cluster_id, facts->uid, to->attempt);
    params_add(params, S("RegionId"), to->config->region_id);
    add_if(params, S("ZoneId"), to->config->zone_id);
    add_if(params, S("VSwitchId"), to->config->vswitch_ids);
    add_if(params, S("SecurityGroupId"), to->config->security_group_id);
    add_if(params, S("ResourceGroupId"), to->config->resource_group_id);
    params_add(params, S("ClientToken"), str_of(token));
    params_add(params, S("ContainerGroupName"),
               identity_group_name(params->arena, facts->name_space, facts->name));
    params_add(params, S("RestartPolicy"), str_of(restart_policy_name(facts->restart_policy)));
    if (to->pod->has_grace) {
        params_add_i64(params, S("TerminationGracePeriodSeconds"), to->pod->grace_s);
    }
    if (facts->active_deadline_s > 0 && !to->config->deadline_is_ours) {
        params_add_i64(params, S("ActiveDeadlineSeconds"), facts->active_deadline_s);
    }
    if (to->pod->shares_processes) {
        params_add_bool(params, S("ShareProcessNamespace"), true);
    }
    add_if(params, S("HostName"), to->pod->host_name);
}

/* False when no instance is that large. */
static bool add_size(const struct ways *to)
{
    struct sizing_sum sum = {0};

    for (uint32_t i = 0; i < to->pod->containers_count; i++) {
        if (!to->pod->containers[i].is_unsized) {
            sizing_add_app(&sum, pod_spec_container_size(&to->pod->containers[i]));
        }
    }
    for (uint32_t i = 0; i < to->pod->init_containers_count; i++) {
        if (!to->pod->init_containers[i].is_unsized) {
            sizing_add_init(&sum, pod_spec_container_size(&to->pod->init_containers[i]));
        }
    }
    struct sizing wanted = sizing_total(&sum);
    if (annotations_size(to->asked, wanted, to->config->region_id, to->params->arena, to->chosen) !=
        ERR_OK) {
        str cpu = sizing_cpu_text(to->verdict->arena, wanted.cpu_milli);
        str gib = sizing_gib_text(to->verdict->arena, wanted.memory_bytes);
        bool has_families = annotations_has(to->asked, ANNOTATION_INSTANCE_FAMILY) ||
                            annotations_has(to->asked, ANNOTATION_INSTANCE_GENERATION);
        if (has_families) {
            verdict_refuse(to->verdict, SPEC_NEVER, S("spec.containers"),
                           "%.*s vCPU and %.*s GiB together; no ECS type of the families that are "
                           "asked for is that large",
                           STR_ARG(cpu), STR_ARG(gib));
            return false;
        }
        verdict_refuse(to->verdict, SPEC_NEVER, S("spec.containers"),
                       "%.*s vCPU and %.*s GiB together; there is no instance that large "
                       "(%d vCPU, %d GiB)",
                       STR_ARG(cpu), STR_ARG(gib), SIZING_CPU_MILLI_MAX / 1000,
                       SIZING_MEMORY_GIB_MAX);
        return false;
    }
    if (!str_is_empty(to->chosen->types)) {
        params_add(to->params, S("InstanceType"), to->chosen->types);
        return true;
    }
    const struct sizing *size = &to->chosen->size;
    params_add(to->params, S("Cpu"), sizing_cpu_text(to->params->arena, size->cpu_milli));
    params_add(to->params, S("Memory"), sizing_gib_text(to->params->arena, size->memory_bytes));
    return true;
}

static bool has_gpus(const struct spec_container *containers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pod_spec_container_gpus(&containers[i]) > 0) {
            return true;
        }
    }
    return false;
}

/* GPUs come with ECS types that have them, which are not mixed with other kinds (eci-api 2.1). What
 * families stand for has none. */
static void check_gpus(const struct ways *to)
{
    str rest = to->chosen->is_chosen ? to->chosen->types : STR_NONE, one;
    bool has_types = !str_is_empty(rest);

    if (!has_gpus(to->pod->containers, to->pod->containers_count) &&
        !has_gpus(to->pod->init_containers, to->pod->init_containers_count)) {
        return;
    }
    while (str_cut(&rest, ',', &one)) {
        has_types = has_types && str_starts(one, S("ecs."));
    }
    if (!has_types) {
        verdict_refuse(to->verdict, SPEC_NEVER, S("spec.containers"),
                       "GPUs need an instance of a type that has them: name ECS types, and nothing "
                       "else, in %s",
                       annotation_row(ANNOTATION_USE_SPECS)->key);
    }
}

static int64_t milli_to_whole(int64_t milli)
{
    return milli / 1000 + (milli % 1000 > 0);
}

/* Containers' ephemeral-storage above what every instance has is bought in whole GiB (eci-api 6.1,
 * eci-extra-ephemeral-storage). Requests count: they are what Kubernetes reserves. */
static void add_ephemeral(const struct ways *to)
{
    struct sizing_sum sum = {0}; /* .memory_bytes, for its way of adding */

    for (uint32_t i = 0; i < to->pod->containers_count; i++) {
        const struct spec_amount *one = &to->pod->containers[i].ephemeral;
        int64_t milli = one->has_request ? one->request_milli : one->limit_milli;
        sizing_add_app(&sum, (struct sizing){0, milli_to_whole(milli)});
    }
    for (uint32_t i = 0; i < to->pod->init_containers_count; i++) {
        const struct spec_amount *one = &to->pod->init_containers[i].ephemeral;
        int64_t milli = one->has_request ? one->request_milli : one->limit_milli;
        sizing_add_init(&sum, (struct sizing){0, milli_to_whole(milli)});
    }
    int64_t bytes = sizing_total(&sum).memory_bytes;
    int64_t gib = bytes / SIZING_GIB + (bytes % SIZING_GIB > 0);
    if (gib > ECI_EPHEMERAL_FREE_GIB + ECI_EPHEMERAL_MORE_GIB_MAX) {
        verdict_refuse(to->verdict, SPEC_NEVER, S("spec.containers"),
                       "%lld GiB of ephemeral-storage together; an instance has at most %d",
                       (long long)gib, ECI_EPHEMERAL_FREE_GIB + ECI_EPHEMERAL_MORE_GIB_MAX);
    } else if (gib > ECI_EPHEMERAL_FREE_GIB) {
        params_add_i64(to->params, S("EphemeralStorage"), gib - ECI_EPHEMERAL_FREE_GIB);
    }
}

static void add_tags(const struct ways *to)
{
    const struct pod_facts *facts = &to->pod->facts;
    struct arena *arena = to->params->arena;
    unsigned number = 0;
    const str values[TAG_COUNT] = {
        [TAG_CLUSTER] = to->config->cluster_id,
        [TAG_NAMESPACE] = facts->name_space,
        [TAG_POD] = facts->name,
        [TAG_POD_REST] = str_sub(facts->name, tag_value(facts->name).bytes, facts->name.bytes),
        [TAG_MANAGED_BY] = S(TAG_MANAGED_BY_VALUE),
        [TAG_NODE] = to->config->node_name,
        [TAG_OWNER_KIND] = facts->owner_kind,
        [TAG_OWNER_NAME] = facts->owner_name,
        [TAG_UID] = facts->uid,
        [TAG_ATTEMPT] = arena_fmt(arena, "%u", to->attempt),
        [TAG_FORMAT] = arena_fmt(arena, "%d", SPEC_FORMAT),
    };

    for (unsigned i = 0; i < TAG_COUNT; i++) {
        if (!str_is_empty(values[i])) {
            number++;
            params_add_at(to->params, str_of(tag_key((enum tag)i)), "Tag.%u.Key", number);
            params_add_at(to->params, tag_value(values[i]), "Tag.%u.Value", number);
        }
    }
}

/*
 * Container limits are sent unless together they exceed the instance, which the cloud refuses
 * (eci-api 4.3): that happens when containers are left out of its size, or when an annotation gave
 * the size. Then those, or all, are not limited.
 */
static void add_containers(const struct ways *to)
{
    struct sizing room = to->chosen->room;
    struct sizing_sum all = {0};
    struct container_to_eci one;

    for (uint32_t i = 0; i < to->pod->containers_count; i++) {
        sizing_add_app(&all, pod_spec_container_size(&to->pod->containers[i]));
    }
    bool fits = all.apps.cpu_milli <= room.cpu_milli && all.apps.memory_bytes <= room.memory_bytes;

    for (uint32_t i = 0; i < to->pod->containers_count; i++) {
        one = (struct container_to_eci){
            .from = &to->pod->containers[i],
            .prefix = arena_fmt(to->params->arena, "Container.%u", i + 1),
            .path = arena_fmt(to->verdict->arena, "spec.containers[%u]", i),
            .sends_limits = fits || (!to->chosen->is_chosen && !to->pod->containers[i].is_unsized),
        };
        container_to_eci(&one, to->config, to->params, to->verdict);
    }
    for (uint32_t i = 0; i < to->pod->init_containers_count; i++) {
        struct sizing own = pod_spec_container_size(&to->pod->init_containers[i]);
        bool fits_own = own.cpu_milli <= room.cpu_milli && own.memory_bytes <= room.memory_bytes;

        one = (struct container_to_eci){
            .from = &to->pod->init_containers[i],
            .prefix = arena_fmt(to->params->arena, "InitContainer.%u", i + 1),
            .path = arena_fmt(to->verdict->arena, "spec.initContainers[%u]", i),
            .is_init = true,
            .sends_limits =
                to->chosen->is_chosen ? fits_own : !to->pod->init_containers[i].is_unsized,
        };
        container_to_eci(&one, to->config, to->params, to->verdict);
    }
}

static void add_host_aliases(const struct ways *to)
{
    for (uint32_t i = 0; i < to->pod->host_aliases_count; i++) {
        const struct spec_host_alias *alias = &to->pod->host_aliases[i];

        params_add_at(to->params, alias->ip, "HostAliase.%u.Ip", i + 1);
        for (uint32_t k = 0; k < alias->names_count; k++) {
            params_add_at(to->params, alias->names[k], "HostAliase.%u.Hostname.%u", i + 1, k + 1);
        }
    }
}
