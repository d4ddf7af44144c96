/* see gateway.h: from a request to an action; the way back is in reply.c */
#include "gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actions.h"
#include "fault.h"
#include "index.h"
#include "settings.h"
#include "stats.h"

/* ---- nonces ---------------------------------------------------------------------------------- */

struct nonce {
    struct nonce *next; /* the next younger one */
    int64_t until_ms;
    char text[];
};

static struct index nonces;
static struct nonce *nonce_oldest;
static struct nonce *nonce_newest;

static void forget_nonces(int64_t now_ms)
{
    while (nonce_oldest != NULL && nonce_oldest->until_ms <= now_ms) {
        struct nonce *old = nonce_oldest;
        nonce_oldest = old->next;
        index_drop(&nonces, old->text);
        free(old);
    }
    nonce_newest = nonce_oldest == NULL ? NULL : nonce_newest;
}

static bool nonce_is_new(const char *text)
{
    forget_nonces(clock_ms());
    if (index_find(&nonces, text) != NULL) {
        return false;
    }
    struct nonce *nonce = text_grab(NULL, sizeof *nonce + strlen(text) + 1);
    nonce->next = NULL;
    nonce->until_ms = clock_ms() + settings.nonce_memory_ms;
    strcpy(nonce->text, text);
    *(nonce_newest == NULL ? &nonce_oldest : &nonce_newest->next) = nonce;
    nonce_newest = nonce;
    index_put(&nonces, nonce->text, nonce);
    return true;
}

void gateway_reset(void)
{
    forget_nonces(INT64_MAX);
    index_free(&nonces);
    for (struct action *action = actions; action->name != NULL; action++) {
        action->used = 0;
    }
}

/* ---- parameters ------------------------------------------------------------------------------ */

const char *call_param(const struct call *call, const char *path)
{
    const char *text = tree_text(call->params, path);
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static void add_pairs(struct call *call, char *text, size_t *room)
{
    for (char *rest = NULL, *piece = strtok_r(text, "&", &rest); piece != NULL;
         piece = strtok_r(NULL, "&", &rest)) {
        char *equals = strchr(piece, '=');
        const char *value = "";
        if (call->pair_count == *room) {
            struct pair *grown = arena_take(&call->arena, 2 * *room * sizeof *grown);
            memcpy(grown, call->pairs, *room * sizeof *grown);
            call->pairs = grown;
            *room *= 2;
        }
        if (equals != NULL) {
            *equals = '\0';
            percent_decode(equals + 1, strlen(equals + 1));
            value = equals + 1;
        }
        percent_decode(piece, strlen(piece));
        call->pairs[call->pair_count++] = (struct pair){.name = piece, .value = value};
    }
}

static bool is_form(const struct exchange *exchange)
{
    const char *type = http_header(exchange, "Content-Type");
    return type == NULL || strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
}

static void read_params(struct call *call)
{
    struct exchange *exchange = call->exchange;
    size_t room = 64;
    call->pairs = arena_take(&call->arena, room * sizeof *call->pairs);
    add_pairs(call, arena_copy(&call->arena, exchange->query, strlen(exchange->query)), &room);
    call->query_count = call->pair_count;
    if (is_form(exchange) && exchange->body_bytes > 0) {
        add_pairs(call, arena_copy(&call->arena, exchange->body, exchange->body_bytes), &room);
    }
    call->params = tree_new(&call->arena);
    for (size_t at = 0; at < call->pair_count; at++) {
        tree_put(&call->arena, call->params, call->pairs[at].name, call->pairs[at].value);
    }
}

/* ---- who asks -------------------------------------------------------------------------------- */

static void check_time(struct call *call, const char *stamp)
{
    int64_t stamp_ms = 0;
    if (!time_parse(stamp, &stamp_ms)) {
        call_fail(call, CODE_TIME_FORMAT, NULL);
    } else if (llabs(stamp_ms - wall_ms()) > 1000 * settings.time_window_s) {
        call_fail(call, CODE_TIME_EXPIRED, NULL);
    }
}

static void check_key(struct call *call, const char *key)
{
    if (!text_is(key, settings.access_key)) {
        call_fail(call, CODE_KEY_NOT_FOUND, NULL);
    }
}

static void check_nonce(struct call *call, const char *nonce)
{
    if (call->code == CODE_NONE && !nonce_is_new(nonce)) {
        call_fail(call, CODE_NONCE_USED, NULL);
    }
}

static void check_sts(struct call *call, const char *token)
{
    if (call->code != CODE_NONE || settings.sts_token[0] == '\0' ||
        text_is(settings.sts_token, "any")) {
        return;
    }
    if (token == NULL) {
        call_fail(call, CODE_STS_MALFORMED, "The SecurityToken is missing.");
    } else if (!text_is(token, settings.sts_token)) {
        call_fail(call, CODE_STS_EXPIRED, NULL);
    }
}

/* eci-api 1.3 and 1.5. The parameters are sorted here. */
static void check_rpc(struct call *call)
{
    static const char *const needed[] = {"AccessKeyId",    "SignatureMethod", "SignatureVersion",
                                         "SignatureNonce", "Timestamp",       "Signature"};
    struct buf signature = {0};
    for (size_t at = 0; at < sizeof needed / sizeof needed[0]; at++) {
        if (call_param(call, needed[at]) == NULL) {
            call->code_text = arena_fmt(&call->arena, "Missing%s", needed[at]);
            call_fail(call, CODE_MISSING, "%s is mandatory for this action.", needed[at]);
            return;
        }
    }
    if (!text_is(call_param(call, "SignatureMethod"), "HMAC-SHA1") ||
        !text_is(call_param(call, "SignatureVersion"), "1.0")) {
        call_fail(call, CODE_INCOMPLETE_SIGNATURE, "Only HMAC-SHA1, version 1.0, is supported.");
        return;
    }
    check_time(call, call_param(call, "Timestamp"));
    if (call->code == CODE_NONE) {
        check_key(call, call_param(call, "AccessKeyId"));
    }
    if (call->code != CODE_NONE) {
        return;
    }
    pairs_sort(call->pairs, call->pair_count);
    sign_rpc(&signature, settings.access_secret, call->exchange->method, call->pairs,
             call->pair_count);
    if (!sign_equal(buf_string(&signature), call_param(call, "Signature"))) {
        call_fail(call, CODE_SIGNATURE, NULL);
    }
    buf_free(&signature);
    check_sts(call, call_param(call, "SecurityToken"));
    check_nonce(call, call_param(call, "SignatureNonce"));
}

/* The part "Name=value" of an Authorization header, up to the next comma. */
static const char *auth_part(struct call *call, const char *header, const char *name)
{
    const char *start = strstr(header, name);
    if (start == NULL) {
        return "";
    }
    start += strlen(name);
    return arena_copy(&call->arena, start, strcspn(start, ", "));
}

/* The signed headers as sorted pairs with lower-case names; returns how many. */
static size_t signed_headers(struct call *call, const char *list, struct pair *headers)
{
    size_t count = 0;
    char *copy = arena_copy(&call->arena, list, strlen(list));
    for (char *rest = NULL, *name = strtok_r(copy, ";", &rest);
         name != NULL && count < HTTP_HEADERS_MAX; name = strtok_r(NULL, ";", &rest)) {
        const char *value = http_header(call->exchange, name);
        headers[count++] = (struct pair){.name = name, .value = value == NULL ? "" : value};
    }
    pairs_sort(headers, count);
    return count;
}

/* eci-api 1.7 */
static void check_acs3(struct call *call, const char *authorization)
{
    static const char *const needed[] = {"x-acs-date", "x-acs-signature-nonce",
                                         "x-acs-content-sha256"};
    const struct exchange *exchange = call->exchange;
    struct pair headers[HTTP_HEADERS_MAX];
    char hash[65];
    char signature[65];
    for (size_t at = 0; at < sizeof needed / sizeof needed[0]; at++) {
        if (http_header(exchange, needed[at]) == NULL) {
            call_fail(call, CODE_INCOMPLETE_SIGNATURE, "The header %s is missing.", needed[at]);
            return;
        }
    }
    const char *list = auth_part(call, authorization, "SignedHeaders=");
    if (strstr(list, "x-acs-action") == NULL || strstr(list, "x-acs-signature-nonce") == NULL ||
        strstr(list, "host") == NULL || strstr(list, "x-acs-date") == NULL) {
        call_fail(call, CODE_INCOMPLETE_SIGNATURE, "A header that must be signed is not.");
        return;
    }
    check_time(call, http_header(exchange, "x-acs-date"));
    if (call->code == CODE_NONE) {
        check_key(call, auth_part(call, authorization, "Credential="));
    }
    sha256_hex(hash, exchange->body == NULL ? "" : exchange->body, exchange->body_bytes);
    if (call->code == CODE_NONE && !text_is(hash, http_header(exchange, "x-acs-content-sha256"))) {
        call_fail(call, CODE_SIGNATURE, "x-acs-content-sha256 is not that of the body.");
    }
    if (call->code != CODE_NONE) {
        return;
    }
    size_t header_count = signed_headers(call, list, headers);
    pairs_sort(call->pairs, call->query_count);
    sign_acs3(signature, settings.access_secret, exchange->method, exchange->path, call->pairs,
              call->query_count, headers, header_count, hash);
    if (!sign_equal(signature, auth_part(call, authorization, "Signature="))) {
        call_fail(call, CODE_SIGNATURE, NULL);
    }
    pairs_sort(call->pairs, call->pair_count);
    check_sts(call, http_header(exchange, "x-acs-security-token"));
    check_nonce(call, http_header(exchange, "x-acs-signature-nonce"));
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void check_format(struct call *call, bool is_acs3)
{
    const char *format = call_param(call, "Format");
    call->is_xml = !is_acs3 && (format == NULL || strcasecmp(format, "XML") == 0);
    if (format != NULL && strcasecmp(format, "XML") != 0 && strcasecmp(format, "JSON") != 0) {
        call_fail(call, CODE_FORMAT, NULL);
    }
}

static void check_action(struct call *call, bool is_acs3)
{
    const struct exchange *exchange = call->exchange;
    const char *name = is_acs3 ? http_header(exchange, "x-acs-action") : call_param(call, "Action");
    const char *version =
        is_acs3 ? http_header(exchange, "x-acs-version") : call_param(call, "Version");
    if (!text_is_any(exchange->method, "GET|POST")) {
        call_fail(call, CODE_METHOD, NULL);
    } else if (name == NULL || version == NULL) {
        const char *missing = name == NULL ? "Action" : "Version";
        call->code_text = arena_fmt(&call->arena, "Missing%s", missing);
        call_fail(call, CODE_MISSING, "%s is mandatory for this action.", missing);
    } else if (!text_is(version, "2018-08-08")) {
        call_fail(call, CODE_NO_VERSION, NULL);
    } else {
        call->action = action_find(name);
        if (call->action == NULL) {
            call_fail(call, CODE_NO_ACTION, NULL);
        }
    }
}

/* A fixed window of one minute, so that relief comes with the next minute (eci-api 1.9). */
static void check_rate(struct call *call)
{
    struct action *action = call->action;
    int64_t minute = clock_ms() / 60000;
    long limit = action_rate(action);
    if (action->window != minute) {
        action->window = minute;
        action->used = 0;
    }
    if (limit > 0 && ++action->used > limit) {
        call->status = (int)settings.throttle_status;
        call_fail(call, CODE_THROTTLING, NULL);
    }
}

static void check_region(struct call *call)
{
    const char *region = call_param(call, "RegionId");
    if (region != NULL && !text_is(region, settings.region)) {
        call_fail(call, CODE_NO_REGION, NULL);
    }
}

static void check_permission(struct call *call)
{
    if (!text_in_list(settings.forbidden, call->action->name)) {
        return;
    }
    if (text_starts(call->action->name, "Describe") || text_starts(call->action->name, "List")) {
        call->effects.empty_list = true; /* an empty list, not an error (eci-api 2.3) */
    } else {
        call_fail(call, CODE_FORBIDDEN, NULL);
    }
}

static void check_call(struct call *call)
{
    const char *authorization = http_header(call->exchange, "Authorization");
    bool is_acs3 = text_starts(authorization, "ACS3-HMAC-SHA256");
    check_format(call, is_acs3);
    if (call->code == CODE_NONE) {
        check_action(call, is_acs3);
    }
    if (call->code == CODE_NONE && is_acs3) {
        check_acs3(call, authorization);
    } else if (call->code == CODE_NONE) {
        check_rpc(call);
    }
    if (call->code == CODE_NONE) {
        check_region(call);
    }
    if (call->code == CODE_NONE) {
        check_rate(call);
    }
    if (call->code == CODE_NONE) {
        action_check_params(call);
    }
    if (call->code == CODE_NONE) {
        check_permission(call);
    }
}

/* The rule may be dropped before the answer is sent: keep its texts ourselves. */
static void keep_effects(struct call *call)
{
    struct effects *effects = &call->effects;
    if (effects->status != 0) {
        struct arena *arena = &call->exchange->arena;
        effects->code = arena_copy(arena, effects->code, strlen(effects->code));
        effects->message = arena_copy(arena, effects->message, strlen(effects->message));
    }
}

void gateway_handle(struct exchange *exchange)
{
    struct call *call = text_grab(NULL, sizeof *call);
    *call = (struct call){.exchange = exchange};
    gateway_uuid(call->request_id);
    read_params(call);
    check_call(call);
    if (call->action != NULL) {
        fault_choose(call->action->name, &call->effects);
        keep_effects(call);
    }
    if (call->effects.cut_before || (call->effects.hang && !call->effects.after)) {
        call_finish(call);
        return;
    }
    if (call->effects.status != 0 && !call->effects.after) {
        call->code = CODE_INTERNAL; /* reply.c puts the status and code of the rule in */
    }
    if (call->code == CODE_NONE) {
        call->is_serving = true;
        call->action->serve(call);
        call->is_serving = false;
    }
    if (!call->is_later) {
        call_finish(call);
    }
}
