/* volume_read.c - see volume_read.h */
#include "spec/volume_read.h"

#include "spec/files_read.h"
#include "spec/flex_read.h"
#include "spec/pod_fields.h"
#include "spec/pod_to_eci.h"
#include "spec/quantity.h"
#include "spec/token_volume.h"

#define TEXT_BYTES_SHOWN 100

static void read_volume(struct spec_read *read, json object, str path, struct spec_volume *out);
static void read_empty_dir(struct spec_read *read, json object, str path, struct spec_volume *out);
static void read_host_path(struct spec_read *read, json source, str path, struct spec_volume *out);
static bool has_volume(const struct spec_read *read, str name);
static bool is_allowed(str allowed, str path);

void volumes_read(struct spec_read *read, json spec)
{
    json list = spec_read_list(read, spec, "volumes", S("spec"));
    uint32_t count = json_count(list), at = 0;
    struct spec_volume *volumes =
        count > 0 ? ARENA_ARRAY(read->arena, count, struct spec_volume) : NULL;

    read->pod->volumes = volumes;
    for (json one = json_first(list); volumes != NULL && json_is_there(one);
         one = json_next(one), at++) {
        str path = spec_path_at(read, S("spec"), "volumes", at);

        if (str_is_empty(read->token_volume) && token_volume_is(one, spec, read->arena)) {
            read->token_volume = json_text(json_get(one, "name"), read->arena);
            verdict_warn(read->verdict, path,
                         "the service account token is not provided to the instance; "
                         "automountServiceAccountToken says whether it is needed (true), or not "
                         "(false)");
            continue;
        }
        read_volume(read, one, path, &volumes[read->pod->volumes_count]);
        read->pod->volumes_count++;
    }
}

/* Among those that were read before. */
static bool has_volume(const struct spec_read *read, str name)
{
    for (uint32_t i = 0; i < read->pod->volumes_count; i++) {
        if (str_eq(read->pod->volumes[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void read_volume(struct spec_read *read, json object, str path, struct spec_volume *out)
{
    json host_path = json_get(object, "hostPath");

    *out = (struct spec_volume){.name = spec_read_text(read, object, "name", path),
                                .default_mode = -1};
    fields_check(FIELD_SCOPE_VOLUME, object, path, read->verdict);
    if (str_is_empty(out->name)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "a volume needs a name");
    } else if (has_volume(read, out->name)) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "name"),
                       "there is another volume \"%.*s\"",
                       STR_ARG(str_sub(out->name, 0, TEXT_BYTES_SHOWN)));
    }
    if (json_is_there(host_path)) {
        read_host_path(read, host_path, spec_path_key(read, path, "hostPath"), out);
    } else if (!files_read(read, object, path, out) && !flex_read(read, object, path, out)) {
        read_empty_dir(read, json_get(object, "emptyDir"), spec_path_key(read, path, "emptyDir"),
                       out);
    }
}

static void read_empty_dir(struct spec_read *read, json source, str path, struct spec_volume *out)
{
    json limit = json_get(source, "sizeLimit");
    bool is_number = json_type(limit) == JSON_TYPE_NUMBER; /* Quantity takes both */
    int64_t milli = 0;

    fields_check(FIELD_SCOPE_EMPTY_DIR, source, path, read->verdict);
    out->medium = spec_read_text(read, source, "medium", path);
    out->size_limit = is_number ? json_raw(limit) : spec_read_text(read, source, "sizeLimit", path);
    if (!str_is_empty(out->size_limit) &&
        (quantity_parse_milli(out->size_limit, &milli) != ERR_OK || milli < 0)) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "sizeLimit"),
                       "is not a quantity, or too large");
    } else if (milli == 0) { /* to the kubelet that is no limit */
        out->size_limit = STR_NONE;
    }
}

static void read_host_path(struct spec_read *read, json source, str path, struct spec_volume *out)
{
    out->kind = SPEC_VOLUME_HOST_PATH;
    out->path = spec_read_text(read, source, "path", path);
    out->path_type = spec_read_text(read, source, "type", path);
    fields_check(FIELD_SCOPE_HOST_PATH, source, path, read->verdict);
    if (!is_allowed(read->config->host_paths, out->path)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "an instance has no host with files; use emptyDir, a disk or NAS");
    } else if (!str_is_empty(out->path_type) && !str_eq(out->path_type, S("Directory")) &&
               !str_eq(out->path_type, S("File"))) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "its type must be Directory or File, nothing is made on the host");
    }
}

/* One of the allowed paths, or below one. */
static bool is_allowed(str allowed, str path)
{
    str rest = allowed, one;

    if (!str_starts(path, S("/")) || !spec_is_inner_path(str_sub(path, 1, path.bytes))) {
        return false;
    }
    while (str_cut(&rest, ',', &one)) {
        one = str_trim(one);
        while (str_ends(one, S("/"))) {
            one.bytes--;
        }
        if (!str_is_empty(one) && str_starts(path, one) &&
            (path.bytes == one.bytes || path.ptr[one.bytes] == '/')) {
            return true;
        }
    }
    return false;
}
