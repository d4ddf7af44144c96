/*
 * Container mode: commands inside containers (ExecContainerCommand with Sync, hooks, exec
 * probes) and plain HTTP and TCP tries for hooks. See box_parts.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box_parts.h"
#include "settings.h"

#define WORDS_MAX 64
#define OUTPUT_BYTES_MAX (1 << 20)

int exec_in(const char *id, const struct node *command, int out, int err)
{
    struct buf root = {0};
    const char *argv[WORDS_MAX + 8];
    size_t count = 0;
    buf_fmt(&root, "%s/runc", box_dir);
    argv[count++] = settings.runc;
    argv[count++] = "--root";
    argv[count++] = root.data;
    argv[count++] = "exec";
    argv[count++] = id;
    for (const struct node *word = command; word != NULL && count < WORDS_MAX; word = word->next) {
        argv[count++] = word->value;
    }
    argv[count] = NULL;
    int result = job_run(argv, NULL, out, err);
    buf_free(&root);
    return result;
}

/* ---- ExecContainerCommand, Sync -------------------------------------------------------------- */

struct exec {
    struct call *call;
    char id[RUNC_ID_BYTES];
    const struct node *command; /* in the arena of the call */
    int write_fd;
    struct job job;
    struct watch watch;
    struct buf output;
};

static int exec_work(void *arg)
{
    struct exec *exec = arg;
    return exec_in(exec->id, exec->command, exec->write_fd, exec->write_fd);
}

static void read_output(struct exec *exec)
{
    ssize_t got = 0;
    while ((got = read(exec->watch.fd, buf_reserve(&exec->output, 4096), 4096)) > 0) {
        if (exec->output.used < OUTPUT_BYTES_MAX) {
            exec->output.used += (size_t)got;
        }
    }
    *buf_reserve(&exec->output, 0) = '\0';
    if (got == 0) {
        close(watch_drop(&exec->watch));
    }
}

static void on_output(struct watch *watch, uint32_t events)
{
    (void)events;
    read_output(container_of(watch, struct exec, watch));
}

/* There is no exit code in the answer, and standard error is mixed in (eci-api 2.6). */
static void on_exec_done(struct job *job, int result)
{
    struct exec *exec = container_of(job, struct exec, job);
    (void)result;
    if (exec->watch.fd >= 0) {
        read_output(exec);
    }
    if (exec->watch.fd >= 0) {
        close(watch_drop(&exec->watch));
    }
    jw_ktext(&exec->call->reply, "SyncResponse", buf_string(&exec->output));
    call_finish(exec->call);
    buf_free(&exec->output);
    loop_free_later(exec);
}

void box_exec_sync(struct call *call, struct container *container, const struct node *command)
{
    const struct box *box = container->box;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        call_fail(call, CODE_INTERNAL, NULL);
        call_finish(call);
        return;
    }
    struct exec *exec = text_grab(NULL, sizeof *exec);
    *exec = (struct exec){.call = call, .command = command, .write_fd = fds[1]};
    memcpy(exec->id, box->id, sizeof exec->id);
    fcntl(fds[1], F_SETFL, 0); /* the command wants a blocking end */
    job_start(&exec->job, NULL, exec_work, exec, on_exec_done);
    close(fds[1]);
    watch_add(&exec->watch, fds[0], EPOLLIN, on_output);
}

/* ---- HTTP and TCP, in jobs ------------------------------------------------------------------- */

static int wait_for(int fd, short events, int64_t limit_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    return poll(&poll_fd, 1, (int)(limit_ms > 600000 ? 600000 : limit_ms)) == 1 ? 0 : -1;
}

/* A connected socket, or -1. */
static int dial(const char *ip, int port, int64_t limit_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int problem = 0;
    socklen_t bytes = sizeof problem;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1 || fd < 0 ||
        (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) ||
        wait_for(fd, POLLOUT, limit_ms) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &bytes) != 0 || problem != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int tcp_try(const char *ip, int port, int64_t limit_ms)
{
    int fd = dial(ip, port, limit_ms);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0 ? 0 : 1;
}

int http_try(const char *ip, int port, const char *path, const char *const *headers,
             int64_t limit_ms)
{
    struct buf text = {0};
    char answer[64] = {0};
    int status = 0;
    int fd = dial(ip, port, limit_ms);
    buf_fmt(&text, "GET %s%s HTTP/1.0\r\nHost: %s\r\n", path[0] == '/' ? "" : "/", path, ip);
    for (; headers != NULL && *headers != NULL; headers++) {
        buf_fmt(&text, "%s\r\n", *headers);
    }
    buf_text(&text, "\r\n");
    if (fd >= 0 && write(fd, text.data, text.used) == (ssize_t)text.used &&
        wait_for(fd, POLLIN, limit_ms) == 0 && read(fd, answer, sizeof answer - 1) > 0) {
        if (sscanf(answer, "HTTP/%*s %d", &status) != 1) {
            status = 0;
        }
    }
    buf_free(&text);
    if (fd >= 0) {
        close(fd);
    }
    return status >= 200 && status < 400 ? 0 : 1;
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static const struct node *hook_part(const struct node *spec, const char *prefix, const char *part)
{
    char name[96];
    snprintf(name, sizeof name, "%s%s", prefix, part);
    return tree_find(spec, name);
}

static const char *hook_text(const struct node *spec, const char *prefix, const char *part)
{
    const struct node *node = hook_part(spec, prefix, part);
    return node == NULL ? NULL : node->value;
}

bool hook_exists(const struct node *spec, const char *prefix)
{
    return hook_part(spec, prefix, "Exec") != NULL ||
           hook_part(spec, prefix, "HttpGetPort") != NULL ||
           hook_part(spec, prefix, "TcpSocketPort") != NULL;
}

#define HEADERS_MAX 20

static int hook_http(const struct box *box, const char *prefix, const char *ip, int64_t limit_ms)
{
    struct arena arena = {0};
    const struct node *spec = box->container->spec;
    const char *path = hook_text(spec, prefix, "HttpGetPath");
    const char *port = hook_text(spec, prefix, "HttpGetPort");
    const struct node *list = hook_part(spec, prefix, "HttpGetHttpHeader");
    const char *headers[HEADERS_MAX + 1] = {NULL};
    size_t count = 0;
    for (const struct node *item = list == NULL ? NULL : list->first;
         item != NULL && count < HEADERS_MAX; item = item->next) {
        headers[count++] =
            arena_fmt(&arena, "%s: %s", tree_text(item, "Name"), tree_text(item, "Value"));
    }
    int result =
        http_try(ip, (int)strtol(port, NULL, 10), path == NULL ? "/" : path, headers, limit_ms);
    arena_free(&arena);
    return result;
}

int hook_run(const struct box *box, const char *prefix, int64_t limit_ms)
{
    const struct node *spec = box->container->spec;
    const struct node *exec = hook_part(spec, prefix, "Exec");
    if (exec != NULL) {
        return exec_in(box->id, exec->first, -1, -1); /* its end is the end of the container */
    }
    const char *kind =
        hook_part(spec, prefix, "HttpGetPort") != NULL ? "HttpGetHost" : "TcpSocketHost";
    const char *host = hook_text(spec, prefix, kind);
    const char *ip = host == NULL || host[0] == '\0' ? box->pod->group->ip : host;
    if (hook_part(spec, prefix, "HttpGetPort") != NULL) {
        return hook_http(box, prefix, ip, limit_ms);
    }
    const char *port = hook_text(spec, prefix, "TcpSocketPort");
    return port == NULL ? 0 : tcp_try(ip, (int)strtol(port, NULL, 10), limit_ms);
}
