/*
 * label_select.h - metav1.LabelSelector: does a set of labels match? And what a label may be.
 *
 * Terms are ANDed; matchLabels is the special case "In one value". As in Kubernetes, NotIn and
 * DoesNotExist also match where there is no such label.
 */
#ifndef ECILET_SPEC_LABEL_SELECT_H
#define ECILET_SPEC_LABEL_SELECT_H

#include "data/json_read.h"
#include "spec/pod_to_eci.h"

#define LABEL_NAME_BYTES_MAX 63    /* of a key after its prefix, and of a value */
#define LABEL_PREFIX_BYTES_MAX 253 /* of a key: a DNS subdomain */

enum label_op { LABEL_IN, LABEL_NOT_IN, LABEL_EXISTS, LABEL_DOES_NOT_EXIST, LABEL_OP_COUNT };

/* "In", "NotIn", "Exists", "DoesNotExist". */
const char *label_op_name(enum label_op op);

struct label_term {
    str key;
    enum label_op op;
    const str *values; /* LABEL_IN and LABEL_NOT_IN */
    uint32_t values_count;
};

struct label_select {
    const struct label_term *terms;
    uint32_t terms_count; /* 0: matches everything */
};

/* Labels (or annotations) of one object. Borrowed. */
struct label_set {
    const struct spec_pair *items;
    uint32_t count;
};

/*
 * Reads an object of texts; members of other types count as the empty text.
 *
 * spare   so many more items are left free behind the last one, for the caller to add
 * Errors: ERR_FULL (arena).
 */
MUST_USE enum err label_set_read(json labels, uint32_t spare, struct arena *arena,
                                 struct spec_pair **items, uint32_t *count);

/* The value of a key, or NULL. */
const str *label_set_find(struct label_set set, str key);

bool label_select_matches(const struct label_select *select, struct label_set labels);

/* A qualified name: [prefix/]name, as keys of labels are. Keys of annotations may have capitals in
 * the prefix, which the API server ignores. */
bool label_key_is_valid(str key);
bool label_value_is_valid(str value);

#endif
