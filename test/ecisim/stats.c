/* see stats.h */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "index.h"

struct counter {
    long count;
    char name[];
};

static struct index codes;
static struct index unknown;
static struct index reply_keys;

static void count(struct index *index, const char *name)
{
    struct counter *counter = index_find(index, name);
    if (counter == NULL) {
        counter = text_grab(NULL, sizeof *counter + strlen(name) + 1);
        counter->count = 0;
        strcpy(counter->name, name);
        index_put(index, counter->name, counter);
    }
    counter->count++;
}

void stats_count_code(const char *code)
{
    count(&codes, code);
}

void stats_count_unknown(const char *key)
{
    count(&unknown, key);
}

void stats_count_reply_key(const char *key)
{
    count(&reply_keys, key);
}

static void write_counters(struct jw *jw, const char *key, const struct index *index)
{
    size_t at = 0;
    jw_kopen(jw, key, '{');
    for (struct counter *counter; (counter = index_next(index, &at)) != NULL;) {
        jw_klong(jw, counter->name, counter->count);
    }
    jw_close(jw, '}');
}

static void free_counters(struct index *index)
{
    size_t at = 0;
    for (struct counter *counter; (counter = index_next(index, &at)) != NULL;) {
        free(counter);
    }
    index_free(index);
}

void stats_write(struct jw *jw)
{
    jw_kopen(jw, "actions", '{');
    for (struct action *action = actions; action->name != NULL; action++) {
        if (action->calls > 0) {
            jw_kopen(jw, action->name, '{');
            jw_klong(jw, "calls", action->calls);
            jw_klong(jw, "errors", action->errors);
            jw_close(jw, '}');
        }
    }
    jw_close(jw, '}');
    write_counters(jw, "codes", &codes);
    write_counters(jw, "unknown_parameters", &unknown);
    write_counters(jw, "unknown_reply_keys", &reply_keys);
}

void stats_reset(void)
{
    for (struct action *action = actions; action->name != NULL; action++) {
        action->calls = 0;
        action->errors = 0;
    }
    free_counters(&codes);
    free_counters(&unknown);
    free_counters(&reply_keys);
}
