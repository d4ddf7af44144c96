/* see object.h */
#include "kube/object.h"

#include <stdio.h>

#include "base/check.h"
#include "base/codec.h"

static const struct kube_kind_row kind_rows[KUBE_KIND_COUNT] = {
#define X(name, version, resource, kind, namespaced) \
    [KUBE_##name] = {version, resource, kind, namespaced},
    KUBE_KIND_TABLE(X)
#undef X
};

const struct kube_kind_row *kube_kind_row(enum kube_kind kind)
{
    CHECK((unsigned)kind < KUBE_KIND_COUNT);
    return &kind_rows[kind];
}

/* The core group has a prefix of its own: /api/v1, all others are below /apis. */
static void put_segment(struct buf *out, str segment)
{
    if (!str_is_empty(segment)) {
        buf_put_char(out, '/');
        codec_put_percent(out, segment);
    }
}

void kube_put_path(struct buf *out, enum kube_kind kind, str name_space, str name, str sub)
{
    const struct kube_kind_row *row = kube_kind_row(kind);
    buf_put_text(out, strchr(row->api_version, '/') != NULL ? "/apis/" : "/api/");
    buf_put_text(out, row->api_version);
    if (row->is_namespaced && !str_is_empty(name_space)) {
        buf_put_text(out, "/namespaces");
        put_segment(out, name_space);
    }
    put_segment(out, str_of(row->resource));
    put_segment(out, name);
    put_segment(out, sub);
}

void kube_put_query(struct buf *out, const char *key, str value)
{
    buf_put_char(out, str_find_char(buf_str(out), '?') < 0 ? '?' : '&');
    buf_put_text(out, key);
    buf_put_char(out, '=');
    codec_put_percent(out, value);
}

void kube_put_delete_options(struct buf *out, str uid, int64_t grace_s)
{
    struct json_write w;
    json_write_init(&w, out);
    json_object(&w);
    json_member_text(&w, "kind", S("DeleteOptions"));
    json_member_text(&w, "apiVersion", S("v1"));
    if (grace_s >= 0) {
        json_member_i64(&w, "gracePeriodSeconds", grace_s);
    }
    if (!str_is_empty(uid)) {
        json_member_object(&w, "preconditions");
        json_member_text(&w, "uid", uid);
        json_end(&w);
    }
    json_end(&w);
}

void kube_open_patch(struct json_write *w, str uid, str resource_version)
{
    json_object(w);
    if (str_is_empty(uid) && str_is_empty(resource_version)) {
        return;
    }
    json_member_object(w, "metadata");
    if (!str_is_empty(uid)) {
        json_member_text(w, "uid", uid);
    }
    if (!str_is_empty(resource_version)) {
        json_member_text(w, "resourceVersion", resource_version);
    }
    json_end(w);
}

void kube_meta_read(json object, struct arena *arena, struct kube_meta *out)
{
    json metadata = json_get(object, "metadata");
    out->name_space = json_text(json_get(metadata, "namespace"), arena);
    out->name = json_text(json_get(metadata, "name"), arena);
    out->uid = json_text(json_get(metadata, "uid"), arena);
    out->resource_version = json_text(json_get(metadata, "resourceVersion"), arena);
}

/*
 * A glance: walks JSON text of which the end may be missing, keeping only the keys on the way to
 * where it is. It must survive anything, but need not understand anything that is not JSON. Made of
 * steps, so that the caller can stop as soon as it knows enough.
 */
#define GLANCE_DEPTH_MAX 4 /* keys kept; what we look for lies at {"object":{"metadata":{"name": \
                            */

struct glance {
    const char *at, *end;
    str keys[GLANCE_DEPTH_MAX]; /* per level: the key last seen there; empty inside arrays */
    uint32_t depth;             /* open braces and brackets */
    bool has_value_next;        /* a colon was the last thing seen */
    str value;                  /* GLANCE_VALUE: the text as it stands, escapes and all */
};

static struct glance glance_of(str text)
{
    const char *at = str_is_empty(text) ? "" : text.ptr;
    return (struct glance){.at = at, .end = at + text.bytes};
}

enum glance_step { GLANCE_END, GLANCE_VALUE, GLANCE_CLOSED, GLANCE_OTHER };

/* After the opening quote. The end of the text, when the string is cut, is an end like any other.
 */
static enum glance_step glance_string(struct glance *g)
{
    const char *from = g->at;
    while (g->at < g->end && *g->at != '"') {
        g->at += *g->at == '\\' && g->end - g->at > 1 ? 2 : 1;
    }
    if (g->at >= g->end) {
        return GLANCE_END;
    }
    str text = str_make(from, (size_t)(g->at - from));
    g->at++;
    if (g->has_value_next) {
        g->has_value_next = false;
        g->value = text;
        return GLANCE_VALUE;
    }
    if (g->depth >= 1 && g->depth <= GLANCE_DEPTH_MAX) {
        g->keys[g->depth - 1] = text;
    }
    return GLANCE_OTHER;
}

static enum glance_step glance_step(struct glance *g)
{
    if (g->at >= g->end) {
        return GLANCE_END;
    }
    char c = *g->at++;
    if (c == '"') {
        return glance_string(g);
    }
    if (c == '{' || c == '[') {
        g->has_value_next = false;
        g->depth++;
        if (g->depth <= GLANCE_DEPTH_MAX) {
            g->keys[g->depth - 1] = STR_NONE;
        }
    } else if (c == '}' || c == ']') {
        g->has_value_next = false;
        g->depth -= g->depth > 0 ? 1 : 0;
        return GLANCE_CLOSED;
    } else if (c == ':' || c == ',') {
        g->has_value_next = c == ':';
    }
    return GLANCE_OTHER;
}

/* Where we are: the keys from the outermost in. */
static bool glance_is_at(const struct glance *g, uint32_t depth, const char *a, const char *b,
                         const char *c)
{
    const char *const path[] = {a, b, c};
    for (uint32_t i = 0; i < 3 && path[i] != NULL; i++) {
        if (i >= g->depth || !str_eq(g->keys[i], str_of(path[i]))) {
            return false;
        }
    }
    return g->depth == depth;
}

static str glance_value(const struct glance *g)
{
    return str_find_char(g->value, '\\') < 0 ? g->value : STR_NONE;
}

/* The value of one member near the root; STR_NONE when it is not visible. */
static str glance_find(str text, uint32_t depth, const char *outer, const char *inner)
{
    struct glance g = glance_of(text);
    for (;;) {
        enum glance_step step = glance_step(&g);
        if (step == GLANCE_END) {
            return STR_NONE;
        }
        if (step == GLANCE_VALUE && glance_is_at(&g, depth, outer, inner, NULL)) {
            return glance_value(&g);
        }
    }
}

static void glance_take_meta(const struct glance *g, struct kube_meta *out)
{
    str key = g->keys[g->depth - 1];
    str value = glance_value(g);
    if (str_eq(key, S("namespace"))) {
        out->name_space = value;
    } else if (str_eq(key, S("name"))) {
        out->name = value;
    } else if (str_eq(key, S("uid"))) {
        out->uid = value;
    } else if (str_eq(key, S("resourceVersion"))) {
        out->resource_version = value;
    }
}

void kube_meta_glance(str text, struct kube_meta *out)
{
    struct glance g = glance_of(text);
    *out = (struct kube_meta){0};
    for (;;) {
        enum glance_step step = glance_step(&g);
        bool is_closed = step == GLANCE_CLOSED && (glance_is_at(&g, 1, "metadata", NULL, NULL) ||
                                                   glance_is_at(&g, 2, "object", "metadata", NULL));
        if (step == GLANCE_END || is_closed) {
            return;
        }
        if (step == GLANCE_VALUE && (glance_is_at(&g, 2, "metadata", NULL, NULL) ||
                                     glance_is_at(&g, 3, "object", "metadata", NULL))) {
            glance_take_meta(&g, out);
        }
    }
}

str kube_type_glance(str text)
{
    return glance_find(text, 1, "type", NULL);
}

void kube_status_of(json object, struct arena *arena, struct kube_status *out)
{
    json details = json_get(object, "details");
    *out = (struct kube_status){.retry_after_s = -1};
    if (!json_text_is(json_get(object, "kind"), "Status")) {
        return;
    }
    out->reason = json_text(json_get(object, "reason"), arena);
    out->message = json_text(json_get(object, "message"), arena);
    out->kind = json_text(json_get(details, "kind"), arena);
    out->name = json_text(json_get(details, "name"), arena);
    json cause = json_first(json_get(details, "causes"));
    out->field = json_text(json_get(cause, "field"), arena);
    out->code = json_i64_or(json_get(object, "code"), 0);
    out->retry_after_s = json_i64_or(json_get(details, "retryAfterSeconds"), -1);
}

void kube_status_read(str body, struct arena *arena, struct kube_status *out)
{
    json root;
    *out = (struct kube_status){.retry_after_s = -1};
    if (json_parse(body, arena, &root, NULL) == ERR_OK) {
        kube_status_of(root, arena, out);
    } else if (str_eq(glance_find(body, 1, "kind", NULL), S("Status"))) {
        out->reason = glance_find(body, 1, "reason", NULL);
        out->message = glance_find(body, 1, "message", NULL);
        out->kind = glance_find(body, 2, "details", "kind");
        out->name = glance_find(body, 2, "details", "name");
    }
}

/* "1", "20+", "31-eks-..." : the leading digits. */
static bool version_number(str text, int32_t *out)
{
    size_t digits = 0;
    while (digits < text.bytes && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    int64_t number;
    if (!str_to_i64(str_sub(text, 0, digits), &number) || number > 99999) {
        return false;
    }
    *out = (int32_t)number;
    return true;
}

enum err kube_version_read(str body, struct arena *arena, struct kube_version *out)
{
    json root;
    *out = (struct kube_version){0};
    if (json_parse(body, arena, &root, NULL) != ERR_OK ||
        !version_number(json_text(json_get(root, "major"), arena), &out->major) ||
        !version_number(json_text(json_get(root, "minor"), arena), &out->minor)) {
        return ERR_BAD_REPLY;
    }
    (void)str_copy(out->text, sizeof out->text, json_text(json_get(root, "gitVersion"), arena));
    return ERR_OK;
}
