/* token_volume.c - see token_volume.h */
#include "spec/token_volume.h"

static bool has_shape(json volume, str name, struct arena *arena);
static bool is_mounted_elsewhere(json containers, str volume, struct arena *arena);

bool token_volume_is(json volume, json spec, struct arena *arena)
{
    str name = json_text(json_get(volume, "name"), arena);

    return !json_bool_or(json_get(spec, "automountServiceAccountToken"), false) &&
           has_shape(volume, name, arena) &&
           !is_mounted_elsewhere(json_get(spec, "containers"), name, arena) &&
           !is_mounted_elsewhere(json_get(spec, "initContainers"), name, arena);
}

static bool has_shape(json volume, str name, struct arena *arena)
{
    json secret = json_get(volume, "secret");

    if (json_is_there(json_get(volume, "projected"))) {
        return str_starts(name, S("kube-api-access-"));
    }
    return str_find(name, S("-token-")) > 0 &&
           str_eq(json_text(json_get(secret, "secretName"), arena), name);
}

static bool is_mounted_elsewhere(json containers, str volume, struct arena *arena)
{
    for (json one = json_first(containers); json_is_there(one); one = json_next(one)) {
        json mounts = json_get(one, "volumeMounts");

        for (json mount = json_first(mounts); json_is_there(mount); mount = json_next(mount)) {
            if (str_eq(json_text(json_get(mount, "name"), arena), volume) &&
                !json_text_is(json_get(mount, "mountPath"), TOKEN_MOUNT_PATH)) {
                return true;
            }
        }
    }
    return false;
}
