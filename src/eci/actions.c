/* see actions.h */
#include "eci/actions.h"

#include "base/check.h"

#define READ false
#define WRITE true
#define NONE false
#define TOKEN true
#define SMALL false
#define PAGE true

static const struct eci_action_row action_rows[ECI_ACTION_COUNT] = {
#define ECI_ACTION(name, wire_, per_minute_, effect, token, reply, deadline_ms_) \
    [ECI_##name] = { \
        .wire = (wire_), \
        .per_minute = (per_minute_), \
        .is_write = (effect), \
        .accepts_token = (token), \
        .has_big_reply = (reply), \
        .deadline_ms = (deadline_ms_), \
    },
#include "eci/actions.def"
#undef ECI_ACTION
};

const struct eci_action_row *eci_action_row(enum eci_action action)
{
    CHECK((unsigned)action < ECI_ACTION_COUNT);
    return &action_rows[action];
}

const char *eci_action_name(enum eci_action action)
{
    return (unsigned)action < ECI_ACTION_COUNT ? action_rows[action].wire : "?";
}
