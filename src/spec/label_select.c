/* see label_select.h */
#include "spec/label_select.h"

#include "base/check.h"

const char *label_op_name(enum label_op op)
{
    static const char *const names[LABEL_OP_COUNT] = {
        [LABEL_IN] = "In",
        [LABEL_NOT_IN] = "NotIn",
        [LABEL_EXISTS] = "Exists",
        [LABEL_DOES_NOT_EXIST] = "DoesNotExist",
    };
    CHECK(op < LABEL_OP_COUNT);
    return names[op];
}

enum err label_set_read(json labels, uint32_t spare, struct arena *arena, struct spec_pair **items,
                        uint32_t *count)
{
    bool is_object = json_type(labels) == JSON_TYPE_OBJECT;
    uint32_t members = is_object ? json_count(labels) : 0;
    struct spec_pair *pairs = ARENA_ARRAY(arena, (size_t)members + spare + 1, struct spec_pair);
    if (pairs == NULL) {
        return ERR_FULL;
    }
    uint32_t at = 0;
    for (json x = is_object ? json_first(labels) : JSON_NONE; json_is_there(x); x = json_next(x)) {
        pairs[at].key = json_key(x, arena);
        pairs[at].value = json_text(x, arena);
        at++;
    }
    *items = pairs;
    *count = at;
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

const str *label_set_find(struct label_set set, str key)
{
    for (uint32_t i = 0; i < set.count; i++) {
        if (str_eq(set.items[i].key, key)) {
            return &set.items[i].value;
        }
    }
    return NULL;
}

static bool has_value(const struct label_term *term, str value)
{
    for (uint32_t i = 0; i < term->values_count; i++) {
        if (str_eq(term->values[i], value)) {
            return true;
        }
    }
    return false;
}

static bool term_matches(const struct label_term *term, struct label_set labels)
{
    const str *value = label_set_find(labels, term->key);
    bool is_of_values = term->op == LABEL_IN || term->op == LABEL_NOT_IN;
    bool is_met = value != NULL && (!is_of_values || has_value(term, *value));
    return is_met == (term->op == LABEL_IN || term->op == LABEL_EXISTS);
}

bool label_select_matches(const struct label_select *select, struct label_set labels)
{
    for (uint32_t i = 0; i < select->terms_count; i++) {
        if (!term_matches(&select->terms[i], labels)) {
            return false;
        }
    }
    return true;
}

/* ---- what a label may be (k8s.io/apimachinery/pkg/util/validation) --------------------------- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters and digits, inside also - _ . */
static bool is_name(str text)
{
    if (str_is_empty(text) || text.bytes > LABEL_NAME_BYTES_MAX ||
        !is_letter_or_digit(text.ptr[0]) || !is_letter_or_digit(text.ptr[text.bytes - 1])) {
        return false;
    }
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        if (!is_letter_or_digit(c) && c != '-' && c != '_' && c != '.') {
            return false;
        }
    }
    return true;
}

/* A DNS subdomain: labels of lower-case letters, digits and - with dots between. */
static bool is_prefix(str text)
{
    str rest = text, piece;
    if (str_is_empty(text) || text.bytes > LABEL_PREFIX_BYTES_MAX ||
        text.ptr[text.bytes - 1] == '.') {
        return false;
    }
    while (str_cut(&rest, '.', &piece)) {
        if (!is_name(piece) || str_find_char(piece, '_') >= 0) {
            return false;
        }
        for (size_t i = 0; i < piece.bytes; i++) {
            if (piece.ptr[i] >= 'A' && piece.ptr[i] <= 'Z') {
                return false;
            }
        }
    }
    return true;
}

bool label_key_is_valid(str key)
{
    ptrdiff_t slash = str_find_char(key, '/');
    if (slash < 0) {
        return is_name(key);
    }
    return is_prefix(str_sub(key, 0, (size_t)slash)) &&
           is_name(str_sub(key, (size_t)slash + 1, key.bytes));
}

bool label_value_is_valid(str value)
{
    return str_is_empty(value) || is_name(value);
}
