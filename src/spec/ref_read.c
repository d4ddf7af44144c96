/* ref_read.c - see ref_read.h */
#include "spec/ref_read.h"

#include "base/check.h"
#include "base/codec.h"

#define NAME_BYTES_SHOWN 100 /* of a user's text inside a sentence */

/* Reasons of events, for mandatory (0) and optional (1) uses; NULL: the usual one. */
static const struct words {
    const char *kind;
    const char *absent[2];
    const char *no_key[2];
    const char *failed[2];
} words[] = {
    [SPEC_REF_CONFIG_MAP] = {"ConfigMap",
                             {"MandatoryConfigMapNotFound", "OptionalConfigMapNotFound"},
                             {"MandatoryConfigMapKeyNotFound", "OptionalConfigMapKeyNotFound"},
                             {"FailedToReadMandatoryConfigMap", "FailedToReadOptionalConfigMap"}},
    [SPEC_REF_SECRET] = {"Secret",
                         {"MandatorySecretNotFound", "OptionalSecretNotFound"},
                         {"MandatorySecretKeyNotFound", "OptionalSecretKeyNotFound"},
                         {"FailedToReadMandatorySecret", "FailedToReadOptionalSecret"}},
    [SPEC_REF_SERVICES] = {"Service", {NULL, NULL}, {NULL, NULL}, {NULL, NULL}},
    [SPEC_REF_CLAIM] = {"PersistentVolumeClaim",
                        {REF_MOUNT_FAILED, NULL},
                        {NULL, NULL},
                        {REF_MOUNT_FAILED, NULL}},
    [SPEC_REF_VOLUME] = {"PersistentVolume",
                         {REF_MOUNT_FAILED, NULL},
                         {NULL, NULL},
                         {REF_MOUNT_FAILED, NULL}},
    [SPEC_REF_TOKEN] = {"token of the ServiceAccount", {NULL, NULL}, {NULL, NULL}, {NULL, NULL}},
};

static str shown_name(struct spec_read *read, const struct ref_use *use)
{
    str name = str_sub(use->name, 0, NAME_BYTES_SHOWN);

    if (str_is_empty(use->name_space)) {
        return arena_fmt(read->arena, "%s %.*s", words[use->kind].kind, STR_ARG(name));
    }
    return arena_fmt(read->arena, "%s %.*s/%.*s", words[use->kind].kind, STR_ARG(use->name_space),
                     STR_ARG(name));
}

json ref_object(struct spec_read *read, const struct ref_use *use)
{
    const struct spec_ref *ref = spec_refs_find(read->refs, use->kind, use->name_space, use->name);
    const struct words *word = &words[use->kind];

    if (str_is_empty(use->name)) {
        verdict_refuse(read->verdict, SPEC_NEVER, use->path, "needs the name of a %s", word->kind);
        return JSON_NONE;
    }
    str name = shown_name(read, use);
    switch (ref == NULL ? SPEC_REF_WANTED : ref->state) {
    case SPEC_REF_FOUND:
    case SPEC_REF_PROMISED:
        return ref->object;
    case SPEC_REF_ABSENT:
        if (use->is_optional) {
            verdict_warn_as(read->verdict, word->absent[1], use->path,
                            "there is no %.*s, which is optional", STR_ARG(name));
        } else {
            verdict_refuse_as(read->verdict, SPEC_WAIT, word->absent[0], use->path,
                              "there is no %.*s", STR_ARG(name));
        }
        return JSON_NONE;
    case SPEC_REF_DENIED:
    case SPEC_REF_FAILED:
        verdict_refuse_as(read->verdict, SPEC_WAIT, word->failed[use->is_optional], use->path,
                          "%.*s cannot be read: %.*s", STR_ARG(name), STR_ARG(ref->why));
        return JSON_NONE;
    case SPEC_REF_WANTED:
        break;
    }
    verdict_refuse(read->verdict, SPEC_WAIT, use->path, "%.*s was not read yet", STR_ARG(name));
    return JSON_NONE;
}

bool ref_value(struct spec_read *read, const struct ref_use *use, json object, str key,
               bool has_binary, str *out)
{
    json value = ref_member(json_get(object, "data"), key, read->arena);
    bool is_base64 = use->kind == SPEC_REF_SECRET;

    CHECK(use->kind == SPEC_REF_SECRET || use->kind == SPEC_REF_CONFIG_MAP);
    if (str_is_empty(key)) {
        verdict_refuse(read->verdict, SPEC_NEVER, use->path, "needs a key");
        return false;
    }
    if (!json_is_there(value) && has_binary) {
        value = ref_member(json_get(object, "binaryData"), key, read->arena);
        is_base64 = true;
    }
    if (json_is_there(value)) {
        *out = json_text(value, read->arena);
        return !is_base64 || ref_decode(read, use->path, *out, out);
    }
    str name = shown_name(read, use), shown = str_sub(key, 0, NAME_BYTES_SHOWN);
    if (use->is_optional) {
        verdict_warn_as(read->verdict, words[use->kind].no_key[1], use->path,
                        "%.*s has no key \"%.*s\", which is optional", STR_ARG(name),
                        STR_ARG(shown));
    } else {
        verdict_refuse_as(read->verdict, SPEC_WAIT, words[use->kind].no_key[0], use->path,
                          "%.*s has no key \"%.*s\"", STR_ARG(name), STR_ARG(shown));
    }
    return false;
}

bool ref_decode(struct spec_read *read, str path, str text, str *out)
{
    size_t bytes = 0;
    char *room = arena_rest(read->arena, &bytes);
    struct buf data;

    buf_init(&data, room, bytes);
    enum err err = codec_get_base64(&data, text);
    if (err == ERR_OK) {
        arena_keep(read->arena, data.bytes);
        *out = buf_str(&data);
    } else if (err == ERR_FULL) {
        read->arena->has_failed = true;
    } else {
        verdict_refuse(read->verdict, SPEC_WAIT, path, "its value is not base64");
    }
    return err == ERR_OK;
}

json ref_member(json object, str key, struct arena *arena)
{
    if (json_type(object) != JSON_TYPE_OBJECT) {
        return JSON_NONE;
    }
    for (json one = json_first(object); json_is_there(one); one = json_next(one)) {
        if (str_eq(json_key(one, arena), key)) {
            return one;
        }
    }
    return JSON_NONE;
}
