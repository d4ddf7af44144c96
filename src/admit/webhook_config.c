/* see webhook_config.h */
#include "admit/webhook_config.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/codec.h"
#include "base/check.h"
#include "base/hash.h"

/* ---- names ----------------------------------------------------------------------------------- */

static char label_char(char c)
{
    bool is_fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    return is_fine ? c : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : '-';
}

void webhook_segment(const struct profile *profile, uint32_t selector,
                     char out[static WEBHOOK_SEGMENT_BYTES])
{
    str name = profile->selectors[selector].name;
    size_t bytes = 0;
    for (size_t i = 0; i < name.bytes && bytes < LABEL_NAME_BYTES_MAX; i++) {
        char c = label_char(name.ptr[i]);
        if (bytes > 0 || c != '-') {
            out[bytes++] = c;
        }
    }
    while (bytes > 0 && out[bytes - 1] == '-') {
        bytes--;
    }
    out[bytes] = '\0';
    if (!str_eq(str_of(out), name)) { /* another name could have become the same */
        (void)snprintf(out + bytes, WEBHOOK_SEGMENT_BYTES - bytes, "%s%016" PRIx64,
                       bytes > 0 ? "." : "s.", str_hash(name));
    }
}

bool webhook_selector_of(const struct profile *profile, str path, str *name)
{
    char segment[WEBHOOK_SEGMENT_BYTES];
    *name = STR_NONE;
    if (!str_starts(path, S(WEBHOOK_PATH))) {
        return false;
    }
    str rest = str_sub(path, sizeof WEBHOOK_PATH - 1, path.bytes);
    if (str_is_empty(rest)) {
        return true;
    }
    if (rest.ptr[0] != '/') {
        return false;
    }
    rest = str_sub(rest, 1, rest.bytes);
    for (uint32_t i = 0; i < profile->selectors_count; i++) {
        webhook_segment(profile, i, segment);
        if (profile->selectors[i].is_scheduling && str_eq(rest, str_of(segment))) {
            *name = profile->selectors[i].name;
        }
    }
    return true;
}

/* ---- one webhook ----------------------------------------------------------------------------- */

struct entry {
    const struct webhook_place *place;
    const char *name;    /* before the domain */
    const char *segment; /* of the path; NULL: none */
    const struct label_select *namespaces, *objects;
    int timeout_s;
};

static void put_terms(struct json_write *w, const struct label_select *select)
{
    for (uint32_t i = 0; i < select->terms_count; i++) {
        const struct label_term *term = &select->terms[i];
        if (term->op == LABEL_IN && term->values_count == 1) {
            continue; /* shown as matchLabels */
        }
        json_object(w);
        json_member_text(w, "key", term->key);
        json_member_text(w, "operator", str_of(label_op_name(term->op)));
        if (term->values_count > 0) {
            json_member_array(w, "values");
            for (uint32_t v = 0; v < term->values_count; v++) {
                json_put_text(w, term->values[v]);
            }
            json_end(w);
        }
        json_end(w);
    }
}

/* A key may be asked for two values by mistake (matchLabels and an expression): the later ones stay
 * expressions. */
static bool is_first(const struct label_select *select, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (str_eq(select->terms[i].key, select->terms[at].key) &&
            select->terms[i].op == LABEL_IN && select->terms[i].values_count == 1) {
            return false;
        }
    }
    return true;
}

static void put_labels(struct json_write *w, const struct label_select *select)
{
    for (uint32_t i = 0; i < select->terms_count; i++) {
        const struct label_term *term = &select->terms[i];
        if (term->op == LABEL_IN && term->values_count == 1 && is_first(select, i)) {
            json_key_put(w, term->key);
            json_put_text(w, term->values[0]);
        }
    }
}

static void put_doubles(struct json_write *w, const struct label_select *select)
{
    for (uint32_t i = 0; i < select->terms_count; i++) {
        const struct label_term *term = &select->terms[i];
        if (term->op == LABEL_IN && term->values_count == 1 && !is_first(select, i)) {
            json_object(w);
            json_member_text(w, "key", term->key);
            json_member_text(w, "operator", S("In"));
            json_member_array(w, "values");
            json_put_text(w, term->values[0]);
            json_end(w);
            json_end(w);
        }
    }
}

/* The system's namespaces by the label that every namespace has since 1.21. */
static void put_exclusion(struct json_write *w)
{
    static const char *const names[] = {"kube-system", "kube-public", "kube-node-lease"};
    json_object(w);
    json_member_text(w, "key", S("kubernetes.io/metadata.name"));
    json_member_text(w, "operator", S("NotIn"));
    json_member_array(w, "values");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_put_text(w, str_of(names[i]));
    }
    json_end(w);
    json_end(w);
}

static void put_select(struct json_write *w, const char *key, const struct label_select *select,
                       bool is_namespace)
{
    json_member_object(w, key);
    json_member_object(w, "matchLabels");
    put_labels(w, select);
    json_end(w);
    json_member_array(w, "matchExpressions");
    put_terms(w, select);
    put_doubles(w, select);
    if (is_namespace) {
        put_exclusion(w);
    }
    json_end(w);
    json_end(w);
}

static void put_client(struct json_write *w, const struct entry *entry)
{
    char path[sizeof WEBHOOK_PATH + 1 + WEBHOOK_SEGMENT_BYTES], url[512];
    (void)snprintf(path, sizeof path, WEBHOOK_PATH "%s%s", entry->segment != NULL ? "/" : "",
                   entry->segment != NULL ? entry->segment : "");
    json_member_object(w, "clientConfig");
    if (str_is_empty(entry->place->url)) {
        json_member_object(w, "service");
        json_member_text(w, "namespace", S(WEBHOOK_SERVICE_NAMESPACE));
        json_member_text(w, "name", S(WEBHOOK_SERVICE));
        json_member_text(w, "path", str_of(path));
        json_member_i64(w, "port", 443);
        json_end(w);
    } else {
        (void)snprintf(url, sizeof url, "%.*s%s", STR_ARG(entry->place->url), path);
        json_member_text(w, "url", str_of(url));
    }
    json_key_put(w, S("caBundle"));
    json_put_raw(w, S("\"")); /* base64 needs no escaping */
    codec_put_base64(w->out, entry->place->ca_pem.ptr, entry->place->ca_pem.bytes);
    buf_put_char(w->out, '"');
    json_end(w);
}

static void put_entry(struct json_write *w, const struct entry *entry)
{
    char name[WEBHOOK_SEGMENT_BYTES + sizeof WEBHOOK_DOMAIN];
    (void)snprintf(name, sizeof name, "%s" WEBHOOK_DOMAIN, entry->name);
    json_object(w);
    json_member_text(w, "name", str_of(name));
    put_client(w, entry);
    json_member_raw(w, "rules",
                    S("[{\"operations\":[\"CREATE\"],\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"],"
                      "\"resources\":[\"pods\"],\"scope\":\"Namespaced\"}]"));
    put_select(w, "namespaceSelector", entry->namespaces, true);
    put_select(w, "objectSelector", entry->objects, false);
    json_member_text(w, "failurePolicy", S("Ignore"));
    json_member_text(w, "matchPolicy", S("Equivalent"));
    json_member_text(w, "reinvocationPolicy", S("Never"));
    json_member_text(w, "sideEffects", S("None"));
    json_member_i64(w, "timeoutSeconds", entry->timeout_s);
    json_member_raw(w, "admissionReviewVersions", S("[\"v1\",\"v1beta1\"]"));
    json_end(w);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* It has a webhook of its own. One without is served by that for all pods; an effect alone comes
 * with the others, and when the pod is translated. */
static bool is_shown(const struct profile_selector *one, const struct webhook_place *place)
{
    return one->is_scheduling && !place->is_brief &&
           (place->is_v1 || one->objects.terms_count == 0);
}

static void put_webhooks(const struct profile *profile, const struct webhook_place *place,
                         struct json_write *w, uint32_t *left_out)
{
    static const struct label_select everything = {NULL, 0};
    char segment[WEBHOOK_SEGMENT_BYTES];
    *left_out = 0;
    json_member_array(w, "webhooks");
    for (uint32_t i = 0; i < profile->selectors_count; i++) {
        const struct profile_selector *one = &profile->selectors[i];
        if (!is_shown(one, place)) {
            *left_out += one->is_scheduling;
            continue;
        }
        webhook_segment(profile, i, segment);
        const struct entry entry = {.place = place,
                                    .name = segment,
                                    .segment = segment,
                                    .namespaces = &one->namespaces,
                                    .objects = &one->objects,
                                    .timeout_s = WEBHOOK_TIMEOUT_S};
        put_entry(w, &entry);
    }
    const struct entry any = {.place = place,
                              .name = "burst-resource.any",
                              .namespaces = &everything,
                              .objects = &everything,
                              .timeout_s = WEBHOOK_TIMEOUT_ANY_S};
    put_entry(w, &any);
    json_end(w);
}

/* False when there are none: nothing was written. */
static bool put_others(const struct profile *profile, const struct webhook_place *place,
                       struct json_write *w)
{
    char memory[PROFILE_SELECTORS_MAX * (PROFILE_SELECTOR_NAME_BYTES_MAX + 2)];
    struct buf names;
    buf_init(&names, memory, sizeof memory);
    for (uint32_t i = 0; i < profile->selectors_count; i++) {
        if (!is_shown(&profile->selectors[i], place)) {
            buf_put(&names, names.bytes > 0 ? S(", ") : STR_NONE);
            buf_put(&names, profile->selectors[i].name);
        }
    }
    if (names.bytes > 0) {
        json_member_text(w, WEBHOOK_OTHERS_ANNOTATION, buf_str(&names));
    }
    return names.bytes > 0;
}

/* Of an object that is there: taken away. */
static void put_no(struct json_write *w, const char *annotation, const struct webhook_place *place)
{
    if (!str_is_empty(place->version)) {
        json_member_raw(w, annotation, S("null"));
    }
}

str webhook_config_place(str url)
{
    return str_is_empty(url) ? S(WEBHOOK_PLACE_SERVICE) : url;
}

void webhook_config_fingerprint(str ca_pem, char out[static WEBHOOK_FINGERPRINT_BYTES])
{
    static_assert(WEBHOOK_FINGERPRINT_BYTES == 2 * HASH_SHA256_BYTES + 1, "hex and NUL");
    hash_sha256_hex(out, ca_pem);
}

void webhook_config_put(const struct profile *profile, const struct webhook_place *place,
                        struct buf *out, uint32_t *left_out)
{
    struct json_write w;
    char hash[2 * HASH_SHA256_BYTES + 1];
    size_t start = out->bytes;
    json_write_init(&w, out);
    json_object(&w);
    json_member_text(&w, "apiVersion",
                     place->is_v1 ? S("admissionregistration.k8s.io/v1")
                                  : S("admissionregistration.k8s.io/v1beta1"));
    json_member_text(&w, "kind", S("MutatingWebhookConfiguration"));
    put_webhooks(profile, place, &w, left_out);
    json_member_object(&w, "metadata");
    json_member_text(&w, "name", S(WEBHOOK_NAME));
    json_member_object(&w, "annotations");
    bool has_others = put_others(profile, place, &w);
    hash_sha256_hex(hash, str_sub(buf_str(out), start, out->bytes));
    if (!has_others) {
        put_no(&w, WEBHOOK_OTHERS_ANNOTATION, place);
    }
    put_no(&w, WEBHOOK_WAITS_ANNOTATION, place);
    json_member_text(&w, WEBHOOK_PLACE_ANNOTATION, webhook_config_place(place->url));
    json_member_text(&w, WEBHOOK_NODE_ANNOTATION, place->node);
    json_member_text(&w, WEBHOOK_HASH_ANNOTATION, str_of(hash));
    webhook_config_fingerprint(place->ca_pem, hash);
    json_member_text(&w, WEBHOOK_AUTHORITY_ANNOTATION, str_of(hash));
    json_end(&w);
    if (!str_is_empty(place->version)) {
        json_member_text(&w, "resourceVersion", place->version);
    }
    json_end(&w);
    json_end(&w);
}

void webhook_config_put_waits(str waits, str version, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_object(&w);
    json_member_object(&w, "metadata");
    json_member_text(&w, "resourceVersion", version);
    json_member_object(&w, "annotations");
    if (str_is_empty(waits)) {
        json_member_raw(&w, WEBHOOK_WAITS_ANNOTATION, S("null"));
    } else {
        json_member_text(&w, WEBHOOK_WAITS_ANNOTATION, waits);
    }
    json_end(&w);
    json_end(&w);
    json_end(&w);
}
