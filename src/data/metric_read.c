/* see metric_read.h */
#include "data/metric_read.h"

#include "base/codec.h"
#include "data/group_read.h"

void metric_read_init(struct metric_read *read, json root, struct arena *arena)
{
    *read = (struct metric_read){.arena = arena,
                                 .next = json_first(json_get_nocase(root, "MonitorDatas"))};
}

static uint64_t number(json object, const char *key)
{
    int64_t value = json_i64_or(json_get_nocase(object, key), 0);
    return value > 0 ? (uint64_t)value : 0;
}

/* Sums of what others sent stay at their largest instead of wrapping. */
static void add(uint64_t *sum, uint64_t value)
{
    *sum = *sum + value < *sum ? UINT64_MAX : *sum + value;
}

static void read_usage(json object, struct metric_usage *usage)
{
    json cpu = json_get_nocase(object, "CPU");
    json memory = json_get_nocase(object, "Memory");
    *usage = (struct metric_usage){
        .nano_cores = number(cpu, "UsageNanoCores"),
        .cpu_ns = number(cpu, "UsageCoreNanoSeconds"),
        .free_bytes = number(memory, "AvailableBytes"),
        .used_bytes = number(memory, "UsageBytes"),
        .working_bytes = number(memory, "WorkingSet"),
        .rss_bytes = number(memory, "Rss"),
    };
}

static void read_network(json record, struct metric_network *network)
{
    json all = json_get_nocase(json_get_nocase(record, "Network"), "Interfaces");
    for (json one = json_first(all); json_is_there(one); one = json_next(one)) {
        add(&network->rx_bytes, number(one, "RxBytes"));
        add(&network->rx_errors, number(one, "RxErrors"));
        add(&network->tx_bytes, number(one, "TxBytes"));
        add(&network->tx_errors, number(one, "TxErrors"));
    }
}

static void read_disk(json record, struct metric_disk *disk)
{
    json all = json_get_nocase(record, "Filesystem");
    for (json one = json_first(all); json_is_there(one); one = json_next(one)) {
        add(&disk->capacity_bytes, number(one, "Capacity"));
        add(&disk->used_bytes, number(one, "Usage"));
        add(&disk->free_bytes, number(one, "Available"));
    }
}

static void read_containers(json record, struct arena *arena, struct metric_row *row)
{
    json all = json_get_nocase(record, "Containers");
    for (json one = json_first(all);
         json_is_there(one) && row->containers_count < METRIC_CONTAINERS_MAX;
         one = json_next(one)) {
        struct metric_container *container = &row->containers[row->containers_count];
        container->name = json_text(json_get_nocase(one, "Name"), arena);
        read_usage(one, &container->usage);
        row->containers_count += !str_is_empty(container->name);
    }
}

/* The newest of several records: they come in order of time. */
static json last_of(json array)
{
    json last = JSON_NONE;
    for (json one = json_first(array); json_is_there(one); one = json_next(one)) {
        last = one;
    }
    return last;
}

static bool read_row(json data, struct arena *arena, struct metric_row *row)
{
    json record = last_of(json_get_nocase(data, "Records"));
    *row = (struct metric_row){.id = json_text(json_get_nocase(data, "ContainerGroupId"), arena)};
    if (!eci_id_is_sane(row->id) || json_type(record) != JSON_TYPE_OBJECT) {
        return false;
    }
    if (!codec_get_time(json_text(json_get_nocase(record, "Timestamp"), arena), &row->at_s)) {
        row->at_s = 0;
    }
    read_usage(record, &row->usage);
    read_network(record, &row->network);
    read_disk(record, &row->disk);
    read_containers(record, arena, row);
    return true;
}

bool metric_read_next(struct metric_read *read, struct metric_row *row)
{
    while (json_is_there(read->next)) {
        json data = read->next;
        read->next = json_next(data);
        if (read_row(data, read->arena, row)) {
            return true;
        }
    }
    return false;
}
