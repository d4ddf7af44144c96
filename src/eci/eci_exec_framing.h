/*
 * eci_exec_framing.h - what is said on the WebSocket of ExecContainerCommand. The cloud does not
 * document it (eci-api 2.6), so everything that is assumed stands in this one file, and
 * EXEC_FRAMING can replace the guess:
 *
 *   auto     offer the sub-protocols of Kubernetes and speak the one that is agreed; none agreed:
 *            raw
 *   channel  channels of Kubernetes in binary messages, whatever is agreed
 *   base64   the same in text messages
 *   raw      what the command writes, as it is; no stderr of its own, no exit code, no resizing
 *
 * Channels are those of websocket_channel.h: 0 stdin, 1 stdout, 2 stderr, 3 how it ended, 4 the
 * terminal's size as {"Width":w,"Height":h}.
 *
 * The end of stdin: v5 has a message for it. Before v5 Kubernetes has none: a terminal gets ^D, and
 * without a terminal an empty message on channel 0 is all we can say; a command that waits for the
 * end of its input may then wait until the session ends.
 */
#ifndef ECILET_ECI_ECI_EXEC_FRAMING_H
#define ECILET_ECI_ECI_EXEC_FRAMING_H

#include "base/arena.h"
#include "net/websocket_channel.h"

enum eci_framing { ECI_FRAMING_AUTO, ECI_FRAMING_CHANNEL, ECI_FRAMING_BASE64, ECI_FRAMING_RAW };

struct eci_exec_framing {
    bool has_channels;
    bool is_base64;
    bool has_close; /* v5 */
    struct channel_reader reader;
};

/* The value of Sec-WebSocket-Protocol; NULL: offer none. */
const char *eci_framing_offer(enum eci_framing wanted);
/* agreed: the sub-protocol the cloud chose; empty when none. */
void eci_framing_agree(struct eci_exec_framing *framing, enum eci_framing wanted, str agreed);

/* What a piece of a message means: false when it is nonsense. An empty *data means nothing. */
bool eci_framing_read(struct eci_exec_framing *framing, const struct websocket_got *got,
                      uint8_t *channel, str *data);

/* Writers into out; each as channel_put(). */
size_t eci_framing_put_stdin(const struct eci_exec_framing *framing, const struct websocket *ws,
                             struct buf *out, str data, const uint8_t mask[static 4]);
bool eci_framing_put_stdin_end(const struct eci_exec_framing *framing, const struct websocket *ws,
                               struct buf *out, bool has_tty, const uint8_t mask[static 4]);
bool eci_framing_put_size(const struct eci_exec_framing *framing, const struct websocket *ws,
                          struct buf *out, uint32_t width, uint32_t height,
                          const uint8_t mask[static 4]);

struct eci_exec_status {
    bool is_known; /* whether the command's end is known at all */
    bool has_code;
    int64_t code;
    str message; /* why it could not run, when there is no code */
};
/* Reads what came on channel 3: a metav1.Status, or a sentence that ends with the code. */
struct eci_exec_status eci_framing_status(str text, struct arena *arena);

#endif
