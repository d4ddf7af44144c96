/* see eci_code.h */
#include "eci/eci_code.h"

#include "base/check.h"

#define SHOW false
#define HIDE true

static const struct eci_code_row code_rows[] = {
#define ECI_CODE(pattern_, err_, again_, message_, needle_) \
    { \
        .pattern = (pattern_), \
        .needle = (needle_), \
        .verdict = {.err = ERR_##err_, .again = ECI_AGAIN_##again_, .hides_message = (message_)}, \
    },
#include "eci/eci_codes.def"
#undef ECI_CODE
};

#define CODE_ROWS_COUNT (sizeof code_rows / sizeof code_rows[0])

/* "*" matches any text. Linear enough: patterns are ours, with at most three stars. */
static bool matches(const char *pattern, str text)
{
    for (; *pattern != '\0' && *pattern != '*'; pattern++) {
        if (str_is_empty(text) || text.ptr[0] != *pattern) {
            return false;
        }
        text = str_sub(text, 1, text.bytes);
    }
    if (*pattern == '\0') {
        return str_is_empty(text);
    }
    for (size_t skip = 0; skip <= text.bytes; skip++) {
        if (matches(pattern + 1, str_sub(text, skip, text.bytes))) {
            return true;
        }
    }
    return false;
}

static bool contains_nocase(str text, str needle)
{
    for (size_t at = 0; at + needle.bytes <= text.bytes; at++) {
        if (str_eq_nocase(str_sub(text, at, needle.bytes), needle)) {
            return true;
        }
    }
    return false;
}

/* Statuses that say enough alone. Everything below 500 needs a Code to be believed: proxies and
 * captive portals answer 403 and 404 too. */
static enum err err_of_bare_status(int http_status)
{
    if (http_status >= 200 && http_status < 300) {
        return ERR_OK;
    }
    switch (http_status) {
    case 407:
        return ERR_AUTH; /* the proxy's */
    case 408:
        return ERR_TIMEOUT;
    case 429:
        return ERR_THROTTLED;
    default:
        return http_status >= 500 && http_status < 600 ? ERR_SERVER : ERR_BAD_REPLY;
    }
}

/* A Code that stands in no row: the HTTP status says what kind of refusal it is. */
static enum err err_of_unknown_code(int http_status)
{
    switch (http_status) {
    case 401:
        return ERR_AUTH;
    case 403:
        return ERR_FORBIDDEN;
    case 409:
        return ERR_CONFLICT;
    default:
        break;
    }
    if (http_status >= 200 && http_status < 300) {
        return ERR_SERVER; /* done or not? Nobody knows; a write becomes LOST_WRITE */
    }
    enum err bare = err_of_bare_status(http_status);
    bool is_refusal = http_status >= 400 && http_status < 500;
    return bare == ERR_BAD_REPLY && is_refusal ? ERR_INVALID : bare;
}

struct eci_verdict eci_code_judge(int http_status, str code, str message)
{
    if (str_is_empty(code)) {
        return (struct eci_verdict){.err = err_of_bare_status(http_status)};
    }
    for (size_t i = 0; i < CODE_ROWS_COUNT && code.bytes <= ECI_CODE_BYTES_MAX; i++) {
        const struct eci_code_row *row = &code_rows[i];
        if (matches(row->pattern, code) &&
            (row->needle == NULL || contains_nocase(message, str_of(row->needle)))) {
            return row->verdict;
        }
    }
    return (struct eci_verdict){.err = err_of_unknown_code(http_status)};
}

uint32_t eci_code_rows_count(void)
{
    return (uint32_t)CODE_ROWS_COUNT;
}

const struct eci_code_row *eci_code_row(uint32_t index)
{
    CHECK(index < CODE_ROWS_COUNT);
    return &code_rows[index];
}
