/*
 * config_parse.h - the file's syntax: a subset of what a shell would accept with the same meaning,
 * so an init script may source the same file.
 *
 *     # comment                      only spaces before the #
 *     KEY=value  # comment           a comment needs a space before its #
 *     export KEY='any text but a single quote'
 *     KEY="text with \" \\ \$ \` escaped"
 *     KEY=                           nothing: counts as not set
 *
 * Refused, because a shell would do something else: spaces around =, unquoted spaces, $ and ` that
 * a shell would expand, unquoted \ ; & | < > ( ) * ? [ { " ' and leading ~, text after a closing
 * quote, DOS line ends, a byte order mark. Comments may hold any bytes (any encoding), settings no
 * control characters. Pure; works in place: escapes are removed inside the given text.
 */
#ifndef ECILET_APP_CONFIG_PARSE_H
#define ECILET_APP_CONFIG_PARSE_H

#include "base/str.h"

#define CONFIG_LINE_BYTES_MAX 8192 /* an STS token is the longest value: 1 to 2 KiB */
#define CONFIG_KEY_BYTES_MAX 64    /* of any key, known or not; ours stay below 32 */

enum config_line {
    CONFIG_LINE_END,     /* no more lines */
    CONFIG_LINE_SETTING, /* key and value are set */
    CONFIG_LINE_BAD      /* fault says why; key is set if it could be read */
};

struct config_parse {
    char *next; /* unread text */
    char *end;
    uint32_t line;     /* number of the line just returned, from 1 */
    bool is_again;     /* the line is read a second time, its file fault forgiven */
    bool has_told_dos; /* DOS line ends are one fault, not one per line */
    str key;           /* upper-case letters, digits and _ only; empty when it was not */
    str value;         /* without quotes, unescaped */
    const char *fault; /* static text: never a part of the line */
};

/* `text` is changed while it is read; it must outlive key and value. */
void config_parse_init(struct config_parse *parse, char *text, size_t bytes);
/* The next line that is not blank or a comment. */
enum config_line config_parse_next(struct config_parse *parse);

#endif
