/*
 * config_report.h - problems and remarks about the configuration, one line each:
 *
 *     error: /etc/ecilet/ecilet.conf:12: ECI_VSWICH: unknown key; did you mean ECI_VSWITCH?
 *     warning: environment: ECI_QOUTA_POD: unknown variable, ignored; did you mean ECI_QUOTA_POD?
 *     note: ECI_SECRET_KEY changed
 *
 * All are collected before anything is decided, so that one run tells everything.
 */
#ifndef ECILET_APP_CONFIG_REPORT_H
#define ECILET_APP_CONFIG_REPORT_H

#include "base/buf.h"

#define CONFIG_REPORT_LINE_BYTES_MAX 1024 /* longer lines are cut */
#define CONFIG_REPORT_BYTES (16 * 1024)   /* room for a file that is wrong everywhere */

enum config_severity { CONFIG_ERROR, CONFIG_WARNING, CONFIG_NOTE, CONFIG_SEVERITY_COUNT };

struct config_report {
    struct buf text; /* whole lines; when it is full further ones are dropped but counted */
    uint32_t counts[CONFIG_SEVERITY_COUNT];
    bool skips_warnings; /* neither kept nor counted: they were told before */
};

/* The memory is the caller's. */
void config_report_init(struct config_report *report, void *memory, size_t bytes_max);

void config_report_add(struct config_report *report, enum config_severity severity,
                       const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Each line into the log, errors as errors, warnings as warnings, notes as information. */
void config_report_log(const struct config_report *report);

#endif
