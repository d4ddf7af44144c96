/* see net_peer.h */
#include "net_peer.h"

#include <sys/socket.h>

#include "base/check.h"
#include "os/os.h"

static void hear(struct net_peer *peer)
{
    str plain = tls_plain_ready(&peer->engine);
    if (plain.bytes > 0 && !peer->is_deaf) {
        buf_put(&peer->heard, plain);
        CHECK(buf_ok(&peer->heard));
        tls_plain_taken(&peer->engine, plain.bytes);
    }
}

void net_peer_pump(struct net_peer *peer)
{
    bool moved = true;

    if (!link_is_open(&peer->link) || peer->engine.mode == TLS_OFF) {
        return;
    }
    while (moved) {
        size_t said = tls_plain_put(&peer->engine, peer->to_say);
        peer->to_say = str_sub(peer->to_say, said, peer->to_say.bytes);
        tls_flush(&peer->engine);
        moved = said > 0;
        moved |= link_send(&peer->link);
        moved |= !peer->is_deaf && link_receive(&peer->link);
        hear(peer);
    }
    if ((tls_state(&peer->engine) & TLS_IS_OVER) != 0) {
        peer->is_over = true;
        peer->err = peer->engine.err;
        loop_watch_set(peer->link.loop, &peer->link.watch, 0);
        return;
    }
    link_rest(&peer->link);
    if (peer->is_deaf) {
        uint32_t events = peer->link.watch.events;
        loop_watch_set(peer->link.loop, &peer->link.watch, events & LOOP_WRITE);
    }
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct net_peer *peer = watch->owner;
    if (peer->engine.mode == TLS_OFF) {
        loop_watch_set(peer->link.loop, &peer->link.watch, 0);
    }
    if (peer->is_over && (events & LOOP_ERROR) != 0) {
        link_close(&peer->link, false);
        return;
    }
    net_peer_pump(peer);
}

void net_peer_open_raw(struct net_peer *peer, struct loop *loop, const struct sock_addr *addr)
{
    int fd = -1;

    peer->engine.mode = TLS_OFF;
    peer->to_say = STR_NONE;
    peer->is_deaf = peer->is_over = false;
    link_init(&peer->link, loop, &peer->engine);
    CHECK(sock_connect(addr, &fd) == ERR_OK);
    CHECK(link_open(&peer->link, fd, on_ready, peer) == ERR_OK);
}

void net_peer_open(struct net_peer *peer, struct loop *loop, const struct sock_addr *addr,
                   const struct tls_trust *trust, const struct tls_identity *identity, void *memory,
                   size_t bytes)
{
    uint8_t seed[TLS_SEED_BYTES];

    net_peer_open_raw(peer, loop, addr);
    buf_init(&peer->heard, memory, bytes);
    os_random(seed, sizeof seed);
    tls_start_client(&peer->engine, trust, identity, S("localhost"), false, seed);
    link_rest(&peer->link);
}

void net_peer_say(struct net_peer *peer, str text)
{
    CHECK(peer->to_say.bytes == 0);
    peer->to_say = text;
    net_peer_pump(peer);
}

void net_peer_close(struct net_peer *peer)
{
    link_close(&peer->link, true);
}

void net_peer_reset(struct net_peer *peer)
{
    if (link_is_open(&peer->link)) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(peer->link.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    link_close(&peer->link, false);
}
