/*
 * eci_exec_open.c - from the API call to an open WebSocket, or without one by Sync; see eci_exec.h.
 */
#include "eci/eci_exec_in.h"

#include "base/check.h"
#include "base/codec.h"
#include "os/os.h"

#define CALL_MS 15000
#define SYNC_MS 60000 /* the command runs within this call */

/* ---- without a WebSocket: Sync --------------------------------------------------------------- */

static enum err call(struct eci_exec *exec, bool is_sync, eci_call_done *on_done)
{
    struct params params;
    size_t mark = arena_mark(exec->config->arena);
    enum err err = params_init(&params, exec->config->arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupId"), str_of(exec->group_id));
        params_add(&params, S("ContainerName"), str_of(exec->container));
        params_add(&params, S("Command"), str_of(exec->command));
        params_add_bool(&params, S("Stdin"), exec->has_stdin);
        params_add_bool(&params, S("TTY"), exec->has_tty);
        if (is_sync) {
            params_add_bool(&params, S("Sync"), true);
        }
        const struct eci_want want = {.action = ECI_EXEC,
                                      .params = &params,
                                      .deadline_ms = is_sync ? SYNC_MS : CALL_MS,
                                      .on_done = on_done,
                                      .owner = exec};
        err =
            params.has_failed ? ERR_FULL : eci_call_start(exec->config->cloud, &want, &exec->call);
    }
    arena_rewind(exec->config->arena, mark);
    return err;
}

/* There is no second chance for what is not welcome at once; a reply is small (64 KB). */
static void on_synced(void *owner, enum err err, const struct eci_reply *reply)
{
    struct eci_exec *exec = owner;
    exec->call = HANDLE_NONE;
    if (err != ERR_OK) {
        eci_exec_set_off(exec, err, "ExecContainerCommand: %.*s", STR_ARG(reply->why));
        return;
    }
    str text = json_text(json_get_nocase(reply->root, "SyncResponse"), reply->arena);
    size_t room = exec->config->handlers->output_room(exec);
    exec->config->handlers->on_output(exec, CHANNEL_STDOUT, str_sub(text, 0, room));
    const struct eci_exec_end end = {
        .err = room < text.bytes ? ERR_TOO_BIG : ERR_OK,
        .message = room < text.bytes ? S("the output is too long without a WebSocket") : STR_NONE};
    eci_exec_finish(exec, &end);
}

void eci_exec_unreachable(struct eci_exec *exec, enum err err, const char *what)
{
    if (exec->has_stdin || exec->has_tty) {
        eci_exec_set_off(exec, err, "the cloud's terminal %s: %s", exec->resolve.host, what);
        return;
    }
    link_close(&exec->link, false);
    if (call(exec, true, on_synced) != ERR_OK) {
        eci_exec_set_off(exec, err, "the cloud's terminal %s: %s", exec->resolve.host, what);
        return;
    }
    eci_exec_enter(exec, ECI_EXEC_SYNC);
}

/* ---- the API call and its URI ---------------------------------------------------------------- */

/* ws[s]://host[:port]/path?query; false when it is none. */
static bool take_uri(struct eci_exec *exec, str uri, resolve_done *on_resolved)
{
    if (!str_copy(exec->uri, sizeof exec->uri, uri)) {
        return false;
    }
    str rest = str_of(exec->uri);
    exec->is_tls = str_starts(rest, S("wss://"));
    if (!exec->is_tls && !str_starts(rest, S("ws://"))) {
        return false;
    }
    rest = str_sub(rest, exec->is_tls ? 6 : 5, SIZE_MAX);
    for (size_t i = 0; i < rest.bytes; i++) {
        if (rest.ptr[i] <= 0x20 || rest.ptr[i] >= 0x7f) {
            return false;
        }
    }
    ptrdiff_t slash = str_find_char(rest, '/');
    str host = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
    exec->path = slash < 0 ? S("/") : str_sub(rest, (size_t)slash, SIZE_MAX);
    uint64_t port = exec->is_tls ? 443 : 80;
    ptrdiff_t colon = str_find_char(host, ':');
    if (colon >= 0 && str_find_char(host, ']') < 0) {
        if (!str_to_u64(str_sub(host, (size_t)colon + 1, SIZE_MAX), &port) || port > 65535) {
            return false;
        }
        host = str_sub(host, 0, (size_t)colon);
    }
    if (str_is_empty(host) || host.bytes >= RESOLVE_HOST_BYTES) {
        return false;
    }
    resolve_init(&exec->resolve, exec->config->loop, host, (uint16_t)port, on_resolved, exec);
    return true;
}

static void connect_to(struct eci_exec *exec);

static void on_resolved(struct resolve *resolve, enum err err)
{
    struct eci_exec *exec = resolve->owner;
    if (resolve->addrs_count == 0) {
        resolve_close(resolve);
        eci_exec_unreachable(exec, err == ERR_OK ? ERR_RESOLVE : err, err_text(ERR_RESOLVE));
        return;
    }
    connect_to(exec);
}

static void on_called(void *owner, enum err err, const struct eci_reply *reply)
{
    struct eci_exec *exec = owner;
    exec->call = HANDLE_NONE;
    if (err != ERR_OK) {
        eci_exec_set_off(exec, err, "ExecContainerCommand: %.*s", STR_ARG(reply->why));
        return;
    }
    str uri = json_text(json_get_nocase(reply->root, "WebSocketUri"), reply->arena);
    if (!take_uri(exec, uri, on_resolved)) {
        eci_exec_set_off(exec, ERR_BAD_REPLY,
                         "ExecContainerCommand: the reply has no usable WebSocketUri");
        return;
    }
    if (exec->is_tls && exec->config->trust == NULL) {
        eci_exec_set_off(exec, ERR_TLS_TRUST, "no certificate authority to check %s with",
                         exec->resolve.host);
        return;
    }
    eci_exec_enter(exec, ECI_EXEC_RESOLVE);
    if (resolve_want(&exec->resolve)) {
        connect_to(exec);
    }
}

enum err eci_exec_start(struct eci_exec *exec)
{
    CHECK(exec->phase == ECI_EXEC_OFF);
    enum err err = call(exec, false, on_called);
    if (err == ERR_OK) {
        eci_exec_enter(exec, ECI_EXEC_CALL);
    }
    return err;
}

/* ---- connect and upgrade --------------------------------------------------------------------- */

static void start_upgrade(struct eci_exec *exec)
{
    uint8_t nonce[16];
    uint8_t seed[TLS_SEED_BYTES];
    struct buf key;
    const char *offer = eci_framing_offer(exec->config->framing);
    os_random(nonce, sizeof nonce);
    buf_init(&key, exec->key, sizeof exec->key - 1);
    codec_put_base64(&key, nonce, sizeof nonce);
    exec->key[WEBSOCKET_KEY_BYTES] = 0;
    buf_put_fmt(&exec->out,
                "GET %.*s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
                STR_ARG(exec->path), exec->resolve.host, (unsigned)exec->resolve.port, exec->key);
    if (offer != NULL) {
        buf_put_fmt(&exec->out, "Sec-WebSocket-Protocol: %s\r\n", offer);
    }
    buf_put_text(&exec->out, "\r\n");
    CHECK(buf_ok(&exec->out)); /* the URI has its limit */
    http_parse_init(&exec->parse, HTTP_RESPONSE, exec->head, sizeof exec->head);
    http_parse_reset(&exec->parse, false);
    if (exec->is_tls) {
        os_random(seed, sizeof seed);
        tls_start_client(&exec->engine, exec->config->trust, NULL, str_of(exec->resolve.host),
                         false, seed);
    } else {
        tls_start_plain(&exec->engine);
    }
    eci_exec_enter(exec, ECI_EXEC_UPGRADE);
    eci_exec_turn(exec);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct eci_exec *exec = watch->owner;
    (void)events;
    if (exec->phase != ECI_EXEC_CONNECT) {
        eci_exec_turn(exec);
        return;
    }
    enum err err = sock_connect_result(exec->link.fd);
    if (err == ERR_OK) {
        start_upgrade(exec);
    } else if (err != ERR_AGAIN) {
        eci_exec_unreachable(exec, err, err_text(err));
    }
}

/* The first address that takes a connection at all; the deadline is for all together. */
static void connect_to(struct eci_exec *exec)
{
    enum err err = ERR_RESOLVE;
    for (uint32_t i = 0; i < exec->resolve.addrs_count && !link_is_open(&exec->link); i++) {
        int fd = -1;
        err = sock_connect(&exec->resolve.addrs[i], &fd);
        err = err == ERR_OK ? link_open(&exec->link, fd, on_ready, exec) : err;
    }
    if (err != ERR_OK) {
        eci_exec_unreachable(exec, err, err_text(err));
        return;
    }
    eci_exec_enter(exec, ECI_EXEC_CONNECT);
}

/* NULL, or why the reply is no WebSocket for us. */
static const char *judge_upgrade(struct eci_exec *exec)
{
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    str value;
    if (exec->parse.head.status != 101) {
        return "it refused the WebSocket";
    }
    websocket_accept(str_of(exec->key), accept);
    if (!http_parse_field(&exec->parse, S("sec-websocket-accept"), &value) ||
        !str_eq(value, str_of(accept))) {
        return "its reply is not that of a WebSocket";
    }
    return NULL;
}

bool eci_exec_take_upgrade(struct eci_exec *exec, str *input)
{
    str piece;
    str protocol = STR_NONE;
    enum http_event event = HTTP_HEAD;
    while (event == HTTP_HEAD) {
        event = http_parse_next(&exec->parse, input, &piece);
    }
    if (event == HTTP_NEED_MORE) {
        return false;
    }
    const char *fault = event == HTTP_FAILED ? exec->parse.why : judge_upgrade(exec);
    if (fault != NULL) {
        eci_exec_unreachable(exec, ERR_BAD_REPLY, fault);
        return false;
    }
    (void)http_parse_field(&exec->parse, S("sec-websocket-protocol"), &protocol);
    eci_framing_agree(&exec->framing, exec->config->framing, protocol);
    websocket_init(&exec->ws, WEBSOCKET_CLIENT);
    eci_exec_enter(exec, ECI_EXEC_OPEN);
    exec->has_drained = false;
    if (exec->has_stdin) {
        exec->config->handlers->on_room(exec);
    }
    return true;
}
