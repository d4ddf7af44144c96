/* see link.h */
#include "net/link.h"

#include "base/check.h"
#include "os/sock.h"

void link_init(struct link *link, struct loop *loop, struct tls_engine *engine)
{
    *link = (struct link){.loop = loop, .engine = engine, .watch = {.fd = -1}, .fd = -1};
}

enum err link_open(struct link *link, int fd, loop_ready *on_ready, void *owner)
{
    CHECK(!link_is_open(link));
    link_init(link, link->loop, link->engine);
    link->fd = fd;
    enum err err = loop_watch_add(link->loop, &link->watch, fd, LOOP_WRITE, on_ready, owner);
    if (err != ERR_OK) {
        sock_close(&link->fd);
    }
    return err;
}

/* A peer that does not read any more may still have sent something worth reading (an early refusal,
 * a TLS alert), so a failed send ends nothing by itself: the next read tells. */
bool link_send(struct link *link)
{
    size_t bytes;
    size_t done = 0;
    const void *ready = tls_wire_ready(link->engine, &bytes);

    if (bytes == 0) {
        return false;
    }
    enum err err = link->is_send_broken ? ERR_CLOSED : sock_send(link->fd, ready, bytes, &done);
    if (err == ERR_AGAIN) {
        return false;
    }
    if (err != ERR_OK) {
        link->is_send_broken = true;
        done = bytes;
    } else {
        link->sent_bytes += done;
    }
    tls_wire_drained(link->engine, done);
    return true;
}

bool link_receive(struct link *link)
{
    size_t room_bytes;
    size_t done = 0;
    void *room = tls_wire_room(link->engine, &room_bytes);

    if (room_bytes == 0) {
        return false;
    }
    enum err err = sock_receive(link->fd, room, room_bytes, &done);
    if (err == ERR_AGAIN) {
        return false;
    }
    if (err == ERR_OK) {
        link->received_bytes += done;
        tls_wire_fed(link->engine, done);
    } else {
        tls_wire_ended(link->engine, err == ERR_END);
    }
    return true;
}

void link_rest(struct link *link)
{
    unsigned state = tls_state(link->engine);
    uint32_t events = (state & TLS_TAKES_WIRE) != 0 ? LOOP_READ : 0;

    if ((state & TLS_HAS_WIRE) != 0 && !link->is_send_broken) {
        events |= LOOP_WRITE;
    }
    loop_watch_set(link->loop, &link->watch, events);
}

void link_close(struct link *link, bool is_polite)
{
    if (is_polite && link_is_open(link)) {
        tls_close(link->engine);
        (void)link_send(link);
    }
    if (link_is_open(link)) {
        loop_watch_remove(link->loop, &link->watch);
        sock_close(&link->fd);
    }
    tls_stop(link->engine);
}
