/* `ecilet uninstall`: what ecilet made in the cluster is taken away. The work is in uninstall.c. */
#include "app/cli.h"
#include "app/uninstall.h"
#include "app/uninstall_cloud.h"
#include "net/x509_verify.h"
#include "os/os.h"

#define UNINSTALL_ARENA_BYTES (4 * 1024 * 1024) /* a node or 50 pods, and their JSON */
#define UNINSTALL_TIMERS 64
#define UNINSTALL_ANCHORS_BYTES (256 * 1024) /* as WIRE_ANCHORS_BYTES */

/* One run; everything variable is in the region. */
struct run {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct kube_auth auth;
    struct kube_calls calls;
    struct uninstall uninstall;
    struct arena anchors_memory;
    struct x509_anchors anchors;
    struct eci_client cloud;
    struct uninstall_cloud count;
};

static struct run run;

/* Everything that is carved: run twice, first to add up. */
static enum err plan(const struct config *config, bool is_real)
{
    const struct eci_call_config cloud = {.endpoint = config->eci_endpoint,
                                          .region_id = config->eci_region,
                                          .proxy = config->eci_proxy,
                                          .anchors = &run.anchors,
                                          .arena = &run.arena,
                                          .small_count = 2,
                                          .small_bytes = 64 * 1024,
                                          .page_count = 2,
                                          .page_bytes = 2 * 1024 * 1024,
                                          .kept_max = 1};
    static const struct kube_calls_config calls = {.conns_count = 1,
                                                   .small_count = 4,
                                                   .small_bytes = 16 * 1024,
                                                   .large_count = 4,
                                                   .large_bytes =
                                                       UNINSTALL_REPLY_BYTES + 16 * 1024};
    void *memory = region_carve(&run.region, "event arena", 1, UNINSTALL_ARENA_BYTES);
    arena_init(&run.arena, memory, is_real ? UNINSTALL_ARENA_BYTES : 0);
    memory = region_carve(&run.region, "cloud CA anchors", 1, UNINSTALL_ANCHORS_BYTES);
    arena_init(&run.anchors_memory, memory, is_real ? UNINSTALL_ANCHORS_BYTES : 0);
    if (is_real) {
        enum err err = loop_init(&run.loop, &run.region, UNINSTALL_TIMERS);
        if (err != ERR_OK) {
            return err;
        }
    } else {
        (void)region_carve(&run.region, "loop timers", UNINSTALL_TIMERS, sizeof(void *));
    }
    kube_auth_init(&run.auth, &run.loop, &run.region, &run.arena, 2);
    kube_calls_init(&run.calls, &run.loop, &run.region, &run.auth, &run.arena, &calls);
    return eci_client_init(&run.cloud, &run.loop, &run.region, &cloud);
}

static enum err make_memory(const struct config *config)
{
    region_init(&run.region, NULL, 0);
    enum err err = plan(config, false);
    size_t bytes = run.region.used + 4096; /* rounding of the first part */
    void *memory = err == ERR_OK ? os_map(bytes) : NULL;
    if (memory == NULL) {
        return err == ERR_OK ? ERR_SYSTEM : err;
    }
    region_init(&run.region, memory, bytes);
    return plan(config, true);
}

static enum err connect_to(const struct config *config, struct buf *err_out)
{
    const struct kube_auth_config auth = {.kubeconfig = config->kubeconfig,
                                          .context = config->kube_context,
                                          .service_host = config->kubernetes_service_host,
                                          .service_port = (uint16_t)config->kubernetes_service_port,
                                          .agent = S("ecilet/" ECILET_VERSION)};
    enum err err = make_memory(config);
    if (err != ERR_OK) {
        buf_put_fmt(err_out, "ecilet uninstall: %s\n", err_text(err));
        return err;
    }
    err = kube_auth_load(&run.auth, &auth);
    if (err != ERR_OK) {
        buf_put_fmt(err_out, "ecilet uninstall: %s\n", run.auth.why);
    }
    return err;
}

/* Whom we believe on the cloud's side. */
static enum err load_anchors(const struct config *config)
{
    struct buf pem;
    size_t mark = arena_mark(&run.arena), room;
    if (str_is_empty(config->eci_ca_file)) {
        return ERR_OK;
    }
    char *memory = arena_rest(&run.arena, &room);
    buf_init(&pem, memory, room);
    enum err err = os_file_read(config->eci_ca_file.ptr, &pem);
    if (err == ERR_OK) {
        err = x509_anchors_load(&run.anchors, buf_str(&pem), &run.anchors_memory);
    }
    arena_rewind(&run.arena, mark);
    return err;
}

/* How many instances are there: only for people, so nothing depends on it. */
static void count_instances(struct cli *cli)
{
    const struct config *config = cli->config;
    const struct config_secrets *secrets = config->secrets;
    enum err err = load_anchors(config);
    if (err == ERR_OK) {
        err = eci_client_set_keys(&run.cloud, config_secret_str(&secrets->eci_access_key),
                                  config_secret_str(&secrets->eci_secret_key),
                                  config_secret_str(&secrets->eci_security_token));
    }
    if (err != ERR_OK) {
        buf_put_fmt(&cli->out, "not known     instances in the cloud: %s\n", err_text(err));
        return;
    }
    run.count = (struct uninstall_cloud){.client = &run.cloud,
                                         .arena = &run.arena,
                                         .cluster_id = config->aliyun_clusterid,
                                         .node_name = config->node_name,
                                         .out = &cli->out};
    uninstall_cloud_start(&run.count);
    while (!run.count.is_done && loop_turn(&run.loop, INT64_MAX)) {
    }
}

static enum cli_exit tell(struct cli *cli, const struct uninstall *done)
{
    if (done->is_in_use) {
        buf_put_fmt(&cli->err,
                    "ecilet uninstall: an ecilet runs and renews its lease (%s): stop it first, or "
                    "it makes everything again (--force does not look)\n",
                    done->holder[0] != '\0' ? done->holder : "nobody's name is in it");
        return CLI_FAILED;
    }
    buf_put_text(&cli->out, cli->is_sure ? "\n" : "\nNothing was removed; --yes does it.\n");
    buf_put_text(&cli->out, "Pods, the ConfigMap kube-system/eci-profile and instances in the "
                            "cloud stay as they are.\n");
    return done->left + done->failed == 0 ? CLI_OK : CLI_FAILED;
}

enum cli_exit cli_uninstall(struct cli *cli)
{
    struct config_report report;
    if (!cli_load_config(cli, &report)) {
        buf_grow(&cli->err, report.text.bytes);
        buf_put_text(&cli->err, "ecilet: the configuration cannot be used\n");
        return CLI_USAGE;
    }
    if (connect_to(cli->config, &cli->err) != ERR_OK) {
        return CLI_USAGE;
    }
    const struct uninstall_config config = {
        .loop = &run.loop,
        .calls = &run.calls,
        .arena = &run.arena,
        .node_name = cli->config->node_name,
        .leader_namespace = cli->config->leader_namespace,
        .is_real = cli->is_sure,
        .is_forced = cli->is_forced,
        .out = &cli->out,
    };
    uninstall_init(&run.uninstall, &config);
    uninstall_start(&run.uninstall);
    while (!run.uninstall.is_done && loop_turn(&run.loop, INT64_MAX)) {
    }
    kube_calls_stop(&run.calls);
    if (!run.uninstall.is_in_use) {
        count_instances(cli);
    }
    eci_client_stop(&run.cloud);
    return tell(cli, &run.uninstall);
}
