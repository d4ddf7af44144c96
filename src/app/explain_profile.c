/*
 * see explain.h: what admission and the node's eci-profile make of a pod.
 *
 * The webhook's JSON patch (spec/mutate.h) is applied to the pod, so that what is translated is
 * what the API server would have stored.
 */
#include "app/explain.h"

static struct profile profile; /* 90 KiB, touched only when one is read */

static str patched(struct explain *explain, str pod_text, str patch_text);

static str either(str first, str second)
{
    return str_is_empty(first) ? second : first;
}

/* Documents may stand around it, as in `ecilet lint`. */
static enum err find_profile(struct explain *explain, const char *file, str text, json *data)
{
    struct yaml_fault fault = {.line = 0};
    for (uint32_t i = 0; i < EXPLAIN_DOCUMENTS_MAX; i++) {
        json root = JSON_NONE;
        struct buf out;
        char *room = arena_take(&explain->arena, EXPLAIN_JSON_BYTES);
        buf_init(&out, room, room != NULL ? EXPLAIN_JSON_BYTES : 0);
        enum err err = yaml_to_json(text, i, &out, NULL, &fault);
        if (err == ERR_OK) {
            err = json_parse(buf_str(&out), &explain->arena, &root, NULL);
        }
        if (err == ERR_BAD_INPUT) {
            buf_put_fmt(explain->err, "%s:%u:%u: %s\n", file, fault.line, fault.column,
                        fault.line == 0 ? "duplicate keys" : fault.what);
        } else if (err == ERR_END) {
            buf_put_fmt(explain->err, "%s: no ConfigMap with the name " PROFILE_NAME " in it\n",
                        file);
        } else if (err != ERR_OK) {
            buf_put_fmt(explain->err, "%s: %s\n", file, err_text(err));
        }
        if (err != ERR_OK) {
            return err;
        }
        json name = json_get(json_get(root, "metadata"), "name");
        if (json_text_is(json_get(root, "kind"), "ConfigMap") && json_text_is(name, PROFILE_NAME)) {
            *data = json_get(root, "data");
            return ERR_OK;
        }
    }
    buf_put_fmt(explain->err, "%s: more than %d documents\n", file, EXPLAIN_DOCUMENTS_MAX);
    return ERR_TOO_BIG;
}

bool explain_use_profile(struct explain *explain, const char *file, str text)
{
    struct profile_fault fault;
    json data = JSON_NONE;
    size_t mark = arena_mark(&explain->arena);
    enum err err = find_profile(explain, file, text, &data);
    if (err == ERR_OK) {
        err = profile_read(data, &explain->arena, &profile, &fault, NULL);
        if (err != ERR_OK) {
            buf_put_fmt(explain->err, "%s: %s\n", file,
                        err == ERR_INVALID ? fault.what : err_text(err));
        }
    }
    arena_rewind(&explain->arena, mark);
    if (err != ERR_OK) {
        return false;
    }
    struct spec_config *config = &explain->config;
    config->vswitch_ids = either(profile.vswitch_ids, config->vswitch_ids);
    config->security_group_id = either(profile.security_group_id, config->security_group_id);
    config->resource_group_id = either(profile.resource_group_id, config->resource_group_id);
    explain->profile = &profile;
    return true;
}

/* Since Kubernetes 1.21 each namespace has its name as a label. */
#define NAME_LABEL "kubernetes.io/metadata.name"

static enum err namespace_labels(struct explain *explain, str name, struct label_set *out)
{
    const struct explain_object *found =
        explain_find(&explain->objects, EXPLAIN_NAMESPACE, STR_NONE, name);
    struct spec_pair *items = NULL;
    uint32_t count = 0;
    json object = JSON_NONE;
    enum err err = ERR_OK;
    if (found != NULL) {
        err = json_parse(found->json_text, &explain->arena, &object, NULL);
    }
    if (err == ERR_OK) {
        err = label_set_read(json_get(json_get(object, "metadata"), "labels"), 1, &explain->arena,
                             &items, &count);
    }
    *out = (struct label_set){items, count};
    if (err == ERR_OK && label_set_find(*out, S(NAME_LABEL)) == NULL) {
        items[count] = (struct spec_pair){S(NAME_LABEL), name};
        out->count++;
    }
    return err;
}

enum err explain_admit(struct explain *explain, const struct explain_pod *pod, json *object,
                       struct spec_config *config, struct explain_admission *out)
{
    struct mutate_input in = {
        .pod = *object, .profile = explain->profile, .node = &explain->node};
    struct buf patch;
    *out = (struct explain_admission){.patch = STR_NONE};
    if (explain->profile == NULL) {
        return ERR_OK;
    }
    enum err err = namespace_labels(explain, pod->name_space, &in.namespace_labels);
    char *room = arena_take(&explain->arena, MUTATE_PATCH_BYTES);
    buf_init(&patch, room, room != NULL ? MUTATE_PATCH_BYTES : 0);
    if (err == ERR_OK) {
        err = mutate_pod(&in, &explain->arena, &patch, &out->outcome);
    }
    if (err == ERR_BAD_INPUT) {
        return ERR_OK; /* members of the wrong type: the translation names them */
    }
    if (err == ERR_OK && out->outcome.ops > 0) {
        out->patch = buf_str(&patch);
        str text = patched(explain, pod->json_text, out->patch);
        err = json_parse(text, &explain->arena, object, NULL);
        in.pod = *object;
    }
    if (err == ERR_OK) {
        struct mutate_effects effects = {.annotations_count = 0};
        err = mutate_effects(&in, &explain->arena, &effects);
        config->effects = effects.annotations;
        config->effects_count = effects.annotations_count;
        config->effect_labels = effects.labels;
        config->effect_labels_count = effects.labels_count;
    }
    return err;
}

/* ---- RFC 6902, only "add" -------------------------------------------------------------------- */

/* The next name of a pointer (RFC 6901 section 3), decoded. */
static str next_name(str *pointer, struct arena *arena)
{
    str part;
    (void)str_cut(pointer, '/', &part);
    char *made = arena_take(arena, part.bytes);
    size_t bytes = 0;
    for (size_t i = 0; made != NULL && i < part.bytes; i++) {
        bool is_escape = part.ptr[i] == '~' && i + 1 < part.bytes;
        i += is_escape ? 1 : 0;
        made[bytes++] = !is_escape ? part.ptr[i] : part.ptr[i] == '1' ? '/' : '~';
    }
    return made != NULL ? str_make(made, bytes) : STR_NONE;
}

/* Opened objects are members on the way; each level deeper writes what comes before and after. */
static void put_added(struct explain *explain, struct json_write *w, json old, str pointer,
                      str value, uint32_t depth)
{
    if (depth == JSON_DEPTH_MAX || json_type(old) == JSON_TYPE_NONE) {
        w->is_bad = true; /* mutate.c makes the parents first */
        return;
    }
    bool is_list = json_type(old) == JSON_TYPE_ARRAY;
    str name = next_name(&pointer, &explain->arena);
    bool is_last = str_is_empty(pointer);
    if (is_list) {
        json_array(w);
    } else {
        json_object(w);
    }
    for (json one = json_first(old); json_is_there(one); one = json_next(one)) {
        str key = is_list ? STR_NONE : json_key(one, &explain->arena);
        bool is_it = !is_list && str_eq(key, name);
        if (is_it && is_last) {
            continue; /* replaced */
        }
        if (!is_list) {
            json_key_put(w, key);
        }
        if (is_it) {
            put_added(explain, w, one, pointer, value, depth + 1);
        } else {
            json_put_raw(w, json_raw(one));
        }
    }
    if (is_last && !is_list) {
        json_key_put(w, name);
    }
    if (is_last) {
        json_put_raw(w, value);
    }
    json_end(w);
}

/* One operation after the other, each on the text that the one before has left. */
static str patched(struct explain *explain, str pod_text, str patch_text)
{
    json patch = JSON_NONE, pod = JSON_NONE;
    enum err err = json_parse(patch_text, &explain->arena, &patch, NULL);
    str text = pod_text;
    for (json op = json_first(patch); err == ERR_OK && json_is_there(op); op = json_next(op)) {
        struct json_write w;
        struct buf out;
        size_t bytes = text.bytes + json_raw(op).bytes;
        char *memory = arena_take(&explain->arena, bytes);
        str pointer = json_text(json_get(op, "path"), &explain->arena);
        err = json_parse(text, &explain->arena, &pod, NULL);
        buf_init(&out, memory, memory != NULL ? bytes : 0);
        json_write_init(&w, &out);
        if (err == ERR_OK) {
            put_added(explain, &w, pod, str_sub(pointer, 1, pointer.bytes),
                      json_raw(json_get(op, "value")), 0);
            err = json_write_ok(&w) ? ERR_OK : ERR_FULL;
        }
        text = buf_str(&out);
    }
    explain->arena.has_failed |= err != ERR_OK;
    return err == ERR_OK ? text : STR_NONE;
}
