/* service_env.c - see service_env.h */
#include "spec/service_env.h"

#include "base/check.h"

#define VARIABLES_PER_PORT 5 /* ..._SERVICE_PORT_NAME and four of Docker's */

struct services {
    struct arena *arena;
    json lists[SPEC_SERVICES_PAGES_MAX + 1]; /* a Service or a page each; later ones win */
    uint32_t lists_count;
    uint32_t master_count; /* of them: of the namespace default, first */
    bool is_cut;           /* the last page is not the end */
    struct spec_env *env;
    uint32_t count;
    uint32_t most;
};

static void take_lists(struct services *to, struct spec_read *read, bool is_linked);
static void each_service(struct services *to, void (*use)(struct services *to, json service));
static void count_service(struct services *to, json service);
static void add_service(struct services *to, json service);
static bool fits(const struct services *to, struct spec_read *read, uint32_t containers_count);

void service_env_read(struct spec_read *read, json spec, uint32_t containers_count)
{
    bool is_linked = true;
    json links = json_get(spec, "enableServiceLinks");
    struct services to = {.arena = read->arena};

    if (json_is_there(links) && !json_bool(links, &is_linked)) {
        verdict_refuse(read->verdict, SPEC_NEVER, S("spec.enableServiceLinks"),
                       "must be true or false");
        return;
    }
    take_lists(&to, read, is_linked);
    each_service(&to, count_service);
    if (!fits(&to, read, containers_count)) {
        to.lists_count = to.master_count;
        to.most = 0;
        each_service(&to, count_service);
    }
    to.env = to.most > 0 ? ARENA_ARRAY(read->arena, to.most, struct spec_env) : NULL;
    if (to.env != NULL) {
        each_service(&to, add_service);
        read->services = to.env;
        read->services_count = to.count;
    }
}

static bool fits(const struct services *to, struct spec_read *read, uint32_t containers_count)
{
    if (to->most * (uint64_t)containers_count > SERVICE_ENV_MAX) {
        verdict_warn(read->verdict, S("spec.enableServiceLinks"),
                     "the services of the namespace make %s%u variables in each of %u containers; "
                     "above %u together they are left out",
                     to->is_cut ? "more than " : "", to->most, containers_count, SERVICE_ENV_MAX);
        return false;
    }
    if (to->is_cut) {
        verdict_warn(read->verdict, S("spec.enableServiceLinks"),
                     "the variables of services are left out: the namespace has more services than "
                     "can be read");
        return false;
    }
    return true;
}

/* False when there is none, or it may not or could not be read: creation does not hang on it. */
static bool is_readable(struct spec_read *read, const struct spec_ref *ref)
{
    if (ref->state == SPEC_REF_FAILED) {
        verdict_refuse(read->verdict, SPEC_WAIT, S("spec.enableServiceLinks"),
                       "the services cannot be read: %.*s", STR_ARG(ref->why));
    } else if (ref->state == SPEC_REF_DENIED) {
        verdict_warn(read->verdict, S("spec.enableServiceLinks"),
                     "the variables of services are left out, they cannot be read: %.*s",
                     STR_ARG(ref->why));
    }
    return ref->state == SPEC_REF_FOUND;
}

/* "kubernetes" first, so that the pod's namespace wins; of a list all pages or none. */
static void take_lists(struct services *to, struct spec_read *read, bool is_linked)
{
    const struct spec_ref *master =
        spec_refs_find(read->refs, SPEC_REF_SERVICES, S("default"), S("kubernetes"));
    uint32_t count = is_linked && read->refs != NULL ? read->refs->count : 0;

    if (master != NULL && is_readable(read, master)) {
        to->lists[to->lists_count++] = master->object;
    }
    to->master_count = to->lists_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct spec_ref *page = &read->refs->items[i];

        if (page->kind != SPEC_REF_SERVICES || !str_is_empty(page->name)) {
            continue;
        }
        if (!is_readable(read, page)) {
            to->lists_count = to->master_count;
            to->is_cut = false;
            return;
        }
        CHECK(to->lists_count < SPEC_SERVICES_PAGES_MAX + 1); /* spec_refs_collect() */
        to->lists[to->lists_count++] = page->object;
        to->is_cut = !str_is_empty(service_env_next(page, read->arena));
    }
}

str service_env_next(const struct spec_ref *page, struct arena *arena)
{
    return json_text(json_get(json_get(page->object, "metadata"), "continue"), arena);
}

static void each_service(struct services *to, void (*use)(struct services *to, json service))
{
    for (uint32_t i = 0; i < to->lists_count; i++) {
        json items = json_get(to->lists[i], "items");

        if (json_type(items) != JSON_TYPE_ARRAY) {
            use(to, to->lists[i]);
            continue;
        }
        for (json one = json_first(items); json_is_there(one); one = json_next(one)) {
            use(to, one);
        }
    }
}

static bool has_address(json service)
{
    json address = json_get(json_get(service, "spec"), "clusterIP");

    return json_type(address) == JSON_TYPE_STRING && !json_text_is(address, "") &&
           !json_text_is(address, "None");
}

static void count_service(struct services *to, json service)
{
    if (has_address(service)) {
        to->most += SERVICE_ENV_EACH_MIN +
                    VARIABLES_PER_PORT * json_count(json_get(json_get(service, "spec"), "ports"));
    }
}

static void add(struct services *to, str name, str value)
{
    CHECK(to->count < to->most); /* count_service() */
    to->env[to->count++] = (struct spec_env){.name = name, .value = value};
}

/* makeEnvVariableName, or with `is_upper` false strings.ToLower. */
static str in_case(struct arena *arena, str text, bool is_upper)
{
    char *made = arena_take(arena, text.bytes);

    for (size_t i = 0; made != NULL && i < text.bytes; i++) {
        char c = text.ptr[i];
        bool is_lower_letter = c >= 'a' && c <= 'z', is_upper_letter = c >= 'A' && c <= 'Z';
        if (is_upper) {
            made[i] = is_lower_letter ? (char)(c - 'a' + 'A') : c == '-' ? '_' : c;
        } else {
            made[i] = is_upper_letter ? (char)(c - 'A' + 'a') : c;
        }
    }
    return made != NULL ? str_make(made, text.bytes) : STR_NONE;
}

static void add_port(struct services *to, str name, str address, json port, bool is_first)
{
    struct arena *arena = to->arena;
    str port_name = in_case(arena, json_text(json_get(port, "name"), arena), true);
    str protocol = json_text(json_get(port, "protocol"), arena);
    long long number = (long long)json_i64_or(json_get(port, "port"), 0);
    str digits = arena_fmt(arena, "%lld", number);
    bool is_v6 = str_find_char(address, ':') >= 0;

    protocol = str_is_empty(protocol) ? S("TCP") : protocol;
    str lower = in_case(arena, protocol, false);
    str url = arena_fmt(arena, is_v6 ? "%.*s://[%.*s]:%lld" : "%.*s://%.*s:%lld", STR_ARG(lower),
                        STR_ARG(address), number);
    str prefix = arena_fmt(arena, "%.*s_PORT_%lld_%.*s", STR_ARG(name), number,
                           STR_ARG(in_case(arena, protocol, true)));
    if (!str_is_empty(port_name)) {
        add(to, arena_fmt(arena, "%.*s_SERVICE_PORT_%.*s", STR_ARG(name), STR_ARG(port_name)),
            digits);
    }
    if (is_first) {
        add(to, arena_fmt(arena, "%.*s_SERVICE_PORT", STR_ARG(name)), digits);
        add(to, arena_fmt(arena, "%.*s_PORT", STR_ARG(name)), url);
    }
    add(to, prefix, url);
    add(to, arena_fmt(arena, "%.*s_PROTO", STR_ARG(prefix)), lower);
    add(to, arena_fmt(arena, "%.*s_PORT", STR_ARG(prefix)), digits);
    add(to, arena_fmt(arena, "%.*s_ADDR", STR_ARG(prefix)), address);
}

static void add_service(struct services *to, json service)
{
    json spec = json_get(service, "spec"), ports = json_get(spec, "ports");
    str name = json_text(json_get(json_get(service, "metadata"), "name"), to->arena);
    str address = json_text(json_get(spec, "clusterIP"), to->arena);

    if (!has_address(service)) {
        return;
    }
    name = in_case(to->arena, name, true);
    add(to, arena_fmt(to->arena, "%.*s_SERVICE_HOST", STR_ARG(name)), address);
    for (json one = json_first(ports); json_is_there(one); one = json_next(one)) {
        add_port(to, name, address, one, one.at == json_first(ports).at);
    }
}

/* A text or number as it is; anything else could be as deep as the list itself. */
static void put_plain(struct json_write *out, const char *key, json value)
{
    bool is_plain = json_type(value) == JSON_TYPE_STRING || json_type(value) == JSON_TYPE_NUMBER;

    json_member_raw(out, key, is_plain ? json_raw(value) : STR_NONE);
}

static void trim_service(json service, struct json_write *out)
{
    json spec = json_get(service, "spec"), ports = json_get(spec, "ports");

    json_object(out);
    json_member_object(out, "metadata");
    put_plain(out, "name", json_get(json_get(service, "metadata"), "name"));
    json_end(out);
    json_member_object(out, "spec");
    put_plain(out, "clusterIP", json_get(spec, "clusterIP"));
    json_member_array(out, "ports");
    for (json one = json_first(ports); json_is_there(one); one = json_next(one)) {
        json_object(out);
        put_plain(out, "name", json_get(one, "name"));
        put_plain(out, "protocol", json_get(one, "protocol"));
        put_plain(out, "port", json_get(one, "port"));
        json_end(out);
    }
    json_end(out);
    json_end(out);
    json_end(out);
}

void service_env_trim(json list, struct json_write *out)
{
    json items = json_get(list, "items");

    json_object(out);
    json_member_object(out, "metadata");
    put_plain(out, "continue", json_get(json_get(list, "metadata"), "continue"));
    json_end(out);
    json_member_array(out, "items");
    for (json one = json_first(items); json_is_there(one); one = json_next(one)) {
        if (has_address(one)) {
            trim_service(one, out);
        }
    }
    json_end(out);
    json_end(out);
}
