/* see preflight.h */
#include "app/preflight.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "app/ports.h"
#include "os/sock.h"

void preflight_say(struct preflight *preflight, enum verdict verdict, const char *name,
                   const char *format, ...)
{
    static const char *const marks[] = {[VERDICT_OK] = "ok",
                                        [VERDICT_WARN] = "warn",
                                        [VERDICT_FAIL] = "FAIL",
                                        [VERDICT_SKIP] = "-"};
    char text[PREFLIGHT_TEXT_BYTES];
    struct buf detail;
    va_list args;
    buf_init(&detail, text, sizeof text);
    va_start(args, format);
    buf_put_vfmt(&detail, format, args);
    va_end(args);
    buf_put_fmt(preflight->out, "%-5s %-14s %s\n", marks[verdict], name, buf_cstr(&detail));
    preflight->has_failed = preflight->has_failed || verdict == VERDICT_FAIL;
    if (preflight->flush != NULL) {
        preflight->flush(preflight->owner);
    }
}

void preflight_say_clock(struct preflight *preflight, const char *name, int64_t offset_ms,
                         const char *then)
{
    int64_t seconds = ((offset_ms < 0 ? -offset_ms : offset_ms) + 500) / 1000;
    if (offset_ms > PREFLIGHT_CLOCK_MS || offset_ms < -PREFLIGHT_CLOCK_MS) {
        preflight_say(preflight, VERDICT_WARN, name, "%lld s %s ours: %s", (long long)seconds,
                      offset_ms > 0 ? "ahead of" : "behind", then);
    } else {
        preflight_say(preflight, VERDICT_OK, name, "as ours, give or take %lld s",
                      (long long)seconds + 1);
    }
}

/* ---- ports ----------------------------------------------------------------------------------- */

static void look_at_port(struct preflight *preflight, const char *name, uint32_t port,
                         uint8_t family, bool is_running)
{
    struct sock_addr addr = {.port = (uint16_t)port, .family = family};
    int fd = -1;
    if (sock_listen(&addr, 1, &fd, NULL) == ERR_OK) {
        sock_close(&fd);
        preflight_say(preflight, VERDICT_OK, name, "port %u is free", port);
        return;
    }
    bool is_taken = errno == EADDRINUSE;
    if (is_taken && is_running) {
        preflight_say(preflight, VERDICT_WARN, name,
                      "port %u is in use; by the ecilet that runs here, it seems", port);
    } else {
        preflight_say(preflight, VERDICT_FAIL, name, "port %u cannot be used: %s", port,
                      is_taken ? "another process has it" : strerror(errno));
    }
}

static bool is_writable_for(const char *path, char *folder, size_t bytes)
{
    str whole = str_of(path);
    size_t end = whole.bytes;
    while (end > 0 && path[end - 1] != '/') {
        end--;
    }
    str parent = end == 0 ? S(".") : str_sub(whole, 0, end > 1 ? end - 1 : end);
    return str_copy(folder, bytes, parent) && access(folder, W_OK | X_OK) == 0;
}

/* True when an ecilet answers there. `run` goes on without it. */
static bool look_at_socket(struct preflight *preflight, const char *path)
{
    const char *then = "`ecilet status` will not work";
    char folder[CONFIG_PATH_BYTES_MAX + 1];
    int fd = -1;
    enum err err = sock_local_connect(path, &fd);
    if (err == ERR_OK) {
        sock_close(&fd);
        preflight_say(preflight, VERDICT_WARN, "status socket", "%s: an ecilet runs here already",
                      path);
        return true;
    }
    if (err == ERR_TIMEOUT) {
        preflight_say(preflight, VERDICT_WARN, "status socket",
                      "%s: an ecilet runs here already, but does not answer: is it stopped?", path);
        return true;
    }
    if (err == ERR_TOO_BIG) {
        preflight_say(preflight, VERDICT_WARN, "status socket",
                      "%s: the path is too long for a socket; %s", path, then);
    } else if (!is_writable_for(path, folder, sizeof folder)) {
        preflight_say(preflight, VERDICT_WARN, "status socket", "%s: %s: %s; %s", path, folder,
                      strerror(errno), then);
    } else {
        preflight_say(preflight, VERDICT_OK, "status socket", "%s", path);
    }
    return false;
}

void preflight_ports(struct preflight *preflight, const struct config *config, const char *address)
{
    bool is_running = look_at_socket(preflight, config->status_socket.ptr);
    uint8_t family = ports_family(address);
    look_at_port(preflight, "kubelet port", config->kubelet_port, family, is_running);
    if (config->webhook) {
        family = ports_webhook_family(config, address);
        look_at_port(preflight, "webhook port", config->webhook_port, family, is_running);
    }
}
