/*
 * config/ecilet.init, run for real with a fake daemon: each story under dash and busybox's sh, and
 * with dpkg's, busybox's or no start-stop-daemon. What a machine lacks is skipped.
 */
#include "unit/config_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define SCRIPT "config/ecilet.init"

/* The fake notes its arguments and signals in its log. */
static const char fake_daemon[] = "#!/bin/sh\n"
                                  "trap 'echo got TERM; exit 0' TERM\n"
                                  "trap 'echo got HUP' HUP\n"
                                  "echo arguments: \"$@\"\n"
                                  "while :; do sleep 0.05; done\n";
static const char broken_daemon[] = "#!/bin/sh\necho error: it is all wrong\nexit 2\n";
static const char stubborn_daemon[] = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.05; done\n";

/* ---- where a story plays ----------------------------------------------------------------------
 */

struct stage {
    const char *name;
    const char *shell;   /* runs the script */
    const char *starter; /* start-stop-daemon, as a command to be linked under that name; or NULL */
};

static const struct stage stages[] = {
    {"dash, no start-stop-daemon", "/bin/dash", NULL},
    {"dash, dpkg's start-stop-daemon", "/bin/dash", "/usr/sbin/start-stop-daemon"},
    {"dash, busybox's start-stop-daemon", "/bin/dash", "/bin/busybox"},
    {"busybox sh, no start-stop-daemon", "/bin/busybox sh", NULL},
    {"busybox sh, dpkg's start-stop-daemon", "/bin/busybox sh", "/usr/sbin/start-stop-daemon"},
    {"busybox sh, busybox's start-stop-daemon", "/bin/busybox sh", "/bin/busybox"},
};

#define STAGES_COUNT (sizeof(stages) / sizeof(stages[0]))

static const struct stage *stage_now;
static char output[16 * 1024];
static struct fixture *box;

static bool is_there(const char *command)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(command, " "), command);
    return access(path, X_OK) == 0;
}

/* Runs a shell command; its output is kept, its exit code returned. */
static int __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
    char command[2048];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    assert_true(length > 0 && (size_t)length < sizeof(command));
    FILE *shell = popen(command, "r");
    assert_non_null(shell);
    size_t bytes = fread(output, 1, sizeof(output) - 1, shell);
    output[bytes] = '\0';
    int status = pclose(shell);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void build_stage(void)
{
    assert_int_equal(
        run("mkdir %s/bin && cd %s/bin && for tool in sh sleep tail tr grep rm setsid "
            "mktemp mkfifo cat chown; do ln -s \"$(command -v $tool)\" $tool || exit 1; "
            "done",
            box->folder, box->folder),
        0);
    if (stage_now->starter != NULL) {
        assert_int_equal(run("ln -s %s %s/bin/start-stop-daemon", stage_now->starter, box->folder),
                         0);
    }
}

static int setup(void **state)
{
    stage_now = *state;
    void *made = NULL;
    (void)fixture_setup(&made);
    box = made;
    return 0;
}

/* Kills what a failed test left running: only a process whose command names our folder. */
static void kill_leftover(void)
{
    (void)run("cat %s/pid 2>/dev/null", box->folder);
    long pid = strtol(output, NULL, 10);
    if (pid > 1 &&
        run("tr '\\0' ' ' </proc/%ld/cmdline 2>/dev/null | grep -q %s/", pid, box->folder) == 0) {
        (void)kill((pid_t)pid, SIGKILL);
    }
}

static int teardown(void **state)
{
    (void)state;
    void *made = box;
    kill_leftover();
    (void)run("cd %s && rm -rf bin log pid", box->folder);
    return fixture_teardown(&made);
}

/* Builds the stage with this daemon; false: the machine lacks something. */
static void require_stage(const char *daemon)
{
    if (!is_there(stage_now->shell) ||
        (stage_now->starter != NULL && !is_there(stage_now->starter))) {
        skip();
    }
    build_stage();
    (void)fixture_conf(box, "");
    const char *path = fixture_write(box, "ecilet", daemon, strlen(daemon));
    assert_int_equal(chmod(path, 0755), 0);
}

/* Calls the script as an operator would; `settings` are further variables. */
static int service(const char *action, const char *settings)
{
    const char *at = box->folder;
    return run("ECILET_PATH=%s/bin ECILET_DAEMON=%s/ecilet ECILET_CONF=%s/ecilet.conf "
               "ECILET_PIDFILE=%s/pid ECILET_LOGFILE=%s/log ECILET_START_WAIT=0.2 "
               "ECILET_STOP_WAIT=2 %s %s " SCRIPT " %s 2>&1",
               at, at, at, at, at, settings, stage_now->shell, action);
}

static void assert_output(const char *text)
{
    if (strstr(output, text) == NULL) {
        fail_msg("%s: \"%s\" is not in: %s", stage_now->name, text, output);
    }
}

/* Waits until the daemon's log holds a text; a second is plenty. */
static void await_log(const char *text)
{
    if (run("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do grep '%s' %s/log && "
            "exit 0; sleep 0.05; done; exit 1",
            text, box->folder) != 0) {
        fail_msg("%s: \"%s\" is not in the log", stage_now->name, text);
    }
}

static pid_t daemon_pid(void)
{
    return run("cat %s/pid", box->folder) == 0 ? (pid_t)strtol(output, NULL, 10) : 0;
}

/* A dead process that nobody has waited for counts as gone. */
static bool is_alive(pid_t pid)
{
    return run("tr '\\0' ' ' </proc/%d/cmdline 2>/dev/null | grep -q .", (int)pid) == 0;
}

/* ---- stories ----------------------------------------------------------------------------------
 */

static void test_config_init_life(void **state)
{
    (void)state;
    char arguments[128];
    require_stage(fake_daemon);
    assert_int_equal(service("status", ""), 3);
    assert_output("not running");
    assert_int_equal(service("start", ""), 0);
    assert_output("started, pid ");
    (void)snprintf(arguments, sizeof(arguments), "arguments: run --config %s/ecilet.conf",
                   box->folder);
    await_log(arguments);
    assert_int_equal(service("status", ""), 0);
    assert_output("running, pid ");

    pid_t first = daemon_pid();
    assert_int_equal(service("start", ""), 0);
    assert_output("already running");
    assert_int_equal(daemon_pid(), first);

    assert_int_equal(service("reload", ""), 0);
    await_log("got HUP");
    assert_true(is_alive(first));

    assert_int_equal(service("restart", ""), 0);
    await_log("got TERM");
    pid_t second = daemon_pid();
    assert_true(second > 0 && second != first);
    assert_false(is_alive(first));

    assert_int_equal(service("try-restart", ""), 0);
    assert_int_not_equal(daemon_pid(), second);
    assert_int_equal(service("stop", ""), 0);
    assert_output("stopped");
    assert_int_equal(service("stop", ""), 0);
    assert_output("not running");
    assert_int_equal(service("reload", ""), 7);
    assert_int_equal(service("try-restart", ""), 0);
    assert_int_equal(service("status", ""), 3);
}

static void test_config_init_daemon_that_ends_at_once(void **state)
{
    (void)state;
    require_stage(broken_daemon);
    assert_int_equal(service("start", "ECILET_START_WAIT=1"), 1);
    assert_output("it ended at once");
    assert_output("error: it is all wrong"); /* the daemon's own words */
    assert_int_equal(service("status", ""), 3);
}

static void test_config_init_daemon_that_does_not_stop(void **state)
{
    (void)state;
    require_stage(stubborn_daemon);
    assert_int_equal(service("start", ""), 0);
    pid_t pid = daemon_pid();
    assert_int_equal(service("stop", "ECILET_STOP_WAIT=1"), 0);
    assert_output("killing it");
    for (int i = 0; i < 1000 && is_alive(pid); i++) {
        (void)usleep(10000);
    }
    assert_false(is_alive(pid));
}

static void test_config_init_stale_pid_file(void **state)
{
    (void)state;
    char pid[32];
    require_stage(fake_daemon);
    /* dead, nonsense, and alive but somebody else: this test's parent is no daemon of ours */
    const char *const contents[] = {"99999999\n", "-1\n", "1; reboot\n", "\n", pid};
    (void)snprintf(pid, sizeof(pid), "%d\n", (int)getppid());
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        (void)fixture_write(box, "pid", contents[i], strlen(contents[i]));
        assert_int_equal(service("status", ""), 1);
        assert_int_equal(service("stop", ""), 0);
        assert_output("not running");
    }
    (void)fixture_write(box, "pid", "99999999\n", 9);
    assert_int_equal(service("start", ""), 0);
    assert_int_equal(service("stop", ""), 0);
}

static void test_config_init_what_is_missing(void **state)
{
    (void)state;
    require_stage(fake_daemon);
    assert_int_equal(service("start", "ECILET_DAEMON=/nonexistent/ecilet"), 5);
    assert_output("/nonexistent/ecilet is not there");
    assert_int_equal(service("start", "ECILET_CONF=/nonexistent/ecilet.conf"), 6);
    assert_output("cannot be read");
    assert_int_equal(service("start", "ECILET_LOGFILE=/nonexistent/log"), 1);
    assert_int_equal(service("", ""), 2);
    assert_output("usage: ");
    assert_int_equal(service("explode", ""), 2);
}

/* A configuration with commands in it is never executed. */
static void test_config_init_sources_nothing(void **state)
{
    (void)state;
    char text[256];
    require_stage(fake_daemon);
    (void)snprintf(text, sizeof(text), "touch %s/executed\nDAEMON=/bin/false\n", box->folder);
    (void)fixture_conf(box, text);
    assert_int_equal(service("start", ""), 0);
    assert_int_equal(service("stop", ""), 0);
    (void)snprintf(text, sizeof(text), "%s/executed", box->folder);
    assert_int_equal(access(text, F_OK), -1);
}

/* With LOGFILE=syslog lines go to logger, here one that writes to a file. */
static void test_config_init_logs_to_logger(void **state)
{
    (void)state;
    char logger[256];
    char path[128];
    require_stage(fake_daemon);
    (void)snprintf(logger, sizeof(logger), "#!/bin/sh\necho \"tag $2\"; exec cat >>%s/log\n",
                   box->folder);
    (void)snprintf(path, sizeof(path), "%s/bin/logger", box->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(logger, file);
    (void)fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(service("start", "ECILET_LOGFILE=syslog"), 0);
    await_log("arguments: run");
    assert_int_equal(service("stop", ""), 0);
    await_log("got TERM");
}

int main(void)
{
    static const struct {
        const char *name;
        CMUnitTestFunction function;
        bool is_everywhere; /* else on two stages that differ in everything */
    } stories[] = {
        {"life", test_config_init_life, true},
        {"daemon that ends at once", test_config_init_daemon_that_ends_at_once, false},
        {"daemon that does not stop", test_config_init_daemon_that_does_not_stop, false},
        {"stale pid file", test_config_init_stale_pid_file, false},
        {"what is missing", test_config_init_what_is_missing, false},
        {"sources nothing", test_config_init_sources_nothing, false},
        {"logs to logger", test_config_init_logs_to_logger, true},
    };
    enum { STORIES = sizeof(stories) / sizeof(stories[0]) };
    static struct CMUnitTest tests[STORIES * STAGES_COUNT];
    static char names[STORIES * STAGES_COUNT][96];
    size_t count = 0;
    if (access(SCRIPT, R_OK) != 0) {
        (void)fprintf(stderr, "%s: run the tests at the top of the tree\n", SCRIPT);
        return 1;
    }
    for (size_t story = 0; story < STORIES; story++) {
        for (size_t stage = 0; stage < STAGES_COUNT; stage++) {
            if (!stories[story].is_everywhere && stage != 0 && stage != STAGES_COUNT - 1) {
                continue;
            }
            (void)snprintf(names[count], sizeof(names[count]), "test_config_init %s (%s)",
                           stories[story].name, stages[stage].name);
            tests[count] = (struct CMUnitTest){.name = names[count],
                                               .test_func = stories[story].function,
                                               .setup_func = setup,
                                               .teardown_func = teardown,
                                               .initial_state = (void *)(uintptr_t)&stages[stage]};
            count++;
        }
    }
    return _cmocka_run_group_tests("config_init", tests, count, NULL, NULL);
}
