/*
 * spec_case.h - pods as text for the tests of spec: JSON with ' for ", so that a pod fits a table.
 */
#ifndef ECILET_TEST_TABLE_SPEC_CASE_H
#define ECILET_TEST_TABLE_SPEC_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "data/json_read.h"
#include "spec/pod_to_eci.h"

#define CASE_TEXT_BYTES_MAX (1 << 20)

static char case_arena_memory[16 << 20];
static char case_text[CASE_TEXT_BYTES_MAX];
static char case_output[CASE_TEXT_BYTES_MAX];

static const struct spec_config case_config = {
    .cluster_id = S("c-test"),
    .node_name = S("virtual-kubelet"),
    .region_id = S("cn-hangzhou"),
    .vswitch_ids = S("vsw-a,vsw-b"),
    .security_group_id = S("sg-a"),
};

/* ' becomes ", in place; the text lives until the next call. */
__attribute__((format(printf, 1, 2), unused)) static str case_json(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(case_text, sizeof case_text, format, args);
    va_end(args);
    assert_in_range(bytes, 0, sizeof case_text - 1);
    for (char *at = case_text; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    return str_make(case_text, (size_t)bytes);
}

/* A pod with these further members of metadata (",'labels':{...}") and this spec. */
__attribute__((unused)) static json case_pod(struct arena *arena, const char *metadata,
                                             const char *spec)
{
    json pod = JSON_NONE;
    struct json_fault fault = {0};
    str text = case_json("{'metadata':{'uid':'6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11','name':'web-0',"
                         "'namespace':'default'%s},'spec':%s}",
                         metadata, spec);

    if (json_parse(text, arena, &pod, &fault) != ERR_OK) {
        fail_msg("bad JSON in a test, %u:%u %s: %s", fault.line, fault.column, fault.what,
                 text.ptr);
    }
    return pod;
}

/* Fresh memory for one case. */
__attribute__((unused)) static void case_begin(struct arena *arena, struct spec_verdict *verdict)
{
    arena_init(arena, case_arena_memory, sizeof case_arena_memory);
    verdict_init(verdict, arena);
}

/* The refusals, then the warnings, as verdict.h prints them. */
__attribute__((unused)) static const char *case_remarks(const struct spec_verdict *verdict,
                                                        bool wants_warnings)
{
    struct buf out;

    buf_init(&out, case_output, sizeof case_output);
    if (wants_warnings) {
        verdict_put_warnings(verdict, &out);
    } else {
        verdict_put_refusals(verdict, &out);
    }
    return buf_cstr(&out);
}

/* "Name=Value\n" for each parameter. */
__attribute__((unused)) static const char *case_params(const struct params *params)
{
    struct buf out;

    buf_init(&out, case_output, sizeof case_output);
    for (uint32_t i = 0; i < params->count; i++) {
        buf_put(&out, params->items[i].name);
        buf_put_char(&out, '=');
        buf_put(&out, params->items[i].value);
        buf_put_char(&out, '\n');
    }
    assert_true(buf_ok(&out));
    return buf_cstr(&out);
}

#endif
