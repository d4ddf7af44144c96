/* see actions.h */
#include "actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "settings.h"
#include "stats.h"

/* ACTION(name, function, required parameters, documented calls per minute: eci-api 5, A-18) */
#define ACTION_TABLE(ACTION)                                                                      \
    ACTION(CreateContainerGroup, act_create, "RegionId|ContainerGroupName", 1000)                 \
    ACTION(DeleteContainerGroup, act_delete, "RegionId|ContainerGroupId", 1000)                   \
    ACTION(DescribeContainerGroups, act_describe, "RegionId", 2000)                               \
    ACTION(DescribeContainerGroupStatus, act_status, "RegionId", 500)                             \
    ACTION(DescribeContainerGroupEvents, act_events, "RegionId", 500)                             \
    ACTION(DescribeContainerLog, act_log, "ContainerGroupId|ContainerName", 500)                  \
    ACTION(ExecContainerCommand, act_exec, "RegionId|ContainerGroupId|ContainerName|Command", 500) \
    ACTION(UpdateContainerGroup, act_update, "RegionId|ContainerGroupId", 500)                    \
    ACTION(RestartContainerGroup, act_restart, "RegionId|ContainerGroupId", 500)                  \
    ACTION(ResizeContainerGroupVolume, act_resize_volume,                                         \
           "RegionId|ContainerGroupId|VolumeName|NewSize", 500)                                   \
    ACTION(DescribeContainerGroupMetric, act_metric, "RegionId|ContainerGroupId", 2000)           \
    ACTION(DescribeMultiContainerGroupMetric, act_multi_metric, "RegionId|ContainerGroupIds", 500) \
    ACTION(DescribeContainerGroupPrice, act_price, "RegionId", 1000)                              \
    ACTION(DescribeRegions, act_regions, "", 500)                                                 \
    ACTION(DescribeAvailableResource, act_available, "RegionId|DestinationResource.Category", 500) \
    ACTION(ListUsage, act_usage, "RegionId", 500)                                                 \
    ACTION(CreateImageCache, act_cache_create, "RegionId|ImageCacheName|Image.1", 200)            \
    ACTION(DescribeImageCaches, act_cache_describe, "RegionId", 500)                              \
    ACTION(UpdateImageCache, act_cache_update, "RegionId|ImageCacheId", 500)                      \
    ACTION(DeleteImageCache, act_cache_delete, "RegionId|ImageCacheId", 500)                      \
    ACTION(TagResources, act_tag, "RegionId|ResourceType|ResourceId.1", 500)                      \
    ACTION(UntagResources, act_untag, "RegionId|ResourceType|ResourceId.1", 500)                  \
    ACTION(ListTagResources, act_list_tags, "RegionId|ResourceType", 500)

struct action actions[] = {
#define ACTION(name_, serve_, required_, rate_) \
    { .name = #name_, .serve = serve_, .required = required_, .per_minute = rate_ },
    ACTION_TABLE(ACTION)
#undef ACTION
    { .name = NULL },
};

enum type { STRING, INT, LONG, FLOAT, DOUBLE, BOOLEAN, OBJECT };

/* The key is "Action/Name.With.N". */
static const struct field {
    const char *key;
    enum type type;
} request_fields[] =
    {
#define REQUEST(action, name, type_) {.key = #action "/" name, .type = type_},
#define RESPONSE(action, name, type_)
#include "actions.def"
#undef REQUEST
#undef RESPONSE
},
  response_fields[] = {
#define REQUEST(action, name, type_)
#define RESPONSE(action, name, type_) {.key = #action "/" name, .type = type_},
#include "actions.def"
#undef REQUEST
#undef RESPONSE
};

static struct index by_name;
static struct index requests;
static struct index responses;

void actions_start(void)
{
    for (struct action *action = actions; action->name != NULL; action++) {
        index_put(&by_name, action->name, action);
    }
    for (size_t at = 0; at < sizeof request_fields / sizeof request_fields[0]; at++) {
        index_put(&requests, request_fields[at].key, (void *)(uintptr_t)&request_fields[at]);
    }
    for (size_t at = 0; at < sizeof response_fields / sizeof response_fields[0]; at++) {
        index_put(&responses, response_fields[at].key, (void *)(uintptr_t)&response_fields[at]);
    }
}

void actions_free(void)
{
    index_free(&by_name);
    index_free(&requests);
    index_free(&responses);
}

struct action *action_find(const char *name)
{
    return index_find(&by_name, name);
}

long action_rate(const struct action *action)
{
    if (settings.throttle[0] == '\0') {
        return 0;
    }
    if (text_is(settings.throttle, "documented")) {
        return action->per_minute;
    }
    const char *at = strstr(settings.throttle, action->name);
    size_t bytes = strlen(action->name);
    while (at != NULL && at[bytes] != '=') {
        at = strstr(at + 1, action->name);
    }
    return at == NULL ? 0 : strtol(at + bytes + 1, NULL, 10);
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* "Action/" and the name with each index replaced by N. */
static void write_key(struct buf *out, const struct action *action, const char *name)
{
    buf_clear(out);
    buf_fmt(out, "%s/", action->name);
    while (*name != '\0') {
        size_t bytes = strcspn(name, ".");
        bool is_index = bytes > 0 && strspn(name, "0123456789") == bytes;
        buf_add(out, is_index ? "N" : name, is_index ? 1 : bytes);
        name += bytes;
        if (*name == '.') {
            buf_byte(out, '.');
            name++;
        }
    }
}

static bool is_common(const char *name)
{
    return text_is_any(name, "Action|Version|Format|AccessKeyId|SignatureMethod|SignatureVersion|"
                             "SignatureNonce|SignatureType|Timestamp|SecurityToken|Signature|"
                             "RegionId|OwnerId|OwnerAccount|ResourceOwnerId|ResourceOwnerAccount");
}

static bool type_fits(enum type type, const char *value)
{
    long long number = 0;
    double real = 0;
    if (value[0] == '\0') {
        return true; /* an empty value is an absent one */
    }
    switch (type) {
    case INT:
        return text_to_long(value, &number) && number >= INT32_MIN && number <= INT32_MAX;
    case LONG:
        return text_to_long(value, &number);
    case FLOAT:
    case DOUBLE:
        return text_to_double(value, &real);
    case BOOLEAN:
        return text_is_any(value, "true|false|True|False");
    default:
        return true;
    }
}

static void check_required(struct call *call)
{
    char *copy = arena_copy(&call->arena, call->action->required, strlen(call->action->required));
    for (char *rest = NULL, *name = strtok_r(copy, "|", &rest); name != NULL;
         name = strtok_r(NULL, "|", &rest)) {
        if (call_param(call, name) == NULL) {
            if (strchr(name, '.') == NULL) {
                call->code_text = arena_fmt(&call->arena, "Missing%s", name);
            }
            call_fail(call, CODE_MISSING, "%s is mandatory for this action.", name);
            return;
        }
    }
}

void action_check_params(struct call *call)
{
    struct buf key = {0};
    for (size_t at = 0; at < call->pair_count && call->code == CODE_NONE; at++) {
        const struct pair *pair = &call->pairs[at];
        if (is_common(pair->name)) {
            continue;
        }
        write_key(&key, call->action, pair->name);
        const struct field *field = index_find(&requests, buf_string(&key));
        if (field == NULL) {
            stats_count_unknown(key.data);
        } else if (!type_fits(field->type, pair->value)) {
            call_fail(call, CODE_INVALID, "The specified parameter %s is not valid.", pair->name);
        }
    }
    buf_free(&key);
    if (call->code == CODE_NONE) {
        check_required(call);
    }
}

/* ---- replies --------------------------------------------------------------------------------- */

static bool value_fits(enum type type, const struct node *node)
{
    if (node->value == NULL || type == OBJECT) {
        return node->value == NULL;
    }
    return type == STRING ? node->is_quoted : !node->is_quoted && type_fits(type, node->value);
}

/* path is "Action/Parent.N" so far; each leaf must be in the table, with its type. */
static void check_leaf(struct buf *path, const struct node *node)
{
    const struct field *field = index_find(&responses, buf_string(path));
    if (field == NULL) {
        stats_count_reply_key(path->data);
    } else if (!value_fits(field->type, node)) {
        buf_text(path, " (type)");
        stats_count_reply_key(path->data);
    }
}

static void check_tree(struct buf *path, const struct node *node)
{
    size_t mark = path->used;
    if (node->first == NULL && node->value != NULL) {
        check_leaf(path, node);
    }
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        if (path->data[path->used - 1] != '/') {
            buf_byte(path, '.');
        }
        buf_text(path, child->index > 0 ? "N" : child->name);
        check_tree(path, child);
        path->used = mark;
        path->data[mark] = '\0';
    }
}

void action_check_reply(const struct action *action, const char *json)
{
    struct arena arena = {0};
    struct buf path = {0};
    struct node *root = json_read(&arena, json);
    buf_fmt(&path, "%s/", action->name);
    if (root == NULL) {
        buf_text(&path, " is not JSON");
        stats_count_reply_key(path.data);
    } else if (!text_is(action->name, "ListUsage")) { /* its Attributes are a free map */
        check_tree(&path, root);
    }
    buf_free(&path);
    arena_free(&arena);
}
