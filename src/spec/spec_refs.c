/* spec_refs.c - see spec_refs.h */
#include "spec/spec_refs.h"

#include "base/codec.h"
#include "data/json_write.h"
#include "spec/service_env.h"
#include "spec/token_volume.h"

struct collect {
    struct arena *arena;
    struct spec_refs *refs;
    str name_space; /* of the pod */
    str account;    /* spec.serviceAccountName */
    bool is_over;   /* more than SPEC_REFS_MAX */
};

static void collect_container(struct collect *to, json container);
static void collect_volume(struct collect *to, json volume);
static void collect_projected(struct collect *to, json sources);
static void collect_driver_secrets(struct collect *to, json source, str name_space);
static void collect_behind_claims(struct collect *to);
static void collect_services(struct collect *to, json spec);
static void collect_next_page(struct collect *to);
static void add(struct collect *to, struct spec_ref ref);
static void add_named(struct collect *to, enum spec_ref_kind kind, str name_space, json name,
                      bool is_optional);

enum err spec_refs_collect(json pod, struct arena *arena, struct spec_refs *refs)
{
    json spec = json_get(pod, "spec");
    bool has_token_volume = false;
    struct collect to = {
        .arena = arena,
        .refs = refs,
        .name_space = json_text(json_get(json_get(pod, "metadata"), "namespace"), arena),
        .account = json_text(json_get(spec, "serviceAccountName"), arena),
    };
    static const char *const lists[] = {"initContainers", "containers"};

    if (str_is_empty(to.account)) {
        to.account = S("default");
    }
    collect_services(&to, spec);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        json list = json_get(spec, lists[i]);
        for (json one = json_first(list); json_is_there(one); one = json_next(one)) {
            collect_container(&to, one);
        }
    }
    json volumes = json_get(spec, "volumes");
    for (json one = json_first(volumes); json_is_there(one); one = json_next(one)) {
        if (!has_token_volume && token_volume_is(one, spec, arena)) {
            has_token_volume = true;
        } else {
            collect_volume(&to, one);
        }
    }
    json pull_secrets = json_get(spec, "imagePullSecrets");
    for (json one = json_first(pull_secrets); json_is_there(one); one = json_next(one)) {
        add_named(&to, SPEC_REF_SECRET, to.name_space, json_get(one, "name"), true);
    }
    collect_behind_claims(&to);
    collect_next_page(&to);
    return arena->has_failed ? ERR_FULL : to.is_over ? ERR_TOO_BIG : ERR_OK;
}

/* As the virtual-kubelet library: those of the namespace by enableServiceLinks, and "kubernetes".
 */
static void collect_services(struct collect *to, json spec)
{
    if (json_bool_or(json_get(spec, "enableServiceLinks"), true)) {
        add(to, (struct spec_ref){
                    .kind = SPEC_REF_SERVICES, .name_space = to->name_space, .is_optional = true});
    }
    add(to, (struct spec_ref){.kind = SPEC_REF_SERVICES,
                              .name_space = S("default"),
                              .name = S("kubernetes"),
                              .is_optional = true});
}

/* The page after the newest one, unless it is known already that the services are too many. It
 * takes no place from what the pod cannot do without: where there is none left, the list ends. */
static void collect_next_page(struct collect *to)
{
    const struct spec_ref *newest = NULL;
    uint32_t pages = 0, services = 0;

    for (uint32_t i = 0; i < to->refs->count; i++) {
        const struct spec_ref *ref = &to->refs->items[i];

        if (ref->kind == SPEC_REF_SERVICES && str_is_empty(ref->name)) {
            newest = ref;
            pages++;
            services += json_count(json_get(ref->object, "items"));
        }
    }
    str next = newest == NULL ? STR_NONE : service_env_next(newest, to->arena);
    if (!str_is_empty(next) && pages < SPEC_SERVICES_PAGES_MAX &&
        services < SERVICE_ENV_MAX / SERVICE_ENV_EACH_MIN && to->refs->count < SPEC_REFS_MAX) {
        add(to, (struct spec_ref){.kind = SPEC_REF_SERVICES,
                                  .name_space = to->name_space,
                                  .is_optional = true,
                                  .page = next,
                                  .limit = newest->limit});
    }
}

static bool is_optional(json source)
{
    return json_bool_or(json_get(source, "optional"), false);
}

/* What `source` names under `key`: a ConfigMap or Secret of the pod's namespace. */
static void add_source(struct collect *to, enum spec_ref_kind kind, json source, const char *key)
{
    add_named(to, kind, to->name_space, json_get(source, key), is_optional(source));
}

static void collect_container(struct collect *to, json container)
{
    json env_from = json_get(container, "envFrom"), env = json_get(container, "env");

    for (json one = json_first(env_from); json_is_there(one); one = json_next(one)) {
        add_source(to, SPEC_REF_CONFIG_MAP, json_get(one, "configMapRef"), "name");
        add_source(to, SPEC_REF_SECRET, json_get(one, "secretRef"), "name");
    }
    for (json one = json_first(env); json_is_there(one); one = json_next(one)) {
        json from = json_get(one, "valueFrom");
        add_source(to, SPEC_REF_CONFIG_MAP, json_get(from, "configMapKeyRef"), "name");
        add_source(to, SPEC_REF_SECRET, json_get(from, "secretKeyRef"), "name");
    }
}

static void collect_volume(struct collect *to, json volume)
{
    json claim = json_get(volume, "persistentVolumeClaim");

    add_source(to, SPEC_REF_CONFIG_MAP, json_get(volume, "configMap"), "name");
    add_source(to, SPEC_REF_SECRET, json_get(volume, "secret"), "secretName");
    add_source(to, SPEC_REF_CLAIM, claim, "claimName");
    collect_projected(to, json_get(json_get(volume, "projected"), "sources"));
    collect_driver_secrets(to, volume, to->name_space);
}

static void collect_projected(struct collect *to, json sources)
{
    for (json one = json_first(sources); json_is_there(one); one = json_next(one)) {
        json token = json_get(one, "serviceAccountToken");

        add_source(to, SPEC_REF_CONFIG_MAP, json_get(one, "configMap"), "name");
        add_source(to, SPEC_REF_SECRET, json_get(one, "secret"), "name");
        if (json_is_there(token)) {
            add(to, (struct spec_ref){
                        .kind = SPEC_REF_TOKEN,
                        .name_space = to->name_space,
                        .name = to->account,
                        .audience = json_text(json_get(token, "audience"), to->arena),
                        .expiry_s =
                            json_i64_or(json_get(token, "expirationSeconds"), SPEC_TOKEN_EXPIRY_S),
                    });
        }
    }
}

/* Keys of storage drivers, in a pod's volume or in a PersistentVolume's spec. */
static void collect_driver_secrets(struct collect *to, json source, str name_space)
{
    static const struct {
        const char *driver;
        const char *secret;
    } secrets[] = {{"flexVolume", "secretRef"}, {"csi", "nodePublishSecretRef"}};

    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        json reference = json_get(json_get(source, secrets[i].driver), secrets[i].secret);
        str own = json_text(json_get(reference, "namespace"), to->arena);
        add_named(to, SPEC_REF_SECRET, str_is_empty(own) ? name_space : own,
                  json_get(reference, "name"), false);
    }
}

/* The volumes of the claims that were found, then the secrets of the volumes that were found. */
static void collect_behind_claims(struct collect *to)
{
    for (uint32_t i = 0; i < to->refs->count; i++) {
        const struct spec_ref *ref = &to->refs->items[i];
        json spec = json_get(ref->object, "spec");

        if (ref->state == SPEC_REF_FOUND && ref->kind == SPEC_REF_CLAIM) {
            add_named(to, SPEC_REF_VOLUME, STR_NONE, json_get(spec, "volumeName"), false);
        } else if (ref->state == SPEC_REF_FOUND && ref->kind == SPEC_REF_VOLUME) {
            collect_driver_secrets(to, spec, to->name_space);
        }
    }
}

static void add_named(struct collect *to, enum spec_ref_kind kind, str name_space, json name,
                      bool is_optional_use)
{
    str text = json_text(name, to->arena);

    if (!str_is_empty(text)) {
        add(to, (struct spec_ref){.kind = kind,
                                  .name_space = name_space,
                                  .name = text,
                                  .is_optional = is_optional_use});
    }
}

#define NOT_FOUND SPEC_REFS_MAX

static uint32_t find(const struct spec_refs *refs, const struct spec_ref *like)
{
    for (uint32_t i = 0; refs != NULL && i < refs->count; i++) {
        const struct spec_ref *one = &refs->items[i];
        if (one->kind == like->kind && str_eq(one->name, like->name) &&
            str_eq(one->name_space, like->name_space) && str_eq(one->audience, like->audience) &&
            one->expiry_s == like->expiry_s && str_eq(one->page, like->page)) {
            return i;
        }
    }
    return NOT_FOUND;
}

static void add(struct collect *to, struct spec_ref ref)
{
    uint32_t same = find(to->refs, &ref);

    if (same != NOT_FOUND) {
        to->refs->items[same].is_optional &= ref.is_optional;
        return;
    }
    if (to->refs->count == SPEC_REFS_MAX) {
        to->is_over = true;
        return;
    }
    to->refs->items[to->refs->count++] = ref;
}

const struct spec_ref *spec_refs_find(const struct spec_refs *refs, enum spec_ref_kind kind,
                                      str name_space, str name)
{
    for (uint32_t i = 0; refs != NULL && i < refs->count; i++) {
        const struct spec_ref *one = &refs->items[i];
        if (one->kind == kind && str_eq(one->name, name) && str_eq(one->name_space, name_space)) {
            return one;
        }
    }
    return NULL;
}

const struct spec_ref *spec_refs_find_token(const struct spec_refs *refs, str name_space, str name,
                                            str audience, int64_t expiry_s)
{
    const struct spec_ref like = {.kind = SPEC_REF_TOKEN,
                                  .name_space = name_space,
                                  .name = name,
                                  .audience = audience,
                                  .expiry_s = expiry_s};
    uint32_t at = find(refs, &like);

    return at == NOT_FOUND ? NULL : &refs->items[at];
}

void spec_ref_put_path(const struct spec_ref *ref, struct buf *out)
{
    static const char *const resources[] = {
        [SPEC_REF_CONFIG_MAP] = "configmaps",       [SPEC_REF_SECRET] = "secrets",
        [SPEC_REF_SERVICES] = "services",           [SPEC_REF_CLAIM] = "persistentvolumeclaims",
        [SPEC_REF_VOLUME] = "persistentvolumes",    [SPEC_REF_TOKEN] = "serviceaccounts",
    };

    buf_put_text(out, "/api/v1/");
    if (ref->kind != SPEC_REF_VOLUME) {
        buf_put_text(out, "namespaces/");
        codec_put_percent(out, ref->name_space);
        buf_put_char(out, '/');
    }
    buf_put_text(out, resources[ref->kind]);
    if (!str_is_empty(ref->name)) {
        buf_put_char(out, '/');
        codec_put_percent(out, ref->name);
    }
    if (ref->kind == SPEC_REF_TOKEN) {
        buf_put_text(out, "/token");
    } else if (ref->kind == SPEC_REF_SERVICES && str_is_empty(ref->name)) {
        buf_put_fmt(out, "?limit=%u", ref->limit > 0 ? ref->limit : SPEC_SERVICES_PAGE);
        if (!str_is_empty(ref->page)) {
            buf_put_text(out, "&continue=");
            codec_put_percent(out, ref->page);
        }
    }
}

void spec_ref_put_token_request(const struct spec_ref *ref, str pod_name, str pod_uid,
                                struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out);
    json_object(&w);
    json_member_text(&w, "apiVersion", S("authentication.k8s.io/v1"));
    json_member_text(&w, "kind", S("TokenRequest"));
    json_member_object(&w, "spec");
    json_member_array(&w, "audiences");
    if (!str_is_empty(ref->audience)) {
        json_put_text(&w, ref->audience);
    }
    json_end(&w);
    json_member_i64(&w, "expirationSeconds", ref->expiry_s);
    json_member_object(&w, "boundObjectRef");
    json_member_text(&w, "apiVersion", S("v1"));
    json_member_text(&w, "kind", S("Pod"));
    json_member_text(&w, "name", pod_name);
    json_member_text(&w, "uid", pod_uid);
    json_end(&w);
    json_end(&w);
    json_end(&w);
}
