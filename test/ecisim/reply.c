/*
 * The way back of a call: the answer as JSON or XML, spoiled by faults when they say so, and the
 * counting of what was answered. See call.h and gateway.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "actions.h"
#include "call.h"
#include "gateway.h"
#include "settings.h"
#include "stats.h"

static const struct {
    int status;
    const char *text;
    const char *message;
} codes[] = {
#define ERROR(name, status_, text_, message_) \
    [CODE_##name] = { .status = status_, .text = text_, .message = message_ },
#include "errors.def"
#undef ERROR
};

void gateway_uuid(char out[static 40])
{
    unsigned char r[16] = {0};
    if (getrandom(r, sizeof r, 0) < 0) {
        abort();
    }
    snprintf(out, 40, "%02X%02X%02X%02X-%02X%02X-4%X%02X-8%X%02X-%02X%02X%02X%02X%02X%02X", r[0],
             r[1], r[2], r[3], r[4], r[5], r[6] & 15u, r[7], r[8] & 15u, r[9], r[10], r[11], r[12],
             r[13], r[14], r[15]);
}

void call_fail(struct call *call, enum code code, const char *format, ...)
{
    call->code = code;
    call->message = codes[code].message;
    if (format != NULL) {
        struct buf text = {0};
        va_list args;
        va_start(args, format);
        buf_vfmt(&text, format, args);
        va_end(args);
        call->message = arena_copy(&call->exchange->arena, buf_string(&text), text.used);
        buf_free(&text);
    }
}

/* eci-api 1.8 */
static void write_error(struct call *call, struct jw *jw)
{
    char link[256];
    const char *code = call->code_text != NULL ? call->code_text : codes[call->code].text;
    snprintf(link, sizeof link, "https://api.aliyun.com/troubleshoot?q=%s&product=Eci", code);
    jw_open(jw, '{');
    jw_ktext(jw, "RequestId", call->request_id);
    jw_ktext(jw, "HostId", http_header(call->exchange, "Host"));
    jw_ktext(jw, "Code", code);
    jw_ktext(jw, "Message", call->message);
    jw_ktext(jw, "Recommend", link);
    jw_close(jw, '}');
}

static void write_success(struct call *call, struct jw *jw)
{
    jw_open(jw, '{');
    jw_ktext(jw, "RequestId", call->request_id);
    if (call->reply.out.used > 0) {
        buf_byte(&jw->out, ',');
        buf_add(&jw->out, call->reply.out.data, call->reply.out.used);
    }
    jw_close(jw, '}');
}

static void xml_text(struct buf *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (strchr("<>&", *text) != NULL) {
            buf_fmt(out, "&#%d;", *text);
        } else {
            buf_byte(out, *text);
        }
    }
}

static void xml_node(struct buf *out, const struct node *node, const char *name)
{
    buf_fmt(out, "<%s>", name);
    xml_text(out, node->value);
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        xml_node(out, child, child->index > 0 ? name : child->name);
    }
    buf_fmt(out, "</%s>", name);
}

/* Format absent or XML: good enough to make a client notice that it forgot Format=JSON. */
static void to_xml(struct call *call, struct buf *body)
{
    struct arena arena = {0};
    struct node *root = json_read(&arena, buf_string(body));
    char name[64];
    snprintf(name, sizeof name, "%sResponse", call->action == NULL ? "" : call->action->name);
    buf_clear(body);
    buf_text(body, "<?xml version='1.0' encoding='UTF-8'?>");
    if (root != NULL) {
        xml_node(body, root, call->code == CODE_NONE ? name : "Error");
    }
    arena_free(&arena);
}

static void count(struct call *call)
{
    const char *code = call->code_text != NULL ? call->code_text : codes[call->code].text;
    if (call->action != NULL) {
        call->action->calls++;
        call->action->errors += call->code != CODE_NONE;
    }
    if (call->code != CODE_NONE) {
        stats_count_code(code);
    }
    if (settings.verbose) {
        fprintf(stderr, "ecisim: %s %s %s %s\n", call->action == NULL ? "?" : call->action->name,
                call->detail == NULL ? "-" : call->detail, call->code == CODE_NONE ? "ok" : code,
                call->code == CODE_NONE || call->message == NULL ? "" : call->message);
    }
}

static void call_free(struct call *call)
{
    arena_free(&call->arena);
    buf_free(&call->reply.out);
    free(call);
}

/* Everything is decided: put the bytes on the wire. */
static void send_answer(struct call *call)
{
    struct jw jw = {0};
    struct exchange *exchange = call->exchange;
    int status = call->status != 0 ? call->status : codes[call->code].status;
    if (call->code == CODE_NONE) {
        write_success(call, &jw);
        if (settings.check_replies) {
            action_check_reply(call->action, buf_string(&jw.out));
        }
    } else {
        write_error(call, &jw);
    }
    const char *type = call->is_xml ? "text/xml;charset=utf-8" : "application/json;charset=utf-8";
    if (call->is_xml) {
        to_xml(call, &jw.out);
    }
    if (call->code == CODE_THROTTLING && settings.retry_after > 0) {
        buf_fmt(&exchange->extra_headers, "Retry-After: %lld\r\n", settings.retry_after);
    }
    buf_fmt(&exchange->extra_headers, "x-acs-request-id: %s\r\n", call->request_id);
    if (call->effects.malformed_json) {
        /* A comma too many and a bare word: no JSON reader may let this pass. */
        buf_text(&jw.out, ",]oops");
    }
    if (call->effects.truncated_json) {
        http_answer_short(exchange, status, type, jw.out.data, jw.out.used / 2, jw.out.used);
    } else {
        http_answer(exchange, status, type, jw.out.data, jw.out.used);
    }
    buf_free(&jw.out);
    call_free(call);
}

static void on_delay(struct timer *timer)
{
    send_answer(container_of(timer, struct call, timer));
}

void call_finish(struct call *call)
{
    const struct effects *effects = &call->effects;
    if (call->is_serving) {
        call->is_later = false; /* it was done at once after all: the gateway goes on */
        return;
    }
    if (effects->status != 0) {
        call->status = effects->status;
        call->code_text = effects->code;
        call_fail(call, CODE_INTERNAL, "%s", effects->message);
    }
    count(call);
    if (effects->cut_before || effects->cut_after) {
        http_cut(call->exchange);
        call_free(call);
    } else if (effects->hang) {
        http_drop(call->exchange);
        call_free(call);
    } else if (effects->latency_ms > 0) {
        timer_set(&call->timer, effects->latency_ms, on_delay);
    } else {
        send_answer(call);
    }
}
