/*
 * see preflight.h: the two reads that `run` lives on, each for one row of this node's. They change
 * nothing, and tell address, certificate, clock and keys on the way.
 */
#include "app/preflight.h"

#include "spec/tags.h"

#define CLOUD "cloud"

static const enum eci_action reads[] = {ECI_DESCRIBE_GROUPS, ECI_DESCRIBE_STATUS};

#define READS_COUNT (sizeof reads / sizeof reads[0])

static void on_reply(void *owner, enum err err, const struct eci_reply *reply);

static void ask(struct preflight_cloud *cloud)
{
    const struct config *config = cloud->config;
    struct arena *arena = cloud->client->arena;
    struct params params;
    msec left_ms = cloud->end_at_ms - cloud->loop->now_ms;
    size_t mark = arena_mark(arena);
    enum err err = params_init(&params, arena);
    if (err == ERR_OK) {
        params_add_i64(&params, S("Limit"), 1);
        params_add(&params, S("Tag.1.Key"), str_of(tag_key(TAG_CLUSTER)));
        params_add(&params, S("Tag.1.Value"), tag_value(config->aliyun_clusterid));
        params_add(&params, S("Tag.2.Key"), str_of(tag_key(TAG_NODE)));
        params_add(&params, S("Tag.2.Value"), tag_value(config->node_name));
        const struct eci_want want = {.action = reads[cloud->at],
                                      .params = &params,
                                      .deadline_ms = left_ms > 1 ? left_ms : 1,
                                      .on_done = on_reply,
                                      .owner = cloud};
        err = eci_call_start(cloud->client, &want, NULL);
    }
    arena_rewind(arena, mark);
    if (err != ERR_OK) {
        preflight_say(cloud->preflight, VERDICT_FAIL, CLOUD, "%s", err_text(err));
        cloud->is_done = true;
    }
}

/* The first reply of any kind: it is there. */
static void say_reached(struct preflight_cloud *cloud, bool is_read)
{
    const struct eci_client *client = cloud->client;
    preflight_say(cloud->preflight, VERDICT_OK, CLOUD, "%s answers (%s)",
                  cloud->config->eci_endpoint.ptr, cloud->config->eci_region.ptr);
    if (client->has_clock_offset) {
        preflight_say_clock(cloud->preflight, "cloud clock", client->clock_offset_ms,
                            "ecilet goes by the cloud's, but better set ours");
    }
    if (is_read) { /* other refusals may come before anybody looks at the keys */
        preflight_say(cloud->preflight, VERDICT_OK, "cloud keys", "accepted");
    }
}

static void say_failed(struct preflight_cloud *cloud, enum err err, const struct eci_reply *reply)
{
    struct preflight *preflight = cloud->preflight;
    if (err == ERR_AUTH) {
        preflight_say(preflight, VERDICT_FAIL, "cloud keys", "%.*s", STR_ARG(reply->why));
    } else if (err == ERR_FORBIDDEN) {
        preflight_say(preflight, VERDICT_FAIL, "cloud rights", "eci:%s is refused: %.*s",
                      eci_action_row(reply->action)->wire, STR_ARG(reply->why));
    } else {
        preflight_say(preflight, VERDICT_FAIL, CLOUD, "%.*s", STR_ARG(reply->why));
    }
}

static void finish(struct preflight_cloud *cloud)
{
    preflight_say(cloud->preflight, VERDICT_OK, "cloud rights",
                  cloud->is_seen ? "instances of this node are there and can be read"
                                 : "reading is allowed; no instance of this node is there, and an "
                                   "empty list does not prove that one would be shown");
    preflight_say(cloud->preflight, VERDICT_SKIP, "cloud writes",
                  "not tried: only a create tells whether it is allowed, and whether vSwitch and "
                  "security group are right");
    cloud->is_done = true;
}

static void on_reply(void *owner, enum err err, const struct eci_reply *reply)
{
    struct preflight_cloud *cloud = owner;
    /* A row of ours that is larger than the buffer may be read, too. */
    bool is_read = err == ERR_OK || err == ERR_TOO_BIG || err == ERR_FULL;
    /* 5xx may be a proxy's, and says nothing about the keys */
    if (cloud->at == 0 && (is_read || err == ERR_AUTH || err == ERR_FORBIDDEN)) {
        say_reached(cloud, is_read);
    }
    if (!is_read) {
        say_failed(cloud, err, reply);
        cloud->is_done = true;
        return;
    }
    json rows = json_get_nocase(reply->root, "ContainerGroups");
    cloud->is_seen = cloud->is_seen || err != ERR_OK || json_count(rows) > 0;
    if (++cloud->at < READS_COUNT) {
        ask(cloud);
    } else {
        finish(cloud);
    }
}

void preflight_cloud_start(struct preflight_cloud *cloud)
{
    cloud->end_at_ms = cloud->loop->now_ms + PREFLIGHT_MS;
    ask(cloud);
}
