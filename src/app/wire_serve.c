/*
 * wire_serve.c - the kubelet port gets what it needs: pods as the brain knows them, a certificate,
 * and whom to believe.
 *
 * The certificate comes from two files, or is made here: self-signed for the node's name and
 * address, valid for SERVING_LIFE_S, renewed at two thirds of that (API servers do not verify it
 * unless they were told to). The one before is kept for handshakes under way. Clients' certificates
 * must be of the cluster's own CA, as the kubeconfig gives it; without one only tokens count.
 */
#include "app/wire.h"
#include "app/wire_metrics.h"

#include "net/x509_write.h"
#include "os/os.h"

#define SERVING_LIFE_S (90 * 86400)
#define SERVING_EARLY_S 3600 /* clocks differ: it is valid from a little before now */
#define SERVING_LOOK_MS 60000

static int64_t wall_s(void)
{
    return os_wall_ms() / 1000;
}

/* ---- pods ------------------------------------------------------------------------------------ */

static void describe(const struct brain *brain, const struct pod *pod, struct serve_pod *out)
{
    const struct group *group = brain_group(brain, pod->group);
    *out = (struct serve_pod){
        .name_space = str_of(pod->name_space),
        .name = str_of(pod->name),
        .uid = str_of(pod->uid),
        .group_id = group != NULL ? str_of(group->id) : STR_NONE,
        .address = str_of(pod->past.pod_ips[0]),
        .is_running = group != NULL && (group->status == ECI_STATUS_RUNNING ||
                                        group->status == ECI_STATUS_TERMINATING),
        .has_ended = pod_phase_is_terminal(pod->phase),
        .started_unix_s = pod->past.started_at_s,
    };
}

static enum err find_pod(void *owner, str name_space, str name, str uid, struct serve_pod *out)
{
    const struct wire *wire = owner;
    const struct brain *brain = &wire->brain;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        bool is_it = pod->was_seen && pod->object != OBJECT_GONE &&
                     str_eq(str_of(pod->name), name) &&
                     str_eq(str_of(pod->name_space), name_space) &&
                     (str_is_empty(uid) || str_eq(str_of(pod->uid), uid));
        if (is_it) {
            describe(brain, pod, out);
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static bool next_pod(void *owner, uint32_t *at, struct serve_pod *out)
{
    const struct wire *wire = owner;
    const struct brain *brain = &wire->brain;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        if (h.slot >= *at && pod->was_seen && pod->object != OBJECT_GONE) {
            *at = h.slot + 1;
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
    const struct wire_serve *serve = &wire->serve;
    return serve->has_identity ? &serve->identities[serve->at] : NULL;
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

static enum err read_text(struct wire *wire, str path, str *out)
{
    struct buf text;
    char *memory = arena_take(wire->arena, WIRE_IDENTITY_BYTES);
    if (memory == NULL) {
        return ERR_FULL;
    }
    buf_init(&text, memory, WIRE_IDENTITY_BYTES);
    enum err err = os_file_read(path.ptr, &text);
    *out = buf_str(&text);
    return err;
}

static enum err load_files(struct wire *wire, struct arena *room, struct tls_identity *to)
{
    const struct config *config = wire->config;
    const char *why = "";
    str cert = STR_NONE, key = STR_NONE;
    size_t mark = arena_mark(wire->arena);
    enum err err = read_text(wire, config->kubelet_tls_cert_file, &cert);
    if (err == ERR_OK) {
        err = read_text(wire, config->kubelet_tls_key_file, &key);
    }
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "kubelet", "KUBELET_TLS_CERT_FILE, KUBELET_TLS_KEY_FILE: %s",
                 os_errno_text());
    } else {
        err = tls_identity_load(to, cert, key, room, &why);
        if (err != ERR_OK) {
            log_line(LOG_ERROR, "kubelet", "KUBELET_TLS_CERT_FILE, KUBELET_TLS_KEY_FILE: %s", why);
        }
    }
    explicit_bzero(wire->arena->ptr + mark, wire->arena->used - mark);
    arena_rewind(wire->arena, mark);
    return err;
}

static enum err make_own(struct wire *wire, struct arena *room, struct tls_identity *to)
{
    uint8_t seed[X509_WRITE_SEED_BYTES];
    str name = wire->config->node_name;
    const struct x509_wish wish = {.common_name = name,
                                   .dns_name = name,
                                   .address = str_of(wire->address),
                                   .not_before_s = wall_s() - SERVING_EARLY_S,
                                   .not_after_s = wall_s() + SERVING_LIFE_S};
    os_random(seed, sizeof seed);
    enum err err = x509_write_identity(&wish, seed, room, to);
    explicit_bzero(seed, sizeof seed);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "kubelet", "no certificate could be made: %s", err_text(err));
    }
    return err;
}

static bool has_files(const struct wire *wire)
{
    return !str_is_empty(wire->config->kubelet_tls_cert_file);
}

static uint64_t stamp_of(const struct wire *wire)
{
    return os_file_stamp(wire->config->kubelet_tls_cert_file.ptr) * 31 +
           os_file_stamp(wire->config->kubelet_tls_key_file.ptr);
}

static bool is_due(const struct wire *wire)
{
    const struct wire_serve *serve = &wire->serve;
    if (!serve->has_identity) {
        return true;
    }
    if (has_files(wire)) {
        return stamp_of(wire) != serve->stamp;
    }
    return wall_s() > serve->identities[serve->at].not_after_s - SERVING_LIFE_S / 3;
}

/* The new one into the room of the one before the current one. */
static void renew(struct wire *wire)
{
    struct wire_serve *serve = &wire->serve;
    uint32_t next = serve->has_identity ? 1 - serve->at : 0;
    struct arena room;
    struct tls_identity *to = &serve->identities[next];
    uint64_t stamp = has_files(wire) ? stamp_of(wire) : 0;
    arena_init(&room, serve->rooms[next], WIRE_IDENTITY_BYTES);
    http_server_refresh(&serve->port.server); /* handshakes with the one before begin anew */
    enum err err = has_files(wire) ? load_files(wire, &room, to) : make_own(wire, &room, to);
    if (err == ERR_OK) {
        serve->at = next;
        serve->has_identity = true;
        serve->stamp = stamp;
    }
}

static void on_look(struct loop_timer *timer)
{
    struct wire *wire = timer->owner;
    if (is_due(wire)) {
        renew(wire);
    }
    loop_timer_set(wire->loop, timer, wire_now_ms(wire) + SERVING_LOOK_MS);
}

/* ---- start and stop -------------------------------------------------------------------------- */

void kubelet_init(struct wire *wire, struct region *region)
{
    struct wire_serve *serve = &wire->serve;
    struct serve_config config = {
        .world = {.owner = wire,
                  .loop = wire->loop,
                  .arena = wire->arena,
                  .cloud = &wire->cloud,
                  .api = &wire->calls,
                  .node_name = wire->config->node_name,
                  .find_pod = find_pod,
                  .next_pod = next_pod,
                  .put_metrics = wire_put_metrics,
                  .wall_s = wall_s,
                  .logs = &serve->logs,
                  .stats = &serve->stats},
        .address = {.port = (uint16_t)wire->config->kubelet_port},
        .identity = identity,
        .clients = clients,
    };
    /* All addresses of the family that the node's has: a gateway may be reached by another one. */
    config.address.family = str_find_char(wire->config->vkubelet_pod_ip, ':') >= 0 ? 6 : 4;
    serve->rooms[0] = region_carve(region, "kubelet port: certificate", 1, WIRE_IDENTITY_BYTES);
    serve->rooms[1] = region_carve(region, "kubelet port: certificate", 1, WIRE_IDENTITY_BYTES);
    tls_verifiers_init(&serve->verifiers, region, SERVE_CONNS);
    serve->clients = (struct tls_trust){.verifiers = &serve->verifiers, .wall_s = wall_s};
    serve_init(&serve->port, region, &config);
    logs_init(&serve->logs, &serve->port.world, region, os_now_ms());
    stats_init(&serve->stats, &serve->port.world, region, wire->limits.pods_max, os_now_ms());
    loop_timer_init(&serve->timer, on_look, wire);
}

/* Without it the node still works: pods run, only kubectl logs and the like do not. */
void kubelet_start(struct wire *wire)
{
    struct wire_serve *serve = &wire->serve;
    renew(wire);
    loop_timer_set(wire->loop, &serve->timer, os_now_ms() + SERVING_LOOK_MS);
    if (serve_start(&serve->port) != ERR_OK) {
        log_line(LOG_WARN, "kubelet", "KUBELET_PORT %u: %s; kubectl logs and exec will not work",
                 wire->config->kubelet_port, os_errno_text());
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
    for (uint32_t i = 0; i < 2; i++) {
        tls_identity_wipe(&wire->serve.identities[i]);
    }
}
