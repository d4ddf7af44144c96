/* see limits.h */
#include "app/limits.h"

#include "app/config.h"
#include "app/wire_webhook.h"
#include "serve/attach.h"
#include "serve/exec.h"
#include "serve/portforward.h"
#include "serve/serve_port.h"

static uint32_t at_most(uint32_t value, uint32_t max)
{
    return value < max ? value : max;
}

void limits_of_config(const struct config *config, struct limits *out)
{
    uint32_t connections =
        config->api_connections + config->cloud_connections + LIMITS_CONNECTIONS_OTHER;
    *out = (struct limits){
        .pods_max = config->pods_max,
        .groups_max = config->pods_max + config->pods_max / 8 + 64,
        .kube_calls_max = 4 * config->api_connections,
        .cloud_calls_max = config->cloud_connections,
        .event_writes_max = at_most(64 + config->pods_max / 64, 512),
    };
    out->timers_max = ATTACH_TIMERS + EXEC_TIMERS(config->exec_sessions) +
                      FORWARD_TIMERS(config->port_forward_sessions) +
                      HTTP_SERVER_TIMERS(SERVE_CONNS) + HTTP_SERVER_TIMERS(WEBHOOK_CONNS) +
                      4 * (out->kube_calls_max + out->cloud_calls_max + connections) +
                      LIMITS_TIMERS_OTHER;
}
