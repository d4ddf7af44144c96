/*
 * DescribeContainerGroupMetric and DescribeMultiContainerGroupMetric (eci-api 2.10). There is
 * always just the newest sample; it is taken when it is asked for.
 */
#include <stdio.h>
#include <string.h>

#include "actions.h"
#include "group.h"
#include "list.h"
#include "runtime.h"
#include "settings.h"

#define GIB 1073741824.0
#define DISK_BYTES (30ll << 30) /* the free ephemeral space, eci-api 4.4 */

/* The rate since the last sample of this container. */
static unsigned long long nano_cores(struct container *container, unsigned long long cpu_ns)
{
    int64_t now_ms = clock_ms();
    int64_t passed_ms = now_ms - container->sample_ms;
    unsigned long long rate = container->sample_rate;
    if (container->sample_ms == 0 && container->now != NULL) {
        passed_ms = wall_ms() - container->now->started_ms;
        container->sample_cpu_ns = 0;
    }
    if (cpu_ns < container->sample_cpu_ns) {
        container->sample_cpu_ns = 0; /* it was started anew */
    }
    if (passed_ms >= 500) {
        rate = (cpu_ns - container->sample_cpu_ns) * 1000 / (unsigned long long)passed_ms;
        container->sample_ms = now_ms;
        container->sample_cpu_ns = cpu_ns;
        container->sample_rate = rate;
    }
    return rate;
}

static void write_cpu(struct jw *jw, unsigned long long rate, unsigned long long cpu_ns,
                      double limit)
{
    jw_kopen(jw, "CPU", '{');
    jw_klong(jw, "UsageNanoCores", (long long)rate);
    jw_klong(jw, "UsageCoreNanoSeconds", (long long)cpu_ns);
    jw_klong(jw, "Load", 0);
    jw_klong(jw, "Limit", (long long)(1000 * limit));
    jw_close(jw, '}');
}

static void write_memory(struct jw *jw, const struct usage *usage, double limit_gib)
{
    long long limit = (long long)(limit_gib * GIB);
    long long free_bytes = limit - (long long)usage->working_set_bytes;
    jw_kopen(jw, "Memory", '{');
    jw_klong(jw, "AvailableBytes", free_bytes < 0 ? 0 : free_bytes);
    jw_klong(jw, "UsageBytes", (long long)usage->memory_bytes);
    jw_klong(jw, "Cache", (long long)usage->cache_bytes);
    jw_klong(jw, "Rss", (long long)usage->rss_bytes);
    jw_klong(jw, "WorkingSet", (long long)usage->working_set_bytes);
    jw_close(jw, '}');
}

static void write_containers(struct jw *jw, struct group *group, struct usage *sum,
                             unsigned long long *rate_sum)
{
    jw_kopen(jw, "Containers", '[');
    for (size_t at = group->init_count; at < group->container_count; at++) {
        struct container *container = &group->containers[at];
        double cpu = tree_number(container->spec, "Cpu", 0);
        double memory = tree_number(container->spec, "Memory", 0);
        if (container->state != IS_RUNNING) {
            continue;
        }
        struct usage usage = runtime->usage(container);
        unsigned long long rate = nano_cores(container, usage.cpu_ns);
        *rate_sum += rate;
        sum->cpu_ns += usage.cpu_ns;
        sum->memory_bytes += usage.memory_bytes;
        sum->cache_bytes += usage.cache_bytes;
        sum->rss_bytes += usage.rss_bytes;
        sum->working_set_bytes += usage.working_set_bytes;
        sum->read_bytes += usage.read_bytes;
        sum->read_calls += usage.read_calls;
        sum->written_bytes += usage.written_bytes;
        sum->write_calls += usage.write_calls;
        jw_open(jw, '{');
        jw_ktext(jw, "Name", container->name);
        write_cpu(jw, rate, usage.cpu_ns, cpu > 0 ? cpu : group->size.cpu);
        write_memory(jw, &usage, memory > 0 ? memory : group->size.memory);
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

static void write_network(struct jw *jw, const struct group *group)
{
    struct traffic traffic = runtime->traffic(group);
    jw_kopen(jw, "Network", '{');
    jw_kopen(jw, "Interfaces", '[');
    jw_open(jw, '{');
    jw_ktext(jw, "Name", "eth0");
    jw_klong(jw, "RxBytes", (long long)traffic.rx_bytes);
    jw_klong(jw, "RxPackets", (long long)traffic.rx_packets);
    jw_klong(jw, "RxErrors", (long long)traffic.rx_errors);
    jw_klong(jw, "RxDrops", (long long)traffic.rx_drops);
    jw_klong(jw, "TxBytes", (long long)traffic.tx_bytes);
    jw_klong(jw, "TxPackets", (long long)traffic.tx_packets);
    jw_klong(jw, "TxErrors", (long long)traffic.tx_errors);
    jw_klong(jw, "TxDrops", (long long)traffic.tx_drops);
    jw_close(jw, '}');
    jw_close(jw, ']');
    jw_close(jw, '}');
}

static void write_storage(struct jw *jw, const struct group *group, const struct usage *sum,
                          bool is_multi)
{
    long long used = (long long)runtime->disk_bytes(group);
    jw_kopen(jw, "Disk", '[');
    jw_open(jw, '{');
    jw_ktext(jw, "Device", "/dev/vda");
    jw_klong(jw, "ReadBytes", (long long)sum->read_bytes);
    jw_klong(jw, "WriteBytes", (long long)sum->written_bytes);
    jw_klong(jw, is_multi ? "ReadIo" : "ReadIO", (long long)sum->read_calls);
    jw_klong(jw, is_multi ? "WriteIo" : "WriteIO", (long long)sum->write_calls);
    jw_close(jw, '}');
    jw_close(jw, ']');
    jw_kopen(jw, "Filesystem", '[');
    jw_open(jw, '{');
    jw_ktext(jw, "FsName", "/dev/vda1");
    jw_klong(jw, "Capacity", DISK_BYTES);
    jw_klong(jw, "Usage", used);
    jw_klong(jw, "Available", used < DISK_BYTES ? DISK_BYTES - used : 0);
    if (!is_multi) {
        jw_ktext(jw, "Category", "System");
    }
    jw_close(jw, '}');
    jw_close(jw, ']');
}

static void write_records(struct jw *jw, struct group *group, bool is_multi)
{
    struct usage sum = {0};
    unsigned long long rate = 0;
    char text[TIME_TEXT_BYTES];
    jw_kopen(jw, "Records", '[');
    if (group->status == RUNNING) {
        jw_open(jw, '{');
        jw_ktext(jw, "Timestamp", time_text(text, wall_ms()));
        write_containers(jw, group, &sum, &rate);
        write_cpu(jw, rate, sum.cpu_ns, group->size.cpu);
        write_memory(jw, &sum, group->size.memory);
        write_network(jw, group);
        write_storage(jw, group, &sum, is_multi);
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

void act_metric(struct call *call)
{
    struct group *group = group_find(call_param(call, "ContainerGroupId"));
    int64_t when_ms = 0;
    if ((call_param(call, "StartTime") != NULL &&
         !time_parse(call_param(call, "StartTime"), &when_ms)) ||
        (call_param(call, "EndTime") != NULL &&
         !time_parse(call_param(call, "EndTime"), &when_ms)) ||
        (call_param(call, "Period") != NULL &&
         !text_is_any(call_param(call, "Period"), "15|30|60|600"))) {
        call_fail(call, CODE_INVALID, "StartTime, EndTime or Period is not valid.");
    } else if (group == NULL) {
        call_fail(call, CODE_NOT_FOUND, NULL);
    } else {
        jw_ktext(&call->reply, "ContainerGroupId", group->id);
        write_records(&call->reply, group, false);
    }
}

void act_multi_metric(struct call *call)
{
    struct jw *jw = &call->reply;
    size_t count = 0;
    const struct node *ids = list_ids(call, call_param(call, "ContainerGroupIds"), &count);
    if (ids == NULL || count > 20) {
        call_fail(call, ids == NULL ? CODE_INVALID : CODE_EXCEEDED,
                  "The specified parameter ContainerGroupIds is not valid.");
        return;
    }
    jw_kopen(jw, "MonitorDatas", '[');
    for (const struct node *id = ids->first; id != NULL; id = id->next) {
        struct group *group = group_find(id->value);
        if (group != NULL && !call->effects.empty_list) {
            jw_open(jw, '{');
            jw_ktext(jw, "ContainerGroupId", group->id);
            write_records(jw, group, true);
            jw_close(jw, '}');
        }
    }
    jw_close(jw, ']');
}
