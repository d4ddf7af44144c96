/*
 * wire_streams.c - the long sessions of the kubelet port get what they need: exec the cloud and
 * whom to believe there, port-forward its room.
 */
#include "app/wire.h"
#include "serve/attach.h"
#include "serve/exec.h"
#include "serve/portforward.h"

#include "os/os.h"

/* Handshakes with the cloud's terminals at once; one more fails with ERR_FULL and is told so. */
#define STREAMS_HANDSHAKES 8

/* The anchors are loaded later, by wire_start(); without any (a http:// endpoint) a terminal that
 * wants TLS is told that nobody can check it. */
void streams_init(struct wire *wire, struct region *region)
{
    const struct config *config = wire->config;
    tls_verifiers_init(&wire->cloud_verifiers, region, STREAMS_HANDSHAKES);
    const struct exec_config exec = {.loop = wire->loop,
                                     .cloud = &wire->cloud,
                                     .arena = wire->arena,
                                     .trust = &wire->cloud_trust,
                                     .framing = config->exec_framing,
                                     .sessions_max = config->exec_sessions};
    exec_init(region, &exec);
    const struct attach_config attach = {
        .loop = wire->loop, .cloud = &wire->cloud, .poll_ms = ATTACH_POLL_MS};
    attach_init(region, &attach);
    forward_init(region, wire->loop, config->port_forward_sessions);
}

void streams_start(struct wire *wire)
{
    wire->cloud_trust = (struct tls_trust){
        .anchors = wire->anchors, .verifiers = &wire->cloud_verifiers, .wall_s = os_wall_s};
}
