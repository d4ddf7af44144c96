/*
 * explain.h - `ecilet explain`: the objects that pods refer to are collected (explain_refs.c), the
 * pods of a manifest found (explain_pods.c), changed as admission would change them
 * (explain_profile.c), translated, and what came of it printed (explain_print.c), in the order of
 * cli_explain.c.
 *
 * One shot, offline. All memory is one mapping, of which only what is used is touched.
 */
#ifndef ECILET_APP_EXPLAIN_H
#define ECILET_APP_EXPLAIN_H

#include "app/cli.h"
#include "app/config.h"
#include "data/json_read.h"
#include "data/json_write.h"
#include "data/yaml_read.h"
#include "spec/mutate.h"
#include "spec/pod_to_eci.h"
#include "spec/profile.h"

#define EXPLAIN_ARENA_BYTES (48 * 1024 * 1024) /* files, JSON, its tokens at worst, one pod */
#define EXPLAIN_OUT_BYTES (8 * 1024 * 1024)    /* full: the manifest has to be split */
#define EXPLAIN_JSON_BYTES (1024 * 1024)       /* of one document, aliases written out */
#define EXPLAIN_LINES_MAX 131072  /* noted lines of one document; every other byte of the file */
#define EXPLAIN_DOCUMENTS_MAX 256 /* of one file; each is found by reading those before it again \
                                   */
/* Objects that pods may refer to, of all files. More, or larger: told, exit code 1. */
#define EXPLAIN_OBJECTS_MAX 1024
#define EXPLAIN_OBJECT_BYTES (8 * 1024 * 1024)

/* Stands for the UID, which only the API server gives. */
#define EXPLAIN_UID "<UID>"

/* What is collected because pods refer to it. */
enum explain_kind {
    EXPLAIN_CONFIG_MAP,
    EXPLAIN_SECRET,
    EXPLAIN_SERVICE,
    EXPLAIN_CLAIM,
    EXPLAIN_VOLUME,
    EXPLAIN_ACCOUNT,
    EXPLAIN_NAMESPACE,
    EXPLAIN_KIND_COUNT
};

/* As the API server would keep it: stringData is data, a Service has an address. */
struct explain_object {
    enum explain_kind kind;
    str name_space; /* empty: EXPLAIN_VOLUME, EXPLAIN_NAMESPACE */
    str name;
    str json_text;
};

struct explain_objects {
    struct arena arena; /* texts */
    struct explain_object *items;
    uint32_t count;
    bool is_full;
};

/* One pod found in a manifest. */
struct explain_pod {
    json object;   /* Pod or pod template, as written */
    str json_text; /* of a whole pod, as the API server would make it: names filled in */
    str kind;      /* of the document: "Deployment" */
    str name_space;
    str name;    /* of the document */
    json claims; /* of a StatefulSet: the templates of its pods' claims */
    uint32_t line;
};

/* What admission did to the pod; only with a profile. */
struct explain_admission {
    struct mutate_outcome outcome;
    str patch; /* JSON patch; empty: none */
};

/* What the translation of one pod gave. */
struct explain_result {
    enum err err;
    struct explain_admission admission;
    struct spec_verdict verdict;
    struct params params;
    struct sizing size;
};

struct explain {
    const char *file; /* the one at hand */
    struct arena arena;
    struct spec_config config;
    struct explain_objects objects;
    str name_space;                /* of objects that do not say theirs */
    const struct profile *profile; /* NULL: none was given */
    struct mutate_node node;
    struct yaml_lines lines;  /* of the document at hand */
    str document;             /* its JSON */
    bool gives_token;         /* the pod that is being made has its token mounted */
    struct json_write writer; /* wants_json */
    struct buf *out;
    struct buf *err;
    bool wants_json;
    uint32_t pods_count;
    uint32_t pods_well; /* can run */
    void (*on_pod)(struct explain *explain, const struct explain_pod *pod);
    void (*on_other)(struct explain *explain, str kind, str name, uint32_t line);
};

/* Calls on_pod for every pod in an object of any kind, on_other for objects without pods which pods
 * do not refer to either. */
void explain_find_pods(struct explain *explain, json object);

/* The name of the claim that a StatefulSet makes from this template for its first pod. */
str explain_claim_name(struct explain *explain, const struct explain_pod *pod, json claim);

/* Whether this is a list whose items count, not itself. */
bool explain_is_list(json object, str kind);

/* The line of a value of the document. */
uint32_t explain_line_of(const struct explain *explain, json value);

/* Refuses what the API server takes only as text and YAML read as something else. The rest of a
 * pod's types is checked where it is read. */
void explain_check_texts(struct explain *explain, const struct explain_pod *pod,
                         struct spec_verdict *verdict);

/* The line that a remark is about ("spec.containers[0].image"): of the deepest part of its path
 * that exists. */
uint32_t explain_line_of_path(struct explain *explain, const struct explain_pod *pod, str path);

/* ---- explain_refs.c -------------------------------------------------------------------------- */

/* The kind of such an object, of the core group; EXPLAIN_KIND_COUNT when pods do not refer to it.
 */
enum explain_kind explain_kind_of(json object, str kind);

/* Keeps what pods may refer to, also out of lists; not a ConfigMap or Secret that the API server
 * would refuse, of which it tells. Full: objects.is_full. */
void explain_collect(struct explain *explain, json object);

/* The newest of that name; NULL when there is none. */
const struct explain_object *explain_find(const struct explain_objects *objects,
                                          enum explain_kind kind, str name_space, str name);

/* What this pod (object: after admission) refers to, each found among the objects, promised or
 * absent. In the arena. Errors: see spec_refs_collect(). */
MUST_USE enum err explain_refs(struct explain *explain, const struct explain_pod *pod, json object,
                               struct spec_refs *refs);

/* ---- explain_profile.c ----------------------------------------------------------------------- */

/*
 * Reads the eci-profile, a ConfigMap document in this text, and takes over what it says about the
 * network. What is wrong was told on err then.
 */
bool explain_use_profile(struct explain *explain, const char *file, str text);

/*
 * What admission and the node make of a pod: the changed object, the annotations that effects add
 * at translation (config->effects). Without a profile nothing.
 */
MUST_USE enum err explain_admit(struct explain *explain, const struct explain_pod *pod,
                                json *object, struct spec_config *config,
                                struct explain_admission *out);

/* ---- explain_print.c ------------------------------------------------------------------------- */

/* The configuration for translating; what is missing becomes <KEY>. Returns how many did. */
uint32_t explain_config(const struct config *config, struct spec_config *out);
/* Lists the placeholders in a config made by explain_config. */
void explain_put_placeholders(const struct spec_config *config, struct buf *out);

/* The beginning, one pod, the end. A pod for which the arena is too small is printed as such, and
 * its result changed. */
void explain_print_start(struct explain *explain);
void explain_print_pod(struct explain *explain, const struct explain_pod *pod,
                       struct explain_result *result);
void explain_print_end(struct explain *explain, bool all_can_run);

#endif
