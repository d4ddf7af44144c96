/* see control.h */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "fault.h"
#include "gateway.h"
#include "ledger.h"
#include "life.h"
#include "list.h"
#include "runtime.h"
#include "session.h"
#include "settings.h"
#include "sim.h"
#include "stats.h"
#include "stock.h"
#include "token.h"

static struct listener *api_listener;
static struct timer unreachable_timer;
static int64_t unreachable_count;

/* One control request: where it goes and what it says. */
struct order {
    struct exchange *exchange;
    struct node *params; /* query, and members of a JSON object in the body */
    struct jw reply;
    int status;
};

static void refuse(struct order *order, int status, const char *name, const char *problem)
{
    order->status = status;
    buf_clear(&order->reply.out);
    jw_open(&order->reply, '{');
    jw_ktext(&order->reply, "error", problem);
    jw_ktext(&order->reply, "about", name);
    jw_close(&order->reply, '}');
}

static void say_ok(struct order *order)
{
    jw_open(&order->reply, '{');
    jw_kbool(&order->reply, "ok", true);
    jw_close(&order->reply, '}');
}

/* ---- looking --------------------------------------------------------------------------------- */

static void get_health(struct order *order)
{
    say_ok(order);
}

static void get_stats(struct order *order)
{
    struct jw *jw = &order->reply;
    jw_open(jw, '{');
    ledger_write_stats(jw, tree_text(order->params, "tag"));
    stats_write(jw);
    jw_klong(jw, "unreachable_times", unreachable_count);
    jw_close(jw, '}');
}

static void get_groups(struct order *order)
{
    ledger_write(&order->reply, order->params);
}

static void get_settings(struct order *order)
{
    jw_open(&order->reply, '{');
    settings_write(&order->reply);
    jw_close(&order->reply, '}');
}

static void get_faults(struct order *order)
{
    fault_write(&order->reply);
}

/* ---- changing -------------------------------------------------------------------------------- */

static void post_set(struct order *order)
{
    for (const struct node *item = order->params->first; item != NULL; item = item->next) {
        const char *problem = settings_put(item->name, item->value, true);
        if (problem != NULL) {
            refuse(order, 400, item->name, problem);
            return;
        }
        if (strcmp(item->name, "seed") == 0) {
            dice_seed(&sim_dice, (uint64_t)settings.seed);
        }
    }
    say_ok(order);
}

static void post_fault(struct order *order)
{
    long id = 0;
    const char *problem = fault_add(order->params, &id);
    if (problem != NULL) {
        refuse(order, 400, "fault", problem);
        return;
    }
    jw_open(&order->reply, '{');
    jw_klong(&order->reply, "id", id);
    jw_close(&order->reply, '}');
}

static void delete_faults(struct order *order)
{
    long dropped = fault_drop((long)tree_long(order->params, "id", 0));
    jw_open(&order->reply, '{');
    jw_klong(&order->reply, "dropped", dropped);
    jw_close(&order->reply, '}');
}

/* ---- the line -------------------------------------------------------------------------------- */

static void on_try_again(struct timer *timer)
{
    /* The port may be taken by somebody else for a moment. */
    if (!http_relisten(api_listener)) {
        timer_set(timer, 100, on_try_again);
    }
}

static void make_reachable(void)
{
    timer_stop(&unreachable_timer);
    http_hang(api_listener, false);
    on_try_again(&unreachable_timer);
}

static void on_lifted(struct timer *timer)
{
    (void)timer;
    make_reachable();
}

static void post_unreachable(struct order *order)
{
    const char *how = tree_text(order->params, "how");
    double seconds = tree_number(order->params, "seconds", -1);
    if (order->exchange->listener == api_listener) {
        refuse(order, 409, "unreachable", "ask on --control-listen, or nobody could lift it");
        return;
    }
    if (how != NULL && !text_is_any(how, "refuse|hang")) {
        refuse(order, 400, "how", "neither refuse nor hang");
        return;
    }
    make_reachable();
    if (seconds != 0) {
        unreachable_count++;
        if (text_is(how, "hang")) {
            http_hang(api_listener, true);
        } else {
            http_unlisten(api_listener);
            http_reset_all(api_listener);
        }
        if (seconds > 0) {
            timer_set(&unreachable_timer, (int64_t)(1000 * seconds), on_lifted);
        }
    }
    say_ok(order);
}

static void delete_unreachable(struct order *order)
{
    make_reachable();
    say_ok(order);
}

/* ---- single groups --------------------------------------------------------------------------- */

/* "Container.1.Name": "web" */
static void write_flat(struct jw *jw, const struct node *node, const char *path)
{
    for (const struct node *item = node->first; item != NULL; item = item->next) {
        struct buf name = {0};
        buf_fmt(&name, "%s%s%s", path, path[0] == '\0' ? "" : ".", item->name);
        if (item->value != NULL) {
            jw_ktext(jw, buf_string(&name), item->value);
        }
        write_flat(jw, item, buf_string(&name));
        buf_free(&name);
    }
}

/* /_sim/group/ID */
static void get_group(struct order *order)
{
    const char *id = order->exchange->path + strlen("/_sim/group/");
    struct group *group = group_find(id);
    if (group == NULL) {
        refuse(order, 404, id, "no such group");
        return;
    }
    jw_open(&order->reply, '{');
    write_flat(&order->reply, group->params, "");
    jw_close(&order->reply, '}');
}

/* An event lives as long as its group, so do its words. */
static void tell(struct order *order, struct group *group)
{
    static const char *const names[] = {"component", "type", "reason", "message"};
    static const char *const otherwise[] = {"EciService", "Warning", "UnknownError", ""};
    const char *words[4];
    for (size_t at = 0; at < 4; at++) {
        const char *word = tree_text(order->params, names[at]);
        word = word == NULL ? otherwise[at] : word;
        words[at] = arena_copy(&group->arena, word, strlen(word));
    }
    group_event(group, words[0], words[1], words[2], "%s", words[3]);
    say_ok(order);
}

/* /_sim/group/ID/VERB */
static void post_group(struct order *order)
{
    const char *path = order->exchange->path + strlen("/_sim/group/");
    size_t bytes = strcspn(path, "/");
    char *id = arena_copy(&order->exchange->arena, path, bytes);
    const char *verb = path[bytes] == '/' ? path + bytes + 1 : "";
    struct group *group = group_find(id);
    const char *reason = tree_text(order->params, "reason");
    if (group == NULL) {
        refuse(order, 404, id, "no such group");
    } else if (!text_is(verb, "vanish") &&
               (status_is_end(group->status) || group->status == TERMINATING)) {
        refuse(order, 409, id, "the group has ended");
    } else if (text_is(verb, "kill")) {
        bool is_oom = text_is(reason, "OOMKilled");
        life_kill(group, tree_text(order->params, "container"),
                  (int)tree_long(order->params, "exit_code", 137), is_oom ? "OOMKilled" : "Error");
        say_ok(order);
    } else if (text_is(verb, "event")) {
        tell(order, group);
    } else if (text_is(verb, "expire")) {
        life_expire(group);
        say_ok(order);
    } else if (text_is(verb, "fail")) {
        life_fail(group, text_is(reason, "SYSTEM_FAILURE") || reason == NULL ? "SYSTEM_FAILURE"
                                                                             : "StartingFailed");
        say_ok(order);
    } else if (text_is(verb, "vanish")) {
        life_vanish(group);
        say_ok(order);
    } else {
        refuse(order, 404, verb, "no such verb");
    }
}

/* A test that names a cache wants to choose its name. */
static void post_cache(struct order *order)
{
    const char *id = tree_text(order->params, "id");
    if (id == NULL) {
        refuse(order, 400, "id", "missing");
        return;
    }
    cache_put(id);
    say_ok(order);
}

/* ---- starting anew --------------------------------------------------------------------------- */

void control_reset(void)
{
    for (size_t at = 0; at < groups.count; at++) {
        runtime->group_drop(groups.all[at]);
    }
    sessions_reset();
    groups_reset();
    list_reset();
    cache_reset();
    token_reset();
    gateway_reset();
    fault_drop(0);
    stats_reset();
    stock_reset();
    unreachable_count = 0;
    dice_seed(&sim_dice, (uint64_t)settings.seed);
}

static void post_reset(struct order *order)
{
    if (tree_true(order->params, "settings")) {
        settings_restore();
    }
    control_reset();
    make_reachable();
    say_ok(order);
}

/* ---- routes ---------------------------------------------------------------------------------- */

static const struct {
    const char *method;
    const char *path; /* ends with '/': the start of the path */
    void (*serve)(struct order *order);
} routes[] = {
    {"GET", "/_sim/health", get_health},
    {"GET", "/_sim/stats", get_stats},
    {"GET", "/_sim/groups", get_groups},
    {"GET", "/_sim/settings", get_settings},
    {"POST", "/_sim/set", post_set},
    {"GET", "/_sim/fault", get_faults},
    {"POST", "/_sim/fault", post_fault},
    {"DELETE", "/_sim/fault", delete_faults},
    {"POST", "/_sim/unreachable", post_unreachable},
    {"DELETE", "/_sim/unreachable", delete_unreachable},
    {"GET", "/_sim/group/", get_group},
    {"POST", "/_sim/group/", post_group},
    {"POST", "/_sim/cache", post_cache},
    {"POST", "/_sim/reset", post_reset},
};

static void read_query(struct order *order)
{
    struct arena *arena = &order->exchange->arena;
    char *copy = arena_copy(arena, order->exchange->query, strlen(order->exchange->query));
    for (char *rest = NULL, *piece = strtok_r(copy, "&", &rest); piece != NULL;
         piece = strtok_r(NULL, "&", &rest)) {
        char *equals = strchr(piece, '=');
        char *value = equals == NULL ? arena_copy(arena, "true", 4) : equals + 1;
        if (equals != NULL) {
            *equals = '\0';
        }
        percent_decode(piece, strlen(piece));
        percent_decode(value, strlen(value));
        tree_put(arena, order->params, piece, value);
    }
}

static bool read_params(struct order *order)
{
    struct exchange *exchange = order->exchange;
    struct node *body = NULL;
    order->params = tree_new(&exchange->arena);
    if (exchange->body_bytes > 0) {
        body = json_read(&exchange->arena, exchange->body);
        if (body == NULL || body->value != NULL) {
            return false;
        }
        order->params = body;
    }
    read_query(order);
    return true;
}

static void serve(struct order *order)
{
    const char *path = order->exchange->path;
    for (size_t at = 0; at < sizeof routes / sizeof routes[0]; at++) {
        bool is_path = text_ends(routes[at].path, "/") ? text_starts(path, routes[at].path)
                                                       : text_is(path, routes[at].path);
        if (is_path && text_is(order->exchange->method, routes[at].method)) {
            routes[at].serve(order);
            return;
        }
    }
    refuse(order, 404, path, "no such route");
}

void control_start(struct listener *api)
{
    api_listener = api;
}

void control_handle(struct exchange *exchange)
{
    struct order order = {.exchange = exchange, .status = 200};
    if (read_params(&order)) {
        serve(&order);
    } else {
        refuse(&order, 400, "body", "not a JSON object");
    }
    buf_byte(&order.reply.out, '\n');
    http_answer(exchange, order.status, "application/json", order.reply.out.data,
                order.reply.out.used);
    buf_free(&order.reply.out);
}
