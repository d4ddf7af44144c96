/* security_read.c - see security_read.h */
#include "spec/security_read.h"

#include "spec/pod_fields.h"

#define TEXT_BYTES_SHOWN 100

/* eci-api 2.1; SYS_RAWIO is by ticket, which the cloud checks itself. */
static const char *const capabilities[] = {
    "AUDIT_WRITE", "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",     "KILL",
    "MKNOD",       "NET_RAW", "NET_ADMIN",    "NET_BIND_SERVICE", "SETGID",     "SETUID",
    "SETFCAP",     "SETPCAP", "SYS_CHROOT",   "SYS_PTRACE",       "SYS_RAWIO",
};

/* Which parameter takes a sysctl; the first row that fits counts. '*' at the end: what begins so.
 */
static const struct sysctl_row {
    const char *name;
    enum { SYSCTL_SAFE, SYSCTL_UNSAFE, SYSCTL_REFUSED } kind;
} sysctl_rows[] = {
    {"net.ipv4.ping_group_range", SYSCTL_SAFE},
    {"net.ipv4.ip_unprivileged_port_start", SYSCTL_SAFE},
    {"kernel.shm_rmid_forced", SYSCTL_REFUSED},
    {"net.ipv4.tcp_syncookies", SYSCTL_REFUSED},
    {"net.ipv4.ip_local_port_range", SYSCTL_REFUSED},
    {"kernel.shm*", SYSCTL_UNSAFE},
    {"kernel.msg*", SYSCTL_UNSAFE},
    {"kernel.sem", SYSCTL_UNSAFE},
    {"fs.mqueue.*", SYSCTL_UNSAFE},
    {"net.*", SYSCTL_UNSAFE},
    {"vm.min_free_kbytes", SYSCTL_UNSAFE},
};

static void read_user(struct spec_read *read, json object, bool is_init, str path,
                      struct spec_security *out);
static void read_capabilities(struct spec_read *read, json object, str path,
                              struct spec_security *out);

void security_read(struct spec_read *read, json object, bool is_init, str path,
                   struct spec_security *out)
{
    fields_check(FIELD_SCOPE_SECURITY, object, path, read->verdict);
    out->has_read_only_root = spec_read_bool(read, object, "readOnlyRootFilesystem", path);
    read_user(read, object, is_init, path, out);
    read_capabilities(read, json_get(object, "capabilities"),
                      spec_path_key(read, path, "capabilities"), out);
}

/* A number of the container or of the pod. */
static bool read_id(struct spec_read *read, json object, const char *key, str path, int64_t *out)
{
    bool is_own = json_is_there(json_get(object, key));
    json holder = is_own ? object : read->pod_security;
    str here = is_own ? path : S("spec.securityContext");

    if (!json_is_there(json_get(holder, key))) {
        return false;
    }
    *out = spec_read_number(read, holder, key, here, 0);
    if (*out < 0) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, here, key),
                       "must not be negative");
    }
    return true;
}

static void read_user(struct spec_read *read, json object, bool is_init, str path,
                      struct spec_security *out)
{
    bool has_own = json_is_there(json_get(object, "runAsNonRoot"));

    out->has_user = read_id(read, object, "runAsUser", path, &out->user);
    out->has_group = read_id(read, object, "runAsGroup", path, &out->group);
    out->is_non_root = spec_read_bool(read, has_own ? object : read->pod_security, "runAsNonRoot",
                                      has_own ? path : S("spec.securityContext"));
    if (out->is_non_root && out->has_user && out->user == 0) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "runAsNonRoot and user 0 (root) together");
    }
    if (!is_init) {
        return;
    }
    if (out->has_group) {
        verdict_warn_once(read->verdict, spec_path_key(read, path, "runAsGroup"),
                          "not applied: the cloud has it for app containers only");
    }
    if (out->is_non_root && !out->has_user) {
        verdict_warn_once(read->verdict, spec_path_key(read, path, "runAsNonRoot"),
                          "not checked: the cloud does so for app containers only; runAsUser is "
                          "applied to init containers");
    }
}

static void read_capabilities(struct spec_read *read, json object, str path,
                              struct spec_security *out)
{
    uint32_t count = 0;
    const str *add = spec_read_texts(read, object, "add", path, &count);
    str *names = count > 0 ? ARENA_ARRAY(read->arena, count, str) : NULL;

    fields_check(FIELD_SCOPE_CAPABILITIES, object, path, read->verdict);
    for (uint32_t i = 0; names != NULL && i < count; i++) {
        bool is_known = false;
        names[i] = str_starts(add[i], S("CAP_")) ? str_sub(add[i], 4, add[i].bytes) : add[i];
        for (size_t k = 0; k < sizeof capabilities / sizeof capabilities[0]; k++) {
            is_known |= str_eq(names[i], str_of(capabilities[k]));
        }
        if (!is_known) {
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_at(read, path, "add", i),
                           "the cloud does not give the capability \"%.*s\"",
                           STR_ARG(str_sub(add[i], 0, TEXT_BYTES_SHOWN)));
        }
    }
    out->capabilities = names;
    out->capabilities_count = names != NULL ? count : 0;
}

static bool row_fits(const char *row, str name)
{
    str pattern = str_of(row);

    return str_ends(pattern, S("*")) ? str_starts(name, str_sub(pattern, 0, pattern.bytes - 1))
                                     : str_eq(name, pattern);
}

void sysctls_read(struct spec_read *read)
{
    str path = S("spec.securityContext");
    uint32_t count = 0;
    struct spec_setting *settings =
        spec_read_settings(read, read->pod_security, "sysctls", path, FIELD_SCOPE_SYSCTL, &count);

    for (uint32_t at = 0; at < count; at++) {
        str name = settings[at].name;
        size_t rows = sizeof sysctl_rows / sizeof sysctl_rows[0], row = 0;

        while (row < rows && !row_fits(sysctl_rows[row].name, name)) {
            row++;
        }
        if (row == rows || sysctl_rows[row].kind == SYSCTL_REFUSED) {
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_at(read, path, "sysctls", at),
                           "the cloud does not set \"%.*s\"",
                           STR_ARG(str_sub(name, 0, TEXT_BYTES_SHOWN)));
            continue;
        }
        settings[at].is_unsafe = sysctl_rows[row].kind == SYSCTL_UNSAFE;
        settings[read->pod->sysctls_count++] = settings[at]; /* the refused are left out */
    }
    read->pod->sysctls = settings;
}
