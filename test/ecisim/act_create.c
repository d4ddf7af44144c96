/*
 * CreateContainerGroup, DeleteContainerGroup, RestartContainerGroup, UpdateContainerGroup and
 * ResizeContainerGroupVolume (eci-api 2.1, 2.2, 2.7 to 2.9).
 */
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "check.h"
#include "group.h"
#include "life.h"
#include "settings.h"
#include "token.h"

/* Is the vCPU quota or the number of groups used up? Ended groups do not count. */
static void check_quota(struct call *call, struct size size)
{
    double used = 0;
    long long count = 0;
    for (size_t at = 0; at < groups.count; at++) {
        if (!groups.all[at]->is_gone && !status_is_end(groups.all[at]->status)) {
            used += groups.all[at]->size.cpu;
            count++;
        }
    }
    if (used + size.cpu > settings.quota_cpu ||
        (settings.quota_groups > 0 && count >= settings.quota_groups)) {
        call_fail(call, CODE_QUOTA, NULL);
    }
}

void act_create(struct call *call)
{
    struct size wish = {0, 0};
    struct size size = {0, 0};
    const char *known = NULL;
    if (token_known(call, &known)) {
        call->detail = known;
        jw_ktext(&call->reply, "ContainerGroupId", known);
        return;
    }
    if (call->code != CODE_NONE) {
        return;
    }
    check_create(call);
    if (call->code != CODE_NONE || !check_size(call, &wish, &size)) {
        return;
    }
    check_quota(call, size);
    if (call->code == CODE_NONE && tree_true(call->params, "DryRun")) {
        call_fail(call, CODE_DRY_RUN, NULL);
    }
    if (call->code != CODE_NONE) {
        return;
    }
    struct group *group = group_new(&call->arena, call->params, call_param(call, "ClientToken"));
    group->wish = wish;
    group->size = size;
    token_keep(call, group->id);
    life_begin(group);
    call->detail = arena_copy(&call->exchange->arena, group->id, strlen(group->id));
    jw_ktext(&call->reply, "ContainerGroupId", group->id);
}

/* unknown ids are an error in strict mode only, where the caller asks for that. */
static struct group *find_group(struct call *call, bool is_forgiving)
{
    const char *id = call_param(call, "ContainerGroupId");
    struct group *group = group_find(id);
    call->detail = arena_copy(&call->exchange->arena, id, strlen(id));
    if (group == NULL && (settings.strict || !is_forgiving)) {
        call_fail(call, CODE_NOT_FOUND, "The container group %s does not exist.", id);
    }
    return group;
}

void act_delete(struct call *call)
{
    const char *known = NULL;
    bool is_forced = tree_true(call->params, "Force");
    struct group *group = find_group(call, true);
    if (group == NULL || token_known(call, &known) || call->code != CODE_NONE) {
        return;
    }
    if (group->status == TERMINATING && settings.strict && !is_forced) {
        call_fail(call, CODE_CONFLICT, NULL);
        return;
    }
    token_keep(call, "");
    life_delete(group, is_forced, "deleted");
}

static bool check_status(struct call *call, const struct group *group)
{
    if (group->status != PENDING && group->status != RUNNING) {
        call_fail(call, CODE_INCORRECT_STATUS, "The container group is %s.",
                  status_name(group->status));
        return false;
    }
    return true;
}

void act_restart(struct call *call)
{
    const char *known = NULL;
    struct group *group = find_group(call, false);
    if (group == NULL || token_known(call, &known) || call->code != CODE_NONE ||
        !check_status(call, group)) {
        return;
    }
    token_keep(call, "");
    life_restart(group);
}

/* ---- update ---------------------------------------------------------------------------------- */

static struct node *find_tag(struct group *group, const char *key)
{
    struct node *tags = (struct node *)(uintptr_t)tree_find(group->params, "Tag");
    for (struct node *tag = tags == NULL ? NULL : tags->first; tag != NULL; tag = tag->next) {
        if (text_is(tree_text(tag, "Key"), key)) {
            return tag;
        }
    }
    return NULL;
}

/* Tags are added or changed, never removed. Texts are copied into the group's arena. */
void group_put_tag(struct group *group, const char *key, const char *value)
{
    struct node *tag = find_tag(group, key);
    char *copy = arena_copy(&group->arena, value, strlen(value));
    groups_changed();
    if (tag != NULL) {
        tree_put(&group->arena, tag, "Value", copy);
        return;
    }
    const struct node *tags = tree_find(group->params, "Tag");
    unsigned long index = tags == NULL || tags->last == NULL ? 1 : tags->last->index + 1;
    tree_put(&group->arena, group->params, arena_fmt(&group->arena, "Tag.%lu.Key", index),
             arena_copy(&group->arena, key, strlen(key)));
    tree_put(&group->arena, group->params, arena_fmt(&group->arena, "Tag.%lu.Value", index), copy);
    group->tags = tree_find(group->params, "Tag");
}

static void update_tags(struct call *call, struct group *group)
{
    for (const struct node *tag = tree_list(call->params, "Tag"); tag != NULL; tag = tag->next) {
        const char *value = tree_text(tag, "Value");
        group_put_tag(group, tree_text(tag, "Key"), value == NULL ? "" : value);
    }
}

/* Copy the members of a request node into the group's own arena. */
static void copy_members(struct arena *arena, struct node *to, const struct node *from)
{
    for (const struct node *child = from->first; child != NULL; child = child->next) {
        struct node *copy = tree_new(arena);
        copy->name = arena_copy(arena, child->name, strlen(child->name));
        copy->index = child->index;
        if (child->value != NULL) {
            copy->value = arena_copy(arena, child->value, strlen(child->value));
        }
        copy_members(arena, copy, child);
        tree_replace(to, copy);
    }
}

/*
 * Containers are matched by name. Every member that is sent replaces the old one; with
 * RenewUpdate a container that is sent must still keep what names it, so both types come to
 * the same here. A changed container is started anew, with its address kept.
 */
static bool update_containers(struct call *call, struct group *group, const char *list)
{
    for (const struct node *c = tree_list(call->params, list); c != NULL; c = c->next) {
        struct container *container = group_container(group, tree_text(c, "Name"));
        if (container == NULL) {
            call_fail(call, CODE_CONTAINER_NOT_FOUND, "The container %s does not exist.",
                      tree_text(c, "Name"));
            return false;
        }
        copy_members(&group->arena, (struct node *)(uintptr_t)container->spec, c);
        container->name = tree_text(container->spec, "Name");
        container->must_restart = container->state == IS_RUNNING;
    }
    return true;
}

void act_update(struct call *call)
{
    const char *known = NULL;
    const char *policy = call_param(call, "RestartPolicy");
    struct group *group = find_group(call, false);
    if (group == NULL || token_known(call, &known) || call->code != CODE_NONE ||
        !check_status(call, group)) {
        return;
    }
    if (!text_is_any(call_param(call, "UpdateType"), "RenewUpdate|IncrementalUpdate") &&
        call_param(call, "UpdateType") != NULL) {
        call_fail(call, CODE_INVALID, "The specified parameter UpdateType is not valid.");
    } else if (policy != NULL && !text_is_any(policy, "Always|OnFailure|Never")) {
        call_fail(call, CODE_INVALID, "The specified parameter RestartPolicy is not valid.");
    }
    check_tags(call);
    if (call->code == CODE_NONE) {
        check_volumes(call);
    }
    if (call->code == CODE_NONE) {
        check_containers(call, true);
    }
    if (call->code != CODE_NONE || !update_containers(call, group, "Container") ||
        !update_containers(call, group, "InitContainer")) {
        return;
    }
    if (policy != NULL) {
        group->restart_policy = arena_copy(&group->arena, policy, strlen(policy));
    }
    update_tags(call, group);
    token_keep(call, "");
    life_update(group);
}

/* ---- resize ---------------------------------------------------------------------------------- */

void act_resize_volume(struct call *call)
{
    struct group *group = find_group(call, false);
    long long bytes = tree_long(call->params, "NewSize", 0);
    if (group == NULL) {
        return;
    }
    for (const struct node *volume = tree_list(group->params, "Volume"); volume != NULL;
         volume = volume->next) {
        if (text_is(tree_text(volume, "Name"), call_param(call, "VolumeName"))) {
            bool is_disk = text_is(tree_text(volume, "Type"), "DiskVolume") ||
                           text_is(tree_text(volume, "FlexVolume.Driver"), "alicloud/disk");
            if (!is_disk || bytes < 20 || bytes > 32768) {
                call_fail(call, CODE_INVALID, "The specified parameter NewSize is not valid.");
            }
            return;
        }
    }
    call_fail(call, CODE_INVALID, "The specified parameter VolumeName is not valid.");
}
