/* flex_read.c - see flex_read.h */
#include "spec/flex_read.h"

#include "base/check.h"
#include "data/json_write.h"
#include "spec/pod_fields.h"
#include "spec/ref_read.h"

#define TEXT_BYTES_SHOWN 100
#define DISK_GIB_MIN 20u
#define DISK_GIB_MAX 32768u

/* What a CSI driver is called as a flex driver, and which attributes pass (eci-api 2.1, Volume). */
static const struct driver {
    const char *flex;
    const char *csi;
    const char *handle;        /* option that takes the volume's handle; NULL: none does */
    const char *mount_options; /* option that takes the mount options; NULL: none does */
    const char *attributes[8];
} drivers[] = {
    {"alicloud/disk", "diskplugin.csi.alibabacloud.com", "volumeId", NULL, {NULL}},
    {"alicloud/nas",
     "nasplugin.csi.alibabacloud.com",
     NULL,
     "options",
     {"server", "path", "vers", "options", NULL}},
    {"alicloud/oss",
     "ossplugin.csi.alibabacloud.com",
     NULL,
     NULL,
     {"bucket", "url", "path", "otherOpts", "akId", "akSecret", "ramRole", NULL}},
};
#define DRIVERS_COUNT (sizeof drivers / sizeof drivers[0])

static void read_nfs(struct spec_read *read, json nfs, str path, struct spec_volume *out);
static void read_flex(struct spec_read *read, json flex, str name_space, str path,
                      struct spec_volume *out);
static void read_csi(struct spec_read *read, json csi, json mount_options, str name_space, str path,
                     struct spec_volume *out);
static void read_claim(struct spec_read *read, json claim, str path, struct spec_volume *out);
static json read_keys(struct spec_read *read, json reference, str name_space, str path);

bool flex_read(struct spec_read *read, json volume, str path, struct spec_volume *out)
{
    json nfs = json_get(volume, "nfs"), flex = json_get(volume, "flexVolume"),
         csi = json_get(volume, "csi"), claim = json_get(volume, "persistentVolumeClaim");
    str name_space = read->pod->facts.name_space;

    if (json_is_there(nfs)) {
        str here = spec_path_key(read, path, "nfs");
        fields_check(FIELD_SCOPE_NFS, nfs, here, read->verdict);
        read_nfs(read, nfs, here, out);
    } else if (json_is_there(flex)) {
        str here = spec_path_key(read, path, "flexVolume");
        fields_check(FIELD_SCOPE_FLEX, flex, here, read->verdict);
        read_flex(read, flex, name_space, here, out);
    } else if (json_is_there(csi)) {
        str here = spec_path_key(read, path, "csi");
        fields_check(FIELD_SCOPE_CSI, csi, here, read->verdict);
        read_csi(read, csi, JSON_NONE, name_space, here, out);
    } else if (json_is_there(claim)) {
        str here = spec_path_key(read, path, "persistentVolumeClaim");
        fields_check(FIELD_SCOPE_CLAIM, claim, here, read->verdict);
        read_claim(read, claim, here, out);
    } else {
        return false;
    }
    return true;
}

static void read_nfs(struct spec_read *read, json nfs, str path, struct spec_volume *out)
{
    out->kind = SPEC_VOLUME_NFS;
    out->server = spec_read_text(read, nfs, "server", path);
    out->path = spec_read_text(read, nfs, "path", path);
    out->is_read_only |= spec_read_bool(read, nfs, "readOnly", path);
    if (str_is_empty(out->server) || str_is_empty(out->path)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "needs a server and a path");
    }
}

/* The options are written straight into the free end of the arena: nothing else may be taken from
 * it until options_end(). */
struct options {
    struct buf text;
    struct json_write w;
};

static void options_begin(struct options *options, struct arena *arena)
{
    size_t bytes = 0;
    char *room = arena_rest(arena, &bytes);

    buf_init(&options->text, room, bytes);
    json_write_init(&options->w, &options->text);
    json_object(&options->w);
}

static str options_end(struct options *options, struct arena *arena)
{
    json_end(&options->w);
    if (!json_write_ok(&options->w)) {
        arena->has_failed = true;
        return STR_NONE;
    }
    arena_keep(arena, options->text.bytes);
    return buf_str(&options->text);
}

/* Members that are texts, decoded before the writing begins. */
struct pairs {
    struct spec_setting *items;
    uint32_t count;
    uint32_t most;
};

static void pair_put(struct pairs *pairs, str name, str value)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (str_eq(pairs->items[i].name, name)) {
            pairs->items[i].value = value;
            return;
        }
    }
    if (pairs->count < pairs->most) {
        pairs->items[pairs->count++] = (struct spec_setting){.name = name, .value = value};
    }
}

static void pairs_begin(struct pairs *pairs, struct arena *arena, uint32_t most)
{
    pairs->items = ARENA_ARRAY(arena, most + 1, struct spec_setting);
    pairs->most = pairs->items != NULL ? most + 1 : 0;
}

static str pairs_end(const struct pairs *pairs, struct arena *arena)
{
    struct options options;

    options_begin(&options, arena);
    for (uint32_t i = 0; i < pairs->count; i++) {
        json_key_put(&options.w, pairs->items[i].name);
        json_put_text(&options.w, pairs->items[i].value);
    }
    return options_end(&options, arena);
}

/* The keys of a driver's Secret among its options. */
static void put_keys(struct spec_read *read, struct pairs *pairs, json keys, str path,
                     struct spec_volume *out)
{
    for (json one = json_first(keys); json_is_there(one); one = json_next(one)) {
        str value = STR_NONE;

        if (ref_decode(read, path, json_text(one, read->arena), &value)) {
            pair_put(pairs, json_key(one, read->arena), value);
            out->is_secret = true;
        }
    }
}

/* Only disks are formatted. */
static void read_fs_type(struct spec_read *read, json source, str path, struct spec_volume *out)
{
    static const char *const known[] = {"", "ext4", "ext3", "xfs", "vfat"};
    str text = spec_read_text(read, source, "fsType", path);
    bool is_known = false;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        is_known |= str_eq(text, str_of(known[i]));
    }
    if (!str_eq(out->driver, S("alicloud/disk"))) {
        return;
    }
    if (!is_known) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "its fsType must be ext4, ext3, xfs or vfat");
    }
    out->fs_type = text;
}

static const str *pair_find(const struct pairs *pairs, const char *name)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (str_eq(pairs->items[i].name, str_of(name))) {
            return &pairs->items[i].value;
        }
    }
    return NULL;
}

/* A disk is there already, or made in a size that the cloud has (eci-api 2.1, FlexVolume). */
static void check_disk(struct spec_read *read, const struct pairs *pairs, str path)
{
    const str *size = pair_find(pairs, "volumeSize");
    uint64_t gib = 0;

    if (size == NULL) {
        if (pair_find(pairs, "volumeId") == NULL && pair_find(pairs, "snapshotId") == NULL) {
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "options"),
                           "a disk needs a volumeId or a volumeSize");
        }
        return;
    }
    if (!str_to_u64(*size, &gib) || gib < DISK_GIB_MIN || gib > DISK_GIB_MAX) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "options"),
                       "volumeSize is \"%.*s\"; the cloud takes %u to %u (GiB)",
                       STR_ARG(str_sub(*size, 0, TEXT_BYTES_SHOWN)), DISK_GIB_MIN, DISK_GIB_MAX);
    }
}

static void read_flex(struct spec_read *read, json flex, str name_space, str path,
                      struct spec_volume *out)
{
    str driver = spec_read_text(read, flex, "driver", path);
    json options = json_get(flex, "options");
    json keys = read_keys(read, json_get(flex, "secretRef"), name_space, path);
    struct pairs pairs = {0};
    bool is_known = false;

    out->kind = SPEC_VOLUME_FLEX;
    out->driver = driver;
    read_fs_type(read, flex, path, out);
    out->is_read_only |= spec_read_bool(read, flex, "readOnly", path);
    for (size_t i = 0; i < DRIVERS_COUNT; i++) {
        is_known |= str_eq(driver, str_of(drivers[i].flex));
    }
    if (!is_known) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "the driver \"%.*s\" is none of alicloud/disk, alicloud/nas, alicloud/oss",
                       STR_ARG(str_sub(driver, 0, TEXT_BYTES_SHOWN)));
    }
    if (json_is_there(options) && json_type(options) != JSON_TYPE_OBJECT) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "options"),
                       "must be an object");
        return;
    }
    pairs_begin(&pairs, read->arena, json_count(options) + json_count(keys));
    for (json one = json_first(options); json_is_there(one); one = json_next(one)) {
        str key = json_key(one, read->arena);
        out->is_secret |= str_eq_nocase(key, S("akSecret"));
        if (json_type(one) != JSON_TYPE_STRING) {
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "options"),
                           "must be texts");
        }
        pair_put(&pairs, key, json_text(one, read->arena));
    }
    put_keys(read, &pairs, keys, path, out);
    if (str_eq(driver, S("alicloud/disk"))) {
        check_disk(read, &pairs, path);
    }
    out->options = pairs_end(&pairs, read->arena);
}

/* JSON_NONE when no Secret is named. */
static json read_keys(struct spec_read *read, json reference, str name_space, str path)
{
    str own = json_text(json_get(reference, "namespace"), read->arena);
    const struct ref_use use = {
        .kind = SPEC_REF_SECRET,
        .name_space = str_is_empty(own) ? name_space : own,
        .name = json_text(json_get(reference, "name"), read->arena),
        .path = path,
    };

    return str_is_empty(use.name) ? JSON_NONE : json_get(ref_object(read, &use), "data");
}

/* "vers=3,nolock" of a list of texts, which are decoded before the writing begins. */
static str join(struct spec_read *read, json list)
{
    uint32_t count = json_count(list), at = 0;
    str *items = ARENA_ARRAY(read->arena, count, str);
    struct buf text;
    size_t bytes = 0;

    for (json one = json_first(list); items != NULL && json_is_there(one); one = json_next(one)) {
        if (json_type(one) == JSON_TYPE_STRING) {
            items[at++] = json_text(one, read->arena);
        }
    }
    char *room = arena_rest(read->arena, &bytes);
    buf_init(&text, room, bytes);
    for (uint32_t i = 0; i < at; i++) {
        buf_put_text(&text, i > 0 ? "," : "");
        buf_put(&text, items[i]);
    }
    read->arena->has_failed |= !buf_ok(&text);
    arena_keep(read->arena, text.bytes);
    return buf_str(&text);
}

/* Attributes that the cloud does not know; those of Kubernetes' own are without meaning to it. */
static void check_attributes(struct spec_read *read, const struct driver *driver, json attributes,
                             str path)
{
    for (json one = json_first(attributes); json_is_there(one); one = json_next(one)) {
        str key = json_key(one, read->arena);
        bool is_known = str_find_char(key, '/') >= 0;

        for (size_t i = 0; driver->attributes[i] != NULL && !is_known; i++) {
            is_known = str_eq(key, str_of(driver->attributes[i]));
        }
        if (!is_known) {
            verdict_warn(read->verdict, path, "the attribute \"%.*s\" is not passed to the cloud",
                         STR_ARG(str_sub(key, 0, TEXT_BYTES_SHOWN)));
        }
    }
}

static void warn_of_mount_options(struct spec_read *read, json options, str path)
{
    if (json_count(options) > 0) {
        verdict_warn(read->verdict, path, "its volume's mountOptions are not passed to the cloud");
    }
}

static void put_attributes(struct spec_read *read, const struct driver *driver, json csi,
                           json mount_options, struct pairs *pairs, struct spec_volume *out)
{
    json attributes = json_get(csi, "volumeAttributes");

    if (driver->handle != NULL) {
        pair_put(pairs, str_of(driver->handle),
                 json_text(json_get(csi, "volumeHandle"), read->arena));
    }
    if (driver->mount_options != NULL && json_count(mount_options) > 0) {
        pair_put(pairs, str_of(driver->mount_options), join(read, mount_options));
    }
    for (size_t i = 0; driver->attributes[i] != NULL; i++) {
        json value = json_get(attributes, driver->attributes[i]);
        if (json_is_there(value)) {
            pair_put(pairs, str_of(driver->attributes[i]), json_text(value, read->arena));
            out->is_secret |= strcmp(driver->attributes[i], "akSecret") == 0;
        }
    }
}

static void read_csi(struct spec_read *read, json csi, json mount_options, str name_space, str path,
                     struct spec_volume *out)
{
    str name = spec_read_text(read, csi, "driver", path);
    json keys = read_keys(read, json_get(csi, "nodePublishSecretRef"), name_space, path);
    struct pairs pairs = {0};
    size_t at = 0;

    out->kind = SPEC_VOLUME_FLEX;
    while (at < DRIVERS_COUNT && !str_eq(name, str_of(drivers[at].csi))) {
        at++;
    }
    if (at == DRIVERS_COUNT) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "an instance cannot use the driver \"%.*s\"; it knows diskplugin, nasplugin "
                       "and ossplugin.csi.alibabacloud.com",
                       STR_ARG(str_sub(name, 0, TEXT_BYTES_SHOWN)));
        return;
    }
    out->driver = str_of(drivers[at].flex);
    read_fs_type(read, csi, path, out);
    out->is_read_only |= spec_read_bool(read, csi, "readOnly", path);
    if (drivers[at].handle != NULL && !json_is_there(json_get(csi, "volumeHandle"))) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "a disk needs a claim whose volume names it");
    }
    if (drivers[at].mount_options == NULL) {
        warn_of_mount_options(read, mount_options, path);
    }
    check_attributes(read, &drivers[at], json_get(csi, "volumeAttributes"), path);
    pairs_begin(&pairs, read->arena,
                2 + (uint32_t)(sizeof drivers[at].attributes / sizeof(char *)) + json_count(keys));
    put_attributes(read, &drivers[at], csi, mount_options, &pairs, out);
    put_keys(read, &pairs, keys, path, out);
    out->options = pairs_end(&pairs, read->arena);
}

static void refuse_block_device(struct spec_read *read, str path)
{
    verdict_refuse(read->verdict, SPEC_NEVER, path, "raw block devices cannot be attached");
}

/* Of a claim that was found; false: it is not only promised. */
static bool read_promised(struct spec_read *read, const struct ref_use *use,
                          struct spec_volume *out)
{
    const struct spec_ref *ref = spec_refs_find(read->refs, use->kind, use->name_space, use->name);
    CHECK(ref != NULL); /* ref_object() has found it */
    if (ref->state != SPEC_REF_PROMISED) {
        return false;
    }
    out->kind = SPEC_VOLUME_PROMISED;
    if (json_text_is(json_get(json_get(ref->object, "spec"), "volumeMode"), "Block")) {
        refuse_block_device(read, use->path);
    }
    verdict_warn(read->verdict, use->path,
                 "the claim %.*s is made from its template; the pod waits until it is bound, and "
                 "to which volume is not known here",
                 STR_ARG(str_sub(use->name, 0, TEXT_BYTES_SHOWN)));
    return true;
}

static void read_claim(struct spec_read *read, json claim, str path, struct spec_volume *out)
{
    struct ref_use use = {
        .kind = SPEC_REF_CLAIM,
        .name_space = read->pod->facts.name_space,
        .name = spec_read_text(read, claim, "claimName", path),
        .path = path,
    };
    json object = ref_object(read, &use), spec = json_get(object, "spec");
    str claim_name = use.name;

    out->is_read_only |= spec_read_bool(read, claim, "readOnly", path);
    if (!json_is_there(object) || read_promised(read, &use, out)) {
        return;
    }
    use.kind = SPEC_REF_VOLUME;
    use.name_space = STR_NONE;
    use.name = json_text(json_get(spec, "volumeName"), read->arena);
    if (str_is_empty(use.name) ||
        !json_text_is(json_get(json_get(object, "status"), "phase"), "Bound")) {
        verdict_refuse_as(read->verdict, SPEC_WAIT, REF_MOUNT_FAILED, path,
                          "the claim %.*s is not bound to a volume yet",
                          STR_ARG(str_sub(claim_name, 0, TEXT_BYTES_SHOWN)));
        return;
    }
    object = ref_object(read, &use);
    spec = json_get(object, "spec");
    if (!json_is_there(object)) {
        return;
    }
    if (json_text_is(json_get(spec, "volumeMode"), "Block")) {
        refuse_block_device(read, path);
    } else if (json_is_there(json_get(spec, "nfs"))) {
        warn_of_mount_options(read, json_get(spec, "mountOptions"), path);
        read_nfs(read, json_get(spec, "nfs"), path, out);
    } else if (json_is_there(json_get(spec, "flexVolume"))) {
        warn_of_mount_options(read, json_get(spec, "mountOptions"), path);
        read_flex(read, json_get(spec, "flexVolume"), read->pod->facts.name_space, path, out);
    } else if (json_is_there(json_get(spec, "csi"))) {
        read_csi(read, json_get(spec, "csi"), json_get(spec, "mountOptions"),
                 read->pod->facts.name_space, path, out);
    } else {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "the volume %.*s is none of nfs, flexVolume and csi",
                       STR_ARG(str_sub(use.name, 0, TEXT_BYTES_SHOWN)));
    }
}
