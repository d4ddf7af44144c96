/* see webhook.h */
#include "admit/webhook.h"

#include "base/codec.h"

enum err webhook_read(str body, struct arena *arena, struct webhook_review *out)
{
    json root;
    enum err err = json_parse(body, arena, &root, NULL);
    if (err != ERR_OK) {
        return err == ERR_TOO_BIG ? ERR_BAD_INPUT : err;
    }
    json request = json_get(root, "request"), kind = json_get(request, "kind");
    *out = (struct webhook_review){.api_version = json_text(json_get(root, "apiVersion"), arena),
                                   .uid = json_text(json_get(request, "uid"), arena),
                                   .name_space = json_text(json_get(request, "namespace"), arena)};
    bool is_known = str_eq(out->api_version, S("admission.k8s.io/v1")) ||
                    str_eq(out->api_version, S("admission.k8s.io/v1beta1"));
    if (arena->has_failed) {
        return ERR_FULL;
    }
    if (!is_known || !json_text_is(json_get(root, "kind"), "AdmissionReview") ||
        str_is_empty(out->uid) || out->uid.bytes > WEBHOOK_UID_BYTES_MAX) {
        return ERR_BAD_INPUT;
    }
    out->is_pod_create = json_text_is(json_get(request, "operation"), "CREATE") &&
                         json_text_is(json_get(kind, "kind"), "Pod") &&
                         json_text_is(json_get(kind, "group"), "") &&
                         str_is_empty(json_text(json_get(request, "subResource"), arena));
    out->pod = out->is_pod_create ? json_get(request, "object") : JSON_NONE;
    return ERR_OK;
}

void webhook_put_answer(const struct webhook_review *review, str patch, const str *warnings,
                        uint32_t warnings_count, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_object(&w);
    json_member_text(&w, "apiVersion", review->api_version);
    json_member_text(&w, "kind", S("AdmissionReview"));
    json_member_object(&w, "response");
    json_member_text(&w, "uid", review->uid);
    json_member_bool(&w, "allowed", true);
    if (!str_is_empty(patch)) {
        json_member_text(&w, "patchType", S("JSONPatch"));
        json_key_put(&w, S("patch"));
        json_put_raw(&w, S("\"")); /* base64 needs no escaping, so it is written in place */
        codec_put_base64(out, patch.ptr, patch.bytes);
        buf_put_char(out, '"');
    }
    if (warnings_count > 0) {
        json_member_array(&w, "warnings");
        for (uint32_t i = 0; i < warnings_count; i++) {
            json_put_text(&w, warnings[i]);
        }
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
}
