/*
 * verdict.h - may this pod run as a container group, and what does its owner have to know?
 *
 * Reading and translating a pod collects remarks instead of stopping at the first: whoever runs
 * `ecilet explain` or reads the event sees all that is wrong at once. Nothing is dropped in
 * silence: what we cannot express is refused by the name of its field, what is left out on purpose
 * is warned about, what has no meaning on this node is listed with its reason in pod_fields.def.
 */
#ifndef ECILET_SPEC_VERDICT_H
#define ECILET_SPEC_VERDICT_H

#include "base/arena.h"
#include "base/buf.h"

#define SPEC_REFUSALS_MAX 16 /* more are counted, not kept; the first is what the status shows */
#define SPEC_WARNINGS_MAX 16 /* likewise */

enum spec_answer {
    SPEC_GO,    /* nothing speaks against it */
    SPEC_WAIT,  /* not as things are: keep the pod Pending, say why, look again when it changes.
                   Also for pods which must not fail, because their controller would make another
                   one at once, for ever (DaemonSet) */
    SPEC_NEVER, /* the pod as written cannot run here: a final refusal */
};

/* One sentence about one place in the pod: "spec.containers[1].stdin", "init containers ..." */
struct spec_remark {
    str where;
    str what;
    const char *reason; /* of the event about it, static; NULL: the caller's usual one */
};

struct spec_verdict {
    struct arena *arena;     /* all texts live here, so a verdict ends with its event */
    enum spec_answer answer; /* the worst of the refusals */
    struct spec_remark refusals[SPEC_REFUSALS_MAX];
    struct spec_remark warnings[SPEC_WARNINGS_MAX];
    uint32_t refusals_count; /* kept */
    uint32_t warnings_count;
    uint32_t refusals_lost; /* above the limit */
    uint32_t warnings_lost;
};

void verdict_init(struct spec_verdict *verdict, struct arena *arena);

/* Both copy nothing but what they format; `where` must live as long as the arena. When the arena is
 * full the answer still counts, only the text is empty (and the arena says has_failed). */
void verdict_refuse(struct spec_verdict *verdict, enum spec_answer answer, str where,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
void verdict_warn(struct spec_verdict *verdict, str where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A warning that many places of a pod may give: only the first is kept of those with this text
 * about a member of this name ("spec.containers[3].x" and "spec.x" have the same). */
void verdict_warn_once(struct spec_verdict *verdict, str where, const char *what);

/* The same with the reason of the event that tells it, e.g. "MandatorySecretNotFound". */
void verdict_refuse_as(struct spec_verdict *verdict, enum spec_answer answer, const char *reason,
                       str where, const char *format, ...) __attribute__((format(printf, 5, 6)));
void verdict_warn_as(struct spec_verdict *verdict, const char *reason, str where,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The reason of the first refusal that has one and the answer of the verdict (a pod that is refused
 * for good is not said to wait); NULL when there is none. */
const char *verdict_reason(const struct spec_verdict *verdict);

/* ERR_OK for SPEC_GO, ERR_BUSY (fate later) for SPEC_WAIT, ERR_UNSUPPORTED (fate never) for
 * SPEC_NEVER; before all of them ERR_FULL when the arena has failed: then nothing is decided. */
MUST_USE enum err verdict_err(const struct spec_verdict *verdict);

/* The refusals, else nothing, as one line for people:
 * "spec.hostNetwork: ...; spec.volumes[0].hostPath: ...; and 3 more". */
void verdict_put_refusals(const struct spec_verdict *verdict, struct buf *out);
/* The warnings in the same form. */
void verdict_put_warnings(const struct spec_verdict *verdict, struct buf *out);

#endif
