/*
 * pod_spec.h - a Pod, read into types: what pod_to_eci.h translates.
 *
 * Every member of PodSpec, Container, Volume and their parts has a row in pod_fields.def that says
 * whether it is used, without meaning here, left out with a warning, or refused; members that have
 * no row are refused by name unless they are empty. So after a reading without refusals nothing
 * that the pod asked for is missing from this struct, except what the warnings tell.
 *
 * All texts and arrays borrow from the document or live in its arena.
 */
#ifndef ECILET_SPEC_POD_SPEC_H
#define ECILET_SPEC_POD_SPEC_H

#include "spec/pod_facts.h"
#include "spec/sizing.h"
#include "spec/spec_refs.h"
#include "spec/verdict.h"

struct spec_config; /* pod_to_eci.h */

/* One variable with its final value: $(NAME) expanded, of several with one name the last. */
struct spec_env {
    str name;
    str value;
    bool is_secret; /* of a Secret, or has such a variable in it: never shown */
    bool is_pod_ip; /* status.podIP: the cloud puts the value in, here it is empty */
};

struct spec_port {
    uint16_t port; /* containerPort */
    str protocol;  /* "TCP" or "UDP" */
    str name;      /* may be empty */
};

struct spec_mount {
    str volume;
    str path;
    str sub_path;
    str propagation; /* mountPropagation, empty for None */
    bool is_read_only;
    bool is_secret; /* a secret variable is in sub_path */
};

struct spec_setting { /* sysctl, resolver option, header of a request */
    str name;
    str value;
    bool is_unsafe; /* sysctl: of the instance, not of the containers */
};

/* ProbeHandler and LifecycleHandler. */
enum spec_action_kind { SPEC_ACTION_NONE, SPEC_ACTION_EXEC, SPEC_ACTION_HTTP, SPEC_ACTION_TCP };

struct spec_action {
    enum spec_action_kind kind;
    const str *command; /* EXEC */
    uint32_t command_count;
    uint32_t headers_count;
    const struct spec_setting *headers; /* HTTP; hooks only */
    str host;                           /* HTTP, TCP; hooks only */
    str path;                           /* HTTP */
    str scheme;                         /* "HTTP", "HTTPS" or empty */
    uint16_t port;                      /* HTTP, TCP: named ones are resolved */
};

/* Times in seconds; 0 leaves it to the cloud, whose defaults are those of Kubernetes. */
struct spec_probe {
    struct spec_action action; /* NONE: there is no such probe */
    int64_t initial_delay_s;
    int64_t period_s;
    int64_t timeout_s;
    int64_t success_count; /* 0 or 1 */
    int64_t failure_count;
};

/* What of SecurityContext and PodSecurityContext counts for one container. */
struct spec_security {
    const str *capabilities; /* to add, without CAP_ */
    uint32_t capabilities_count;
    bool has_user;
    bool has_group;
    bool is_non_root;
    bool has_read_only_root;
    int64_t user;
    int64_t group;
};

/* One resource of a container, in thousandths (quantity.h). */
struct spec_amount {
    int64_t request_milli;
    int64_t limit_milli;
    bool has_request;
    bool has_limit;
};

struct spec_container {
    str name;
    str image;
    const str *command; /* expanded like env */
    const str *args;
    str working_dir;
    str pull_policy; /* never empty: the API server's rule fills it in */
    str termination_path;
    str termination_policy;
    const struct spec_env *env;
    const struct spec_port *ports;
    const struct spec_mount *mounts;
    uint32_t command_count;
    uint32_t args_count;
    uint32_t env_count;
    uint32_t ports_count;
    uint32_t mounts_count;
    struct spec_amount cpu;
    struct spec_amount memory;
    struct spec_amount ephemeral;
    struct spec_amount gpu; /* whole GPUs */
    struct spec_probe liveness;
    struct spec_probe readiness;
    struct spec_action post_start;
    struct spec_action pre_stop;
    struct spec_security security;
    bool has_secret_texts; /* a secret variable is in command, args or a probe */
    bool has_stdin;
    bool has_stdin_once;
    bool has_tty;
    bool is_unsized; /* variable __ECI_RESOURCE_IGNORE__=TRUE: left out of the sum (eci-api 4.3) */
};

/* One file of a volume made of ConfigMaps, Secrets, fields of the pod and tokens. */
struct spec_file {
    str path;     /* relative, without ".." */
    str content;  /* the bytes themselves */
    int32_t mode; /* -1: that of the volume */
    bool is_secret;
};

enum spec_volume_kind {
    SPEC_VOLUME_EMPTY_DIR,
    SPEC_VOLUME_FILES, /* configMap, secret, downwardAPI, projected */
    SPEC_VOLUME_NFS,
    SPEC_VOLUME_FLEX, /* flexVolume and what is expressed as one: disks, NAS and OSS by CSI */
    SPEC_VOLUME_HOST_PATH,
    SPEC_VOLUME_PROMISED, /* of a promised claim (spec_refs.h): nothing is known of it */
};

struct spec_volume {
    enum spec_volume_kind kind;
    str name;
    str medium;     /* emptyDir.medium: "" or "Memory" */
    str size_limit; /* emptyDir.sizeLimit as written, may be empty */
    const struct spec_file *files;
    uint32_t files_count;
    int32_t default_mode; /* of files; -1: not said */
    str server;           /* NFS */
    str path;             /* NFS, hostPath */
    str path_type;        /* hostPath: "Directory", "File" or empty */
    str driver;           /* flex: "alicloud/disk", "alicloud/nas", "alicloud/oss" */
    str fs_type;          /* flex, may be empty */
    str options;          /* flex: a JSON object of texts */
    bool is_secret;       /* flex: keys are among the options */
    bool is_read_only;    /* so are all mounts of it */
};

/* Credentials of one registry. */
struct spec_login {
    str server; /* host, without scheme and path */
    str user;
    str password;
};

/* Resolver settings: of dnsPolicy None. */
struct spec_dns {
    const str *servers;
    const str *searches;
    const struct spec_setting *options;
    uint32_t servers_count;
    uint32_t searches_count;
    uint32_t options_count;
};

struct spec_host_alias {
    str ip;
    const str *names;
    uint32_t names_count;
};

struct pod_spec {
    struct pod_facts facts; /* metadata, nodeName, restartPolicy, ... */
    json labels;            /* metadata.labels, annotations: objects of strings or JSON_NONE */
    json annotations;
    str host_name; /* spec.hostname, else the pod's name as the kubelet cuts it */
    const struct spec_container *containers;
    const struct spec_container *init_containers;
    const struct spec_volume *volumes;
    const struct spec_host_alias *host_aliases;
    uint32_t containers_count;
    uint32_t init_containers_count;
    uint32_t volumes_count;
    uint32_t host_aliases_count;
    const struct spec_login *logins; /* of imagePullSecrets */
    const struct spec_setting *sysctls;
    uint32_t logins_count;
    uint32_t sysctls_count;
    struct spec_dns dns;
    bool has_own_dns; /* dnsPolicy None: dns alone counts */
    int64_t grace_s;  /* spec.terminationGracePeriodSeconds */
    bool has_grace;
    bool shares_processes; /* shareProcessNamespace */
};

/*
 * Reads a pod.
 *
 * refs      what was read for it (spec_refs_collect); NULL: nothing was, and a pod that needs
 *           something has to wait. What is missing and mandatory is a refusal of the kind
 *           SPEC_WAIT; what is missing and optional is left out with a warning. Both have the
 *           reasons of events that the virtual-kubelet library has, and its warnings
 * config    node_name, node_address, region_id and host_paths are used
 * verdict   initialised by the caller; collects refusals and warnings
 * Errors: ERR_OK also when refused (ask verdict_err): the struct then holds what could be read;
 * ERR_BAD_INPUT when it is no pod at all (see pod_facts_read); ERR_FULL when the arena is full.
 */
MUST_USE enum err pod_spec_read(json pod, const struct spec_refs *refs,
                                const struct spec_config *config, struct arena *arena,
                                struct pod_spec *out, struct spec_verdict *verdict);

/* What one container adds to the instance's size: its limits, else its requests (eci-api 4.3). */
struct sizing pod_spec_container_size(const struct spec_container *one);

/* How many GPUs one container has: its limit, which is its request too. */
int64_t pod_spec_container_gpus(const struct spec_container *one);

/* "Always" for an image without tag or with :latest and no other tag, else "IfNotPresent"
 * (SetDefaults_Container). */
str pod_spec_pull_policy(str image);

#endif
