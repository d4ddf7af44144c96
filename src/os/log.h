/*
 * log.h - one line per event to stderr, never blocking, never allocating.
 *
 *     2026-01-02T03:04:05.678Z info  pod     web/nginx-1: create sent, attempt 0
 *
 * When the reader of stderr is slow, lines wait in a fixed ring; when that is full, lines are
 * dropped and counted, and a line says how many as soon as there is room. Control characters and
 * invalid UTF-8 are escaped. Secrets never reach a log: log_hide() registers texts that are
 * replaced by *** in every line.
 */
#ifndef ECILET_OS_LOG_H
#define ECILET_OS_LOG_H

#include "base/region.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define LOG_LINE_BYTES_MAX 1024 /* longer lines end in "..." */
#define LOG_HIDDEN_MAX 16       /* registered secrets; old ones make room */

struct loop;

/* Before log_init lines go straight to stderr. */
void log_init(struct region *region, size_t ring_bytes);
/* Waits for stderr in the loop instead of retrying on each line. */
void log_attach(struct loop *loop);
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);
void log_hide(str secret); /* texts shorter than 6 bytes are ignored */
void log_flush(msec wait_max_ms);
uint64_t log_dropped(void);

void log_line(enum log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
