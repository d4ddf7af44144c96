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
#include "spec/verdict.h"

/* Where the admission plugin ServiceAccount mounts the token, in every pod that does not forbid it.
 */
#define TOKEN_MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"

/* One variable with its final value: $(NAME) expanded, of several with one name the last. */
struct spec_env {
    str name;
    str value;
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
    bool is_read_only;
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
    bool has_stdin;
    bool has_stdin_once;
    bool has_tty;
    bool is_unsized; /* variable __ECI_RESOURCE_IGNORE__=TRUE: left out of the sum (eci-api 4.3) */
};

struct spec_volume {
    str name;
    str medium;     /* emptyDir.medium: "" or "Memory" */
    str size_limit; /* emptyDir.sizeLimit as written, may be empty */
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
    int64_t grace_s; /* spec.terminationGracePeriodSeconds */
    bool has_grace;
    bool shares_processes; /* shareProcessNamespace */
};

/*
 * Reads a pod.
 *
 * verdict   initialised by the caller; collects refusals and warnings
 * Errors: ERR_OK also when refused (ask verdict_err): the struct then holds what could be read;
 * ERR_BAD_INPUT when it is no pod at all (see pod_facts_read); ERR_FULL when the arena is full.
 */
MUST_USE enum err pod_spec_read(json pod, struct arena *arena, struct pod_spec *out,
                                struct spec_verdict *verdict);

/* The text of one label or annotation; STR_NONE when there is none. */
str pod_spec_label(const struct pod_spec *pod, const char *key, struct arena *arena);
str pod_spec_annotation(const struct pod_spec *pod, const char *key, struct arena *arena);

/* "Always" for an image without tag or with :latest and no other tag, else "IfNotPresent"
 * (SetDefaults_Container). */
str pod_spec_pull_policy(str image);

#endif
