/*
 * One call of an action: what the gateway hands to the action and gets back.
 *
 * The life of a call: gateway_handle() parses and checks it, action->serve() fills reply or
 * calls call_fail(), call_finish() sends the answer (late, broken or not at all when a fault
 * says so) and frees the call. An action that needs time sets is_later and sees to it that
 * call_finish() is called in the end.
 */
#ifndef ECISIM_CALL_H
#define ECISIM_CALL_H

#include "http.h"
#include "loop.h"
#include "sign.h"
#include "tree.h"

enum code {
#define ERROR(name, status, text, message) CODE_##name,
#include "errors.def"
#undef ERROR
    CODE_COUNT
};

/* What the fault rules that fired for this call want; all zero: nothing. */
struct effects {
    long latency_ms;
    bool cut_before;
    bool cut_after;
    bool hang;
    bool empty_list;
    bool malformed_json;
    bool truncated_json;
    double omit_rows; /* probability that a row of a list is left out */
    int status;       /* error reply when not 0 */
    const char *code;
    const char *message;
    bool after; /* the error reply comes although the action was done */
};

struct call;

struct action {
    const char *name;
    void (*serve)(struct call *call);
    const char *required; /* "A|B" */
    int per_minute;       /* documented rate */
    long calls;
    long errors;
    int64_t window; /* throttling: the minute that used counts */
    int used;
};

struct call {
    struct exchange *exchange;
    struct action *action; /* NULL until known */
    struct arena arena;    /* parameters and whatever the action needs; may be taken over */
    struct pair *pairs;    /* all parameters, sorted by name */
    size_t pair_count;
    size_t query_count; /* those of the query string come first until sorted */
    struct node *params;
    struct jw reply; /* the members of the reply object so far */
    char request_id[40];
    enum code code;
    int status;            /* replaces that of the code when not 0 */
    const char *code_text; /* replaces that of the code when not NULL */
    const char *message;
    const char *detail; /* what the call was about, for the request log */
    bool is_serving;    /* inside action->serve() */
    bool is_later;
    bool is_xml;
    struct effects effects;
    struct timer timer;
};

void call_fail(struct call *call, enum code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The value of a parameter, or NULL when absent or empty. */
const char *call_param(const struct call *call, const char *path);
void call_finish(struct call *call);

#endif
