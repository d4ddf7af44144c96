/* see session.h */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway.h"
#include "index.h"
#include "runtime.h"
#include "settings.h"

#define FULL_BYTES (1 << 20)

static struct session *sessions;

static void session_free(struct session *session)
{
    struct session **place = &sessions;
    while (*place != session) {
        place = &(*place)->next;
    }
    *place = session->next;
    timer_stop(&session->expiry);
    ws_free(&session->ws);
    arena_free(&session->arena);
    loop_free_later(session);
}

/* ---- the offer ------------------------------------------------------------------------------- */

static void on_expired(struct timer *timer)
{
    session_free(container_of(timer, struct session, expiry));
}

static void copy_command(struct session *session, const struct node *command)
{
    session->command = tree_new(&session->arena);
    for (const struct node *word = command; word != NULL; word = word->next) {
        tree_put(&session->arena, session->command, word->name,
                 arena_copy(&session->arena, word->value, strlen(word->value)));
    }
}

void session_offer(struct call *call, const struct container *container, const struct node *command)
{
    const struct listener *listener = call->exchange->listener;
    const char *secure = listener->tls == NULL ? "" : "s";
    const char *stdin_text = call_param(call, "Stdin");
    struct session *session = text_grab(NULL, sizeof *session);
    *session = (struct session){.next = sessions};
    sessions = session;
    gateway_uuid(session->token);
    session->group_id =
        arena_copy(&session->arena, container->group->id, strlen(container->group->id));
    session->container_name = arena_copy(&session->arena, container->name, strlen(container->name));
    session->has_tty = tree_true(call->params, "TTY");
    session->has_stdin = stdin_text == NULL || text_is_true(stdin_text); /* default true */
    copy_command(session, command);
    timer_set(&session->expiry, settings.exec_token_ms, on_expired);
    jw_ktext(
        &call->reply, "WebSocketUri",
        arena_fmt(&call->arena, "ws%s://%s/exec/?s=%s", secure, listener->address, session->token));
    jw_ktext(&call->reply, "HttpUrl",
             arena_fmt(&call->arena, "http%s://%s/exec/?s=%s", secure, listener->address,
                       session->token));
}

/* ---- output ---------------------------------------------------------------------------------- */

void session_output(struct session *session, int stream, const void *data, size_t bytes)
{
    struct buf message = {0};
    struct buf frame = {0};
    if (session->conn == NULL || session->is_over) {
        return;
    }
    if (session->has_channels && session->is_base64) {
        buf_byte(&message, (char)('0' + stream));
        base64_encode(&message, data, bytes);
    } else {
        if (session->has_channels) {
            buf_byte(&message, (char)stream);
        }
        buf_add(&message, data, bytes);
    }
    ws_put(&frame, session->is_base64 ? WS_TEXT : WS_BINARY, message.data, message.used);
    conn_send(session->conn, frame.data, frame.used);
    buf_free(&message);
    buf_free(&frame);
}

bool session_is_full(const struct session *session)
{
    return session->conn != NULL && conn_pending(session->conn) > FULL_BYTES;
}

/* As Kubernetes says how a command ended: a Status object with v4, a sentence before. */
static void send_status(struct session *session, int exit_code)
{
    struct buf text = {0};
    if (session->has_status_json && exit_code == 0) {
        buf_text(&text, "{\"metadata\":{},\"status\":\"Success\"}");
    } else if (session->has_status_json) {
        buf_fmt(&text,
                "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with "
                "non-zero exit code: exit status %d\",\"reason\":\"NonZeroExitCode\",\"details\":"
                "{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"%d\"}]}}",
                exit_code, exit_code);
    } else if (exit_code != 0) {
        buf_fmt(&text, "command terminated with exit code %d", exit_code);
    }
    if (text.used > 0) {
        session_output(session, STREAM_STATUS, text.data, text.used);
    }
    buf_free(&text);
}

static void close_socket(struct session *session, unsigned code)
{
    struct buf frame = {0};
    const unsigned char reason[2] = {(unsigned char)(code >> 8), (unsigned char)code};
    if (session->conn != NULL && !session->is_over) {
        session->is_over = true;
        ws_put(&frame, WS_CLOSE, reason, sizeof reason);
        conn_send(session->conn, frame.data, frame.used);
        buf_free(&frame);
        if (session->conn != NULL) { /* sending may have found the peer gone */
            conn_close(session->conn);
        }
    }
}

void session_ended(struct session *session, int exit_code)
{
    session->run = NULL;
    if (session->conn == NULL) {
        session_free(session);
        return;
    }
    if (session->has_channels && !settings.exec_no_status) {
        send_status(session, exit_code);
    }
    close_socket(session, 1000);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void take_resize(struct session *session, const char *text)
{
    struct arena arena = {0};
    const struct node *size = json_read(&arena, text);
    int width = (int)tree_long(size, "Width", 0);
    int height = (int)tree_long(size, "Height", 0);
    if (width > 0 && height > 0 && session->run != NULL) {
        runtime->exec_resize(session, width, height);
    }
    arena_free(&arena);
}

static void take_stream(struct session *session, int stream, const char *data, size_t bytes)
{
    if (stream == STREAM_STDIN && session->has_stdin && session->run != NULL) {
        runtime->exec_input(session, data, bytes);
    } else if (stream == STREAM_RESIZE) {
        take_resize(session, data);
    } else if (stream == STREAM_CLOSE && bytes > 0 && data[0] == STREAM_STDIN &&
               session->run != NULL) {
        runtime->exec_input_end(session);
    }
}

static void take_message(struct session *session, struct buf *message)
{
    if (!session->has_channels) {
        take_stream(session, STREAM_STDIN, buf_string(message), message->used);
    } else if (message->used > 0 && session->is_base64) {
        unsigned char *data = text_grab(NULL, message->used + 1);
        long bytes = base64_decode(message->data + 1, data);
        if (bytes >= 0) {
            data[bytes] = '\0';
            take_stream(session, message->data[0] - '0', (char *)data, (size_t)bytes);
        }
        free(data);
    } else if (message->used > 0) {
        take_stream(session, (unsigned char)message->data[0], message->data + 1, message->used - 1);
    }
}

static void on_bytes(void *owner, struct buf *in)
{
    struct session *session = owner;
    struct buf control = {0};
    enum ws_opcode opcode = WS_MORE;
    int result = 0;
    while (!session->is_over && (result = ws_take(&session->ws, in, &opcode, &control)) == 1) {
        if (opcode == WS_PING) {
            struct buf frame = {0};
            ws_put(&frame, WS_PONG, control.data, control.used);
            conn_send(session->conn, frame.data, frame.used);
            buf_free(&frame);
        } else if (opcode == WS_CLOSE) {
            close_socket(session, 1000);
        } else if (opcode != WS_PONG) {
            take_message(session, &session->ws.message);
        }
    }
    if (result < 0) {
        close_socket(session, 1002);
    }
    if (session->is_over) {
        buf_clear(in);
    }
    buf_free(&control);
}

static void on_gone(void *owner)
{
    struct session *session = owner;
    session->conn = NULL;
    session->is_over = true;
    if (session->run != NULL) {
        runtime->exec_cancel(session); /* -> session_ended */
    } else {
        session_free(session);
    }
}

/* ---- the handshake --------------------------------------------------------------------------- */

/* The first protocol of the client that we know too, or NULL. */
static const char *choose_protocol(struct exchange *exchange)
{
    const char *list = http_header(exchange, "Sec-WebSocket-Protocol");
    char *copy =
        arena_copy(&exchange->arena, list == NULL ? "" : list, list == NULL ? 0 : strlen(list));
    for (char *rest = NULL, *name = strtok_r(copy, ", ", &rest); name != NULL;
         name = strtok_r(NULL, ", ", &rest)) {
        if (text_in_list(settings.exec_protocols, name)) {
            return name;
        }
    }
    return NULL;
}

static void set_framing(struct session *session, const char *protocol)
{
    session->has_channels = text_is(settings.exec_framing, "channel") ||
                            (protocol != NULL && !text_is(settings.exec_framing, "raw"));
    session->is_base64 = session->has_channels && text_starts(protocol, "base64.");
    session->has_status_json = text_starts(protocol, "v4.") || text_starts(protocol, "v5.") ||
                               (protocol == NULL && text_is(settings.exec_framing, "channel"));
}

static struct session *find_session(const struct exchange *exchange)
{
    const char *token = text_starts(exchange->query, "s=") ? exchange->query + 2 : "";
    for (struct session *session = sessions; session != NULL; session = session->next) {
        if (strcmp(session->token, token) == 0 && session->expiry.slot != 0) {
            return session;
        }
    }
    return NULL;
}

static void accept_socket(struct exchange *exchange, struct session *session,
                          struct container *container)
{
    struct buf head = {0};
    const char *protocol = choose_protocol(exchange);
    timer_stop(&session->expiry); /* single use */
    set_framing(session, protocol);
    buf_text(&head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    ws_accept(&head, http_header(exchange, "Sec-WebSocket-Key"));
    if (protocol != NULL) {
        buf_fmt(&head, "\r\nSec-WebSocket-Protocol: %s", protocol);
    }
    buf_text(&head, "\r\n\r\n");
    session->conn = http_take_over(exchange, head.data, on_bytes, on_gone, session);
    buf_free(&head);
    if (session->conn == NULL) {
        session_free(session);
        return;
    }
    runtime->exec_start(session, container);
}

bool session_handle(struct exchange *exchange)
{
    const char *upgrade = http_header(exchange, "Upgrade");
    if (!text_starts(exchange->path, "/exec")) {
        return false;
    }
    struct session *session = find_session(exchange);
    struct group *group = session == NULL ? NULL : group_find(session->group_id);
    struct container *container =
        group == NULL ? NULL : group_container(group, session->container_name);
    if (upgrade == NULL || strcasecmp(upgrade, "websocket") != 0 ||
        http_header(exchange, "Sec-WebSocket-Key") == NULL) {
        http_answer(exchange, 400, "text/plain", "not a WebSocket\n", 16);
    } else if (container == NULL || container->state != IS_RUNNING) {
        http_answer(exchange, 403, "text/plain", "no such session\n", 16);
    } else {
        accept_socket(exchange, session, container);
    }
    return true;
}

void sessions_reset(void)
{
    struct session *next = NULL;
    for (struct session *session = sessions; session != NULL; session = next) {
        next = session->next;
        if (session->conn == NULL && session->run == NULL) {
            session_free(session);
        } else {
            close_socket(session, 1001);
        }
    }
}
