/*
 * wire_status.c - what is told to the operator: `ecilet status` on this machine (a socket in the
 * file system), and SIGUSR1 into the log.
 *
 * Each pod that does not simply run is shown with the sentence of the rule that holds it
 * (core/pod_rules.c) and what was last said about it. The text is made when somebody asks, in
 * memory of its own; a reader that does not read is cut off.
 */
#include "app/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "data/group_read.h"
#include "os/heap.h"
#include "os/os.h"
#include "os/sock.h"

#define STATUS_BYTES (64 * 1024) /* as much as `ecilet status` shows; the rest is counted */
#define STATUS_LINE_BYTES 1024   /* the longest line about a pod */
#define STATUS_PATIENCE_MS 5000  /* a reader that takes nothing for so long is cut off */
#define STATUS_PAUSE_MS 1000     /* no descriptor is free: nobody is let in for so long */
#define STATUS_LOG_LINES_MAX 50  /* SIGUSR1: lines about pods */

/* ---- the text -------------------------------------------------------------------------------- */

static void put_cloud(const struct wire *wire, struct buf *out)
{
    const struct brain *brain = &wire->brain;
    if (brain->counters.sweeps + brain->counters.deltas == 0 && brain->cloud.is_reachable) {
        buf_put_text(out, "cloud      not asked yet\n");
    } else if (brain->cloud.is_reachable) {
        buf_put_fmt(out, "cloud      reachable; complete listings: %llu\n",
                    (unsigned long long)brain->counters.sweeps);
    } else {
        buf_put_fmt(out, "cloud      unreachable for %lld s: %s\n",
                    (long long)((wire_now_ms(wire) - brain->cloud.changed_at_ms) / 1000),
                    brain->cloud.message);
    }
}

static void put_node(const struct wire *wire, struct buf *out)
{
    const struct wire_leader *leader = &wire->leader;
    buf_put_fmt(out, "node       %s, %s\n", wire->config->node_name.ptr,
                wire->node.is_registered ? "registered"
                : leader_may_act(wire)   ? "not registered yet"
                                         : "waiting to lead");
    if (leader->is_wanted) {
        buf_put_fmt(out, "leader     %s%s\n", leader_may_act(wire) ? "this gateway, " : "not ",
                    leader->identity);
    }
    msec renewed_ms = wire->node.lease.renewed_at_ms;
    if (renewed_ms != 0) {
        buf_put_fmt(out, "heartbeat  %lld s ago\n",
                    (long long)((wire_now_ms(wire) - renewed_ms) / 1000));
    }
}

static void put_numbers(const struct wire *wire, struct buf *out)
{
    const struct brain *brain = &wire->brain;
    struct heap_stats heap;
    heap_stats(&heap);
    buf_put_fmt(out,
                "pods       %u of at most %u\ngroups     %u of at most %u\n"
                "done       created %llu, deleted %llu, statuses %llu, objects removed %llu\n"
                "memory     resident %zu KiB, library heap %zu of %zu KiB\n"
                "cpu        %llu ms\n",
                brain->pods.count, brain->pods.count_max, brain->groups.count,
                brain->groups.count_max, (unsigned long long)brain->counters.effects[EFFECT_CREATE],
                (unsigned long long)brain->counters.effects[EFFECT_DELETE],
                (unsigned long long)brain->counters.effects[EFFECT_PATCH],
                (unsigned long long)brain->counters.effects[EFFECT_FINISH],
                os_resident_bytes() / 1024, heap.bytes_used / 1024, heap.bytes_max / 1024,
                (unsigned long long)(os_cpu_us() / 1000));
    if (brain->pods_were_refused) {
        buf_put_text(out, "full       pods are left out until a slot is free; raise PODS_MAX\n");
    }
    if (wire->pods_unreadable > 0) {
        buf_put_fmt(out, "unreadable pod objects that could not be taken so far: %llu\n",
                    (unsigned long long)wire->pods_unreadable);
    }
    if (brain->brake_is_on) {
        buf_put_text(out, "brake      ON: too many container groups without a pod; none of them is "
                          "deleted\n");
    }
}

static void put_head(const struct wire *wire, struct buf *out)
{
    buf_put_fmt(out, "ecilet     %s, cluster %s, cloud %s\n", ECILET_VERSION, wire->auth.url,
                wire->config->eci_endpoint.ptr);
    put_node(wire, out);
    put_cloud(wire, out);
    put_numbers(wire, out);
}

/* Runs, or has ended, and nothing is wanted of it. */
static bool is_quiet(const struct brain *brain, const struct pod *pod)
{
    const struct group *group = brain_group(brain, pod->group);
    bool runs = group != NULL && group->status == ECI_STATUS_RUNNING && !pod->is_leaving;
    return runs || pod_phase_is_terminal(pod->phase);
}

static void put_pod(const struct brain *brain, const struct pod *pod, struct buf *out)
{
    const struct group *group = brain_group(brain, pod->group);
    buf_put_fmt(
        out, "%s/%s %s %s: %s%s%s%s%s", pod->name_space, pod->name, group != NULL ? group->id : "-",
        group != NULL ? eci_status_name(group->status) : "-", brain_pod_why(pod),
        group != NULL ? "; of the group: " : "", group != NULL ? brain_group_why(group) : "",
        pod->message[0] != '\0' ? "; " : "", pod->message);
}

static void put_pods(const struct brain *brain, struct buf *out)
{
    if (brain->only_looks) {
        buf_put_text(out, "\nthis gateway waits; the one that leads tells what pods wait for\n");
        return;
    }
    uint32_t shown = 0, left = 0;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        size_t room;
        (void)buf_tail(out, &room);
        if (is_quiet(brain, pod)) {
            continue;
        }
        if (room < STATUS_LINE_BYTES) {
            left++;
            continue;
        }
        buf_put_text(out, shown++ == 0 ? "\npods that do not simply run:\n  " : "  ");
        put_pod(brain, pod, out);
        buf_put_char(out, '\n');
    }
    if (left > 0) {
        buf_put_fmt(out, "  ... and %u more\n", left);
    }
}

void wire_report(struct wire *wire)
{
    const struct brain *brain = &wire->brain;
    char memory[STATUS_LINE_BYTES * 2];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    put_head(wire, &out);
    str rest = buf_str(&out), line;
    while (str_cut(&rest, '\n', &line)) {
        log_line(LOG_INFO, "report", "%.*s", STR_ARG(line));
    }
    uint32_t shown = 0;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h) && shown < STATUS_LOG_LINES_MAX;
         h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        if (!is_quiet(brain, pod)) {
            buf_clear(&out);
            put_pod(brain, pod, &out);
            log_line(LOG_INFO, "report", "%.*s", STR_ARG(buf_str(&out)));
            shown++;
        }
    }
}

/* ---- the socket ------------------------------------------------------------------------------ */

static void hang_up(struct wire *wire)
{
    struct wire_status *status = &wire->status;
    loop_timer_clear(wire->loop, &status->timer);
    loop_watch_remove(wire->loop, &status->peer);
    sock_close(&status->peer_fd);
    if (status->listener_fd >= 0) {
        loop_watch_set(wire->loop, &status->listener, LOOP_READ);
    }
}

/* Or the pause of the listener is over. */
static void on_impatient(struct loop_timer *timer)
{
    hang_up(timer->owner);
}

static void on_peer(struct loop_watch *watch, uint32_t events)
{
    struct wire *wire = watch->owner;
    struct wire_status *status = &wire->status;
    (void)events;
    size_t done = 0;
    str rest = str_sub(buf_str(&status->text), status->sent_bytes, status->text.bytes);
    enum err err =
        rest.bytes > 0 ? sock_send(status->peer_fd, rest.ptr, rest.bytes, &done) : ERR_OK;
    status->sent_bytes += done;
    if (err == ERR_OK && status->sent_bytes < status->text.bytes) {
        loop_timer_set(wire->loop, &status->timer, wire_now_ms(wire) + STATUS_PATIENCE_MS);
    } else if (err != ERR_AGAIN) {
        hang_up(wire); /* all is said, or nobody listens */
    }
}

static void on_listener(struct loop_watch *watch, uint32_t events)
{
    struct wire *wire = watch->owner;
    struct wire_status *status = &wire->status;
    (void)events;
    enum err err = sock_accept(status->listener_fd, &status->peer_fd, NULL);
    if (err == ERR_AGAIN) {
        return; /* gone again */
    }
    if (err != ERR_OK) { /* it would be told in every turn */
        loop_watch_set(wire->loop, &status->listener, 0);
        loop_timer_set(wire->loop, &status->timer, wire_now_ms(wire) + STATUS_PAUSE_MS);
        return;
    }
    buf_clear(&status->text);
    put_head(wire, &status->text);
    put_pods(&wire->brain, &status->text);
    status->sent_bytes = 0;
    if (loop_watch_add(wire->loop, &status->peer, status->peer_fd, LOOP_WRITE, on_peer, wire) !=
        ERR_OK) {
        sock_close(&status->peer_fd);
        return;
    }
    loop_watch_set(wire->loop, &status->listener, 0);
    loop_timer_set(wire->loop, &status->timer, wire_now_ms(wire) + STATUS_PATIENCE_MS);
}

void status_init(struct wire *wire, struct region *region)
{
    struct wire_status *status = &wire->status;
    char *memory = region_carve(region, "status text", 1, STATUS_BYTES);
    status->listener_fd = status->peer_fd = -1;
    loop_timer_init(&status->timer, on_impatient, wire);
    if (memory != NULL) { /* not in the planning pass */
        buf_init(&status->text, memory, STATUS_BYTES);
    }
}

void status_start(struct wire *wire)
{
    struct wire_status *status = &wire->status;
    const char *path = wire->config->status_socket.ptr;
    enum err err = sock_local_listen(path, &status->listener_fd);
    if (err == ERR_OK) {
        err = loop_watch_add(wire->loop, &status->listener, status->listener_fd, LOOP_READ,
                             on_listener, wire);
    }
    if (err != ERR_OK) {
        log_line(LOG_WARN, "start", "STATUS_SOCKET %s: %s; `ecilet status` will not work", path,
                 err == ERR_BUSY      ? "another ecilet listens there"
                 : err == ERR_TOO_BIG ? "the path is too long for a socket"
                                      : strerror(errno));
        sock_close(&status->listener_fd);
    }
}

void status_stop(struct wire *wire)
{
    struct wire_status *status = &wire->status;
    hang_up(wire);
    if (status->listener_fd >= 0) {
        loop_watch_remove(wire->loop, &status->listener);
        sock_close(&status->listener_fd);
    }
}
