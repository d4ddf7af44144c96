/* see list.h */
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "settings.h"
#include "sim.h"

#define IDS_MAX 20 /* eci-api 4.4 */

bool list_shows(const struct group *group, bool is_by_id)
{
    int64_t lag_ms = is_by_id ? settings.read_lag_ms : settings.list_lag_ms;
    int64_t since_ms = group->is_gone ? group->gone_ms : group->born_ms;
    bool is_lagging = clock_ms() - since_ms < lag_ms;
    return group->is_gone ? is_lagging : !is_lagging;
}

/* The filters of a call, looked up once: a listing compares them with every group. */
struct filters {
    const char *name;
    const char *status;
    const char *zone;
    const char *vswitch;
    const char *security_group;
    const char *resource_group;
    const struct node *tags;
};

static struct filters read_filters(const struct call *call)
{
    return (struct filters){
        .name = call_param(call, "ContainerGroupName"),
        .status = call_param(call, "Status"),
        .zone = call_param(call, "ZoneId"),
        .vswitch = call_param(call, "VSwitchId"),
        .security_group = call_param(call, "SecurityGroupId"),
        .resource_group = call_param(call, "ResourceGroupId"),
        .tags = tree_list(call->params, "Tag"),
    };
}

static bool has_tags(const struct filters *filters, const struct group *group)
{
    for (const struct node *tag = filters->tags; tag != NULL; tag = tag->next) {
        const char *key = tree_text(tag, "Key");
        if (key != NULL && !group_has_tag(group, key, tree_text(tag, "Value"))) {
            return false;
        }
    }
    return true;
}

static bool fits_filters(const struct filters *filters, const struct group *group)
{
    return (filters->name == NULL || text_is(filters->name, group->name)) &&
           (filters->status == NULL || text_is(filters->status, status_name(group->status))) &&
           (filters->zone == NULL || text_is(filters->zone, group->zone)) &&
           (filters->vswitch == NULL || text_is(filters->vswitch, group->vswitch)) &&
           (filters->security_group == NULL ||
            text_is(filters->security_group, tree_text(group->params, "SecurityGroupId"))) &&
           (filters->resource_group == NULL ||
            text_is(filters->resource_group, tree_text(group->params, "ResourceGroupId"))) &&
           has_tags(filters, group);
}

const struct node *list_ids(struct call *call, const char *text, size_t *count)
{
    struct node *root = json_read(&call->arena, text);
    *count = 0;
    if (root == NULL || root->value != NULL || text[strspn(text, " \t\r\n")] != '[') {
        return NULL;
    }
    for (const struct node *id = root->first; id != NULL; id = id->next) {
        if (id->value == NULL) {
            return NULL;
        }
        ++*count;
    }
    return root;
}

/* Everything that fits, in order of creation: what the pages are cut from. */
struct finder {
    struct call *call;
    struct filters filters;
    struct group **found;
    size_t count;
    size_t room;
};

static void consider(struct finder *finder, struct group *group, bool is_by_id)
{
    if (group == NULL || !list_shows(group, is_by_id) || !fits_filters(&finder->filters, group)) {
        return;
    }
    if (finder->count == finder->room) {
        finder->room = finder->room == 0 ? 64 : 2 * finder->room;
        finder->found = text_grab(finder->found, finder->room * sizeof *finder->found);
    }
    finder->found[finder->count++] = group;
}

static bool find_by_ids(struct finder *finder, const char *text)
{
    size_t count = 0;
    const struct node *ids = list_ids(finder->call, text, &count);
    if (ids == NULL) {
        call_fail(finder->call, CODE_INVALID,
                  "The specified parameter ContainerGroupIds is not valid.");
        return false;
    }
    if (count > IDS_MAX) {
        call_fail(finder->call, CODE_EXCEEDED, "ContainerGroupIds: more than %d.", IDS_MAX);
        return false;
    }
    for (const struct node *id = ids->first; id != NULL; id = id->next) {
        consider(finder, group_find_listed(id->value), true);
    }
    return true;
}

static int by_serial(const void *a, const void *b)
{
    const struct group *left = *(struct group *const *)a;
    const struct group *right = *(struct group *const *)b;
    return left->serial < right->serial ? -1 : left->serial > right->serial;
}

static void find_changed(struct finder *finder, long long since_s)
{
    int64_t from_ms = clock_ms() - 1000 * since_s;
    for (struct group *group = groups.changed_last; group != NULL && group->changed_ms >= from_ms;
         group = group->older) {
        consider(finder, group, false);
    }
    if (finder->count > 1) {
        qsort(finder->found, finder->count, sizeof *finder->found, by_serial);
    }
}

/*
 * The last complete search: the pages of one sweep ask for the same again and again, and with
 * 10,000 groups most of the work of a page would be the search. Any change makes it void.
 */
static struct {
    uint64_t digest;
    unsigned long long generation; /* 0: void */
    struct group **found;
    size_t count;
} cache;

static uint64_t digest_filters(const struct filters *filters)
{
    const char *const texts[] = {filters->name,           filters->status,
                                 filters->zone,           filters->vswitch,
                                 filters->security_group, filters->resource_group};
    struct buf all = {0};
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) {
        buf_fmt(&all, "%s\n", texts[at] == NULL ? "" : texts[at]);
    }
    for (const struct node *tag = filters->tags; tag != NULL; tag = tag->next) {
        const char *key = tree_text(tag, "Key");
        const char *value = tree_text(tag, "Value");
        buf_fmt(&all, "%s=%s%s\n", key == NULL ? "" : key, value == NULL ? "" : "=",
                value == NULL ? "" : value);
    }
    uint64_t digest = index_hash(all.data, all.used);
    buf_free(&all);
    return digest;
}

void list_reset(void)
{
    free(cache.found);
    memset(&cache, 0, sizeof cache);
}

/* With a lag, time alone changes what is shown: then nothing is kept. */
static void find_all(struct finder *finder)
{
    uint64_t digest = digest_filters(&finder->filters);
    bool is_steady = settings.list_lag_ms == 0;
    if (is_steady && cache.generation == groups.generation && cache.digest == digest) {
        finder->found = text_grab(NULL, cache.count * sizeof *finder->found);
        finder->count = cache.count;
        if (cache.count > 0) {
            memcpy(finder->found, cache.found, cache.count * sizeof *finder->found);
        }
        return;
    }
    for (size_t at = 0; at < groups.count; at++) {
        consider(finder, groups.all[at], false);
    }
    list_reset();
    if (is_steady && finder->count > 0) {
        cache.digest = digest;
        cache.generation = groups.generation;
        cache.found = text_grab(NULL, finder->count * sizeof *finder->found);
        cache.count = finder->count;
        memcpy(cache.found, finder->found, finder->count * sizeof *finder->found);
    }
}

static bool find(struct finder *finder)
{
    struct call *call = finder->call;
    const char *ids = call_param(call, "ContainerGroupIds");
    long long since_s = tree_long(call->params, "SinceSecond", 0);
    if (since_s < 0) {
        call_fail(call, CODE_INVALID, "The specified parameter SinceSecond is not valid.");
        return false;
    }
    if (ids != NULL) {
        return find_by_ids(finder, ids);
    }
    if (since_s > 0 && !text_is(call->action->name, "DescribeContainerGroupEvents")) {
        find_changed(finder, since_s);
        return true;
    }
    find_all(finder);
    return true;
}

static bool read_token(struct call *call, unsigned long long *serial)
{
    const char *token = call_param(call, "NextToken");
    char *end = NULL;
    *serial = 0;
    if (token == NULL) {
        return true;
    }
    *serial = strtoull(token, &end, 16);
    if (strlen(token) != 16 || *end != '\0') {
        call_fail(call, CODE_INVALID, "The specified parameter NextToken is not valid.");
        return false;
    }
    return true;
}

static long read_limit(struct call *call, long limit_usual, long limit_max)
{
    long limit = (long)tree_long(call->params, "Limit", limit_usual);
    if (limit < 1 || (limit > limit_max && settings.strict)) {
        call_fail(call, CODE_INVALID, "The specified parameter Limit is not valid.");
        return 0;
    }
    return limit > limit_max ? limit_max : limit;
}

/* Rows of the page that starts behind the serial. */
static void cut_page(struct finder *finder, struct list *list, unsigned long long serial,
                     size_t limit)
{
    struct call *call = finder->call;
    bool is_by_id = call_param(call, "ContainerGroupIds") != NULL;
    list->total = finder->count;
    list->rows = arena_take(&call->arena, (limit + 1) * sizeof *list->rows);
    size_t first = 0;
    for (size_t high = finder->count; !is_by_id && first < high;) {
        size_t middle = (first + high) / 2;
        if (finder->found[middle]->serial <= serial) {
            first = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t at = first; at < finder->count; at++) {
        struct group *group = finder->found[at];
        if (list->count == limit) {
            snprintf(list->next, sizeof list->next, "%016llx", list->rows[limit - 1]->serial);
            break;
        }
        list->rows[list->count++] = group;
    }
}

static void omit_rows(struct list *list, double probability)
{
    size_t kept = 0;
    for (size_t at = 0; at < list->count; at++) {
        if (dice_unit(&sim_dice) >= probability) {
            list->rows[kept++] = list->rows[at];
        }
    }
    list->count = kept;
}

bool list_groups(struct call *call, long limit_usual, long limit_max, struct list *list)
{
    struct finder finder = {.call = call, .filters = read_filters(call)};
    unsigned long long serial = 0;
    *list = (struct list){0};
    long limit = read_limit(call, limit_usual, limit_max);
    if (limit == 0 || !read_token(call, &serial)) {
        return false;
    }
    bool is_good = find(&finder);
    if (is_good && !call->effects.empty_list) {
        cut_page(&finder, list, serial, (size_t)limit);
        if (call->effects.omit_rows > 0) {
            omit_rows(list, call->effects.omit_rows);
        }
    }
    free(finder.found);
    return is_good;
}
