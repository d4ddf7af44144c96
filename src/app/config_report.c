/* see config_report.h */
#include "app/config_report.h"

#include <stdio.h>

#include "base/check.h"

void config_report_init(struct config_report *report, void *memory, size_t bytes_max)
{
    *report = (struct config_report){.counts = {0}};
    buf_init(&report->text, memory, bytes_max);
}

void config_report_add(struct config_report *report, enum config_severity severity,
                       const char *format, ...)
{
    static const char *const names[CONFIG_SEVERITY_COUNT] = {"error: ", "warning: ", "note: "};
    char line[CONFIG_REPORT_LINE_BYTES_MAX];
    va_list args;
    CHECK(severity < CONFIG_SEVERITY_COUNT);
    va_start(args, format);
    int bytes = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    CHECK(bytes >= 0);
    report->counts[severity]++;
    buf_put_fmt(&report->text, "%s%s\n", names[severity], line);
}
