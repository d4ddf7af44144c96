/*
 * Container mode, the runtime (see runtime.h, box_parts.h).
 *
 * A run of a container: a job makes its root and calls runc create and runc start; then its
 * first process is our child, its output comes through a pipe, and its end by SIGCHLD. Output
 * that is still in the pipe is read before the end is reported. A second job cleans up.
 */
#include "box.h"

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
#define EARLY_MAX 64

/* Children that ended before the job that made them told us their pid. */
static struct {
    pid_t pid;
    int status;
} early[EARLY_MAX];
static size_t early_next;

static struct pod **pods; /* all that exist */
static size_t pod_count;

static void box_end(struct box *box, int status);
static void pod_settle(struct pod *pod);

/* ---- groups ----------------------------------------------------------------------------- */

static int pod_work(void *arg)
{
    const struct pod *pod = arg;
    if (!pod_files_make(pod)) {
        return 2;
    }
    return net_connect(pod) == 0 ? 0 : 3;
}

static void on_pod_made(struct job *job, int result)
{
    struct pod *pod = container_of(job, struct pod, job);
    if (result >= 0) { /* -1: it is being dropped */
        life_set_up(pod->group, result == 0   ? NULL
                                : result == 2 ? "the volumes could not be made"
                                              : "the network could not be made");
    }
}

static void box_set_up(struct group *group)
{
    struct pod *pod = text_grab(NULL, sizeof *pod);
    struct buf dir = { 0 };
    buf_fmt(&dir, "%s/groups/%s", box_dir, group->id);
    *pod = (struct pod){ .group = group, .dir = dir.data, .net_fd = net_new() };
    group->box = pod;
    pods = text_grab(pods, (pod_count + 1) * sizeof *pods);
    pods[pod_count++] = pod;
    job_start(&pod->job, group, pod_work, pod, on_pod_made);
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
    close(pod->net_fd);
    free(pod->dir);
    loop_free_later(pod);
}

/* Everything below the folder, including what is mounted there. */
static void remove_pod_files(const struct pod *pod)
{
    pod_wipe(pod); /* unmounts the volumes in memory */
    root_unmake(pod->dir);
}

static int tear_down_work(void *arg)
{
    const struct pod *pod = arg;
    struct arena arena = { 0 };
    for (const struct node *volume = tree_list(pod->group->params, "Volume"); volume != NULL;
         volume = volume->next) {
        if (text_is(tree_text(volume, "EmptyDirVolume.Medium"), "Memory")) {
            volume_unmount(pod, volume);
        }
    }
    root_unmake(pod->dir);
    arena_free(&arena);
    return 0;
}

static void on_torn_down(struct job *job, int result)
{
    struct pod *pod = container_of(job, struct pod, job);
    struct group *group = pod->group;
    if (result >= 0) {
        pod_free(pod);
        life_torn_down(group);
    }
}

/* Tear down as soon as the last job of the group is done. */
static void pod_settle(struct pod *pod)
{
    if (pod->must_tear_down && pod->boxes == NULL && !jobs_any(pod->group)) {
        pod->must_tear_down = false;
        job_start(&pod->job, pod->group, tear_down_work, pod, on_torn_down);
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

static void box_wipe(struct group *group)
{
    if (group->box != NULL) {
        pod_wipe(group->box);
    }
}
