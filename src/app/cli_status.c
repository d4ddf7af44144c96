/* `ecilet status`: what the running ecilet on this machine says of itself. See wire_status.c. */
#include "app/cli.h"

#include <errno.h>
#include <string.h>

#include "os/os.h"
#include "os/sock.h"

#define STATUS_PIECE_BYTES 4096

/* Whole answers are larger than our buffer: the end of it is cut, and said so. */
static enum err copy_answer(int fd, struct buf *out)
{
    char piece[STATUS_PIECE_BYTES];
    size_t done;
    enum err err;
    while ((err = sock_receive(fd, piece, sizeof piece, &done)) == ERR_OK) {
        size_t room;
        (void)buf_tail(out, &room);
        if (done + 64 > room) {
            buf_put_text(out, "...\n");
            return ERR_OK;
        }
        buf_put(out, str_make(piece, done));
    }
    return err == ERR_END ? ERR_OK : err;
}

enum cli_exit cli_status(struct cli *cli)
{
    struct config_report report;
    if (!cli_load_config(cli, &report) && str_is_empty(cli->config->status_socket)) {
        buf_grow(&cli->err, report.text.bytes);
        return CLI_USAGE;
    }
    const char *path = cli->config->status_socket.ptr;
    int fd;
    enum err err = sock_local_connect(path, &fd);
    if (err == ERR_OK) {
        err = copy_answer(fd, &cli->out);
        sock_close(&fd);
    }
    if (err != ERR_OK) {
        buf_put_fmt(&cli->err, "ecilet status: nobody answers at %s: %s\n", path,
                    err == ERR_REFUSED_CONN
                        ? "is ecilet running there, and is STATUS_SOCKET the same?"
                    : err == ERR_TIMEOUT || err == ERR_AGAIN ? "it is there, but is it stopped?"
                                                             : strerror(errno));
        return CLI_FAILED;
    }
    return CLI_OK;
}
