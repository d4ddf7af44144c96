/*
 * ecisim: a small Alibaba Cloud ECI, for rehearsals and tests.
 *
 * It serves the OpenAPI of ECI (product Eci, version 2018-08-08) on a local port, as far as a
 * virtual node needs it. It shares no source with ecilet: two readings of one specification
 * find each other's mistakes.
 *
 *   main.c                     this manual; start and stop
 *   settings.def               every option
 *   http, http_parse, tls      bytes to requests
 *   gateway, sign, reply       signatures, time, nonces, throttling, errors
 *   actions, actions.def       which actions and parameters exist (made by actions.awk)
 *   act_*.c                    the actions
 *   check, sizing, stock       what is allowed, which size, which zone and address
 *   group, ledger, token       the store
 *   life, life_container       the state machines
 *   runtime_state              containers that are timers
 *   box*, probe, job           containers that are real, with runc
 *   session, ws                exec over a WebSocket
 *   fault, control, stats      the control path
 *   text, tree, index, loop    ground
 *   selftest                   ecisim --self-test
 *
 * The manual of the control path is the text below, which --help prints too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actions.h"
#include "box.h"
#include "control.h"
#include "gateway.h"
#include "runtime.h"
#include "selftest.h"
#include "session.h"
#include "settings.h"
#include "sim.h"
#include "stock.h"

static const char control_manual[] =
    "Control path (no signature; JSON answers; parameters as query or as a JSON object):\n"
    "  GET    /_sim/health\n"
    "  GET    /_sim/stats[?tag=KEY]     calls and errors per action, error codes, groups ever\n"
    "                                   created, statuses, unknown_parameters (sent by clients,\n"
    "                                   not in the action table), unknown_reply_keys (our own\n"
    "                                   mistakes, with --check-replies); with tag: per value of\n"
    "                                   that tag, groups ever made and alive at once at most\n"
    "  GET    /_sim/groups              all groups ever, with times, token and tags; filters:\n"
    "                                   exists=true|false, id, name, tag_key [and tag_value]\n"
    "  GET    /_sim/group/ID            the parameters it was created with, flat, by name\n"
    "  GET    /_sim/settings            POST /_sim/set  name=value ...\n"
    "  GET    /_sim/fault               the rules, with how often each has fired\n"
    "  POST   /_sim/fault               a new rule; answers its id. Members:\n"
    "           action        NAME, NAME|NAME or * (default)\n"
    "           probability   0 to 1 (default 1)\n"
    "           skip, count   let so many calls pass first; fire so often (default for ever)\n"
    "           latency_ms    answer late\n"
    "           cut_before    reset the connection, nothing was done\n"
    "           cut_after     do it, then reset the connection without an answer\n"
    "           hang          never answer, nothing was done (with after: it was done)\n"
    "           status, code, message   an error answer, nothing was done (with after: it was)\n"
    "           empty_list    lists come back empty\n"
    "           omit_rows     probability that a row of a list is left out (true: all)\n"
    "           malformed_json, truncated_json\n"
    "         the words can also be given as kind=cut_before and so on\n"
    "  DELETE /_sim/fault[?id=N]        drop one rule or all\n"
    "  POST   /_sim/unreachable         [seconds=N] [how=refuse|hang]; only on --control-listen.\n"
    "                                   refuse: connections are reset and refused; hang: nothing\n"
    "                                   is accepted or read. seconds=0, DELETE: lifted\n"
    "  POST   /_sim/group/ID/kill       [container=NAME] [exit_code=137] [reason=OOMKilled]\n"
    "  POST   /_sim/group/ID/expire     the spot instance is reclaimed\n"
    "  POST   /_sim/group/ID/fail       [reason=SYSTEM_FAILURE]\n"
    "  POST   /_sim/group/ID/event      reason=R [message=M] [type=Warning] [component=C]\n"
    "  POST   /_sim/group/ID/vanish     gone, without a trace in the API\n"
    "  POST   /_sim/cache               id=imc-...: an image cache of this name, Ready\n"
    "  POST   /_sim/reset               forget all groups, counts, faults, tokens, nonces;\n"
    "                                   [settings=true]: and have the start's settings again\n"
    "\n"
    "State mode: ECISIM_RUN_MS, ECISIM_EXIT_CODE, ECISIM_READY_MS and ECISIM_LOG in the\n"
    "environment of a container, or words in its image tag (demo:run-500-exit-3, demo:nopull,\n"
    "demo:notready, demo:ready-200), say how it behaves.\n"
    "\n"
    "Container mode: an image name (its last part, with or without the tag) is a folder below\n"
    "--images, with NAME.json beside it for Entrypoint, Cmd and WorkingDir; any other image is\n"
    "busybox, which without a command is a web server on the declared ports, or on 80. Volumes\n"
    "of the cloud are empty folders. Probes, hooks, limits, exec and metrics are real. With\n"
    "SIGTERM everything is removed; what a killed run left is removed by the next start with\n"
    "the same --state-dir and --bridge, or by --clean.\n";

struct dice sim_dice;
const struct runtime *runtime = &runtime_state;

static struct listener api;
static struct listener control;

static void print_help(void)
{
    printf("usage: ecisim [options]\n"
           "       ecisim --self-test\n"
           "       ecisim --clean --state-dir DIR [--bridge NAME]   remove what a killed run left\n"
           "\nOptions:\n");
    settings_help();
    printf("\n%s", control_manual);
}

/* Returns the name of a mode ("help", "self-test", "clean"), or "" to serve, or NULL: wrong. */
static const char *read_options(int argc, char **argv)
{
    const char *mode = "";
    for (int at = 1; at < argc; at++) {
        const char *name = argv[at];
        const char *value = at + 1 < argc ? argv[at + 1] : NULL;
        if (text_is_any(name, "--help|-h|--self-test|--clean")) {
            mode = name[1] == 'h' ? "help" : name + 2;
            continue;
        }
        if (!text_starts(name, "--")) {
            fprintf(stderr, "ecisim: %s: not an option\n", name);
            return NULL;
        }
        bool is_flag = settings_is_bool(name + 2);
        const char *problem = settings_put(name + 2, is_flag ? "true" : value, false);
        if (problem != NULL) {
            fprintf(stderr, "ecisim: %s: %s\n", name, problem);
            return NULL;
        }
        at += is_flag ? 0 : 1;
    }
    return mode;
}

static bool write_port(const char *path, int port)
{
    if (path[0] == '\0') {
        return true;
    }
    /* Written aside and renamed, so that a reader never sees half a number. */
    struct buf aside = {0};
    buf_fmt(&aside, "%s.new", path);
    FILE *file = fopen(aside.data, "we");
    bool is_good = file != NULL && fprintf(file, "%d\n", port) > 0;
    is_good = file != NULL && fclose(file) == 0 && is_good && rename(aside.data, path) == 0;
    buf_free(&aside);
    if (!is_good) {
        perror(path);
    }
    return is_good;
}

static void on_api_request(struct exchange *exchange)
{
    if (text_starts(exchange->path, "/_sim")) {
        control_handle(exchange);
    } else if (!session_handle(exchange)) {
        gateway_handle(exchange);
    }
}

static bool listen_on(struct listener *listener, const char *address,
                      void (*handle)(struct exchange *))
{
    const char *problem = http_listen(listener, address, handle);
    if (problem != NULL) {
        fprintf(stderr, "ecisim: %s: %s\n", address, problem);
    }
    return problem == NULL;
}

static bool start_tls(void)
{
    const char *problem = NULL;
    if (settings.tls_cert[0] != '\0') {
        api.tls = tls_server_new(settings.tls_cert, settings.tls_key, &problem);
        if (api.tls == NULL) {
            fprintf(stderr, "ecisim: %s\n", problem);
            return false;
        }
    }
    return true;
}

static bool start_listening(void)
{
    if (!start_tls() || !listen_on(&api, settings.listen, on_api_request)) {
        return false;
    }
    if (settings.control_listen[0] != '\0' &&
        !listen_on(&control, settings.control_listen, control_handle)) {
        return false;
    }
    control_start(&api);
    printf("ecisim: %s mode, region %s, %s://%s\n", settings.mode, settings.region,
           api.tls == NULL ? "http" : "https", api.address);
    if (control.address != NULL) {
        printf("ecisim: control http://%s\n", control.address);
    }
    fflush(stdout);
    return write_port(settings.port_file, api.port) &&
           write_port(settings.control_port_file, control.port);
}

static bool start_runtime(void)
{
    const char *problem = stock_start();
    if (problem == NULL && text_is(settings.mode, "container")) {
        runtime = &runtime_box;
        problem = box_start();
    } else if (problem == NULL && !text_is(settings.mode, "state")) {
        problem = "--mode: neither state nor container";
    }
    if (problem != NULL) {
        fprintf(stderr, "ecisim: %s\n", problem);
    }
    return problem == NULL;
}

static int serve(void)
{
    int result = 1;
    loop_start();
    dice_seed(&sim_dice, (uint64_t)settings.seed);
    actions_start();
    api.watch.fd = control.watch.fd = -1;
    if (start_runtime() && start_listening()) {
        loop_run();
        result = 0;
    }
    control_reset();
    if (runtime == &runtime_box) {
        box_stop();
    }
    http_close(&api);
    http_close(&control);
    stock_free();
    actions_free();
    loop_close();
    return result;
}

int main(int argc, char **argv)
{
    settings_start();
    const char *mode = read_options(argc, argv);
    int result = 2;
    settings_keep();
    if (text_is(mode, "help")) {
        print_help();
        result = 0;
    } else if (text_is(mode, "self-test")) {
        result = selftest_run();
    } else if (text_is(mode, "clean")) {
        result = box_clean();
    } else if (mode != NULL) {
        result = serve();
    }
    settings_free();
    return result;
}
