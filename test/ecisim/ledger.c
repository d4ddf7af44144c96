/* see ledger.h */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "index.h"

static struct record **records;
static size_t record_count;
static size_t record_room;
static unsigned long long last_order;

struct record *record_new(struct group *group, const char *id, const char *token)
{
    struct record *record = text_grab(NULL, sizeof *record);
    *record = (struct record){.group = group, .created_ms = wall_ms(), .born_at = ++last_order};
    strcpy(record->id, id);
    record->name = arena_copy(&record->arena, group->name, strlen(group->name));
    token = token == NULL ? "" : token;
    record->token = arena_copy(&record->arena, token, strlen(token));
    if (record_count == record_room) {
        record_room = record_room == 0 ? 256 : 2 * record_room;
        records = text_grab(records, record_room * sizeof *records);
    }
    records[record_count++] = record;
    return record;
}

void record_over(struct record *record)
{
    if (record->over_at == 0) {
        record->over_at = ++last_order;
    }
}

static void keep_tag(struct record *record, const char *index, const char *member,
                     const char *value)
{
    char *path = arena_fmt(&record->arena, "%s.%s", index, member);
    value = value == NULL ? "" : value;
    tree_put(&record->arena, record->tags, path, arena_copy(&record->arena, value, strlen(value)));
}

void record_close(struct record *record, const char *how)
{
    record->tags = tree_new(&record->arena);
    for (const struct node *tag = tree_list(record->group->params, "Tag"); tag != NULL;
         tag = tag->next) {
        keep_tag(record, tag->name, "Key", tree_text(tag, "Key"));
        keep_tag(record, tag->name, "Value", tree_text(tag, "Value"));
    }
    record_over(record);
    record->status = record->group->status;
    record->group = NULL;
    if (record->deleted_ms == 0) {
        record->deleted_ms = wall_ms();
        record->end = how;
    }
}

void ledger_reset(void)
{
    for (size_t at = 0; at < record_count; at++) {
        arena_free(&records[at]->arena);
        free(records[at]);
    }
    free(records);
    records = NULL;
    record_count = record_room = 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const struct node *first_tag(const struct record *record)
{
    if (record->group != NULL) {
        return tree_list(record->group->params, "Tag");
    }
    return record->tags == NULL ? NULL : record->tags->first;
}

static const char *record_tag(const struct record *record, const char *key)
{
    for (const struct node *tag = first_tag(record); tag != NULL; tag = tag->next) {
        if (text_is(tree_text(tag, "Key"), key)) {
            return tree_text(tag, "Value");
        }
    }
    return NULL;
}

static void write_record(struct jw *jw, const struct record *record)
{
    char text[TIME_TEXT_BYTES];
    jw_open(jw, '{');
    jw_ktext(jw, "id", record->id);
    jw_ktext(jw, "name", record->name);
    jw_ktext(jw, "status", status_name(record->status));
    jw_kbool(jw, "exists", record->deleted_ms == 0);
    jw_ktext(jw, "created", time_text(text, record->created_ms));
    jw_ktext(jw, "deleted", record->deleted_ms == 0 ? "" : time_text(text, record->deleted_ms));
    jw_klong(jw, "created_ms", record->created_ms);
    jw_klong(jw, "ended_ms", record->ended_ms);
    jw_klong(jw, "deleted_ms", record->deleted_ms);
    jw_ktext(jw, "end", record->end);
    jw_ktext(jw, "token", record->token);
    jw_ktext(jw, "ip", record->group == NULL ? "" : record->group->ip);
    jw_ktext(jw, "vswitch", record->group == NULL ? "" : record->group->vswitch);
    jw_kopen(jw, "tags", '{');
    for (const struct node *tag = first_tag(record); tag != NULL; tag = tag->next) {
        jw_ktext(jw, tree_text(tag, "Key"), tree_text(tag, "Value"));
    }
    jw_close(jw, '}');
    jw_close(jw, '}');
}

static bool is_wanted(const struct record *record, const struct node *query)
{
    const char *exists = tree_text(query, "exists");
    const char *id = tree_text(query, "id");
    const char *name = tree_text(query, "name");
    const char *key = tree_text(query, "tag_key");
    const char *value = tree_text(query, "tag_value");
    if (key != NULL) {
        const char *mine = record_tag(record, key);
        if (mine == NULL || (value != NULL && !text_is(mine, value))) {
            return false;
        }
    }
    return (exists == NULL || text_is_true(exists) == (record->deleted_ms == 0)) &&
           (id == NULL || text_is(id, record->id)) && (name == NULL || text_is(name, record->name));
}

void ledger_write(struct jw *jw, const struct node *query)
{
    jw_open(jw, '[');
    for (size_t at = 0; at < record_count; at++) {
        if (is_wanted(records[at], query)) {
            write_record(jw, records[at]);
        }
    }
    jw_close(jw, ']');
}

/* ---- per value of a tag ---------------------------------------------------------------------- */

struct family {
    const char *value;
    struct record **members; /* by creation */
    size_t count;
};

/* Did the record live when the other was born? */
static bool lived_with(const struct record *record, const struct record *other)
{
    return record->born_at <= other->born_at &&
           (record->over_at == 0 || record->over_at > other->born_at);
}

static long most_at_once(const struct family *family)
{
    long most = 0;
    for (size_t at = 0; at < family->count; at++) {
        long live = 0;
        for (size_t other = 0; other < family->count; other++) {
            live += lived_with(family->members[other], family->members[at]);
        }
        most = live > most ? live : most;
    }
    return most;
}

static void write_families(struct jw *jw, const char *tag)
{
    struct index by_value = {0};
    struct arena arena = {0};
    size_t at = 0;
    for (size_t number = 0; number < record_count; number++) {
        const char *value = record_tag(records[number], tag);
        struct family *family = value == NULL ? NULL : index_find(&by_value, value);
        if (value == NULL) {
            continue;
        }
        if (family == NULL) {
            family = arena_take(&arena, sizeof *family);
            family->value = value;
            index_put(&by_value, value, family);
        }
        family->members = text_grab(family->members, (family->count + 1) * sizeof *family->members);
        family->members[family->count++] = records[number];
    }
    jw_kopen(jw, "by_tag", '{');
    for (struct family *family; (family = index_next(&by_value, &at)) != NULL;) {
        jw_kopen(jw, family->value, '{');
        jw_klong(jw, "ever", (long long)family->count);
        jw_klong(jw, "at_once", most_at_once(family));
        jw_close(jw, '}');
        free(family->members);
    }
    jw_close(jw, '}');
    index_free(&by_value);
    arena_free(&arena);
}

void ledger_write_stats(struct jw *jw, const char *tag)
{
    long long counts[STATUS_COUNT] = {0};
    long long exist = 0;
    for (size_t at = 0; at < record_count; at++) {
        if (records[at]->deleted_ms == 0) {
            counts[records[at]->status]++;
            exist++;
        }
    }
    jw_klong(jw, "groups_created", (long long)record_count);
    jw_klong(jw, "groups_exist", exist);
    jw_kopen(jw, "statuses", '{');
    for (int status = 0; status < STATUS_COUNT; status++) {
        jw_klong(jw, status_name((enum status)status), counts[status]);
    }
    jw_close(jw, '}');
    if (tag != NULL) {
        write_families(jw, tag);
    }
}
