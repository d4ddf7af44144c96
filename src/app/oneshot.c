/* see oneshot.h */
#include "app/oneshot.h"

#include "os/os.h"

#define ARENA_BYTES (4 * 1024 * 1024) /* a node or 50 pods, and their JSON */
#define TIMERS 64
#define ANCHORS_BYTES (256 * 1024) /* as WIRE_ANCHORS_BYTES */

/* Everything that is carved: run twice, first to add up. */
static enum err plan(struct oneshot *oneshot, const struct config *config, bool is_real)
{
    const struct eci_call_config cloud = {.endpoint = config->eci_endpoint,
                                          .region_id = config->eci_region,
                                          .proxy = config->eci_proxy,
                                          .anchors = &oneshot->anchors,
                                          .arena = &oneshot->arena,
                                          .small_count = 2,
                                          .small_bytes = 64 * 1024,
                                          .page_count = 2,
                                          .page_bytes = 2 * 1024 * 1024,
                                          .kept_max = 1};
    static const struct kube_calls_config calls = {.conns_count = ONESHOT_CONNS,
                                                   .small_count = 2 * ONESHOT_CONNS,
                                                   .small_bytes = 16 * 1024,
                                                   .large_count = 4,
                                                   .large_bytes = ONESHOT_REPLY_BYTES + 16 * 1024};
    struct region *region = &oneshot->region;
    void *memory = region_carve(region, "event arena", 1, ARENA_BYTES);
    arena_init(&oneshot->arena, memory, is_real ? ARENA_BYTES : 0);
    memory = region_carve(region, "cloud CA anchors", 1, ANCHORS_BYTES);
    arena_init(&oneshot->anchors_memory, memory, is_real ? ANCHORS_BYTES : 0);
    if (is_real) {
        enum err err = loop_init(&oneshot->loop, region, TIMERS);
        if (err != ERR_OK) {
            return err;
        }
    } else {
        (void)region_carve(region, "loop timers", TIMERS, sizeof(void *));
    }
    kube_auth_init(&oneshot->auth, &oneshot->loop, region, &oneshot->arena, ONESHOT_CONNS);
    kube_calls_init(&oneshot->calls, &oneshot->loop, region, &oneshot->auth, &oneshot->arena,
                    &calls);
    return eci_client_init(&oneshot->cloud, &oneshot->loop, region, &cloud);
}

enum err oneshot_init(struct oneshot *oneshot, const struct config *config)
{
    region_init(&oneshot->region, NULL, 0);
    enum err err = plan(oneshot, config, false);
    size_t bytes = oneshot->region.used + 4096; /* rounding of the first part */
    void *memory = err == ERR_OK ? os_map(bytes) : NULL;
    if (memory == NULL) {
        return err == ERR_OK ? ERR_SYSTEM : err;
    }
    region_init(&oneshot->region, memory, bytes);
    return plan(oneshot, config, true);
}

enum err oneshot_load_kube(struct oneshot *oneshot, const struct config *config)
{
    const struct kube_auth_config auth = {.kubeconfig = config->kubeconfig,
                                          .context = config->kube_context,
                                          .service_host = config->kubernetes_service_host,
                                          .service_port = (uint16_t)config->kubernetes_service_port,
                                          .agent = S("ecilet/" ECILET_VERSION)};
    return kube_auth_load(&oneshot->auth, &auth);
}

static enum err load_anchors(struct oneshot *oneshot, const struct config *config, struct buf *why)
{
    struct buf pem;
    size_t mark = arena_mark(&oneshot->arena), room;
    if (str_is_empty(config->eci_ca_file)) {
        return ERR_OK;
    }
    char *memory = arena_rest(&oneshot->arena, &room);
    buf_init(&pem, memory, room);
    enum err err = os_file_read(config->eci_ca_file.ptr, &pem);
    if (err != ERR_OK) {
        buf_put_fmt(why, "ECI_CA_FILE %s: %s", config->eci_ca_file.ptr,
                    err == ERR_TOO_BIG ? err_text(err) : os_errno_text());
    } else {
        err = x509_anchors_load(&oneshot->anchors, buf_str(&pem), &oneshot->anchors_memory);
        if (err != ERR_OK) {
            buf_put_fmt(why, "ECI_CA_FILE %s: no usable certificate authority in it: %s",
                        config->eci_ca_file.ptr, err_text(err));
        }
    }
    arena_rewind(&oneshot->arena, mark);
    return err;
}

enum err oneshot_load_cloud(struct oneshot *oneshot, const struct config *config, struct buf *why)
{
    const struct config_secrets *secrets = config->secrets;
    enum err err = load_anchors(oneshot, config, why);
    if (err != ERR_OK) {
        return err;
    }
    err = eci_client_set_keys(&oneshot->cloud, config_secret_str(&secrets->eci_access_key),
                              config_secret_str(&secrets->eci_secret_key),
                              config_secret_str(&secrets->eci_security_token));
    if (err != ERR_OK) {
        buf_put_fmt(why, "the keys cannot be used: %s", err_text(err));
    }
    return err;
}

void oneshot_run(struct oneshot *oneshot, const bool *is_done)
{
    while (!*is_done && loop_turn(&oneshot->loop, INT64_MAX)) {
    }
}

void oneshot_stop(struct oneshot *oneshot)
{
    kube_calls_stop(&oneshot->calls);
    eci_client_stop(&oneshot->cloud);
}
