/*
 * What the files of container mode share; box.h is their face to the others.
 *
 *   box.c        the runtime: groups
 *   box_run.c    the runs of containers, from start to end
 *   box_host.c   what the host must have: folders, busybox, leftovers of a killed run
 *   box_net.c    bridge, network namespaces, addresses
 *   box_root.c   the files of a container: overlay, volumes, hosts, resolv.conf
 *   box_spec.c   config.json for runc (OCI runtime specification 1.0)
 *   box_group.c  control groups: killing, usage, out-of-memory
 *   box_exec.c   commands in containers: exec, hooks
 *   box_session.c  exec sessions over a WebSocket
 *   probe.c      liveness and readiness
 */
#ifndef ECISIM_BOX_PARTS_H
#define ECISIM_BOX_PARTS_H

#include "group.h"
#include "job.h"
#include "runtime.h"

#define RUNC_ID_BYTES 192

struct probe {
    struct box *box;
    const struct node *spec; /* NULL: there is none */
    bool is_liveness;
    int failures;
    struct timer timer; /* the next try, or the end of this one */
    struct watch watch; /* HTTP and TCP */
    struct job job;     /* exec */
    struct buf answer;
};

enum box_state { BOX_STARTING, BOX_UP, BOX_DOWN };

/* One run of a container. */
struct box {
    struct container *container;
    struct pod *pod;
    struct box *next;
    enum box_state state;
    char id[RUNC_ID_BYTES]; /* for runc */
    char *dir;              /* its files */
    pid_t pid;              /* its first process, our child */
    struct job job;         /* starting, later cleaning up */
    struct job hook;        /* postStart, later preStop */
    struct watch log;
    int log_fd;       /* -1: closed */
    int log_write_fd; /* only in the job that starts it */
    struct buf line;  /* the unfinished last line */
    struct timer kill_timer;
    bool must_stop; /* asked while it was starting */
    int64_t stop_grace_ms;
    struct probe liveness;
    struct probe readiness;
};

/* What the containers of a group share. */
struct pod {
    struct group *group;
    char *dir;
    int net_fd;
    int runs; /* makes the ids of runc unique */
    struct job job;
    struct box *boxes;
    bool must_tear_down;
};

/* box_host.c */
extern char *box_dir; /* the state folder */
const char *host_start(void);
void host_stop(void);
void remove_tree(const char *path);
bool make_dirs(const char *path); /* with parents */
bool write_file(const char *path, const void *data, size_t bytes, unsigned mode);

/* box_net.c */
const char *net_start(void);
void net_stop(void);
int net_new(void); /* a new network namespace, or -1 */
/* In a job: connect it to the bridge. 0: done. */
int net_connect(const struct pod *pod);
void net_disconnect(const struct pod *pod);

/* box_root.c; all but image_dir are for jobs, or for a loop that may wait. */
bool root_make(const struct box *box);
void root_unmake(const char *dir);
bool pod_files_make(const struct pod *pod);
void pod_files_unmake(const struct pod *pod);
void pod_wipe(const struct pod *pod); /* empties the emptyDir volumes */
/* What its volumes take, and what its containers have written (their images, too, when they had to
 * be copied). */
unsigned long long pod_disk_bytes(const struct pod *pod);
/* The folder of the image, in the arena; the base (busybox) when it is unknown. */
const char *image_dir(struct arena *arena, const char *image, bool *is_base);

/* box_spec.c */
bool spec_write(const struct box *box);

/* box_group.c */
void cgroup_kill(const char *id);
void cgroup_kill_all(void);
bool cgroup_had_oom(const char *id);
struct usage cgroup_usage(const char *id);
const char *cgroup_parent(void);

/* box_exec.c */
void box_exec_sync(struct call *call, struct container *container, const struct node *command);
/* In a job: run it inside; the exit code. */
int exec_in(const char *id, const struct node *command, int out, int err);
/* In a job: GET or connect with a time limit; 0: it worked. */
int http_try(const char *ip, int port, const char *path, const char *const *headers,
             int64_t limit_ms);
int tcp_try(const char *ip, int port, int64_t limit_ms);
/* In a job: the hook with this prefix (LifecyclePreStopHandler ...). 0: done, or there is none. */
int hook_run(const struct box *box, const char *prefix, int64_t limit_ms);
bool hook_exists(const struct node *spec, const char *prefix);

/* box_session.c */
void box_exec_start(struct session *session, struct container *container);
void box_exec_input(struct session *session, const char *data, size_t bytes);
void box_exec_input_end(struct session *session);
void box_exec_resize(struct session *session, int width, int height);
void box_exec_cancel(struct session *session);

/* probe.c */
void probes_start(struct box *box);
void probes_stop(struct box *box);

/* box_run.c */
void run_start(struct container *container);
void run_stop(struct container *container, int64_t grace_ms);
void run_kill(struct box *box, int64_t grace_ms); /* SIGTERM, later SIGKILL; 0: at once */
void run_ended(struct box *box, int status);      /* its first process; see waitpid() */
void run_clean(struct box *box);                  /* it is down */
void run_release(struct box *box);                /* one of its jobs is done */
void run_drop(struct box *box);                   /* kill, clean and free it, and wait */

/* box.c */
void pod_settle(struct pod *pod); /* tear down when that was asked and nothing is left to do */
bool child_was_early(pid_t pid, int *status);

#endif
