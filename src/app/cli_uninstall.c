/* `ecilet uninstall`: what ecilet made in the cluster is taken away. The work is in uninstall.c. */
#include "app/cli.h"

#include <assert.h>

#include "app/oneshot.h"
#include "app/uninstall.h"
#include "app/uninstall_cloud.h"

static_assert(UNINSTALL_REPLY_BYTES <= ONESHOT_REPLY_BYTES, "the replies wanted have room");

/* One run; everything variable is in the region. */
struct run {
    struct oneshot both;
    struct uninstall uninstall;
    struct uninstall_cloud count;
};

static struct run run;

static enum err connect_to(const struct config *config, struct buf *err_out)
{
    enum err err = oneshot_init(&run.both, config);
    if (err != ERR_OK) {
        buf_put_fmt(err_out, "ecilet uninstall: %s\n", err_text(err));
        return err;
    }
    err = oneshot_load_kube(&run.both, config);
    if (err != ERR_OK) {
        buf_put_fmt(err_out, "ecilet uninstall: %s\n", run.both.auth.why);
    }
    return err;
}

/* How many instances are there: only for people, so nothing depends on it. */
static void count_instances(struct cli *cli)
{
    const struct config *config = cli->config;
    char why_memory[512];
    struct buf why;
    buf_init(&why, why_memory, sizeof why_memory);
    if (oneshot_load_cloud(&run.both, config, &why) != ERR_OK) {
        buf_put_fmt(&cli->out, "not known     instances in the cloud: %s\n", buf_cstr(&why));
        return;
    }
    run.count = (struct uninstall_cloud){.client = &run.both.cloud,
                                         .arena = &run.both.arena,
                                         .cluster_id = config->aliyun_clusterid,
                                         .node_name = config->node_name,
                                         .out = &cli->out};
    uninstall_cloud_start(&run.count);
    oneshot_run(&run.both, &run.count.is_done);
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
        .loop = &run.both.loop,
        .calls = &run.both.calls,
        .arena = &run.both.arena,
        .node_name = cli->config->node_name,
        .leader_namespace = cli->config->leader_namespace,
        .is_real = cli->is_sure,
        .is_forced = cli->is_forced,
        .out = &cli->out,
    };
    uninstall_init(&run.uninstall, &config);
    uninstall_start(&run.uninstall);
    oneshot_run(&run.both, &run.uninstall.is_done);
    if (!run.uninstall.is_in_use) {
        count_instances(cli);
    }
    oneshot_stop(&run.both);
    return tell(cli, &run.uninstall);
}
