/* service_env.c - see service_env.h */
#include "spec/service_env.h"

#include "spec/expand.h"

#define VARIABLES_PER_SERVICE 3 /* ..._SERVICE_HOST, ..._SERVICE_PORT, ..._PORT */
#define VARIABLES_PER_PORT 5    /* ..._SERVICE_PORT_NAME and four of Docker's */

struct services {
    struct arena *arena;
    struct spec_env *env;
    uint32_t count;
    uint32_t most;
};

/* One Service, or each item of a list, to `use`. */
static void each_service(json object, void (*use)(struct services *to, json service),
                         struct services *to);
static void count_service(struct services *to, json service);
static void add_service(struct services *to, json service);
static const struct spec_ref *readable(struct spec_read *read, str name_space, str name);

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
    const struct spec_ref *own =
        is_linked ? readable(read, read->pod->facts.name_space, STR_NONE) : NULL;
    const struct spec_ref *master = readable(read, S("default"), S("kubernetes"));
    each_service(master != NULL ? master->object : JSON_NONE, count_service, &to);
    each_service(own != NULL ? own->object : JSON_NONE, count_service, &to);
    if (to.most * (uint64_t)containers_count > SERVICE_ENV_MAX) {
        verdict_warn(read->verdict, S("spec.enableServiceLinks"),
                     "the services of the namespace make %u variables in each of %u containers; "
                     "above %u together they are left out",
                     to.most, containers_count, SERVICE_ENV_MAX);
        return;
    }
    to.env = to.most > 0 ? ARENA_ARRAY(read->arena, to.most, struct spec_env) : NULL;
    if (to.env != NULL) { /* the pod's namespace comes last and wins */
        each_service(master != NULL ? master->object : JSON_NONE, add_service, &to);
        each_service(own != NULL ? own->object : JSON_NONE, add_service, &to);
        read->services = to.env;
        read->services_count = to.count;
    }
}

/* NULL when there is none, or it may not or could not be read: creation does not hang on it. */
static const struct spec_ref *readable(struct spec_read *read, str name_space, str name)
{
    const struct spec_ref *ref = spec_refs_find(read->refs, SPEC_REF_SERVICES, name_space, name);

    if (ref != NULL && ref->state == SPEC_REF_FAILED) {
        verdict_refuse(read->verdict, SPEC_WAIT, S("spec.enableServiceLinks"),
                       "the services cannot be read: %.*s", STR_ARG(ref->why));
    } else if (ref != NULL && ref->state == SPEC_REF_DENIED) {
        verdict_warn(read->verdict, S("spec.enableServiceLinks"),
                     "the variables of services are left out, they may not be read: %.*s",
                     STR_ARG(ref->why));
    }
    return ref != NULL && ref->state == SPEC_REF_FOUND ? ref : NULL;
}

static void each_service(json object, void (*use)(struct services *to, json service),
                         struct services *to)
{
    json items = json_get(object, "items");

    if (json_type(items) != JSON_TYPE_ARRAY) {
        use(to, object);
        return;
    }
    for (json one = json_first(items); json_is_there(one); one = json_next(one)) {
        use(to, one);
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
        to->most += VARIABLES_PER_SERVICE +
                    VARIABLES_PER_PORT * json_count(json_get(json_get(service, "spec"), "ports"));
    }
}

static void add(struct services *to, str name, str value)
{
    const struct spec_env variable = {.name = name, .value = value};
    const struct spec_env *same = expand_find(to->env, to->count, name);

    if (same != NULL) {
        to->env[same - to->env] = variable;
    } else if (to->count < to->most) {
        to->env[to->count++] = variable;
    }
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
