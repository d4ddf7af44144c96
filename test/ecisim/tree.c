/* see tree.h */
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node *tree_new(struct arena *arena)
{
    struct node *node = arena_take(arena, sizeof *node);
    node->name = "";
    return node;
}

static unsigned long name_index(const char *name)
{
    if (name[0] < '1' || name[0] > '9' || strlen(name) > 9 ||
        strspn(name, "0123456789") != strlen(name)) {
        return 0;
    }
    return strtoul(name, NULL, 10);
}

/* Numbers in numeric order, everything else behind what is there. */
static void attach(struct node *parent, struct node *child)
{
    if (parent->last == NULL || child->index == 0 || parent->last->index <= child->index) {
        *(parent->last == NULL ? &parent->first : &parent->last->next) = child;
        parent->last = child;
        return;
    }
    struct node **place = &parent->first;
    while ((*place)->index <= child->index) {
        place = &(*place)->next;
    }
    child->next = *place;
    *place = child;
}

static struct node *child_named(const struct node *parent, const char *name, size_t bytes)
{
    for (struct node *child = parent->first; child != NULL; child = child->next) {
        if (strncmp(child->name, name, bytes) == 0 && child->name[bytes] == '\0') {
            return child;
        }
    }
    return NULL;
}

static struct node *add_child(struct arena *arena, struct node *parent, const char *name,
                              size_t bytes)
{
    struct node *child = tree_new(arena);
    child->name = arena_copy(arena, name, bytes);
    child->index = name_index(child->name);
    attach(parent, child);
    return child;
}

void tree_put(struct arena *arena, struct node *root, const char *flat, const char *value)
{
    struct node *node = root;
    for (int depth = 0; depth < TREE_DEPTH_MAX; depth++) {
        size_t bytes = strcspn(flat, ".");
        struct node *child = child_named(node, flat, bytes);
        node = child != NULL ? child : add_child(arena, node, flat, bytes);
        flat += bytes;
        if (*flat == '\0') {
            break;
        }
        flat++;
    }
    node->value = value;
}

const struct node *tree_find(const struct node *root, const char *path)
{
    const struct node *node = root;
    while (node != NULL) {
        size_t bytes = strcspn(path, ".");
        node = child_named(node, path, bytes);
        path += bytes;
        if (*path == '\0') {
            break;
        }
        path++;
    }
    return node;
}

const char *tree_text(const struct node *root, const char *path)
{
    const struct node *node = tree_find(root, path);
    return node == NULL ? NULL : node->value;
}

double tree_number(const struct node *root, const char *path, double other)
{
    double number = 0;
    return text_to_double(tree_text(root, path), &number) ? number : other;
}

long long tree_long(const struct node *root, const char *path, long long other)
{
    long long number = 0;
    return text_to_long(tree_text(root, path), &number) ? number : other;
}

bool tree_true(const struct node *root, const char *path)
{
    return text_is_true(tree_text(root, path));
}

const struct node *tree_list(const struct node *root, const char *path)
{
    const struct node *node = tree_find(root, path);
    return node == NULL ? NULL : node->first;
}

size_t tree_count(const struct node *root, const char *path)
{
    size_t count = 0;
    for (const struct node *item = tree_list(root, path); item != NULL; item = item->next) {
        count++;
    }
    return count;
}

void tree_replace(struct node *root, struct node *child)
{
    struct node **place = &root->first;
    while (*place != NULL && strcmp((*place)->name, child->name) != 0) {
        place = &(*place)->next;
    }
    child->next = *place == NULL ? NULL : (*place)->next;
    *place = child;
    if (child->next == NULL) {
        root->last = child;
    }
}

/* ---- reading JSON ---------------------------------------------------------------------------- */

struct reader {
    struct arena *arena;
    const char *at;
    int depth;
    bool is_bad;
};

static void read_value(struct reader *reader, struct node *node);

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static bool take_byte(struct reader *reader, char byte)
{
    skip_blanks(reader);
    if (*reader->at != byte) {
        return false;
    }
    reader->at++;
    return true;
}

static void put_utf8(struct buf *out, unsigned code)
{
    if (code < 0x80) {
        buf_byte(out, (char)code);
    } else if (code < 0x800) {
        buf_byte(out, (char)(0xc0 | code >> 6));
        buf_byte(out, (char)(0x80 | (code & 63)));
    } else if (code < 0x10000) {
        buf_byte(out, (char)(0xe0 | code >> 12));
        buf_byte(out, (char)(0x80 | (code >> 6 & 63)));
        buf_byte(out, (char)(0x80 | (code & 63)));
    } else {
        buf_byte(out, (char)(0xf0 | code >> 18));
        buf_byte(out, (char)(0x80 | (code >> 12 & 63)));
        buf_byte(out, (char)(0x80 | (code >> 6 & 63)));
        buf_byte(out, (char)(0x80 | (code & 63)));
    }
}

static unsigned read_hex4(struct reader *reader)
{
    char digits[5] = {0};
    memcpy(digits, reader->at, strnlen(reader->at, 4));
    if (strspn(digits, "0123456789abcdefABCDEF") != 4) {
        reader->is_bad = true;
        return 0;
    }
    reader->at += 4;
    return (unsigned)strtoul(digits, NULL, 16);
}

static void read_escape(struct reader *reader, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char sign = *reader->at;
    const char *known = sign == '\0' ? NULL : strchr(from, sign);
    if (known != NULL) {
        reader->at++;
        buf_byte(out, to[known - from]);
        return;
    }
    if (sign != 'u') {
        reader->is_bad = true;
        return;
    }
    reader->at++;
    unsigned code = read_hex4(reader);
    if (code >= 0xd800 && code < 0xdc00 && reader->at[0] == '\\' && reader->at[1] == 'u') {
        reader->at += 2;
        code = 0x10000 + ((code - 0xd800) << 10) + ((read_hex4(reader) - 0xdc00) & 0x3ff);
    }
    put_utf8(out, code == 0 ? 0xfffd : code);
}

static const char *read_string(struct reader *reader)
{
    struct buf text = {0};
    reader->is_bad = reader->is_bad || !take_byte(reader, '"');
    while (!reader->is_bad && *reader->at != '"') {
        unsigned char byte = (unsigned char)*reader->at;
        if (byte < 0x20) {
            reader->is_bad = true;
        } else if (byte == '\\') {
            reader->at++;
            read_escape(reader, &text);
        } else {
            buf_byte(&text, *reader->at++);
        }
    }
    reader->at += reader->is_bad ? 0 : 1;
    const char *copy = arena_copy(reader->arena, buf_string(&text), text.used);
    buf_free(&text);
    return copy;
}

static void read_items(struct reader *reader, struct node *node, char end)
{
    unsigned long count = 0;
    if (take_byte(reader, end)) {
        return;
    }
    do {
        char number[24];
        const char *name = number;
        snprintf(number, sizeof number, "%lu", ++count);
        if (end == '}') {
            name = read_string(reader);
            reader->is_bad = reader->is_bad || !take_byte(reader, ':');
        }
        read_value(reader, add_child(reader->arena, node, name, strlen(name)));
    } while (!reader->is_bad && take_byte(reader, ','));
    reader->is_bad = reader->is_bad || !take_byte(reader, end);
}

static void read_scalar(struct reader *reader, struct node *node)
{
    double number = 0;
    size_t bytes = strspn(reader->at, "0123456789+-.eEtrufalsn");
    const char *word = arena_copy(reader->arena, reader->at, bytes);
    reader->at += bytes;
    if (strcmp(word, "null") == 0) {
        return;
    }
    node->value = word;
    if (!text_is_any(word, "true|false") && !text_to_double(word, &number)) {
        reader->is_bad = true;
    }
}

static void read_value(struct reader *reader, struct node *node)
{
    skip_blanks(reader);
    if (reader->is_bad || ++reader->depth > 2 * TREE_DEPTH_MAX) {
        reader->is_bad = true;
        return;
    }
    if (*reader->at == '{' || *reader->at == '[') {
        char end = *reader->at++ == '{' ? '}' : ']';
        read_items(reader, node, end);
    } else if (*reader->at == '"') {
        node->value = read_string(reader);
        node->is_quoted = true;
    } else {
        read_scalar(reader, node);
    }
    reader->depth--;
}

struct node *json_read(struct arena *arena, const char *text)
{
    struct reader reader = {.arena = arena, .at = text};
    struct node *root = tree_new(arena);
    read_value(&reader, root);
    skip_blanks(&reader);
    return reader.is_bad || *reader.at != '\0' ? NULL : root;
}

/* ---- writing JSON ---------------------------------------------------------------------------- */

static void comma(struct jw *jw)
{
    if (!jw->is_fresh && jw->out.used > 0) {
        buf_byte(&jw->out, ',');
    }
    jw->is_fresh = false;
}

static void put_quoted(struct buf *out, const char *text)
{
    buf_byte(out, '"');
    for (const char *at = text; *at != '\0';) {
        size_t plain = 0;
        while ((unsigned char)at[plain] >= 0x20 && at[plain] != '"' && at[plain] != '\\') {
            plain++;
        }
        buf_add(out, at, plain);
        at += plain;
        if (*at == '\0') {
            break;
        }
        if (*at == '"' || *at == '\\') {
            buf_byte(out, '\\');
            buf_byte(out, *at);
        } else if (*at == '\n') {
            buf_text(out, "\\n");
        } else {
            buf_fmt(out, "\\u%04x", (unsigned)(unsigned char)*at);
        }
        at++;
    }
    buf_byte(out, '"');
}

void jw_open(struct jw *jw, char bracket)
{
    comma(jw);
    buf_byte(&jw->out, bracket);
    jw->is_fresh = true;
}

void jw_close(struct jw *jw, char bracket)
{
    buf_byte(&jw->out, bracket);
    jw->is_fresh = false;
}

void jw_key(struct jw *jw, const char *key)
{
    comma(jw);
    put_quoted(&jw->out, key);
    buf_byte(&jw->out, ':');
    jw->is_fresh = true;
}

void jw_text(struct jw *jw, const char *text)
{
    comma(jw);
    put_quoted(&jw->out, text == NULL ? "" : text);
}

void jw_long(struct jw *jw, long long number)
{
    comma(jw);
    buf_fmt(&jw->out, "%lld", number);
}

void jw_double(struct jw *jw, double number)
{
    comma(jw);
    buf_fmt(&jw->out, "%.10g", number);
}

void jw_bool(struct jw *jw, bool truth)
{
    comma(jw);
    buf_text(&jw->out, truth ? "true" : "false");
}

void jw_kopen(struct jw *jw, const char *key, char bracket)
{
    jw_key(jw, key);
    jw_open(jw, bracket);
}

void jw_ktext(struct jw *jw, const char *key, const char *text)
{
    jw_key(jw, key);
    jw_text(jw, text);
}

void jw_klong(struct jw *jw, const char *key, long long number)
{
    jw_key(jw, key);
    jw_long(jw, number);
}

void jw_kdouble(struct jw *jw, const char *key, double number)
{
    jw_key(jw, key);
    jw_double(jw, number);
}

void jw_kbool(struct jw *jw, const char *key, bool truth)
{
    jw_key(jw, key);
    jw_bool(jw, truth);
}

void jw_klist(struct jw *jw, const char *key, const struct node *first)
{
    jw_kopen(jw, key, '[');
    for (const struct node *item = first; item != NULL; item = item->next) {
        jw_text(jw, item->value);
    }
    jw_close(jw, ']');
}
