/* see uninstall_cloud.h */
#include "app/uninstall_cloud.h"

#include "data/group_read.h"
#include "spec/tags.h"

static void finish(struct uninstall_cloud *cloud, str why)
{
    struct buf *out = cloud->out;
    uint32_t shown = cloud->count < UNINSTALL_CLOUD_SHOWN ? cloud->count : UNINSTALL_CLOUD_SHOWN;
    cloud->is_done = true;
    if (!str_is_empty(why)) {
        buf_put_fmt(out, "not known     instances in the cloud: %.*s\n", STR_ARG(why));
        return;
    }
    buf_put_fmt(out, "%s instances in the cloud: %s%u",
                cloud->count > 0 ? "left         " : "not there    ",
                cloud->is_whole ? "" : "at least ", cloud->count);
    for (uint32_t i = 0; i < shown; i++) {
        buf_put_fmt(out, "%s%s", i == 0 ? ": " : " ", cloud->ids[i]);
    }
    buf_put_text(out, shown < cloud->count ? " ...\n" : "\n");
}

static void on_page(void *owner, enum err err, const struct eci_reply *reply);

static void ask(struct uninstall_cloud *cloud)
{
    struct params params;
    size_t mark = arena_mark(cloud->arena);
    enum err err = params_init(&params, cloud->arena);
    if (err == ERR_OK) {
        params_add_i64(&params, S("Limit"), UNINSTALL_CLOUD_ROWS);
        params_add(&params, S("Tag.1.Key"), str_of(tag_key(TAG_CLUSTER)));
        params_add(&params, S("Tag.1.Value"), tag_value(cloud->cluster_id));
        params_add(&params, S("Tag.2.Key"), str_of(tag_key(TAG_NODE)));
        params_add(&params, S("Tag.2.Value"), tag_value(cloud->node_name));
        if (cloud->next_token[0] != '\0') {
            params_add(&params, S("NextToken"), str_of(cloud->next_token));
        }
        const struct eci_want want = {
            .action = ECI_DESCRIBE_STATUS, .params = &params, .on_done = on_page, .owner = cloud};
        err = eci_call_start(cloud->client, &want, NULL);
    }
    arena_rewind(cloud->arena, mark);
    if (err != ERR_OK) {
        finish(cloud, str_of(err_text(err)));
    }
}

static void on_page(void *owner, enum err err, const struct eci_reply *reply)
{
    struct uninstall_cloud *cloud = owner;
    struct group_read read;
    struct eci_status_row row;
    if (err != ERR_OK) {
        finish(cloud, reply->why);
        return;
    }
    group_read_init(&read, reply->root, reply->arena);
    size_t mark = arena_mark(reply->arena);
    while (group_read_status(&read, &row)) {
        if (cloud->count < UNINSTALL_CLOUD_SHOWN) {
            (void)str_copy(cloud->ids[cloud->count], sizeof cloud->ids[0], row.id);
        }
        cloud->count++;
        arena_rewind(reply->arena, mark);
    }
    bool is_read = group_read_is_whole(&read);
    bool is_last = str_is_empty(read.next_token);
    bool fits = str_copy(cloud->next_token, sizeof cloud->next_token, read.next_token);
    if (is_read && !is_last && fits && ++cloud->pages < UNINSTALL_CLOUD_PAGES_MAX) {
        ask(cloud);
        return;
    }
    cloud->is_whole = is_read && is_last;
    finish(cloud, is_read || cloud->count > 0 ? STR_NONE : S("the answer cannot be read"));
}

void uninstall_cloud_start(struct uninstall_cloud *cloud)
{
    ask(cloud);
}
