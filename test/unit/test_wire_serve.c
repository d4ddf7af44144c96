/*
 * app/wire_serve: which pods the kubelet port sees, its certificate, whom it believes. The port
 * itself, its parts and the loop are played by the test.
 */
#include "unit.h"

#include <stdlib.h>

#include "app/wire.h"
#include "app/wire_metrics.h"
#include "net_certs.h"
#include "os/os.h"

#define LIFE_S (90 * 86400)

static _Alignas(64) char region_memory[64 << 20];
static char arena_memory[256 * 1024];

static struct wire wire;
static struct config config;
static struct region region;
static struct arena arena;
static struct loop loop;
static struct serve_config given; /* to serve_init() */
static struct tls_trust cluster;
static bool has_cluster;
static enum err start_err;
static uint8_t family_given;
static uint32_t refreshed, stopped;
static char folder[] = "/tmp/test_wire_serve.XXXXXX";
static char cert_path[64], key_path[64];

/* ---- what it stands on ----------------------------------------------------------------------- */

void serve_init(struct serve *serve, struct region *to, const struct serve_config *as)
{
    (void)to;
    given = *as;
    serve->world = as->world;
}

enum err serve_start(struct serve *serve, uint8_t family)
{
    (void)serve;
    family_given = family;
    return start_err;
}

void serve_stop(struct serve *serve)
{
    (void)serve;
    stopped++;
}

void http_server_refresh(struct http_server *server)
{
    (void)server;
    refreshed++;
}

void logs_init(struct logs *logs, const struct serve_world *world, struct region *to, msec now_ms)
{
    (void)logs;
    (void)world;
    (void)to;
    (void)now_ms;
}

void stats_init(struct stats *stats, const struct serve_world *world, struct region *to,
                uint32_t pods_max, msec now_ms)
{
    (void)stats;
    (void)world;
    (void)to;
    (void)pods_max;
    (void)now_ms;
}

void wire_put_metrics(void *owner, struct buf *out)
{
    (void)owner;
    (void)out;
}

msec wire_now_ms(const struct wire *of)
{
    return of->loop->now_ms;
}

const struct tls_trust *kube_auth_cluster_ca(const struct kube_auth *auth)
{
    (void)auth;
    return has_cluster ? &cluster : NULL;
}

/* ---- fixture --------------------------------------------------------------------------------- */

static int begin(void **state)
{
    (void)state;
    const struct brain_config brain = {
        .pods_max = 10, .groups_max = 20, .poll_fast_ms = 1, .poll_slow_ms = 1, .sweep_ms = 1,
        .absence_ms = 1, .absence_sweeps = 1, .young_ms = 1, .brake_percent = 1, .brake_min = 1,
        .create_per_minute = 1, .delete_per_minute = 1, .describe_per_minute = 1,
        .status_per_minute = 1, .cloud_calls_max = 4, .kube_calls_max = 4, .seed = 1};
    memset(&wire, 0, sizeof wire);
    memset(&loop, 0, sizeof loop);
    memset(region_memory, 0, sizeof region_memory);
    region_init(&region, region_memory, sizeof region_memory);
    arena_init(&arena, arena_memory, sizeof arena_memory);
    due_init(&loop.timers, &region, "timers", 8);
    loop.now_ms = 1000;
    config = (struct config){
        .node_name = S("vk"), .kubelet_port = 10250, .vkubelet_pod_ip = S("192.0.2.7")};
    has_cluster = true;
    start_err = ERR_OK;
    family_given = 0;
    refreshed = stopped = 0;
    wire.config = &config;
    wire.loop = &loop;
    wire.arena = &arena;
    (void)str_copy(wire.address, sizeof wire.address, S("192.0.2.7"));
    brain_init(&wire.brain, &brain, &region, 1000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(arena.used, 0);
    return 0;
}

static void start(void)
{
    kubelet_init(&wire, &region);
    kubelet_start(&wire);
}

/* What the port shows to peers now. */
static const struct tls_identity *shown(void)
{
    return given.identity(&wire.serve.port);
}

static void look(void)
{
    wire.serve.timer.on_due(&wire.serve.timer);
}

static void use_files(const char *cert, const char *key)
{
    if (cert_path[0] == '\0') {
        assert_non_null(mkdtemp(folder));
        (void)snprintf(cert_path, sizeof cert_path, "%s/tls.crt", folder);
        (void)snprintf(key_path, sizeof key_path, "%s/tls.key", folder);
    }
    unit_put_file(cert_path, str_of(cert));
    unit_put_file(key_path, str_of(key));
    config.kubelet_tls_cert_file = str_of(cert_path);
    config.kubelet_tls_key_file = str_of(key_path);
}

/* ---- the certificate ------------------------------------------------------------------------- */

static void test_own_certificate(void **state)
{
    (void)state;
    start();
    const struct tls_identity *identity = shown();
    assert_non_null(identity);
    assert_string_equal(identity->name, "vk");
    assert_int_equal(identity->key_type, BR_KEYTYPE_EC);
    int64_t now_s = os_wall_ms() / 1000;
    assert_in_range(identity->not_after_s - now_s, LIFE_S - 3600, LIFE_S + 3600);
    assert_true(identity->not_before_s < now_s);
    assert_int_equal(given.address.port, 10250);
    assert_int_equal(family_given, 4);
    kubelet_stop(&wire);
    assert_int_equal(stopped, 1);
    assert_int_equal(identity->chain_count, 0); /* wiped */
}

static void test_renewal_at_two_thirds_of_its_life(void **state)
{
    (void)state;
    start();
    const struct tls_identity *first = shown();
    uint32_t before = refreshed;
    look();
    assert_ptr_equal(shown(), first);
    assert_int_equal(refreshed, before);
    int64_t now_s = os_wall_ms() / 1000;
    struct tls_identity *used = &wire.serve.keep.sets[wire.serve.keep.at].identity;
    used->not_before_s = now_s - 2 * LIFE_S / 3 - 60;
    used->not_after_s = now_s + LIFE_S / 3 - 60;
    look();
    assert_ptr_not_equal(shown(), first);
    assert_int_equal(refreshed, before + 1); /* handshakes with the one before the last are cut */
    assert_true(shown()->not_after_s > now_s + LIFE_S / 2);
    assert_true(first->chain_count > 0); /* handshakes under way may still look at it */
    assert_int_equal(loop.timers.count, 1);
}

static void test_files(void **state)
{
    (void)state;
    use_files(net_cert("server_ec.crt"), net_cert("server_ec.key"));
    start();
    assert_non_null(shown());
    assert_string_equal(shown()->name, "kube-apiserver");
    const struct tls_identity *first = shown();
    look(); /* nothing has changed */
    assert_ptr_equal(shown(), first);
    use_files(net_cert("client_ec.crt"), net_cert("client_ec.key"));
    look();
    assert_ptr_not_equal(shown(), first);
    assert_string_equal(shown()->name, "kubernetes-admin");
}

/* Half-written, or of two pairs: the one before stays in use, and it is tried again. */
static void test_files_that_are_no_good(void **state)
{
    (void)state;
    use_files(net_cert("server_ec.crt"), net_cert("server_ec.key"));
    start();
    const struct tls_identity *first = shown();
    use_files("-----BEGIN CERTIFICATE-----\n", net_cert("server_ec.key"));
    look();
    assert_ptr_equal(shown(), first);
    use_files(net_cert("client_ec.crt"), net_cert("server_ec.key"));
    look();
    assert_ptr_equal(shown(), first);
    assert_int_equal(unlink(key_path), 0);
    look();
    assert_ptr_equal(shown(), first);
    use_files(net_cert("client_ec.crt"), net_cert("client_ec.key"));
    look();
    assert_string_equal(shown()->name, "kubernetes-admin");
}

static void test_no_files_at_the_start(void **state)
{
    (void)state;
    use_files("", "");
    assert_int_equal(unlink(cert_path), 0);
    assert_int_equal(unlink(key_path), 0);
    start();
    assert_null(shown()); /* no connection is accepted */
    use_files(net_cert("server_ec.crt"), net_cert("server_ec.key"));
    look();
    assert_non_null(shown());
}

/* ---- whom it believes ------------------------------------------------------------------------ */

static void test_clients_are_of_the_clusters_authority(void **state)
{
    (void)state;
    assert_int_equal(x509_anchors_load(&cluster.anchors, str_of(net_cert("ca.crt")), &arena),
                     ERR_OK);
    start();
    const struct tls_trust *clients = given.clients(&wire.serve.port);
    assert_non_null(clients);
    assert_memory_equal(&clients->anchors, &cluster.anchors, sizeof cluster.anchors);
    assert_non_null(clients->verifiers); /* handshake memory of its own */
    assert_null(cluster.verifiers);
    has_cluster = false;
    assert_null(given.clients(&wire.serve.port));
    arena_rewind(&arena, 0);
}

/* The node works without its port: it is only told. */
static void test_port_that_is_taken(void **state)
{
    (void)state;
    start_err = ERR_SYSTEM;
    has_cluster = false;
    start();
    assert_non_null(shown());
}

/* The address that was found out counts, not only one that was given. */
static void test_listens_by_the_family_of_the_nodes_address(void **state)
{
    static const struct {
        const char *given, *found;
        uint8_t family;
    } rows[] = {
        {"", "2001:db8::7", 6},
        {"2001:db8::7", "2001:db8::7", 6},
        {"", "192.0.2.7", 4},
        {"", "", 4}, /* nobody knows it */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)begin(state);
        config.vkubelet_pod_ip = str_of(rows[i].given);
        (void)str_copy(wire.address, sizeof wire.address, str_of(rows[i].found));
        start();
        assert_int_equal(family_given, rows[i].family);
    }
}

/* ---- pods ------------------------------------------------------------------------------------ */

static struct pod *add_pod(const char *name, const char *uid, handle *h)
{
    assert_int_equal(pool_take(&wire.brain.pods, h), ERR_OK);
    struct pod *pod = brain_pod(&wire.brain, *h);
    (void)str_copy(pod->name_space, sizeof pod->name_space, S("ns"));
    (void)str_copy(pod->name, sizeof pod->name, str_of(name));
    (void)str_copy(pod->uid, sizeof pod->uid, str_of(uid));
    pod->object = OBJECT_SEEN;
    pod->was_seen = true;
    pod->group = HANDLE_NONE;
    return pod;
}

static void test_pods(void **state)
{
    (void)state;
    handle h;
    struct serve_pod found;
    struct pod *running = add_pod("a", "u1", &h);
    (void)str_copy(running->past.pod_ips[0], sizeof running->past.pod_ips[0], S("192.0.2.9"));
    assert_int_equal(pool_take(&wire.brain.groups, &running->group), ERR_OK);
    struct group *group = brain_group(&wire.brain, running->group);
    group->status = ECI_STATUS_RUNNING;
    (void)str_copy(group->id, sizeof group->id, S("eci-1"));
    add_pod("b", "u2", &h)->phase = POD_PHASE_SUCCEEDED;
    add_pod("c", "u3", &h)->object = OBJECT_GONE;
    add_pod("d", "u4", &h)->was_seen = false; /* only the cloud speaks of it */
    start();
    const struct serve_world *world = &given.world;

    assert_int_equal(world->find_pod(world->owner, S("ns"), S("a"), STR_NONE, &found), ERR_OK);
    assert_text(found.uid, "u1");
    assert_text(found.group_id, "eci-1");
    assert_text(found.address, "192.0.2.9");
    assert_true(found.is_running && !found.has_ended);
    assert_int_equal(world->find_pod(world->owner, S("ns"), S("b"), S("u2"), &found), ERR_OK);
    assert_true(!found.is_running && found.has_ended && str_is_empty(found.group_id));
    group->status = ECI_STATUS_PENDING;
    assert_int_equal(world->find_pod(world->owner, S("ns"), S("a"), S("u1"), &found), ERR_OK);
    assert_false(found.is_running);

    assert_int_equal(world->find_pod(world->owner, S("ns"), S("a"), S("u2"), &found),
                     ERR_NOT_FOUND); /* another one of this name */
    assert_int_equal(world->find_pod(world->owner, S("x"), S("a"), STR_NONE, &found),
                     ERR_NOT_FOUND);
    assert_int_equal(world->find_pod(world->owner, S("ns"), S("c"), STR_NONE, &found),
                     ERR_NOT_FOUND);
    assert_int_equal(world->find_pod(world->owner, S("ns"), S("d"), STR_NONE, &found),
                     ERR_NOT_FOUND);

    uint32_t at = 0;
    assert_true(world->next_pod(world->owner, &at, &found));
    assert_text(found.name, "a");
    assert_true(world->next_pod(world->owner, &at, &found));
    assert_text(found.name, "b");
    assert_false(world->next_pod(world->owner, &at, &found));
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(cert_path);
    (void)unlink(key_path);
    (void)rmdir(folder);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_own_certificate),
        TEST(test_renewal_at_two_thirds_of_its_life),
        TEST(test_files),
        TEST(test_files_that_are_no_good),
        TEST(test_no_files_at_the_start),
        TEST(test_clients_are_of_the_clusters_authority),
        TEST(test_port_that_is_taken),
        TEST(test_listens_by_the_family_of_the_nodes_address),
        TEST(test_pods),
    };
    return cmocka_run_group_tests_name("wire_serve", tests, NULL, remove_folder);
}
