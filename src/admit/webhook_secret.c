/* see webhook_secret.h */
#include "admit/webhook_secret.h"

#include <string.h>

#include "base/codec.h"
#include "kube/object.h"
#include "net/x509.h"
#include "os/os.h"

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_member(json data, const char *key, struct arena *arena, str *out)
{
    str text = json_text(json_get(data, key), arena);
    struct buf decoded;
    char *memory = arena_take(arena, text.bytes + 1);
    if (memory == NULL || str_is_empty(text)) {
        return false;
    }
    buf_init(&decoded, memory, text.bytes + 1);
    enum err err = codec_get_base64(&decoded, text);
    *out = buf_str(&decoded);
    return err == ERR_OK;
}

const char *webhook_secret_read(str body, struct arena *arena, struct webhook_secret *out)
{
    json root = JSON_NONE;
    struct kube_meta meta;
    *out = (struct webhook_secret){.uid = STR_NONE};
    if (json_parse(body, arena, &root, NULL) != ERR_OK) {
        kube_meta_glance(body, &meta);
        out->uid = meta.uid;
        out->version = meta.resource_version;
        return "it cannot be read";
    }
    kube_meta_read(root, arena, &meta);
    out->uid = meta.uid;
    out->version = meta.resource_version;
    json data = json_get(root, "data");
    if (!read_member(data, "tls.crt", arena, &out->chain)) {
        return "it has no tls.crt";
    }
    if (!read_member(data, "tls.key", arena, &out->key)) {
        return "it has no tls.key";
    }
    return read_member(data, "ca.crt", arena, &out->authority) ? NULL : "it has no ca.crt";
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool has_leaf(str authority, const struct tls_set *set)
{
    char memory[TLS_KEEP_PEM_BYTES];
    struct buf pem;
    buf_init(&pem, memory, sizeof memory);
    if (set->identity.chain_count == 0 ||
        set->identity.chain[0].data_len > TLS_KEEP_PEM_BYTES / 2) {
        return false; /* not one that x509_write.h made */
    }
    x509_put_pem(&set->identity, &pem);
    return buf_ok(&pem) && str_find(authority, buf_str(&pem)) >= 0;
}

bool webhook_secret_vouches(str authority, const struct tls_set *set)
{
    return has_leaf(authority, set) ||
           (!str_is_empty(set->authority) && str_find(authority, set->authority) >= 0);
}

const char *webhook_secret_fault(const struct tls_set *set, int64_t now_s)
{
    if (now_s >= set->identity.not_after_s) {
        return "its certificate has expired";
    }
    if (now_s < set->identity.not_before_s) {
        return "its certificate is not valid yet";
    }
    return has_leaf(set->authority, set) ? NULL : "its ca.crt does not hold its tls.crt";
}

static bool read_leaf(const struct tls_set *set, struct x509_cert *out)
{
    const br_x509_certificate *leaf = &set->identity.chain[0];
    return set->identity.chain_count > 0 &&
           x509_read(str_make((const char *)leaf->data, leaf->data_len), out) == ERR_OK;
}

bool webhook_secret_names(const struct tls_set *set, str host)
{
    struct x509_cert leaf;
    return read_leaf(set, &leaf) && x509_names_host(&leaf, host);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_member(struct json_write *w, const char *key, str value)
{
    json_key_put(w, str_of(key));
    json_put_raw(w, S("\"")); /* base64 needs no escaping */
    codec_put_base64(w->out, value.ptr, value.bytes);
    buf_put_char(w->out, '"');
}

static void put_object(struct json_write *w, str uid, str version)
{
    if (!str_is_empty(version)) {
        kube_open_patch(w, uid, version);
        return;
    }
    json_object(w);
    json_member_text(w, "apiVersion", S("v1"));
    json_member_text(w, "kind", S("Secret"));
    json_member_text(w, "type", S("kubernetes.io/tls"));
    json_member_object(w, "metadata");
    json_member_text(w, "name", S(WEBHOOK_SECRET));
    json_member_text(w, "namespace", S(WEBHOOK_SECRET_NAMESPACE));
    json_end(w);
}

static void put_data(struct json_write *w, const struct tls_identity *identity,
                     const struct tls_set *before)
{
    char pem_memory[2 * TLS_KEEP_PEM_BYTES], key_memory[512];
    struct buf pem, key;
    buf_init(&pem, pem_memory, sizeof pem_memory);
    buf_init(&key, key_memory, sizeof key_memory);
    x509_put_pem(identity, &pem);
    x509_put_key_pem(identity, &key);
    json_member_object(w, "data");
    put_member(w, "tls.crt", buf_str(&pem));
    put_member(w, "tls.key", buf_str(&key));
    if (before != NULL) {
        x509_put_pem(&before->identity, &pem);
    }
    put_member(w, "ca.crt", buf_str(&pem));
    json_end(w);
    w->is_bad = w->is_bad || !buf_ok(&pem) || !buf_ok(&key);
    explicit_bzero(key_memory, sizeof key_memory);
}

enum err webhook_secret_put(const struct x509_wish *wish, const struct tls_set *before, str uid,
                            str version, int64_t now_s, struct arena *arena, struct buf *out)
{
    uint8_t seed[X509_WRITE_SEED_BYTES];
    char names_memory[WEBHOOK_SECRET_OTHERS_BYTES];
    struct tls_identity identity;
    struct x509_wish dated = *wish;
    struct x509_cert leaf;
    struct json_write w;
    struct buf names;
    buf_init(&names, names_memory, sizeof names_memory);
    if (before != NULL && read_leaf(before, &leaf) && leaf.has_alt_names) {
        x509_put_names(&leaf, &names);
        dated.others = buf_str(&names);
    }
    dated.not_before_s = now_s - TLS_KEEP_EARLY_S;
    dated.not_after_s = now_s + TLS_KEEP_OWN_LIFE_S;
    os_random(seed, sizeof seed);
    enum err err = x509_write_identity(&dated, seed, arena, &identity);
    if (err == ERR_BAD_INPUT) { /* names that do not fit: without the others */
        dated.others = STR_NONE;
        err = x509_write_identity(&dated, seed, arena, &identity);
    }
    explicit_bzero(seed, sizeof seed);
    if (err != ERR_OK) {
        return err;
    }
    /* Only who is its own authority can be believed by being in ca.crt. */
    before = before != NULL && has_leaf(before->authority, before) ? before : NULL;
    json_write_init(&w, out);
    put_object(&w, uid, version);
    put_data(&w, &identity, before);
    json_end(&w);
    return json_write_ok(&w) && buf_ok(out) ? ERR_OK : ERR_FULL;
}
