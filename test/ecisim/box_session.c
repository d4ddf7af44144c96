/*
 * Container mode: exec sessions (see session.h, box_parts.h). runc exec is a job whose standard
 * streams are pipes, or one pseudo terminal: then runc passes on what happens at it, also its
 * size.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box_parts.h"
#include "settings.h"

#define WORDS_MAX 32
#define CHUNK_BYTES 16384
#define FULL_PAUSE_MS 10

/* One stream of output. */
struct tap {
    struct watch watch; /* fd -1: closed */
    struct shell *shell;
    int stream;
};

struct shell {
    struct session *session;
    struct job job;
    struct tap out;
    struct tap err;     /* without a terminal */
    struct watch in;    /* what the command reads; the terminal has a duplicate here */
    struct buf input;   /* what could not be written yet */
    struct timer pause; /* the peer is slow */
    int job_fds[3];     /* the command's ends, in the job */
    char id[RUNC_ID_BYTES];
    bool is_input_over;
    bool has_ended;
    int exit_code;
};

static void on_output(struct watch *watch, uint32_t events);
static void on_writable(struct watch *watch, uint32_t events);

/* ---- the job --------------------------------------------------------------------------------- */

static void exec_runc(const struct shell *shell)
{
    struct buf root = {0};
    const char *argv[WORDS_MAX + 8];
    size_t count = 0;
    buf_fmt(&root, "%s/runc", box_dir);
    argv[count++] = settings.runc;
    argv[count++] = "--root";
    argv[count++] = root.data;
    argv[count++] = "exec";
    if (shell->session->has_tty) {
        argv[count++] = "-t";
    }
    argv[count++] = shell->id;
    for (const struct node *word = shell->session->command->first;
         word != NULL && count < WORDS_MAX + 7; word = word->next) {
        argv[count++] = word->value;
    }
    argv[count] = NULL;
    for (int fd = 0; fd < 3; fd++) {
        dup2(shell->job_fds[fd], fd);
    }
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* A terminal wants a session of its own, which the leader of a process group cannot have. */
static int shell_work(void *arg)
{
    const struct shell *shell = arg;
    int status = 0;
    if (!shell->session->has_tty) {
        exec_runc(shell);
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setsid();
        ioctl(shell->job_fds[0], TIOCSCTTY, 0);
        exec_runc(shell);
    }
    for (int fd = 0; fd < 3; fd++) {
        close(shell->job_fds[fd]);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void close_watch(struct watch *watch)
{
    if (watch->fd >= 0) {
        close(watch_drop(watch));
    }
}

/* When the command has ended and all its output is out. */
static void shell_settle(struct shell *shell)
{
    bool has_output = shell->out.watch.fd >= 0 || shell->err.watch.fd >= 0;
    if (!shell->has_ended || (has_output && shell->session->conn != NULL)) {
        return;
    }
    struct session *session = shell->session;
    close_watch(&shell->out.watch);
    close_watch(&shell->err.watch);
    close_watch(&shell->in);
    timer_stop(&shell->pause);
    buf_free(&shell->input);
    loop_free_later(shell);
    session_ended(session, shell->exit_code);
}

static void on_shell_done(struct job *job, int result)
{
    struct shell *shell = container_of(job, struct shell, job);
    shell->has_ended = true;
    shell->exit_code = result < 0 ? 137 : result;
    if (result == JOB_DROPPED) {
        close_watch(&shell->out.watch);
        close_watch(&shell->err.watch);
    }
    shell_settle(shell);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void listen_to(struct shell *shell, bool is_wanted)
{
    uint32_t events = is_wanted ? EPOLLIN : 0;
    if (shell->out.watch.fd >= 0) {
        watch_change(&shell->out.watch, events);
    }
    if (shell->err.watch.fd >= 0) {
        watch_change(&shell->err.watch, events);
    }
}

static void on_pause_over(struct timer *timer)
{
    struct shell *shell = container_of(timer, struct shell, pause);
    if (session_is_full(shell->session)) {
        timer_set(timer, FULL_PAUSE_MS, on_pause_over);
    } else {
        listen_to(shell, true);
    }
}

/* The other end of a terminal that was closed gives EIO, not an end of file. */
static void on_output(struct watch *watch, uint32_t events)
{
    struct tap *tap = container_of(watch, struct tap, watch);
    struct shell *shell = tap->shell;
    char chunk[CHUNK_BYTES];
    ssize_t got = read(watch->fd, chunk, sizeof chunk);
    (void)events;
    if (got > 0) {
        session_output(shell->session, tap->stream, chunk, (size_t)got);
        if (session_is_full(shell->session)) {
            listen_to(shell, false);
            timer_set(&shell->pause, FULL_PAUSE_MS, on_pause_over);
        }
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_watch(watch);
        shell_settle(shell);
    }
}

/* ---- input ----------------------------------------------------------------------------------- */

static void write_input(struct shell *shell)
{
    while (shell->input.used > 0 && shell->in.fd >= 0) {
        ssize_t sent = write(shell->in.fd, shell->input.data, shell->input.used);
        if (sent > 0) {
            buf_skip(&shell->input, (size_t)sent);
        } else if (sent < 0 && errno == EAGAIN) {
            break;
        } else {
            close_watch(&shell->in); /* nobody reads any more */
            buf_clear(&shell->input);
        }
    }
    if (shell->is_input_over && shell->input.used == 0 && !shell->session->has_tty) {
        close_watch(&shell->in); /* the command reads an end of file */
    }
    if (shell->in.fd >= 0) {
        watch_change(&shell->in, shell->input.used > 0 ? EPOLLOUT : 0);
    }
}

static void on_writable(struct watch *watch, uint32_t events)
{
    struct shell *shell = container_of(watch, struct shell, in);
    if (shell->input.used == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0) {
        close_watch(watch); /* else its hang-up would be told again and again */
        return;
    }
    write_input(shell);
}

void box_exec_input(struct session *session, const char *data, size_t bytes)
{
    struct shell *shell = session->run;
    buf_add(&shell->input, data, bytes);
    write_input(shell);
}

void box_exec_input_end(struct session *session)
{
    struct shell *shell = session->run;
    shell->is_input_over = true;
    write_input(shell);
}

void box_exec_resize(struct session *session, int width, int height)
{
    struct shell *shell = session->run;
    struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};
    if (session->has_tty && shell->out.watch.fd >= 0) {
        ioctl(shell->out.watch.fd, TIOCSWINSZ, &size);
    }
}

void box_exec_cancel(struct session *session)
{
    struct shell *shell = session->run;
    if (shell->job.pid != 0) {
        kill(-shell->job.pid, SIGKILL); /* on_shell_done follows */
    } else {
        shell_settle(shell);
    }
}

/* ---- the start ------------------------------------------------------------------------------- */

static bool open_terminal(struct shell *shell)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
        ptsname_r(master, name, sizeof name) != 0) {
        close(master);
        return false;
    }
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    fcntl(master, F_SETFL, O_NONBLOCK);
    shell->job_fds[0] = shell->job_fds[1] = shell->job_fds[2] = slave;
    watch_add(&shell->out.watch, master, EPOLLIN, on_output);
    watch_add(&shell->in, fcntl(master, F_DUPFD_CLOEXEC, 3), 0, on_writable);
    return slave >= 0;
}

static bool open_pipes(struct shell *shell)
{
    int in[2];
    int out[2];
    int err[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        return false; /* out of descriptors: nothing to save here */
    }
    shell->job_fds[0] = in[0];
    shell->job_fds[1] = out[1];
    shell->job_fds[2] = err[1];
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    watch_add(&shell->in, in[1], 0, on_writable);
    watch_add(&shell->out.watch, out[0], EPOLLIN, on_output);
    watch_add(&shell->err.watch, err[0], EPOLLIN, on_output);
    return true;
}

void box_exec_start(struct session *session, struct container *container)
{
    const struct box *box = container->box;
    struct shell *shell = text_grab(NULL, sizeof *shell);
    *shell = (struct shell){.session = session};
    shell->out = (struct tap){.watch.fd = -1, .shell = shell, .stream = STREAM_STDOUT};
    shell->err = (struct tap){.watch.fd = -1, .shell = shell, .stream = STREAM_STDERR};
    shell->in.fd = -1;
    memcpy(shell->id, box->id, sizeof shell->id);
    if (!(session->has_tty ? open_terminal(shell) : open_pipes(shell))) {
        shell->has_ended = true;
        shell->exit_code = 126;
        close_watch(&shell->out.watch);
        shell_settle(shell);
        return;
    }
    session->run = shell;
    job_start(&shell->job, NULL, shell_work, shell, on_shell_done);
    close(shell->job_fds[0]);
    if (!session->has_tty) {
        close(shell->job_fds[1]);
        close(shell->job_fds[2]);
    }
    if (!session->has_stdin && !session->has_tty) {
        close_watch(&shell->in); /* the command reads an end of file */
    }
}
