/* `ecilet lint` as a user meets it. */
#include "unit.h"

#include <stdlib.h>

#include "app/cli.h"

static char out_memory[CLI_OUT_BYTES + 1], err_memory[CLI_ERR_BYTES + 1];

static enum cli_exit lint_file(const char *path)
{
    struct cli cli = {.input_file = path};
    memset(out_memory, 0, sizeof out_memory);
    memset(err_memory, 0, sizeof err_memory);
    buf_init(&cli.out, out_memory, CLI_OUT_BYTES);
    buf_init(&cli.err, err_memory, CLI_ERR_BYTES);
    return cli_lint(&cli);
}

static enum cli_exit lint(const char *text)
{
    char path[] = "/tmp/ecilet-lint-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    enum cli_exit code = lint_file(path);
    unlink(path);
    return code;
}

static void assert_has(const char *where, const char *text)
{
    if (strstr(where, text) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", text, where);
    }
}

#define HEAD                                                                                       \
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: eci-profile\n  namespace: kube-system\n" \
    "data:\n"

static void test_lint_prints_the_effective_profile(void **state)
{
    (void)state;
    assert_int_equal(lint("kind: Secret\nmetadata:\n  name: other\n---\n" HEAD
                          "  vswitchIds: \"vsw-111, vsw-222\"\n"
                          "  enableHybridMode: \"true\"\n"
                          "  selectors: |\n"
                          "    [\n"
                          "      {\"name\":\"demo\", # a comment\n"
                          "       \"objectSelector\":{\"matchLabels\":{\"a\":\"b\"}},\n"
                          "       \"effect\":{\"annotations\":{\"k8s.aliyun.com/eci-x\":\"1\"}}}\n"
                          "    ]\n"),
                     CLI_OK);
    assert_has(out_memory, "vSwitchIds         vsw-111,vsw-222\n");
    assert_has(out_memory, "enableHybridMode   true\n");
    assert_has(out_memory, "  1. demo: to ECI go pods with\n     pod label a In b\n");
    assert_has(out_memory, "warning: selector demo: eci-profile[k8s.aliyun.com/eci-x]");
    assert_string_equal(err_memory, "");
}

static void test_lint_defaults_and_another_namespace(void **state)
{
    (void)state;
    assert_int_equal(lint("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"eci-profile\"}}"),
                     CLI_OK);
    assert_has(out_memory, "selectors          (none given: the defaults)\n");
    assert_has(out_memory, "  5. default-selector-5: to ECI go pods with\n");
    assert_has(out_memory, "warning: metadata.namespace is not kube-system");
}

static void test_lint_says_where_it_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(lint(HEAD "  selectors: |\n    [\n      {\"nam\":\"x\"}\n    ]\n"),
                     CLI_FAILED);
    assert_has(err_memory, ": selectors: line 2, column 3: the selector has no name\n");
    assert_int_equal(lint(HEAD "  selectors:\n    [\n      {\"name\":\"x\"}\n    ]\n"), CLI_FAILED);
    assert_has(err_memory, ": selectors: not a text; write \"selectors: |\" above it\n");
    assert_int_equal(lint("a: [\n"), CLI_FAILED);
    assert_has(err_memory, ": not YAML: line ");
    assert_int_equal(lint("kind: ConfigMap\nmetadata:\n  name: other\n"), CLI_FAILED);
    assert_has(err_memory, ": no ConfigMap with the name eci-profile in it\n");
    assert_int_equal(lint(""), CLI_FAILED);
    assert_int_equal(lint_file("/nonexistent/x.yaml"), CLI_FAILED);
    assert_has(err_memory, "/nonexistent/x.yaml: cannot be read: No such file");
    assert_int_equal(lint_file(NULL), CLI_USAGE);
    assert_has(err_memory, "-f FILE is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lint_prints_the_effective_profile),
        cmocka_unit_test(test_lint_defaults_and_another_namespace),
        cmocka_unit_test(test_lint_says_where_it_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
