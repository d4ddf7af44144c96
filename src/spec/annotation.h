/*
 * annotation.h - what a pod's annotations ask of ECI: annotations.def at work.
 *
 *     annotations_read     pod (then profile) -> checked values, refusals, warnings
 *     annotations_size     how large, or of which type
 *     annotations_put      the rest becomes parameters
 *
 * Pure. A value that is not as its row says is refused with the annotation, the value and what is
 * allowed, so no request is sent that is bound to fail.
 */
#ifndef ECILET_SPEC_ANNOTATION_H
#define ECILET_SPEC_ANNOTATION_H

#include "data/json_read.h"
#include "data/params.h"
#include "spec/sizing.h"
#include "spec/verdict.h"

struct spec_pair; /* pod_to_eci.h */
struct spec_config;

#define ANNOTATION_VALUE_BYTES_SHOWN 60 /* of a wrong value, in its refusal */
#define ANNOTATION_SPECS_MAX 5          /* InstanceType takes as many (eci-api 2.1) */
#define ANNOTATION_NAME_SERVERS_MAX 2   /* the first two are used (eci-api 4.4) */
#define ANNOTATION_SEARCHES_MAX 32

enum annotation {
#define ANNOTATION(name, ...) ANNOTATION_##name,
#include "spec/annotations.def"
#undef ANNOTATION
    ANNOTATION_COUNT
};

enum annotation_fate {
    ANNOTATION_SENT,
    ANNOTATION_OURS,
    ANNOTATION_WARNED,
    ANNOTATION_REFUSED,
    ANNOTATION_WRITTEN
};

/*  form          allowed values, for people; %low, %high and %words stand for the row's own */
#define ANNOTATION_FORM_TABLE(X) \
    X(FLAG,        "\"true\" or \"false\"") \
    X(NUMBER,      "a whole number from %low to %high") \
    X(MBPS,        "Mbit/s, a whole number from %low to %high, as 100 or 100M") \
    X(RATE,        "bytes per second, a whole number with a unit T, G, M, K or B, as 40M") \
    X(GIB,         "a quantity from 1 byte to %high GiB, as 50Gi") \
    X(PRICE,       "a number above 0 with at most three decimals, as 0.25") \
    X(WORD,        "one of %words") \
    X(WORDS,       "%low to %high of %words, separated by commas, none twice") \
    X(NAME,        "%low to %high letters, digits, '.', '-' or '_'") \
    X(ID,          "one that starts with %words, without blanks") \
    X(IDS,         "%low to %high ids that start with %words, separated by commas") \
    X(REGION_IDS,  "%low to %high ids that start with %words, as id or region:id, separated by " \
                   "commas") \
    X(ARNS,        "%low to %high ARNs of roles (acs:ram::...:role/...), separated by commas") \
    X(HOSTS,       "%low to %high hosts or addresses, with a :port where needed, without a " \
                   "scheme, separated by commas") \
    X(IPV4,        "an IPv4 address") \
    X(PATH,        "a path of at most %high bytes that does not start with '|'") \
    X(SPECS,       "%low to %high of sizes such as 2-4Gi (at most 64-512Gi) and ECS types such " \
                   "as ecs.c6.xlarge, separated by commas") \
    X(FAMILIES,    "%low to %high families of the kinds ecs.c, ecs.g, ecs.r or ecs.hfc, ecs.hfg, " \
                   "ecs.hfr with their generation, as ecs.c6,ecs.g6") \
    X(GENERATIONS, "%low to %high numbers of generations, as 7,6") \
    X(TAGS,        "%low to %high tags key:value, separated by commas; none of the node's own, "  \
                   "not acs: or aliyun, no URLs")                                                 \
    X(JSON_HOSTS, \
      "JSON as [{\"host\":\"a.example\",\"ip\":\"10.0.0.1\"}], %low to %high of them") \
    X(JSON_DNS,    "JSON as {\"nameservers\":\"10.0.0.2\",\"searches\":\"a.example\","          \
                   "\"options\":\"ndots:2\"}, with a name server")                               \
    X(JSON_SYSCTLS, "JSON as [{\"name\":\"net.core.somaxconn\",\"value\":\"1024\"}], %low to " \
                   "%high of them") \
    X(ANY,         "any text")

enum annotation_form {
#define X(name, text) ANNOTATION_FORM_##name,
    ANNOTATION_FORM_TABLE(X)
#undef X
        ANNOTATION_FORM_COUNT
};

/* One row of annotations.def; see there. */
struct annotation_row {
    const char *key;
    const char *aliases;
    enum annotation_fate fate;
    enum annotation_form form;
    int64_t low, high;
    const char *words;
    const char *parameters;
    const char *otherwise;
    const char *text;
};

const struct annotation_row *annotation_row(enum annotation annotation);
/* The row of a key or alias; ANNOTATION_COUNT when there is none. */
enum annotation annotation_find(str key);
/* "a whole number from 10 to 1440" */
void annotation_put_allowed(const struct annotation_row *row, struct buf *out);

/* A value that was given and is as its row says. */
struct annotation_value {
    bool is_set;
    str where;      /* "metadata.annotations[...]" or "eci-profile[...]", for remarks */
    str text;       /* trimmed; words as the cloud spells them, lists without blanks */
    int64_t number; /* FLAG: 0 or 1; NUMBER, MBPS; RATE: bytes/s; GIB: whole GiB; lists: items */
    json root;      /* JSON_*: the parsed value */
};

struct annotations {
    struct annotation_value values[ANNOTATION_COUNT];
};

/*
 * Reads and checks all annotations of a pod.
 *
 * object    metadata.annotations, or JSON_NONE
 * effects   of the profile: each counts where the pod and every pair before has none of that name
 * out       texts live in the verdict's arena, or where they came from
 */
void annotations_read(json object, const struct spec_pair *effects, uint32_t effects_count,
                      struct annotations *out, struct spec_verdict *verdict);

/* Given, and not a FLAG that says no. */
bool annotations_has(const struct annotations *asked, enum annotation annotation);
/* It asks for a spot instance. */
bool annotations_has_spot(const struct annotations *asked);

/* What instance is asked for. */
struct annotation_size {
    str types;          /* InstanceType; empty: Cpu and Memory are sent, which are `size` */
    struct sizing size; /* what is billed first; zero when that is the price of an ECS type */
    struct sizing room; /* what containers' limits may add up to; zero when unknown */
    bool is_chosen;     /* by annotation, not by the containers */
};

/*
 * wanted    the containers' sum; counts unless eci-use-specs gives a size
 * Errors: ERR_TOO_BIG when there is no instance that large; out is unchanged then.
 */
MUST_USE enum err annotations_size(const struct annotations *asked, struct sizing wanted,
                                   str region_id, struct arena *arena, struct annotation_size *out);

/*
 * Adds what the annotations ask for, except the size; called after everything else of the pod is
 * there: it replaces what they override and continues lists where the pod's own end.
 */
void annotations_put(const struct annotations *asked, const struct spec_config *config,
                     struct params *params, struct spec_verdict *verdict);

/* The table for people. */
void annotations_print_text(struct buf *out);
void annotations_print_markdown(struct buf *out);

#endif
