/* see serve.h, serve_port.h */
#include "serve/serve_port.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/codec.h"
#include "data/json_write.h"
#include "serve/attach.h"
#include "serve/exec.h"
#include "serve/logs.h"
#include "serve/metrics.h"
#include "serve/portforward.h"
#include "serve/stats.h"

static const struct route {
    const char *methods, *pattern, *subresource;
    serve_handler *handler;
} routes[] = {
#define ROUTE(methods, pattern, subresource, handler) {methods, pattern, subresource, handler},
#include "serve/routes.def"
#undef ROUTE
};

#define ROUTES_COUNT (sizeof routes / sizeof routes[0])

/* ---- the route ------------------------------------------------------------------------------- */

/* Where a part of the pattern goes; NULL: it must be there literally. */
static str *place_of(str part, struct serve_target *target)
{
    if (str_eq(part, S("{namespace}"))) {
        return &target->name_space;
    }
    if (str_eq(part, S("{pod}"))) {
        return &target->pod;
    }
    if (str_eq(part, S("{uid}"))) {
        return &target->uid;
    }
    return str_eq(part, S("{container}")) ? &target->container : NULL;
}

/* The first part of a path and the rest after its slash. */
static str cut_part(str *rest)
{
    str part = *rest;
    if (!str_cut(rest, '/', &part)) {
        part = *rest;
        *rest = STR_NONE;
    }
    return part;
}

/* Parts are as they came, still percent-encoded. */
static bool matches(const char *pattern, str path, struct serve_target *target)
{
    str want = str_of(pattern);
    *target = (struct serve_target){.uid = STR_NONE};
    bool is_same_slash = str_ends(want, S("/")) == str_ends(path, S("/"));
    while (!str_is_empty(want) && !str_is_empty(path)) {
        str part = cut_part(&want), got = cut_part(&path);
        str *place = place_of(part, target);
        if (place != NULL ? str_is_empty(got) : !str_eq(part, got)) {
            return false;
        }
        if (place != NULL) {
            *place = got;
        }
    }
    return is_same_slash && str_is_empty(want) && str_is_empty(path);
}

/* The row of a path. *is_method: and it takes this method. */
static const struct route *route_of(const struct http_exchange *exchange,
                                    struct serve_target *target, bool *is_method)
{
    for (size_t i = 0; i < ROUTES_COUNT; i++) {
        if (matches(routes[i].pattern, exchange->path, target)) {
            str rest = str_of(routes[i].methods);
            *is_method = false;
            for (str method; !str_is_empty(rest);) {
                method = rest;
                if (!str_cut(&rest, ' ', &method)) {
                    method = rest;
                    rest = STR_NONE;
                }
                *is_method = *is_method || str_eq(method, exchange->method);
            }
            return &routes[i];
        }
    }
    return NULL;
}

/* Decoded in place of what came. False: malformed, or no memory. */
static bool decode(struct arena *arena, str *text, bool plus_is_space)
{
    struct buf out;
    char *memory = arena_take(arena, text->bytes + 1);
    if (memory == NULL) {
        return false;
    }
    buf_init(&out, memory, text->bytes + 1);
    if (codec_get_percent(&out, *text, plus_is_space) != ERR_OK || !buf_ok(&out)) {
        return false;
    }
    *text = buf_str(&out);
    return true;
}

static bool decode_target(struct arena *arena, struct serve_target *target)
{
    return decode(arena, &target->name_space, false) && decode(arena, &target->pod, false) &&
           decode(arena, &target->uid, false) && decode(arena, &target->container, false);
}

void serve_allowed(struct serve *serve, struct http_exchange *exchange,
                   const struct serve_caller *caller)
{
    struct serve_target target;
    bool is_method;
    const struct route *route = route_of(exchange, &target, &is_method);
    size_t mark = arena_mark(serve->world.arena);
    if (route == NULL) {
        serve_refuse(exchange, 404, NULL, "the kubelet port of a virtual node has no such path");
    } else if (!is_method) {
        serve_refuse(exchange, 405, NULL, "this path takes %s", route->methods);
    } else if (!decode_target(serve->world.arena, &target)) {
        serve_refuse(exchange, 400, NULL, "the path is malformed");
    } else {
        target.user = str_of(caller->user);
        route->handler(serve, exchange, &target);
    }
    arena_rewind(serve->world.arena, mark);
}

void serve_healthz(struct serve *serve, struct http_exchange *exchange,
                   const struct serve_target *target)
{
    (void)serve;
    (void)target;
    http_reply(exchange, 200, S("text/plain"), S("ok"));
}

/* ---- for handlers ---------------------------------------------------------------------------- */

const struct serve_world *serve_world(const struct serve *serve)
{
    return &serve->world;
}

bool serve_query_next(const struct http_exchange *exchange, const char *name, size_t *at,
                      str *value)
{
    const struct serve *serve = exchange->owner;
    struct arena *arena = serve->world.arena;
    while (*at < exchange->query.bytes) {
        str rest = str_sub(exchange->query, *at, exchange->query.bytes);
        str pair = rest, key;
        if (str_cut(&rest, '&', &pair)) {
            *at += pair.bytes + 1;
        } else {
            *at = exchange->query.bytes;
        }
        key = pair;
        if (!str_cut(&pair, '=', &key)) {
            key = pair;
            pair = STR_NONE;
        }
        if (decode(arena, &key, true) && str_eq(key, str_of(name)) && decode(arena, &pair, true)) {
            *value = pair;
            return true;
        }
    }
    return false;
}

bool serve_query_get(const struct http_exchange *exchange, const char *name, str *value)
{
    size_t at = 0;
    return serve_query_next(exchange, name, &at, value);
}

bool serve_query_is_true(const struct http_exchange *exchange, const char *name)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    str value;
    if (!serve_query_get(exchange, name, &value)) {
        return false;
    }
    bool is_true = false;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        is_true = is_true || str_eq(value, str_of(yes[i]));
    }
    return is_true;
}

/* apimachinery StatusReason; what has no row is "InternalError". */
static const struct reason_row {
    int status;
    const char *reason;
} reasons[] = {{400, "BadRequest"},        {401, "Unauthorized"},     {403, "Forbidden"},
               {404, "NotFound"},          {405, "MethodNotAllowed"}, {429, "TooManyRequests"},
               {503, "ServiceUnavailable"}};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "InternalError";
}

void serve_refuse(struct http_exchange *exchange, int status, const char *reason,
                  const char *format, ...)
{
    char message[512], memory[2048];
    struct buf out;
    struct json_write w;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    buf_init(&out, memory, sizeof memory);
    json_write_init(&w, &out);
    json_object(&w);
    json_member_text(&w, "kind", S("Status"));
    json_member_text(&w, "apiVersion", S("v1"));
    json_member_object(&w, "metadata");
    json_end(&w);
    json_member_text(&w, "status", S("Failure"));
    json_member_text(&w, "message", str_of(message));
    json_member_text(&w, "reason", str_of(reason != NULL ? reason : reason_of(status)));
    json_member_i64(&w, "code", status);
    json_end(&w);
    http_reply(exchange, status, S("application/json"),
               json_write_ok(&w) ? buf_str(&out) : S("{\"kind\":\"Status\"}"));
}

/* ---- the server ------------------------------------------------------------------------------ */

static void on_request(struct http_exchange *exchange)
{
    struct serve_target target;
    bool is_method;
    const struct route *route = route_of(exchange, &target, &is_method);
    serve_authorize(exchange->owner, exchange, route != NULL ? route->subresource : "proxy");
}

static const struct http_server_handlers *handlers_of(struct http_exchange *exchange)
{
    const struct serve_session *session = exchange->state;
    return session != NULL ? session->handlers : NULL;
}

static void on_room(struct http_exchange *exchange)
{
    const struct http_server_handlers *handlers = handlers_of(exchange);
    if (handlers != NULL && handlers->on_room != NULL) {
        handlers->on_room(exchange);
    }
}

static void on_data(struct http_exchange *exchange)
{
    const struct http_server_handlers *handlers = handlers_of(exchange);
    if (handlers != NULL && handlers->on_data != NULL) {
        handlers->on_data(exchange);
    }
}

static void on_gone(struct http_exchange *exchange)
{
    const struct http_server_handlers *handlers = handlers_of(exchange);
    if (handlers != NULL && handlers->on_gone != NULL) {
        handlers->on_gone(exchange);
    }
}

static const struct http_server_handlers handlers = {
    .on_request = on_request, .on_room = on_room, .on_data = on_data, .on_gone = on_gone};

void serve_init(struct serve *serve, struct region *region, const struct serve_config *config)
{
    serve->world = config->world;
    pool_init(&serve->pending, region, "kubelet port: callers", SERVE_PENDING_MAX,
              sizeof(struct serve_pending));
    serve->tokens =
        region_carve(region, "kubelet port: tokens", SERVE_TOKENS_MAX, sizeof(struct serve_token));
    serve->grants =
        region_carve(region, "kubelet port: grants", SERVE_GRANTS_MAX, sizeof(struct serve_grant));
    const struct http_server_config server = {
        .name = "kubelet port",
        .address = config->address,
        .identity = config->identity,
        .clients = config->clients,
        .conns_max = SERVE_CONNS,
        .conns_per_peer_max = SERVE_CONNS_PER_PEER,
        .body_bytes_max = SERVE_BODY_BYTES,
        .bodies_max = SERVE_BODIES,
        .handlers = &handlers,
        .owner = serve,
    };
    http_server_init(&serve->server, config->world.loop, region, &server);
}

enum err serve_start(struct serve *serve, uint8_t family)
{
    serve->server.config.address.family = family;
    return http_server_start(&serve->server, NULL);
}

void serve_stop(struct serve *serve)
{
    http_server_stop(&serve->server);
}
