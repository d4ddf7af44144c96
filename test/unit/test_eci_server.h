/*
 * test_eci_server.h - a small HTTP server on loopback that says what the test told it to, in
 * threads of its own, so that the client under test is the only user of its loop.
 *
 * Each request takes the next step of the script; what was received is kept for the test to look
 * at.
 */
#ifndef ECILET_TEST_ECI_SERVER_H
#define ECILET_TEST_ECI_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_STEPS_MAX 64
#define SERVER_REQUESTS_MAX 1024
#define SERVER_REQUEST_BYTES (4 * 1024 * 1024)

enum how {
    SAY,        /* the whole reply; the connection stays open */
    SAY_CLOSE,  /* the whole reply, then close without having said so */
    CUT_BEFORE, /* read the request, close */
    CUT_MID,    /* half of the reply, close */
    RESET,      /* read the request, reset the connection */
    HANG        /* read the request, say nothing until the test ends */
};

struct step {
    enum how how;
    const char *status;  /* "200 OK"; NULL: the body is sent as it is, without a head */
    const char *headers; /* complete lines with CRLF; NULL: none */
    const char *body;
    size_t body_bytes; /* 0: strlen(body) */
};

struct request {
    char *head, *body; /* NUL-terminated */
    size_t body_bytes;
    int connection; /* number of the connection it came on, from 1 */
};

struct server {
    int listener;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    struct step steps[SERVER_STEPS_MAX];
    int steps_count, steps_used; /* the last step is repeated */
    struct request requests[SERVER_REQUESTS_MAX];
    int requests_count;
    int connections;
    int fds[SERVER_REQUESTS_MAX]; /* of open connections, to be shut at the end */
    pthread_t threads[SERVER_REQUESTS_MAX];
    /* how a connection's bytes are moved; the TLS tests put an engine in between */
    void *(*open)(struct server *server, int fd);
    ssize_t (*receive)(void *stream, void *data, size_t bytes);
    bool (*send)(void *stream, const void *data, size_t bytes);
    void (*close)(void *stream);
    void *owner;
};

struct server_connection {
    struct server *server;
    int fd, number;
};

static void *plain_open(struct server *server, int fd)
{
    (void)server;
    int *stream = malloc(sizeof *stream);
    *stream = fd;
    return stream;
}

static ssize_t plain_receive(void *stream, void *data, size_t bytes)
{
    return recv(*(int *)stream, data, bytes, 0);
}

static bool plain_send(void *stream, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t done = send(*(int *)stream, at, bytes, MSG_NOSIGNAL);
        if (done <= 0) {
            return false;
        }
        at += done;
        bytes -= (size_t)done;
    }
    return true;
}

static void plain_close(void *stream)
{
    free(stream);
}

/* Reads one request; false when the peer has gone. */
static bool read_request(struct server *server, void *stream, int number)
{
    size_t used = 0, body_at = 0, wanted = 0;
    char *text = malloc(SERVER_REQUEST_BYTES + 1);
    while (body_at == 0 || used < wanted) {
        ssize_t done = server->receive(stream, text + used, SERVER_REQUEST_BYTES - used);
        if (done <= 0) {
            free(text);
            return false;
        }
        used += (size_t)done;
        text[used] = '\0';
        char *end = body_at == 0 ? strstr(text, "\r\n\r\n") : NULL;
        if (end != NULL) {
            char *length = strcasestr(text, "\r\nContent-Length:");
            body_at = (size_t)(end - text) + 4;
            wanted = body_at + (length != NULL ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    pthread_mutex_lock(&server->lock);
    struct request *request = &server->requests[server->requests_count++];
    request->head = strndup(text, body_at);
    request->body = malloc(used - body_at + 1);
    memcpy(request->body, text + body_at, used - body_at + 1);
    request->body_bytes = used - body_at;
    request->connection = number;
    pthread_mutex_unlock(&server->lock);
    free(text);
    return true;
}

/* False: the connection is over. */
static bool perform(struct server *server, void *stream, int fd, const struct step *step)
{
    char head[1024];
    size_t bytes = step->body_bytes > 0 ? step->body_bytes
                   : step->body != NULL ? strlen(step->body)
                                        : 0;
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    char c;
    switch (step->how) {
    case HANG:
        while (server->receive(stream, &c, 1) > 0) {
        }
        return false;
    case CUT_BEFORE:
        return false;
    case RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        return false;
    default:
        break;
    }
    int head_bytes =
        step->status == NULL
            ? 0
            : snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n",
                       step->status, bytes, step->headers != NULL ? step->headers : "");
    bool is_sent = server->send(stream, head, (size_t)head_bytes) &&
                   server->send(stream, step->body, step->how == CUT_MID ? bytes / 2 : bytes);
    return is_sent && step->how == SAY;
}

static void *serve_connection(void *argument)
{
    struct server_connection *connection = argument;
    struct server *server = connection->server;
    int fd = connection->fd, number = connection->number;
    free(connection);
    void *stream = server->open(server, fd);
    while (stream != NULL && read_request(server, stream, number)) {
        pthread_mutex_lock(&server->lock);
        struct step step = server->steps[server->steps_used];
        if (server->steps_used + 1 < server->steps_count) {
            server->steps_used++;
        }
        pthread_mutex_unlock(&server->lock);
        if (!perform(server, stream, fd, &step)) {
            break;
        }
    }
    if (stream != NULL) {
        server->close(stream);
    }
    pthread_mutex_lock(&server->lock);
    server->fds[number - 1] = -1;
    pthread_mutex_unlock(&server->lock);
    close(fd);
    return NULL;
}

static void *serve(void *argument)
{
    struct server *server = argument;
    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        struct server_connection *connection = malloc(sizeof *connection);
        pthread_mutex_lock(&server->lock);
        int number = ++server->connections;
        server->fds[number - 1] = fd;
        pthread_mutex_unlock(&server->lock);
        *connection = (struct server_connection){server, fd, number};
        pthread_create(&server->threads[number - 1], NULL, serve_connection, connection);
    }
}

static struct server *server_start(const struct step *steps, int steps_count)
{
    struct server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    memcpy(server->steps, steps, (size_t)steps_count * sizeof *steps);
    server->steps_count = steps_count;
    server->open = plain_open;
    server->receive = plain_receive;
    server->send = plain_send;
    server->close = plain_close;
    pthread_mutex_init(&server->lock, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, bytes) != 0 ||
        listen(server->listener, 64) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &bytes) != 0) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    return server;
}

static void server_run(struct server *server)
{
    pthread_create(&server->thread, NULL, serve, server);
}

static int server_requests(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    int count = server->requests_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->connections; i++) {
        if (server->fds[i] >= 0) {
            shutdown(server->fds[i], SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&server->lock);
    for (int i = 0; i < server->connections; i++) {
        pthread_join(server->threads[i], NULL);
    }
    for (int i = 0; i < server->requests_count; i++) {
        free(server->requests[i].head);
        free(server->requests[i].body);
    }
    pthread_mutex_destroy(&server->lock);
    free(server);
}

#endif
