/*
 * fake_api_world.h - what every test of kube/ against the scripted server needs: loop, region,
 * arena, a kubeconfig with a token file in a folder of its own, and the server. Included by one
 * file of a test program (it brings the virtual clock).
 */
#ifndef ECILET_TEST_FAKE_API_WORLD_H
#define ECILET_TEST_FAKE_API_WORLD_H

#include "unit.h"

#include <stdlib.h>

#include "fake_api.h"
#include "fake_api_clock.h"
#include "kube/auth.h"
#include "os/log.h"

#define WORLD_REGION_BYTES (32u << 20)
#define WORLD_ARENA_BYTES (24u << 20)

struct world {
    struct loop loop;
    struct region region;
    struct arena arena;
    struct kube_auth auth;
    struct fake_api api;
    char dir[128];
    char kubeconfig[160];
    char token_file[160];
};

static struct world world;

static void world_set_token(const char *token)
{
    unit_put_file(world.token_file, str_of(token));
}

static void world_write_kubeconfig(const char *prefix)
{
    char text[1024];
    struct buf out;
    buf_init(&out, text, sizeof text);
    buf_put_fmt(&out,
                "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
                "clusters: [{name: k, cluster: {server: \"http://127.0.0.1:%u%s\"}}]\n"
                "users: [{name: u, user: {tokenFile: token}}]\n",
                world.api.port, prefix);
    unit_put_file(world.kubeconfig, buf_str(&out));
}

/* Everything up to kube_auth_load(); parts that carve memory come between this and the first turn.
 */
static void world_start(fake_handler *handler)
{
    static char *region_memory, *arena_memory;
    const char *tmp = getenv("TMPDIR");
    if (region_memory == NULL) {
        region_memory = os_map(WORLD_REGION_BYTES);
        arena_memory = os_map(WORLD_ARENA_BYTES);
    }
    os_map_release_pages(region_memory, WORLD_REGION_BYTES); /* zero again, as parts expect it */
    memset(&world, 0, sizeof world);
    region_init(&world.region, region_memory, WORLD_REGION_BYTES);
    arena_init(&world.arena, arena_memory, WORLD_ARENA_BYTES);
    assert_int_equal(loop_init(&world.loop, &world.region, 256), ERR_OK);
    log_set_level(LOG_ERROR);
    fake_api_start(&world.api, &world.loop, handler, NULL);
    (void)snprintf(world.dir, sizeof world.dir, "%s/ecilet-kube-XXXXXX",
                   tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(world.dir));
    (void)snprintf(world.kubeconfig, sizeof world.kubeconfig, "%s/config", world.dir);
    (void)snprintf(world.token_file, sizeof world.token_file, "%s/token", world.dir);
    world_set_token("token-1");
    world_write_kubeconfig("");
    kube_auth_init(&world.auth, &world.loop, &world.region, &world.arena, 4);
    const struct kube_auth_config config = {.kubeconfig = str_of(world.kubeconfig),
                                            .agent = S("test/1")};
    assert_int_equal(kube_auth_load(&world.auth, &config), ERR_OK);
}

static void world_stop(void)
{
    fake_api_stop(&world.api);
    for (uint32_t i = 0; i < world.auth.clients_count; i++) {
        http_client_stop(world.auth.clients[i]);
    }
    (void)unlink(world.kubeconfig);
    (void)unlink(world.token_file);
    (void)rmdir(world.dir);
    (void)close(world.loop.epoll_fd);
}

#endif
