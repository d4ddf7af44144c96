/*
 * Container mode: liveness and readiness probes, real ones (see box_parts.h). HTTP and TCP go
 * to the address of the group from the loop; exec is a job. HTTPS is tried as TCP only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "box_parts.h"
#include "life.h"

static void on_try(struct timer *timer);
static void on_time_over(struct timer *timer);
static void on_ready_to_write(struct watch *watch, uint32_t events);
static void on_answer(struct watch *watch, uint32_t events);

static void next_try(struct probe *probe)
{
    timer_set(&probe->timer, 1000 * tree_long(probe->spec, "PeriodSeconds", 10), on_try);
}

static void close_try(struct probe *probe)
{
    if (probe->watch.fd >= 0) {
        close(watch_drop(&probe->watch));
    }
    buf_free(&probe->answer);
}

static void kill_unhealthy(struct probe *probe)
{
    struct box *box = probe->box;
    const struct group *group = box->pod->group;
    group_event(box->pod->group, "kubelet", "Normal", "Killing",
                "Container %s failed liveness probe, will be restarted", box->container->name);
    run_kill(box, 1000 * tree_long(group->params, "TerminationGracePeriodSeconds", 30));
}

static void judge(struct probe *probe, bool is_good, const char *why)
{
    struct box *box = probe->box;
    long long limit = tree_long(probe->spec, "FailureThreshold", 3);
    close_try(probe);
    probe->failures = is_good ? 0 : probe->failures + 1;
    if (!is_good) {
        group_event(box->pod->group, "kubelet", "Warning", "Unhealthy", "%s probe failed: %s",
                    probe->is_liveness ? "Liveness" : "Readiness", why);
    }
    if (!probe->is_liveness && (is_good || probe->failures >= limit)) {
        life_ready(box->container, is_good);
    }
    if (probe->is_liveness && probe->failures >= limit) {
        kill_unhealthy(probe);
        return;
    }
    next_try(probe);
}

/* ---- exec ------------------------------------------------------------------------------------ */

static int exec_work(void *arg)
{
    const struct probe *probe = arg;
    return exec_in(probe->box->id, tree_list(probe->spec, "Exec.Command"), -1, -1);
}

static void on_exec_done(struct job *job, int result)
{
    struct probe *probe = container_of(job, struct probe, job);
    if (result == JOB_DROPPED) {
        return;
    }
    if (probe->spec == NULL || probe->box->state != BOX_UP) {
        run_release(probe->box);
        return;
    }
    char why[64];
    snprintf(why, sizeof why, "exit code %d", result);
    judge(probe, result == 0, why);
}

/* ---- HTTP and TCP ---------------------------------------------------------------------------- */

static bool is_http(const struct probe *probe)
{
    return tree_find(probe->spec, "HttpGet") != NULL &&
           !text_is(tree_text(probe->spec, "HttpGet.Scheme"), "HTTPS");
}

static void start_dial(struct probe *probe)
{
    long long port = tree_long(probe->spec, "HttpGet.Port", 0);
    port = port > 0 ? port : tree_long(probe->spec, "TcpSocket.Port", 80);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(probe->box->pod->group->address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        char why[64];
        snprintf(why, sizeof why, "connect: %s", strerror(errno));
        close(fd);
        judge(probe, false, why);
        return;
    }
    watch_add(&probe->watch, fd, EPOLLOUT, on_ready_to_write);
}

static void on_ready_to_write(struct watch *watch, uint32_t events)
{
    struct probe *probe = container_of(watch, struct probe, watch);
    int problem = 0;
    socklen_t bytes = sizeof problem;
    (void)events;
    getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &problem, &bytes);
    if (problem != 0 || !is_http(probe)) {
        char why[96];
        snprintf(why, sizeof why, "connect: %s", strerror(problem));
        judge(probe, problem == 0, why);
        return;
    }
    const char *path = tree_text(probe->spec, "HttpGet.Path");
    struct buf text = {0};
    buf_fmt(&text,
            "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nUser-Agent: kube-probe\r\n\r\n",
            path == NULL || path[0] == '\0' ? "/" : path, probe->box->pod->group->ip);
    ssize_t sent = send(watch->fd, text.data, text.used, MSG_NOSIGNAL);
    buf_free(&text);
    if (sent < 0) {
        judge(probe, false, "the request could not be sent");
        return;
    }
    watch->ready = on_answer;
    watch_change(watch, EPOLLIN);
}

static void on_answer(struct watch *watch, uint32_t events)
{
    struct probe *probe = container_of(watch, struct probe, watch);
    int status = 0;
    char why[64];
    (void)events;
    ssize_t got = read(watch->fd, buf_reserve(&probe->answer, 1024), 1024);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    probe->answer.used += got > 0 ? (size_t)got : 0;
    *buf_reserve(&probe->answer, 0) = '\0';
    if (got > 0 && probe->answer.used < 16) {
        return; /* not yet a status line */
    }
    if (sscanf(probe->answer.data, "HTTP/%*s %d", &status) != 1) {
        status = 0;
    }
    snprintf(why, sizeof why, "HTTP probe failed with statuscode: %d", status);
    judge(probe, status >= 200 && status < 400, why);
}

/* ---- tries ----------------------------------------------------------------------------------- */

static void on_time_over(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);
    if (probe->job.pid != 0) {
        kill(-probe->job.pid, SIGKILL); /* on_exec_done judges */
    } else {
        judge(probe, false, "timeout");
    }
}

static void on_try(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);
    timer_set(timer, 1000 * tree_long(probe->spec, "TimeoutSeconds", 1), on_time_over);
    if (tree_find(probe->spec, "Exec") != NULL) {
        job_start(&probe->job, probe->box->pod->group, exec_work, probe, on_exec_done);
    } else {
        start_dial(probe);
    }
}

static void start(struct probe *probe, struct box *box, const char *name, bool is_liveness)
{
    probe->box = box;
    probe->spec = tree_find(box->container->spec, name);
    probe->is_liveness = is_liveness;
    if (probe->spec != NULL) {
        timer_set(&probe->timer, 1000 * tree_long(probe->spec, "InitialDelaySeconds", 0), on_try);
    }
}

void probes_start(struct box *box)
{
    if (box->container->is_init) {
        return;
    }
    start(&box->liveness, box, "LivenessProbe", true);
    start(&box->readiness, box, "ReadinessProbe", false);
    if (box->readiness.spec == NULL) {
        life_ready(box->container, true);
    }
}

static void stop(struct probe *probe)
{
    timer_stop(&probe->timer);
    close_try(probe);
    probe->spec = NULL;
}

void probes_stop(struct box *box)
{
    stop(&box->liveness);
    stop(&box->readiness);
}
