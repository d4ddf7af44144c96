/* see eci_sign.h */
#include "eci/eci_sign.h"

#include "base/check.h"
#include "base/codec.h"
#include "base/hash.h"

#define TIME_BYTES 20         /* 2024-01-02T03:04:05Z */
#define TIME_ENCODED_BYTES 24 /* the same with both colons as %3A */
#define SIGNATURE_ENCODED_BYTES_MAX (3 * ECI_SIGNATURE_BYTES)
#define COMMON_COUNT_MAX 10

#define NONCE_MARK S("&SignatureNonce=")
#define TIME_MARK S("&Timestamp=")
#define SIGNATURE_MARK S("&Signature=")

/* Names the caller may not use; RegionId is his. "Signature" itself is added last and not signed.
 */
static const char *const reserved_names[] = {
    "AccessKeyId",     "Action",         "Format",           "SecurityToken", "Signature",
    "SignatureMethod", "SignatureNonce", "SignatureVersion", "Timestamp",     "Version",
};

/* The common parameters, sorted, ready to be merged with the caller's sorted ones. */
struct common {
    struct param items[COMMON_COUNT_MAX];
    uint32_t count;
    char time[TIME_BYTES];
};

static void common_fill(struct common *common, const struct params *params,
                        const struct eci_sign_as *as)
{
    struct buf time;
    buf_init(&time, common->time, sizeof common->time);
    codec_put_time(&time, as->unix_s);
    bool has_region =
        !str_is_empty(as->region_id) && params_find(params, S("RegionId")).ptr == NULL;
    const struct param all[COMMON_COUNT_MAX] = {
        {S("AccessKeyId"), as->access_key_id, false},
        {S("Action"), as->action, false},
        {S("Format"), S("JSON"), false},
        {S("RegionId"), has_region ? as->region_id : STR_NONE, false},
        {S("SecurityToken"), as->security_token, true},
        {S("SignatureMethod"), S("HMAC-SHA1"), false},
        {S("SignatureNonce"), as->nonce, false},
        {S("SignatureVersion"), S("1.0"), false},
        {S("Timestamp"), buf_str(&time), false},
        {S("Version"), S(ECI_VERSION), false},
    };
    common->count = 0;
    for (uint32_t i = 0; i < COMMON_COUNT_MAX; i++) {
        if (!str_is_empty(all[i].value)) {
            common->items[common->count++] = all[i];
        }
    }
}

/* ---- sizes ----------------------------------------------------------------------------------- */

/* Bytes of a text percent-encoded once (each reserved byte becomes 3), and of that encoded again
 * (%XX becomes %25XX: 5). */
static size_t encoded_bytes(str text, size_t reserved_bytes)
{
    size_t bytes = 0;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        bytes += is_plain ? 1 : reserved_bytes;
    }
    return bytes;
}

/* A pair's share of the form plus its share of the string to sign; "&" and "=" are 1 and 3. */
static size_t pair_bytes(const struct param *param)
{
    return encoded_bytes(param->name, 3) + encoded_bytes(param->value, 3) + 2 +
           encoded_bytes(param->name, 5) + encoded_bytes(param->value, 5) + 6;
}

size_t eci_sign_bytes(const struct params *params, const struct eci_sign_as *as)
{
    struct common common;
    size_t bytes =
        strlen(as->method) + sizeof "&%2F&" + SIGNATURE_MARK.bytes + SIGNATURE_ENCODED_BYTES_MAX;
    common_fill(&common, params, as);
    for (uint32_t i = 0; i < common.count; i++) {
        bytes += pair_bytes(&common.items[i]);
    }
    for (uint32_t i = 0; i < params->count; i++) {
        bytes += pair_bytes(&params->items[i]);
    }
    return bytes;
}

/* ---- the canonical query --------------------------------------------------------------------- */

static void sift_down(struct param *items, uint32_t at, uint32_t count)
{
    for (uint32_t child = 2 * at + 1; child < count; at = child, child = 2 * at + 1) {
        if (child + 1 < count && str_cmp(items[child].name, items[child + 1].name) < 0) {
            child++;
        }
        if (str_cmp(items[at].name, items[child].name) >= 0) {
            return;
        }
        struct param moved = items[at];
        items[at] = items[child];
        items[child] = moved;
    }
}

/* Heapsort: in place, no recursion, no worst case (the C library's qsort may allocate). */
static void sort_by_name(struct param *items, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;) {
        sift_down(items, i, count);
    }
    for (uint32_t last = count; last-- > 1;) {
        struct param largest = items[0];
        items[0] = items[last];
        items[last] = largest;
        sift_down(items, 0, last);
    }
}

static bool is_reserved(str name)
{
    for (size_t i = 0; i < sizeof reserved_names / sizeof reserved_names[0]; i++) {
        if (str_eq(name, str_of(reserved_names[i]))) {
            return true;
        }
    }
    return false;
}

/* What the signature could not be computed over twice with the same result (eci-api 1.5). */
static enum err check_names(const struct param *sorted, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool is_double = i > 0 && str_eq(sorted[i].name, sorted[i - 1].name);
        if (str_is_empty(sorted[i].name) || is_double || is_reserved(sorted[i].name)) {
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static void put_pair(struct buf *out, const struct param *param)
{
    if (out->bytes > 0) {
        buf_put_char(out, '&');
    }
    codec_put_percent(out, param->name);
    buf_put_char(out, '=');
    codec_put_percent(out, param->value);
}

static void put_canonical(struct buf *out, const struct params *params, const struct common *common)
{
    uint32_t ours = 0;
    for (uint32_t i = 0; i < params->count; i++) {
        for (; ours < common->count && str_cmp(common->items[ours].name, params->items[i].name) < 0;
             ours++) {
            put_pair(out, &common->items[ours]);
        }
        put_pair(out, &params->items[i]);
    }
    for (; ours < common->count; ours++) {
        put_pair(out, &common->items[ours]);
    }
}

/* ---- the signature --------------------------------------------------------------------------- */

void eci_wipe(void *secret, size_t bytes)
{
    volatile unsigned char *at = secret;
    while (bytes-- > 0) {
        *at++ = 0;
    }
}

enum err eci_sign_text(char out[static ECI_SIGNATURE_BYTES + 1], const char *method, str canonical,
                       str access_key_secret, struct buf scratch)
{
    uint8_t digest[HASH_SHA1_BYTES];
    char key_memory[ECI_SECRET_BYTES + 1];
    struct buf key, text;
    buf_clear(&scratch);
    buf_put_text(&scratch, method);
    buf_put(&scratch, S("&%2F&"));
    codec_put_percent(&scratch, canonical);
    buf_init(&key, key_memory, sizeof key_memory);
    buf_put(&key, access_key_secret);
    buf_put_char(&key, '&');
    bool has_fit = buf_ok(&scratch) && buf_ok(&key);
    if (has_fit) {
        hash_hmac_sha1(digest, buf_str(&key), buf_str(&scratch));
        buf_init(&text, out, ECI_SIGNATURE_BYTES);
        codec_put_base64(&text, digest, sizeof digest);
        CHECK(buf_ok(&text) && text.bytes == ECI_SIGNATURE_BYTES);
        out[ECI_SIGNATURE_BYTES] = '\0';
    }
    eci_wipe(key_memory, sizeof key_memory);
    eci_wipe(scratch.ptr, scratch.bytes);
    return has_fit ? ERR_OK : ERR_FULL;
}

/* Signs what stands in the form, using the room behind it, and appends the signature. */
static enum err sign_form(struct buf *form, const struct eci_sign_as *as)
{
    char signature[ECI_SIGNATURE_BYTES + 1];
    struct buf scratch;
    if (!buf_ok(form)) {
        return ERR_FULL;
    }
    buf_init(&scratch, form->ptr + form->bytes, form->bytes_max - form->bytes);
    enum err err =
        eci_sign_text(signature, as->method, buf_str(form), as->access_key_secret, scratch);
    if (err != ERR_OK) {
        return err;
    }
    buf_put(form, SIGNATURE_MARK);
    codec_put_percent(form, str_make(signature, ECI_SIGNATURE_BYTES));
    return buf_ok(form) ? ERR_OK : ERR_FULL;
}

static void wipe_form(struct buf *form)
{
    eci_wipe(form->ptr, form->bytes);
    buf_clear(form);
}

enum err eci_sign(struct buf *out, struct params *params, const struct eci_sign_as *as)
{
    struct common common;
    CHECK(out->bytes == 0 && as->nonce.bytes == ECI_NONCE_BYTES);
    if (params->has_failed) {
        return ERR_FULL;
    }
    sort_by_name(params->items, params->count);
    enum err err = check_names(params->items, params->count);
    if (err == ERR_OK) {
        common_fill(&common, params, as);
        put_canonical(out, params, &common);
        err = sign_form(out, as);
    }
    if (err != ERR_OK) {
        wipe_form(out);
    }
    return err;
}

/* The value behind a mark, up to the next "&" (which cannot be part of one: values are encoded);
 * false when there is none. */
static bool find_value(str form, str mark, size_t *at, size_t *bytes)
{
    ptrdiff_t found = str_find(form, mark);
    if (found < 0) {
        return false;
    }
    *at = (size_t)found + mark.bytes;
    ptrdiff_t end = str_find_char(str_sub(form, *at, form.bytes), '&');
    *bytes = end >= 0 ? (size_t)end : form.bytes - *at;
    return true;
}

enum err eci_sign_again(struct buf *form, const struct eci_sign_as *as)
{
    char time_memory[TIME_BYTES], encoded_memory[TIME_ENCODED_BYTES];
    struct buf time, encoded;
    size_t nonce_at, nonce_bytes, time_at, time_bytes, signature_at, signature_bytes;
    str text = buf_str(form);
    CHECK(as->nonce.bytes == ECI_NONCE_BYTES);
    if (!find_value(text, NONCE_MARK, &nonce_at, &nonce_bytes) || nonce_bytes != ECI_NONCE_BYTES ||
        !find_value(text, TIME_MARK, &time_at, &time_bytes) || time_bytes != TIME_ENCODED_BYTES ||
        !find_value(text, SIGNATURE_MARK, &signature_at, &signature_bytes)) {
        return ERR_INVALID;
    }
    buf_init(&time, time_memory, sizeof time_memory);
    buf_init(&encoded, encoded_memory, sizeof encoded_memory);
    codec_put_time(&time, as->unix_s);
    codec_put_percent(&encoded, buf_str(&time));
    CHECK(buf_ok(&encoded) && encoded.bytes == TIME_ENCODED_BYTES);
    memcpy(form->ptr + nonce_at, as->nonce.ptr, ECI_NONCE_BYTES);
    memcpy(form->ptr + time_at, encoded.ptr, TIME_ENCODED_BYTES);
    form->bytes = signature_at - SIGNATURE_MARK.bytes;
    enum err err = sign_form(form, as);
    if (err != ERR_OK) {
        wipe_form(form);
    }
    return err;
}
