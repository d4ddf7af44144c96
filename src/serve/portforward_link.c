/* see portforward_link.h */
#include "serve/portforward_link.h"

#include <stdio.h>

#include "base/check.h"
#include "serve/portforward.h"

static void set_timer(struct forward_link *link, msec wait_ms)
{
    loop_timer_set(link->loop, &link->timer, link->loop->now_ms + wait_ms);
}

/* From now on, by what there is to wait for; called when something has moved. */
static void set_deadline(struct forward_link *link)
{
    if (link->fd >= 0 && link->pending.bytes > 0) {
        set_timer(link, FORWARD_STALL_MS);
    } else if (link->is_over && link->is_told) {
        set_timer(link, link->fd >= 0 ? FORWARD_HALF_MS : FORWARD_LINGER_MS);
    } else {
        loop_timer_clear(link->loop, &link->timer);
    }
}

static void close_socket(struct forward_link *link)
{
    if (link->fd >= 0) {
        loop_watch_remove(link->loop, &link->watch);
        sock_close(&link->fd);
    }
    buf_clear(&link->pending);
}

static void fail(struct forward_link *link, const char *what)
{
    char address[64];
    sock_addr_text(&link->to, address);
    if (!link->is_over) {
        int bytes = snprintf(link->why, sizeof link->why,
                             "error forwarding port %u to the instance, %s: %s",
                             (unsigned)link->to.port, address, what);
        link->why_bytes =
            (uint32_t)bytes < sizeof link->why ? (uint32_t)bytes : (uint32_t)sizeof link->why - 1;
    }
    close_socket(link);
    link->is_over = true;
    set_deadline(link);
}

/* ---- towards the instance -------------------------------------------------------------------- */

static void send_pending(struct forward_link *link)
{
    size_t done = 0;
    while (link->fd >= 0 && link->pending.bytes > 0) {
        enum err err = sock_send(link->fd, link->pending.ptr, link->pending.bytes, &done);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err != ERR_OK) {
            fail(link, "the connection broke");
            return;
        }
        buf_drop(&link->pending, done);
        set_deadline(link);
    }
    if (link->fd >= 0 && link->is_client_over && !link->is_shut) {
        link->is_shut = true;
        sock_shut_write(link->fd);
    }
}

size_t forward_link_room(const struct forward_link *link)
{
    bool goes_nowhere = link->is_dialled && link->fd < 0;
    return goes_nowhere ? SIZE_MAX : link->pending.bytes_max - link->pending.bytes;
}

void forward_link_put(struct forward_link *link, str data)
{
    if (forward_link_room(link) == SIZE_MAX) {
        return;
    }
    bool was_empty = link->pending.bytes == 0;
    buf_put(&link->pending, data);
    CHECK(buf_ok(&link->pending));
    if (link->is_connected && was_empty) {
        set_deadline(link);
        send_pending(link);
    }
}

void forward_link_end(struct forward_link *link)
{
    link->is_client_over = true;
    if (link->is_connected) {
        send_pending(link);
    }
}

/* ---- from the instance ----------------------------------------------------------------------- */

str forward_link_receive(struct forward_link *link, char *memory, size_t bytes)
{
    size_t done = 0;
    if (!link->is_connected || link->is_over || bytes == 0) {
        return STR_NONE;
    }
    enum err err = sock_receive(link->fd, memory, bytes, &done);
    if (err == ERR_OK) {
        return str_make(memory, done);
    }
    if (err == ERR_END) {
        link->is_over = true;
    } else if (err != ERR_AGAIN) {
        fail(link, "the connection was reset");
    }
    return STR_NONE;
}

void forward_link_told(struct forward_link *link)
{
    if (!link->is_told) {
        link->is_told = true;
        set_deadline(link);
    }
}

/* ---- its life -------------------------------------------------------------------------------- */

static void on_socket(struct loop_watch *watch, uint32_t events)
{
    struct forward_link *link = watch->owner;
    if (!link->is_connected) {
        enum err err = sock_connect_result(link->fd);
        if (err == ERR_AGAIN) {
            return;
        }
        if (err == ERR_OK) {
            link->is_connected = true;
            set_deadline(link);
        } else {
            fail(link, err_text(err));
        }
    }
    if (link->is_connected) {
        send_pending(link);
    }
    if ((events & LOOP_ERROR) != 0 && link->is_over && link->fd >= 0) {
        close_socket(link); /* it takes nothing more, either */
        set_deadline(link);
    }
    link->on_moved(link);
}

static void on_due(struct loop_timer *timer)
{
    struct forward_link *link = timer->owner;
    link->is_late = link->is_over || !link->is_dialled;
    if (!link->is_late) {
        fail(link, err_text(ERR_TIMEOUT));
    }
    link->on_moved(link);
}

void forward_link_init(struct forward_link *link, struct loop *loop, const struct sock_addr *to,
                       char *pending_memory, void (*on_moved)(struct forward_link *link),
                       void *owner)
{
    *link = (struct forward_link){.loop = loop,
                                  .to = *to,
                                  .fd = -1,
                                  .watch = {.fd = -1},
                                  .on_moved = on_moved,
                                  .owner = owner};
    buf_init(&link->pending, pending_memory, FORWARD_PENDING_BYTES);
    loop_timer_init(&link->timer, on_due, link);
    set_timer(link, FORWARD_CONNECT_MS);
}

void forward_link_dial(struct forward_link *link)
{
    CHECK(!link->is_dialled);
    link->is_dialled = true;
    enum err err = sock_connect(&link->to, &link->fd);
    if (err == ERR_OK) {
        err = loop_watch_add(link->loop, &link->watch, link->fd, LOOP_WRITE, on_socket, link);
        if (err != ERR_OK) {
            sock_close(&link->fd);
        }
    }
    if (err == ERR_OK) {
        set_timer(link, FORWARD_CONNECT_MS);
    } else {
        link->fd = -1;
        fail(link, err_text(err));
    }
}

void forward_link_rest(struct forward_link *link, bool wants_bytes)
{
    uint32_t events = 0;
    if (link->fd < 0) {
        return;
    }
    if (!link->is_connected || link->pending.bytes > 0) {
        events |= LOOP_WRITE;
    }
    if (link->is_connected && !link->is_over && wants_bytes) {
        events |= LOOP_READ;
    }
    loop_watch_set(link->loop, &link->watch, events);
}

void forward_link_close(struct forward_link *link)
{
    close_socket(link);
    loop_timer_clear(link->loop, &link->timer);
}
