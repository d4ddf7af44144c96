/*
 * params.h - the parameters of one cloud request: an ordered list of names and values in an arena.
 *
 * spec/pod_to_eci fills it, eci/eci_sign flattens and signs it, `ecilet explain` prints it. Names
 * are already flattened ("Container.1.EnvironmentVar.2.Key", eci-api: 1.4). Sticky like buf: after
 * the first add that did not fit, has_failed stays set.
 */
#ifndef ECILET_DATA_PARAMS_H
#define ECILET_DATA_PARAMS_H

#include "base/arena.h"

#define PARAMS_MAX 4096 /* one pod with 20 containers of 64 variables each stays below */

struct param {
    str name;
    str value;
    bool is_secret; /* masked when printed: credentials, secret values */
};

struct params {
    struct arena *arena;
    struct param *items; /* PARAMS_MAX, in the arena */
    uint32_t count;
    bool has_failed;
};

/* Errors: ERR_FULL when the arena cannot hold the list itself. */
MUST_USE enum err params_init(struct params *params, struct arena *arena);

/* Name and value are copied. An empty value is sent as an empty value. */
void params_add(struct params *params, str name, str value);
void params_add_secret(struct params *params, str name, str value);
void params_add_i64(struct params *params, str name, int64_t value);
void params_add_bool(struct params *params, str name, bool value);
/* The name is built from a format: params_add_at(p, value, "Container.%u.Image", n). */
void params_add_at(struct params *params, str value, const char *name_format, ...)
    __attribute__((format(printf, 3, 4)));

/* Replaces the value of a name, in its place; adds it when there is none. Linear. */
void params_set(struct params *params, str name, str value);
/* Takes out every parameter whose name starts so; the others keep their order. */
void params_drop(struct params *params, str prefix);

/* The value of a name, or STR_NONE. Linear. */
str params_find(const struct params *params, str name);

#endif
