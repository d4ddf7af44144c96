/*
 * DescribeContainerGroupStatus and DescribeContainerGroupEvents (eci-api 2.4, 2.11), with the
 * odd mixture of upper and lower case that every official SDK has.
 */
#include <stdio.h>
#include <string.h>

#include "actions.h"
#include "group.h"
#include "list.h"
#include "settings.h"

static void ktime(struct jw *jw, const char *key, int64_t wall)
{
    char text[TIME_TEXT_BYTES];
    jw_ktext(jw, key, wall > 0 ? time_text(text, wall) : "");
}

/* A UUID that belongs to the group: its id as 32 hex digits. */
static void write_head(struct jw *jw, const struct group *group)
{
    char uuid[40];
    uint64_t high = 0;
    uint64_t low = 0;
    for (const char *at = group->id; *at != '\0'; at++) {
        high = high * 31 + (unsigned char)*at;
        low = low * 131 + (unsigned char)*at;
    }
    snprintf(uuid, sizeof uuid, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16) & 0xffff, (unsigned)high & 0xfff, (unsigned)(low >> 52) & 0xfff,
             (unsigned long long)low & 0xffffffffffff);
    jw_ktext(jw, "ContainerGroupId", group->id);
    jw_ktext(jw, "Name", group->name);
    jw_ktext(jw, "Namespace", "default");
    jw_ktext(jw, "uuid", uuid);
    jw_ktext(jw, "Annotations", "{}");
}

/* ---- status ---------------------------------------------------------------------------------- */

static void write_terminated(struct jw *jw, const struct run *run)
{
    char id[96];
    snprintf(id, sizeof id, "containerd://%s", run->id);
    jw_kopen(jw, "Terminated", '{');
    jw_ktext(jw, "ContainerID", id);
    jw_klong(jw, "ExitCode", run->exit_code);
    jw_klong(jw, "Signal", run->signal);
    jw_ktext(jw, "Reason", run->reason);
    jw_ktext(jw, "Message", run->message);
    ktime(jw, "StartedAt", run->started_ms);
    ktime(jw, "FinishedAt", run->finished_ms);
    jw_close(jw, '}');
}

static void write_states(struct jw *jw, const struct container *container)
{
    const struct run *previous = container->state == WAITING ? container->now : container->last;
    jw_kopen(jw, "State", '{');
    if (container->state == TERMINATED) {
        write_terminated(jw, container->now);
    } else if (container->state == IS_RUNNING) {
        jw_kopen(jw, "Running", '{');
        ktime(jw, "StartedAtstartedAt", container->now->started_ms);
        jw_close(jw, '}');
    } else {
        jw_kopen(jw, "Waiting", '{');
        jw_ktext(jw, "Reason", container->wait_reason);
        jw_ktext(jw, "Message", container->wait_message);
        jw_close(jw, '}');
    }
    jw_close(jw, '}');
    jw_kopen(jw, "LastState", '{');
    if (previous != NULL) {
        write_terminated(jw, previous);
    }
    jw_close(jw, '}');
}

static void write_container(struct jw *jw, const struct container *container)
{
    const char *image = tree_text(container->spec, "Image");
    char image_id[320] = "";
    if (container->now != NULL) {
        snprintf(image_id, sizeof image_id, "%.240s@sha256:%.64s", image, "00");
    }
    jw_open(jw, '{');
    jw_ktext(jw, "Name", container->name);
    jw_ktext(jw, "Image", image);
    jw_ktext(jw, "ImageID", image_id);
    jw_kbool(jw, "Ready", container->is_ready);
    jw_kbool(jw, "Started", container->state == IS_RUNNING);
    jw_klong(jw, "RestartCount", container->restarts);
    write_states(jw, container);
    jw_close(jw, '}');
}

static void write_conditions(struct jw *jw, const struct group *group)
{
    static const char *const types[COND_COUNT] = {
        [COND_CREATED] = "ContainerInstanceCreated", [COND_SCHEDULED] = "PodScheduled",
        [COND_INITIALIZED] = "Initialized",          [COND_CONTAINERS_READY] = "ContainersReady",
        [COND_READY] = "Ready",
    };
    jw_kopen(jw, "Conditions", '[');
    for (int type = 0; type < COND_COUNT; type++) {
        const struct condition *condition = &group->conditions[type];
        jw_open(jw, '{');
        jw_ktext(jw, "type", types[type]);
        jw_ktext(jw, "status", condition->is_true ? "True" : "False");
        ktime(jw, "lastTransitionTime", condition->since_ms);
        jw_ktext(jw, "Reason", condition->reason);
        jw_ktext(jw, "Message", "");
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

/* As Kubernetes computes it; requests do not reach the API, so limits decide. */
static const char *qos_class(const struct group *group)
{
    bool has_all = true;
    bool has_any = false;
    for (size_t at = 0; at < group->container_count; at++) {
        const struct node *spec = group->containers[at].spec;
        bool has_cpu = tree_number(spec, "Cpu", 0) > 0;
        bool has_memory = tree_number(spec, "Memory", 0) > 0;
        has_all = has_all && has_cpu && has_memory;
        has_any = has_any || has_cpu || has_memory;
    }
    return has_all ? "Guaranteed" : has_any ? "Burstable" : "BestEffort";
}

static void write_status(struct jw *jw, const struct group *group)
{
    jw_open(jw, '{');
    write_head(jw, group);
    jw_ktext(jw, "Status", status_name(group->status));
    jw_kopen(jw, "PodStatus", '{');
    jw_ktext(jw, "Phase", status_phase(group->status));
    jw_ktext(jw, "PodIp", group->ip);
    jw_kopen(jw, "PodIps", '[');
    if (group->ip[0] != '\0') {
        jw_open(jw, '{');
        jw_ktext(jw, "Ip", group->ip);
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
    jw_ktext(jw, "HostIp", group->ip);
    jw_ktext(jw, "QosClass", qos_class(group));
    ktime(jw, "StartTime", group->created_ms);
    write_conditions(jw, group);
    jw_kopen(jw, "ContainerStatuses", '[');
    for (size_t at = group->init_count; at < group->container_count; at++) {
        write_container(jw, &group->containers[at]);
    }
    jw_close(jw, ']');
    jw_close(jw, '}');
    jw_close(jw, '}');
}

void act_status(struct call *call)
{
    struct list list;
    struct jw *jw = &call->reply;
    if (!list_groups(call, 200, 200, &list)) {
        return;
    }
    jw_ktext(jw, "NextToken", list.next);
    jw_klong(jw, "TotalCount", (long long)list.total);
    jw_kopen(jw, "Data", '[');
    for (size_t at = 0; at < list.count; at++) {
        write_status(jw, list.rows[at]);
    }
    jw_close(jw, ']');
}

/* ---- events ---------------------------------------------------------------------------------- */

static void write_event(struct jw *jw, const struct group *group, const struct event *event)
{
    char name[192];
    snprintf(name, sizeof name, "%s.%08x", group->name, event->id);
    jw_open(jw, '{');
    jw_ktext(jw, "Type", event->type);
    jw_ktext(jw, "Reason", event->reason);
    jw_ktext(jw, "Message", event->message);
    jw_klong(jw, "Count", event->count);
    ktime(jw, "FirstTimestamp", event->first_ms);
    ktime(jw, "LastTimestamp", event->last_ms);
    jw_ktext(jw, "ReportingComponent", event->component);
    jw_ktext(jw, "ReportingInstance", group->id);
    jw_kopen(jw, "Source", '{');
    jw_ktext(jw, "Component", event->component);
    jw_ktext(jw, "Host", group->id);
    jw_close(jw, '}');
    jw_kopen(jw, "Metadata", '{');
    jw_ktext(jw, "Name", name);
    jw_ktext(jw, "Namespace", "default");
    jw_close(jw, '}');
    jw_kopen(jw, "involvedObject", '{');
    jw_ktext(jw, "ApiVersion", "v1");
    jw_ktext(jw, "Kind", "Pod");
    jw_ktext(jw, "Name", group->name);
    jw_ktext(jw, "Namespace", "default");
    jw_ktext(jw, "Uid", group->id);
    jw_close(jw, '}');
    jw_close(jw, '}');
}

static bool is_wanted(const struct call *call, const struct event *event)
{
    const char *source = call_param(call, "EventSource");
    long long since_s = tree_long(call->params, "SinceSecond", 0);
    bool is_service = text_is(event->component, "EciService");
    return (source == NULL || text_is(source, "EciService") == is_service) &&
           (since_s <= 0 || event->last_ms >= wall_ms() - 1000 * since_s);
}

static bool has_wanted(const struct call *call, const struct group *group)
{
    for (size_t at = 0; at < group->event_count; at++) {
        if (is_wanted(call, &group->events[at])) {
            return true;
        }
    }
    return false;
}

void act_events(struct call *call)
{
    struct list list;
    struct jw *jw = &call->reply;
    if (!text_is_any(call_param(call, "EventSource"), "EciService|K8sAgent") &&
        call_param(call, "EventSource") != NULL) {
        call_fail(call, CODE_INVALID, "The specified parameter EventSource is not valid.");
        return;
    }
    if (!list_groups(call, 200, 200, &list)) {
        return;
    }
    jw_klong(jw, "TotalCount", (long long)list.total);
    jw_kopen(jw, "Data", '[');
    for (size_t row = 0; row < list.count; row++) {
        const struct group *group = list.rows[row];
        if (!has_wanted(call, group)) {
            continue;
        }
        jw_open(jw, '{');
        write_head(jw, group);
        jw_kopen(jw, "Events", '[');
        for (size_t at = 0; at < group->event_count; at++) {
            if (is_wanted(call, &group->events[at])) {
                write_event(jw, group, &group->events[at]);
            }
        }
        jw_close(jw, ']');
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}
