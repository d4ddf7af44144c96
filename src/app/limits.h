/*
 * limits.h - every capacity of the program: its unit, why it is so large, what happens when it is
 * full. When memory or budgets run short the order of shedding is: log lines, metrics, new creates;
 * never the lease, never deletes.
 *
 * 1. Counts that follow from the configuration: struct limits, computed once at start.
 * 2. Constants of the whole program: here.
 * 3. Constants of one module stay with it and are only listed here.
 *
 *   constant               where               unit           when full
 *   ---------------------  ------------------  -------------  ----------------------------
 *   REGION_ROWS_MAX        base/region.h       budget rows    CHECK at start
 *   TRACE_RECORDS_MAX      base/trace.h        records        the oldest is overwritten
 *   JSON_DEPTH_MAX         data/json_read.h    levels         the document is refused
 *   JSON_WRITE_DEPTH_MAX   data/json_write.h   levels         the writer turns bad: a bug
 *   PARAMS_MAX             data/params.h       parameters     the pod is refused: event
 *   YAML_*_MAX             data/yaml_read.h    bytes, levels  the file is refused
 *   LOG_*_MAX, LOG_RING_*  data/log_lines.h    lines, bytes   a gap is marked in the stream
 *   LOGS_*_MAX, LOGS_*_MS  serve/logs.h       see there      503, or waits its turn
 *   STATS_*_MAX            serve/stats.h      see there      503, or left out and counted
 *   ECI_*_MAX              data/group_rows.h   see there      that row is skipped, counted
 *   SPEC_*_MAX             spec/verdict.h      findings       counted; the first are shown
 *   ECI_*_MAX, TAG*_MAX    spec/               see there      the pod is refused: event
 *   PROFILE_*_MAX, _BYTES  spec/profile.h      see there      the profile is refused: event
 *   MUTATE_PATCH_BYTES     spec/mutate.h       bytes          the pod is admitted unchanged
 *   ANNOTATION_*_MAX       spec/annotation.h   see there      the pod is refused: event
 *   SPEC_FILES_MAX         spec/files_read.h   files          the pod is refused: event
 *   SPEC_REFS_MAX          spec/spec_refs.h    objects        the pod is refused: event
 *   SERVICE_ENV_MAX        spec/service_env.h  variables      none is set: event
 *   SPEC_SERVICES_*        spec/spec_refs.h    services       more pages; then none is set: event
 *   WAIT_LOOKS_PER_S       core/brain_in.h     looks          pods that wait look less often
 *   EXPAND_BYTES_MAX       spec/expand.h       bytes          the pod is refused: event
 *   POD_*_BYTES            core/brain.h        bytes          unreadable pod: event
 *   BRAIN_EVENTS_MAX       core/brain.h        events         the oldest is dropped
 *   CAPACITY_*             core/capacity.h     see there      the node shows less room
 *   READ_BATCH_MAX         core/brain.h        ids            the rest: next read
 *   LOOP_EVENTS_MAX        os/loop.h           descriptors    the rest: next turn
 *   LOG_LINE_BYTES_MAX     os/log.h            bytes          the line ends in ...
 *   LOG_HIDDEN_MAX         os/log.h            secrets        the oldest makes room
 *   HEAP_BYTES_RESERVED    os/heap.h           bytes          ERR_NO_MEMORY
 *   RESOLVE_*_MAX          os/resolve.h        see there      further ones are ignored
 *   HTTP_HEAD_BYTES_MAX    net/http_client.h   bytes          ERR_BAD_REPLY, that call
 *   HTTP_SERVER_*          net/http_server.h   see there      the peer is refused or closed
 *   TLS_*, X509_*          net/                see there      the certificate is refused
 *   KUBE_OBJECT_BYTES_MAX  kube/watch.h        bytes          OBJECT_BYTES_MAX replaces it
 *   KUBE_CLIENTS_MAX       kube/auth.h         clients        CHECK at start
 *   KUBE_TOKEN_BYTES_MAX   kube/auth.h         bytes          the credentials are refused
 *   KUBE_EVENT_*_MAX       kube/event.h        bytes          the text is cut
 *   ECI_KEY_BYTES          eci/eci_call.h      bytes          new keys refused, old stay
 *   WEBSOCKET_*, SPDY_*    net/                see there      that session ends, or waits
 *   ECI_EXEC_*             eci/eci_exec.h      see there      that command is refused, or waits
 *   REMOTE_*, FORWARD_*    serve/              see there      that session waits, or ends
 *   ATTACH_*               serve/attach.h      see there      429; lines are lost, a line says so
 *   EXEC_SESSIONS          app/config.def      sessions       429 (PORT_FORWARD_SESSIONS, too)
 *   CONFIG_*_MAX           app/config.h        see there      an error with file and line
 *   NAMESPACES_MAX         app/namespaces.h    namespaces     further ones have no labels
 *   NAMESPACES_LATE_MAX    app/namespaces.h    namespaces     further ones wait for their turn
 *   NAMESPACE_LABEL_BYTES  app/namespaces.h    bytes          later labels are left out
 *   PROFILE_*_BYTES        app/wire_profile.h  bytes          told; the last profile stays
 *   EXPLAIN_*              app/explain.h       see there      the manifest is refused
 *   CLI_*_MAX              app/cli.h           words, files   the command line is refused
 *   SERVE_*                serve/serve_port.h  see there      503, or the oldest is forgotten
 *   LISTS_MAX              serve/serve_pods.c  answers        503
 *   X509_WRITE_BYTES       net/x509_write.h    bytes          ERR_FULL: no certificate, told
 *   TLS_KEEP_BYTES         net/tls_keep.h      bytes          told; the set in use stays
 *   STATUS_*               app/wire_status.c   see there      the rest is counted, not shown
 *   WEBHOOK_*              app/wire_webhook.h  see there      as each one says
 *   WEBHOOK_*_BYTES        admit/webhook_*.h   bytes          told; the old stays in use
 *   CRASH_*                os/crash.h          see there      what is beyond is not remembered
 *   UNINSTALL_*            app/uninstall.h     see there      as each one says
 *   WIRE_*                 app/wire.h          see there      as each one says
 */
#ifndef ECILET_LIMITS_H
#define ECILET_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct config;

/* Each with its formula, its reason, and what happens when it is full. */
struct limits {
    /* PODS_MAX. Full: the pod is not taken; an event says so, and the pods are listed again when a
     * slot is free. */
    uint32_t pods_max;
    /* pods_max + 1/8 + 64: orphans and the leftovers of earlier attempts need slots until they are
     * deleted. Full: the row is not taken, so its sweep counts as incomplete and proves nothing. */
    uint32_t groups_max;
    /* What the brain has under way at the API server: 4 * API_CONNECTIONS, so that a connection
     * that becomes free finds the next request waiting. Full: the effect stays in its queue. */
    uint32_t kube_calls_max;
    /* Calls to the cloud under way: CLOUD_CONNECTIONS. Full: the effect stays in its queue; creates
     * leave a quarter free for deletes and reads. */
    uint32_t cloud_calls_max;
    /* Events for people, remembered to count repetitions: 64 + pods_max/64, at most 512 (half
     * a KiB to 2 KiB each, as their texts are). Full: the least recently used makes room; the pod's
     * status says the same. */
    uint32_t event_writes_max;
    /* Timers of the loop: those of exec and port-forward sessions, four per call and connection
     * (deadline, back-off, idleness, the library's own), and LIMITS_TIMERS_OTHER. Never full: one
     * more would be a bug (CHECKed by due_set). */
    uint32_t timers_max;
};

void limits_of_config(const struct config *config, struct limits *out);

/* Connections with a purpose of their own: the two leases, the watches of the pods, of the node, of
 * the eci-profile and of the namespaces. */
#define LIMITS_CONNECTIONS_OTHER 7
/* Timers that belong to no call and no connection: lease, node status, polls, wake-up, reserve. */
#define LIMITS_TIMERS_OTHER 128
/* Lines of the log waiting for a slow reader. Full: lines are dropped, counted and told later. */
#define LIMITS_LOG_RING_BYTES (64 * 1024)
/* Smallest ARENA_BYTES per byte of OBJECT_BYTES_MAX: the tokens of a usual object take 2.5 times
 * its size, its patch and its request one more. A stranger object fails alone (ERR_FULL). */
#define LIMITS_ARENA_PER_OBJECT 4

#endif
