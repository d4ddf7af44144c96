/*
 * explain.h - `ecilet explain`: finding the pods of a manifest (explain_pods.c), translating each,
 * printing what came of it (explain_print.c), in the order of cli_explain.c.
 *
 * One shot, offline. All memory is one mapping, of which only what is used is touched.
 */
#ifndef ECILET_APP_EXPLAIN_H
#define ECILET_APP_EXPLAIN_H

#include "app/config.h"
#include "data/json_read.h"
#include "data/json_write.h"
#include "data/yaml_read.h"
#include "spec/pod_to_eci.h"

#define EXPLAIN_ARENA_BYTES (48 * 1024 * 1024) /* file, JSON, its tokens at worst, one pod */
#define EXPLAIN_OUT_BYTES (8 * 1024 * 1024)    /* full: the manifest has to be split */
#define EXPLAIN_JSON_BYTES (1024 * 1024)       /* of one document, aliases written out */
#define EXPLAIN_LINES_MAX 131072  /* noted lines of one document; every other byte of the file */
#define EXPLAIN_DOCUMENTS_MAX 256 /* of one file; each is found by reading those before it again \
                                   */

/* Stands for the UID, which only the API server gives. */
#define EXPLAIN_UID "<UID>"

/* One pod found in a manifest. */
struct explain_pod {
    json object;   /* Pod or pod template, as written */
    str json_text; /* of a whole pod, as the API server would make it: names filled in */
    str kind;      /* of the document: "Deployment" */
    str name_space;
    str name; /* of the document */
    uint32_t line;
};

/* What the translation of one pod gave. */
struct explain_result {
    enum err err;
    struct spec_verdict verdict;
    struct params params;
    struct sizing size;
};

struct explain {
    const char *file;
    struct arena arena;
    struct spec_config config;
    struct yaml_lines lines;  /* of the document at hand */
    str document;             /* its JSON */
    struct json_write writer; /* wants_json */
    struct buf *out;
    bool wants_json;
    uint32_t pods_count;
    uint32_t pods_well; /* can run */
    void (*on_pod)(struct explain *explain, const struct explain_pod *pod);
    void (*on_other)(struct explain *explain, str kind, str name, uint32_t line);
};

/* Calls on_pod for every pod in an object of any kind, on_other for objects without pods. */
void explain_find_pods(struct explain *explain, json object);

/* The line of a value of the document. */
uint32_t explain_line_of(const struct explain *explain, json value);
/* The line that a remark is about ("spec.containers[0].image"): of the deepest part of its path
 * that exists. */
uint32_t explain_line_of_path(struct explain *explain, const struct explain_pod *pod, str path);

/* The configuration for translating; what is missing becomes <KEY>. Returns how many did. */
uint32_t explain_config(const struct config *config, struct spec_config *out);
/* Lists the placeholders in a config made by explain_config. */
void explain_put_placeholders(const struct spec_config *config, struct buf *out);

/* The beginning, one pod, the end. */
void explain_print_start(struct explain *explain);
void explain_print_pod(struct explain *explain, const struct explain_pod *pod,
                       const struct explain_result *result);
void explain_print_end(struct explain *explain);

#endif
