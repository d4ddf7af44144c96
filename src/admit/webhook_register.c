/* see webhook_register.h */
#include "admit/webhook_register.h"

#include <stdio.h>

#include "base/backoff.h"
#include "os/log.h"

#define PARTIAL "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
#define CONFIG "MutatingWebhookConfiguration " WEBHOOK_NAME

enum step { STEP_VERSION, STEP_LOOK, STEP_CREATE, STEP_CHANGE, STEP_NOTE };

static void look_in(struct webhook_register *reg, msec in_ms)
{
    loop_timer_set(reg->config.loop, &reg->timer, reg->config.loop->now_ms + in_ms);
}

static void failed(struct webhook_register *reg, const struct kube_reply *reply)
{
    log_line(LOG_WARN, "webhook", CONFIG " is not in step: %.*s", STR_ARG(reply->why));
    reg->failures++;
    look_in(reg, backoff_ms(reg->failures, WEBHOOK_REGISTER_RETRY_MS, WEBHOOK_REGISTER_CAP_MS,
                            &reg->prng));
}

static void done(struct webhook_register *reg)
{
    reg->failures = 0;
    look_in(reg, reg->is_changed ? 0 : WEBHOOK_REGISTER_LOOK_MS);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void on_reply(void *owner, const struct kube_reply *reply);

static void send(struct webhook_register *reg, enum step step, str body)
{
    static const enum kube_verb verbs[] = {[STEP_VERSION] = KUBE_GET,
                                           [STEP_LOOK] = KUBE_GET,
                                           [STEP_CREATE] = KUBE_CREATE,
                                           [STEP_CHANGE] = KUBE_MERGE_PATCH,
                                           [STEP_NOTE] = KUBE_MERGE_PATCH};
    char memory[300];
    struct buf path;
    buf_init(&path, memory, sizeof memory);
    if (step == STEP_VERSION) {
        buf_put_text(&path, "/apis/admissionregistration.k8s.io");
    } else {
        kube_put_path(&path, reg->is_v1 ? KUBE_WEBHOOK : KUBE_WEBHOOK_BETA, STR_NONE,
                      step == STEP_CREATE ? STR_NONE : S(WEBHOOK_NAME), STR_NONE);
    }
    const struct kube_request request = {
        .verb = verbs[step],
        .rank = KUBE_RANK_NORMAL,
        .path = buf_str(&path),
        .body = body,
        .reply_bytes = WEBHOOK_REGISTER_REPLY_BYTES,
        .accept = step == STEP_VERSION ? STR_NONE : S(PARTIAL),
        .on_done = on_reply,
        .owner = reg,
        .op = step,
    };
    reg->is_busy = kube_call_send(reg->config.calls, &request, NULL) == ERR_OK;
    if (!reg->is_busy) {
        look_in(reg, WEBHOOK_REGISTER_RETRY_MS);
    }
}

/* What the configuration has to say now. Errors: ERR_BUSY profile or certificate are not there;
 * ERR_NO_MEMORY the arena is too small just now; ERR_FULL no room, not even for the shorter form.
 */
static enum err put_config(struct webhook_register *reg, struct buf *out)
{
    const struct webhook_register_config *config = &reg->config;
    const struct profile *profile = config->profile(config->owner);
    struct webhook_place place = {.url = str_of(reg->url),
                                  .ca_pem = config->authority(config->owner, config->arena),
                                  .is_v1 = reg->is_v1,
                                  .node = config->node,
                                  .version = str_of(reg->version)};
    if (profile == NULL || str_is_empty(place.ca_pem)) {
        return ERR_BUSY;
    }
    char *memory = arena_take(config->arena, WEBHOOK_CONFIG_BYTES);
    if (memory == NULL) {
        return ERR_NO_MEMORY;
    }
    buf_init(out, memory, WEBHOOK_CONFIG_BYTES);
    webhook_config_put(profile, &place, out, &reg->left_out);
    reg->is_brief = place.is_brief = !buf_ok(out);
    if (reg->is_brief) {
        buf_init(out, memory, WEBHOOK_CONFIG_BYTES);
        webhook_config_put(profile, &place, out, &reg->left_out);
    }
    return buf_ok(out) ? ERR_OK : ERR_FULL;
}

static str own_place(const struct webhook_register *reg)
{
    return webhook_config_place(str_of(reg->url));
}

/* ---- replies --------------------------------------------------------------------------------- */

/* What is read of an object: from the cluster, or of what we would write. */
struct sight {
    str hash, authority, place, node, waits, version;
    int64_t generation;
};

static struct sight look_into(struct webhook_register *reg, str object)
{
    struct sight sight = {.generation = 0};
    json root = JSON_NONE;
    struct arena *arena = reg->config.arena;
    if (json_parse(object, arena, &root, NULL) == ERR_OK) {
        json metadata = json_get(root, "metadata");
        json annotations = json_get(metadata, "annotations");
        sight.hash = json_text(json_get(annotations, WEBHOOK_HASH_ANNOTATION), arena);
        sight.authority = json_text(json_get(annotations, WEBHOOK_AUTHORITY_ANNOTATION), arena);
        sight.place = json_text(json_get(annotations, WEBHOOK_PLACE_ANNOTATION), arena);
        sight.node = json_text(json_get(annotations, WEBHOOK_NODE_ANNOTATION), arena);
        sight.waits = json_text(json_get(annotations, WEBHOOK_WAITS_ANNOTATION), arena);
        sight.version = json_text(json_get(metadata, "resourceVersion"), arena);
        sight.generation = json_i64_or(json_get(metadata, "generation"), 0);
    }
    return sight;
}

/* Its holder did not take the note away for so long that it is gone. */
static bool is_abandoned(struct webhook_register *reg, const struct sight *there)
{
    uint64_t print = str_hash(there->version);
    msec now_ms = reg->config.loop->now_ms;
    if (str_is_empty(there->waits) || print != reg->note_print) {
        reg->note_print = print;
        reg->note_since_ms = now_ms;
    }
    return now_ms - reg->note_since_ms >= WEBHOOK_REGISTER_HOLD_MS;
}

static bool is_anothers(struct webhook_register *reg, const struct sight *there)
{
    if (str_is_empty(there->place) || str_eq(there->place, own_place(reg))) {
        return false;
    }
    bool is_of_our_node = str_eq(there->node, reg->config.node);
    reg->has_yielded =
        reg->has_yielded || (is_of_our_node && reg->holds && !reg->config.is_elected);
    reg->holds = false;
    return (!is_of_our_node || reg->has_yielded) && !is_abandoned(reg, there);
}

/* It leads to another gateway, and stays so. */
static void leave_alone(struct webhook_register *reg, const struct sight *there)
{
    char message[WEBHOOK_REGISTER_URL_BYTES + 500];
    if (!str_eq(str_of(reg->told), there->place)) {
        (void)str_copy(reg->told, sizeof reg->told, there->place);
        (void)snprintf(message, sizeof message,
                       "vk-webhook leads to %s (a gateway of node %.*s): it is left alone while "
                       "that gateway keeps it. Gateways of one node need LEADER_ELECT=true; "
                       "gateways of several nodes may share one WEBHOOK_URL",
                       reg->told, STR_ARG(str_sub(there->node, 0, KUBE_NAME_BYTES_MAX)));
        reg->config.warn(reg->config.owner, "WebhookElsewhere", message);
    }
    reg->must_note = str_is_empty(there->waits);
    done(reg);
    if (reg->must_note) {
        look_in(reg, 0);
    } else if (reg->config.wants_sight(reg->config.owner)) {
        look_in(reg, WEBHOOK_REGISTER_SIGHT_MS);
    }
}

/* What has to be written, if anything, for the registration to be what it has to be. */
static void compare_ours(struct webhook_register *reg, bool is_there, const struct sight *there)
{
    struct buf body;
    enum err err = put_config(reg, &body);
    if (err == ERR_FULL) {
        reg->config.warn(reg->config.owner, "WebhookTooLarge",
                         "vk-webhook is not registered: ca.crt has no room in it. Use one with "
                         "only what vouches for tls.crt");
        done(reg);
        return;
    }
    if (err != ERR_OK) {
        look_in(reg, WEBHOOK_REGISTER_WAIT_MS); /* soon */
        return;
    }
    bool is_in_step = is_there && there->generation == reg->generation &&
                      str_eq(there->hash, look_into(reg, buf_str(&body)).hash) &&
                      str_eq(there->place, own_place(reg));
    reg->must_create = !is_there;
    reg->must_change = is_there && !is_in_step;
    reg->must_note = is_in_step && !str_is_empty(there->waits);
    reg->holds = reg->holds || is_in_step;
    if (is_in_step && !reg->must_note) {
        done(reg);
    } else {
        look_in(reg, 0);
    }
}

/* The configuration was looked at: is it what it has to be? */
static void compare(struct webhook_register *reg, const struct kube_reply *reply)
{
    bool is_there = reply->err == ERR_OK;
    struct sight there = {.generation = 0};
    if (is_there) {
        there = look_into(reg, reply->body);
        reg->config.on_seen(reg->config.owner, there.authority);
    }
    if (!str_copy(reg->version, sizeof reg->version, there.version)) {
        reg->version[0] = '\0'; /* longer than any is: written without the condition */
    }
    if (!reg->config.may_write(reg->config.owner)) {
        look_in(reg, WEBHOOK_REGISTER_SIGHT_MS);
    } else if (is_there && is_anothers(reg, &there)) {
        leave_alone(reg, &there);
    } else {
        compare_ours(reg, is_there, &there);
    }
}

static void write_config(struct webhook_register *reg)
{
    struct buf body;
    bool is_new = reg->must_create;
    reg->must_create = reg->must_change = false;
    if (put_config(reg, &body) == ERR_OK) {
        send(reg, is_new ? STEP_CREATE : STEP_CHANGE, buf_str(&body));
    } else {
        look_in(reg, WEBHOOK_REGISTER_WAIT_MS); /* profile or certificate went meanwhile, ... */
    }
}

/* Ours: who waits is told that we live. Another's: that we wait. */
static void write_note(struct webhook_register *reg)
{
    char memory[WEBHOOK_REGISTER_URL_BYTES + KUBE_VERSION_BYTES_MAX + 200];
    struct buf body;
    reg->must_note = false;
    buf_init(&body, memory, sizeof memory);
    webhook_config_put_waits(reg->holds ? STR_NONE : own_place(reg), str_of(reg->version), &body);
    send(reg, STEP_NOTE, buf_str(&body));
}

/* From now on the holder's silence counts. */
static void on_noted(struct webhook_register *reg, const struct kube_reply *reply)
{
    reg->note_print = str_hash(look_into(reg, reply->body).version);
    reg->note_since_ms = reg->config.loop->now_ms;
    done(reg);
}

static void tell_left_out(struct webhook_register *reg)
{
    char message[300];
    if (reg->left_out == 0) {
        return;
    }
    if (!reg->is_brief) {
        reg->config.warn(reg->config.owner, "WebhookOldServer",
                         "Kubernetes before 1.16 has no objectSelector: selectors of pod labels "
                         "are not shown in vk-webhook; its last webhook, which sees all pods, "
                         "serves them");
        return;
    }
    (void)snprintf(message, sizeof message,
                   "vk-webhook does not show the %u selectors: ca.crt would stand in the webhook "
                   "of each, which is more than %d KiB. Its only webhook, which sees all pods, "
                   "serves them. Use a ca.crt with only what vouches for tls.crt",
                   reg->left_out, WEBHOOK_CONFIG_BYTES / 1024);
    reg->config.warn(reg->config.owner, "WebhookTooLarge", message);
}

static void on_written(struct webhook_register *reg, const struct kube_reply *reply)
{
    struct sight there = look_into(reg, reply->body);
    reg->generation = there.generation;
    reg->writes++;
    reg->holds = true;
    reg->has_yielded = false;
    reg->told[0] = '\0';
    log_line(LOG_INFO, "webhook", CONFIG " is in step with the profile, at %s",
             reg->url[0] != '\0' ? reg->url : "the Service " WEBHOOK_SERVICE);
    tell_left_out(reg);
    done(reg);
    reg->config.on_seen(reg->config.owner, there.authority);
}

static void on_version(struct webhook_register *reg, const struct kube_reply *reply)
{
    json root = JSON_NONE;
    if (json_parse(reply->body, reg->config.arena, &root, NULL) == ERR_OK) {
        json list = json_get(root, "versions");
        for (json x = json_first(list); json_is_there(x); x = json_next(x)) {
            reg->is_v1 = reg->is_v1 || json_text_is(json_get(x, "version"), "v1");
        }
        reg->is_v1_known = json_count(list) > 0;
    }
    look_in(reg, reg->is_v1_known ? 0 : WEBHOOK_REGISTER_RETRY_MS);
}

static void on_reply(void *owner, const struct kube_reply *reply)
{
    struct webhook_register *reg = owner;
    size_t mark = arena_mark(reg->config.arena);
    reg->is_busy = false;
    if (!reg->is_started) {
        return;
    }
    bool is_absent =
        reply->op == STEP_LOOK &&
        kube_is_absent(reply, reg->is_v1 ? KUBE_WEBHOOK : KUBE_WEBHOOK_BETA, S(WEBHOOK_NAME));
    bool is_late = (reply->op == STEP_CREATE && reply->err == ERR_CONFLICT) ||
                   (reply->op == STEP_CHANGE && reply->err == ERR_NOT_FOUND) ||
                   (reply->op >= STEP_CHANGE && reply->err == ERR_CONFLICT);
    if (is_late && reg->failures == 0) {
        reg->failures++;
        look_in(reg, 0); /* made, changed or deleted by somebody in between */
    } else if (reply->err != ERR_OK && !is_absent) {
        failed(reg, reply);
    } else if (reply->op == STEP_VERSION) {
        on_version(reg, reply);
    } else if (reply->op == STEP_LOOK) {
        compare(reg, reply);
    } else if (reply->op == STEP_NOTE) {
        on_noted(reg, reply);
    } else {
        on_written(reg, reply);
    }
    arena_rewind(reg->config.arena, mark);
}

/* ---- looking --------------------------------------------------------------------------------- */

static void on_time(struct loop_timer *timer)
{
    struct webhook_register *reg = timer->owner;
    const struct webhook_register_config *config = &reg->config;
    if (reg->is_busy) {
        return; /* the reply sets the timer */
    }
    size_t mark = arena_mark(config->arena);
    bool has_all = config->profile(config->owner) != NULL &&
                   !str_is_empty(config->authority(config->owner, config->arena));
    bool may_write = config->may_write(config->owner);
    reg->is_changed = false;
    reg->holds = reg->holds && may_write;
    if (has_all && may_write && (reg->must_create || reg->must_change)) {
        write_config(reg);
    } else if (may_write && reg->must_note) {
        write_note(reg);
    } else if (has_all && (may_write || config->wants_sight(config->owner))) {
        send(reg, reg->is_v1_known ? STEP_LOOK : STEP_VERSION, STR_NONE);
    } else {
        look_in(reg, WEBHOOK_REGISTER_WAIT_MS);
    }
    arena_rewind(config->arena, mark);
}

void webhook_register_changed(struct webhook_register *reg)
{
    if (!reg->is_started) {
        return;
    }
    reg->is_changed = true;
    reg->failures = 0;
    if (!reg->is_busy) {
        look_in(reg, 0);
    }
}

void webhook_register_leads(struct webhook_register *reg)
{
    reg->holds = reg->has_yielded = false;
    reg->must_create = reg->must_change = reg->must_note = false; /* of another time */
    webhook_register_changed(reg);
}

/* ---- start and stop -------------------------------------------------------------------------- */

void webhook_register_init(struct webhook_register *reg,
                           const struct webhook_register_config *config)
{
    reg->config = *config;
    reg->generation = -1;
    loop_timer_init(&reg->timer, on_time, reg);
    prng_seed(&reg->prng, config->seed);
}

void webhook_register_start(struct webhook_register *reg, str url)
{
    (void)str_copy(reg->url, sizeof reg->url, url);
    reg->is_started = true;
    look_in(reg, 0);
}

void webhook_register_stop(struct webhook_register *reg)
{
    reg->is_started = false;
    loop_timer_clear(reg->config.loop, &reg->timer);
}
