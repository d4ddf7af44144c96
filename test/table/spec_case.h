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
    .node_address = S("10.0.0.9"),
    .host_paths = S("/allowed, /opt/x/"),
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

/* One more object that was read for the pod; ' becomes ". The text NULL: there is none. */
__attribute__((unused)) static struct spec_ref *case_ref(struct spec_refs *refs,
                                                         struct arena *arena,
                                                         enum spec_ref_kind kind,
                                                         const char *name_space, const char *name,
                                                         const char *text)
{
    struct spec_ref *ref = &refs->items[refs->count++];

    *ref = (struct spec_ref){.kind = kind,
                             .name_space = str_of(name_space),
                             .name = str_of(name),
                             .state = text != NULL ? SPEC_REF_FOUND : SPEC_REF_ABSENT};
    if (text != NULL) {
        str copy = arena_copy(arena, str_of(text));
        struct json_fault fault = {0};
        for (char *at = (char *)copy.ptr; at < copy.ptr + copy.bytes; at++) {
            *at = *at == '\'' ? '"' : *at;
        }
        if (json_parse(copy, arena, &ref->object, &fault) != ERR_OK) {
            fail_msg("bad JSON in a test, %u:%u %s: %s", fault.line, fault.column, fault.what,
                     text);
        }
    }
    return ref;
}

/*
 * What the tables of tests have been read: a ConfigMap "map", a Secret "secret", one with pull
 * credentials "pull", claims "nfs", "nas", "oss", "disk", "flex" and their volumes, services, a
 * token. ConfigMap and Secret "none" are not there; "denied" may not be read.
 */
__attribute__((unused)) static void case_refs(struct spec_refs *refs, struct arena *arena)
{
#define CASE_CLAIM(name) \
    "{'spec':{'volumeName':'pv-" name "'},'status':{'phase':'Bound'}}"
#define CASE_CSI(driver, rest) "{'spec':{'csi':{'driver':'" driver "'" rest "}}"
    static const struct {
        enum spec_ref_kind kind;
        const char *name_space;
        const char *name;
        const char *text;
    } rows[] = {
        {SPEC_REF_CONFIG_MAP, "default", "map",
         "{'data':{'a':'one','b.conf':'two','7x':'three'},'binaryData':{'bin':'AAEC'}}"},
        {SPEC_REF_CONFIG_MAP, "default", "none", NULL},
        {SPEC_REF_SECRET, "default", "secret",
         "{'data':{'user':'cm9vdA==','key':'aHVudGVyMg==','bad':'***'}}"},
        {SPEC_REF_SECRET, "default", "good", "{'data':{'user':'cm9vdA=='}}"},
        {SPEC_REF_SECRET, "default", "none", NULL},
        {SPEC_REF_SECRET, "default", "pull",
         /* {"auths":{"https://r.example.com/v1/":{"auth":"dTpwOnc="},
                      "q.example.com":{"username":"n","password":"m"},"empty":{}}} */
         "{'data':{'.dockerconfigjson':'"
         "eyJhdXRocyI6eyJodHRwczovL3IuZXhhbXBsZS5jb20vdjEvIjp7ImF1dGgiOiJkVHB3T25jPSJ9LCJxLmV4YW1w"
         "bGUuY29tIjp7InVzZXJuYW1lIjoibiIsInBhc3N3b3JkIjoibSJ9LCJlbXB0eSI6e319fQ=='}}"},
        {SPEC_REF_SECRET, "default", "pull-old",
         /* {"p.example.com":{"username":"o","password":"w"}} */
         "{'data':{'.dockercfg':'eyJwLmV4YW1wbGUuY29tIjp7InVzZXJuYW1lIjoibyIsInBhc3N3b3JkIjoidyJ9f"
         "Q=='}}"},
        {SPEC_REF_SECRET, "default", "pull-more",
         /* {"auths":{"r.example.com/team":{"username":"x","password":"y"},
                      "q.example.com/z":{"username":"n","password":"m"}}} */
         "{'data':{'.dockerconfigjson':'"
         "eyJhdXRocyI6eyJyLmV4YW1wbGUuY29tL3RlYW0iOnsidXNlcm5hbWUiOiJ4IiwicGFzc3"
         "dvcmQiOiJ5In0sInEuZXhhbXBsZS5jb20veiI6eyJ1c2VybmFtZSI6Im4iLCJwYXNzd29y"
         "ZCI6Im0ifX19"
         "'}}"},
        {SPEC_REF_SECRET, "default", "keys", "{'data':{'akId':'aWQ=','akSecret':'aHVudGVyMg=='}}"},
        {SPEC_REF_CLAIM, "default", "nfs", CASE_CLAIM("nfs")},
        {SPEC_REF_CLAIM, "default", "nas", CASE_CLAIM("nas")},
        {SPEC_REF_CLAIM, "default", "oss", CASE_CLAIM("oss")},
        {SPEC_REF_CLAIM, "default", "disk", CASE_CLAIM("disk")},
        {SPEC_REF_CLAIM, "default", "flex", CASE_CLAIM("flex")},
        {SPEC_REF_CLAIM, "default", "local", CASE_CLAIM("local")},
        {SPEC_REF_CLAIM, "default", "block", CASE_CLAIM("block")},
        {SPEC_REF_CLAIM, "default", "unbound", "{'spec':{},'status':{'phase':'Pending'}}"},
        {SPEC_REF_CLAIM, "default", "no", NULL},
        {SPEC_REF_CLAIM, "default", "lost", CASE_CLAIM("lost")},
        {SPEC_REF_VOLUME, "", "pv-lost", NULL},
        {SPEC_REF_VOLUME, "", "pv-nfs",
         "{'spec':{'nfs':{'server':'s','path':'/p'},"
         "'mountOptions':['vers=4.1']}}"},
        {SPEC_REF_VOLUME, "", "pv-nas",
         "{'spec':{'csi':{'driver':'nasplugin.csi.alibabacloud.com','volumeAttributes':{'server':"
         "'s','path':'/p','storage.kubernetes.io/x':'y'}},'mountOptions':['vers=3','nolock',"
         "'a\\u0026b']}}"},
        {SPEC_REF_VOLUME, "", "pv-oss",
         CASE_CSI("ossplugin.csi.alibabacloud.com",
                  ",'volumeAttributes':{'bucket':'b','url':'u'},'nodePublishSecretRef':{'name':"
                  "'keys','namespace':'default'}") "}"},
        {SPEC_REF_VOLUME, "", "pv-disk",
         CASE_CSI("diskplugin.csi.alibabacloud.com", ",'volumeHandle':'d-1','fsType':'ext4'") "}"},
        {SPEC_REF_VOLUME, "", "pv-flex",
         "{'spec':{'flexVolume':{'driver':'alicloud/disk','fsType':'xfs','options':{'volumeId':"
         "'d-2'}}}}"},
        {SPEC_REF_VOLUME, "", "pv-local", "{'spec':{'local':{'path':'/x'}}}"},
        {SPEC_REF_VOLUME, "", "pv-block", "{'spec':{'volumeMode':'Block','nfs':{'server':'s'}}}"},
    };

    refs->count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)case_ref(refs, arena, rows[i].kind, rows[i].name_space, rows[i].name, rows[i].text);
    }
    struct spec_ref *denied = case_ref(refs, arena, SPEC_REF_CONFIG_MAP, "default", "denied", NULL);
    denied->state = SPEC_REF_DENIED;
    denied->why = S("403: forbidden");
    struct spec_ref *failed = case_ref(refs, arena, SPEC_REF_SECRET, "default", "failed", NULL);
    failed->state = SPEC_REF_FAILED;
    failed->why = S("no answer");
    struct spec_ref *token =
        case_ref(refs, arena, SPEC_REF_TOKEN, "default", "default",
                 "{'status':{'token':'t.o.k','expirationTimestamp':'2024-01-02T03:04:05Z'}}");
    token->audience = S("vault");
    token->expiry_s = 7200;
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

/* wants: "Name=Value", each on its own line, must be there in this order; "!Name" must not be. */
__attribute__((unused)) static void case_wants(const char *what, const char *wanted,
                                               const struct params *params)
{
    const char *text = case_params(params), *from = text;
    char wants[2048];

    assert_true(str_copy(wants, sizeof wants, str_of(wanted)));
    for (char *line = wants, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char piece[1024];

        *end = '\0';
        if (line[0] == '!') {
            snprintf(piece, sizeof piece, "\n%s=", line + 1);
            if (strstr(text, piece) != NULL) {
                fail_msg("%s: has %s\n%s", what, line + 1, text);
            }
            continue;
        }
        const char *found = strstr(from, line);
        if (found == NULL || (found != text && found[-1] != '\n') || found[strlen(line)] != '\n') {
            fail_msg("%s: no %s\n%s", what, line, text);
        }
        from = found;
    }
}

#endif
