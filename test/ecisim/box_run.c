/*
 * Container mode: the runs of containers (see box_parts.h).
 *
 * A job makes the root and calls runc create and runc start; then the first process of the
 * container is our child, its output comes through a pipe, and its end by SIGCHLD. What is still
 * in the pipe is read before the end is reported. A second job cleans up.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box_parts.h"
#include "life.h"
#include "settings.h"

#define LINE_BYTES_MAX 16384
#define MESSAGE_BYTES_MAX 4096

static void on_log(struct watch *watch, uint32_t events);
static void on_kill_time(struct timer *timer);

/* ---- start ----------------------------------------------------------------------------------- */

static int start_work(void *arg)
{
    const struct box *box = arg;
    struct arena arena = {0};
    char *root = arena_fmt(&arena, "%s/runc", box_dir);
    char *pid_file = arena_fmt(&arena, "%s/pid", box->dir);
    const char *const create[] = {settings.runc, "--root",     root,     "create", "--bundle",
                                  box->dir,      "--pid-file", pid_file, box->id,  NULL};
    const char *const start[] = {settings.runc, "--root", root, "start", box->id, NULL};
    if (!root_make(box) || !spec_write(box)) {
        dprintf(box->log_write_fd, "the root file system could not be made\n");
        return 1;
    }
    if (job_run(create, NULL, box->log_write_fd, box->log_write_fd) != 0) {
        return 1;
    }
    return job_run(start, NULL, box->log_write_fd, box->log_write_fd) == 0 ? 0 : 1;
}

static pid_t read_pid(const struct box *box)
{
    struct buf path = {0};
    struct buf text = {0};
    buf_fmt(&path, "%s/pid", box->dir);
    buf_add_file(&text, path.data);
    pid_t pid = (pid_t)strtol(buf_string(&text), NULL, 10);
    buf_free(&path);
    buf_free(&text);
    return pid;
}

static void on_post_start_done(struct job *job, int result)
{
    struct box *box = container_of(job, struct box, hook);
    if (result == 0 || result == JOB_DROPPED || box->state != BOX_UP) {
        run_release(box);
        return;
    }
    group_event(box->pod->group, "kubelet", "Warning", "FailedPostStartHook",
                "PostStartHook of container %s failed", box->container->name);
    run_kill(box, 0);
}

static int post_start_work(void *arg)
{
    return hook_run(arg, "LifecyclePostStartHandler", 30000);
}

/* What runc said is in the pipe; it is a message, not output of the container. */
static void start_failed(struct box *box)
{
    struct container *container = box->container;
    char message[1024];
    ssize_t bytes = read(box->log_fd, message, sizeof message - 1);
    message[bytes < 0 ? 0 : bytes] = '\0';
    close(box->log_fd);
    box->log_fd = -1;
    container->box = NULL;
    run_clean(box);
    life_ended(container, 128, 0, "StartError", message);
}

static void on_started(struct job *job, int result)
{
    struct box *box = container_of(job, struct box, job);
    int status = 0;
    if (result == JOB_DROPPED) {
        return;
    }
    if (result != 0) {
        start_failed(box);
        return;
    }
    box->pid = read_pid(box);
    box->state = BOX_UP;
    life_started(box->container);
    watch_add(&box->log, box->log_fd, EPOLLIN, on_log);
    if (child_was_early(box->pid, &status)) {
        run_ended(box, status);
    } else if (box->must_stop) {
        run_kill(box, box->stop_grace_ms);
    } else {
        probes_start(box);
        if (hook_exists(box->container->spec, "LifecyclePostStartHandler")) {
            job_start(&box->hook, box->pod->group, post_start_work, box, on_post_start_done);
        }
    }
}

void run_start(struct container *container)
{
    struct pod *pod = container->group->box;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        life_ended(container, 128, 0, "StartError", "no pipe for the output");
        return;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    struct box *box = text_grab(NULL, sizeof *box);
    *box = (struct box){.container = container,
                        .pod = pod,
                        .next = pod->boxes,
                        .log_fd = fds[0],
                        .log_write_fd = fds[1]};
    box->log.fd = box->liveness.watch.fd = box->readiness.watch.fd = -1;
    snprintf(box->id, sizeof box->id, "%s-%.120s-%d", pod->group->id, container->name, ++pod->runs);
    struct buf dir = {0};
    buf_fmt(&dir, "%s/c/%s-%d", pod->dir, container->name, pod->runs);
    box->dir = dir.data;
    pod->boxes = box;
    container->box = box;
    long long uid = tree_long(container->spec, "SecurityContext.RunAsUser", 0);
    if (fchown(fds[1], (uid_t)uid, (gid_t)-1) != 0) { /* so that /dev/stdout can be opened */
        perror("ecisim: fchown");
    }
    job_start(&box->job, pod->group, start_work, box, on_started);
    close(fds[1]);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void take_lines(struct box *box, bool is_last)
{
    struct buf *line = &box->line;
    for (char *end; line->used > 0 && (end = memchr(line->data, '\n', line->used)) != NULL;) {
        run_log(box->container->now, line->data, (size_t)(end - line->data));
        buf_skip(line, (size_t)(end - line->data) + 1);
    }
    if (line->used > 0 && (is_last || line->used > LINE_BYTES_MAX)) {
        run_log(box->container->now, line->data, line->used);
        buf_clear(line);
    }
}

/* At most some bytes at a time, so that a chatterbox cannot hold the loop. */
static void read_log(struct box *box, size_t bytes_max)
{
    ssize_t got = 0;
    for (size_t total = 0; total < bytes_max && box->log_fd >= 0; total += (size_t)got) {
        got = read(box->log_fd, buf_reserve(&box->line, 4096), 4096);
        if (got <= 0) {
            if (got == 0) {
                close(watch_drop(&box->log));
                box->log_fd = -1;
            }
            return;
        }
        box->line.used += (size_t)got;
        take_lines(box, false);
    }
}

static void on_log(struct watch *watch, uint32_t events)
{
    (void)events;
    read_log(container_of(watch, struct box, log), 65536);
}

/* ---- stop ------------------------------------------------------------------------------------ */

static void on_pre_stop_done(struct job *job, int result)
{
    struct box *box = container_of(job, struct box, hook);
    if (result != JOB_DROPPED && box->state == BOX_UP) {
        kill(box->pid, SIGTERM);
    }
    run_release(box);
}

static int pre_stop_work(void *arg)
{
    const struct box *box = arg;
    return hook_run(box, "LifecyclePreStopHandler", box->stop_grace_ms);
}

void run_kill(struct box *box, int64_t grace_ms)
{
    if (grace_ms <= 0) {
        kill(box->pid, SIGKILL);
        return;
    }
    bool is_first = box->kill_timer.slot == 0;
    if (is_first || box->kill_timer.at_ms > clock_ms() + grace_ms) {
        timer_set(&box->kill_timer, grace_ms, on_kill_time);
    }
    if (!is_first) {
        return;
    }
    probes_stop(box);
    box->stop_grace_ms = grace_ms;
    if (box->hook.pid == 0 && hook_exists(box->container->spec, "LifecyclePreStopHandler")) {
        job_start(&box->hook, box->pod->group, pre_stop_work, box, on_pre_stop_done);
    } else {
        kill(box->pid, SIGTERM);
    }
}

static void on_kill_time(struct timer *timer)
{
    kill(container_of(timer, struct box, kill_timer)->pid, SIGKILL);
}

void run_stop(struct container *container, int64_t grace_ms)
{
    struct box *box = container->box;
    if (box == NULL) {
        return;
    }
    if (box->state == BOX_STARTING) {
        box->must_stop = true;
        box->stop_grace_ms = grace_ms;
    } else if (box->state == BOX_UP) {
        run_kill(box, grace_ms);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static int clean_work(void *arg)
{
    const struct box *box = arg;
    struct buf state = {0};
    cgroup_kill(box->id);
    buf_fmt(&state, "%s/runc/%s", box_dir, box->id);
    remove_tree(state.data);
    root_unmake(box->dir);
    buf_free(&state);
    return 0;
}

static void box_free(struct box *box)
{
    struct box **place = &box->pod->boxes;
    while (*place != box) {
        place = &(*place)->next;
    }
    *place = box->next;
    free(box->dir);
    buf_free(&box->line);
    loop_free_later(box);
}

/* Free it once it is down and none of its jobs needs it any more. */
void run_release(struct box *box)
{
    if (box->state == BOX_DOWN && box->job.pid == 0 && box->hook.pid == 0 &&
        box->liveness.job.pid == 0 && box->readiness.job.pid == 0) {
        struct pod *pod = box->pod;
        box_free(box);
        pod_settle(pod);
    }
}

static void on_cleaned(struct job *job, int result)
{
    if (result != JOB_DROPPED) {
        run_release(container_of(job, struct box, job));
    }
}

void run_clean(struct box *box)
{
    box->state = BOX_DOWN;
    job_start(&box->job, box->pod->group, clean_work, box, on_cleaned);
}

/* The termination message: the file, or else the last lines of the output. */
static void read_message(const struct box *box, struct buf *out, bool has_failed)
{
    const struct container *container = box->container;
    const struct run *run = container->now;
    struct buf path = {0};
    buf_fmt(&path, "%s/message", box->dir);
    buf_add_file(out, path.data);
    buf_free(&path);
    if (out->used == 0 && has_failed &&
        text_is(tree_text(container->spec, "TerminationMessagePolicy"), "FallbackToLogsOnError")) {
        size_t first = run->line_count > 80 ? run->line_count - 80 : 0;
        for (size_t at = first; at < run->line_count; at++) {
            buf_fmt(out, "%s\n", run->lines[(run->line_first + at) % run->line_room].text);
        }
        if (out->used > 2048) {
            buf_skip(out, out->used - 2048);
        }
    }
    if (out->used > MESSAGE_BYTES_MAX) {
        out->used = MESSAGE_BYTES_MAX;
        out->data[out->used] = '\0';
    }
}

static void close_run(struct box *box)
{
    probes_stop(box);
    timer_stop(&box->kill_timer);
    if (box->log_fd >= 0) {
        watch_drop(&box->log);
        close(box->log_fd);
        box->log_fd = -1;
    }
}

void run_ended(struct box *box, int status)
{
    struct container *container = box->container;
    struct buf message = {0};
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    int exit_code = signal != 0 ? 128 + signal : WEXITSTATUS(status);
    const char *reason = exit_code != 0 && cgroup_had_oom(box->id) ? "OOMKilled" : NULL;
    if (container->forced_reason != NULL) {
        exit_code = container->forced_code;
        reason = container->forced_reason;
        container->forced_reason = NULL;
        signal = 0;
    }
    read_log(box, SIZE_MAX);
    take_lines(box, true);
    read_message(box, &message, exit_code != 0);
    close_run(box);
    box->pid = 0;
    container->box = NULL;
    run_clean(box);
    life_ended(container, exit_code, signal, reason, message.used > 0 ? message.data : NULL);
    buf_free(&message);
}

void run_drop(struct box *box)
{
    if (box->pid > 0) {
        kill(box->pid, SIGKILL);
        while (waitpid(box->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close_run(box);
    clean_work(box);
    if (box->container->box == box) {
        box->container->box = NULL;
    }
    box_free(box);
}
