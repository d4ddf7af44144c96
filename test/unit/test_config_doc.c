/* The printed reference: complete, valid, and the committed example is not stale. */
#include "unit/config_fixture.h"

#include "app/config_doc.h"
#include "app/config_key.h"

#define EXAMPLE_PATH "config/ecilet.conf.example" /* tests run at the top of the tree */

static char memory[CONFIG_DOC_BYTES + 1];

static const char *print(void (*put)(struct buf *out))
{
    struct buf out;
    buf_init(&out, memory, CONFIG_DOC_BYTES);
    put(&out);
    assert_true(buf_ok(&out));
    assert_true(out.bytes < CONFIG_DOC_BYTES / 2); /* as its header says */
    memory[out.bytes] = '\0';
    return memory;
}

static void test_config_doc_example_is_not_stale(void **state)
{
    (void)state;
    static char text[CONFIG_DOC_BYTES];
    FILE *file = fopen(EXAMPLE_PATH, "r");
    if (file == NULL) {
        fail_msg("%s cannot be opened: run the tests at the top of the tree", EXAMPLE_PATH);
    }
    size_t bytes = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[bytes] = '\0';
    if (strcmp(text, print(config_doc_example)) != 0) {
        fail_msg("%s is stale: run make docs", EXAMPLE_PATH);
    }
}

/* Every key appears in every document it belongs to. */
static void test_config_doc_is_complete(void **state)
{
    (void)state;
    char needle[96];
    const char *text = print(config_doc_example);
    for (uint32_t i = 0; i < config_keys_count; i++) {
        const char *key = config_keys[i].key;
        (void)snprintf(needle, sizeof(needle), "%s%s=", config_keys[i].is_required ? "\n" : "\n#",
                       key);
        if (strstr(text, needle) == NULL && strncmp(key, "KUBERNETES_", 11) != 0) {
            fail_msg("%s is not in the example", key);
        }
    }
    text = print(config_doc_table);
    for (uint32_t i = 0; i < config_keys_count; i++) {
        (void)snprintf(needle, sizeof(needle), "\n| `%s` | ", config_keys[i].key);
        assert_non_null(strstr(text, needle));
    }
    text = print(config_doc_env);
    for (uint32_t i = 0; i < config_keys_count; i++) {
        (void)snprintf(needle, sizeof(needle), "- name: %s\n", config_keys[i].key);
        bool is_told = config_keys[i].type != CONFIG_PATH &&
                       strncmp(config_keys[i].key, "KUBERNETES_", 11) != 0;
        assert_int_equal(strstr(text, needle) != NULL, is_told);
    }
}

/* Each line of the table has four cells. */
static void test_config_doc_table_is_markdown(void **state)
{
    (void)state;
    str rest = str_of(print(config_doc_table));
    str line;
    while (str_cut(&rest, '\n', &line)) {
        if (!str_starts(line, S("|"))) {
            continue;
        }
        uint32_t bars = 0;
        for (size_t i = 0; i < line.bytes; i++) {
            bars += line.ptr[i] == '|' && (i == 0 || line.ptr[i - 1] != '\\');
        }
        assert_int_equal(bars, 5);
        assert_true(str_find(line, S("  ")) < 0);
    }
}

/* The example, with only the blanks of its required keys filled in. */
static void fill_in(struct buf *out, bool with_all)
{
    str rest = str_of(print(config_doc_example));
    str line;
    while (str_cut(&rest, '\n', &line)) {
        bool is_option = str_starts(line, S("#")) && !str_starts(line, S("# ")) && line.bytes > 1;
        if (with_all && is_option && !str_starts(line, S("#ECI_SECURITY_TOKEN="))) {
            line = str_sub(line, 1, line.bytes);
        }
        buf_put(out, line);
        if (str_starts(line, S("ECI_")) && str_ends(line, S("="))) {
            buf_put_text(out, "cn-filled");
        }
        if (str_eq(line, S("ALIYUN_CLUSTERID="))) {
            buf_put_text(out, "idc1");
        }
        buf_put_char(out, '\n');
    }
}

static void test_config_doc_example_works_when_filled_in(void **state)
{
    struct fixture *fixture = *state;
    static char text[CONFIG_DOC_BYTES];
    for (int with_all = 0; with_all < 2; with_all++) {
        struct buf out;
        buf_init(&out, text, sizeof(text) - 1);
        fill_in(&out, with_all == 1);
        const char *const environment[] = {"KUBECONFIG=/k", "ECI_CA_FILE=/c", NULL};
        assert_int_equal(fixture_load_text(fixture, buf_cstr(&out), environment), ERR_OK);
        assert_not_reported(fixture, "error");
        assert_str(fixture->config.node_name, "virtual-kubelet");
        assert_int_equal(fixture->config.node_labels.count, with_all == 1 ? 2 : 0);
    }
}

/* An init script may source the example: nothing in it is a command. */
static void test_config_doc_example_can_be_sourced(void **state)
{
    struct fixture *fixture = *state;
    static char text[CONFIG_DOC_BYTES];
    struct buf out;
    buf_init(&out, text, sizeof(text) - 1);
    fill_in(&out, true);
    const char *path = fixture_write(fixture, "ecilet.conf", text, out.bytes);
    char command[256];
    char got[64] = "";
    (void)snprintf(command, sizeof(command),
                   "sh -c 'set -eu; . %s; printf %%s \"$NODE_LABELS\"' 2>&1", path);
    FILE *shell = popen(command, "r");
    assert_non_null(shell);
    assert_non_null(fgets(got, sizeof(got), shell));
    assert_int_equal(pclose(shell), 0);
    assert_string_equal(got, "topology.kubernetes.io/zone=cn-beijing-h,line=express");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_doc_example_is_not_stale),
        cmocka_unit_test(test_config_doc_is_complete),
        cmocka_unit_test(test_config_doc_table_is_markdown),
        cmocka_unit_test_setup_teardown(test_config_doc_example_works_when_filled_in, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_config_doc_example_can_be_sourced, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("config_doc", tests, NULL, NULL);
}
