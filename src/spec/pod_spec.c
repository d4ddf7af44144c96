/* pod_spec.c - see pod_spec.h */
#include "spec/pod_spec.h"

#include "spec/container_read.h"
#include "spec/pod_fields.h"
#include "spec/quantity.h"

#define CONTAINERS_READ_MAX 20 /* the cloud's limit; more are refused, so they need no reading */
#define HOST_NAME_BYTES_MAX 63

static void check_owner(struct spec_read *read, const struct pod_facts *facts);
static void read_pod_level(struct spec_read *read, json spec, struct pod_spec *out);
static str kubelet_host_name(str pod_name);
static void read_volumes(struct spec_read *read, json spec, struct pod_spec *out);
static bool is_token_volume(json volume, str name, struct arena *arena);
static bool read_volume(struct spec_read *read, json object, str path, struct spec_volume *out);
static const struct spec_container *read_containers(struct spec_read *read, json spec,
                                                    const char *key, uint32_t *count);
static void read_host_aliases(struct spec_read *read, json spec, struct pod_spec *out);

enum err pod_spec_read(json pod, struct arena *arena, struct pod_spec *out,
                       struct spec_verdict *verdict)
{
    struct spec_read read = {.arena = arena, .verdict = verdict};
    json metadata = json_get(pod, "metadata"), spec = json_get(pod, "spec");

    *out = (struct pod_spec){0};
    enum err err = pod_facts_read(pod, arena, &out->facts);
    if (err != ERR_OK) {
        return err;
    }
    out->labels = json_get(metadata, "labels");
    out->annotations = json_get(metadata, "annotations");
    check_owner(&read, &out->facts);
    fields_check_annotations(out->annotations, verdict);
    read_pod_level(&read, spec, out);
    read_volumes(&read, spec, out);
    out->init_containers =
        read_containers(&read, spec, "initContainers", &out->init_containers_count);
    out->containers = read_containers(&read, spec, "containers", &out->containers_count);
    if (json_count(json_get(spec, "containers")) == 0) {
        verdict_refuse(verdict, SPEC_NEVER, S("spec.containers"), "there are no containers");
    }
    return arena->has_failed ? ERR_FULL : ERR_OK;
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
    fields_check(FIELD_SCOPE_POD_SECURITY, json_get(spec, "securityContext"),
                 S("spec.securityContext"), read->verdict);
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

    while (name.bytes > 0 && (str_ends(name, S("-")) || str_ends(name, S(".")))) {
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

static void read_volumes(struct spec_read *read, json spec, struct pod_spec *out)
{
    json list = spec_read_list(read, spec, "volumes", S("spec"));
    uint32_t count = json_count(list), at = 0;
    struct spec_volume *volumes =
        count > 0 ? ARENA_ARRAY(read->arena, count, struct spec_volume) : NULL;

    if (volumes == NULL) {
        return;
    }
    for (json one = json_first(list); json_is_there(one); one = json_next(one), at++) {
        str path = spec_path_at(read, S("spec"), "volumes", at);

        if (read_volume(read, one, path, &volumes[out->volumes_count])) {
            out->volumes_count++;
        }
    }
    out->volumes = volumes;
}

/* False when the volume is left out. */
static bool read_volume(struct spec_read *read, json object, str path, struct spec_volume *out)
{
    json source = json_get(object, "emptyDir");
    str source_path = spec_path_key(read, path, "emptyDir");
    int64_t milli = 0;

    *out = (struct spec_volume){.name = spec_read_text(read, object, "name", path)};
    if (str_is_empty(read->token_volume) && is_token_volume(object, out->name, read->arena)) {
        read->token_volume = out->name;
        verdict_warn(read->verdict, path,
                     "the service account token is not provided to the instance; "
                     "automountServiceAccountToken: false says that it is not needed");
        return false;
    }
    fields_check(FIELD_SCOPE_VOLUME, object, path, read->verdict);
    fields_check(FIELD_SCOPE_EMPTY_DIR, source, source_path, read->verdict);
    out->medium = spec_read_text(read, source, "medium", source_path);
    out->size_limit = spec_read_text(read, source, "sizeLimit", source_path);
    if (str_is_empty(out->name)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "a volume needs a name");
    }
    if (!str_is_empty(out->size_limit) &&
        (quantity_parse_milli(out->size_limit, &milli) != ERR_OK || milli < 0)) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, source_path, "sizeLimit"),
                       "is not a quantity, or too large");
    }
    return true;
}

/*
 * The volume that the admission plugin ServiceAccount puts into every pod: since 1.21 a projected
 * "kube-api-access-xxxxx", before that the secret "<account>-token-xxxxx" under its own name. Only
 * the shape tells it from a volume of the user's; a mount of it elsewhere than at
 * TOKEN_MOUNT_PATH is refused, so a mistaken guess cannot drop anything in silence.
 */
static bool is_token_volume(json volume, str name, struct arena *arena)
{
    json secret = json_get(volume, "secret");

    if (json_is_there(json_get(volume, "projected"))) {
        return str_starts(name, S("kube-api-access-"));
    }
    return str_find(name, S("-token-")) > 0 &&
           str_eq(json_text(json_get(secret, "secretName"), arena), name);
}

static const struct spec_container *read_containers(struct spec_read *read, json spec,
                                                    const char *key, uint32_t *count)
{
    json list = spec_read_list(read, spec, key, S("spec"));
    uint32_t listed = json_count(list);
    uint32_t most = listed < CONTAINERS_READ_MAX ? listed : CONTAINERS_READ_MAX;
    struct spec_container *containers =
        most > 0 ? ARENA_ARRAY(read->arena, most, struct spec_container) : NULL;
    bool is_init = strcmp(key, "initContainers") == 0;

    *count = 0;
    if (containers == NULL) {
        return NULL;
    }
    if (listed > most) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, S("spec"), key),
                       "%u containers; an instance has at most %u", listed, CONTAINERS_READ_MAX);
    }
    for (json one = json_first(list); *count < most; one = json_next(one)) {
        container_read(read, one, is_init, spec_path_at(read, S("spec"), key, *count),
                       &containers[*count]);
        (*count)++;
    }
    return containers;
}

str pod_spec_label(const struct pod_spec *pod, const char *key, struct arena *arena)
{
    return json_text(json_get(pod->labels, key), arena);
}

str pod_spec_annotation(const struct pod_spec *pod, const char *key, struct arena *arena)
{
    return json_text(json_get(pod->annotations, key), arena);
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
