/*
 * TagResources, UntagResources, ListTagResources (eci-api 2.15), for container groups.
 */
#include <string.h>

#include "actions.h"
#include "check.h"
#include "group.h"
#include "settings.h"

#define RESOURCES_MAX 50

/* The groups that are named; false: call_fail() was called. */
static bool find_groups(struct call *call, struct group **found, size_t *count)
{
    *count = 0;
    if (!text_is_any(call_param(call, "ResourceType"),
                     "ContainerGroup|containergroup|ImageCache|DataCache|VirtualNode")) {
        call_fail(call, CODE_INVALID, "The specified parameter ResourceType is not valid.");
        return false;
    }
    for (const struct node *id = tree_list(call->params, "ResourceId"); id != NULL; id = id->next) {
        struct group *group = group_find(id->value);
        if (group == NULL || *count == RESOURCES_MAX) {
            call_fail(call, CODE_NOT_FOUND, "The resource %s does not exist.", id->value);
            return false;
        }
        found[(*count)++] = group;
    }
    return true;
}

void act_tag(struct call *call)
{
    struct group *found[RESOURCES_MAX];
    size_t count = 0;
    if (!find_groups(call, found, &count)) {
        return;
    }
    if (tree_list(call->params, "Tag") == NULL) {
        call_fail(call, CODE_MISSING, "Tag.1.Key is mandatory for this action.");
    }
    check_tags(call);
    for (size_t at = 0; at < count && call->code == CODE_NONE; at++) {
        for (const struct node *tag = tree_list(call->params, "Tag"); tag != NULL;
             tag = tag->next) {
            const char *value = tree_text(tag, "Value");
            group_put_tag(found[at], tree_text(tag, "Key"), value == NULL ? "" : value);
        }
    }
}

static bool is_named(const struct call *call, const char *key)
{
    for (const struct node *name = tree_list(call->params, "TagKey"); name != NULL;
         name = name->next) {
        if (text_is(name->value, key)) {
            return true;
        }
    }
    return false;
}

void act_untag(struct call *call)
{
    struct group *found[RESOURCES_MAX];
    size_t count = 0;
    bool is_all = tree_true(call->params, "All") && tree_list(call->params, "TagKey") == NULL;
    if (!find_groups(call, found, &count)) {
        return;
    }
    groups_changed();
    for (size_t at = 0; at < count; at++) {
        struct node *tags = (struct node *)(uintptr_t)tree_find(found[at]->params, "Tag");
        struct node *kept = NULL;
        for (struct node *tag = tags == NULL ? NULL : tags->first; tag != NULL; tag = tag->next) {
            if (!is_all && !is_named(call, tree_text(tag, "Key"))) {
                *(kept == NULL ? &tags->first : &kept->next) = tag;
                kept = tag;
            }
        }
        if (tags != NULL) {
            *(kept == NULL ? &tags->first : &kept->next) = NULL;
            tags->last = kept;
        }
    }
}

static bool fits(const struct call *call, const struct node *tag)
{
    const struct node *filter = tree_list(call->params, "Tag");
    if (filter == NULL) {
        return true;
    }
    for (; filter != NULL; filter = filter->next) {
        const char *value = tree_text(filter, "Value");
        if (text_is(tree_text(filter, "Key"), tree_text(tag, "Key")) &&
            (value == NULL || text_is(value, tree_text(tag, "Value")))) {
            return true;
        }
    }
    return false;
}

static void write_group(struct call *call, const struct group *group)
{
    struct jw *jw = &call->reply;
    for (const struct node *tag = tree_list(group->params, "Tag"); tag != NULL; tag = tag->next) {
        if (fits(call, tag)) {
            jw_open(jw, '{');
            jw_ktext(jw, "ResourceId", group->id);
            jw_ktext(jw, "ResourceType", "ContainerGroup");
            jw_ktext(jw, "TagKey", tree_text(tag, "Key"));
            jw_ktext(jw, "TagValue", tree_text(tag, "Value"));
            jw_close(jw, '}');
        }
    }
}

void act_list_tags(struct call *call)
{
    struct group *found[RESOURCES_MAX];
    size_t count = 0;
    bool has_ids = tree_list(call->params, "ResourceId") != NULL;
    if (!find_groups(call, found, &count)) {
        return;
    }
    jw_ktext(&call->reply, "NextToken", "");
    jw_kopen(&call->reply, "TagResources", '[');
    for (size_t at = 0; at < (has_ids ? count : groups.count) && !call->effects.empty_list; at++) {
        struct group *group = has_ids ? found[at] : groups.all[at];
        if (!group->is_gone) {
            write_group(call, group);
        }
    }
    jw_close(&call->reply, ']');
}
