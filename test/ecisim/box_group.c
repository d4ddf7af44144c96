/*
 * Container mode: the control groups that runc makes, below one parent per bridge; version 1
 * (a folder per controller) and version 2 (one folder). See box_parts.h.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box_parts.h"
#include "settings.h"

#define ROOT "/sys/fs/cgroup"

static const char *const controllers[] = {
    "",         "/cpu",      "/cpuacct",    "/cpu,cpuacct", "/cpuset",  "/memory",
    "/devices", "/freezer",  "/pids",       "/systemd",     "/unified", "/blkio",
    "/net_cls", "/net_prio", "/perf_event", "/hugetlb",     "/rdma",    "/misc"};
#define CONTROLLER_COUNT (sizeof controllers / sizeof controllers[0])

const char *cgroup_parent(void)
{
    static char parent[64];
    snprintf(parent, sizeof parent, "/ecisim-%s", settings.bridge);
    return parent;
}

static bool read_one(struct buf *out, const char *controller, const char *id, const char *file)
{
    char path[512];
    snprintf(path, sizeof path, ROOT "%s%s/%s/%s", controller, cgroup_parent(), id, file);
    buf_clear(out);
    return buf_add_file(out, path);
}

static void kill_processes(const char *dir)
{
    struct buf path = {0};
    struct buf pids = {0};
    buf_fmt(&path, "%s/cgroup.procs", dir);
    if (buf_add_file(&pids, path.data)) {
        for (char *rest = NULL, *pid = strtok_r(pids.data, "\n", &rest); pid != NULL;
             pid = strtok_r(NULL, "\n", &rest)) {
            kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
        }
    }
    buf_free(&path);
    buf_free(&pids);
}

/* The processes need a moment to die before the folder can go. */
static void remove_group(const char *dir)
{
    struct stat info;
    for (int tries = 0; tries < 100 && stat(dir, &info) == 0; tries++) {
        kill_processes(dir);
        if (rmdir(dir) == 0) {
            return;
        }
        usleep(10000);
    }
}

void cgroup_kill(const char *id)
{
    char dir[512];
    for (size_t at = 0; at < CONTROLLER_COUNT; at++) {
        snprintf(dir, sizeof dir, ROOT "%s%s/%s", controllers[at], cgroup_parent(), id);
        remove_group(dir);
    }
}

void cgroup_kill_all(void)
{
    char dir[512];
    char child[1024];
    for (size_t at = 0; at < CONTROLLER_COUNT; at++) {
        snprintf(dir, sizeof dir, ROOT "%s%s", controllers[at], cgroup_parent());
        DIR *list = opendir(dir);
        for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
            if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
                snprintf(child, sizeof child, "%s/%s", dir, entry->d_name);
                remove_group(child);
            }
        }
        if (list != NULL) {
            closedir(list);
            rmdir(dir);
        }
    }
}

/* The number behind "name " in a file of such lines. */
static unsigned long long member(const struct buf *text, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *line = buf_string(text); line != NULL && *line != '\0';) {
        if (strncmp(line, name, bytes) == 0 && line[bytes] == ' ') {
            return strtoull(line + bytes, NULL, 10);
        }
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return 0;
}

bool cgroup_had_oom(const char *id)
{
    struct buf text = {0};
    bool had_oom = (read_one(&text, "/memory", id, "memory.oom_control") ||
                    read_one(&text, "", id, "memory.events")) &&
                   member(&text, "oom_kill") > 0;
    buf_free(&text);
    return had_oom;
}

/* Of every device: the sum of the numbers behind `name` in lines like "8:0 Read 4096". */
static unsigned long long sum_behind(const struct buf *text, const char *name)
{
    unsigned long long sum = 0;
    for (const char *at = buf_string(text); (at = strstr(at, name)) != NULL;) {
        at += strlen(name);
        sum += strtoull(at, NULL, 10);
    }
    return sum;
}

static void read_disk_v1(struct usage *usage, const char *id, struct buf *text)
{
    if (read_one(text, "/blkio", id, "blkio.throttle.io_service_bytes_recursive")) {
        usage->read_bytes = sum_behind(text, " Read ");
        usage->written_bytes = sum_behind(text, " Write ");
    }
    if (read_one(text, "/blkio", id, "blkio.throttle.io_serviced_recursive")) {
        usage->read_calls = sum_behind(text, " Read ");
        usage->write_calls = sum_behind(text, " Write ");
    }
}

/* "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 ..." */
static void read_disk_v2(struct usage *usage, const char *id, struct buf *text)
{
    if (read_one(text, "", id, "io.stat")) {
        usage->read_bytes = sum_behind(text, " rbytes=");
        usage->written_bytes = sum_behind(text, " wbytes=");
        usage->read_calls = sum_behind(text, " rios=");
        usage->write_calls = sum_behind(text, " wios=");
    }
}

/* The number behind "name: " in /proc/PID/io. */
static unsigned long long behind(const struct buf *text, const char *name)
{
    const char *at = strstr(buf_string(text), name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

/* Kernels that do not throttle count nothing for the group. Each process counts its own and that of
 * the children it has waited for; calls are of the program then, not of the disk. */
static void read_disk_of_processes(struct usage *usage, const char *id, struct buf *pids)
{
    char path[64];
    struct buf text = {0};
    if (!read_one(pids, "/memory", id, "cgroup.procs") && !read_one(pids, "", id, "cgroup.procs")) {
        return;
    }
    for (char *rest = NULL, *pid = strtok_r(pids->data, "\n", &rest); pid != NULL;
         pid = strtok_r(NULL, "\n", &rest)) {
        snprintf(path, sizeof path, "/proc/%s/io", pid);
        buf_clear(&text);
        if (buf_add_file(&text, path)) {
            usage->read_bytes += behind(&text, "\nread_bytes: ");
            usage->written_bytes += behind(&text, "\nwrite_bytes: ");
            usage->read_calls += behind(&text, "\nsyscr: ");
            usage->write_calls += behind(&text, "\nsyscw: ");
        }
    }
    buf_free(&text);
}

static void read_v1(struct usage *usage, const char *id, struct buf *text)
{
    if (read_one(text, "/cpuacct", id, "cpuacct.usage")) {
        usage->cpu_ns = strtoull(text->data, NULL, 10);
    }
    if (read_one(text, "/memory", id, "memory.usage_in_bytes")) {
        usage->memory_bytes = strtoull(text->data, NULL, 10);
    }
    if (read_one(text, "/memory", id, "memory.stat")) {
        unsigned long long inactive = member(text, "total_inactive_file");
        usage->cache_bytes = member(text, "total_cache");
        usage->rss_bytes = member(text, "total_rss");
        usage->working_set_bytes =
            usage->memory_bytes > inactive ? usage->memory_bytes - inactive : 0;
    }
}

static void read_v2(struct usage *usage, const char *id, struct buf *text)
{
    usage->cpu_ns = 1000 * member(text, "usage_usec");
    if (read_one(text, "", id, "memory.current")) {
        usage->memory_bytes = strtoull(text->data, NULL, 10);
    }
    if (read_one(text, "", id, "memory.stat")) {
        unsigned long long inactive = member(text, "inactive_file");
        usage->cache_bytes = member(text, "file");
        usage->rss_bytes = member(text, "anon");
        usage->working_set_bytes =
            usage->memory_bytes > inactive ? usage->memory_bytes - inactive : 0;
    }
}

struct usage cgroup_usage(const char *id)
{
    struct usage usage = {0};
    struct buf text = {0};
    if (read_one(&text, "", id, "cpu.stat")) {
        read_v2(&usage, id, &text);
        read_disk_v2(&usage, id, &text);
    } else {
        read_v1(&usage, id, &text);
        read_disk_v1(&usage, id, &text);
    }
    if (usage.read_calls + usage.write_calls == 0) {
        read_disk_of_processes(&usage, id, &text);
    }
    buf_free(&text);
    return usage;
}
