/*
 * config.h - what the operator decided: one flat file, the environment, the command line.
 *
 * Every key is one row of config.def: its type, default, range and documentation. The struct below
 * holds the parsed values, one field per row, named like the key in lower case. Nothing else in the
 * program reads the environment.
 *
 * Which source wins: command line > environment > file > default. A key that is set to nothing
 * (`KEY=`) counts as not set, in every source.
 *
 *     struct config config;            static storage, one per process: too big for a stack
 *     struct config_secrets secrets;   likewise; kept apart so that it can be wiped and re-read
 *     config_load(&config, &secrets, &source, &scratch, &report)
 *
 * Everything wrong is reported, not only the first thing. A report never contains the value of a
 * secret, nor any part of a line that could not be understood.
 */
#ifndef ECILET_APP_CONFIG_H
#define ECILET_APP_CONFIG_H

#include "app/config_report.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "eci/eci_exec_framing.h"
#include "os/log.h"

#define CONFIG_FILE_DEFAULT "/etc/ecilet/ecilet.conf" /* read if it exists, without --config */
#define CONFIG_FILE_BYTES_MAX (64 * 1024) /* the example with all its comments has a quarter */
#define CONFIG_LIST_MAX 16            /* items of a list (labels; the cloud takes 10 vSwitches) */
#define CONFIG_PATH_BYTES_MAX 511     /* of a file named anywhere in the configuration */
#define CONFIG_TEXT_BYTES (16 * 1024) /* all texts of one config together */
#define CONFIG_SECRET_BYTES_MAX 4095  /* one secret; STS tokens have no documented size */
#define CONFIG_KEYS_MAX 64            /* rows of config.def; a program constant, asserted */
/* What config_load takes from its scratch arena at most: file, settings, report lines. */
#define CONFIG_SCRATCH_BYTES (192 * 1024)

enum config_cluster {
    CONFIG_CLUSTER_CLOUD, /* a cluster on ECS: ECI can reach its API server */
    CONFIG_CLUSTER_IDC    /* a cluster behind a line: ECI cannot, hybrid mode */
};

enum config_taint {
    CONFIG_TAINT_NO_SCHEDULE,
    CONFIG_TAINT_PREFER_NO_SCHEDULE,
    CONFIG_TAINT_NO_EXECUTE
};

/* The effect as Kubernetes spells it: "NoSchedule". */
const char *config_taint_text(enum config_taint effect);

struct config_list {
    uint32_t count;
    str items[CONFIG_LIST_MAX];
};

struct config_secret {
    uint32_t bytes; /* 0 = not given */
    char text[CONFIG_SECRET_BYTES_MAX + 1];
};

static inline str config_secret_str(const struct config_secret *secret)
{
    return (str){secret->text, secret->bytes};
}

/* The cloud's credentials. Owned by main; changed only by config_load and config_reload_secrets. */
struct config_secrets {
    struct config_secret eci_access_key;
    struct config_secret eci_secret_key;
    struct config_secret eci_security_token; /* empty: a long-lived key, not STS */
};

void config_secrets_wipe(struct config_secrets *secrets);

enum config_source_kind {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_COMMAND_LINE
};

/* Where a value came from. */
struct config_origin {
    enum config_source_kind kind;
    uint32_t line; /* of the file; 0 otherwise */
};

/* One value given on the command line: the key it sets and the option's name for messages. */
struct config_arg {
    const char *key;    /* "NODE_NAME" */
    const char *option; /* "--nodename" */
    const char *value;
};

#define CONFIG_ARGS_MAX 8

/* Where to read from. The texts pointed to (argv, environment) must live as long as the config: a
 * reload reads them again. */
struct config_source {
    const char *file;         /* --config; it must be readable. NULL: file_default, if it exists */
    const char *file_default; /* CONFIG_FILE_DEFAULT; tests name another; NULL: none */
    const char *const *environment; /* "KEY=value" texts, NULL at the end; NULL: none */
    struct config_arg args[CONFIG_ARGS_MAX];
    uint32_t args_count;
};

/*
 * All texts (str) below are also NUL-terminated (ptr may be used as a C string, never NULL), lie in
 * `text`, and live as long as the struct, which must not be copied or moved. An empty str means
 * "not given" unless the comment says otherwise.
 */
struct config {
    /* the cloud */
    enum config_cluster cluster_type;
    bool is_hybrid; /* derived: cluster_type is IDC */
    str eci_region;
    str aliyun_clusterid;
    str eci_vpc;
    struct config_list eci_vswitch;
    str eci_vswitch_ids; /* derived: the same, joined by commas */
    str eci_security_group;
    str eci_resource_group;
    struct config_list host_paths;
    str host_paths_text; /* derived: the same, joined by commas */
    str eci_endpoint;    /* never empty: "https://host[:port]", no slash at the end */
    str eci_ca_file;     /* the system's bundle when not given; empty only for a http:// endpoint */
    enum eci_framing exec_framing;
    str eci_proxy; /* "http://[user:password@]host:port": may hold a password, do not print */

    /* the cluster */
    str kubeconfig; /* empty: the in-cluster service account (kubernetes_service_* are set) */
    str kube_context;
    str kubernetes_service_host;
    uint32_t kubernetes_service_port;

    /* the node */
    str node_name;
    struct config_list node_labels; /* "key=value" each, both parts valid */
    str eci_quota_cpu;              /* Kubernetes quantities, valid, as written */
    str eci_quota_memory;
    uint32_t eci_quota_pod;
    uint32_t eci_quota_gpu; /* 0: the node shows none */
    bool quota_follow;      /* the node shows no more room than the account has: core/capacity.h */
    uint32_t kubelet_port;
    str kubelet_tls_cert_file; /* both or none */
    str kubelet_tls_key_file;
    str vkubelet_pod_ip;
    str vkubelet_taint_key;
    str vkubelet_taint_value;
    enum config_taint vkubelet_taint_effect;
    bool eci_kube_proxy; /* only kept: see config.def */
    str status_socket;   /* never empty: /run/ecilet-<node>.sock when not given */
    bool leader_elect;
    str leader_identity; /* empty: this machine's host name */
    str leader_namespace;
    bool webhook;
    uint32_t webhook_port; /* never 0 */
    str webhook_url;       /* empty: the node's address, or the Service in a cluster */
    str webhook_cert_dir;

    /* pace; milliseconds and seconds as named, rates per minute */
    uint32_t poll_fast_ms;
    uint32_t poll_slow_ms;
    uint32_t sweep_seconds;
    uint32_t create_per_minute;
    uint32_t delete_per_minute;
    uint32_t describe_per_minute;
    uint32_t status_per_minute;

    /* caution */
    uint32_t absence_seconds;
    uint32_t absence_sweeps;
    uint32_t orphan_brake_percent;
    uint32_t orphan_brake_min;

    /* room; limits.h turns these into counts */
    uint32_t pods_max; /* never 0: a quarter more than eci_quota_pod when not given */
    uint32_t api_connections;
    uint32_t cloud_connections;
    uint32_t exec_sessions;
    uint32_t port_forward_sessions;
    size_t object_bytes_max;
    size_t arena_bytes;
    size_t heap_bytes;

    enum log_level log_level;

    /* set by the command line only */
    bool print_budget;

    /* where it all came from */
    str file; /* the file that was read; empty: none */
    struct config_secrets *secrets;
    struct config_source source;
    struct config_origin origins[CONFIG_KEYS_MAX]; /* by row of config.def */
    size_t text_bytes;
    char text[CONFIG_TEXT_BYTES];
};

/*
 * Reads all sources into `config` and `secrets` (both are overwritten).
 *
 * scratch   at least CONFIG_SCRATCH_BYTES free; what was used is wiped and given back before return
 * report    receives every error and warning
 *
 * Each secret is also registered with log_hide(), so it cannot appear in a log line.
 * Errors: ERR_INVALID when an error was reported; then the config must not be used, but every
 * field has a valid value (the default), so that checks may go on and find more.
 */
MUST_USE enum err config_load(struct config *config, struct config_secrets *secrets,
                              const struct config_source *source, struct arena *scratch,
                              struct config_report *report);

/*
 * SIGHUP: reads all sources again and takes over the credentials only.
 *
 * report    one line "note: ECI_SECRET_KEY changed" per secret that changed; a warning for every
 *           other key that changed (it needs a restart); errors as from config_load, but not its
 *           warnings, which were told at start
 * changed   receives how many secrets changed
 * Errors: ERR_INVALID: something is wrong now; the old credentials stay in use.
 * scratch must have CONFIG_SCRATCH_BYTES + CONFIG_RELOAD_BYTES free.
 */
#define CONFIG_RELOAD_BYTES (sizeof(struct config) + sizeof(struct config_secrets) + 128)
MUST_USE enum err config_reload_secrets(const struct config *config, struct arena *scratch,
                                        struct config_report *report, uint32_t *changed);

/* The cloud's address for a region (eci-api 1.1), e.g. "https://eci.cn-beijing.aliyuncs.com". */
void config_put_endpoint(struct buf *out, str region);

#endif
