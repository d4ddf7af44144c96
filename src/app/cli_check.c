/*
 * `ecilet check`: could `run` work here? Changes nothing; one line per check:
 *
 *     ok    configuration   /etc/ecilet/ecilet.conf
 *     FAIL  kubeconfig      /etc/ecilet/kubeconfig: cannot be read: Permission denied
 *
 * The table below is the place for further checks of what is on this machine; what others have to
 * be asked is in preflight.h.
 */
#include "app/cli.h"

#include <errno.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "app/connect.h"
#include "app/oneshot.h"
#include "app/preflight.h"
#include "base/codec.h"
#include "data/yaml_read.h"
#include "kube/kubeconfig.h"
#include "os/os.h"

/* What a check looks at; `detail` receives what is shown behind its name. */
struct inspection {
    struct cli *cli;
    const struct config *config;
    bool is_loaded; /* the configuration is valid; else fields hold defaults */
    struct buf detail;
};

static enum verdict check_configuration(struct inspection *inspection);
static enum verdict check_clock(struct inspection *inspection);
static enum verdict check_kubeconfig(struct inspection *inspection);
static enum verdict check_authorities(struct inspection *inspection);

static const struct check {
    const char *name;
    enum verdict (*look)(struct inspection *inspection);
} checks[] = {
    {"configuration", check_configuration},
    {"clock", check_clock},
    {"kubeconfig", check_kubeconfig},
    {"authorities", check_authorities},
};

/* What asking takes; untouched without it. */
static struct {
    struct oneshot both;
    struct preflight_cluster cluster;
    struct preflight_cloud cloud;
} asking;

static void flush(void *owner)
{
    struct cli *cli = owner;
    if (cli->flush != NULL) {
        cli->flush(cli);
    }
}

static void ask_cluster(const struct config *config, struct preflight *preflight, bool is_loaded)
{
    if (!is_loaded) {
        preflight_say(preflight, VERDICT_FAIL, "API server", "%s", asking.both.auth.why);
        return;
    }
    asking.cluster = (struct preflight_cluster){.preflight = preflight,
                                                .config = config,
                                                .calls = &asking.both.calls,
                                                .loop = &asking.both.loop,
                                                .arena = &asking.both.arena};
    preflight_cluster_start(&asking.cluster);
    oneshot_run(&asking.both, &asking.cluster.is_done);
}

static void ask_cloud(const struct config *config, struct preflight *preflight)
{
    char why_memory[512];
    struct buf why;
    buf_init(&why, why_memory, sizeof why_memory);
    if (oneshot_load_cloud(&asking.both, config, &why) != ERR_OK) {
        preflight_say(preflight, VERDICT_FAIL, "cloud", "%s", buf_cstr(&why));
        return;
    }
    asking.cloud = (struct preflight_cloud){.preflight = preflight,
                                            .config = config,
                                            .client = &asking.both.cloud,
                                            .loop = &asking.both.loop};
    asking.both.loop.now_ms = os_now_ms();
    preflight_cloud_start(&asking.cloud);
    oneshot_run(&asking.both, &asking.cloud.is_done);
}

/* False: something failed. */
static bool ask_others(struct cli *cli)
{
    struct preflight preflight = {.out = &cli->out, .flush = flush, .owner = cli};
    char address[64] = "";
    flush(cli);
    memset(&asking, 0, sizeof asking);
    enum err err = oneshot_init(&asking.both, cli->config);
    bool is_loaded = err == ERR_OK && oneshot_load_kube(&asking.both, cli->config) == ERR_OK;
    if (err == ERR_OK) {
        (void)connect_address(&asking.both.auth, cli->config, address); /* `run` lives without it */
    }
    preflight_ports(&preflight, cli->config, address);
    if (err == ERR_OK) {
        ask_cluster(cli->config, &preflight, is_loaded);
        ask_cloud(cli->config, &preflight);
        oneshot_stop(&asking.both);
    } else {
        preflight_say(&preflight, VERDICT_FAIL, "asking", "neither side can be asked: %s",
                      err_text(err));
    }
    return !preflight.has_failed;
}

enum cli_exit cli_check(struct cli *cli)
{
    char detail[1024];
    struct inspection inspection = {.cli = cli, .config = cli->config};
    struct preflight here = {.out = &cli->out};
    struct config_report report;
    inspection.is_loaded = cli_load_config(cli, &report);
    buf_grow(&cli->err, report.text.bytes);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        buf_init(&inspection.detail, detail, sizeof(detail));
        enum verdict verdict = checks[i].look(&inspection);
        preflight_say(&here, verdict, checks[i].name, "%s", buf_cstr(&inspection.detail));
    }
    if (!inspection.is_loaded) {
        return CLI_USAGE;
    }
    bool is_well = !here.has_failed;
    if (!cli->is_offline) {
        is_well = ask_others(cli) && is_well;
    }
    return is_well ? CLI_OK : CLI_FAILED;
}

static enum verdict check_configuration(struct inspection *inspection)
{
    str file = inspection->config->file;
    const char *asked_for = inspection->cli->source.file;
    if (str_is_empty(file)) { /* there is none, or it could not be read */
        file = asked_for != NULL ? str_of(asked_for) : S("no file, environment only");
    }
    buf_put(&inspection->detail, file);
    if (inspection->is_loaded) {
        return str_is_empty(buf_str(&inspection->cli->err)) ? VERDICT_OK : VERDICT_WARN;
    }
    buf_put_text(&inspection->detail, ": see below");
    return VERDICT_FAIL;
}

/* The cloud refuses signatures that are 15 minutes off (eci-api 1.3), certificates have dates. Here
 * only a clock that was never set can be seen. */
static enum verdict check_clock(struct inspection *inspection)
{
    const int64_t year_2024 = 1704067200;
    int64_t now = os_wall_s();
    codec_put_time(&inspection->detail, now);
    if (now < year_2024) {
        buf_put_text(&inspection->detail, ": the clock is not set");
        return VERDICT_FAIL;
    }
    return VERDICT_OK;
}

/* Reads a file to see that it can be read and holds `needle`; its text is forgotten again. */
static enum verdict look_at_file(struct inspection *inspection, str path, str needle)
{
    struct arena *scratch = inspection->cli->scratch;
    size_t mark = arena_mark(scratch);
    size_t bytes = 0;
    struct buf text;
    char *memory = arena_rest(scratch, &bytes);
    buf_init(&text, memory, bytes);
    buf_put(&inspection->detail, path);
    enum err err = os_file_read(path.ptr, &text);
    bool is_found = err == ERR_TOO_BIG || str_find(buf_str(&text), needle) >= 0;
    if (text.bytes > 0) {
        memset(text.ptr, 0, text.bytes);
    }
    arena_rewind(scratch, mark);
    if (err != ERR_OK && err != ERR_TOO_BIG) {
        buf_put_fmt(&inspection->detail, ": cannot be read: %s", os_errno_text());
        return VERDICT_FAIL;
    }
    if (!is_found) {
        buf_put_fmt(&inspection->detail, ": does not hold \"%.*s\"", STR_ARG(needle));
        return VERDICT_FAIL;
    }
    return VERDICT_OK;
}

static str directory_of(str path)
{
    size_t end = path.bytes;
    while (end > 0 && path.ptr[end - 1] != '/') {
        end--;
    }
    return str_sub(path, 0, end > 1 ? end - 1 : end);
}

/* Can the context be used, and the files that it names be read? *detail says what cannot. */
static enum err read_context(const struct config *config, str text, struct arena *arena,
                             struct buf *detail)
{
    struct yaml_fault fault = {0};
    struct kubeconfig found;
    struct buf out;
    json root = JSON_NONE;
    size_t room = 0;
    char *rest = arena_rest(arena, &room);
    buf_init(&out, rest, room);
    enum err err = yaml_to_json(text, 0, &out, NULL, &fault);
    if (err == ERR_OK) {
        arena_keep(arena, out.bytes);
        err = json_parse(buf_str(&out), arena, &root, NULL);
    }
    if (err == ERR_END) {
        buf_put_text(detail, "nothing is in it");
    } else if (err == ERR_BAD_INPUT) {
        buf_put_fmt(detail, "not YAML: line %u: %s", fault.line, fault.what);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = kubeconfig_read(root, config->kube_context, directory_of(config->kubeconfig), arena,
                          &found, detail);
    const str files[] = {found.ca_file, found.cert_file, found.key_file, found.token_file};
    for (size_t i = 0; err == ERR_OK && i < sizeof(files) / sizeof(files[0]); i++) {
        const char *path = arena_cstr(arena, files[i]);
        if (path != NULL && *path != '\0' && access(path, R_OK) != 0) {
            buf_put_fmt(detail, "%s, which it names, cannot be read: %s", path, strerror(errno));
            err = ERR_NOT_FOUND;
        }
    }
    return err;
}

static enum verdict look_into_kubeconfig(struct inspection *inspection)
{
    const struct config *config = inspection->config;
    struct arena *scratch = inspection->cli->scratch;
    size_t mark = arena_mark(scratch);
    struct buf text, why;
    char why_memory[512];
    buf_init(&why, why_memory, sizeof(why_memory));
    size_t room = 0;
    char *memory = arena_rest(scratch, &room);
    buf_init(&text, memory, room);
    enum err err = os_file_read(config->kubeconfig.ptr, &text);
    if (err == ERR_OK) {
        arena_keep(scratch, text.bytes);
        err = read_context(config, buf_str(&text), scratch, &why);
    }
    memset(memory, 0, room); /* keys and tokens */
    arena_rewind(scratch, mark);
    /* One that is too large for this look may still do for `run`. */
    bool is_well = err == ERR_OK || err == ERR_FULL || err == ERR_TOO_BIG || err == ERR_NO_MEMORY;
    if (!is_well) {
        buf_put_fmt(&inspection->detail, ": %s", buf_cstr(&why));
    }
    return is_well ? VERDICT_OK : VERDICT_FAIL;
}

static enum verdict check_kubeconfig(struct inspection *inspection)
{
    const struct config *config = inspection->config;
    if (str_is_empty(config->kubeconfig)) {
        bool is_inside = !str_is_empty(config->kubernetes_service_host);
        buf_put_text(&inspection->detail,
                     is_inside ? "none: the pod's service account is used" : "none given");
        return is_inside ? VERDICT_OK : VERDICT_SKIP;
    }
    enum verdict verdict = look_at_file(inspection, config->kubeconfig, STR_NONE);
    verdict = verdict == VERDICT_OK ? look_into_kubeconfig(inspection) : verdict;
    struct stat status;
    if (verdict == VERDICT_OK && stat(config->kubeconfig.ptr, &status) == 0 &&
        (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        buf_put_text(&inspection->detail, ": others may open it: chmod 600");
        return VERDICT_WARN;
    }
    return verdict;
}

static enum verdict check_authorities(struct inspection *inspection)
{
    const struct config *config = inspection->config;
    if (str_is_empty(config->eci_ca_file)) {
        buf_put_text(&inspection->detail, "none needed or given");
        return VERDICT_SKIP;
    }
    return look_at_file(inspection, config->eci_ca_file, S("-----BEGIN CERTIFICATE-----"));
}
