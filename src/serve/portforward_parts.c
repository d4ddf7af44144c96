/* see portforward_parts.h: what a request asks for, and what is said when it cannot be had. */
#include "serve/portforward_parts.h"

#include "serve/upgrade.h"

bool forward_judge(struct http_exchange *exchange, bool is_tunnelled, bool *has_protocol)
{
    str list = STR_NONE;
    *has_protocol = http_exchange_header(exchange, S("x-stream-protocol-version"), &list);
    if (!is_tunnelled && !upgrade_is_to(exchange, S("SPDY/3.1"))) {
        serve_refuse(exchange, 400, NULL, "port-forward needs an upgrade to SPDY/3.1 or websocket");
        return false;
    }
    if (!is_tunnelled && *has_protocol &&
        !upgrade_offers(exchange, S("x-stream-protocol-version"), S("portforward.k8s.io"))) {
        serve_refuse(exchange, 403, "Forbidden",
                     "unable to upgrade: of X-Stream-Protocol-Version only portforward.k8s.io is "
                     "known");
        return false;
    }
    return true;
}

bool forward_find(struct serve *serve, struct http_exchange *exchange,
                  const struct serve_target *target, struct sock_addr *address)
{
    const struct serve_world *world = serve_world(serve);
    struct serve_pod pod;
    if (world->find_pod(world->owner, target->name_space, target->pod, target->uid, &pod) !=
        ERR_OK) {
        serve_refuse(exchange, 404, NULL, "pod \"%.*s/%.*s\" is not on this node",
                     STR_ARG(target->name_space), STR_ARG(target->pod));
        return false;
    }
    if (!pod.is_running || !sock_addr_parse(pod.address, 0, address)) {
        serve_refuse(exchange, 400, NULL, "pod \"%.*s/%.*s\" %s", STR_ARG(target->name_space),
                     STR_ARG(target->pod),
                     pod.has_ended ? "has ended" : "has no running instance with an address yet");
        return false;
    }
    return true;
}
