/*
 * config_key.h - the shape of one row of config.def, for those who read, check or print the table.
 *
 * The rest of the program uses config.h only.
 */
#ifndef ECILET_APP_CONFIG_KEY_H
#define ECILET_APP_CONFIG_KEY_H

#include "app/config.h"

/*  type      field in struct config     text form */
enum config_type {
    CONFIG_TEXT,     /* str                  one line without control characters; see `form` */
    CONFIG_SECRET,   /* struct config_secret likewise, in struct config_secrets; never printed */
    CONFIG_BOOL,     /* bool                 true/false, also yes/no, on/off, 1/0 */
    CONFIG_INTEGER,  /* uint32_t             decimal, min..max */
    CONFIG_PORT,     /* uint32_t             1..65535 */
    CONFIG_BYTES,    /* size_t               decimal with optional Ki, Mi, Gi; min..max bytes */
    CONFIG_QUANTITY, /* str                  Kubernetes resource.Quantity, not negative */
    CONFIG_WORD,     /* an enum              one of `words`, in the order of the enum */
    CONFIG_LIST,     /* struct config_list   comma separated, each item of `form`, min..max items */
    CONFIG_PATH,     /* str                  path of a file, not looked at */
    CONFIG_URL,      /* str                  http:// or https://, host, optional port */
    CONFIG_ADDRESS,  /* str                  IPv4 or IPv6 address */
    CONFIG_TYPE_COUNT
};

enum config_group {
    CONFIG_GROUP_CLOUD,
    CONFIG_GROUP_CLUSTER,
    CONFIG_GROUP_NODE,
    CONFIG_GROUP_PACE,
    CONFIG_GROUP_CAUTION,
    CONFIG_GROUP_ROOM,
    CONFIG_GROUP_LOG,
    CONFIG_GROUP_COUNT
};

/* Who invented the key. */
enum config_whose {
    CONFIG_OURS,
    CONFIG_SEED,      /* the environment of Alibaba Cloud's virtual node (vk.yaml), same meaning */
    CONFIG_KUBERNETES /* set or read by Kubernetes' own programs */
};

/* What a text must look like beyond its type. */
struct config_form {
    const char *says; /* "2 to 64 lower-case letters, digits and -": finishes "must be ..." */
    bool (*fits)(str text);
};

struct config_key {
    const char *key; /* name in the file and in the environment */
    enum config_group group;
    enum config_type type;
    enum config_whose whose;
    uint32_t offset;            /* of the field in struct config (SECRET: config_secrets) */
    uint32_t field_bytes;       /* its size, checked against the type by a test */
    bool is_required;           /* not set: an error that quotes `doc` */
    bool is_hidden;             /* may hold a password: the value is never printed */
    const char *otherwise;      /* default in text form; NULL: none (empty, 0) */
    const char *otherwise_says; /* how the default comes about, when it is derived */
    const char *example;        /* for the example file when there is no default */
    int64_t min, max;           /* INTEGER, BYTES: value; LIST: items */
    const char *unit;           /* "ms", "per minute"; NULL: none */
    const char *const *words;   /* WORD: NULL-terminated */
    const struct config_form *form;
    const char *doc;  /* one line */
    const char *more; /* further lines, '\n' between; NULL: none */
};

/* The rows in the order of config.def. */
extern const struct config_key config_keys[];
extern const uint32_t config_keys_count;

/* The row of a key, or NULL. */
const struct config_key *config_key_find(str key);
/* The nearest known key for "did you mean", or NULL when none is near. */
const struct config_key *config_key_nearest(str key);
/* May be given as KEY_FILE: texts and secrets. */
bool config_key_has_file_form(const struct config_key *row);

size_t config_type_field_bytes(enum config_type type);
const char *config_group_title(enum config_group group); /* "The cloud" */

#endif
