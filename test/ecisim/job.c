/* see job.h */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

static struct job *jobs;

void job_start(struct job *job, const void *group, int (*work)(void *arg), void *arg,
               void (*done)(struct job *job, int result))
{
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        loop_child_reset();
        _exit(work(arg));
    }
    if (pid < 0) {
        perror("ecisim: fork");
        abort();
    }
    setpgid(pid, pid); /* both do it: whoever comes first */
    *job = (struct job){.pid = pid, .group = group, .done = done, .next = jobs};
    jobs = job;
}

static void job_end(struct job *job, int result)
{
    struct job **place = &jobs;
    while (*place != job) {
        place = &(*place)->next;
    }
    *place = job->next;
    job->pid = 0;
    if (job->done != NULL) {
        job->done(job, result);
    }
}

bool job_ended(pid_t pid, int status)
{
    for (struct job *job = jobs; job != NULL; job = job->next) {
        if (job->pid == pid) {
            job_end(job, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
            return true;
        }
    }
    return false;
}

bool jobs_any(const void *group)
{
    for (struct job *job = jobs; job != NULL; job = job->next) {
        if (job->group == group) {
            return true;
        }
    }
    return false;
}

void jobs_drop(const void *group)
{
    struct job *job = jobs;
    while (job != NULL) {
        if (group == NULL || job->group == group) {
            kill(-job->pid, SIGKILL);
            while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR) {
            }
            job_end(job, JOB_DROPPED);
            job = jobs; /* done() may have changed the list */
        } else {
            job = job->next;
        }
    }
}

static void child_run(const char *const *argv, int in, int out, int err)
{
    int nowhere = open("/dev/null", O_RDWR);
    dup2(in >= 0 ? in : nowhere, 0);
    dup2(out >= 0 ? out : nowhere, 1);
    dup2(err >= 0 ? err : nowhere, 2);
    close(nowhere);
    loop_child_reset();
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int job_run(const char *const *argv, const char *input, int out, int err)
{
    int pipe_fds[2] = {-1, -1};
    int status = 0;
    if (input != NULL && pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        child_run(argv, pipe_fds[0], out, err);
    }
    if (input != NULL) {
        close(pipe_fds[0]);
        ssize_t sent = write(pipe_fds[1], input, strlen(input)); /* a few hundred bytes */
        close(pipe_fds[1]);
        if (sent < 0) {
            perror("ecisim: write");
        }
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
