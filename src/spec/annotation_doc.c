/* annotation_doc.c - see annotation.h: the table for people. */
#include "spec/annotation.h"

#define FILL_COLUMNS 96

/* What stands above the rows of one fate. */
static const char *const titles[] = {
    [ANNOTATION_SENT] = "Sent to the cloud",
    [ANNOTATION_OURS] = "Acted on by the node",
    [ANNOTATION_WARNED] = "Accepted with a warning: nothing comes of them",
    [ANNOTATION_REFUSED] = "Refused",
    [ANNOTATION_WRITTEN] = "Written by the node",
};

#define FATES (sizeof(titles) / sizeof(titles[0]))

/* Words from column 4, no line longer than FILL_COLUMNS. */
static void put_filled(str text, struct buf *out)
{
    size_t column = 0;
    str word;
    while (str_cut(&text, ' ', &word)) {
        bool is_new = column == 0 || column + 1 + word.bytes > FILL_COLUMNS;
        if (is_new) {
            buf_put_text(out, column == 0 ? "    " : "\n    ");
            column = 4;
        } else {
            buf_put_char(out, ' ');
            column++;
        }
        buf_put(out, word);
        column += word.bytes;
    }
    buf_put_char(out, '\n');
}

static void put_row_text(const struct annotation_row *row, struct buf *out)
{
    char memory[2048];
    struct buf line;

    buf_put_fmt(out, "  %s%s%s\n", row->key, row->aliases[0] != '\0' ? "  or  " : "", row->aliases);
    buf_init(&line, memory, sizeof(memory));
    buf_put_fmt(&line, "%s.", row->text);
    if (row->fate != ANNOTATION_WRITTEN) {
        buf_put_text(&line, " Value: ");
        annotation_put_allowed(row, &line);
        buf_put_fmt(&line, ". Default: %s.", row->otherwise);
    }
    if (row->parameters[0] != '\0') {
        buf_put_fmt(&line, " Sent as %s.", row->parameters);
    }
    put_filled(buf_str(&line), out);
}

void annotations_print_text(struct buf *out)
{
    for (size_t fate = 0; fate < FATES; fate++) {
        buf_put_fmt(out, "%s%s\n\n", fate > 0 ? "\n" : "", titles[fate]);
        for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
            const struct annotation_row *row = annotation_row((enum annotation)i);
            if (row->fate == (enum annotation_fate)fate) {
                put_row_text(row, out);
            }
        }
    }
}

/* A cell: '|' would end it. */
static void put_cell(str text, struct buf *out)
{
    buf_put_text(out, " ");
    for (size_t i = 0; i < text.bytes; i++) {
        buf_put_text(out, text.ptr[i] == '|' ? "\\" : "");
        buf_put_char(out, text.ptr[i]);
    }
    buf_put_text(out, " |");
}

static void put_row_markdown(const struct annotation_row *row, struct buf *out)
{
    char memory[1024];
    struct buf cell;

    buf_put_fmt(out, "| `%s`%s%s%s |", row->key, row->aliases[0] != '\0' ? " or `" : "",
                row->aliases, row->aliases[0] != '\0' ? "`" : "");
    buf_init(&cell, memory, sizeof(memory));
    annotation_put_allowed(row, &cell);
    put_cell(row->fate != ANNOTATION_WRITTEN ? buf_str(&cell) : STR_NONE, out);
    put_cell(str_of(row->otherwise), out);
    put_cell(str_of(row->parameters), out);
    put_cell(str_of(row->text), out);
    buf_put_char(out, '\n');
}

void annotations_print_markdown(struct buf *out)
{
    buf_put_text(out, "# Annotations of pods\n\nFrom the program's own table: `ecilet annotations "
                      "markdown`. They count when the instance is made; the pod's own\nvalue comes "
                      "before that of a profile. A value that is not allowed refuses the pod.\n");
    for (size_t fate = 0; fate < FATES; fate++) {
        buf_put_fmt(out,
                    "\n## %s\n\n| annotation | value | default | parameter | what it does |\n"
                    "|---|---|---|---|---|\n",
                    titles[fate]);
        for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
            const struct annotation_row *row = annotation_row((enum annotation)i);
            if (row->fate == (enum annotation_fate)fate) {
                put_row_markdown(row, out);
            }
        }
    }
}
