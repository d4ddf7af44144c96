/* `ecilet uninstall`: what ecilet made in the cluster is taken away. The work is in uninstall.c. */
#include "app/cli.h"
#include "app/uninstall.h"
#include "os/os.h"

#define UNINSTALL_ARENA_BYTES (4 * 1024 * 1024) /* a node or 50 pods, and their JSON */
#define UNINSTALL_TIMERS 64

/* One run; everything variable is in the region. */
struct run {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct kube_auth auth;
    struct kube_calls calls;
    struct uninstall uninstall;
};

static struct run run;

/* Everything that is carved: run twice, first to add up. */
static enum err plan(bool is_real)
{
    static const struct kube_calls_config calls = {.conns_count = 1,
                                                   .small_count = 4,
                                                   .small_bytes = 16 * 1024,
                                                   .large_count = 4,
                                                   .large_bytes =
                                                       UNINSTALL_REPLY_BYTES + 16 * 1024};
    void *memory = region_carve(&run.region, "event arena", 1, UNINSTALL_ARENA_BYTES);
    arena_init(&run.arena, memory, is_real ? UNINSTALL_ARENA_BYTES : 0);
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
    return ERR_OK;
}

static enum err make_memory(void)
{
    region_init(&run.region, NULL, 0);
    enum err err = plan(false);
    size_t bytes = run.region.used + 4096; /* rounding of the first part */
    void *memory = err == ERR_OK ? os_map(bytes) : NULL;
    if (memory == NULL) {
        return err == ERR_OK ? ERR_SYSTEM : err;
    }
    region_init(&run.region, memory, bytes);
    return plan(true);
}

static enum err connect_to(const struct config *config, struct buf *err_out)
{
    const struct kube_auth_config auth = {.kubeconfig = config->kubeconfig,
                                          .context = config->kube_context,
                                          .service_host = config->kubernetes_service_host,
                                          .service_port = (uint16_t)config->kubernetes_service_port,
                                          .agent = S("ecilet/" ECILET_VERSION)};
    enum err err = make_memory();
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
    return tell(cli, &run.uninstall);
}
