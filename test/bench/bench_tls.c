/*
 * bench_tls.c - what a TLS handshake costs a server of ours: client and server wired to each other
 * in memory, only the server's side is timed. Sessions are never resumed (net/tls.h), so each
 * handshake is a full one.
 *
 * Prints one line per measure: name, handshakes per second of CPU time, and milliseconds of each.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/region.h"
#include "net/tls.h"
#include "net_certs.h"
#include "os/os.h"

#define RUN_US 1000000
#define DATA_BYTES (64u << 20)

static _Alignas(64) char region_memory[64 * 1024];
static char arena_memory[256 * 1024];
static struct arena arena;
static struct region region;
static struct pool verifiers;
static struct tls_engine client, server;
static struct tls_trust trust;
static struct tls_identity server_identity, client_identity;
static uint64_t server_us;

static int64_t fixed_clock(void)
{
    return NET_NOW_S;
}

/* One side's bytes to the other; false when there were none. */
static bool carry(struct tls_engine *from, struct tls_engine *to)
{
    size_t ready_bytes, room_bytes;
    const void *ready = tls_wire_ready(from, &ready_bytes);
    void *room = tls_wire_room(to, &room_bytes);
    size_t bytes = ready_bytes < room_bytes ? ready_bytes : room_bytes;
    if (bytes == 0) {
        return false;
    }
    memcpy(room, ready, bytes);
    uint64_t began_us = os_now_us();
    tls_wire_drained(from, bytes);
    server_us += from == &server ? os_now_us() - began_us : 0;
    began_us = os_now_us();
    tls_wire_fed(to, bytes);
    server_us += to == &server ? os_now_us() - began_us : 0;
    return true;
}

static void shake(bool has_certificate)
{
    uint8_t seed[TLS_SEED_BYTES];
    os_random(seed, sizeof seed);
    tls_start_client(&client, &trust, has_certificate ? &client_identity : NULL, S("localhost"),
                     false, seed);
    os_random(seed, sizeof seed);
    uint64_t began_us = os_now_us();
    tls_start_server(&server, &server_identity, &trust, false, seed);
    server_us += os_now_us() - began_us;
    bool moved = true;
    while (moved) {
        moved = carry(&client, &server);
        moved |= carry(&server, &client);
    }
    CHECK(client.is_open && server.is_open && server.is_peer_known == has_certificate);
}

static void stop(void)
{
    tls_stop(&client);
    tls_stop(&server);
}

static void measure_shakes(const char *name, bool has_certificate)
{
    unsigned count = 0;
    server_us = 0;
    while (server_us < RUN_US) {
        shake(has_certificate);
        stop();
        count++;
    }
    printf("%-24s %6.0f /s    (%.2f ms each)\n", name, 1e6 * count / (double)server_us,
           (double)server_us / 1000 / count);
}

/* The server sends: logs, downloads. */
static void measure_data(void)
{
    static char memory[16384];
    size_t sent = 0;
    shake(true);
    server_us = 0;
    while (sent < DATA_BYTES) {
        uint64_t began_us = os_now_us();
        sent += tls_plain_put(&server, str_make(memory, sizeof memory));
        tls_flush(&server);
        server_us += os_now_us() - began_us;
        while (carry(&server, &client)) {
            tls_plain_taken(&client, tls_plain_ready(&client).bytes);
        }
    }
    stop();
    printf("%-24s %6.0f MB/s  (what the server sends)\n", "tls_data",
           (double)sent / (double)server_us);
}

static void load(struct tls_identity *identity, const char *cert, const char *key)
{
    const char *why = "";
    CHECK(tls_identity_load(identity, str_of(net_cert(cert)), str_of(net_cert(key)), &arena,
                            &why) == ERR_OK);
}

int main(void)
{
    arena_init(&arena, arena_memory, sizeof arena_memory);
    region_init(&region, region_memory, sizeof region_memory);
    tls_verifiers_init(&verifiers, &region, 2);
    trust = (struct tls_trust){.verifiers = &verifiers, .wall_s = fixed_clock};
    CHECK(x509_anchors_load(&trust.anchors, str_of(net_cert("ca.crt")), &arena) == ERR_OK);
    load(&server_identity, "server_ec.crt", "server_ec.key");
    load(&client_identity, "client_ec.crt", "client_ec.key");
    measure_shakes("tls_handshake", false);
    measure_shakes("tls_handshake_client_cert", true);
    measure_data();
    return 0;
}
