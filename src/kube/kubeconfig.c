/* see kubeconfig.h */
#include "kube/kubeconfig.h"

#include "base/codec.h"
#include "os/sock.h"

/* What is read, and where the first complaint goes; err is sticky. */
struct reading {
    struct arena *arena;
    struct buf *why;
    str dir;
    enum err err;
    const char *section; /* "cluster", "user": what messages are about */
    str section_name;
};

static void complain(struct reading *r, enum err err, const char *member, const char *what)
{
    if (r->err != ERR_OK) {
        return;
    }
    r->err = err;
    if (r->section != NULL) {
        buf_put_fmt(r->why, "%s \"%.*s\": ", r->section, STR_ARG(r->section_name));
    }
    buf_put_fmt(r->why, "%s%s%s", member, member[0] != '\0' ? ": " : "", what);
}

static str text_of(struct reading *r, json object, const char *member)
{
    json value = json_get(object, member);
    if (json_is_there(value) && json_type(value) != JSON_TYPE_STRING) {
        complain(r, ERR_BAD_INPUT, member, "must be a text (put it in quotes)");
    }
    return json_text(value, r->arena);
}

/* The member of list whose "name" is this; its contents are below `inner`. */
static json find_named(struct reading *r, json list, str name, const char *inner)
{
    for (json row = json_first(list); json_is_there(row); row = json_next(row)) {
        if (str_eq(json_text(json_get(row, "name"), r->arena), name)) {
            return json_get(row, inner);
        }
    }
    return JSON_NONE;
}

/* ---- members --------------------------------------------------------------------------------- */

static str base64_of(struct reading *r, json object, const char *member)
{
    str text = text_of(r, object, member);
    struct buf out;
    size_t room;
    if (str_is_empty(text)) {
        return STR_NONE;
    }
    char *rest = arena_rest(r->arena, &room);
    buf_init(&out, rest, room);
    enum err err = codec_get_base64(&out, text);
    if (err != ERR_OK) {
        complain(r, err, member, err == ERR_FULL ? "too long" : "is not base64");
        return STR_NONE;
    }
    arena_keep(r->arena, out.bytes);
    return buf_str(&out);
}

static str path_of(struct reading *r, json object, const char *member)
{
    str path = text_of(r, object, member);
    if (str_is_empty(path) || path.ptr[0] == '/' || str_is_empty(r->dir)) {
        return path;
    }
    return arena_fmt(r->arena, "%.*s/%.*s", STR_ARG(r->dir), STR_ARG(path));
}

/* Data, or else a file. */
static void data_or_file(struct reading *r, json object, const char *data_member,
                         const char *file_member, str *data, str *file)
{
    *data = base64_of(r, object, data_member);
    *file = str_is_empty(*data) ? path_of(r, object, file_member) : STR_NONE;
}

/* What we do not do, with what to do instead. */
static const struct refused_row {
    const char *member;
    const char *what;
} user_refused[] =
    {
        {"exec",
         "exec plugins are not supported (ecilet starts no programs); give a token, a tokenFile "
         "or a client certificate"},
        {"auth-provider", "auth providers are not supported; give a token, a tokenFile or a client "
                          "certificate"},
        {"username",
         "user name and password are not supported (Kubernetes 1.19 removed them); give a "
         "token or a client certificate"},
        {"password",
         "user name and password are not supported (Kubernetes 1.19 removed them); give a "
         "token or a client certificate"},
        {"as", "impersonation is not supported; give the user's own credentials"},
        {NULL, NULL},
},
  cluster_refused[] = {
      {"proxy-url", "proxies towards the API server are not supported"},
      {NULL, NULL},
};

static void refuse(struct reading *r, json object, const struct refused_row *rows)
{
    for (; rows->member != NULL; rows++) {
        json value = json_get(object, rows->member);
        bool is_blank = json_type(value) == JSON_TYPE_STRING && json_text_is(value, "");
        if (json_is_there(value) && !is_blank) {
            complain(r, ERR_UNSUPPORTED, rows->member, rows->what);
        }
    }
}

/* ---- the server's URL ------------------------------------------------------------------------ */

static bool read_port(str text, uint16_t *port)
{
    uint64_t number;
    if (!str_to_u64(text, &number) || number < 1 || number > 65535) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

/* Letters, digits, '-', '.', '_' ; or an IPv6 address. */
static bool is_host(str host, bool is_bracketed)
{
    struct sock_addr addr;
    if (is_bracketed) {
        return sock_addr_parse(host, 0, &addr) && addr.family == 6;
    }
    for (size_t i = 0; i < host.bytes; i++) {
        char c = host.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return host.bytes > 0 && host.bytes < 254;
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static bool read_authority(str text, struct kubeconfig *out, const char **why)
{
    bool is_bracketed = str_starts(text, S("["));
    ptrdiff_t host_end = str_find_char(text, is_bracketed ? ']' : ':');
    if (is_bracketed && host_end < 0) {
        *why = "a closing bracket is missing in the address";
        return false;
    }
    size_t from = is_bracketed ? 1 : 0;
    size_t end = host_end < 0 ? text.bytes : (size_t)host_end;
    out->host = str_sub(text, from, end - from);
    str rest = str_sub(text, end + from, text.bytes);
    out->port = out->is_tls ? 443 : 80;
    if (!is_host(out->host, is_bracketed)) {
        *why = "the host is neither a name nor an address (IPv6 needs brackets)";
        return false;
    }
    if (!str_is_empty(rest) &&
        (rest.ptr[0] != ':' || !read_port(str_sub(rest, 1, rest.bytes), &out->port))) {
        *why = "the port is not a number from 1 to 65535";
        return false;
    }
    return true;
}

/* The prefix goes into request lines as it is. */
static bool read_prefix(str path, struct kubeconfig *out, const char **why)
{
    while (str_ends(path, S("/"))) {
        path = str_sub(path, 0, path.bytes - 1);
    }
    for (size_t i = 0; i < path.bytes; i++) {
        char c = path.ptr[i];
        if (c <= ' ' || c >= 127 || strchr("?#\"<>\\^`{|}", c) != NULL) {
            *why = "only a path may follow the host";
            return false;
        }
    }
    out->prefix = path;
    return true;
}

bool kubeconfig_read_url(str url, struct kubeconfig *out, const char **why)
{
    out->is_tls = str_starts(url, S("https://"));
    if (!out->is_tls && !str_starts(url, S("http://"))) {
        *why = "must start with https://";
        return false;
    }
    str rest = str_sub(url, out->is_tls ? 8 : 7, url.bytes);
    ptrdiff_t slash = str_find_char(rest, '/');
    size_t authority_bytes = slash < 0 ? rest.bytes : (size_t)slash;
    if (str_find_char(str_sub(rest, 0, authority_bytes), '@') >= 0) {
        *why = "must not contain a user name or password";
        return false;
    }
    return read_authority(str_sub(rest, 0, authority_bytes), out, why) &&
           read_prefix(str_sub(rest, authority_bytes, rest.bytes), out, why);
}

/* ---- sections -------------------------------------------------------------------------------- */

static void read_cluster(struct reading *r, json cluster, struct kubeconfig *out)
{
    const char *what = "";
    str server = text_of(r, cluster, "server");
    refuse(r, cluster, cluster_refused);
    if (str_is_empty(server)) {
        complain(r, ERR_BAD_INPUT, "server", "is missing");
    } else if (!kubeconfig_read_url(server, out, &what)) {
        complain(r, ERR_BAD_INPUT, "server", what);
    }
    data_or_file(r, cluster, "certificate-authority-data", "certificate-authority", &out->ca_pem,
                 &out->ca_file);
    out->tls_server_name = text_of(r, cluster, "tls-server-name");
    json skip = json_get(cluster, "insecure-skip-tls-verify");
    if (json_is_there(skip) && !json_bool(skip, &out->skip_verify)) {
        complain(r, ERR_BAD_INPUT, "insecure-skip-tls-verify", "must be true or false");
    }
    if (out->skip_verify && !(str_is_empty(out->ca_pem) && str_is_empty(out->ca_file))) {
        complain(r, ERR_BAD_INPUT, "insecure-skip-tls-verify",
                 "cannot be combined with a certificate authority; remove one of them");
    }
}

static void read_user(struct reading *r, json user, struct kubeconfig *out)
{
    refuse(r, user, user_refused);
    data_or_file(r, user, "client-certificate-data", "client-certificate", &out->cert_pem,
                 &out->cert_file);
    data_or_file(r, user, "client-key-data", "client-key", &out->key_pem, &out->key_file);
    out->token = text_of(r, user, "token");
    out->token_file = path_of(r, user, "tokenFile");
    bool has_cert = !str_is_empty(out->cert_pem) || !str_is_empty(out->cert_file);
    bool has_key = !str_is_empty(out->key_pem) || !str_is_empty(out->key_file);
    if (has_cert && !has_key) {
        complain(r, ERR_BAD_INPUT, "client-key", "is missing (there is a client certificate)");
    } else if (has_key && !has_cert) {
        complain(r, ERR_BAD_INPUT, "client-certificate", "is missing (there is a client key)");
    } else if (!has_cert && str_is_empty(out->token) && str_is_empty(out->token_file)) {
        complain(r, ERR_BAD_INPUT, "", "has no token, tokenFile or client certificate");
    }
    if (has_cert && !out->is_tls) {
        complain(r, ERR_BAD_INPUT, "client-certificate", "is of no use without https");
    }
}

static json choose_context(struct reading *r, json root, str wanted, struct kubeconfig *out)
{
    json contexts = json_get(root, "contexts");
    out->context = str_is_empty(wanted) ? text_of(r, root, "current-context") : wanted;
    if (str_is_empty(out->context) && json_count(contexts) == 1) {
        out->context = text_of(r, json_first(contexts), "name");
    }
    if (str_is_empty(out->context)) {
        complain(r, ERR_BAD_INPUT, "current-context", "is not set");
        return JSON_NONE;
    }
    json context = find_named(r, contexts, out->context, "context");
    r->section = "context";
    r->section_name = out->context;
    if (!json_is_there(context)) {
        complain(r, ERR_BAD_INPUT, "", "is not in the file");
    }
    return context;
}

/* The named part the context points to: clusters[].cluster or users[].user. */
static json choose_part(struct reading *r, json root, const char *list, const char *part, str name)
{
    if (str_is_empty(name)) {
        complain(r, ERR_BAD_INPUT, part, "is not set");
    }
    json found = find_named(r, json_get(root, list), name, part);
    r->section = part;
    r->section_name = name;
    if (!json_is_there(found)) {
        complain(r, ERR_BAD_INPUT, "", "is named by the context but not in the file");
    }
    return found;
}

enum err kubeconfig_read(json root, str context_name, str dir, struct arena *arena,
                         struct kubeconfig *out, struct buf *why)
{
    struct reading r = {.arena = arena, .why = why, .dir = dir};
    *out = (struct kubeconfig){0};
    if (json_type(root) != JSON_TYPE_OBJECT) {
        complain(&r, ERR_BAD_INPUT, "", "not a kubeconfig (no mapping at the top)");
        return r.err;
    }
    json context = choose_context(&r, root, context_name, out);
    out->cluster = text_of(&r, context, "cluster");
    out->user = text_of(&r, context, "user");
    if (str_is_empty(out->user)) {
        complain(&r, ERR_BAD_INPUT, "user", "is not set");
    }
    read_cluster(&r, choose_part(&r, root, "clusters", "cluster", out->cluster), out);
    read_user(&r, choose_part(&r, root, "users", "user", out->user), out);
    if (arena->has_failed) {
        complain(&r, ERR_FULL, "", "too large");
    }
    return r.err;
}
