/*
 * group_read.h - replies about container groups, read row by row.
 *
 * A reply is walked with a cursor; each row is built in the caller's arena and lives until the
 * caller rewinds it (so one row's memory can serve the next):
 *
 *     struct group_read read;
 *     struct eci_status_row row;
 *     group_read_init(&read, reply->root, arena);
 *     size_t mark = arena_mark(arena);
 *     while (group_read_status(&read, &row)) { ...; arena_rewind(arena, mark); }
 *     is_last_page = group_read_is_whole(&read) && str_is_empty(read.next_token);
 *
 * Keys are matched without regard to case, and the spellings startedAt / StartedAtstartedAt,
 * podIP / PodIp, podIPs[].ip etc. are all understood (eci-api 2.4, A-11).
 *
 * What arrives is not trusted. A row without id, with members of a wrong type, or larger than the
 * limits of group_rows.h is skipped and counted in rows_bad: it says nothing about its group, in
 * particular not that it is gone. A row that does not fit into the arena is skipped and counted in
 * rows_lost. Unknown members are ignored; a member that is absent or null is empty; a time that is
 * no RFC 3339 time is 0. Numbers and booleans may also come as text.
 */
#ifndef ECILET_DATA_GROUP_READ_H
#define ECILET_DATA_GROUP_READ_H

#include "data/group_rows.h"
#include "data/json_read.h"

struct group_read {
    str next_token;      /* empty: no further page. Borrowed like all texts */
    int64_t total_count; /* TotalCount, -1 when absent */
    bool has_list;       /* the list was there; a missing one is empty if TotalCount is 0 */
    uint32_t rows_good;  /* so far */
    uint32_t rows_bad;
    uint32_t rows_lost;
    /* the reader's own */
    struct arena *arena;
    json root;
    json next; /* the element to read next */
    bool is_started;
    bool head_is_bad;
};

void group_read_init(struct group_read *read, json root, struct arena *arena);

/*
 * The next good row; false at the end of the list. One cursor reads one kind of row.
 *
 * status   Data[] of DescribeContainerGroupStatus
 * group    ContainerGroups[] of DescribeContainerGroups
 * events   Data[] of DescribeContainerGroupEvents
 */
bool group_read_status(struct group_read *read, struct eci_status_row *row);
bool group_read_group(struct group_read *read, struct eci_group_row *row);
bool group_read_events(struct group_read *read, struct eci_events_row *row);

/* After the last row: the list was there and every element of it became a row. Only then may
 * absence from the list mean anything. */
bool group_read_is_whole(const struct group_read *read);

/* ContainerGroupId of a CreateContainerGroup reply; STR_NONE when it is not there or no id. */
str group_read_created_id(json root, struct arena *arena);

/* Letters, digits, '.', '_', '-'; not empty, at most ECI_ID_BYTES_MAX: safe to put anywhere. */
bool eci_id_is_sane(str id);

/* Names of ContainerGroup.Status, without regard to case; ECI_STATUS_UNKNOWN for all others. */
enum eci_status eci_status_parse(str text);
const char *eci_status_name(enum eci_status status); /* never NULL, for any value */

#endif
