/* see config_parse.h */
#include "app/config_parse.h"

#include "base/check.h"

/* One line under work: what is left of it. */
struct scan {
    char *at;
    char *end;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_key_char(char c, bool is_first)
{
    return (c >= 'A' && c <= 'Z') || c == '_' || (!is_first && c >= '0' && c <= '9');
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

void config_parse_init(struct config_parse *parse, char *text, size_t bytes)
{
    CHECK(text != NULL);
    *parse = (struct config_parse){.next = text, .end = text + bytes};
}

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end && is_blank(*scan->at)) {
        scan->at++;
    }
}

static bool at_end(const struct scan *scan)
{
    return scan->at == scan->end;
}

/* The rest is nothing, or blanks and a comment. */
static bool rest_is_empty(struct scan *scan)
{
    if (at_end(scan)) {
        return true;
    }
    if (!is_blank(*scan->at)) {
        return false;
    }
    skip_blanks(scan);
    return at_end(scan) || *scan->at == '#';
}

static void skip_export(struct scan *scan)
{
    str left = str_make(scan->at, (size_t)(scan->end - scan->at));
    if (str_starts(left, S("export ")) || str_starts(left, S("export\t"))) {
        scan->at += sizeof("export") - 1;
        skip_blanks(scan);
    }
}

/* Reads `KEY=`; returns the fault or NULL. */
static const char *scan_key(struct scan *scan, str *key)
{
    char *start = scan->at;
    while (!at_end(scan) && is_key_char(*scan->at, scan->at == start)) {
        scan->at++;
    }
    str name = str_make(start, (size_t)(scan->at - start));
    if (str_is_empty(name) || name.bytes > CONFIG_KEY_BYTES_MAX) {
        return "not a setting: expected KEY=value with a key of capital letters, digits and _";
    }
    if (!at_end(scan) && *scan->at == '=') {
        *key = name;
        scan->at++;
        return NULL;
    }
    skip_blanks(scan);
    if (!at_end(scan) && *scan->at == '=') {
        *key = name;
        return "no space is allowed before =";
    }
    return "not a setting: expected KEY=value with a key of capital letters, digits and _";
}

static const char *scan_single(struct scan *scan, str *value)
{
    char *start = ++scan->at;
    while (!at_end(scan) && *scan->at != '\'') {
        scan->at++;
    }
    if (at_end(scan)) {
        return "the closing ' is missing on this line";
    }
    *value = str_make(start, (size_t)(scan->at - start));
    scan->at++;
    return NULL;
}

/* POSIX 2.2.3: inside double quotes a backslash quotes only $ ` " \ and a line end. */
static const char *scan_double(struct scan *scan, str *value)
{
    char *start = ++scan->at;
    char *to = start;
    while (!at_end(scan) && *scan->at != '"') {
        if (*scan->at == '$' || *scan->at == '`') {
            return "$ and ` need a \\ before them inside double quotes, or use single quotes";
        }
        if (*scan->at == '\\' && scan->at + 1 < scan->end &&
            str_find_char(S("$`\"\\"), scan->at[1]) >= 0) {
            scan->at++;
        }
        *to++ = *scan->at++;
    }
    if (at_end(scan)) {
        return "the closing \" is missing on this line";
    }
    *value = str_make(start, (size_t)(to - start));
    scan->at++;
    return NULL;
}

static const char *scan_bare(struct scan *scan, str *value)
{
    char *start = scan->at;
    while (!at_end(scan) && !is_blank(*scan->at)) {
        char before = scan->at > start ? scan->at[-1] : ':';
        if (str_find_char(S("$`\\;&|<>()*?[{\"'"), *scan->at) >= 0 ||
            (*scan->at == '~' && before == ':')) {
            return "a shell would change this value: put it in single quotes";
        }
        scan->at++;
    }
    *value = str_make(start, (size_t)(scan->at - start));
    return NULL;
}

static const char *scan_value(struct scan *scan, str *value)
{
    if (at_end(scan)) {
        return NULL;
    }
    const char *fault;
    const char *trailing;
    if (*scan->at == '\'' || *scan->at == '"') {
        fault = *scan->at == '\'' ? scan_single(scan, value) : scan_double(scan, value);
        trailing = "there is text after the closing quote";
    } else if (is_blank(*scan->at)) {
        fault = NULL;
        trailing = "no space is allowed after =";
    } else {
        fault = scan_bare(scan, value);
        trailing = "a value with spaces needs quotes";
    }
    if (fault != NULL) {
        return fault;
    }
    return rest_is_empty(scan) ? NULL : trailing;
}

static const char *scan_setting(struct scan *scan, str *key, str *value)
{
    if ((size_t)(scan->end - scan->at) > CONFIG_LINE_BYTES_MAX) {
        return "the line is too long";
    }
    for (const char *c = scan->at; c < scan->end; c++) {
        if (is_control(*c)) {
            return "the line holds a control character";
        }
    }
    skip_export(scan);
    const char *fault = scan_key(scan, key);
    return fault != NULL ? fault : scan_value(scan, value);
}

/* Faults of the whole file, told once and then forgiven, so that the other lines are still checked.
 * `line` is the line to be read, without its line feed. */
static const char *file_fault(struct config_parse *parse, struct scan *line)
{
    if (parse->line == 1 &&
        str_starts(str_make(line->at, (size_t)(line->end - line->at)), S("\xef\xbb\xbf"))) {
        parse->next += 3;
        return "the file starts with a byte order mark: save it without one";
    }
    if (line->end > line->at && line->end[-1] == '\r') {
        line->end--;
        if (!parse->has_told_dos) {
            parse->has_told_dos = true;
            return "the file has DOS line ends: convert it, for example with sed -i 's/\\r$//'";
        }
    }
    return NULL;
}

enum config_line config_parse_next(struct config_parse *parse)
{
    while (parse->next < parse->end) {
        char *feed = memchr(parse->next, '\n', (size_t)(parse->end - parse->next));
        struct scan line = {parse->next, feed != NULL ? feed : parse->end};
        parse->key = parse->value = STR_NONE;
        parse->line += parse->is_again ? 0 : 1;
        parse->fault = file_fault(parse, &line);
        parse->is_again = parse->fault != NULL;
        if (parse->is_again) {
            return CONFIG_LINE_BAD;
        }
        parse->next = feed != NULL ? feed + 1 : parse->end;
        skip_blanks(&line);
        if (at_end(&line) || *line.at == '#') {
            continue;
        }
        parse->fault = scan_setting(&line, &parse->key, &parse->value);
        return parse->fault == NULL ? CONFIG_LINE_SETTING : CONFIG_LINE_BAD;
    }
    return CONFIG_LINE_END;
}
