/* see cli.h */
#include "app/cli.h"

#include "app/run.h"
#include "base/check.h"
#include "os/crash.h"

static enum cli_exit run_command(struct cli *cli);
static enum cli_exit help_command(struct cli *cli);

/* ---- the tables ------------------------------------------------------------------------------ */

enum command_id {
    COMMAND_RUN,
    COMMAND_CHECK,
    COMMAND_STATUS,
    COMMAND_MANIFESTS,
    COMMAND_LINT,
    COMMAND_CONFIG_DOC,
    COMMAND_ANNOTATIONS,
    COMMAND_EXPLAIN,
    COMMAND_UNINSTALL,
    COMMAND_VERSION,
    COMMAND_HELP,
    COMMAND_COUNT
};

#define FOR(command) (1u << COMMAND_##command)
#define FOR_ALL ((1u << COMMAND_COUNT) - 1)

static const struct command {
    const char *name;
    const char *usage; /* what follows the name */
    const char *doc;   /* one line */
    const char *more;  /* further lines */
    uint32_t words_min, words_max;
    enum cli_exit (*run)(struct cli *cli);
} commands[COMMAND_COUNT] = {
    [COMMAND_RUN] = {.name = "run",
                     .usage = "[OPTIONS]",
                     .doc = "be the node, in the foreground (the default command)",
                     .more =
                         "Logs to standard error. SIGTERM stops it (instances keep running),\n"
                         "SIGHUP reads the credentials again, SIGUSR1 logs a report.\n"
                         "Other settings need a restart. Exit code 2: the configuration, the\n"
                         "kubeconfig or the node's name cannot be used; nothing gets better by\n"
                         "trying again.\n",
                     .run = run_command},
    [COMMAND_CHECK] =
        {.name = "check",
         .usage = "[OPTIONS]",
         .doc = "could `run` work here? asks both sides; changes nothing",
         .more = "Configuration, files, clock; the API server, whether it accepts the\n"
                 "credentials and allows what `ecilet manifests` lists, the node's name; the\n"
                 "cloud and its keys; the ports. At most 10 seconds for each side. What only\n"
                 "a create can tell (its permission, vSwitch, security group, stock) is not\n"
                 "tried. --offline looks at configuration, files and clock only.\n"
                 "Exit code 0: nothing was found that keeps `run` from working. 1: a check\n"
                 "failed. 2: the configuration cannot be used; nobody was asked then.\n",
         .run = cli_check},
    [COMMAND_STATUS] = {.name = "status",
                        .usage = "[OPTIONS]",
                        .doc = "ask the running ecilet what it is doing, and why pods wait",
                        .more =
                            "Asks over STATUS_SOCKET, on the same machine and as the same user.\n"
                            "Exit code 1: nobody answers there.\n",
                        .run = cli_status},
    [COMMAND_MANIFESTS] = {.name = "manifests",
                           .usage = "[OPTIONS]",
                           .doc = "print the permissions ecilet needs, for kubectl apply -f -",
                           .more = "Reads no configuration: a node with another name than\n"
                                   "virtual-kubelet needs --nodename here, too.\n"
                                   "The webhook of an ecilet in the cluster is reached through\n"
                                   "the Service vk-webhook (--service); a gateway outside\n"
                                   "registers its own address and needs none.\n",
                           .run = cli_manifests},
    [COMMAND_LINT] = {.name = "lint",
                      .usage = "-f FILE",
                      .doc = "look at an eci-profile before it is applied",
                      .more =
                          "FILE has the ConfigMap eci-profile, as for kubectl apply -f. Prints\n"
                          "what it amounts to, and what in it can never count. Exit code 1:\n"
                          "the node would refuse it and keep the one it has.\n",
                      .run = cli_lint},
    [COMMAND_CONFIG_DOC] = {.name = "config-doc",
                            .usage = "example|table|env",
                            .doc = "print the reference of the configuration",
                            .more = "example   the commented configuration file\n"
                                    "table     a Markdown table\n"
                                    "env       the env list of a container in a Deployment\n",
                            .words_min = 1,
                            .words_max = 1,
                            .run = cli_config_doc},
    [COMMAND_ANNOTATIONS] = {.name = "annotations",
                             .usage = "[text|markdown]",
                             .doc = "print the annotations of pods and what they do",
                             .more = "Every annotation with its values, its default and the\n"
                                     "parameter of the cloud that it becomes.\n",
                             .words_max = 1,
                             .run = cli_annotations},
    [COMMAND_EXPLAIN] =
        {.name = "explain",
         .usage = "-f FILE [OPTIONS]",
         .doc = "print what would be asked of the cloud for the pods of a manifest",
         .more = "Offline. FILE is YAML or JSON, of any number of documents: pods, workloads\n"
                 "with a pod template, lists of them; - reads standard input. For each pod the\n"
                 "size that is billed, warnings and refusals with their lines, the parameters of\n"
                 "the request, values of Secrets masked. What the configuration or only a cluster\n"
                 "knows stands as <NAME>.\n"
                 "ConfigMaps, Secrets, Services, ServiceAccounts, claims and volumes in the same\n"
                 "files are what the pods refer to; a pod that refers to another has to wait.\n"
                 "Exit code 0: all pods can run. 1: not all, or there is none, or a file cannot\n"
                 "be read. 2: wrong usage or configuration.\n",
         .run = cli_explain},
    [COMMAND_UNINSTALL] =
        {.name = "uninstall",
         .usage = "[OPTIONS]",
         .doc = "take away what ecilet made in the cluster",
         .more = "The webhook's registration and its Secret, the node if it has no pods, the\n"
                 "leases. Says what it would do; does it with --yes. Nothing is done while an\n"
                 "ecilet renews one of the leases, which takes 12 seconds to see. Pods, the\n"
                 "ConfigMap eci-profile and instances in the cloud are never touched; how\n"
                 "many instances there are is said.\n"
                 "Exit code 1: something is left, or could not be removed.\n",
         .run = cli_uninstall},
    [COMMAND_VERSION] = {.name = "version",
                         .usage = "",
                         .doc = "print the version and what it was built from",
                         .run = cli_version},
    [COMMAND_HELP] = {.name = "help",
                      .usage = "[COMMAND]",
                      .doc = "print this, or all about one command",
                      .words_max = 1,
                      .run = help_command},
};

enum option_kind {
    OPTION_KEY,   /* sets a configuration key */
    OPTION_FILE,  /* --config */
    OPTION_INPUT, /* -f */
    OPTION_PROFILE,
    OPTION_NAMESPACE,
    OPTION_PROVIDER, /* must be alibabacloud */
    OPTION_BUDGET,
    OPTION_YES,
    OPTION_FORCE,
    OPTION_OFFLINE,
    OPTION_SERVICE,
    OPTION_OUTPUT, /* -o */
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option {
    const char *name;
    const char *value; /* what stands for its value in help; NULL: takes none */
    enum option_kind kind;
    const char *key; /* OPTION_KEY */
    uint32_t commands;
    const char *doc;
} options[] = {
    {.name = "--config",
     .value = "FILE",
     .kind = OPTION_FILE,
     .commands = FOR(RUN) | FOR(CHECK) | FOR(STATUS) | FOR(EXPLAIN) | FOR(UNINSTALL),
     .doc = "configuration file (default " CONFIG_FILE_DEFAULT ", if it exists)"},
    {.name = "--nodename",
     .value = "NAME",
     .kind = OPTION_KEY,
     .key = "NODE_NAME",
     .commands =
         FOR(RUN) | FOR(CHECK) | FOR(STATUS) | FOR(MANIFESTS) | FOR(EXPLAIN) | FOR(UNINSTALL),
     .doc = "name of the virtual node (NODE_NAME)"},
    {.name = "--provider",
     .value = "alibabacloud",
     .kind = OPTION_PROVIDER,
     .commands = FOR(RUN) | FOR(CHECK),
     .doc = "accepted, because virtual nodes are started so; no other value is"},
    {.name = "--kubeconfig",
     .value = "FILE",
     .kind = OPTION_KEY,
     .key = "KUBECONFIG",
     .commands = FOR(RUN) | FOR(CHECK) | FOR(UNINSTALL),
     .doc = "kubeconfig of the cluster (KUBECONFIG)"},
    {.name = "--log-level",
     .value = "LEVEL",
     .kind = OPTION_KEY,
     .key = "LOG_LEVEL",
     .commands = FOR(RUN) | FOR(CHECK),
     .doc = "error, warn, info or debug (LOG_LEVEL)"},
    {.name = "--print-budget",
     .kind = OPTION_BUDGET,
     .commands = FOR(RUN),
     .doc = "print the memory this configuration takes, and stop"},
    {.name = "--yes",
     .kind = OPTION_YES,
     .commands = FOR(UNINSTALL),
     .doc = "do it; without it nothing is removed"},
    {.name = "--force",
     .kind = OPTION_FORCE,
     .commands = FOR(UNINSTALL),
     .doc = "also while an ecilet runs: it may make everything again"},
    {.name = "--service",
     .kind = OPTION_SERVICE,
     .commands = FOR(MANIFESTS),
     .doc = "also the Service vk-webhook: for an ecilet in the cluster"},
    {.name = "--offline",
     .kind = OPTION_OFFLINE,
     .commands = FOR(CHECK),
     .doc = "call neither the cluster nor the cloud, try no port"},
    {.name = "-f",
     .value = "FILE",
     .kind = OPTION_INPUT,
     .commands = FOR(LINT) | FOR(EXPLAIN),
     .doc = "what to look at; explain: - is standard input, and -f may be repeated"},
    {.name = "--profile",
     .value = "FILE",
     .kind = OPTION_PROFILE,
     .commands = FOR(EXPLAIN),
     .doc = "the ConfigMap eci-profile that the cluster has"},
    {.name = "--namespace",
     .value = "FILE",
     .kind = OPTION_NAMESPACE,
     .commands = FOR(EXPLAIN),
     .doc = "the Namespace of what does not say its own, with its labels"},
    {.name = "-o",
     .value = "text|json",
     .kind = OPTION_OUTPUT,
     .commands = FOR(EXPLAIN),
     .doc = "how to print (default text)"},
    {.name = "--help", .kind = OPTION_HELP, .commands = FOR_ALL, .doc = "print help and stop"},
    {.name = "--version", .kind = OPTION_VERSION, .commands = FOR_ALL, .doc = "as `version`"},
};

#define OPTIONS_COUNT (sizeof(options) / sizeof(options[0]))

static const struct command *find_command(const char *name)
{
    for (uint32_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static const struct option *find_option(str name)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        if (str_eq(name, str_of(options[i].name))) {
            return &options[i];
        }
    }
    if (str_eq(name, S("-f"))) {
        return find_option(S("--file"));
    }
    return str_eq(name, S("-h")) ? find_option(S("--help")) : NULL;
}

/* ---- one run of the program ------------------------------------------------------------------ */

struct parse {
    const struct command *command;
    uint32_t used; /* bit per row of options */
};

static bool parse_arguments(struct cli *cli, int argc, char *const *argv, struct parse *parse);
static bool is_allowed(struct cli *cli, const struct parse *parse);

enum cli_exit cli_run(struct cli *cli, int argc, char *const *argv)
{
    struct parse parse = {.command = NULL};
    if (!parse_arguments(cli, argc, argv, &parse)) {
        buf_put_text(&cli->err, "Try: ecilet help\n");
        return CLI_USAGE;
    }
    if (cli->wants_version) {
        return cli_version(cli);
    }
    if (cli->wants_help) {
        cli->words[0] = parse.command != NULL ? parse.command->name : NULL;
        cli->words_count = parse.command != NULL;
        return help_command(cli);
    }
    if (parse.command == NULL) {
        parse.command = &commands[COMMAND_RUN];
    }
    if (!is_allowed(cli, &parse)) {
        buf_put_fmt(&cli->err, "Try: ecilet help %s\n", parse.command->name);
        return CLI_USAGE;
    }
    return parse.command->run(cli);
}

static bool is_allowed(struct cli *cli, const struct parse *parse)
{
    const struct command *command = parse->command;
    uint32_t bit = 1u << (command - commands);
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        if ((parse->used & (1u << i)) != 0 && (options[i].commands & bit) == 0) {
            buf_put_fmt(&cli->err, "ecilet %s: it does not take %s\n", command->name,
                        options[i].name);
            return false;
        }
    }
    if (cli->words_count < command->words_min || cli->words_count > command->words_max) {
        buf_put_fmt(&cli->err, "ecilet %s: %s\n", command->name,
                    cli->words_count < command->words_min ? "an argument is missing"
                                                          : "too many arguments");
        return false;
    }
    return true;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static bool set_key(struct cli *cli, const struct option *option, const char *value)
{
    struct config_source *source = &cli->source;
    struct config_arg arg = {option->key, option->name, value};
    uint32_t at = 0;
    while (at < source->args_count && strcmp(source->args[at].key, option->key) != 0) {
        at++;
    }
    CHECK(at < CONFIG_ARGS_MAX); /* fewer options set keys */
    source->args[at] = arg;
    source->args_count += at == source->args_count;
    return true;
}

static bool add_input(struct cli *cli, const char *file)
{
    if (cli->input_files_count == CLI_FILES_MAX) {
        buf_put_fmt(&cli->err, "ecilet: -f: more than %d files\n", CLI_FILES_MAX);
        return false;
    }
    cli->input_files[cli->input_files_count++] = file;
    cli->input_file = cli->input_files[0];
    return true;
}

static bool apply_option(struct cli *cli, const struct option *option, const char *value)
{
    switch (option->kind) {
    case OPTION_KEY:
        return set_key(cli, option, value);
    case OPTION_FILE:
        cli->source.file = value;
        return true;
    case OPTION_INPUT:
        return add_input(cli, value);
    case OPTION_PROFILE:
        cli->profile_file = value;
        return true;
    case OPTION_NAMESPACE:
        cli->namespace_file = value;
        return true;
    case OPTION_OUTPUT:
        cli->output_form = value;
        return true;
    case OPTION_BUDGET:
        cli->print_budget = true;
        return true;
    case OPTION_YES:
        cli->is_sure = true;
        return true;
    case OPTION_FORCE:
        cli->is_forced = true;
        return true;
    case OPTION_OFFLINE:
        cli->is_offline = true;
        return true;
    case OPTION_SERVICE:
        cli->wants_service = true;
        return true;
    case OPTION_HELP:
        cli->wants_help = true;
        return true;
    case OPTION_VERSION:
        cli->wants_version = true;
        return true;
    case OPTION_PROVIDER:
        if (strcmp(value, "alibabacloud") != 0) {
            buf_put_fmt(&cli->err, "ecilet: --provider %s: only alibabacloud is known\n", value);
            return false;
        }
        return true;
    }
    return false;
}

/* One option with its value, which may be the next argument. False: reported. */
static bool parse_option(struct cli *cli, struct parse *parse, char *const *argv, int *at)
{
    str name = str_of(argv[*at]);
    const char *value = NULL;
    ptrdiff_t equals = str_find_char(name, '=');
    if (equals >= 0) {
        value = argv[*at] + equals + 1;
        name = str_sub(name, 0, (size_t)equals);
    }
    const struct option *option = find_option(name);
    if (option == NULL) {
        buf_put_fmt(&cli->err, "ecilet: unknown option %.*s\n", STR_ARG(name));
        return false;
    }
    if (option->value == NULL && value != NULL) {
        buf_put_fmt(&cli->err, "ecilet: %s takes no value\n", option->name);
        return false;
    }
    if (option->value != NULL && value == NULL) {
        value = argv[*at + 1]; /* NULL at the end */
        *at += value != NULL;
    }
    if (option->value != NULL &&
        (value == NULL || *value == '\0' || strncmp(value, "--", 2) == 0)) {
        buf_put_fmt(&cli->err, "ecilet: %s needs a value: %s\n", option->name, option->value);
        return false;
    }
    parse->used |= 1u << (option - options);
    return apply_option(cli, option, value);
}

static bool parse_command(struct cli *cli, struct parse *parse, const char *word)
{
    parse->command = find_command(word);
    if (parse->command != NULL) {
        return true;
    }
    buf_put_fmt(&cli->err, "ecilet: unknown command %s", word);
    for (uint32_t i = 0; i < COMMAND_COUNT; i++) {
        if (str_distance(str_of(word), str_of(commands[i].name), 2) <= 2) {
            buf_put_fmt(&cli->err, "; did you mean %s?", commands[i].name);
            break;
        }
    }
    buf_put_char(&cli->err, '\n');
    return false;
}

static bool parse_arguments(struct cli *cli, int argc, char *const *argv, struct parse *parse)
{
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] == '-') {
            if (!parse_option(cli, parse, argv, &at)) {
                return false;
            }
        } else if (parse->command == NULL) {
            if (!parse_command(cli, parse, argv[at])) {
                return false;
            }
        } else if (cli->words_count == CLI_WORDS_MAX) {
            buf_put_text(&cli->err, "ecilet: too many arguments\n");
            return false;
        } else {
            cli->words[cli->words_count++] = argv[at];
        }
    }
    return true;
}

/* ---- help ------------------------------------------------------------------------------------ */

static void put_options(struct buf *out, uint32_t mask)
{
    char left[64];
    buf_put_text(out, "\nOptions:\n");
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        if ((options[i].commands & mask) != 0) {
            struct buf name;
            buf_init(&name, left, sizeof(left));
            buf_put_fmt(&name, "%s%s%s", options[i].name, options[i].value != NULL ? " " : "",
                        options[i].value != NULL ? options[i].value : "");
            buf_put_fmt(out, "  %-24s %s\n", buf_cstr(&name), options[i].doc);
        }
    }
}

static void put_help(struct buf *out)
{
    buf_put_text(out, "ecilet - a virtual Kubernetes node whose pods run as Alibaba Cloud ECI "
                      "instances\n\nUsage: ecilet [COMMAND] [OPTIONS]\n\nCommands:\n");
    for (uint32_t i = 0; i < COMMAND_COUNT; i++) {
        buf_put_fmt(out, "  %-12s %s\n", commands[i].name, commands[i].doc);
    }
    put_options(out, FOR(RUN));
    buf_put_text(out, "\nConfiguration: " CONFIG_FILE_DEFAULT " or environment variables; `ecilet "
                      "config-doc example` explains every key.\n"
                      "Exit codes: 0 well, 1 failed, 2 wrong usage or configuration.\n");
}

static enum cli_exit help_command(struct cli *cli)
{
    if (cli->words_count == 0) {
        put_help(&cli->out);
        return CLI_OK;
    }
    struct parse parse;
    if (!parse_command(cli, &parse, cli->words[0])) {
        return CLI_USAGE;
    }
    const struct command *command = parse.command;
    buf_put_fmt(&cli->out, "ecilet %s - %s\n\nUsage: ecilet %s%s%s\n", command->name, command->doc,
                command->name, *command->usage != '\0' ? " " : "", command->usage);
    if (command->more != NULL) {
        buf_put_fmt(&cli->out, "\n%s", command->more);
    }
    put_options(&cli->out, 1u << (command - commands));
    return CLI_OK;
}

/* ---- run ------------------------------------------------------------------------------------- */

bool cli_load_config(struct cli *cli, struct config_report *report)
{
    size_t bytes = 0;
    char *tail = buf_tail(&cli->err, &bytes);
    config_report_init(report, tail, bytes);
    if (cli->source.file_default == NULL) {
        cli->source.file_default = CONFIG_FILE_DEFAULT;
    }
    cli->source.environment = cli->environment;
    enum err err = config_load(cli->config, cli->secrets, &cli->source, cli->scratch, report);
    cli->config->print_budget = cli->print_budget;
    return err == ERR_OK;
}

/* A configuration that cannot be used is told to whoever typed the command; remarks about one that
 * can be used belong into the log. */
static enum cli_exit run_command(struct cli *cli)
{
    struct config_report report;
    if (!cli_load_config(cli, &report)) {
        buf_grow(&cli->err, report.text.bytes);
        buf_put_text(&cli->err, "ecilet: the configuration cannot be used\n");
        if (cli->flush != NULL) {
            cli->flush(cli);
        }
        return crash_try_later(CRASH_PAUSE_MAX_S) ? CLI_OK : CLI_USAGE;
    }
    log_set_level(cli->config->log_level);
    config_report_log(&report);
    return (enum cli_exit)run_main(cli->config);
}
