/*
 * uninstall_cloud.h - how many instances of this node are in the cloud. Read only: an answer for
 * the operator who uninstalls, never a reason to do anything.
 */
#ifndef ECILET_APP_UNINSTALL_CLOUD_H
#define ECILET_APP_UNINSTALL_CLOUD_H

#include "data/group_rows.h"
#include "eci/eci_call.h"

#define UNINSTALL_CLOUD_SHOWN 5 /* instances that are named */
#define UNINSTALL_CLOUD_ROWS 100
#define UNINSTALL_CLOUD_PAGES_MAX 200 /* more: "at least" */
#define UNINSTALL_CLOUD_TOKEN_BYTES 1024

struct uninstall_cloud {
    struct eci_client *client;
    struct arena *arena;
    str cluster_id, node_name;
    struct buf *out;
    char next_token[UNINSTALL_CLOUD_TOKEN_BYTES];
    char ids[UNINSTALL_CLOUD_SHOWN][ECI_ID_BYTES_MAX + 1];
    uint32_t pages;
    /* for reading */
    uint32_t count;
    bool is_done;
    bool is_whole; /* every page was read */
};

/* Asks; one line goes into out before is_done. The struct's first five members are set by the
 * caller, the rest is zero. */
void uninstall_cloud_start(struct uninstall_cloud *cloud);

#endif
