/* see config_report.h */
#include "app/config_report.h"

#include <stdio.h>

#include "base/check.h"
#include "os/log.h"

static const struct {
    const char *prefix;
    enum log_level level;
} severities[CONFIG_SEVERITY_COUNT] = {
    [CONFIG_ERROR] = {"error: ", LOG_ERROR},
    [CONFIG_WARNING] = {"warning: ", LOG_WARN},
    [CONFIG_NOTE] = {"note: ", LOG_INFO},
};

void config_report_init(struct config_report *report, void *memory, size_t bytes_max)
{
    *report = (struct config_report){.counts = {0}};
    buf_init(&report->text, memory, bytes_max);
}

void config_report_add(struct config_report *report, enum config_severity severity,
                       const char *format, ...)
{
    char line[CONFIG_REPORT_LINE_BYTES_MAX];
    va_list args;
    CHECK(severity < CONFIG_SEVERITY_COUNT);
    if (severity == CONFIG_WARNING && report->skips_warnings) {
        return;
    }
    va_start(args, format);
    int bytes = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    CHECK(bytes >= 0);
    report->counts[severity]++;
    buf_put_fmt(&report->text, "%s%s\n", severities[severity].prefix, line);
}

void config_report_log(const struct config_report *report)
{
    str rest = buf_str(&report->text);
    str line;
    while (str_cut(&rest, '\n', &line)) {
        for (uint32_t i = 0; i < CONFIG_SEVERITY_COUNT; i++) {
            str prefix = str_of(severities[i].prefix);
            if (str_starts(line, prefix)) {
                str told = str_sub(line, prefix.bytes, line.bytes);
                log_line(severities[i].level, "config", "%.*s", STR_ARG(told));
            }
        }
    }
}
