/* see eci_call.h */
#include "eci/eci_call.h"

#include "base/check.h"
#include "base/codec.h"
#include "eci/eci_code.h"
#include "os/log.h"
#include "os/os.h"

#define REPLY_ROOM_BYTES (16 * 1024) /* what must be left for the reply behind the form */
#define KEEP_BYTES (16 * 1024)       /* a buffer used beyond this gives its pages back */
#define REPEAT_LEFT_MIN_MS 1000      /* a repetition with less time than this is not tried */
#define CLOCK_STEP_MS 30000          /* a difference this large is a step, not noise */
#define CLOCK_SMOOTHING 8            /* an eighth of each new difference is believed */

struct eci_call {
    struct eci_client *client;
    enum eci_action action;
    struct eci_curl_transfer transfer;
    struct eci_room *room;
    uint32_t room_slot;
    struct buf form; /* the whole buffer; the reply is received behind the form */
    eci_call_done *on_done;
    void *owner;
    handle subject;
    msec started_ms;
    msec deadline_ms;     /* duration */
    uint64_t keys_turn;   /* the keys it was signed with */
    size_t touched_bytes; /* of the buffer, by signing */
    bool has_token;       /* the request carries a ClientToken */
    bool was_repeated;
    bool was_sent_before; /* an earlier copy of this request may have landed */
    bool is_done;         /* on_done is running */
};

/* ---- buffers --------------------------------------------------------------------------------- */

static void room_init(struct eci_room *room, struct region *region, const char *name,
                      uint32_t count, uint32_t bytes)
{
    *room = (struct eci_room){.count = count, .bytes = bytes};
    room->memory = region_carve(region, name, count, bytes);
    room->free_slots = region_carve(region, "cloud buffers, free", count, sizeof(uint32_t));
    if (room->memory != NULL) {
        for (uint32_t i = 0; i < count; i++) {
            room->free_slots[i] = count - 1 - i;
        }
        room->free_count = count;
    }
}

/* Where a request of this size goes; NULL when it fits nowhere. */
static struct eci_room *room_for(struct eci_client *client, enum eci_action action,
                                 size_t sign_bytes)
{
    bool fits_small = sign_bytes + REPLY_ROOM_BYTES <= client->small.bytes;
    if (fits_small && !eci_action_row(action)->has_big_reply) {
        return &client->small;
    }
    return sign_bytes + REPLY_ROOM_BYTES <= client->page.bytes ? &client->page : NULL;
}

static void take_buffer(struct eci_call *call, struct eci_room *room)
{
    CHECK(room->free_count > 0);
    call->room = room;
    call->room_slot = room->free_slots[--room->free_count];
    buf_init(&call->form, room->memory + (size_t)call->room_slot * room->bytes, room->bytes);
}

/* The form holds secrets (registry passwords, the contents of Secrets, our token). */
static void give_buffer(struct eci_call *call)
{
    size_t used = call->form.bytes + call->transfer.reply.bytes;
    used = used > call->touched_bytes ? used : call->touched_bytes;
    CHECK(call->room->free_count < call->room->count);
    eci_wipe(call->form.ptr, call->form.bytes);
    if (used > KEEP_BYTES) {
        os_map_release_pages(call->form.ptr, call->room->bytes);
    }
    call->room->free_slots[call->room->free_count++] = call->room_slot;
}

static void release(struct eci_call *call)
{
    struct eci_client *client = call->client;
    give_buffer(call);
    pool_give(&client->calls, pool_handle_of(&client->calls, call));
}

/* ---- the clock ------------------------------------------------------------------------------- */

int64_t eci_client_clock_offset_ms(const struct eci_client *client)
{
    int64_t offset_ms = client->clock_offset_ms;
    return offset_ms > ECI_CLOCK_SLACK_MS || offset_ms < -ECI_CLOCK_SLACK_MS ? offset_ms : 0;
}

int64_t eci_client_unix_ms(const struct eci_client *client)
{
    return os_wall_ms() + eci_client_clock_offset_ms(client);
}

/*
 * A Date is whole seconds, hence the half. Small differences are noise of the line and are
 * smoothed; a large one means that somebody has set a clock, and is believed at once.
 */
static void learn_clock(struct eci_client *client, int64_t date_unix_s, bool was_refused)
{
    int64_t seen_ms = date_unix_s * 1000 + 500 - os_wall_ms();
    int64_t change_ms = seen_ms - client->clock_offset_ms;
    if (date_unix_s <= 0) {
        return;
    }
    bool is_step = change_ms > CLOCK_STEP_MS || change_ms < -CLOCK_STEP_MS;
    if (!client->has_clock_offset || is_step || was_refused) {
        client->clock_offset_ms = seen_ms;
        client->has_clock_offset = true;
    } else {
        client->clock_offset_ms += change_ms / CLOCK_SMOOTHING;
    }
}

/* ---- signing --------------------------------------------------------------------------------- */

static const struct eci_keys *keys_of(const struct eci_client *client, uint64_t turn)
{
    return &client->keys[turn % 2];
}

struct signer {
    char nonce[ECI_NONCE_BYTES];
    struct eci_sign_as as;
};

static void signer_init(struct signer *signer, const struct eci_client *client,
                        const struct eci_keys *keys, enum eci_action action)
{
    uint8_t random[ECI_NONCE_BYTES / 2];
    struct buf nonce;
    os_random(random, sizeof random);
    buf_init(&nonce, signer->nonce, sizeof signer->nonce);
    codec_put_hex(&nonce, random, sizeof random);
    signer->as = (struct eci_sign_as){
        .method = "POST",
        .action = str_of(eci_action_name(action)),
        .region_id = str_of(client->region_id),
        .access_key_id = str_of(keys->id),
        .access_key_secret = str_of(keys->secret),
        .security_token = str_of(keys->token),
        .nonce = buf_str(&nonce),
        .unix_s = eci_client_unix_ms(client) / 1000,
    };
}

static void on_transfer(struct eci_curl_transfer *transfer, enum err err);

/* Hands the signed form to libcurl; the reply may fill what is left of the buffer. */
static enum err send_form(struct eci_call *call, msec deadline_ms)
{
    const struct eci_action_row *row = eci_action_row(call->action);
    struct eci_curl_transfer *transfer = &call->transfer;
    size_t room_bytes;
    char *room = buf_tail(&call->form, &room_bytes);
    transfer->body = buf_str(&call->form);
    buf_init(&transfer->reply, room, room_bytes);
    transfer->deadline_ms = deadline_ms;
    transfer->is_fresh = row->is_write && !call->has_token;
    transfer->on_done = on_transfer;
    transfer->owner = call;
    return eci_curl_start(&call->client->curl, transfer);
}

/* ---- the end of a call ----------------------------------------------------------------------- */

/* Fills reply with what the cloud said, and judges it by the tables. */
static struct eci_verdict read_reply(const struct eci_call *call, struct eci_reply *reply)
{
    enum err err = json_parse(buf_str(&call->transfer.reply), reply->arena, &reply->root, NULL);
    if (err != ERR_OK || json_type(reply->root) != JSON_TYPE_OBJECT) {
        struct eci_verdict verdict = eci_code_judge(reply->http_status, STR_NONE, STR_NONE);
        bool is_no_json = err == ERR_OK || err == ERR_BAD_INPUT;
        reply->root = JSON_NONE;
        if (verdict.err == ERR_OK) {
            verdict.err = is_no_json ? ERR_BAD_REPLY : err;
        }
        return verdict;
    }
    reply->code = json_text(json_get_nocase(reply->root, "Code"), reply->arena);
    reply->message = json_text(json_get_nocase(reply->root, "Message"), reply->arena);
    reply->request_id = json_text(json_get_nocase(reply->root, "RequestId"), reply->arena);
    return eci_code_judge(reply->http_status, reply->code, reply->message);
}

static bool quotes(str text, const char *secret)
{
    return secret[0] != '\0' && str_find(text, str_of(secret)) >= 0;
}

static void hide_secrets(const struct eci_call *call, const struct eci_verdict *verdict,
                         struct eci_reply *reply)
{
    const struct eci_keys *keys = keys_of(call->client, call->keys_turn);
    if (verdict->hides_message || quotes(reply->message, keys->secret) ||
        quotes(reply->message, keys->token)) {
        reply->message = S("(not shown: it may quote the request)");
    }
}

/* A repetition is not worth while without time, and not possible once the keys were overwritten. */
static bool can_repeat(const struct eci_call *call, enum eci_again again)
{
    const struct eci_client *client = call->client;
    msec left_ms = call->started_ms + call->deadline_ms - os_now_ms();
    bool may_double = eci_action_row(call->action)->is_write && !call->has_token;
    return !call->was_repeated && left_ms >= REPEAT_LEFT_MIN_MS &&
           client->keys_turn - call->keys_turn < 2 &&
           (again == ECI_AGAIN_CLOCK ? call->transfer.date_unix_s > 0 : !may_double);
}

/* Overwrites the reply. On an error the call is over. */
static enum err repeat(struct eci_call *call, enum eci_again again)
{
    struct eci_client *client = call->client;
    struct signer signer;
    call->was_repeated = true;
    /* A used nonce means that a copy of this request has arrived before. */
    call->was_sent_before = again == ECI_AGAIN_NONCE;
    client->counters.repeated++;
    signer_init(&signer, client, keys_of(client, call->keys_turn), call->action);
    enum err err = eci_sign_again(&call->form, &signer.as);
    return err != ERR_OK ? err
                         : send_form(call, call->started_ms + call->deadline_ms - os_now_ms());
}

/* What the caller is told about a verdict. */
static enum err err_for_caller(const struct eci_call *call, const struct eci_verdict *verdict,
                               bool was_sent)
{
    if (!eci_action_row(call->action)->is_write) {
        return verdict->err;
    }
    bool has_twin = verdict->again == ECI_AGAIN_NONCE;
    return has_twin ? ERR_LOST_WRITE : err_of_write(verdict->err, was_sent);
}

static void put_why(struct buf *why, const struct eci_call *call, const struct eci_reply *reply,
                    enum err err)
{
    if (call->transfer.why[0] != '\0') {
        buf_put_text(why, call->transfer.why);
    } else if (reply->http_status == 0) {
        buf_put_text(why, err_text(err));
    } else if (str_is_empty(reply->code)) {
        buf_put_fmt(why, "HTTP %d: %s", reply->http_status, err_text(err));
    } else {
        buf_put_fmt(why, "%d %.*s: ", reply->http_status,
                    STR_ARG(codec_utf8_prefix(reply->code, 100)));
        buf_put(why, codec_utf8_prefix(reply->message, ECI_WHY_BYTES - 192));
        buf_put_fmt(why, " (%.*s)", STR_ARG(codec_utf8_prefix(reply->request_id, 60)));
    }
}

static void deliver(struct eci_call *call, enum err err, struct eci_reply *reply)
{
    struct eci_client *client = call->client;
    char memory[ECI_WHY_BYTES];
    struct buf why;
    buf_init(&why, memory, sizeof memory);
    if (err != ERR_OK) {
        put_why(&why, call, reply, err);
        client->counters.failures[call->action]++;
        client->counters.errors[err]++;
    }
    client->counters.calls[call->action]++;
    reply->why = buf_str(&why);
    reply->took_ms = os_now_ms() - call->started_ms;
    log_line(LOG_DEBUG, "cloud", "%s: %s in %lld ms%s%.*s", eci_action_name(call->action),
             err_name(err), (long long)reply->took_ms, err != ERR_OK ? ": " : "",
             STR_ARG(reply->why));
    call->is_done = true;
    call->on_done(call->owner, err, reply);
    release(call);
}

static void on_transfer(struct eci_curl_transfer *transfer, enum err err)
{
    struct eci_call *call = transfer->owner;
    struct eci_client *client = call->client;
    size_t mark = arena_mark(client->arena);
    struct eci_verdict verdict = {.err = err};
    struct eci_reply reply = {
        .action = call->action,
        .call = pool_handle_of(&client->calls, call),
        .subject = call->subject,
        .http_status = transfer->http_status,
        .arena = client->arena,
        .was_sent = transfer->was_sent || call->was_sent_before,
        .was_repeated = call->was_repeated,
        .retry_after_s = transfer->retry_after_s,
    };
    if (err == ERR_OK) {
        verdict = read_reply(call, &reply);
        hide_secrets(call, &verdict, &reply);
    }
    if (json_is_there(reply.root)) {
        learn_clock(client, transfer->date_unix_s, verdict.again == ECI_AGAIN_CLOCK);
    }
    if (verdict.again != ECI_AGAIN_NO && can_repeat(call, verdict.again)) {
        arena_rewind(client->arena, mark);
        verdict.err = repeat(call, verdict.again);
        if (verdict.err == ERR_OK) {
            return;
        }
        reply.root = JSON_NONE; /* and all texts: the signature was computed over them */
        reply.code = reply.message = reply.request_id = STR_NONE;
        reply.was_sent = call->was_sent_before;
        reply.was_repeated = true;
        verdict.again = ECI_AGAIN_NO;
    }
    deliver(call, err_for_caller(call, &verdict, reply.was_sent), &reply);
    arena_rewind(client->arena, mark);
}

/* ---- calls ----------------------------------------------------------------------------------- */

bool eci_client_has_room(const struct eci_client *client, enum eci_action action)
{
    const struct eci_room *room =
        eci_action_row(action)->has_big_reply ? &client->page : &client->small;
    return room->free_count > 0 && client->calls.count < client->calls.count_max;
}

/* Signs and sends. On an error nothing is under way. */
static enum err sign_and_send(struct eci_call *call, struct params *params,
                              const struct signer *signer)
{
    enum err err = eci_sign(&call->form, params, &signer->as);
    return err != ERR_OK ? err : send_form(call, call->deadline_ms);
}

enum err eci_call_start(struct eci_client *client, const struct eci_want *want, handle *out)
{
    CHECK(want->on_done != NULL && want->params != NULL && want->deadline_ms >= 0);
    const struct eci_action_row *row = eci_action_row(want->action);
    struct signer signer;
    handle h;
    if (client->keys_turn == 0) {
        return ERR_AUTH;
    }
    signer_init(&signer, client, keys_of(client, client->keys_turn), want->action);
    size_t sign_bytes = eci_sign_bytes(want->params, &signer.as);
    struct eci_room *room = room_for(client, want->action, sign_bytes);
    if (room == NULL) {
        return ERR_TOO_BIG;
    }
    if (room->free_count == 0 || pool_take(&client->calls, &h) != ERR_OK) {
        return ERR_FULL;
    }
    struct eci_call *call = pool_at(&client->calls, h);
    call->client = client;
    call->action = want->action;
    call->on_done = want->on_done;
    call->owner = want->owner;
    call->subject = want->subject;
    call->started_ms = os_now_ms();
    call->deadline_ms = want->deadline_ms > 0 ? want->deadline_ms : row->deadline_ms;
    call->keys_turn = client->keys_turn;
    call->has_token = !str_is_empty(params_find(want->params, S("ClientToken")));
    call->touched_bytes = sign_bytes;
    take_buffer(call, room);
    enum err err = sign_and_send(call, want->params, &signer);
    if (err != ERR_OK) {
        release(call);
        return err;
    }
    if (out != NULL) {
        *out = h;
    }
    return ERR_OK;
}

void eci_call_cancel(struct eci_client *client, handle h)
{
    struct eci_call *call = pool_at(&client->calls, h);
    if (call != NULL && !call->is_done) {
        eci_curl_cancel(&client->curl, &call->transfer);
        release(call);
    }
}

/* ---- the client ------------------------------------------------------------------------------ */

enum err eci_client_init(struct eci_client *client, struct loop *loop, struct region *region,
                         const struct eci_call_config *config)
{
    uint32_t calls_max = config->small_count + config->page_count;
    CHECK(config->small_bytes >= 2 * REPLY_ROOM_BYTES && config->page_bytes >= config->small_bytes);
    *client = (struct eci_client){.loop = loop, .arena = config->arena};
    if (str_is_empty(config->region_id) ||
        !str_copy(client->region_id, sizeof client->region_id, config->region_id)) {
        return ERR_BAD_INPUT;
    }
    pool_init(&client->calls, region, "cloud calls", calls_max, sizeof(struct eci_call));
    room_init(&client->small, region, "cloud buffers, small", config->small_count,
              config->small_bytes);
    room_init(&client->page, region, "cloud buffers, page", config->page_count, config->page_bytes);
    return eci_curl_init(&client->curl, loop, region,
                         &(struct eci_curl_config){
                             .url = config->endpoint,
                             .proxy = config->proxy,
                             .no_proxy = config->no_proxy,
                             .anchors = config->anchors,
                             .transfers_max = calls_max,
                             .kept_max = config->kept_max,
                         });
}

enum err eci_client_set_keys(struct eci_client *client, str id, str secret, str token)
{
    struct eci_keys *keys = &client->keys[(client->keys_turn + 1) % 2];
    if (str_is_empty(id) || str_is_empty(secret) || id.bytes >= sizeof keys->id ||
        secret.bytes >= sizeof keys->secret || token.bytes >= sizeof keys->token) {
        return ERR_BAD_INPUT;
    }
    eci_wipe(keys, sizeof *keys);
    (void)str_copy(keys->id, sizeof keys->id, id);
    (void)str_copy(keys->secret, sizeof keys->secret, secret);
    (void)str_copy(keys->token, sizeof keys->token, token);
    log_hide(secret);
    log_hide(token);
    client->keys_turn++;
    return ERR_OK;
}

void eci_client_stop(struct eci_client *client)
{
    for (handle h = pool_first(&client->calls); !handle_is_none(h);
         h = pool_after(&client->calls, h)) {
        eci_call_cancel(client, h);
    }
    eci_curl_stop(&client->curl);
    eci_wipe(client->keys, sizeof client->keys);
    client->keys_turn = 0;
}
