/*
 * spec_read.h - typed members of a pod's JSON: a wrong type is a refusal, never a guess.
 */
#ifndef ECILET_SPEC_SPEC_READ_H
#define ECILET_SPEC_SPEC_READ_H

#include "data/json_read.h"
#include "spec/pod_fields.h"
#include "spec/pod_spec.h"

/* Variables of all containers together; each costs two of PARAMS_MAX parameters. */
#define SPEC_ENV_MAX 1500

/* Items of any one list; far above every limit of the cloud, it only bounds our own work. */
#define SPEC_LIST_MAX 2000

/* What the reading of a pod carries along. */
struct spec_read {
    struct arena *arena;
    struct spec_verdict *verdict;
    const struct spec_refs *refs; /* may be NULL */
    const struct spec_config *config;
    struct pod_spec *pod; /* as far as it was read; resources of all containers come first */
    const struct spec_container *container; /* that is being read */
    bool has_secret_texts;                  /* of that container, so far */
    json pod_security;                      /* spec.securityContext */
    str account;                            /* spec.serviceAccountName */
    str token_volume;                       /* name of the one that is left out (token_volume.h) */
    const struct spec_env *services;        /* their variables, in order (service_env.h) */
    uint32_t services_count;
    uint32_t env_count;     /* so far, of SPEC_ENV_MAX */
    struct sizing instance; /* what a container without limits may use */
};

/* Typed members, for all readers of specs. A member of another type is refused by name; absent,
 * null and refused ones give the empty text, `otherwise`, or false. */
str spec_read_text(struct spec_read *read, json object, const char *key, str path);
int64_t spec_read_number(struct spec_read *read, json object, const char *key, str path,
                         int64_t otherwise);
bool spec_read_bool(struct spec_read *read, json object, const char *key, str path);
/* The array of a member, refused when it is something else or has more than SPEC_LIST_MAX items:
 * JSON_NONE then and when absent. */
json spec_read_list(struct spec_read *read, json object, const char *key, str path);
/* A list of texts; *count receives how many. */
const str *spec_read_texts(struct spec_read *read, json object, const char *key, str path,
                           uint32_t *count);
/* A list of objects with a name and a value, of which scope has the rows; *count receives how many.
 * In the arena, for the caller to change. */
struct spec_setting *spec_read_settings(struct spec_read *read, json object, const char *key,
                                        str path, enum field_scope scope, uint32_t *count);
/* Relative, not empty, and without ".." among its parts. */
bool spec_is_inner_path(str path);
/* "path.key" and "path.key[at]". */
str spec_path_key(struct spec_read *read, str path, const char *key);
str spec_path_at(struct spec_read *read, str path, const char *key, uint32_t at);

#endif
