/* volume_to_eci.c - see volume_to_eci.h */
#include "spec/volume_to_eci.h"

#include "base/codec.h"

#define NAME_BYTES_SHOWN 100

struct ways {
    struct params *params;
    struct spec_verdict *verdict;
    str prefix; /* "Volume.1" */
};

static void add_volume(const struct ways *to, const struct spec_volume *volume);
static void add_files(const struct ways *to, const struct spec_volume *volume);
static void add_flex(const struct ways *to, const struct spec_volume *volume);

void volumes_to_eci(const struct pod_spec *pod, struct params *params, struct spec_verdict *verdict)
{
    unsigned disks = 0;

    for (uint32_t i = 0; i < pod->volumes_count; i++) {
        const struct ways to = {params, verdict, arena_fmt(params->arena, "Volume.%u", i + 1)};
        add_volume(&to, &pod->volumes[i]);
        disks += pod->volumes[i].kind == SPEC_VOLUME_FLEX &&
                 str_eq(pod->volumes[i].driver, S("alicloud/disk"));
    }
    if (disks > ECI_DISKS_MAX) {
        verdict_refuse(verdict, SPEC_NEVER, S("spec.volumes"),
                       "%u disks; an instance has at most %u", disks, ECI_DISKS_MAX);
    }
}

/* An empty text is the cloud's default and is not sent. */
static void add_text(const struct ways *to, const char *name, str value)
{
    if (!str_is_empty(value)) {
        params_add_at(to->params, value, "%.*s.%s", STR_ARG(to->prefix), name);
    }
}

static void add_secret(const struct ways *to, const char *name, str value)
{
    str whole = arena_fmt(to->params->arena, "%.*s.%s", STR_ARG(to->prefix), name);

    if (!str_is_empty(whole)) { /* else the arena is full, and says so */
        params_add_secret(to->params, whole, value);
    }
}

static void add_volume(const struct ways *to, const struct spec_volume *volume)
{
    static const char *const types[] = {
        [SPEC_VOLUME_EMPTY_DIR] = "EmptyDirVolume", [SPEC_VOLUME_FILES] = "ConfigFileVolume",
        [SPEC_VOLUME_NFS] = "NFSVolume",            [SPEC_VOLUME_FLEX] = "FlexVolume",
        [SPEC_VOLUME_HOST_PATH] = "HostPathVolume",
        [SPEC_VOLUME_PROMISED] = "<of the volume of its claim>",
    };
    bool has_no_files = volume->kind == SPEC_VOLUME_FILES && volume->files_count == 0;
    enum spec_volume_kind kind = has_no_files ? SPEC_VOLUME_EMPTY_DIR : volume->kind;

    add_text(to, "Name", volume->name);
    add_text(to, "Type", str_of(types[kind]));
    switch (kind) {
    case SPEC_VOLUME_EMPTY_DIR:
        add_text(to, "EmptyDirVolume.Medium", volume->medium);
        add_text(to, "EmptyDirVolume.SizeLimit", volume->size_limit);
        break;
    case SPEC_VOLUME_FILES:
        add_files(to, volume);
        break;
    case SPEC_VOLUME_NFS:
        add_text(to, "NFSVolume.Server", volume->server);
        add_text(to, "NFSVolume.Path", volume->path);
        add_text(to, "NFSVolume.ReadOnly", volume->is_read_only ? S("true") : STR_NONE);
        break;
    case SPEC_VOLUME_FLEX:
        add_flex(to, volume);
        break;
    case SPEC_VOLUME_HOST_PATH:
        add_text(to, "HostPathVolume.Path", volume->path);
        add_text(to, "HostPathVolume.Type", volume->path_type);
        break;
    case SPEC_VOLUME_PROMISED:
        break;
    }
}

/* Four octal digits (eci-api 2.1). */
static str mode_text(const struct ways *to, int32_t mode)
{
    return mode < 0 ? STR_NONE : arena_fmt(to->params->arena, "%04o", (unsigned)mode);
}

static str base64_of(const struct ways *to, str content)
{
    size_t bytes = 0;
    char *room = arena_rest(to->params->arena, &bytes);
    struct buf text;

    buf_init(&text, room, bytes);
    codec_put_base64(&text, content.ptr, content.bytes);
    to->params->arena->has_failed |= !buf_ok(&text);
    arena_keep(to->params->arena, text.bytes);
    return buf_str(&text);
}

static void add_file(const struct ways *to, const struct spec_file *file, uint32_t number)
{
    const struct ways here = {to->params, to->verdict,
                              arena_fmt(to->params->arena,
                                        "%.*s.ConfigFileVolume.ConfigFileToPath.%u",
                                        STR_ARG(to->prefix), number)};

    params_add_at(to->params, file->path, "%.*s.Path", STR_ARG(here.prefix));
    if (file->is_secret) {
        add_secret(&here, "Content", base64_of(to, file->content));
    } else {
        params_add_at(to->params, base64_of(to, file->content), "%.*s.Content",
                      STR_ARG(here.prefix));
    }
    add_text(&here, "Mode", mode_text(to, file->mode));
}

static void add_files(const struct ways *to, const struct spec_volume *volume)
{
    str name = str_sub(volume->name, 0, NAME_BYTES_SHOWN);
    size_t all = 0;

    add_text(to, "ConfigFileVolume.DefaultMode", mode_text(to, volume->default_mode));
    for (uint32_t i = 0; i < volume->files_count; i++) {
        const struct spec_file *file = &volume->files[i];
        all += file->content.bytes;
        if (file->content.bytes > ECI_FILE_BYTES_MAX) {
            verdict_refuse(to->verdict, SPEC_NEVER, S("spec.volumes"),
                           "volume %.*s: the file %.*s has %zu bytes; the cloud takes at most %d",
                           STR_ARG(name), STR_ARG(str_sub(file->path, 0, NAME_BYTES_SHOWN)),
                           file->content.bytes, ECI_FILE_BYTES_MAX);
        }
    }
    if (all > ECI_VOLUME_FILES_BYTES_MAX) {
        verdict_refuse(to->verdict, SPEC_NEVER, S("spec.volumes"),
                       "volume %.*s: its files have %zu bytes together; the cloud takes at most %d",
                       STR_ARG(name), all, ECI_VOLUME_FILES_BYTES_MAX);
    }
    for (uint32_t i = 0; i < volume->files_count && to->verdict->answer == SPEC_GO; i++) {
        add_file(to, &volume->files[i], i + 1);
    }
}

static void add_flex(const struct ways *to, const struct spec_volume *volume)
{
    add_text(to, "FlexVolume.Driver", volume->driver);
    add_text(to, "FlexVolume.FsType", volume->fs_type);
    if (volume->is_secret) {
        add_secret(to, "FlexVolume.Options", volume->options);
    } else {
        add_text(to, "FlexVolume.Options", volume->options);
    }
}
