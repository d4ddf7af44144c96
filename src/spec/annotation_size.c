/*
 * annotation_size.c - see annotation.h: how large the instance is, or of which ECS types.
 *
 * One size given by eci-use-specs is bought as Cpu and Memory, rounded by us as any sum is; several
 * go as InstanceType, which the cloud tries in order. Families and generations have no parameter of
 * their own: of each the smallest type that is large enough is named.
 */
#include "spec/annotation.h"

#include "base/check.h"
#include "spec/annotation_form.h"

/* Sizes of ECS types: the same names in all families of the kinds c, g and r. */
static const struct type_size {
    const char *name;
    int64_t cpus;
} type_sizes[] = {
    {"large", 2},    {"xlarge", 4},   {"2xlarge", 8},   {"3xlarge", 12},  {"4xlarge", 16},
    {"6xlarge", 24}, {"8xlarge", 32}, {"13xlarge", 52}, {"16xlarge", 64},
};

static enum err round_wanted(const struct annotations *asked, struct sizing wanted, str region_id,
                             struct sizing *out);
static enum err expand(const struct annotations *asked, struct sizing wanted, struct arena *arena,
                       str *types);
static void several_specs(const struct annotations *asked, str region_id,
                          struct annotation_size *out);

enum err annotations_size(const struct annotations *asked, struct sizing wanted, str region_id,
                          struct arena *arena, struct annotation_size *out)
{
    const struct annotation_value *specs = &asked->values[ANNOTATION_USE_SPECS];
    struct annotation_size found = {.is_chosen = specs->is_set};

    if (specs->is_set && (specs->number > 1 || !annotation_spec_size(specs->text, &wanted))) {
        several_specs(asked, region_id, &found);
        *out = found;
        return ERR_OK;
    }
    enum err err = round_wanted(asked, wanted, region_id, &found.size);
    found.room = found.size;
    if (wanted.cpu_milli == 0 && wanted.memory_bytes == 0) {
        wanted = found.size;
    }
    if (err == ERR_OK) { /* not of the rounded size, which may need a larger type */
        err = expand(asked, wanted, arena, &found.types);
    }
    if (err == ERR_OK && !str_is_empty(found.types)) {
        found.size = (struct sizing){0};
        found.room = wanted;
    }
    if (err == ERR_OK) {
        *out = found;
    }
    return err;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whichever comes, what the containers are given must fit into it. */
static void several_specs(const struct annotations *asked, str region_id,
                          struct annotation_size *out)
{
    str rest = asked->values[ANNOTATION_USE_SPECS].text, one;
    bool is_first = true, is_known = true;

    out->types = rest;
    for (; str_cut(&rest, ',', &one); is_first = false) {
        struct sizing size = {0};
        if (!annotation_spec_size(one, &size)) {
            is_known = false;
            continue;
        }
        enum err err = round_wanted(asked, size, region_id, &size);
        CHECK(err == ERR_OK); /* annotation_spec_size() found it small enough, and that is all */
        if (is_first) {
            out->size = out->room = size;
        }
        out->room.cpu_milli = least(out->room.cpu_milli, size.cpu_milli);
        out->room.memory_bytes = least(out->room.memory_bytes, size.memory_bytes);
    }
    out->room = is_known ? out->room : (struct sizing){0};
}

/*
 * Spot instances have at least 2 vCPU and 1 GiB for each, and none of the extra sizes (eci-api
 * 4.1). The second rounding only adds memory: every row has a size with that much.
 */
static enum err round_wanted(const struct annotations *asked, struct sizing wanted, str region_id,
                             struct sizing *out)
{
    if (!annotations_has_spot(asked)) {
        return sizing_round(wanted, region_id, out);
    }
    if (wanted.cpu_milli == 0 && wanted.memory_bytes == 0) {
        return sizing_round(wanted, STR_NONE, out);
    }
    if (wanted.cpu_milli < SIZING_CPU_MILLI_DEFAULT) {
        wanted.cpu_milli = SIZING_CPU_MILLI_DEFAULT;
    }
    enum err err = sizing_round(wanted, STR_NONE, out);
    if (err == ERR_OK && out->memory_bytes < out->cpu_milli / 1000 * SIZING_GIB) {
        wanted = (struct sizing){out->cpu_milli, out->cpu_milli / 1000 * SIZING_GIB};
        err = sizing_round(wanted, STR_NONE, out);
    }
    return err;
}

/* "ecs.c6.xlarge"; false when no type of the family is large enough. */
static bool put_type(str family, struct sizing wanted, bool is_first, struct buf *out)
{
    int64_t ratio = annotation_family_ratio(family);

    for (size_t i = 0; i < sizeof(type_sizes) / sizeof(type_sizes[0]); i++) {
        if (type_sizes[i].cpus * 1000 >= wanted.cpu_milli &&
            type_sizes[i].cpus * ratio * SIZING_GIB >= wanted.memory_bytes) {
            buf_put_text(out, is_first ? "" : ",");
            buf_put(out, family);
            buf_put_fmt(out, ".%s", type_sizes[i].name);
            return true;
        }
    }
    return false;
}

/* The class whose memory per vCPU is enough: c, g or r. */
static char class_of(struct sizing wanted)
{
    int64_t cpus_bytes = wanted.cpu_milli * SIZING_GIB / 1000;
    if (wanted.memory_bytes / 2 <= cpus_bytes) {
        return 'c';
    }
    return wanted.memory_bytes / 4 <= cpus_bytes ? 'g' : 'r';
}

/* Both lists go by their order; families count more than generations. What has no type that large
 * is passed over. */
static enum err expand(const struct annotations *asked, struct sizing wanted, struct arena *arena,
                       str *types)
{
    const struct annotation_value *families = &asked->values[ANNOTATION_INSTANCE_FAMILY];
    const struct annotation_value *generations = &asked->values[ANNOTATION_INSTANCE_GENERATION];
    const struct annotation_value *list = families->is_set ? families : generations;
    char memory[512];
    struct buf out;
    str rest = list->text, one;

    if (!list->is_set) {
        return ERR_OK;
    }
    buf_init(&out, memory, sizeof(memory));
    while (str_cut(&rest, ',', &one)) {
        char family[16];
        struct buf name;
        buf_init(&name, family, sizeof(family));
        buf_put_fmt(&name, "ecs.%c%.*s", class_of(wanted), STR_ARG(one));
        (void)put_type(families->is_set ? one : buf_str(&name), wanted, out.bytes == 0, &out);
    }
    if (!buf_ok(&out) || out.bytes == 0) {
        return ERR_TOO_BIG; /* names of families that long do not exist */
    }
    *types = arena_copy(arena, buf_str(&out));
    return ERR_OK;
}
