/* see err.h */
#include "base/err.h"

#include <stddef.h>

static const struct err_row {
    const char *name;
    const char *text;
    enum fate fate;
} err_rows[] = {
#define X(name_, fate_, text_) [ERR_##name_] = {"ERR_" #name_, text_, FATE_##fate_},
    ERR_TABLE(X)
#undef X
};

static const char *const fate_names[] = {
    [FATE_NONE] = "none",       [FATE_LATER] = "later", [FATE_SLOW] = "slow",
    [FATE_UNKNOWN] = "unknown", [FATE_NEVER] = "never", [FATE_OURS] = "ours",
};

_Static_assert(sizeof(err_rows) / sizeof(err_rows[0]) == ERR_COUNT, "one row per error");
_Static_assert(sizeof(fate_names) / sizeof(fate_names[0]) == FATE_COUNT, "one name per fate");

/* A number that is no error at all is a bug of ours, and is shown as one. */
static const struct err_row err_unnamed = {"ERR_?", "unnamed error", FATE_OURS};

static const struct err_row *row_of(enum err err)
{
    return (unsigned)err < ERR_COUNT ? &err_rows[err] : &err_unnamed;
}

const char *err_name(enum err err)
{
    return row_of(err)->name;
}

const char *err_text(enum err err)
{
    return row_of(err)->text;
}

enum fate err_fate(enum err err)
{
    return row_of(err)->fate;
}

const char *fate_name(enum fate fate)
{
    return (unsigned)fate < FATE_COUNT ? fate_names[fate] : "?";
}

/* True when the failure says nothing about what the server did with the request. */
static int leaves_outcome_open(enum err err)
{
    switch ((unsigned)err) {
    case ERR_TIMEOUT:
    case ERR_REFUSED_CONN:
    case ERR_UNREACHABLE:
    case ERR_RESOLVE:
    case ERR_CLOSED:
    case ERR_END:
    case ERR_TLS:
    case ERR_TLS_TRUST:
    case ERR_SERVER:
    case ERR_BAD_REPLY:
    case ERR_TOO_BIG:
    case ERR_FULL:
    case ERR_NO_MEMORY:
    case ERR_SYSTEM:
    case ERR_CANCELLED:
        return 1;
    default:
        return 0;
    }
}

enum err err_of_write(enum err err, int was_sent)
{
    return was_sent && leaves_outcome_open(err) ? ERR_LOST_WRITE : err;
}
