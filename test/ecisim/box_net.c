/*
 * Container mode: one bridge with the first address of the subnet, and per group a network
 * namespace with one end of a veth pair as eth0. The host reaches every group through the
 * bridge; there is no way out into other networks. See box_parts.h.
 *
 * A namespace has no name: it lives as long as ecisim holds its descriptor or a container runs
 * in it, so a killed ecisim leaves none behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "box_parts.h"
#include "settings.h"
#include "stock.h"

static int lock_fd = -1;

static int run_ip(const char *batch)
{
    static const char *const argv[] = {"ip", "-batch", "-", NULL};
    return job_run(argv, batch, -1, 2);
}

static void delete_bridge(void)
{
    const char *const argv[] = {"ip", "link", "delete", settings.bridge, NULL};
    job_run(argv, NULL, -1, -1);
}

/* Whoever holds this name owns the bridge; it goes away with the process, however it ends. */
static bool take_lock(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int bytes = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "ecisim/%s", settings.bridge);
    lock_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(lock_fd, (struct sockaddr *)&name,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)bytes)) != 0) {
        close(lock_fd);
        lock_fd = -1;
        return false;
    }
    return true;
}

const char *net_start(void)
{
    struct buf batch = {0};
    char address[16];
    if (strlen(settings.bridge) > 15) {
        return "--bridge: longer than 15 bytes";
    }
    if (!take_lock()) {
        return "the bridge belongs to another ecisim; give this one a --bridge and a --subnet";
    }
    delete_bridge();
    stock_address_text(address, stock_gateway());
    buf_fmt(&batch,
            "link add %s type bridge\n"
            "addr add %s/%d dev %s\n"
            "link set %s up\n",
            settings.bridge, address, stock_prefix(), settings.bridge, settings.bridge);
    int result = run_ip(batch.data);
    buf_free(&batch);
    return result == 0 ? NULL : "the bridge could not be made (are iproute2 and root there?)";
}

void net_stop(void)
{
    if (lock_fd >= 0) {
        delete_bridge();
        close(lock_fd);
        lock_fd = -1;
    }
}

/* The kernel takes the pair away with the namespace, but only after a while. */
void net_disconnect(const struct pod *pod)
{
    char name[16];
    const char *const argv[] = {"ip", "link", "delete", name, NULL};
    snprintf(name, sizeof name, "ev%08x", pod->group->address);
    job_run(argv, NULL, -1, -1);
}

int net_new(void)
{
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int fd = -1;
    if (own >= 0 && unshare(CLONE_NEWNET) == 0) {
        fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (setns(own, CLONE_NEWNET) != 0) {
            perror("ecisim: setns");
            _exit(1); /* lost in a namespace without any network */
        }
    }
    close(own);
    return fd;
}

int net_connect(const struct pod *pod)
{
    struct buf batch = {0};
    char gateway[16];
    stock_address_text(gateway, stock_gateway());
    /* Our end is named by the address, which is unique on the bridge. */
    buf_fmt(&batch, "link add ev%08x type veth peer name eth0 netns /proc/%d/fd/%d\n",
            pod->group->address, (int)getpid(), pod->net_fd);
    buf_fmt(&batch, "link set ev%08x master %s up\n", pod->group->address, settings.bridge);
    int result = run_ip(batch.data);
    if (result == 0 && setns(pod->net_fd, CLONE_NEWNET) == 0) {
        buf_clear(&batch);
        buf_fmt(&batch,
                "link set lo up\n"
                "addr add %s/%d dev eth0\n"
                "link set eth0 up\n"
                "route add default via %s\n",
                pod->group->ip, stock_prefix(), gateway);
        result = run_ip(batch.data);
        write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647", 12, 0);
    }
    buf_free(&batch);
    return result;
}
