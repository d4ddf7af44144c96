/*
 * config_gather.h - collects the texts of all sources: which key was set, where, to what. What the
 * texts mean is config_value's business.
 */
#ifndef ECILET_APP_CONFIG_GATHER_H
#define ECILET_APP_CONFIG_GATHER_H

#include "app/config_key.h"

struct config_setting {
    str text; /* borrowed: scratch, environment or argv; empty = not set */
    struct config_origin origin;
    str path;           /* of the file, when given as KEY_FILE */
    bool is_file_form;  /* given as KEY_FILE: text is the path until it has been read */
    const char *option; /* of the command line: "--nodename" */
    bool was_seen;      /* in some source, even if empty: a second one there is a duplicate */
    bool is_bad;        /* was reported already; text is empty */
};

struct config_gather {
    const struct config_source *source;
    struct arena *scratch;
    struct config_report *report;
    str file;               /* the file that was read; empty: none. Borrowed from the source */
    bool file_holds_secret; /* in clear, not as KEY_FILE */
    struct config_setting settings[CONFIG_KEYS_MAX]; /* by row */
};

/*
 * Fills settings from file, environment and command line, the later ones winning, and reads the
 * files named by KEY_FILE. Problems go to the report.
 */
void config_gather(struct config_gather *gather);

#define CONFIG_WHERE_BYTES 2048 /* two paths, a key, an option */

/* Where a setting stands, for messages; NUL-terminated, borrowed from `where`:
 *     /etc/ecilet/ecilet.conf:12: ECI_REGION
 *     environment: ECI_SECRET_KEY_FILE (/run/secrets/key)
 *     command line: --nodename */
const char *config_where(const struct config_gather *gather, const struct config_key *row,
                         const struct config_setting *setting,
                         char where[static CONFIG_WHERE_BYTES]);

#endif
