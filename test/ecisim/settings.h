/*
 * The settings of this ecisim, made from settings.def. They are read everywhere and written by
 * the command line and the control path only, so they are one plain global.
 */
#ifndef ECISIM_SETTINGS_H
#define ECISIM_SETTINGS_H

#include "tree.h"

#define SETTING_TEXT char *
#define SETTING_LONG long long
#define SETTING_REAL double
#define SETTING_BOOL long long
struct settings {
#define SETTING(name, type, initial, live, help) SETTING_##type name;
#include "settings.def"
#undef SETTING
};

extern struct settings settings;

void settings_start(void); /* the defaults */
void settings_free(void);
/* Remember the values of now; have the live ones again later. */
void settings_keep(void);
void settings_restore(void);
/*
 * Set one by its name ("scheduling_ms" or "scheduling-ms"). is_live: only those that may change
 * while we run. Returns NULL, or what is wrong.
 */
const char *settings_put(const char *name, const char *value, bool is_live);
bool settings_is_bool(const char *name);
void settings_help(void);           /* the option lines of --help */
void settings_write(struct jw *jw); /* all of them as members of an object */

#endif
