/* network_read.c - see network_read.h */
#include "spec/network_read.h"

#include "base/codec.h"
#include "spec/annotation.h"
#include "spec/pod_fields.h"
#include "spec/pod_to_eci.h"
#include "spec/ref_read.h"

#define DNS_SERVERS_MAX 3 /* Kubernetes' own limits */
#define DNS_SEARCHES_MAX 32
#define HOST_BYTES_SHOWN 100
#define LOGINS_READ_MAX (ECI_LOGINS_MAX + 1) /* one more, to know that there are too many */

static void read_options(struct spec_read *read, json config, str path);
static void read_pull_secret(struct spec_read *read, json reference, str path,
                             struct spec_login *logins);
static void read_registries(struct spec_read *read, json registries, str path,
                            struct spec_login *logins);
static bool read_login(struct spec_read *read, json entry, struct spec_login *out);

/* eci-custom-dnsconfig counts instead of what the spec says. */
static bool is_overridden(const struct spec_read *read)
{
    const char *key = annotation_row(ANNOTATION_CUSTOM_DNS)->key;
    json own = json_get(read->pod->annotations, key);

    if (json_is_there(own)) {
        return !str_is_empty(str_trim(json_text(own, read->arena)));
    }
    for (uint32_t i = 0; i < read->config->effects_count; i++) {
        if (annotation_find(read->config->effects[i].key) == ANNOTATION_CUSTOM_DNS) {
            return !str_is_empty(str_trim(read->config->effects[i].value));
        }
    }
    return false;
}

void dns_read(struct spec_read *read, json spec)
{
    static const char *const policies[] = {"", "ClusterFirst", "ClusterFirstWithHostNet", "Default",
                                           "None"};
    struct spec_dns *dns = &read->pod->dns;
    json config = json_get(spec, "dnsConfig");
    str path = S("spec.dnsConfig"), policy = spec_read_text(read, spec, "dnsPolicy", S("spec"));
    bool is_known = false;

    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        is_known |= str_eq(policy, str_of(policies[i]));
    }
    if (!is_known) {
        verdict_refuse(read->verdict, SPEC_NEVER, S("spec.dnsPolicy"),
                       "must be ClusterFirst, Default or None");
    }
    read->pod->has_own_dns = str_eq(policy, S("None"));
    fields_check(FIELD_SCOPE_DNS, config, path, read->verdict);
    dns->servers = spec_read_texts(read, config, "nameservers", path, &dns->servers_count);
    dns->searches = spec_read_texts(read, config, "searches", path, &dns->searches_count);
    read_options(read, config, path);
    if (is_overridden(read)) {
        return;
    }
    if (dns->servers_count > DNS_SERVERS_MAX || dns->searches_count > DNS_SEARCHES_MAX) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "%u servers and %u search domains; there may be %u and %u",
                       dns->servers_count, dns->searches_count, DNS_SERVERS_MAX, DNS_SEARCHES_MAX);
    }
    if (read->pod->has_own_dns) {
        if (dns->servers_count == 0) {
            verdict_refuse(read->verdict, SPEC_NEVER, path,
                           "dnsPolicy None needs at least one of its nameservers");
        }
        return;
    }
    if (dns->servers_count + dns->searches_count > 0) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "the cloud takes resolver settings only with dnsPolicy None");
    } else if (dns->options_count > 0) {
        verdict_warn(read->verdict, path,
                     "its options are left out: the cloud takes them only with dnsPolicy None");
    }
}

static void read_options(struct spec_read *read, json config, str path)
{
    struct spec_dns *dns = &read->pod->dns;

    dns->options = spec_read_settings(read, config, "options", path, FIELD_SCOPE_DNS_OPTION,
                                      &dns->options_count);
    for (uint32_t at = 0; at < dns->options_count; at++) {
        if (str_is_empty(dns->options[at].name)) {
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_at(read, path, "options", at),
                           "an option needs a name");
        }
    }
}

void logins_read(struct spec_read *read, json spec)
{
    json list = spec_read_list(read, spec, "imagePullSecrets", S("spec"));
    uint32_t at = 0;
    struct spec_login *logins =
        json_count(list) > 0 ? ARENA_ARRAY(read->arena, LOGINS_READ_MAX, struct spec_login) : NULL;

    for (json one = json_first(list); logins != NULL && json_is_there(one);
         one = json_next(one), at++) {
        read_pull_secret(read, one, spec_path_at(read, S("spec"), "imagePullSecrets", at), logins);
    }
    read->pod->logins = logins;
    if (read->pod->logins_count > ECI_LOGINS_MAX) {
        verdict_refuse(read->verdict, SPEC_NEVER, S("spec.imagePullSecrets"),
                       "more than %u registries; an instance knows at most that many",
                       ECI_LOGINS_MAX);
    }
}

static void read_pull_secret(struct spec_read *read, json reference, str path,
                             struct spec_login *logins)
{
    const struct ref_use use = {
        .kind = SPEC_REF_SECRET,
        .name_space = read->pod->facts.name_space,
        .name = spec_read_text(read, reference, "name", path),
        .path = path,
    };
    const struct spec_ref *ref =
        spec_refs_find(read->refs, SPEC_REF_SECRET, use.name_space, use.name);
    json config = JSON_NONE;
    str text = STR_NONE;

    fields_check(FIELD_SCOPE_PULL_SECRET, reference, path, read->verdict);
    if (str_is_empty(use.name)) {
        return; /* Kubernetes allows it, it names nothing */
    }
    if (ref != NULL && ref->state == SPEC_REF_ABSENT) {
        verdict_warn_as(read->verdict, "FailedToRetrieveImagePullSecret", path,
                        "there is no Secret %.*s/%.*s; images are pulled without it",
                        STR_ARG(use.name_space), STR_ARG(use.name));
        return;
    }
    json data = json_get(ref_object(read, &use), "data");
    if (!json_is_there(data)) {
        return;
    }
    json whole = json_get(data, ".dockerconfigjson"), old = json_get(data, ".dockercfg");
    bool is_json = json_is_there(whole);
    text = json_text(is_json ? whole : old, read->arena);
    if (!ref_decode(read, path, text, &text)) {
        return;
    }
    if (json_parse(text, read->arena, &config, NULL) != ERR_OK) {
        verdict_warn(read->verdict, path,
                     "the Secret has no .dockerconfigjson or .dockercfg that is JSON; images are "
                     "pulled without it");
        return;
    }
    read_registries(read, is_json ? json_get(config, "auths") : config, path, logins);
}

/* "https://index.docker.io/v1/" is the host index.docker.io. */
static str host_of(str registry)
{
    ptrdiff_t scheme = str_find(registry, S("://"));
    str rest = scheme < 0 ? registry : str_sub(registry, (size_t)scheme + 3, registry.bytes);
    ptrdiff_t slash = str_find_char(rest, '/');

    return slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
}

static const struct spec_login *find_login(const struct spec_login *logins, uint32_t count,
                                           str host)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(logins[i].server, host)) {
            return &logins[i];
        }
    }
    return NULL;
}

static bool is_same_login(const struct spec_login *a, const struct spec_login *b)
{
    return str_eq(a->user, b->user) && str_eq(a->password, b->password);
}

static void read_registries(struct spec_read *read, json registries, str path,
                            struct spec_login *logins)
{
    uint32_t *count = &read->pod->logins_count;

    for (json one = json_first(registries); json_is_there(one) && *count < LOGINS_READ_MAX;
         one = json_next(one)) {
        struct spec_login login = {.server = host_of(json_key(one, read->arena))};
        const struct spec_login *known = find_login(logins, *count, login.server);

        if (str_is_empty(login.server) || !read_login(read, one, &login)) {
            verdict_warn(read->verdict, path,
                         "an entry without a user's name and password is left out");
        } else if (known == NULL) {
            logins[(*count)++] = login;
        } else if (!is_same_login(known, &login)) {
            verdict_warn(read->verdict, path,
                         "another login for %.*s is left out: an instance knows one for each host",
                         STR_ARG(str_sub(login.server, 0, HOST_BYTES_SHOWN)));
        }
    }
}

/* username and password, else auth: base64 of "username:password". */
static bool read_login(struct spec_read *read, json entry, struct spec_login *out)
{
    str both = json_text(json_get(entry, "auth"), read->arena);
    struct buf text;
    size_t bytes = 0;

    out->user = json_text(json_get(entry, "username"), read->arena);
    out->password = json_text(json_get(entry, "password"), read->arena);
    if (!str_is_empty(out->user) && !str_is_empty(out->password)) {
        return true;
    }
    char *room = arena_rest(read->arena, &bytes);
    buf_init(&text, room, bytes);
    if (codec_get_base64(&text, both) != ERR_OK) {
        read->arena->has_failed |= text.is_full;
        return false;
    }
    arena_keep(read->arena, text.bytes);
    both = buf_str(&text);
    ptrdiff_t colon = str_find_char(both, ':');
    out->user = colon < 0 ? STR_NONE : str_sub(both, 0, (size_t)colon);
    out->password = colon < 0 ? STR_NONE : str_sub(both, (size_t)colon + 1, both.bytes);
    return !str_is_empty(out->user) && !str_is_empty(out->password);
}
