/*
 * serve_fakes.h - the seams below the handlers of routes, played by the test: a loop with virtual
 * time, a cloud that answers when the test says so, peers that take as much as the test allows.
 * They take the place of os/loop.c, eci/eci_call.c, net/http_server and serve/serve.c at link time.
 */
#ifndef ECILET_TEST_SERVE_FAKES_H
#define ECILET_TEST_SERVE_FAKES_H

#include <stdlib.h>

#include "base/codec.h"
#include "serve/serve.h"
#include "unit.h"

/* ---- loop ------------------------------------------------------------------------------------ */

#define FAKE_TIMERS_MAX 16
static struct loop fake_loop;
static struct {
    struct loop_timer *timer;
    msec at_ms;
} fake_timers[FAKE_TIMERS_MAX];

void loop_timer_init(struct loop_timer *timer, loop_due *on_due, void *owner)
{
    *timer = (struct loop_timer){.on_due = on_due, .owner = owner};
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    for (int i = 0; i < FAKE_TIMERS_MAX; i++) {
        if (fake_timers[i].timer == timer) {
            fake_timers[i].timer = NULL;
        }
    }
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, msec at_ms)
{
    loop_timer_clear(loop, timer);
    for (int i = 0; i < FAKE_TIMERS_MAX; i++) {
        if (fake_timers[i].timer == NULL) {
            fake_timers[i].timer = timer;
            fake_timers[i].at_ms = at_ms;
            return;
        }
    }
    fail_msg("too many timers");
}

/* Runs what is due now. */
__attribute__((unused)) static void fake_turn(void)
{
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < FAKE_TIMERS_MAX; i++) {
            struct loop_timer *timer = fake_timers[i].timer;
            if (timer != NULL && fake_timers[i].at_ms <= fake_loop.now_ms) {
                fake_timers[i].timer = NULL;
                timer->on_due(timer);
            }
        }
    }
}

/* ---- cloud ----------------------------------------------------------------------------------- */

#define FAKE_CALLS_MAX 64
struct fake_call {
    bool is_open;
    enum eci_action action;
    eci_call_done *on_done;
    void *owner;
    handle subject;
    char asked[4096]; /* "Name=value\n" */
};
static struct fake_call fake_calls[FAKE_CALLS_MAX];
static uint32_t fake_calls_count; /* ever */
static uint32_t fake_cancelled;
static struct eci_client fake_cloud;
static bool fake_has_room = true;
static int64_t fake_unix_ms = 1704164645000; /* 2024-01-02T03:04:05Z */
static enum err fake_start_err;

int64_t eci_client_unix_ms(const struct eci_client *client)
{
    (void)client;
    return fake_unix_ms;
}

bool eci_client_has_room(const struct eci_client *client, enum eci_action action)
{
    (void)client;
    (void)action;
    return fake_has_room;
}

enum err eci_call_start(struct eci_client *client, const struct eci_want *want, handle *out)
{
    (void)client;
    if (fake_start_err != ERR_OK) {
        return fake_start_err;
    }
    uint32_t at = fake_calls_count++ % FAKE_CALLS_MAX;
    struct fake_call *call = &fake_calls[at];
    assert_false(call->is_open);
    *call = (struct fake_call){.is_open = true,
                               .action = want->action,
                               .on_done = want->on_done,
                               .owner = want->owner,
                               .subject = want->subject};
    struct buf asked;
    buf_init(&asked, call->asked, sizeof call->asked - 1);
    assert_false(want->params->has_failed);
    for (uint32_t i = 0; i < want->params->count; i++) {
        buf_put_fmt(&asked, "%.*s=%.*s\n", STR_ARG(want->params->items[i].name),
                    STR_ARG(want->params->items[i].value));
    }
    assert_true(buf_ok(&asked));
    call->asked[asked.bytes] = '\0';
    if (out != NULL) {
        *out = (handle){at + 1, 1};
    }
    return ERR_OK;
}

void eci_call_cancel(struct eci_client *client, handle call)
{
    (void)client;
    if (!handle_is_none(call) && fake_calls[call.slot - 1].is_open) {
        fake_calls[call.slot - 1].is_open = false;
        fake_cancelled++;
    }
}

/* The oldest open call of an action, or NULL. */
__attribute__((unused)) static struct fake_call *fake_open(enum eci_action action)
{
    for (uint32_t i = 0; i < FAKE_CALLS_MAX; i++) {
        struct fake_call *call = &fake_calls[(fake_calls_count + i) % FAKE_CALLS_MAX];
        if (call->is_open && call->action == action) {
            return call;
        }
    }
    return NULL;
}

__attribute__((unused)) static const char *fake_asked(const struct fake_call *call,
                                                      const char *name)
{
    static char value[1024];
    char key[128];
    (void)snprintf(key, sizeof key, "%s=", name);
    const char *at = strstr(call->asked, key);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(key);
    (void)snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\n"), at);
    return value;
}

static struct arena fake_arena;

__attribute__((unused)) static void fake_answer(struct fake_call *call, enum err err,
                                                const char *json_text_, const char *why)
{
    assert_non_null(call);
    call->is_open = false;
    struct eci_reply reply = {.action = call->action,
                              .subject = call->subject,
                              .arena = &fake_arena,
                              .why = str_of(why),
                              .root = JSON_NONE};
    size_t mark = arena_mark(&fake_arena);
    if (json_text_ != NULL) {
        assert_int_equal(json_parse(str_of(json_text_), &fake_arena, &reply.root, NULL), ERR_OK);
    }
    call->on_done(call->owner, err, &reply);
    arena_rewind(&fake_arena, mark);
}

/* ---- peers ----------------------------------------------------------------------------------- */

#define FAKE_PEER_BYTES (3 * 1024 * 1024)
struct fake_peer {
    struct http_exchange exchange; /* first */
    const char *query_text;
    int status;
    char *got;
    size_t got_bytes;
    size_t room; /* bytes it takes before it is full */
    bool is_open, is_ended, is_gone, is_full;
};

static struct fake_peer *fake_peer_of(struct http_exchange *exchange)
{
    return (struct fake_peer *)(void *)exchange;
}

__attribute__((unused)) static void fake_put(struct fake_peer *peer, str text)
{
    assert_true(peer->got_bytes + text.bytes < FAKE_PEER_BYTES);
    memcpy(peer->got + peer->got_bytes, text.ptr, text.bytes);
    peer->got_bytes += text.bytes;
    peer->got[peer->got_bytes] = '\0';
}

void http_reply(struct http_exchange *exchange, int status, str type, str body)
{
    struct fake_peer *peer = fake_peer_of(exchange);
    assert_int_equal(peer->status, 0);
    assert_true(type.bytes > 0);
    peer->status = status;
    fake_put(peer, body);
    peer->is_ended = true;
}

void http_reply_begin(struct http_exchange *exchange, int status, str type)
{
    struct fake_peer *peer = fake_peer_of(exchange);
    assert_int_equal(peer->status, 0);
    assert_true(type.bytes > 0);
    peer->status = status;
}

size_t http_reply_put(struct http_exchange *exchange, str text)
{
    struct fake_peer *peer = fake_peer_of(exchange);
    assert_false(peer->is_ended || peer->is_gone);
    size_t bytes = text.bytes < peer->room ? text.bytes : peer->room;
    peer->room -= bytes;
    peer->is_full = bytes < text.bytes;
    fake_put(peer, str_sub(text, 0, bytes));
    return bytes;
}

void http_reply_end(struct http_exchange *exchange)
{
    assert_false(fake_peer_of(exchange)->is_ended);
    fake_peer_of(exchange)->is_ended = true;
}

__attribute__((unused)) static void fake_gone(struct fake_peer *peer)
{
    struct serve_session *session = peer->exchange.state;
    peer->is_gone = true;
    if (session != NULL) {
        session->handlers->on_gone(&peer->exchange);
    }
}

/* More room for a peer; it is told when it was full. */
__attribute__((unused)) static void fake_give_room(struct fake_peer *peer, size_t bytes)
{
    struct serve_session *session = peer->exchange.state;
    peer->room += bytes;
    if (peer->is_full && session != NULL) {
        peer->is_full = false;
        session->handlers->on_room(&peer->exchange);
    }
}

__attribute__((unused)) static struct fake_peer *fake_peer(const char *query)
{
    struct fake_peer *peer = calloc(1, sizeof *peer);
    peer->got = calloc(1, FAKE_PEER_BYTES);
    peer->query_text = query;
    peer->room = SIZE_MAX / 2;
    peer->exchange.query = str_of(query);
    return peer;
}

__attribute__((unused)) static void fake_peer_free(struct fake_peer *peer)
{
    if (!peer->is_gone) {
        fake_gone(peer);
    }
    free(peer->got);
    free(peer);
}

/* ---- world ----------------------------------------------------------------------------------- */

static struct serve_world fake_world;

const struct serve_world *serve_world(const struct serve *serve)
{
    (void)serve;
    return &fake_world;
}

bool serve_query_get(const struct http_exchange *exchange, const char *name, str *value)
{
    str rest = exchange->query, piece;
    while (str_cut(&rest, '&', &piece)) {
        ptrdiff_t equals = str_find_char(piece, '=');
        if (equals >= 0 && str_eq(str_sub(piece, 0, (size_t)equals), str_of(name))) {
            *value = str_sub(piece, (size_t)equals + 1, SIZE_MAX);
            return true;
        }
    }
    return false;
}

bool serve_query_is_true(const struct http_exchange *exchange, const char *name)
{
    str value;
    return serve_query_get(exchange, name, &value) && str_eq(value, S("true"));
}

__attribute__((unused)) static void fake_start(void)
{
    static char memory[8 * 1024 * 1024];
    arena_init(&fake_arena, memory, sizeof memory);
    memset(fake_timers, 0, sizeof fake_timers);
    memset(fake_calls, 0, sizeof fake_calls);
    fake_calls_count = fake_cancelled = 0;
    fake_has_room = true;
    fake_start_err = ERR_OK;
    fake_loop.now_ms = 1000000;
    fake_world.loop = &fake_loop;
    fake_world.arena = &fake_arena;
    fake_world.cloud = &fake_cloud;
    fake_world.node_name = S("virtual-kubelet");
}

#endif
