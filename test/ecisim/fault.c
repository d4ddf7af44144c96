/* see fault.h */
#include "fault.h"

#include <stdlib.h>
#include <string.h>

#include "settings.h"
#include "sim.h"

struct rule {
    struct rule *next;
    struct arena arena;
    long id;
    const char *action; /* "*": any; else a list with | */
    double probability;
    long skip;  /* let this many matching calls pass first */
    long count; /* fire this often; -1: for ever */
    long fired;
    struct effects effects;
};

static struct rule *rules;
static long last_id;

/* "kind":"cut_before" is the same as "cut_before":true. */
static bool has_kind(const struct node *request, const char *kind)
{
    return tree_true(request, kind) || text_is(tree_text(request, kind), "1") ||
           text_is(tree_text(request, "kind"), kind);
}

static const char *copy_text(struct rule *rule, const char *text, const char *other)
{
    text = text == NULL ? other : text;
    return arena_copy(&rule->arena, text, strlen(text));
}

static void read_effects(struct rule *rule, const struct node *request)
{
    struct effects *effects = &rule->effects;
    effects->latency_ms = tree_long(request, "latency_ms", 0);
    effects->cut_before = has_kind(request, "cut_before");
    effects->cut_after = has_kind(request, "cut_after");
    effects->hang = has_kind(request, "hang");
    effects->empty_list = has_kind(request, "empty_list");
    effects->malformed_json = has_kind(request, "malformed_json");
    effects->truncated_json = has_kind(request, "truncated_json");
    effects->omit_rows = has_kind(request, "omit_rows") ? 1 : tree_number(request, "omit_rows", 0);
    effects->after = has_kind(request, "after");
    effects->status = (int)tree_long(request, "status", 0);
    if (effects->status == 0 && tree_text(request, "code") != NULL) {
        effects->status = 400;
    }
    effects->code = copy_text(rule, tree_text(request, "code"), "InternalError");
    effects->message = copy_text(rule, tree_text(request, "message"), "A fault rule said so.");
}

static bool does_anything(const struct effects *effects)
{
    return effects->latency_ms > 0 || effects->cut_before || effects->cut_after || effects->hang ||
           effects->empty_list || effects->malformed_json || effects->truncated_json ||
           effects->omit_rows > 0 || effects->status != 0;
}

const char *fault_add(const struct node *request, long *id)
{
    struct rule *rule = text_grab(NULL, sizeof *rule);
    struct rule **place = &rules;
    *rule = (struct rule){.id = last_id + 1};
    rule->action = copy_text(rule, tree_text(request, "action"), "*");
    rule->probability = tree_number(request, "probability", 1);
    rule->count = tree_long(request, "count", -1);
    rule->skip = tree_long(request, "skip", 0);
    read_effects(rule, request);
    if (!does_anything(&rule->effects)) {
        arena_free(&rule->arena);
        free(rule);
        return "the rule names no effect";
    }
    while (*place != NULL) {
        place = &(*place)->next;
    }
    *place = rule;
    *id = last_id = rule->id;
    return NULL;
}

long fault_drop(long id)
{
    long dropped = 0;
    for (struct rule **place = &rules; *place != NULL;) {
        struct rule *rule = *place;
        if (id != 0 && rule->id != id) {
            place = &rule->next;
            continue;
        }
        *place = rule->next;
        arena_free(&rule->arena);
        free(rule);
        dropped++;
    }
    return dropped;
}

static bool fires(struct rule *rule, const char *action)
{
    if (!text_is(rule->action, "*") && !text_is_any(action, rule->action)) {
        return false;
    }
    if (rule->count >= 0 && rule->fired >= rule->count) {
        return false;
    }
    if (rule->probability < 1 && dice_unit(&sim_dice) >= rule->probability) {
        return false;
    }
    if (rule->skip > 0) {
        rule->skip--;
        return false;
    }
    rule->fired++;
    return true;
}

static void merge(struct effects *all, const struct effects *one)
{
    all->latency_ms += one->latency_ms;
    all->cut_before = all->cut_before || one->cut_before;
    all->cut_after = all->cut_after || one->cut_after;
    all->hang = all->hang || one->hang;
    all->empty_list = all->empty_list || one->empty_list;
    all->malformed_json = all->malformed_json || one->malformed_json;
    all->truncated_json = all->truncated_json || one->truncated_json;
    all->omit_rows = one->omit_rows > all->omit_rows ? one->omit_rows : all->omit_rows;
    all->after = all->after || one->after;
    if (all->status == 0) {
        all->status = one->status;
        all->code = one->code;
        all->message = one->message;
    }
}

void fault_choose(const char *action, struct effects *effects)
{
    for (struct rule *rule = rules; rule != NULL; rule = rule->next) {
        if (fires(rule, action)) {
            merge(effects, &rule->effects);
        }
    }
}

void fault_write(struct jw *jw)
{
    jw_open(jw, '[');
    for (const struct rule *rule = rules; rule != NULL; rule = rule->next) {
        const struct effects *effects = &rule->effects;
        jw_open(jw, '{');
        jw_klong(jw, "id", rule->id);
        jw_ktext(jw, "action", rule->action);
        jw_kdouble(jw, "probability", rule->probability);
        jw_klong(jw, "count", rule->count);
        jw_klong(jw, "skip", rule->skip);
        jw_klong(jw, "fired", rule->fired);
        jw_klong(jw, "latency_ms", effects->latency_ms);
        jw_kbool(jw, "cut_before", effects->cut_before);
        jw_kbool(jw, "cut_after", effects->cut_after);
        jw_kbool(jw, "hang", effects->hang);
        jw_kbool(jw, "empty_list", effects->empty_list);
        jw_kbool(jw, "malformed_json", effects->malformed_json);
        jw_kbool(jw, "truncated_json", effects->truncated_json);
        jw_kdouble(jw, "omit_rows", effects->omit_rows);
        jw_kbool(jw, "after", effects->after);
        jw_klong(jw, "status", effects->status);
        jw_ktext(jw, "code", effects->status == 0 ? "" : effects->code);
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
}
