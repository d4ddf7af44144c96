/*
 * attach.h - kubectl attach: what a container writes from now on. The cloud has no attach, so the
 * output comes from its logs, read again and again (DescribeContainerLog, eci-api 2.5): late by
 * ATTACH_POLL_MS at most while lines come, standard output and error in one. Input to the main
 * process of a container is impossible there, and asking for it is refused (400).
 *
 * What is new in a reading is what follows the last line that was shown; lines carry the time they
 * were written, to the nanosecond. When that line has left the cloud's window, a line says that
 * some were lost. The session ends when the pod does, or its client goes.
 *
 * Limits: ATTACH_SESSIONS at once (429); a reading of ATTACH_TEXT_BYTES.
 */
#ifndef ECILET_SERVE_ATTACH_H
#define ECILET_SERVE_ATTACH_H

#include "eci/eci_call.h"
#include "serve/serve.h"

#define ATTACH_SESSIONS 8
#define ATTACH_POLL_MS 2000
#define ATTACH_SLOWER 5 /* times as long, at most, while nothing is written */
#define ATTACH_TEXT_BYTES (128 * 1024)
#define ATTACH_LINES 1000
#define ATTACH_TIMERS (2 * ATTACH_SESSIONS) /* of the loop */

struct attach_config {
    struct loop *loop;
    struct eci_client *cloud;
    msec poll_ms; /* ATTACH_POLL_MS; tests are less patient */
};

/* Carves the sessions (about 200 KiB each, touched only in use). */
void attach_init(struct region *region, const struct attach_config *config);
uint32_t attach_open(void);

/* GET and POST /attach/{namespace}/{pod}[/{uid}]/{container} */
void attach_serve(struct serve *serve, struct http_exchange *exchange,
                  const struct serve_target *target);

#endif
