/* see check.h: containers and volumes */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "settings.h"

#define CONTAINERS_MAX 20
#define VOLUMES_MAX 20
#define DISKS_MAX 6
#define FILE_BYTES_MAX (32 * 1024)
#define FILES_BYTES_MAX (60 * 1024)

/* "The specified parameter Container.1.Name is not valid." */
static void invalid(struct call *call, const char *kind, const struct node *item, const char *name)
{
    call_fail(call, CODE_INVALID, "The specified parameter %s.%s.%s is not valid.", kind,
              item->name, name);
}

static bool in_range(const struct node *node, const char *path, double low, double high)
{
    const char *text = tree_text(node, path);
    double number = tree_number(node, path, low);
    return text == NULL || text[0] == '\0' || (number >= low && number <= high);
}

static bool in_words(const struct node *node, const char *path, const char *words)
{
    const char *text = tree_text(node, path);
    return text == NULL || text[0] == '\0' || text_is_any(text, words);
}

/* ---- members of a container ------------------------------------------------------------------ */

static bool env_is_good(const struct node *container)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    for (const struct node *env = tree_list(container, "EnvironmentVar"); env != NULL;
         env = env->next) {
        const char *key = tree_text(env, "Key");
        const char *value = tree_text(env, "Value");
        const char *field = tree_text(env, "FieldRef.FieldPath");
        if (key == NULL || key[0] == '\0' || strlen(key) > 128 || strchr(letters, key[0]) == NULL) {
            return false;
        }
        for (const char *at = key; *at != '\0'; at++) {
            if (strchr(letters, *at) == NULL && strchr("0123456789", *at) == NULL) {
                return false;
            }
        }
        if (settings.strict && value != NULL && strlen(value) > 256) {
            return false;
        }
        if (field != NULL &&
            (!text_is(field, "status.podIP") || (value != NULL && value[0] != '\0'))) {
            return false;
        }
    }
    return true;
}

static bool ports_are_good(const struct node *container)
{
    for (const struct node *port = tree_list(container, "Port"); port != NULL; port = port->next) {
        if (tree_text(port, "Port") == NULL || !in_range(port, "Port", 1, 65535) ||
            !in_words(port, "Protocol", "TCP|UDP")) {
            return false;
        }
    }
    return true;
}

static const struct node *find_volume(const struct call *call, const char *name)
{
    for (const struct node *volume = tree_list(call->params, "Volume"); volume != NULL;
         volume = volume->next) {
        if (text_is(tree_text(volume, "Name"), name)) {
            return volume;
        }
    }
    return NULL;
}

static bool mounts_are_good(const struct call *call, const struct node *container, bool is_update)
{
    const struct node *first = tree_list(container, "VolumeMount");
    for (const struct node *mount = first; mount != NULL; mount = mount->next) {
        const char *path = tree_text(mount, "MountPath");
        const char *sub = tree_text(mount, "SubPath");
        if (path == NULL || path[0] != '/' || tree_text(mount, "Name") == NULL ||
            !in_words(mount, "MountPropagation",
                      "None|HostToContainer|HostToCotainer|Bidirectional") ||
            (sub != NULL && (sub[0] == '/' || strstr(sub, "..") != NULL))) {
            return false;
        }
        if (!is_update && find_volume(call, tree_text(mount, "Name")) == NULL) {
            return false;
        }
        for (const struct node *other = first; other != mount; other = other->next) {
            if (text_is(tree_text(other, "MountPath"), path)) {
                return false;
            }
        }
    }
    return true;
}

static bool probe_is_good(const struct node *container, const char *name)
{
    const struct node *probe = tree_find(container, name);
    if (probe == NULL) {
        return true;
    }
    int ways = (tree_find(probe, "HttpGet") != NULL) + (tree_find(probe, "Exec") != NULL) +
               (tree_find(probe, "TcpSocket") != NULL);
    bool has_port =
        tree_text(probe, tree_find(probe, "HttpGet") != NULL ? "HttpGet.Port" : "TcpSocket.Port") !=
        NULL;
    return ways == 1 && (has_port || tree_list(probe, "Exec.Command") != NULL) &&
           in_range(probe, "HttpGet.Port", 1, 65535) &&
           in_range(probe, "TcpSocket.Port", 1, 65535) &&
           in_words(probe, "HttpGet.Scheme", "HTTP|HTTPS") &&
           in_range(probe, "InitialDelaySeconds", 0, 1e6) &&
           in_range(probe, "PeriodSeconds", 1, 1e6) && in_range(probe, "TimeoutSeconds", 1, 1e6) &&
           in_range(probe, "SuccessThreshold", 1, 1) && in_range(probe, "FailureThreshold", 1, 1e6);
}

static bool hook_is_good(const struct node *container, const char *exec, const char *http,
                         const char *tcp)
{
    int ways = (tree_find(container, exec) != NULL) + (tree_find(container, http) != NULL) +
               (tree_find(container, tcp) != NULL);
    return ways <= 1 && in_range(container, http, 1, 65535) && in_range(container, tcp, 1, 65535);
}

static bool security_is_good(const struct node *container)
{
    static const char capabilities[] =
        "AUDIT_WRITE|CHOWN|DAC_OVERRIDE|FSETID|FOWNER|KILL|MKNOD|NET_ADMIN|NET_BIND_SERVICE|"
        "NET_RAW|SETGID|SETUID|SETFCAP|SETPCAP|SYS_CHROOT|SYS_PTRACE|SYS_RAWIO";
    for (const struct node *add = tree_list(container, "SecurityContext.Capability.Add");
         add != NULL; add = add->next) {
        if (!text_is_any(add->value, capabilities)) {
            return false;
        }
    }
    return in_words(container, "SecurityContext.ReadOnlyRootFilesystem", "true|True") &&
           in_range(container, "SecurityContext.RunAsUser", 0, 4294967295.0) &&
           in_range(container, "SecurityContextRunAsGroup", 0, 4294967295.0);
}

static bool name_is_good(const char *name)
{
    size_t bytes = name == NULL ? 0 : strlen(name);
    return bytes >= 1 && bytes <= 128 && name[0] != '-' && name[bytes - 1] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == bytes;
}

static void check_one(struct call *call, const char *kind, const struct node *c, bool is_update)
{
    const char *image = tree_text(c, "Image");
    const char *wrong = NULL;
    if (!name_is_good(tree_text(c, "Name"))) {
        wrong = "Name";
    } else if ((image == NULL && !is_update) ||
               (image != NULL && (image[0] == '\0' || strpbrk(image, " \t\n") != NULL))) {
        wrong = "Image";
    } else if (!in_range(c, "Cpu", 0, 1e6) || !in_range(c, "Memory", 0, 1e6)) {
        wrong = "Cpu";
    } else if (tree_count(c, "Command") > 20) {
        wrong = "Command";
    } else if (settings.strict && tree_count(c, "Arg") > 10) {
        wrong = "Arg";
    } else if (!in_words(c, "ImagePullPolicy", "Always|IfNotPresent|Never")) {
        wrong = "ImagePullPolicy";
    } else if (!env_is_good(c)) {
        wrong = "EnvironmentVar";
    } else if (!ports_are_good(c)) {
        wrong = "Port";
    } else if (!mounts_are_good(call, c, is_update)) {
        wrong = "VolumeMount";
    } else if (!in_words(c, "TerminationMessagePolicy", "File|FallbackToLogsOnError")) {
        wrong = "TerminationMessagePolicy";
    } else if (!security_is_good(c)) {
        wrong = "SecurityContext";
    } else if (!probe_is_good(c, "LivenessProbe")) {
        wrong = "LivenessProbe";
    } else if (!probe_is_good(c, "ReadinessProbe")) {
        wrong = "ReadinessProbe";
    } else if (!hook_is_good(c, "LifecyclePreStopHandlerExec", "LifecyclePreStopHandlerHttpGetPort",
                             "LifecyclePreStopHandlerTcpSocketPort")) {
        wrong = "LifecyclePreStopHandler";
    } else if (!hook_is_good(c, "LifecyclePostStartHandlerExec",
                             "LifecyclePostStartHandlerHttpGetPort",
                             "LifecyclePostStartHandlerTcpSocketPort")) {
        wrong = "LifecyclePostStartHandler";
    }
    if (wrong != NULL) {
        invalid(call, kind, c, wrong);
    }
}

static void check_unique(struct call *call)
{
    const struct node *firsts[] = {tree_list(call->params, "InitContainer"),
                                   tree_list(call->params, "Container")};
    const char *names[2 * CONTAINERS_MAX];
    size_t count = 0;
    for (size_t list = 0; list < 2; list++) {
        for (const struct node *c = firsts[list]; c != NULL; c = c->next) {
            for (size_t at = 0; at < count; at++) {
                if (text_is(names[at], tree_text(c, "Name"))) {
                    call_fail(call, CODE_DUPLICATED_NAME, NULL);
                    return;
                }
            }
            names[count++] = tree_text(c, "Name");
        }
    }
}

void check_containers(struct call *call, bool is_update)
{
    size_t count = tree_count(call->params, "Container");
    size_t inits = tree_count(call->params, "InitContainer");
    if (count == 0 && !is_update) {
        call_fail(call, CODE_MISSING, "Container.1.Image is mandatory for this action.");
    } else if (count + inits > CONTAINERS_MAX) {
        call_fail(call, CODE_EXCEEDED, "More than %d containers.", CONTAINERS_MAX);
    }
    for (const struct node *c = tree_list(call->params, "InitContainer");
         c != NULL && call->code == CODE_NONE; c = c->next) {
        check_one(call, "InitContainer", c, is_update);
    }
    for (const struct node *c = tree_list(call->params, "Container");
         c != NULL && call->code == CODE_NONE; c = c->next) {
        check_one(call, "Container", c, is_update);
    }
    if (call->code == CODE_NONE) {
        check_unique(call);
    }
}

/* ---- volumes --------------------------------------------------------------------------------- */

static bool mode_is_good(const struct node *node, const char *path)
{
    const char *mode = tree_text(node, path);
    return mode == NULL || mode[0] == '\0' ||
           (strlen(mode) <= 4 && strspn(mode, "01234567") == strlen(mode));
}

/* eci-api 2.1 and A-8: 32 KB per file, 60 KB per volume, before Base64. */
static const char *config_problem(const struct node *volume)
{
    size_t total = 0;
    const char *problem =
        mode_is_good(volume, "ConfigFileVolume.DefaultMode") ? NULL : "DefaultMode";
    for (const struct node *file = tree_list(volume, "ConfigFileVolume.ConfigFileToPath");
         file != NULL && problem == NULL; file = file->next) {
        const char *path = tree_text(file, "Path");
        const char *content = tree_text(file, "Content");
        content = content == NULL ? "" : content;
        unsigned char *decoded = text_grab(NULL, strlen(content) + 4);
        long bytes = base64_decode(content, decoded);
        free(decoded);
        total += bytes > 0 ? (size_t)bytes : 0;
        if (path == NULL || path[0] == '\0' || path[0] == '/' || strstr(path, "..") != NULL) {
            problem = "Path";
        } else if (bytes < 0 || bytes > FILE_BYTES_MAX || total > FILES_BYTES_MAX) {
            problem = "Content";
        } else if (!mode_is_good(file, "Mode")) {
            problem = "Mode";
        }
    }
    return problem;
}

static const char *volume_problem(const struct node *volume)
{
    const char *type = tree_text(volume, "Type");
    if (text_is(type, "EmptyDirVolume")) {
        return in_words(volume, "EmptyDirVolume.Medium", "Memory|LocalRaid0") ? NULL : "Medium";
    }
    if (text_is(type, "ConfigFileVolume")) {
        return config_problem(volume);
    }
    if (text_is(type, "NFSVolume")) {
        return tree_text(volume, "NFSVolume.Server") != NULL &&
                       tree_text(volume, "NFSVolume.Path") != NULL
                   ? NULL
                   : "NFSVolume";
    }
    if (text_is(type, "FlexVolume")) {
        struct arena arena = {0};
        const char *options = tree_text(volume, "FlexVolume.Options");
        bool is_good =
            tree_text(volume, "FlexVolume.Driver") != NULL &&
            in_words(volume, "FlexVolume.Driver", "alicloud/disk|alicloud/nas|alicloud/oss") &&
            in_words(volume, "FlexVolume.FsType", "ext4|ext3|xfs|vfat") &&
            (options == NULL || json_read(&arena, options) != NULL);
        arena_free(&arena);
        return is_good ? NULL : "FlexVolume";
    }
    if (text_is(type, "DiskVolume")) {
        return tree_text(volume, "DiskVolume.DiskId") != NULL ? NULL : "DiskVolume";
    }
    if (text_is(type, "HostPathVolume")) {
        return tree_text(volume, "HostPathVolume.Path") != NULL &&
                       in_words(volume, "HostPathVolume.Type", "Directory|File")
                   ? NULL
                   : "HostPathVolume";
    }
    return "Type";
}

static bool is_disk(const struct node *volume)
{
    return text_is(tree_text(volume, "Type"), "DiskVolume") ||
           text_is(tree_text(volume, "FlexVolume.Driver"), "alicloud/disk");
}

void check_volumes(struct call *call)
{
    const struct node *first = tree_list(call->params, "Volume");
    int disks = 0;
    if (tree_count(call->params, "Volume") > VOLUMES_MAX) {
        call_fail(call, CODE_EXCEEDED, "More than %d volumes.", VOLUMES_MAX);
        return;
    }
    for (const struct node *volume = first; volume != NULL; volume = volume->next) {
        const char *name = tree_text(volume, "Name");
        const char *problem = name == NULL || name[0] == '\0' ? "Name" : volume_problem(volume);
        disks += is_disk(volume);
        if (problem == NULL && disks > DISKS_MAX) {
            problem = "DiskVolume";
        }
        if (problem != NULL) {
            invalid(call, "Volume", volume, problem);
            return;
        }
        for (const struct node *other = first; other != volume; other = other->next) {
            if (text_is(tree_text(other, "Name"), name)) {
                call_fail(call, CODE_DUPLICATED_VOLUME, NULL);
                return;
            }
        }
    }
}
