/* see config_doc.h */
#include "app/config_doc.h"

#include "app/config_key.h"
#include "app/config_value.h"

/* Every line of `text` behind `prefix`. */
static void put_lines(struct buf *out, const char *prefix, const char *text)
{
    str rest = str_of(text);
    str line;
    while (str_cut(&rest, '\n', &line)) {
        buf_put_fmt(out, "%s%.*s\n", prefix, STR_ARG(line));
    }
}

/* Whether the program is told this key by people, and not by Kubernetes itself. */
static bool is_for_people(const struct config_key *row)
{
    return row->whose != CONFIG_KUBERNETES || row->type == CONFIG_PATH;
}

/* ---- config/ecilet.conf.example -------------------------------------------------------------- */

static void put_default(struct buf *out, const struct config_key *row)
{
    const char *says = row->otherwise_says != NULL ? row->otherwise_says : row->otherwise;
    if (says != NULL) {
        buf_put_fmt(out, "default: %s", says);
    } else {
        buf_put_text(out, row->is_required ? "required" : "default: none");
    }
}

static void put_example_row(struct buf *out, const struct config_key *row)
{
    buf_put_fmt(out, "\n# %s.\n", row->doc);
    if (row->more != NULL) {
        put_lines(out, "# ", row->more);
    }
    buf_put_text(out, "# Value: ");
    config_value_put_rule(out, row);
    buf_put_text(out, "; ");
    put_default(out, row);
    const char *value = row->otherwise != NULL ? row->otherwise : row->example;
    buf_put_fmt(out, "\n%s%s=%s\n", row->is_required ? "" : "#", row->key,
                value != NULL && !(row->is_required && row->type != CONFIG_WORD) ? value : "");
}

void config_doc_example(struct buf *out)
{
    buf_put_text(
        out,
        "# ecilet.conf - configuration of ecilet, the virtual node for Alibaba Cloud ECI.\n"
        "#\n"
        "# Lines of KEY=value, as a shell would accept them: no spaces around =, quotes for\n"
        "# values with spaces or special characters. # starts a comment. KEY= counts as not set.\n"
        "# Environment variables of the same names win over this file; options win over both.\n"
        "# Unknown keys are errors. Keys for texts and secrets also exist as KEY_FILE=/path: the\n"
        "# value is then the content of that file.\n"
        "#\n"
        "# Try it: ecilet check --config /etc/ecilet/ecilet.conf\n"
        "# This file is generated: ecilet config-doc example\n");
    for (enum config_group group = 0; group < CONFIG_GROUP_COUNT; group++) {
        buf_put_fmt(out, "\n# ---- %s ----\n", config_group_title(group));
        for (uint32_t i = 0; i < config_keys_count; i++) {
            if (config_keys[i].group == group && is_for_people(&config_keys[i])) {
                put_example_row(out, &config_keys[i]);
            }
        }
    }
}

/* ---- the README's table ---------------------------------------------------------------------- */

/* One line: | escaped, line ends and runs of spaces made one space. */
static void put_cell(struct buf *out, const char *text)
{
    char before = '\0';
    for (; *text != '\0'; text++) {
        char c = *text == '\n' ? ' ' : *text;
        if (c == '|') {
            buf_put_char(out, '\\');
        }
        if (c != ' ' || before != ' ') {
            buf_put_char(out, c);
        }
        before = c;
    }
}

static void put_table_row(struct buf *out, const struct config_key *row)
{
    buf_put_fmt(out, "| `%s` | ", row->key);
    config_value_put_rule(out, row);
    buf_put_text(out, " | ");
    if (row->otherwise != NULL) {
        buf_put_fmt(out, "`%s`", row->otherwise);
    } else if (row->otherwise_says != NULL) {
        put_cell(out, row->otherwise_says);
    } else {
        buf_put_text(out, row->is_required ? "**required**" : "none");
    }
    buf_put_text(out, " | ");
    put_cell(out, row->doc);
    if (row->more != NULL) {
        buf_put_text(out, ". ");
        put_cell(out, row->more);
    }
    buf_put_text(out, " |\n");
}

void config_doc_table(struct buf *out)
{
    for (enum config_group group = 0; group < CONFIG_GROUP_COUNT; group++) {
        buf_put_fmt(out, "%s**%s**\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
                    group == 0 ? "" : "\n", config_group_title(group));
        for (uint32_t i = 0; i < config_keys_count; i++) {
            if (config_keys[i].group == group) {
                put_table_row(out, &config_keys[i]);
            }
        }
    }
}

/* ---- env of a Deployment --------------------------------------------------------------------- */

/* Keys that come from somewhere else in the cluster. */
static const struct {
    const char *key;
    const char *from;
} references[] = {
    {"ECI_ACCESS_KEY", "secretKeyRef: {name: vk-accesskey, key: accesskey.id}"},
    {"ECI_SECRET_KEY", "secretKeyRef: {name: vk-accesskey, key: accesskey.secret}"},
    {"VKUBELET_POD_IP", "fieldRef: {fieldPath: status.podIP}"},
};

static const char *reference_of(const struct config_key *row)
{
    for (size_t i = 0; i < sizeof(references) / sizeof(references[0]); i++) {
        if (str_eq(str_of(row->key), str_of(references[i].key))) {
            return references[i].from;
        }
    }
    return NULL;
}

static void put_env_row(struct buf *out, const struct config_key *row)
{
    const char *from = reference_of(row);
    const char *value = row->otherwise != NULL ? row->otherwise : row->example;
    const char *mark = row->is_required || from != NULL ? "" : "# ";
    buf_put_fmt(out, "# %s\n%s- name: %s\n", row->doc, mark, row->key);
    if (from != NULL) {
        buf_put_fmt(out, "%s  valueFrom:\n%s    %s\n", mark, mark, from);
    } else {
        buf_put_fmt(out, "%s  value: \"%s\"\n", mark, value != NULL ? value : "");
    }
}

void config_doc_env(struct buf *out)
{
    buf_put_text(out,
                 "# For the container in a Deployment; what is commented out shows its default or "
                 "an example.\nenv:\n");
    for (uint32_t i = 0; i < config_keys_count; i++) {
        if (is_for_people(&config_keys[i]) && config_keys[i].type != CONFIG_PATH) {
            put_env_row(out, &config_keys[i]);
        }
    }
}
