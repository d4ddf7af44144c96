/* see x509.h */
#include "net/x509.h"

#include "base/codec.h"
#include "net/der.h"
#include "os/sock.h"

/* Object identifiers, without tag and length. */
#define OID_RSA S("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")     /* 1.2.840.113549.1.1.1 */
#define OID_EC S("\x2a\x86\x48\xce\x3d\x02\x01")              /* 1.2.840.10045.2.1 */
#define OID_P256 S("\x2a\x86\x48\xce\x3d\x03\x01\x07")        /* 1.2.840.10045.3.1.7 */
#define OID_P384 S("\x2b\x81\x04\x00\x22")                    /* 1.3.132.0.34 */
#define OID_P521 S("\x2b\x81\x04\x00\x23")                    /* 1.3.132.0.35 */
#define OID_ALT_NAMES S("\x55\x1d\x11")                       /* 2.5.29.17 */
#define OID_BASIC_CONSTRAINTS S("\x55\x1d\x13")               /* 2.5.29.19 */
#define OID_KEY_PURPOSES S("\x55\x1d\x25")                    /* 2.5.29.37 */
#define OID_ANY_PURPOSE S("\x55\x1d\x25\x00")                 /* 2.5.29.37.0 */
#define OID_SERVER_AUTH S("\x2b\x06\x01\x05\x05\x07\x03\x01") /* 1.3.6.1.5.5.7.3.1 */
#define OID_CLIENT_AUTH S("\x2b\x06\x01\x05\x05\x07\x03\x02") /* 1.3.6.1.5.5.7.3.2 */
#define OID_COMMON_NAME S("\x55\x04\x03")                     /* 2.5.4.3 */
#define OID_ORGANIZATION S("\x55\x04\x0a")                    /* 2.5.4.10 */

/* GeneralName choices (RFC 5280 4.2.1.6). */
#define ALT_DNS DER_CONTEXT(2u)
#define ALT_ADDRESS DER_CONTEXT(7u)

/* ---- the certificate ------------------------------------------------------------------------- */

static void read_key(struct der *parent, struct x509_key *key)
{
    struct der info = der_enter(parent, DER_SEQUENCE);
    struct der algorithm = der_enter(&info, DER_SEQUENCE);
    str oid = der_expect(&algorithm, DER_OID).body;
    struct der_item parameters = der_maybe(&algorithm, DER_OID);
    str bits = der_bytes_of_bits(&info);

    *key = (struct x509_key){.type = X509_KEY_OTHER};
    if (str_eq(oid, OID_RSA)) {
        struct der outer = der_open(bits);
        struct der rsa = der_enter(&outer, DER_SEQUENCE);
        key->modulus = der_unsigned(&rsa);
        key->exponent = der_unsigned(&rsa);
        key->type = rsa.has_failed ? X509_KEY_OTHER : X509_KEY_RSA;
    } else if (str_eq(oid, OID_EC)) {
        str curve = parameters.body;
        key->curve = str_eq(curve, OID_P256)   ? 23
                     : str_eq(curve, OID_P384) ? 24
                     : str_eq(curve, OID_P521) ? 25
                                               : 0;
        key->point = bits;
        key->type = key->curve != 0 ? X509_KEY_EC : X509_KEY_OTHER;
    }
    parent->has_failed |= info.has_failed || algorithm.has_failed;
}

/* One extension's value; unknown ones are none of our business here (BearSSL refuses unknown
 * critical ones). False when malformed. */
static bool read_extension(str oid, str value, struct x509_cert *out)
{
    struct der der = der_open(value);
    if (str_eq(oid, OID_ALT_NAMES)) {
        out->alt_names = der_expect(&der, DER_SEQUENCE).body;
        out->has_alt_names = true;
    } else if (str_eq(oid, OID_KEY_PURPOSES)) {
        out->key_purposes = der_expect(&der, DER_SEQUENCE).body;
        out->has_key_purposes = true;
    } else if (str_eq(oid, OID_BASIC_CONSTRAINTS)) {
        struct der constraints = der_enter(&der, DER_SEQUENCE);
        bool has_flag =
            constraints.rest.bytes > 0 && (uint8_t)constraints.rest.ptr[0] == DER_BOOLEAN;
        out->is_ca = has_flag && der_boolean(&constraints);
        der.has_failed |= constraints.has_failed;
    }
    return !der.has_failed;
}

/* Extensions ::= SEQUENCE OF Extension; each kind at most once (RFC 5280 4.2), or a reader that
 * takes the first and one that takes the last would disagree. */
static bool read_extensions(struct der extensions, struct x509_cert *out)
{
    while (der_has_more(&extensions)) {
        struct der extension = der_enter(&extensions, DER_SEQUENCE);
        str oid = der_expect(&extension, DER_OID).body;
        (void)der_maybe(&extension, DER_BOOLEAN);
        str value = der_expect(&extension, DER_OCTET_STRING).body;
        bool is_repeated = (str_eq(oid, OID_ALT_NAMES) && out->has_alt_names) ||
                           (str_eq(oid, OID_KEY_PURPOSES) && out->has_key_purposes);
        if (!der_finish(&extension) || is_repeated || !read_extension(oid, value, out)) {
            return false;
        }
    }
    return !extensions.has_failed;
}

static int read_version(struct der *tbs)
{
    struct der_item item = der_maybe(tbs, DER_CONTEXT_OPEN(0u));
    if (item.tag == 0) {
        return 1;
    }
    struct der der = der_open(item.body);
    str number = der_unsigned(&der);
    bool is_known =
        !der.has_failed && number.bytes == 1 && number.ptr[0] >= 1 && number.ptr[0] <= 2;
    tbs->has_failed |= !is_known;
    return is_known ? number.ptr[0] + 1 : 0;
}

enum err x509_read(str der, struct x509_cert *out)
{
    struct der file = der_open(der);
    struct der cert = der_enter(&file, DER_SEQUENCE);
    struct der tbs = der_enter(&cert, DER_SEQUENCE);

    *out = (struct x509_cert){.version = read_version(&tbs)};
    (void)der_expect(&tbs, DER_INTEGER);  /* serial number */
    (void)der_expect(&tbs, DER_SEQUENCE); /* signature algorithm */
    out->issuer = der_expect(&tbs, DER_SEQUENCE).whole;
    struct der validity = der_enter(&tbs, DER_SEQUENCE);
    out->not_before_s = der_time(&validity);
    out->not_after_s = der_time(&validity);
    out->subject = der_expect(&tbs, DER_SEQUENCE).whole;
    read_key(&tbs, &out->key);
    (void)der_maybe(&tbs, DER_CONTEXT(1u)); /* unique identifiers, of old */
    (void)der_maybe(&tbs, DER_CONTEXT(2u));
    struct der_item extensions = der_maybe(&tbs, DER_CONTEXT_OPEN(3u));
    if (extensions.tag != 0) {
        struct der wrapper = der_open(extensions.body);
        if (!read_extensions(der_enter(&wrapper, DER_SEQUENCE), out)) {
            return ERR_BAD_INPUT;
        }
    }
    out->is_ca |= out->version < 3;
    (void)der_expect(&cert, DER_SEQUENCE);   /* signature algorithm, again */
    (void)der_expect(&cert, DER_BIT_STRING); /* signature */
    bool is_good =
        der_finish(&tbs) && der_finish(&cert) && der_finish(&file) && !validity.has_failed;
    return is_good ? ERR_OK : ERR_BAD_INPUT;
}

/* ---- purposes -------------------------------------------------------------------------------- */

bool x509_is_for(const struct x509_cert *cert, enum x509_purpose purpose)
{
    str wanted = purpose == X509_SERVER ? OID_SERVER_AUTH : OID_CLIENT_AUTH;
    struct der der = der_open(cert->key_purposes);

    while (der_has_more(&der)) {
        str oid = der_expect(&der, DER_OID).body;
        if (str_eq(oid, wanted) || str_eq(oid, OID_ANY_PURPOSE)) {
            return true;
        }
    }
    return !cert->has_key_purposes;
}

/* ---- names ----------------------------------------------------------------------------------- */

static str without_last_dot(str name)
{
    return str_ends(name, S(".")) ? str_sub(name, 0, name.bytes - 1) : name;
}

/* `pattern` as it stands in the certificate, `host` without trailing dot. */
static bool dns_name_matches(str pattern, str host)
{
    if (str_eq_nocase(pattern, host)) {
        return host.bytes > 0;
    }
    if (!str_starts(pattern, S("*."))) {
        return false;
    }
    str parent = str_sub(pattern, 1, pattern.bytes); /* ".example.com" */
    ptrdiff_t dot = str_find_char(host, '.');
    bool has_two_labels = str_find_char(str_sub(parent, 1, parent.bytes), '.') > 0;
    return dot > 0 && has_two_labels && str_find_char(parent, '*') < 0 &&
           str_eq_nocase(parent, str_sub(host, (size_t)dot, host.bytes));
}

static bool alt_name_matches(const struct der_item *name, str host, const struct sock_addr *addr)
{
    if (addr->family == 0) {
        return name->tag == ALT_DNS && dns_name_matches(name->body, host);
    }
    return name->tag == ALT_ADDRESS &&
           str_eq(name->body, str_make((const char *)addr->bytes, addr->family == 4 ? 4 : 16));
}

bool x509_names_host(const struct x509_cert *cert, str host)
{
    struct sock_addr addr = {.family = 0};
    struct der names = der_open(cert->alt_names);

    if (!sock_addr_parse(host, 0, &addr)) {
        addr.family = 0;
        host = without_last_dot(host);
    }
    if (!cert->has_alt_names) {
        struct x509_subject subject;
        x509_read_subject(cert->subject, &subject);
        return addr.family == 0 && dns_name_matches(str_of(subject.common_name), host);
    }
    while (der_has_more(&names)) {
        struct der_item name = der_next(&names);
        if (alt_name_matches(&name, host, &addr)) {
            return true;
        }
    }
    return false;
}

/* ---- the subject ----------------------------------------------------------------------------- */

/* The text of a directory string, if it is a plain one: UTF8String, PrintableString, IA5String, or
 * TeletexString that keeps to ASCII. */
static bool plain_text(const struct der_item *value, str *out)
{
    bool is_text =
        value->tag == 0x0C || value->tag == 0x13 || value->tag == 0x16 || value->tag == 0x14;
    *out = value->body;
    return is_text && codec_is_utf8(*out) && memchr(out->ptr, 0, out->bytes) == NULL;
}

static void take_attribute(str oid, str text, struct x509_subject *out)
{
    if (str_eq(oid, OID_COMMON_NAME)) {
        /* The last one counts, as in Go's reader, which the API server uses. */
        if (!str_copy(out->common_name, sizeof out->common_name, text)) {
            out->common_name[0] = 0;
        }
    } else if (str_eq(oid, OID_ORGANIZATION) && out->organizations_count < X509_ORGANIZATIONS_MAX) {
        char *place = out->organizations[out->organizations_count];
        if (str_copy(place, X509_ORGANIZATION_BYTES, text)) {
            out->organizations_count++;
        } else {
            place[0] = 0;
        }
    }
}

void x509_read_subject(str name, struct x509_subject *out)
{
    struct der file = der_open(name);
    struct der sets = der_enter(&file, DER_SEQUENCE);

    *out = (struct x509_subject){.organizations_count = 0};
    while (der_has_more(&sets)) {
        struct der set = der_enter(&sets, DER_SET);
        while (der_has_more(&set)) {
            struct der attribute = der_enter(&set, DER_SEQUENCE);
            str oid = der_expect(&attribute, DER_OID).body;
            struct der_item value = der_next(&attribute);
            str text;
            if (!attribute.has_failed && value.body.bytes > 0 && plain_text(&value, &text)) {
                take_attribute(oid, text, out);
            }
        }
    }
}

/* ---- for people ------------------------------------------------------------------------------ */

/* Printable ASCII; the rest as '?': these texts go into logs and come from strangers. */
static void put_tame(struct buf *out, str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        buf_put_char(out, text.ptr[i] >= 0x20 && text.ptr[i] < 0x7F ? text.ptr[i] : '?');
    }
}

static void put_address(struct buf *out, str bytes)
{
    struct sock_addr addr = {.family = bytes.bytes == 4 ? 4 : 6};
    char text[64];

    if (bytes.bytes != 4 && bytes.bytes != 16) {
        buf_put(out, S("?"));
        return;
    }
    memcpy(addr.bytes, bytes.ptr, bytes.bytes);
    sock_addr_text(&addr, text);
    str shown = str_of(text);
    if (shown.bytes > 2) {
        shown = str_sub(shown, 0, shown.bytes - 2); /* without ":0" */
    }
    if (str_starts(shown, S("["))) {
        shown = str_sub(shown, 1, shown.bytes - 2);
    }
    buf_put(out, shown);
}

void x509_put_names(const struct x509_cert *cert, struct buf *out)
{
    struct der names = der_open(cert->alt_names);
    size_t start = out->bytes;

    while (der_has_more(&names)) {
        struct der_item name = der_next(&names);
        if (name.tag != ALT_DNS && name.tag != ALT_ADDRESS) {
            continue;
        }
        if (out->bytes > start) {
            buf_put(out, S(", "));
        }
        if (name.tag == ALT_DNS) {
            put_tame(out, name.body);
        } else {
            put_address(out, name.body);
        }
    }
    if (!cert->has_alt_names) {
        struct x509_subject subject;
        x509_read_subject(cert->subject, &subject);
        put_tame(out, str_of(subject.common_name));
    }
    if (out->bytes == start) {
        buf_put(out, S("nobody"));
    }
}

void x509_put_common_name(str name, struct buf *out)
{
    struct x509_subject subject;

    x509_read_subject(name, &subject);
    put_tame(out,
             str_of(subject.common_name[0] != 0 ? subject.common_name : subject.organizations[0]));
}

void x509_put_date(struct buf *out, int64_t unix_s)
{
    char text[32];
    struct buf full;

    buf_init(&full, text, sizeof text);
    codec_put_time(&full, unix_s);
    buf_put(out, str_sub(buf_str(&full), 0, 10));
}
