/*
 * Container mode, the runtime: groups (see runtime.h, box_parts.h; containers: box_run.c).
 */
#include "box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box_parts.h"
#include "life.h"

static struct pod **pods; /* all that exist */
static size_t pod_count;

enum { MADE, NO_FILES, NO_NETWORK };

static int pod_make_work(void *arg)
{
    const struct pod *pod = arg;
    if (!pod_files_make(pod)) {
        return NO_FILES;
    }
    return net_connect(pod) == 0 ? MADE : NO_NETWORK;
}

static void on_pod_made(struct job *job, int result)
{
    struct pod *pod = container_of(job, struct pod, job);
    if (result != JOB_DROPPED) {
        life_set_up(pod->group, result == MADE       ? NULL
                                : result == NO_FILES ? "the volumes could not be made"
                                                     : "the network could not be made");
    }
}

static void box_set_up(struct group *group)
{
    struct pod *pod = text_grab(NULL, sizeof *pod);
    struct buf dir = {0};
    buf_fmt(&dir, "%s/groups/%s", box_dir, group->id);
    *pod = (struct pod){.group = group, .dir = dir.data, .net_fd = net_new()};
    group->box = pod;
    pods = text_grab(pods, (pod_count + 1) * sizeof *pods);
    pods[pod_count++] = pod;
    job_start(&pod->job, group, pod_make_work, pod, on_pod_made);
}

static void pod_free(struct pod *pod)
{
    for (size_t at = 0; at < pod_count; at++) {
        if (pods[at] == pod) {
            pods[at] = pods[--pod_count];
            break;
        }
    }
    pod->group->box = NULL;
    if (pod->net_fd >= 0) {
        close(pod->net_fd); /* the last reference: the namespace and its veth pair go */
    }
    free(pod->dir);
    loop_free_later(pod);
}

static int pod_unmake_work(void *arg)
{
    net_disconnect(arg);
    pod_files_unmake(arg);
    return 0;
}

static void on_pod_unmade(struct job *job, int result)
{
    struct pod *pod = container_of(job, struct pod, job);
    struct group *group = pod->group;
    if (result != JOB_DROPPED) {
        pod_free(pod);
        life_torn_down(group);
    }
}

void pod_settle(struct pod *pod)
{
    if (pod->must_tear_down && pod->boxes == NULL && !jobs_any(pod->group)) {
        pod->must_tear_down = false;
        job_start(&pod->job, pod->group, pod_unmake_work, pod, on_pod_unmade);
    }
}

static void box_tear_down(struct group *group)
{
    struct pod *pod = group->box;
    if (pod == NULL) {
        life_torn_down(group);
        return;
    }
    pod->must_tear_down = true;
    pod_settle(pod);
}

static void box_drop(struct group *group)
{
    struct pod *pod = group->box;
    if (pod != NULL) {
        jobs_drop(group);
        while (pod->boxes != NULL) {
            run_drop(pod->boxes);
        }
        net_disconnect(pod);
        pod_files_unmake(pod);
        pod_free(pod);
    }
}

static void box_wipe(struct group *group)
{
    if (group->box != NULL) {
        pod_wipe(group->box);
    }
}

/* ---- children -------------------------------------------------------------------------------- */

#define EARLY_MAX 64

/* Children that ended before the job that made them could tell us their pid. */
static struct {
    pid_t pid;
    int status;
} early[EARLY_MAX];
static size_t early_next;

bool child_was_early(pid_t pid, int *status)
{
    for (size_t at = 0; at < EARLY_MAX; at++) {
        if (early[at].pid == pid) {
            *status = early[at].status;
            early[at].pid = 0;
            return true;
        }
    }
    return false;
}

static void on_child(pid_t pid, int status)
{
    if (job_ended(pid, status)) {
        return;
    }
    for (size_t at = 0; at < pod_count; at++) {
        for (struct box *box = pods[at]->boxes; box != NULL; box = box->next) {
            if (box->pid == pid) {
                run_ended(box, status);
                return;
            }
        }
    }
    early[early_next].pid = pid;
    early[early_next].status = status;
    early_next = (early_next + 1) % EARLY_MAX;
}

/* ---- what is used ---------------------------------------------------------------------------- */

static struct usage box_usage(const struct container *container)
{
    const struct box *box = container->box;
    return box == NULL ? (struct usage){0} : cgroup_usage(box->id);
}

static unsigned long long box_disk_bytes(const struct group *group)
{
    return group->box == NULL ? 0 : pod_disk_bytes(group->box);
}

/* The line of eth0 in /proc/PID/net/dev: eight numbers received, eight sent. */
static struct traffic box_traffic(const struct group *group)
{
    struct traffic t = {0};
    struct buf text = {0};
    const struct pod *pod = group->box;
    const struct box *box = pod == NULL ? NULL : pod->boxes;
    char path[64];
    while (box != NULL && box->state != BOX_UP) {
        box = box->next;
    }
    if (box != NULL) {
        snprintf(path, sizeof path, "/proc/%d/net/dev", (int)box->pid);
        const char *line = buf_add_file(&text, path) ? strstr(buf_string(&text), "eth0:") : NULL;
        if (line == NULL ||
            sscanf(line, "eth0: %llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu",
                   &t.rx_bytes, &t.rx_packets, &t.rx_errors, &t.rx_drops, &t.tx_bytes,
                   &t.tx_packets, &t.tx_errors, &t.tx_drops) != 8) {
            t = (struct traffic){0};
        }
    }
    buf_free(&text);
    return t;
}

/* ---- start and stop -------------------------------------------------------------------------- */

const char *box_start(void)
{
    const char *problem = host_start();
    if (problem == NULL) {
        loop_on_child(on_child);
        problem = net_start();
    }
    return problem;
}

void box_stop(void)
{
    jobs_drop(NULL);
    host_stop();
    net_stop();
    free(pods);
    pods = NULL;
}

const struct runtime runtime_box = {
    .group_set_up = box_set_up,
    .group_tear_down = box_tear_down,
    .group_drop = box_drop,
    .group_wipe = box_wipe,
    .container_start = run_start,
    .container_stop = run_stop,
    .exec_sync = box_exec_sync,
    .exec_start = box_exec_start,
    .exec_input = box_exec_input,
    .exec_input_end = box_exec_input_end,
    .exec_resize = box_exec_resize,
    .exec_cancel = box_exec_cancel,
    .usage = box_usage,
    .disk_bytes = box_disk_bytes,
    .traffic = box_traffic,
};
