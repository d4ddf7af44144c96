/*
 * logs_parts.h - what the files of logs share; see logs.h.
 *
 *   logs.c         requests, first readings, writing to peers
 *   logs_follow.c  pollers
 *   logs_check.c   has the container begun, has it ended?
 *
 * Nothing is decided inside the handlers of calls and peers: they note what they learnt and set the
 * timer, whose handler (logs.c: work) visits every session and poller and does what is due. There
 * are so few of them that this costs nothing.
 */
#ifndef ECILET_SERVE_LOGS_PARTS_H
#define ECILET_SERVE_LOGS_PARTS_H

#include "serve/logs.h"

#define LOGS_TEXT_BYTES (LOG_BYTES_MAX + 4096) /* a reading and the lines we add */
#define LOGS_NAME_BYTES 64                     /* of a namespace, a container: RFC 1123 label */
#define LOGS_POD_BYTES 254
#define LOGS_UID_BYTES 40
#define LOGS_GROUP_BYTES 64
#define LOGS_WHY_BYTES 256
#define LOGS_LIMIT_MIN (16 * 1024) /* smallest LimitBytes that is asked for */

/* One reading, in a slot of the pool `texts`; its bytes are apart (logs_text_memory). */
struct logs_text {
    size_t bytes;
    bool has_stamps;
};

struct logs_want {
    int64_t tail;          /* lines; -1: all */
    int64_t since_ns;      /* 0: from the beginning */
    int64_t since_seconds; /* as asked; 0: not */
    int64_t bytes_left;    /* of the answer */
    bool is_following, is_previous, with_stamps;
};

/* Whose log. */
struct logs_whose {
    char name_space[LOGS_NAME_BYTES], pod[LOGS_POD_BYTES], uid[LOGS_UID_BYTES];
    char container[LOGS_NAME_BYTES], group[LOGS_GROUP_BYTES];
};

enum logs_state {
    LOGS_WANTED,  /* the first reading has to be asked for */
    LOGS_ASKED,   /* ... is under way */
    LOGS_CHECKED, /* it gave nothing: the status must say why */
    LOGS_WRITING, /* the answer has begun */
    LOGS_ENDED    /* ... and was ended, or refused: on_gone comes */
};

/* One request. */
struct logs_session {
    struct serve_session base; /* first: what exchange->state points to */
    struct logs *logs;
    struct http_exchange *exchange;
    struct logs_whose whose;
    struct logs_want want;
    enum logs_state state;
    handle call;
    msec retry_ms, give_up_ms;
    uint32_t limit_bytes; /* LimitBytes of the next try */
    int refusal;          /* HTTP status should the status of the group have nothing to add */
    char why[LOGS_WHY_BYTES];
    bool wants_init; /* LOGS_CHECKED: the container was not among the ordinary ones */
    /* what is being written */
    handle text; /* the first reading; then none */
    size_t at, line_end;
    bool is_in_line;
    str pending;  /* a line of ours, static */
    bool is_last; /* the answer ends when all is written */
    /* a follower */
    handle poller;
    struct list_node follower_node;
    size_t poll_at;     /* in the poller's text */
    uint64_t last_hash; /* not yet synced: the last line it was given */
    bool is_synced;
};

/* One container that is followed. */
struct logs_poller {
    struct logs *logs;
    struct logs_whose whose;
    struct list followers;
    struct log_merge merge;
    handle call;
    handle text; /* taken before the call; its lines are being written to the followers after it */
    bool has_text;
    bool is_seeded;
    bool is_ending, is_restarted, is_over;
    bool wants_init; /* its container was not among the ordinary ones */
    uint32_t limit_bytes;
    uint32_t failures, absences;
    int64_t started_at_s; /* of the run that is followed; 0: not known yet */
    msec interval_ms, due_ms, text_ms;
};

/* ---- logs.c ---------------------------------------------------------------------------------- */

msec logs_now_ms(const struct logs *logs);
void logs_wake_at(struct logs *logs, msec at_ms);
/* Refuses; the session is gone afterwards. */
void logs_refuse(struct logs_session *session, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The status had nothing to add to a first reading without lines, or could not be had. */
void logs_checked(struct logs_session *session);
/* Writes what there is room for. The session may be gone afterwards. */
void logs_write(struct logs_session *session);
/* A slot for a reading; none when all are in use. */
handle logs_text_take(struct logs *logs);
void logs_text_give(struct logs *logs, handle text);
char *logs_text_memory(const struct logs *logs, handle text);
/* Is there everything that a call needs? Takes a token if so. */
bool logs_may_call(struct logs *logs, uint32_t reserve);
/* Asks for a reading of `whose`. since_s: 0 none. Errors: as eci_call_start. */
MUST_USE enum err logs_ask(struct logs *logs, const struct logs_whose *whose, int64_t tail,
                           uint32_t limit_bytes, int64_t since_seconds, int64_t since_unix_s,
                           bool with_stamps, bool is_previous, eci_call_done *on_done,
                           handle subject, handle *call);
/* Content of a reply; ERR_FULL or ERR_TOO_BIG: ask for less. */
MUST_USE enum err logs_content(const struct eci_reply *reply, str *content);

/* ---- logs_follow.c --------------------------------------------------------------------------- */

/* Finds or makes the poller. Errors: ERR_FULL. */
MUST_USE enum err logs_follow_join(struct logs_session *session);
void logs_follow_leave(struct logs_session *session);
/* May the first reading be asked for now? */
bool logs_follow_is_free(const struct logs_session *session);
/* The first reading of a follower: fills its text. */
void logs_follow_first(struct logs_session *session, str content, struct buf *out);
/* What the poller has for this session from poll_at on. */
str logs_follow_rest(const struct logs_session *session);
void logs_follow_work(struct logs *logs);
/* The run that was followed is over: one more reading, then the answers end. */
void logs_follow_finish(struct logs_poller *poller, bool is_restarted);

/* ---- logs_check.c ---------------------------------------------------------------------------- */

void logs_check_work(struct logs *logs);

#endif
