/*
 * wire_serve.c - the kubelet port gets what it needs: pods as the brain knows them, a certificate,
 * and whom to believe.
 *
 * The certificate comes from two files, or is made here for the node's name and address
 * (net/tls_keep.h); API servers do not verify it unless they were told to. Clients' certificates
 * must be of the cluster's own CA, as the kubeconfig gives it; without one only tokens count.
 */
#include "app/wire.h"
#include "app/wire_metrics.h"

#include <errno.h>
#include <string.h>

#include "app/ports.h"
#include "os/os.h"

#define SERVING_LOOK_MS 60000 /* between looks at the certificate's files and dates */

/* ---- pods ------------------------------------------------------------------------------------ */

static void describe(const struct brain *brain, const struct pod *pod, struct serve_pod *out)
{
    const struct group *group = brain_instance(brain, pod);
    /* Of one that nobody has asked the cloud about, the pod's status tells: we wait to lead. */
    bool is_unasked = group != NULL && group->row_hash == 0 && !group->is_hidden;
    *out = (struct serve_pod){
        .name_space = str_of(pod->name_space),
        .name = str_of(pod->name),
        .uid = str_of(pod->uid),
        .group_id = group != NULL ? str_of(group->id) : STR_NONE,
        .address = str_of(pod->past.pod_ips[0]),
        .is_running = group != NULL && (group->status == ECI_STATUS_RUNNING ||
                                        group->status == ECI_STATUS_TERMINATING ||
                                        (is_unasked && pod->phase == POD_PHASE_RUNNING)),
        .has_ended = pod_phase_is_terminal(pod->phase),
        .started_unix_s = pod->past.started_at_s,
    };
}

static enum err find_pod(void *owner, str name_space, str name, str uid, struct serve_pod *out)
{
    const struct wire *wire = owner;
    const struct pod *pod = brain_find_named(&wire->brain, name_space, name, uid);
    if (pod == NULL) {
        return ERR_NOT_FOUND;
    }
    describe(&wire->brain, pod, out);
    return ERR_OK;
}

static bool next_pod(void *owner, uint32_t *at, struct serve_pod *out)
{
    const struct wire *wire = owner;
    const struct brain *brain = &wire->brain;
    /* On from the slot of the last one: from the first each time, ten thousand pods would take a
     * tenth of a second. */
    for (handle h = pool_after(&brain->pods, (handle){.slot = *at}); !handle_is_none(h);
         h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        if (pod->was_seen && pod->object != OBJECT_GONE) {
            *at = h.slot;
            describe(brain, pod, out);
            return true;
        }
    }
    return false;
}

/* ---- the certificate ------------------------------------------------------------------------- */

static const struct tls_identity *identity(void *owner)
{
    const struct serve *port = owner;
    const struct wire *wire = port->world.owner;
    const struct tls_set *set = tls_keep_current(&wire->serve.keep);
    return set != NULL ? &set->identity : NULL;
}

static const struct tls_trust *clients(void *owner)
{
    const struct serve *port = owner;
    struct wire *wire = port->world.owner;
    const struct tls_trust *cluster = kube_auth_cluster_ca(&wire->auth);
    if (cluster == NULL) {
        return NULL;
    }
    /* The same anchors, but handshake memory of our own: slow peers must not keep the connections
     * to the API server from theirs. */
    wire->serve.clients.anchors = cluster->anchors;
    return &wire->serve.clients;
}

/* Handshakes that look at the certificate before the current one begin anew. */
static void on_prepare(void *owner)
{
    struct wire *wire = owner;
    http_server_refresh(&wire->serve.port.server);
}

static void look(struct wire *wire)
{
    str name = wire->config->node_name;
    const struct x509_wish wish = {
        .common_name = name, .dns_name = name, .address = str_of(wire->address)};
    if (tls_keep_look(&wire->serve.keep, &wish, os_wall_s(), wire->arena)) {
        tls_keep_swap(&wire->serve.keep);
    }
}

static void on_look(struct loop_timer *timer)
{
    struct wire *wire = timer->owner;
    look(wire);
    loop_timer_set(wire->loop, timer, wire_now_ms(wire) + SERVING_LOOK_MS);
}

/* ---- start and stop -------------------------------------------------------------------------- */

void kubelet_init(struct wire *wire, struct region *region)
{
    struct wire_serve *serve = &wire->serve;
    const struct serve_config config = {
        .world = {.owner = wire,
                  .loop = wire->loop,
                  .arena = wire->arena,
                  .cloud = &wire->cloud,
                  .api = &wire->calls,
                  .node_name = wire->config->node_name,
                  .find_pod = find_pod,
                  .next_pod = next_pod,
                  .put_metrics = wire_put_metrics,
                  .wall_s = os_wall_s,
                  .logs = &serve->logs,
                  .stats = &serve->stats},
        .address = {.port = (uint16_t)wire->config->kubelet_port},
        .identity = identity,
        .clients = clients,
    };
    const struct tls_keep_config keep = {
        .name = "kubelet",
        .files = "KUBELET_TLS_CERT_FILE, KUBELET_TLS_KEY_FILE",
        .chain_path = wire->config->kubelet_tls_cert_file.ptr,
        .key_path = wire->config->kubelet_tls_key_file.ptr,
        .must_have_files = true,
        .on_prepare = on_prepare,
        .owner = wire,
    };
    tls_keep_init(&serve->keep, region, &keep);
    tls_verifiers_init(&serve->verifiers, region, SERVE_CONNS);
    serve->clients = (struct tls_trust){.verifiers = &serve->verifiers, .wall_s = os_wall_s};
    serve_init(&serve->port, region, &config);
    logs_init(&serve->logs, &serve->port.world, region, os_now_ms());
    stats_init(&serve->stats, &serve->port.world, region, wire->limits.pods_max, os_now_ms());
    loop_timer_init(&serve->timer, on_look, wire);
}

/* Without it the node still works: pods run, only kubectl logs and the like do not. */
void kubelet_start(struct wire *wire)
{
    struct wire_serve *serve = &wire->serve;
    look(wire);
    loop_timer_set(wire->loop, &serve->timer, os_now_ms() + SERVING_LOOK_MS);
    if (serve_start(&serve->port, ports_family(wire->address)) != ERR_OK) {
        log_line(LOG_WARN, "kubelet", "KUBELET_PORT %u: %s; kubectl logs and exec will not work",
                 wire->config->kubelet_port, strerror(errno));
    }
    if (kube_auth_cluster_ca(&wire->auth) == NULL) {
        log_line(LOG_WARN, "kubelet",
                 "the kubeconfig names no certificate-authority: the API server's client "
                 "certificate cannot be judged, so kubectl logs and exec will not work");
    }
}

void kubelet_stop(struct wire *wire)
{
    serve_stop(&wire->serve.port);
    tls_keep_wipe(&wire->serve.keep);
}
