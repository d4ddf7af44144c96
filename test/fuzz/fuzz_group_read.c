/*
 * Replies about container groups from anybody: read as each kind of row, in an arena that may be
 * too small. Every text handed out must be readable memory, and what is not whole must say so.
 */
#include "base/check.h"
#include "data/group_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static _Alignas(16) char memory[1 << 20];
static volatile unsigned char sink;

static void touch(str s)
{
    for (size_t i = 0; i < s.bytes; i++) {
        sink ^= (unsigned char)s.ptr[i];
    }
}

static void touch_state(const struct eci_state *state)
{
    CHECK(state->kind < ECI_STATE_COUNT);
    CHECK(state->message.bytes <= ECI_MESSAGE_BYTES_MAX);
    touch(state->reason);
    touch(state->message);
    touch(state->detail_status);
    touch(state->container_id);
}

static void touch_containers(const struct eci_container *containers, uint32_t count)
{
    CHECK(count <= ECI_CONTAINERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(containers[i].name.bytes > 0 && containers[i].restarts >= 0);
        touch(containers[i].name);
        touch(containers[i].image);
        touch(containers[i].image_id);
        touch_state(&containers[i].now);
        touch_state(&containers[i].last);
    }
}

static void touch_events(const struct eci_event *events, uint32_t count)
{
    CHECK(count <= ECI_EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(events[i].count >= 1 && events[i].reason.bytes > 0);
        touch(events[i].name);
        touch(events[i].type);
        touch(events[i].reason);
        touch(events[i].message);
        touch(events[i].component);
        touch(events[i].host);
    }
}

static bool next_status(struct group_read *read)
{
    struct eci_status_row row;
    if (!group_read_status(read, &row)) {
        return false;
    }
    CHECK(eci_id_is_sane(row.id) && row.status < ECI_STATUS_COUNT);
    touch(row.name);
    touch(row.name_space);
    touch(row.uuid);
    touch(row.status_text);
    touch(row.phase);
    touch(row.qos_class);
    touch(row.host_ip);
    touch(row.pod_ip);
    for (uint32_t i = 0; i < row.pod_ips_count; i++) {
        touch(row.pod_ips[i]);
    }
    for (uint32_t i = 0; i < row.conditions_count; i++) {
        touch(row.conditions[i].type);
        touch(row.conditions[i].status);
        touch(row.conditions[i].reason);
        touch(row.conditions[i].message);
    }
    touch_containers(row.containers, row.containers_count);
    return true;
}

static bool next_group(struct group_read *read)
{
    struct eci_group_row row;
    if (!group_read_group(read, &row)) {
        return false;
    }
    CHECK(eci_id_is_sane(row.id) && row.cpu_milli >= 0 && row.memory_mib >= 0);
    touch(row.name);
    touch(row.status_text);
    touch(row.zone_id);
    touch(row.eni_id);
    touch(eci_group_tag(&row, S("PodName")));
    touch_containers(row.containers, row.containers_count);
    touch_containers(row.init_containers, row.init_containers_count);
    touch_events(row.events, row.events_count);
    return true;
}

static bool next_events(struct group_read *read)
{
    struct eci_events_row row;
    if (!group_read_events(read, &row)) {
        return false;
    }
    CHECK(eci_id_is_sane(row.id));
    touch(row.name);
    touch(row.uuid);
    touch_events(row.events, row.events_count);
    return true;
}

/* The first byte sizes what is left of the arena for rows: from almost nothing to plenty. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool (*const kinds[])(struct group_read *) = {next_status, next_group, next_events};
    struct arena arena, rows;
    json root;
    if (bytes == 0) {
        return 0;
    }
    arena_init(&arena, memory, sizeof memory / 2);
    if (json_parse(str_make((const char *)data + 1, bytes - 1), &arena, &root, NULL) != ERR_OK) {
        return 0;
    }
    for (size_t kind = 0; kind < 3; kind++) {
        struct group_read read;
        uint32_t rows_count = 0;
        arena_init(&rows, memory + sizeof memory / 2, (size_t)(data[0] + 1) * 2048);
        group_read_init(&read, root, &rows);
        while (kinds[kind](&read)) {
            rows_count++;
        }
        CHECK(read.rows_good == rows_count);
        CHECK(!group_read_is_whole(&read) || (read.rows_bad == 0 && read.rows_lost == 0));
        touch(read.next_token);
        touch(group_read_created_id(root, &rows));
    }
    return 0;
}
