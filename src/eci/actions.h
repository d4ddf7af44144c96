/*
 * actions.h - the ECI actions as a table: what each is called, how often it may be called, and what
 * a lost reply means. The rows are in actions.def.
 */
#ifndef ECILET_ECI_ACTIONS_H
#define ECILET_ECI_ACTIONS_H

#include "base/str.h"

enum eci_action {
#define ECI_ACTION(name, wire, per_minute, effect, token, reply, deadline_ms) ECI_##name,
#include "eci/actions.def"
#undef ECI_ACTION
    ECI_ACTION_COUNT
};

struct eci_action_row {
    const char *wire;
    uint32_t per_minute; /* documented rate; the caller keeps it (base/bucket.h) */
    bool is_write;
    bool accepts_token; /* ClientToken */
    bool has_big_reply; /* takes a page buffer */
    msec deadline_ms;   /* default for the whole call */
};

/* The row of an action, which must be a valid one. */
const struct eci_action_row *eci_action_row(enum eci_action action);
/* The wire name; "?" for any other value. */
const char *eci_action_name(enum eci_action action);

#endif
