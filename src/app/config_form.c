/* see config_form.h */
#include "app/config_form.h"

#include "os/sock.h"
#include "spec/spec_read.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* 1 to bytes_max bytes, each a letter, a digit or one of `others`. */
static bool is_word(str text, size_t bytes_max, const char *others)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (!is_alnum(text.ptr[i]) && strchr(others, text.ptr[i]) == NULL) {
            return false;
        }
    }
    return text.bytes >= 1 && text.bytes <= bytes_max && memchr(text.ptr, '\0', text.bytes) == NULL;
}

static bool is_lower_word(str text, size_t bytes_max, const char *others)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') {
            return false;
        }
    }
    return is_word(text, bytes_max, others);
}

static bool has_alnum_ends(str text)
{
    return text.bytes > 0 && is_alnum(text.ptr[0]) && is_alnum(text.ptr[text.bytes - 1]);
}

bool config_form_is_printable(str text, size_t bytes_max)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return text.bytes >= 1 && text.bytes <= bytes_max;
}

/* RFC 1123 subdomain: labels of a-z, 0-9 and -, joined by dots. */
static bool is_subdomain(str text, size_t bytes_max)
{
    if (!is_lower_word(text, bytes_max, "-.") || !has_alnum_ends(text)) {
        return false;
    }
    str label;
    while (str_cut(&text, '.', &label)) {
        if (label.bytes > 63 || !has_alnum_ends(label)) {
            return false;
        }
    }
    return true;
}

/* Kubernetes: at most 63 of A-Za-z0-9-_. with a letter or digit at both ends. */
static bool is_qualified_part(str text)
{
    return is_word(text, 63, "-_.") && has_alnum_ends(text);
}

/* Kubernetes label key: [subdomain/]name. */
static bool is_qualified_name(str text)
{
    ptrdiff_t slash = str_find_char(text, '/');
    if (slash < 0) {
        return is_qualified_part(text);
    }
    return is_subdomain(str_sub(text, 0, (size_t)slash), 253) &&
           is_qualified_part(str_sub(text, (size_t)slash + 1, text.bytes));
}

static bool fits_region(str text)
{
    return is_lower_word(text, 40, "-") && has_alnum_ends(text) && str_find_char(text, '-') > 0;
}

static bool fits_id(str text)
{
    return is_word(text, 64, "-") && has_alnum_ends(text);
}

static bool fits_cluster_id(str text)
{
    return is_word(text, 64, "-_.") && has_alnum_ends(text);
}

static bool is_credential(str text, size_t bytes_max)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return text.bytes >= 1 && text.bytes <= bytes_max;
}

static bool fits_access_key(str text)
{
    return is_credential(text, 127);
}

static bool fits_token(str text)
{
    return is_credential(text, CONFIG_SECRET_BYTES_MAX);
}

static bool fits_printable(str text)
{
    return config_form_is_printable(text, 255);
}

static bool fits_host(str text)
{
    struct sock_addr ignored;
    return is_word(text, 253, "-._") || sock_addr_parse(text, 0, &ignored);
}

static bool fits_node_name(str text)
{
    return is_subdomain(text, 63);
}

static bool fits_label(str text)
{
    ptrdiff_t equals = str_find_char(text, '=');
    if (equals < 0) {
        return false;
    }
    str value = str_sub(text, (size_t)equals + 1, text.bytes);
    return is_qualified_name(str_sub(text, 0, (size_t)equals)) &&
           (str_is_empty(value) || is_qualified_part(value));
}

bool config_form_is_url(str text, bool may_name_user)
{
    ptrdiff_t scheme = str_find(text, S("://"));
    if (scheme < 0 || !config_form_is_printable(text, 400) || str_find_char(text, ' ') >= 0) {
        return false;
    }
    str name = str_sub(text, 0, (size_t)scheme);
    str rest = str_sub(text, (size_t)scheme + 3, text.bytes);
    if (!str_eq(name, S("http")) && !str_eq(name, S("https"))) {
        return false;
    }
    if (str_ends(rest, S("/"))) {
        rest.bytes--;
    }
    ptrdiff_t at = str_find_char(rest, '@');
    if (at >= 0 && !may_name_user) {
        return false;
    }
    rest = str_sub(rest, (size_t)(at + 1), rest.bytes);
    str host = rest;
    if (str_starts(rest, S("["))) {
        ptrdiff_t close = str_find_char(rest, ']');
        host = str_sub(rest, 0, close < 0 ? 0 : (size_t)close + 1);
    } else if (str_find_char(rest, ':') >= 0) {
        host = str_sub(rest, 0, (size_t)str_find_char(rest, ':'));
    }
    str port = str_sub(rest, host.bytes, rest.bytes);
    int64_t number = 0;
    bool port_is_right = str_is_empty(port) || (port.ptr[0] == ':' && port.bytes <= 6 &&
                                                str_to_i64(str_sub(port, 1, 5), &number) &&
                                                number >= 1 && number <= 65535);
    return port_is_right && fits_host(host);
}

/* Not the root: that would be no list. */
static bool fits_host_path(str text)
{
    return config_form_is_printable(text, 127) && str_starts(text, S("/")) &&
           spec_is_inner_path(str_sub(text, 1, text.bytes));
}

static bool fits_http_proxy(str text)
{
    return config_form_is_url(text, true) && str_starts(text, S("http://"));
}

const struct config_form
    config_form_region = {"a region such as cn-beijing", fits_region},
    config_form_id = {"an id of the cloud: 1 to 64 letters, digits and -", fits_id},
    config_form_cluster_id = {"1 to 64 letters and digits, inside also - _ .", fits_cluster_id},
    config_form_access_key = {"1 to 127 characters of ASCII without spaces", fits_access_key},
    config_form_token = {"1 to 4095 characters of ASCII without spaces", fits_token},
    config_form_printable = {"1 to 255 printable characters", fits_printable},
    config_form_host = {"a host name or an address", fits_host},
    config_form_node_name = {"1 to 63 lower-case letters, digits, - and ., as in a DNS name",
                             fits_node_name},
    config_form_label = {"a label as Kubernetes accepts it: [domain/]key=value", fits_label},
    config_form_taint_key = {"a key as Kubernetes accepts it: [domain/]name", is_qualified_name},
    config_form_taint_value = {"at most 63 letters, digits, - _ .", is_qualified_part},
    config_form_http_proxy = {"http://[user:password@]host[:port]", fits_http_proxy},
    config_form_host_path = {"an absolute path of at most 127 bytes, other than / and without ..",
                             fits_host_path};
