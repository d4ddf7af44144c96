/*
 * Container mode: what the host must have, and what is left of a killed run. See box_parts.h.
 *
 * ecisim works in a mount namespace of its own, so its mounts vanish with it. It is the reaper
 * of its grandchildren, so the first process of each container becomes its child.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box.h"
#include "box_parts.h"
#include "loop.h"
#include "settings.h"
#include "stock.h"

char *box_dir;
static int lock_fd = -1;

/* ---- files ----------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    remove(path); /* what cannot be removed is left: go on with the rest */
    return 0;
}

void remove_tree(const char *path)
{
    nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

bool make_dirs(const char *path)
{
    char *copy = text_copy(path);
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0755);
        *slash = '/';
    }
    bool is_there = mkdir(copy, 0755) == 0 || errno == EEXIST;
    free(copy);
    return is_there;
}

bool write_file(const char *path, const void *data, size_t bytes, unsigned mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_good = fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes;
    if (fd >= 0 && mode != 0) {
        is_good = fchmod(fd, mode) == 0 && is_good;
    }
    if (fd >= 0) {
        close(fd);
    }
    return is_good;
}

/* ---- leftovers ------------------------------------------------------------------------------- */

static char *under(const char *name)
{
    struct buf path = {0};
    buf_fmt(&path, "%s/%s", box_dir, name);
    return path.data;
}

/* Groups are named by the control groups, so even half-made containers are found. */
static void remove_leftovers(void)
{
    char *runs = under("runc");
    char *pods = under("groups");
    cgroup_kill_all();
    remove_tree(runs);
    remove_tree(pods);
    free(runs);
    free(pods);
}

static const char *take_dir(void)
{
    struct buf path = {0};
    if (settings.state_dir[0] != '\0') {
        buf_text(&path, settings.state_dir);
    } else {
        const char *tmp = getenv("TMPDIR");
        buf_fmt(&path, "%s/ecisim-%s", tmp == NULL ? "/tmp" : tmp, settings.bridge);
    }
    if (!make_dirs(path.data)) {
        buf_free(&path);
        return "--state-dir: cannot be made";
    }
    box_dir = realpath(path.data, NULL);
    buf_free(&path);
    char *lock = under("lock");
    lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(lock);
    if (lock_fd < 0 || flock(lock_fd, LOCK_EX | LOCK_NB) != 0) {
        close(lock_fd);
        lock_fd = -1; /* what is there belongs to the other */
        return "--state-dir: in use by another ecisim";
    }
    return NULL;
}

/* ---- the base image -------------------------------------------------------------------------- */

static const char *make_base(void)
{
    char *base = under("base");
    char *bin = under("base/bin");
    char *program = under("base/bin/busybox");
    const char *const copy[] = {"sh", "-c", "cp -L \"$(command -v busybox)\" \"$0\"", program,
                                NULL};
    const char *const install[] = {"chroot", base, "/bin/busybox", "--install", "-s", "/bin", NULL};
    static const char root_line[] = "root:x:0:0:root:/root:/bin/sh\n";
    const char *problem = NULL;
    static const char *const dirs[] = {"base/etc", "base/tmp", "base/proc", "base/sys",
                                       "base/dev", "base/www", "base/root", "base/var"};
    bool is_made = make_dirs(bin);
    for (size_t at = 0; at < sizeof dirs / sizeof dirs[0]; at++) {
        char *dir = under(dirs[at]);
        is_made = make_dirs(dir) && is_made;
        free(dir);
    }
    char *tmp = under("base/tmp");
    char *passwd = under("base/etc/passwd");
    is_made =
        is_made && chmod(tmp, 01777) == 0 && write_file(passwd, root_line, strlen(root_line), 0644);
    if (!is_made) {
        problem = "the base image cannot be written";
    } else if (job_run(copy, NULL, -1, -1) != 0 || job_run(install, NULL, -1, -1) != 0) {
        problem = "no static busybox was found (Debian: busybox-static)";
    }
    free(base);
    free(bin);
    free(program);
    free(tmp);
    free(passwd);
    return problem;
}

const char *host_start(void)
{
    const char *const version[] = {settings.runc, "--version", NULL};
    const char *problem = geteuid() != 0 ? "container mode needs root" : take_dir();
    if (problem != NULL) {
        return problem;
    }
    if (job_run(version, NULL, -1, -1) != 0) {
        return "--runc: the program does not run";
    }
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return "no mount namespace of our own";
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    remove_leftovers();
    return make_base();
}

void host_stop(void)
{
    if (lock_fd >= 0) {
        remove_leftovers();
        char *base = under("base");
        char *lock = under("lock");
        remove_tree(base);
        unlink(lock);
        rmdir(box_dir);
        free(base);
        free(lock);
        close(lock_fd);
        lock_fd = -1;
    }
    free(box_dir);
    box_dir = NULL;
}

int box_clean(void)
{
    const char *problem = stock_start();
    if (problem == NULL) {
        problem = geteuid() != 0 ? "needs root" : take_dir();
    }
    if (problem == NULL) {
        problem = net_start(); /* also takes the lock of the bridge */
    }
    if (problem == NULL) {
        host_stop();
        net_stop();
    } else {
        fprintf(stderr, "ecisim: %s\n", problem);
        free(box_dir);
    }
    stock_free();
    return problem == NULL ? 0 : 1;
}
