/*
 * metric_read.h - replies of DescribeMultiContainerGroupMetric (eci-api 2.10), row by row: the
 * newest record of each group. Works as group_read.h does; rows without a record, or
 * without an id that is one (eci_id_is_sane), are skipped, numbers that are absent, negative or no
 * numbers are 0, keys are matched without regard to case.
 */
#ifndef ECILET_DATA_METRIC_READ_H
#define ECILET_DATA_METRIC_READ_H

#include "data/json_read.h"

#define METRIC_CONTAINERS_MAX 20 /* of a group (eci-api 4); further ones are left out */

/* What a container, or a whole group, uses. */
struct metric_usage {
    uint64_t nano_cores;    /* now */
    uint64_t cpu_ns;        /* ever */
    uint64_t free_bytes;    /* memory below the limit */
    uint64_t used_bytes;    /* memory with caches */
    uint64_t working_bytes; /* memory without what can be dropped */
    uint64_t rss_bytes;
};

struct metric_disk {
    uint64_t capacity_bytes, used_bytes, free_bytes;
};

struct metric_network {
    uint64_t rx_bytes, rx_errors, tx_bytes, tx_errors; /* all interfaces together */
};

struct metric_container {
    str name; /* never empty */
    struct metric_usage usage;
};

struct metric_row {
    str id; /* of the group; a sane one */
    int64_t at_s;
    struct metric_usage usage;
    struct metric_network network;
    struct metric_disk disk; /* all file systems together */
    struct metric_container containers[METRIC_CONTAINERS_MAX];
    uint32_t containers_count;
};

struct metric_read {
    struct arena *arena;
    json next;
};

void metric_read_init(struct metric_read *read, json root, struct arena *arena);
bool metric_read_next(struct metric_read *read, struct metric_row *row);

#endif
