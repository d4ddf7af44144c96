/*
 * What makes containers run: pretended by timers (runtime_state.c) or real with runc (box.c).
 *
 * The rules of life.c ask through these functions and are told what happened through the
 * life_ functions in life.h, at once or later.
 */
#ifndef ECISIM_RUNTIME_H
#define ECISIM_RUNTIME_H

#include "call.h"
#include "group.h"
#include "session.h"

struct usage {
    unsigned long long cpu_ns; /* since it started */
    unsigned long long memory_bytes;
    unsigned long long cache_bytes;
    unsigned long long rss_bytes;
    unsigned long long working_set_bytes;
    unsigned long long read_bytes, read_calls; /* of the disk */
    unsigned long long written_bytes, write_calls;
};

struct traffic {
    unsigned long long rx_bytes, rx_packets, rx_errors, rx_drops;
    unsigned long long tx_bytes, tx_packets, tx_errors, tx_drops;
};

struct runtime {
    /* Make what the containers of the group share; answered by life_set_up. */
    void (*group_set_up)(struct group *group);
    /* Release it; every container has ended. Answered by life_torn_down, unless is_final. */
    void (*group_tear_down)(struct group *group);
    /* Release it at once, with whatever still runs; nothing is reported. */
    void (*group_drop)(struct group *group);
    /* Empty the emptyDir volumes (RestartContainerGroup). */
    void (*group_wipe)(struct group *group);
    /* Answered by life_started, then one day life_ended; or by life_ended alone. */
    void (*container_start)(struct container *container);
    /* End it: preStop hook, SIGTERM, and SIGKILL when grace_ms are over. -> life_ended */
    void (*container_stop)(struct container *container, int64_t grace_ms);
    /* Run a command and wait: finishes the call. */
    void (*exec_sync)(struct call *call, struct container *container, const struct node *command);
    /*
     * An exec session whose WebSocket is there: sets session->run, then session_output() as it
     * comes and session_ended() at the end. exec_cancel: the peer has gone.
     */
    void (*exec_start)(struct session *session, struct container *container);
    void (*exec_input)(struct session *session, const char *data, size_t bytes);
    void (*exec_input_end)(struct session *session); /* no more will come */
    void (*exec_resize)(struct session *session, int width, int height);
    void (*exec_cancel)(struct session *session);
    /* What a container or the network of a group has used so far; zero when nothing is known. */
    struct usage (*usage)(const struct container *container);
    struct traffic (*traffic)(const struct group *group);
    /* What its containers and volumes take of the disk now. */
    unsigned long long (*disk_bytes)(const struct group *group);
};

extern const struct runtime *runtime;
extern const struct runtime runtime_state;
extern const struct runtime runtime_box;

#endif
