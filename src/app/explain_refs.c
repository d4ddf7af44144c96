/*
 * see explain.h: what pods refer to, out of the same files.
 *
 * An object is kept as the API server would give it back, as far as pods see the difference. What
 * only a cluster knows stands as <...>: the address of a Service, a token, the cluster's CA, the
 * volume of a claim that a StatefulSet makes.
 */
#include "app/explain.h"

#include "base/codec.h"
#include "spec/spec_refs.h"

#define DEPTH_MAX 4 /* lists in lists */
#define KEY_BYTES_SHOWN 100
#define ROOT_CA_NAME "kube-root-ca.crt"

static const struct kind {
    const char *name;
    bool is_global; /* has no namespace */
} kinds[EXPLAIN_KIND_COUNT] = {
    [EXPLAIN_CONFIG_MAP] = {"ConfigMap", false},
    [EXPLAIN_SECRET] = {"Secret", false},
    [EXPLAIN_SERVICE] = {"Service", false},
    [EXPLAIN_CLAIM] = {"PersistentVolumeClaim", false},
    [EXPLAIN_VOLUME] = {"PersistentVolume", true},
    [EXPLAIN_ACCOUNT] = {"ServiceAccount", false},
    [EXPLAIN_NAMESPACE] = {"Namespace", true},
};

/* Which objects answer which reference. */
static const enum explain_kind kinds_of_refs[] = {
    [SPEC_REF_CONFIG_MAP] = EXPLAIN_CONFIG_MAP, [SPEC_REF_SECRET] = EXPLAIN_SECRET,
    [SPEC_REF_SERVICES] = EXPLAIN_SERVICE,      [SPEC_REF_CLAIM] = EXPLAIN_CLAIM,
    [SPEC_REF_VOLUME] = EXPLAIN_VOLUME,         [SPEC_REF_TOKEN] = EXPLAIN_ACCOUNT,
};

static void collect_in(struct explain *explain, json object, uint32_t depth);
static bool has_texts(struct explain *explain, enum explain_kind kind, json object);
static str kept_text(struct explain *explain, enum explain_kind kind, json object);

enum explain_kind explain_kind_of(json object, str kind)
{
    uint32_t i = 0;
    if (str_find_char(json_raw(json_get(object, "apiVersion")), '/') >= 0) {
        return EXPLAIN_KIND_COUNT; /* of another group: a Service of Knative is none */
    }
    while (i < EXPLAIN_KIND_COUNT && !str_eq(kind, str_of(kinds[i].name))) {
        i++;
    }
    return (enum explain_kind)i;
}

void explain_collect(struct explain *explain, json object)
{
    collect_in(explain, object, 0);
}

static void collect_in(struct explain *explain, json object, uint32_t depth)
{
    struct explain_objects *to = &explain->objects;
    str name = json_text(json_get(object, "kind"), &explain->arena);
    enum explain_kind kind = explain_kind_of(object, name);

    if (explain_is_list(object, name) && depth < DEPTH_MAX) {
        json one = json_first(json_get(object, "items"));
        for (; json_is_there(one); one = json_next(one)) {
            collect_in(explain, one, depth + 1);
        }
        return;
    }
    json metadata = json_get(object, "metadata");
    if (kind == EXPLAIN_KIND_COUNT || json_type(json_get(metadata, "name")) != JSON_TYPE_STRING) {
        return;
    }
    if (!has_texts(explain, kind, object)) {
        return;
    }
    if (to->count == EXPLAIN_OBJECTS_MAX) {
        to->is_full = true;
        return;
    }
    str name_space = json_text(json_get(metadata, "namespace"), &explain->arena);
    name_space = str_is_empty(name_space) ? explain->name_space : name_space;
    to->items[to->count++] = (struct explain_object){
        .kind = kind,
        .name_space = kinds[kind].is_global ? STR_NONE : arena_copy(&to->arena, name_space),
        .name = arena_copy(&to->arena, json_text(json_get(metadata, "name"), &explain->arena)),
        .json_text = kept_text(explain, kind, object),
    };
    to->is_full |= to->arena.has_failed;
}

/* All that a ConfigMap or Secret holds is text; what YAML read as something else is told. */
static bool has_texts(struct explain *explain, enum explain_kind kind, json object)
{
    static const char *const maps[] = {"data", "binaryData", "stringData"};
    str name = json_text(json_get(json_get(object, "metadata"), "name"), &explain->arena);
    bool is_well = true;

    if (kind != EXPLAIN_CONFIG_MAP && kind != EXPLAIN_SECRET) {
        return true;
    }
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        json one = json_first(json_get(object, maps[i]));
        for (; json_is_there(one); one = json_next(one)) {
            if (json_type(one) != JSON_TYPE_STRING && !json_is_null(one)) {
                str key = json_key(one, &explain->arena);
                buf_put_fmt(explain->err,
                            "%s:%u: %s %.*s: %s[%.*s] must be a text: put it into quotes\n",
                            explain->file, explain_line_of(explain, one), kinds[kind].name,
                            STR_ARG(name), maps[i], STR_ARG(str_sub(key, 0, KEY_BYTES_SHOWN)));
                is_well = false;
            }
        }
    }
    return is_well;
}

const struct explain_object *explain_find(const struct explain_objects *objects,
                                          enum explain_kind kind, str name_space, str name)
{
    for (uint32_t i = objects->count; i > 0; i--) {
        const struct explain_object *one = &objects->items[i - 1];
        if (one->kind == kind && str_eq(one->name, name) &&
            (kinds[kind].is_global || str_eq(one->name_space, name_space))) {
            return one;
        }
    }
    return NULL;
}

/* ---- as the API server keeps it -------------------------------------------------------------- */

static void put_member(struct explain *explain, struct json_write *w, json member)
{
    json_key_put(w, json_key(member, &explain->arena));
    json_put_raw(w, json_raw(member));
}

static void put_others(struct explain *explain, struct json_write *w, json object, const char *but,
                       const char *and_but)
{
    for (json one = json_first(object); json_is_there(one); one = json_next(one)) {
        if (!json_key_is(one, but) && !json_key_is(one, and_but)) {
            put_member(explain, w, one);
        }
    }
}

/* The member with the smallest key above `last`. Quadratic for a whole map: maps are small. */
static json next_in_order(json map, str last, bool is_first, struct arena *arena)
{
    json next = JSON_NONE;
    str key = STR_NONE;
    for (json one = json_first(map); json_is_there(one); one = json_next(one)) {
        str name = json_key(one, arena);
        if ((is_first || str_cmp(name, last) > 0) &&
            (!json_is_there(next) || str_cmp(name, key) < 0)) {
            next = one;
            key = name;
        }
    }
    return next;
}

static void put_base64(struct explain *explain, struct json_write *w, json text)
{
    str plain = json_text(text, &explain->arena);
    size_t bytes = plain.bytes / 3 * 4 + 4;
    char *memory = arena_take(&explain->arena, bytes);
    struct buf base64;
    json_key_put(w, json_key(text, &explain->arena));
    buf_init(&base64, memory, memory != NULL ? bytes : 0);
    codec_put_base64(&base64, plain.ptr, plain.bytes);
    json_put_text(w, buf_str(&base64));
}

/* Sorted by key, as the API server gives maps back. texts: a Secret's stringData, which wins over
 * data (core/v1 Secret). */
static void put_data(struct explain *explain, struct json_write *w, const char *name, json data,
                     json texts)
{
    struct arena *arena = &explain->arena;
    str last = STR_NONE;
    json_member_object(w, name);
    for (bool is_first = true;; is_first = false) {
        json one = next_in_order(data, last, is_first, arena);
        json text = next_in_order(texts, last, is_first, arena);
        if (!json_is_there(one) && !json_is_there(text)) {
            break;
        }
        bool is_text =
            json_is_there(text) &&
            (!json_is_there(one) || str_cmp(json_key(text, arena), json_key(one, arena)) <= 0);
        last = json_key(is_text ? text : one, arena);
        if (is_text) {
            put_base64(explain, w, text);
        } else {
            put_member(explain, w, one);
        }
    }
    json_end(w);
}

static void put_secret(struct explain *explain, struct json_write *w, json object)
{
    put_others(explain, w, object, "data", "stringData");
    put_data(explain, w, "data", json_get(object, "data"), json_get(object, "stringData"));
}

static void put_config_map(struct explain *explain, struct json_write *w, json object)
{
    put_others(explain, w, object, "data", "binaryData");
    put_data(explain, w, "data", json_get(object, "data"), JSON_NONE);
    put_data(explain, w, "binaryData", json_get(object, "binaryData"), JSON_NONE);
}

/* A Service that is to get an address has one. */
static void put_service(struct explain *explain, struct json_write *w, json object)
{
    json spec = json_get(object, "spec");
    bool has_none = json_text_is(json_get(spec, "type"), "ExternalName") ||
                    json_is_there(json_get(spec, "clusterIP"));
    str name = json_text(json_get(json_get(object, "metadata"), "name"), &explain->arena);
    put_others(explain, w, object, "spec", "status");
    json_member_object(w, "spec");
    put_others(explain, w, spec, "", "");
    if (!has_none) {
        json_member_text(w, "clusterIP",
                         arena_fmt(&explain->arena, "<clusterIP of Service %.*s>", STR_ARG(name)));
    }
    json_end(w);
}

static str kept_text(struct explain *explain, enum explain_kind kind, json object)
{
    size_t room = 0;
    char *rest = arena_rest(&explain->objects.arena, &room);
    struct buf text;
    struct json_write w;
    buf_init(&text, rest, room);
    json_write_init(&w, &text);
    json_object(&w);
    if (kind == EXPLAIN_SECRET) {
        put_secret(explain, &w, object);
    } else if (kind == EXPLAIN_CONFIG_MAP) {
        put_config_map(explain, &w, object);
    } else if (kind == EXPLAIN_SERVICE) {
        put_service(explain, &w, object);
    } else {
        put_others(explain, &w, object, "", "");
    }
    json_end(&w);
    if (!json_write_ok(&w) || explain->arena.has_failed) {
        explain->objects.is_full = true;
        return STR_NONE;
    }
    arena_keep(&explain->objects.arena, text.bytes);
    return buf_str(&text);
}

/* ---- for a pod ------------------------------------------------------------------------------- */

/* All Services of a namespace. */
static str services_of(struct explain *explain, str name_space)
{
    size_t room = 0;
    char *rest = arena_rest(&explain->arena, &room);
    const struct explain_objects *objects = &explain->objects;
    struct buf text;
    struct json_write w;
    buf_init(&text, rest, room / 2);
    json_write_init(&w, &text);
    json_object(&w);
    json_member_array(&w, "items");
    for (uint32_t i = 0; i < objects->count; i++) {
        const struct explain_object *one = &objects->items[i];
        if (one->kind == EXPLAIN_SERVICE && str_eq(one->name_space, name_space) &&
            explain_find(objects, EXPLAIN_SERVICE, name_space, one->name) == one) {
            json_put_raw(&w, one->json_text);
        }
    }
    json_end(&w);
    json_end(&w);
    if (!json_write_ok(&w)) {
        explain->arena.has_failed = true;
        return STR_NONE;
    }
    arena_keep(&explain->arena, text.bytes);
    return buf_str(&text);
}

/* Every label that the claim's selector names has its value on the volume. */
static bool is_selected(json wanted, json labels, struct arena *arena)
{
    for (json one = json_first(wanted); json_is_there(one); one = json_next(one)) {
        json like = json_first(labels);
        while (json_is_there(like) && !str_eq(json_key(like, arena), json_key(one, arena))) {
            like = json_next(like);
        }
        if (!str_eq(json_text(like, arena), json_text(one, arena)) || !json_is_there(like)) {
            return false;
        }
    }
    return json_count(wanted) > 0;
}

/* The volume that a cluster would bind to this claim, as far as names and labels tell: the one that
 * it names, that names it (claimRef), or that its selector's matchLabels choose. */
static str volume_of(struct explain *explain, const struct explain_object *claim, json object)
{
    struct arena *arena = &explain->arena;
    json spec = json_get(object, "spec");
    str named = json_text(json_get(spec, "volumeName"), arena);
    for (uint32_t i = 0; str_is_empty(named) && i < explain->objects.count; i++) {
        const struct explain_object *one = &explain->objects.items[i];
        json volume = JSON_NONE;
        if (one->kind != EXPLAIN_VOLUME ||
            json_parse(one->json_text, arena, &volume, NULL) != ERR_OK) {
            continue;
        }
        json by = json_get(json_get(volume, "spec"), "claimRef");
        json wanted = json_get(json_get(spec, "selector"), "matchLabels");
        bool is_its =
            json_is_there(by)
                ? str_eq(json_text(json_get(by, "name"), arena), claim->name) &&
                      str_eq(json_text(json_get(by, "namespace"), arena), claim->name_space)
                : is_selected(wanted, json_get(json_get(volume, "metadata"), "labels"), arena);
        named = is_its ? one->name : STR_NONE;
    }
    return named;
}

/* A claim as it will be once bound; empty when its volume is not among the objects. */
static str bound_text(struct explain *explain, const struct explain_object *claim, json object)
{
    struct json_write w;
    struct buf text;
    str volume = volume_of(explain, claim, object);
    if (str_is_empty(volume)) {
        return STR_NONE;
    }
    size_t bytes = claim->json_text.bytes + volume.bytes * 6 + 100; /* escaped at worst */
    char *memory = arena_take(&explain->arena, bytes);
    buf_init(&text, memory, memory != NULL ? bytes : 0);
    json_write_init(&w, &text);
    json_object(&w);
    put_others(explain, &w, object, "spec", "status");
    json_member_object(&w, "spec");
    put_others(explain, &w, json_get(object, "spec"), "volumeName", "");
    json_member_text(&w, "volumeName", volume);
    json_end(&w);
    json_member_raw(&w, "status", S("{\"phase\":\"Bound\"}"));
    json_end(&w);
    return json_write_ok(&w) ? buf_str(&text) : STR_NONE; /* no memory: the arena says so */
}

/* One that a cluster has written says itself whether it is bound. */
static str claim_text(struct explain *explain, const struct explain_object *claim)
{
    json object = JSON_NONE;
    if (json_parse(claim->json_text, &explain->arena, &object, NULL) != ERR_OK ||
        json_is_there(json_get(json_get(object, "status"), "phase"))) {
        return claim->json_text;
    }
    str bound = bound_text(explain, claim, object);
    return str_is_empty(bound) ? claim->json_text : bound;
}

/* What the API server would answer; empty: there is none. */
static str answer_to(struct explain *explain, const struct spec_ref *ref)
{
    if (ref->kind == SPEC_REF_SERVICES && str_is_empty(ref->name)) {
        return services_of(explain, ref->name_space);
    }
    const struct explain_object *found =
        explain_find(&explain->objects, kinds_of_refs[ref->kind], ref->name_space, ref->name);
    if (ref->kind == SPEC_REF_CLAIM && found != NULL) {
        return claim_text(explain, found);
    }
    if (ref->kind == SPEC_REF_CONFIG_MAP && found == NULL && str_eq(ref->name, S(ROOT_CA_NAME))) {
        return S(
            "{\"data\":{\"ca.crt\":\"<ca.crt of the cluster>\"}}"); /* each namespace has one */
    }
    if (ref->kind != SPEC_REF_TOKEN) {
        return found != NULL ? found->json_text : STR_NONE;
    }
    bool is_there = found != NULL || str_eq(ref->name, S("default")); /* each namespace has one */
    return is_there ? arena_fmt(&explain->arena,
                                "{\"status\":{\"token\":\"<token>\",\"expirationTimestamp\":"
                                "\"<creation + %lld s>\"}}",
                                (long long)ref->expiry_s)
                    : STR_NONE;
}

/* A claim that the StatefulSet makes: bound when its volume is known, else promised. */
static bool answer_from_template(struct explain *explain, const struct explain_pod *pod,
                                 struct spec_ref *ref)
{
    json one = json_first(pod->claims);
    while (json_is_there(one) && !str_eq(explain_claim_name(explain, pod, one), ref->name)) {
        one = json_next(one);
    }
    if (ref->kind != SPEC_REF_CLAIM || !json_is_there(one)) {
        return false;
    }
    const struct explain_object claim = {.kind = EXPLAIN_CLAIM,
                                         .name_space = ref->name_space,
                                         .name = ref->name,
                                         .json_text = json_raw(one)};
    str text = bound_text(explain, &claim, one);
    bool is_bound =
        !str_is_empty(text) && json_parse(text, &explain->arena, &ref->object, NULL) == ERR_OK;
    ref->state = is_bound ? SPEC_REF_FOUND : SPEC_REF_PROMISED;
    ref->object = is_bound ? ref->object : one;
    return true;
}

static enum err answer(struct explain *explain, const struct explain_pod *pod, struct spec_ref *ref)
{
    str text = answer_to(explain, ref);
    if (str_is_empty(text) && answer_from_template(explain, pod, ref)) {
        return ERR_OK;
    }
    ref->state = str_is_empty(text) ? SPEC_REF_ABSENT : SPEC_REF_FOUND;
    ref->why = ref->kind == SPEC_REF_TOKEN && str_is_empty(text) ? S("there is no such account")
                                                                 : STR_NONE;
    return str_is_empty(text) ? ERR_OK : json_parse(text, &explain->arena, &ref->object, NULL);
}

enum err explain_refs(struct explain *explain, const struct explain_pod *pod, json object,
                      struct spec_refs *refs)
{
    uint32_t answered = 0;
    refs->count = 0;
    enum err err = spec_refs_collect(object, &explain->arena, refs);
    while (err == ERR_OK && answered < refs->count) {
        for (; err == ERR_OK && answered < refs->count; answered++) {
            err = answer(explain, pod, &refs->items[answered]);
        }
        if (err == ERR_OK) { /* a claim has named its volume */
            err = spec_refs_collect(object, &explain->arena, refs);
        }
    }
    return err == ERR_OK && explain->arena.has_failed ? ERR_FULL : err;
}
