/* see exec.h */
#include "serve/exec.h"

#include "base/check.h"
#include "os/log.h"
#include "serve/remote.h"

#define NO_CODE "ecilet: the cloud does not tell the exit code of this command\n"

struct exec_session {
    struct remote remote; /* first: remote's exchange state */
    struct eci_exec exec;
};

/* The pool of the process. */
static struct {
    struct exec_config config;
    struct eci_exec_config cloud;
    struct pool sessions;
} port;

uint32_t exec_open(void)
{
    return port.sessions.count;
}

/* ---- from the client to the cloud ------------------------------------------------------------ */

static struct eci_exec *exec_of(struct remote *remote)
{
    struct exec_session *session = remote->owner;
    return &session->exec;
}

static void on_open(struct remote *remote)
{
    enum err err = eci_exec_start(exec_of(remote));
    if (err != ERR_OK) {
        const struct remote_status status = {.message = str_of(err_text(err))};
        remote_finish(remote, &status);
    }
}

static size_t stdin_room(struct remote *remote)
{
    return eci_exec_room(exec_of(remote));
}

static void on_stdin(struct remote *remote, str data)
{
    size_t done = eci_exec_put(exec_of(remote), data);
    CHECK(done == data.bytes);
}

static void on_stdin_end(struct remote *remote)
{
    eci_exec_put_end(exec_of(remote));
}

static void on_resize(struct remote *remote, uint32_t width, uint32_t height)
{
    eci_exec_resize(exec_of(remote), width, height);
}

static void on_remote_room(struct remote *remote)
{
    eci_exec_resume(exec_of(remote));
}

static void on_remote_gone(struct remote *remote)
{
    struct exec_session *session = remote->owner;
    eci_exec_stop(&session->exec);
    pool_give(&port.sessions, pool_handle_of(&port.sessions, session));
}

static const struct remote_handlers remote_handlers = {
    .on_open = on_open,
    .stdin_room = stdin_room,
    .on_stdin = on_stdin,
    .on_stdin_end = on_stdin_end,
    .on_resize = on_resize,
    .on_room = on_remote_room,
    .on_gone = on_remote_gone,
};

/* ---- from the cloud to the client ------------------------------------------------------------ */

static struct remote *remote_of(struct eci_exec *exec)
{
    struct exec_session *session = exec->owner;
    return &session->remote;
}

static size_t output_room(struct eci_exec *exec)
{
    return remote_room(remote_of(exec));
}

static void on_output(struct eci_exec *exec, uint8_t channel, str data)
{
    remote_put(remote_of(exec), channel, data);
}

static void on_cloud_room(struct eci_exec *exec)
{
    remote_resume(remote_of(exec));
}

static void on_cloud_end(struct eci_exec *exec, const struct eci_exec_end *end)
{
    struct remote *remote = remote_of(exec);
    struct remote_status status = {.is_success = end->err == ERR_OK && end->code == 0,
                                   .has_code = end->has_code,
                                   .code = end->code,
                                   .message = end->message};
    if (end->err == ERR_OK && !end->has_code && remote_room(remote) >= sizeof NO_CODE) {
        remote_put(remote, CHANNEL_STDERR, S(NO_CODE));
    }
    if (end->err != ERR_OK && str_is_empty(status.message)) {
        status.message = str_of(err_text(end->err));
    }
    remote_finish(remote, &status);
}

static const struct eci_exec_handlers cloud_handlers = {.output_room = output_room,
                                                        .on_output = on_output,
                                                        .on_room = on_cloud_room,
                                                        .on_end = on_cloud_end};

void exec_init(struct region *region, const struct exec_config *config)
{
    port.config = *config;
    port.cloud = (struct eci_exec_config){.loop = config->loop,
                                          .cloud = config->cloud,
                                          .arena = config->arena,
                                          .trust = config->trust,
                                          .framing = config->framing,
                                          .handlers = &cloud_handlers};
    pool_init(&port.sessions, region, "exec sessions", config->sessions_max,
              sizeof(struct exec_session));
}

/* ---- the request ----------------------------------------------------------------------------- */

/* The words of the command, in the arena; false when there are more than the API takes. */
static uint32_t read_words(const struct http_exchange *exchange,
                           str words[static ECI_EXEC_WORDS_MAX + 1])
{
    uint32_t count = 0;
    size_t at = 0;
    while (count <= ECI_EXEC_WORDS_MAX &&
           serve_query_next(exchange, "command", &at, &words[count])) {
        count++;
    }
    return count;
}

bool exec_find_instance(struct serve *serve, struct http_exchange *exchange,
                        const struct serve_target *target, struct serve_pod *pod)
{
    const struct serve_world *world = serve_world(serve);
    if (world->find_pod(world->owner, target->name_space, target->pod, target->uid, pod) !=
        ERR_OK) {
        serve_refuse(exchange, 404, NULL, "pod \"%.*s/%.*s\" is not on this node",
                     STR_ARG(target->name_space), STR_ARG(target->pod));
        return false;
    }
    if (str_is_empty(pod->group_id) || !pod->is_running) {
        serve_refuse(exchange, 400, NULL, "pod \"%.*s/%.*s\" %s", STR_ARG(target->name_space),
                     STR_ARG(target->pod),
                     pod->has_ended ? "has ended" : "has no running instance yet");
        return false;
    }
    return true;
}

static void begin(struct http_exchange *exchange, const struct eci_exec_want *want,
                  const struct remote_wants *wants, const struct serve_target *target)
{
    handle h;
    if (pool_take(&port.sessions, &h) != ERR_OK) {
        serve_refuse(exchange, 429, NULL, "all %u exec sessions of this node are in use",
                     port.sessions.count_max);
        return;
    }
    struct exec_session *session = pool_at(&port.sessions, h);
    enum err err = eci_exec_prepare(&session->exec, &port.cloud, session, want);
    if (err != ERR_OK) {
        serve_refuse(exchange, 400, NULL, "the command cannot be sent to ECI: %s", err_text(err));
        pool_give(&port.sessions, h);
        return;
    }
    if (!remote_accept(&session->remote, exchange, port.config.loop, wants, &remote_handlers,
                       session)) {
        pool_give(&port.sessions, h);
        return;
    }
    log_line(LOG_INFO, "exec", "%.*s in %.*s/%.*s/%.*s", STR_ARG(target->user),
             STR_ARG(target->name_space), STR_ARG(target->pod), STR_ARG(target->container));
}

void exec_serve(struct serve *serve, struct http_exchange *exchange,
                const struct serve_target *target)
{
    struct serve_pod pod;
    struct remote_wants wants;
    str words[ECI_EXEC_WORDS_MAX + 1];
    if (!exec_find_instance(serve, exchange, target, &pod) ||
        !remote_read_wants(exchange, &wants)) {
        return;
    }
    const struct eci_exec_want want = {.group_id = pod.group_id,
                                       .container = target->container,
                                       .words = words,
                                       .words_count = read_words(exchange, words),
                                       .has_stdin = wants.has_stdin,
                                       .has_tty = wants.has_tty};
    const char *fault = eci_exec_fault(&want);
    if (fault != NULL) {
        serve_refuse(exchange, 400, NULL, "%s", fault);
        return;
    }
    begin(exchange, &want, &wants, target);
}
