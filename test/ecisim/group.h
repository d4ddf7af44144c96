/*
 * Container groups: what they are made of, and the store of all of them.
 *
 * A group keeps the parameters it was created with (params, in its arenas) and everything that
 * changes in plain members. Groups are found by id through an index and by order of creation
 * through a sorted array; both cost nothing that grows with the number of groups, except that
 * removing one moves the array's tail.
 *
 * Whoever changes anything a reader could see calls group_touch(), which renews the conditions
 * and puts the group at the front of the list of recent changes (SinceSecond).
 */
#ifndef ECISIM_GROUP_H
#define ECISIM_GROUP_H

#include "loop.h"
#include "sizing.h"
#include "tree.h"

#define GROUP_ID_BYTES 32
#define EVENTS_MAX 50 /* per group, eci-api 4.4 */

enum status {
    SCHEDULING,
    PENDING,
    RUNNING,
    RESTARTING,
    UPDATING,
    TERMINATING,
    SUCCEEDED,
    FAILED,
    EXPIRED,
    SCHEDULE_FAILED,
    STATUS_COUNT
};

enum container_state { WAITING, IS_RUNNING, TERMINATED };

struct log_line {
    int64_t at_ms; /* wall time */
    unsigned ns;   /* below the millisecond, so that lines have an order */
    char *text;    /* without the newline */
};

/* One run of a container. */
struct run {
    int64_t started_ms; /* wall times */
    int64_t finished_ms;
    int exit_code;
    int signal;
    const char *reason;
    char *message;
    char id[65]; /* hex */
    struct log_line *lines;
    size_t line_first; /* of the ring */
    size_t line_count;
    size_t line_room;
    size_t log_bytes;
};

struct container {
    struct group *group;
    const struct node *spec; /* Container.N or InitContainer.N */
    const char *name;
    bool is_init;
    bool is_sidecar; /* ECI_CONTAINER_TYPE=sidecar */
    enum container_state state;
    const char *wait_reason;
    char *wait_message;
    bool is_starting; /* the runtime was asked, or a restart is set */
    bool is_done;     /* ended and will not be started again */
    bool is_ready;
    bool is_stopping;  /* asked to end */
    bool must_restart; /* ended on purpose, to be started anew (update) */
    int forced_code;   /* life_kill: end with this, not with the real code */
    const char *forced_reason;
    int restarts;
    int crashes;        /* restarts since the last long run */
    struct run *now;    /* this run, or the last one while nothing runs */
    struct run *last;   /* the one before */
    struct timer timer; /* next start; in state mode also the end of the run */
    struct timer ready_timer;
    int64_t sample_ms; /* the last metrics sample, monotonic */
    unsigned long long sample_cpu_ns;
    unsigned long long sample_rate;
    void *box; /* of the container runtime */
};

struct event {
    const char *type;
    const char *reason;
    char *message;
    const char *component; /* EciService or kubelet */
    int count;
    int64_t first_ms; /* wall times */
    int64_t last_ms;
    unsigned id;
};

enum condition_type {
    COND_CREATED,
    COND_SCHEDULED,
    COND_INITIALIZED,
    COND_CONTAINERS_READY,
    COND_READY,
    COND_COUNT
};

struct condition {
    bool is_true;
    const char *reason;
    char *message; /* owned by the group's arena */
    int64_t since_ms;
};

/* What stays known of a group after it has gone. */
struct record {
    char id[GROUP_ID_BYTES];
    char *name;
    char *token;
    struct node *tags; /* children 1, 2, ... with Key and Value */
    struct arena arena;
    int64_t created_ms;
    int64_t ended_ms;           /* in a terminal status since; 0: not */
    int64_t deleted_ms;         /* 0: still there */
    unsigned long long born_at; /* the order of beginnings and ends */
    unsigned long long over_at; /* it ended or was removed; 0: it lives */
    const char *end;            /* how it went: "deleted", "vanished", "retention" */
    enum status status;
    struct group *group; /* NULL when gone */
};

struct group {
    struct record *record;
    char *id; /* record->id */
    unsigned long long serial;
    struct arena arena;
    struct node *params;
    const struct node *tags; /* params.Tag, because listings look there; NULL: none yet */
    const char *name;
    const char *restart_policy;
    enum status status;
    struct size wish;
    struct size size;
    const char *instance_type;
    const char *zone;
    const char *vswitch;
    uint32_t address; /* host order; 0: none yet */
    char ip[16];
    int64_t created_ms; /* wall times */
    int64_t started_ms;
    int64_t ended_ms;
    int64_t born_ms;              /* monotonic, for the lags */
    int64_t changed_ms;           /* monotonic, for SinceSecond */
    const char *reason;           /* why it was not created, or failed */
    struct container *containers; /* init containers first */
    size_t container_count;
    size_t init_count;
    struct event *events;
    size_t event_count;
    struct condition conditions[COND_COUNT];
    struct timer timer;          /* the next step of the group */
    struct timer deadline_timer; /* ActiveDeadlineSeconds, pending timeout, retention */
    bool is_set_up;              /* the runtime has made its network and volumes */
    bool is_setting_up;          /* it is about to */
    bool is_tearing_down;
    bool is_gone;             /* removed, still listed because of a lag */
    int64_t gone_ms;          /* monotonic, since when */
    bool is_forced;           /* deleted with Force */
    int64_t until_ms;         /* monotonic: the present status lasts at least so long */
    int64_t pending_since_ms; /* monotonic */
    const char *end;          /* how it is being removed */
    struct group *newer;      /* the list of changes */
    struct group *older;
    void *box; /* of the container runtime */
};

struct groups {
    struct group **all; /* by serial */
    size_t count;
    struct group *changed_last; /* head of the list of changes */
    struct group *changed_first;
    unsigned long long generation; /* grows with every change of any group */
};
extern struct groups groups;

/* Make a group from the parameters; the arena that holds them is taken over. */
struct group *group_new(struct arena *params_arena, struct node *params, const char *token);
/* NULL when there is none, or only one that has gone. */
struct group *group_find(const char *id);
/* Like group_find, but also those that have gone and are still listed. */
struct group *group_find_listed(const char *id);
/* The index in groups.all of the first group with a serial above this one. */
size_t group_after(unsigned long long serial);
struct container *group_container(struct group *group, const char *name);
void group_touch(struct group *group);
/* A change that does not concern readers of one group, but of listings. */
void groups_changed(void);
/* Add a tag or change its value; the texts are copied. */
void group_put_tag(struct group *group, const char *key, const char *value);
/* Take it out of the store for good. how is static text. */
void group_remove(struct group *group, const char *how);
void groups_reset(void);

const char *status_name(enum status status);
const char *status_phase(enum status status);
bool status_is_end(enum status status);
bool group_has_tag(const struct group *group, const char *key, const char *value);
const char *group_tag(const struct group *group, const char *key);

/* Same reason and message as before: the event only counts up. */
void group_event(struct group *group, const char *component, const char *type, const char *reason,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

void run_log(struct run *run, const char *text, size_t bytes);
void run_free(struct run *run);

#endif
