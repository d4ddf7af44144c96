/*
 * DescribeContainerGroups (eci-api 2.3). Requests are singular and dotted, replies plural and
 * partly flat: the tables below say which becomes which.
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
    if (wall > 0) {
        jw_ktext(jw, key, time_text(text, wall));
    }
}

/* Copy a parameter under another name, when it is there. */
static void copy_text(struct jw *jw, const char *key, const struct node *node, const char *path)
{
    const char *text = tree_text(node, path);
    if (text != NULL) {
        jw_ktext(jw, key, text);
    }
}

static void copy_long(struct jw *jw, const char *key, const struct node *node, const char *path)
{
    const char *text = tree_text(node, path);
    if (text != NULL && text[0] != '\0') {
        jw_klong(jw, key, tree_long(node, path, 0));
    }
}

static void copy_bool(struct jw *jw, const char *key, const struct node *node, const char *path)
{
    jw_kbool(jw, key, tree_true(node, path));
}

/* ---- containers ------------------------------------------------------------------------------ */

static void write_run(struct jw *jw, const struct run *run)
{
    jw_ktext(jw, "State", "Terminated");
    jw_ktext(jw, "Reason", run->reason);
    jw_ktext(jw, "DetailStatus", "");
    if (run->message != NULL) {
        jw_ktext(jw, "Message", run->message);
    }
    ktime(jw, "StartTime", run->started_ms);
    ktime(jw, "FinishTime", run->finished_ms);
    jw_klong(jw, "ExitCode", run->exit_code);
    jw_klong(jw, "Signal", run->signal);
}

static void write_states(struct jw *jw, const struct container *container)
{
    const struct run *previous = container->state == WAITING ? container->now : container->last;
    jw_kopen(jw, "CurrentState", '{');
    if (container->state == TERMINATED) {
        write_run(jw, container->now);
    } else if (container->state == IS_RUNNING) {
        jw_ktext(jw, "State", "Running");
        jw_ktext(jw, "DetailStatus", "");
        ktime(jw, "StartTime", container->now->started_ms);
    } else {
        jw_ktext(jw, "State", "Waiting");
        jw_ktext(jw, "Reason", container->wait_reason);
        jw_ktext(jw, "Message", container->wait_message);
    }
    jw_close(jw, '}');
    jw_kopen(jw, "PreviousState", '{');
    if (previous != NULL) {
        write_run(jw, previous);
    }
    jw_close(jw, '}');
}

static void write_probe(struct jw *jw, const struct node *container, const char *name)
{
    const struct node *probe = tree_find(container, name);
    if (probe == NULL) {
        return;
    }
    jw_kopen(jw, name, '{');
    jw_klong(jw, "InitialDelaySeconds", tree_long(probe, "InitialDelaySeconds", 0));
    jw_klong(jw, "PeriodSeconds", tree_long(probe, "PeriodSeconds", 10));
    jw_klong(jw, "TimeoutSeconds", tree_long(probe, "TimeoutSeconds", 1));
    jw_klong(jw, "SuccessThreshold", tree_long(probe, "SuccessThreshold", 1));
    jw_klong(jw, "FailureThreshold", tree_long(probe, "FailureThreshold", 3));
    jw_klist(jw, "Execs", tree_list(probe, "Exec.Command"));
    if (tree_find(probe, "HttpGet") != NULL) {
        jw_kopen(jw, "HttpGet", '{');
        copy_text(jw, "Path", probe, "HttpGet.Path");
        copy_long(jw, "Port", probe, "HttpGet.Port");
        copy_text(jw, "Scheme", probe, "HttpGet.Scheme");
        jw_close(jw, '}');
    }
    if (tree_find(probe, "TcpSocket") != NULL) {
        jw_kopen(jw, "TcpSocket", '{');
        copy_long(jw, "Port", probe, "TcpSocket.Port");
        jw_close(jw, '}');
    }
    jw_close(jw, '}');
}

static void write_env(struct jw *jw, const struct node *spec)
{
    jw_kopen(jw, "EnvironmentVars", '[');
    const struct node *env = tree_list(spec, "EnvironmentVar");
    for (; env != NULL && !tree_true(spec, "EnvironmentVarHide"); env = env->next) {
        jw_open(jw, '{');
        copy_text(jw, "Key", env, "Key");
        if (tree_find(env, "FieldRef") != NULL) {
            jw_kopen(jw, "ValueFrom", '{');
            jw_kopen(jw, "FieldRef", '{');
            copy_text(jw, "FieldPath", env, "FieldRef.FieldPath");
            jw_close(jw, '}');
            jw_close(jw, '}');
        } else {
            jw_ktext(jw, "Value", tree_text(env, "Value"));
        }
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

static void write_mounts(struct jw *jw, const struct container *container)
{
    jw_kopen(jw, "VolumeMounts", '[');
    for (const struct node *mount = tree_list(container->spec, "VolumeMount"); mount != NULL;
         mount = mount->next) {
        jw_open(jw, '{');
        copy_text(jw, "Name", mount, "Name");
        copy_text(jw, "MountPath", mount, "MountPath");
        if (!container->is_init) {
            copy_text(jw, "SubPath", mount, "SubPath");
        }
        copy_bool(jw, "ReadOnly", mount, "ReadOnly");
        copy_text(jw, "MountPropagation", mount, "MountPropagation");
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

static void write_security(struct jw *jw, const struct node *spec)
{
    if (tree_find(spec, "SecurityContext") == NULL) {
        return;
    }
    jw_kopen(jw, "SecurityContext", '{');
    jw_kopen(jw, "Capability", '{');
    jw_klist(jw, "Adds", tree_list(spec, "SecurityContext.Capability.Add"));
    jw_close(jw, '}');
    copy_long(jw, "RunAsUser", spec, "SecurityContext.RunAsUser");
    copy_bool(jw, "ReadOnlyRootFilesystem", spec, "SecurityContext.ReadOnlyRootFilesystem");
    jw_close(jw, '}');
}

static void write_container(struct jw *jw, const struct container *container)
{
    const struct node *spec = container->spec;
    jw_open(jw, '{');
    jw_ktext(jw, "Name", container->name);
    copy_text(jw, "Image", spec, "Image");
    copy_text(jw, "ImagePullPolicy", spec, "ImagePullPolicy");
    jw_kdouble(jw, "Cpu", tree_number(spec, "Cpu", 0));
    jw_kdouble(jw, "Memory", tree_number(spec, "Memory", 0));
    jw_klong(jw, "Gpu", tree_long(spec, "Gpu", 0));
    jw_klist(jw, container->is_init ? "Command" : "Commands", tree_list(spec, "Command"));
    jw_klist(jw, "Args", tree_list(spec, "Arg"));
    copy_text(jw, "WorkingDir", spec, "WorkingDir");
    if (!container->is_init) {
        copy_bool(jw, "Stdin", spec, "Stdin");
        copy_bool(jw, "StdinOnce", spec, "StdinOnce");
        copy_bool(jw, "Tty", spec, "Tty");
        write_probe(jw, spec, "LivenessProbe");
        write_probe(jw, spec, "ReadinessProbe");
    }
    jw_kbool(jw, "Ready", container->is_ready);
    jw_klong(jw, "RestartCount", container->restarts);
    write_states(jw, container);
    jw_kopen(jw, "Ports", '[');
    for (const struct node *port = tree_list(spec, "Port"); port != NULL; port = port->next) {
        jw_open(jw, '{');
        copy_long(jw, "Port", port, "Port");
        copy_text(jw, "Protocol", port, "Protocol");
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
    write_env(jw, spec);
    write_mounts(jw, container);
    write_security(jw, spec);
    jw_close(jw, '}');
}

/* ---- the rest of a group --------------------------------------------------------------------- */

static void write_volumes(struct jw *jw, const struct node *params)
{
    static const char *const flat[][2] = {
        { "EmptyDirVolumeMedium", "EmptyDirVolume.Medium" },
        { "EmptyDirVolumeSizeLimit", "EmptyDirVolume.SizeLimit" },
        { "NFSVolumeServer", "NFSVolume.Server" },
        { "NFSVolumePath", "NFSVolume.Path" },
        { "DiskVolumeDiskId", "DiskVolume.DiskId" },
        { "DiskVolumeFsType", "DiskVolume.FsType" },
        { "FlexVolumeDriver", "FlexVolume.Driver" },
        { "FlexVolumeFsType", "FlexVolume.FsType" },
        { "FlexVolumeOptions", "FlexVolume.Options" },
    };
    jw_kopen(jw, "Volumes", '[');
    for (const struct node *volume = tree_list(params, "Volume"); volume != NULL;
         volume = volume->next) {
        jw_open(jw, '{');
        copy_text(jw, "Name", volume, "Name");
        copy_text(jw, "Type", volume, "Type");
        for (size_t at = 0; at < sizeof flat / sizeof flat[0]; at++) {
            copy_text(jw, flat[at][0], volume, flat[at][1]);
        }
        if (tree_find(volume, "NFSVolume.ReadOnly") != NULL) {
            copy_bool(jw, "NFSVolumeReadOnly", volume, "NFSVolume.ReadOnly");
        }
        jw_kopen(jw, "ConfigFileVolumeConfigFileToPaths", '[');
        for (const struct node *file = tree_list(volume, "ConfigFileVolume.ConfigFileToPath");
             file != NULL; file = file->next) {
            jw_open(jw, '{');
            copy_text(jw, "Path", file, "Path");
            copy_text(jw, "Content", file, "Content");
            jw_close(jw, '}');
        }
        jw_close(jw, ']');
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

static void write_events(struct jw *jw, const struct group *group)
{
    char name[192];
    jw_kopen(jw, "Events", '[');
    for (size_t at = 0; at < group->event_count; at++) {
        const struct event *event = &group->events[at];
        jw_open(jw, '{');
        jw_ktext(jw, "Type", event->type);
        jw_ktext(jw, "Reason", event->reason);
        jw_ktext(jw, "Message", event->message);
        snprintf(name, sizeof name, "%s.%08x", group->name, event->id);
        jw_ktext(jw, "Name", name);
        jw_klong(jw, "Count", event->count);
        ktime(jw, "FirstTimestamp", event->first_ms);
        ktime(jw, "LastTimestamp", event->last_ms);
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

static void write_dns(struct jw *jw, const struct node *params)
{
    jw_kopen(jw, "DnsConfig", '{');
    jw_klist(jw, "NameServers", tree_list(params, "DnsConfig.NameServer"));
    jw_klist(jw, "Searches", tree_list(params, "DnsConfig.Search"));
    jw_kopen(jw, "Options", '[');
    for (const struct node *option = tree_list(params, "DnsConfig.Option"); option != NULL;
         option = option->next) {
        jw_open(jw, '{');
        copy_text(jw, "Name", option, "Name");
        copy_text(jw, "Value", option, "Value");
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
    jw_close(jw, '}');
    jw_kopen(jw, "HostAliases", '[');
    for (const struct node *host = tree_list(params, "HostAliase"); host != NULL;
         host = host->next) {
        jw_open(jw, '{');
        copy_text(jw, "Ip", host, "Ip");
        jw_klist(jw, "Hostnames", tree_list(host, "Hostname"));
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
    jw_kopen(jw, "EciSecurityContext", '{');
    jw_kopen(jw, "Sysctls", '[');
    for (const struct node *item = tree_list(params, "SecurityContext.Sysctl"); item != NULL;
         item = item->next) {
        jw_open(jw, '{');
        copy_text(jw, "Name", item, "Name");
        copy_text(jw, "Value", item, "Value");
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
    jw_close(jw, '}');
}

static void write_tags(struct jw *jw, const struct node *params)
{
    jw_kopen(jw, "Tags", '[');
    for (const struct node *tag = tree_list(params, "Tag"); tag != NULL; tag = tag->next) {
        jw_open(jw, '{');
        copy_text(jw, "Key", tag, "Key");
        jw_ktext(jw, "Value", tree_text(tag, "Value"));
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}

/* of several security groups the first is shown. */
static void write_security_group(struct jw *jw, const struct group *group)
{
    const char *ids = tree_text(group->params, "SecurityGroupId");
    char first[64] = "sg-default";
    if (ids != NULL && ids[0] != '\0') {
        snprintf(first, sizeof first, "%.*s", (int)strcspn(ids, ","), ids);
    }
    jw_ktext(jw, "SecurityGroupId", first);
}

static void write_identity(struct jw *jw, const struct group *group)
{
    const struct node *params = group->params;
    jw_ktext(jw, "ContainerGroupId", group->id);
    jw_ktext(jw, "ContainerGroupName", group->name);
    jw_ktext(jw, "RegionId", settings.region);
    jw_ktext(jw, "ZoneId", group->zone);
    jw_ktext(jw, "VpcId", "vpc-ecisim");
    jw_ktext(jw, "VSwitchId", group->vswitch);
    write_security_group(jw, group);
    copy_text(jw, "ResourceGroupId", params, "ResourceGroupId");
    copy_text(jw, "RamRoleName", params, "RamRoleName");
    jw_ktext(jw, "InstanceType", group->instance_type);
    jw_kdouble(jw, "Cpu", group->size.cpu);
    jw_kdouble(jw, "Memory", group->size.memory);
    copy_long(jw, "EphemeralStorage", params, "EphemeralStorage");
    copy_text(jw, "ComputeCategory", params, "ComputeCategory.1");
    copy_text(jw, "SpotStrategy", params, "SpotStrategy");
    if (tree_text(params, "SpotPriceLimit") != NULL) {
        jw_kdouble(jw, "SpotPriceLimit", tree_number(params, "SpotPriceLimit", 0));
    }
}

static void write_group(struct jw *jw, const struct group *group, bool with_events)
{
    jw_open(jw, '{');
    write_identity(jw, group);
    jw_ktext(jw, "Status", status_name(group->status));
    jw_ktext(jw, "RestartPolicy", group->restart_policy);
    ktime(jw, "CreationTime", group->created_ms);
    ktime(jw, "SucceededTime", group->status == SUCCEEDED ? group->ended_ms : 0);
    ktime(jw, "FailedTime", group->status == FAILED ? group->ended_ms : 0);
    ktime(jw, "ExpiredTime", group->status == EXPIRED ? group->ended_ms : 0);
    jw_ktext(jw, "IntranetIp", group->ip);
    if (tree_true(group->params, "AutoCreateEip") ||
        tree_text(group->params, "EipInstanceId") != NULL) {
        jw_ktext(jw, "InternetIp", "203.0.113.1");
    }
    if (tree_long(group->params, "Ipv6AddressCount", 0) > 0 && group->ip[0] != '\0') {
        char ipv6[48];
        snprintf(ipv6, sizeof ipv6, "2001:db8::%x", group->address & 0xffff);
        jw_ktext(jw, "Ipv6Address", ipv6);
    }
    char eni[32];
    snprintf(eni, sizeof eni, "eni-%s", group->id + 4);
    jw_ktext(jw, "EniInstanceId", eni);
    copy_text(jw, "DnsPolicy", group->params, "DnsPolicy");
    write_dns(jw, group->params);
    write_tags(jw, group->params);
    if (with_events) {
        write_events(jw, group);
    }
    jw_kopen(jw, "InitContainers", '[');
    for (size_t at = 0; at < group->init_count; at++) {
        write_container(jw, &group->containers[at]);
    }
    jw_close(jw, ']');
    jw_kopen(jw, "Containers", '[');
    for (size_t at = group->init_count; at < group->container_count; at++) {
        write_container(jw, &group->containers[at]);
    }
    jw_close(jw, ']');
    write_volumes(jw, group->params);
    jw_close(jw, '}');
}

void act_describe(struct call *call)
{
    struct list list;
    struct jw *jw = &call->reply;
    if (!list_groups(call, 20, 20, &list)) {
        return;
    }
    jw_klong(jw, "TotalCount", (long long)list.total);
    jw_ktext(jw, "NextToken", list.next);
    jw_kopen(jw, "ContainerGroups", '[');
    for (size_t at = 0; at < list.count; at++) {
        write_group(jw, list.rows[at], tree_true(call->params, "WithEvent"));
    }
    jw_close(jw, ']');
}
