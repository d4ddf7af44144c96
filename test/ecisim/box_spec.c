/*
 * Container mode: config.json for runc, from the parameters of a container; OCI runtime
 * specification 1.0. See box_parts.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "box_parts.h"
#include "settings.h"

/* What the usual container engines give, and what eci-api 2.1 allows to add. */
static const char *const usual_caps[] = {
    "AUDIT_WRITE", "CHOWN",    "DAC_OVERRIDE", "FOWNER",  "FSETID",  "KILL",       "MKNOD",
    "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",  "SETGID",  "SETPCAP", "SETUID",     "SYS_CHROOT",
};
static const char *const more_caps[] = {"NET_ADMIN",    "SYS_PTRACE", "SYS_RAWIO", "SYS_ADMIN",
                                        "SYS_RESOURCE", "SYS_TIME",   "IPC_LOCK"};

/* ---- process --------------------------------------------------------------------------------- */

static bool adds_cap(const struct node *spec, const char *name)
{
    for (const struct node *add = tree_list(spec, "SecurityContext.Capability.Add"); add != NULL;
         add = add->next) {
        if (text_is(add->value, name)) {
            return true;
        }
    }
    return tree_true(spec, "SecurityContextPrivileged");
}

static void write_caps(struct jw *jw, const struct node *spec)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    jw_kopen(jw, "capabilities", '{');
    for (size_t set = 0; set < 3; set++) {
        char name[64];
        jw_kopen(jw, sets[set], '[');
        for (size_t at = 0; at < sizeof usual_caps / sizeof usual_caps[0]; at++) {
            snprintf(name, sizeof name, "CAP_%s", usual_caps[at]);
            jw_text(jw, name);
        }
        for (size_t at = 0; at < sizeof more_caps / sizeof more_caps[0]; at++) {
            if (adds_cap(spec, more_caps[at])) {
                snprintf(name, sizeof name, "CAP_%s", more_caps[at]);
                jw_text(jw, name);
            }
        }
        jw_close(jw, ']');
    }
    jw_close(jw, '}');
}

/* eci-api 6.4: values that stand for facts about the instance. */
static const char *env_text(const struct box *box, const char *value)
{
    const struct group *group = box->pod->group;
    const char *const facts[][2] = {
        { "__ECI_ID__", group->id },
        { "__ECI_NAME__", group->name },
        { "__REGION_ID__", settings.region },
        { "__ZONE_ID__", group->zone },
        { "__CONTAINER_NAME__", box->container->name },
    };
    for (size_t at = 0; at < sizeof facts / sizeof facts[0]; at++) {
        if (text_is(value, facts[at][0])) {
            return facts[at][1];
        }
    }
    return value == NULL ? "" : value;
}

static void write_env(struct jw *jw, const struct box *box)
{
    struct arena arena = {0};
    const struct node *spec = box->container->spec;
    bool has_path = false;
    jw_kopen(jw, "env", '[');
    jw_text(jw, arena_fmt(&arena, "HOSTNAME=%s", box->pod->group->name));
    for (const struct node *env = tree_list(spec, "EnvironmentVar"); env != NULL; env = env->next) {
        const char *key = tree_text(env, "Key");
        const char *value = tree_find(env, "FieldRef") != NULL
                                ? box->pod->group->ip
                                : env_text(box, tree_text(env, "Value"));
        jw_text(jw, arena_fmt(&arena, "%s=%s", key, value));
        has_path = has_path || text_is(key, "PATH");
    }
    if (!has_path) {
        jw_text(jw, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    }
    jw_close(jw, ']');
    arena_free(&arena);
}

/*
 * The command of an image that is only busybox: a web server on each declared TCP port, or on
 * 80. The shell in front makes SIGTERM end it at once, as a well-behaved server would.
 */
static char *web_server(struct arena *arena, const struct node *spec)
{
    struct buf text = {0};
    buf_text(&text, "trap 'exit 0' TERM INT; echo \"web server on");
    bool has_port = false;
    struct buf start = {0};
    for (const struct node *port = tree_list(spec, "Port"); port != NULL; port = port->next) {
        if (!text_is(tree_text(port, "Protocol"), "UDP")) {
            buf_fmt(&text, " %lld", tree_long(port, "Port", 80));
            buf_fmt(&start, "httpd -f -vv -h /www -p %lld & ", tree_long(port, "Port", 80));
            has_port = true;
        }
    }
    if (!has_port) {
        buf_text(&text, " 80");
        buf_text(&start, "httpd -f -vv -h /www -p 80 & ");
    }
    buf_fmt(&text, "\"; %swhile :; do sleep 3600 & wait $!; done", start.data);
    char *copy = arena_copy(arena, text.data, text.used);
    buf_free(&text);
    buf_free(&start);
    return copy;
}

/* DIR.json beside the folder of an image: {"Entrypoint":[],"Cmd":[],"Env":[],"WorkingDir":""}. */
static const struct node *image_config(struct arena *arena, const char *dir)
{
    struct buf text = {0};
    const struct node *root = NULL;
    if (buf_add_file(&text, arena_fmt(arena, "%s.json", dir))) {
        root = json_read(arena, buf_string(&text));
    }
    buf_free(&text);
    return root;
}

static void write_words(struct jw *jw, const struct node *first)
{
    for (const struct node *word = first; word != NULL; word = word->next) {
        jw_text(jw, word->value);
    }
}

/* As Kubernetes: command replaces the entry point and its arguments, args the arguments. */
static void write_args(struct jw *jw, struct arena *arena, const struct box *box,
                       const struct node *config, bool is_base)
{
    const struct node *spec = box->container->spec;
    const struct node *command = tree_list(spec, "Command");
    const struct node *args = tree_list(spec, "Arg");
    jw_kopen(jw, "args", '[');
    if (command == NULL && args == NULL && is_base) {
        jw_text(jw, "/bin/sh");
        jw_text(jw, "-c");
        jw_text(jw, web_server(arena, spec));
    } else if (command != NULL) {
        write_words(jw, command);
        write_words(jw, args);
    } else {
        write_words(jw, tree_list(config, "Entrypoint"));
        write_words(jw, args != NULL ? args : tree_list(config, "Cmd"));
    }
    jw_close(jw, ']');
}

static void write_process(struct jw *jw, const struct box *box)
{
    struct arena arena = {0};
    const struct node *spec = box->container->spec;
    const char *cwd = tree_text(spec, "WorkingDir");
    bool is_base = false;
    const char *dir = image_dir(&arena, tree_text(spec, "Image"), &is_base);
    const struct node *config = is_base ? NULL : image_config(&arena, dir);
    if (cwd == NULL || cwd[0] == '\0') {
        cwd = tree_text(config, "WorkingDir");
    }
    jw_kopen(jw, "process", '{');
    jw_kbool(jw, "terminal", false);
    jw_kopen(jw, "user", '{');
    jw_klong(jw, "uid", tree_long(spec, "SecurityContext.RunAsUser", 0));
    jw_klong(jw, "gid", tree_long(spec, "SecurityContextRunAsGroup", 0));
    jw_close(jw, '}');
    write_args(jw, &arena, box, config, is_base);
    write_env(jw, box);
    jw_ktext(jw, "cwd", cwd == NULL || cwd[0] == '\0' ? "/" : cwd);
    write_caps(jw, spec);
    jw_kbool(jw, "noNewPrivileges", false);
    jw_close(jw, '}');
    arena_free(&arena);
}

/* ---- mounts ---------------------------------------------------------------------------------- */

static void write_mount(struct jw *jw, const char *type, const char *source, const char *target,
                        const char *options)
{
    char *copy = text_copy(options);
    jw_open(jw, '{');
    jw_ktext(jw, "type", type);
    jw_ktext(jw, "source", source);
    jw_ktext(jw, "destination", target);
    jw_kopen(jw, "options", '[');
    for (char *rest = NULL, *option = strtok_r(copy, ",", &rest); option != NULL;
         option = strtok_r(NULL, ",", &rest)) {
        jw_text(jw, option);
    }
    jw_close(jw, ']');
    jw_close(jw, '}');
    free(copy);
}

/* A subPath that is missing becomes a folder, as a kubelet makes it. */
static void write_volume(struct jw *jw, struct arena *arena, const struct box *box,
                         const struct node *mount)
{
    const char *sub = tree_text(mount, "SubPath");
    char *source = arena_fmt(arena, "%s/v/%s%s%s", box->pod->dir, tree_text(mount, "Name"),
                             sub == NULL ? "" : "/", sub == NULL ? "" : sub);
    if (access(source, F_OK) != 0) {
        make_dirs(source);
        chmod(source, 0777);
    }
    write_mount(jw, "bind", source, tree_text(mount, "MountPath"),
                tree_true(mount, "ReadOnly") ? "rbind,ro" : "rbind,rw");
}

static void write_mounts(struct jw *jw, const struct box *box)
{
    struct arena arena = {0};
    const char *message = tree_text(box->container->spec, "TerminationMessagePath");
    jw_kopen(jw, "mounts", '[');
    write_mount(jw, "proc", "proc", "/proc", "");
    write_mount(jw, "tmpfs", "tmpfs", "/dev", "nosuid,strictatime,mode=755,size=65536k");
    write_mount(jw, "devpts", "devpts", "/dev/pts",
                "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620");
    write_mount(jw, "tmpfs", "shm", "/dev/shm", "nosuid,noexec,nodev,mode=1777,size=65536k");
    write_mount(jw, "mqueue", "mqueue", "/dev/mqueue", "nosuid,noexec,nodev");
    write_mount(jw, "sysfs", "sysfs", "/sys", "nosuid,noexec,nodev,ro");
    write_mount(jw, "bind", arena_fmt(&arena, "%s/hosts", box->pod->dir), "/etc/hosts", "rbind,rw");
    write_mount(jw, "bind", arena_fmt(&arena, "%s/resolv.conf", box->pod->dir), "/etc/resolv.conf",
                "rbind,rw");
    for (const struct node *mount = tree_list(box->container->spec, "VolumeMount"); mount != NULL;
         mount = mount->next) {
        write_volume(jw, &arena, box, mount);
    }
    write_mount(jw, "bind", arena_fmt(&arena, "%s/message", box->dir),
                message == NULL || message[0] != '/' ? "/dev/termination-log" : message,
                "rbind,rw");
    jw_close(jw, ']');
    arena_free(&arena);
}

/* ---- namespaces and limits ------------------------------------------------------------------- */

static void write_sysctls(struct jw *jw, const struct node *params)
{
    static const char *const lists[] = {"SecurityContext.Sysctl", "HostSecurityContext.Sysctl"};
    jw_kopen(jw, "sysctl", '{');
    for (size_t list = 0; list < 2; list++) {
        for (const struct node *item = tree_list(params, lists[list]); item != NULL;
             item = item->next) {
            if (text_starts(tree_text(item, "Name"), "net.")) {
                jw_ktext(jw, tree_text(item, "Name"), tree_text(item, "Value"));
            }
        }
    }
    jw_close(jw, '}');
}

static void write_namespace(struct jw *jw, const char *type, const char *path)
{
    jw_open(jw, '{');
    jw_ktext(jw, "type", type);
    if (path != NULL) {
        jw_ktext(jw, "path", path);
    }
    jw_close(jw, '}');
}

static void write_resources(struct jw *jw, const struct node *spec)
{
    double cpu = tree_number(spec, "Cpu", 0);
    double memory = tree_number(spec, "Memory", 0);
    jw_kopen(jw, "resources", '{');
    jw_kopen(jw, "devices", '[');
    jw_open(jw, '{');
    jw_kbool(jw, "allow", tree_true(spec, "SecurityContextPrivileged"));
    jw_ktext(jw, "access", "rwm");
    jw_close(jw, '}');
    jw_close(jw, ']');
    if (memory > 0) {
        jw_kopen(jw, "memory", '{');
        jw_klong(jw, "limit", (long long)(memory * 1073741824));
        jw_close(jw, '}');
    }
    if (cpu > 0) {
        jw_kopen(jw, "cpu", '{');
        jw_klong(jw, "period", 100000);
        jw_klong(jw, "quota", (long long)(cpu * 100000));
        jw_close(jw, '}');
    }
    jw_close(jw, '}');
}

static void write_linux(struct jw *jw, const struct box *box)
{
    char text[256];
    jw_kopen(jw, "linux", '{');
    jw_kopen(jw, "namespaces", '[');
    write_namespace(jw, "pid", NULL);
    write_namespace(jw, "ipc", NULL);
    write_namespace(jw, "uts", NULL);
    write_namespace(jw, "mount", NULL);
    snprintf(text, sizeof text, "/proc/%d/fd/%d", (int)getppid(), box->pod->net_fd);
    write_namespace(jw, "network", text);
    jw_close(jw, ']');
    snprintf(text, sizeof text, "%s/%s", cgroup_parent(), box->id);
    jw_ktext(jw, "cgroupsPath", text);
    write_sysctls(jw, box->pod->group->params);
    write_resources(jw, box->container->spec);
    jw_kopen(jw, "maskedPaths", '[');
    jw_text(jw, "/proc/kcore");
    jw_text(jw, "/proc/sysrq-trigger");
    jw_close(jw, ']');
    jw_close(jw, '}');
}

bool spec_write(const struct box *box)
{
    struct jw jw = {0};
    struct buf path = {0};
    const char *host = tree_text(box->pod->group->params, "HostName");
    const struct node *spec = box->container->spec;
    jw_open(&jw, '{');
    jw_ktext(&jw, "ociVersion", "1.0.2");
    write_process(&jw, box);
    jw_kopen(&jw, "root", '{');
    jw_ktext(&jw, "path", "rootfs");
    jw_kbool(&jw, "readonly", tree_true(spec, "SecurityContext.ReadOnlyRootFilesystem"));
    jw_close(&jw, '}');
    jw_ktext(&jw, "hostname", host != NULL && host[0] != '\0' ? host : box->pod->group->name);
    write_mounts(&jw, box);
    write_linux(&jw, box);
    jw_close(&jw, '}');
    buf_fmt(&path, "%s/config.json", box->dir);
    bool is_good = write_file(path.data, jw.out.data, jw.out.used, 0600);
    buf_free(&path);
    buf_free(&jw.out);
    return is_good;
}
