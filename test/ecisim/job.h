/*
 * Jobs: slow work done in a forked child, so that the loop never waits for runc or ip.
 *
 * The child runs work(), which may call job_run() for programs, and exits with its result. The
 * loop hears of the end by SIGCHLD. Each job leads a process group of its own, so that it can be
 * killed together with what it started.
 */
#ifndef ECISIM_JOB_H
#define ECISIM_JOB_H

#include <stdbool.h>
#include <sys/types.h>

struct job {
    pid_t pid;         /* 0: not running */
    const void *group; /* jobs_drop() */
    void (*done)(struct job *job, int result);
    struct job *next;
};

/* done may be NULL. The job must stay where it is until it is done. */
void job_start(struct job *job, const void *group, int (*work)(void *arg), void *arg,
               void (*done)(struct job *job, int result));
/* A child ended: true when it was a job (whose done() was called). */
bool job_ended(pid_t pid, int status);
#define JOB_DROPPED (-2)
/* Kill those of a group (NULL: all) and wait for their end; done() gets JOB_DROPPED. */
void jobs_drop(const void *group);
bool jobs_any(const void *group);

/*
 * In a job (or before the loop runs): run a program and wait. Standard input comes from the
 * text (may be NULL), output goes to out and err (-1: nowhere). Returns its exit code.
 */
int job_run(const char *const *argv, const char *input, int out, int err);

#endif
