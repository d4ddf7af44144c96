/*
 * websocket_channel.h - several streams in one WebSocket, as Kubernetes does it (apiserver's
 * wsstream; kubelet's exec): the first byte of a message names the channel, the rest is its data.
 *
 *   (v1) channel.k8s.io, v4.channel.k8s.io, v5.channel.k8s.io   binary messages, byte 0 ... 255
 *   base64.channel.k8s.io, v4.base64.channel.k8s.io   text messages, a digit, then base64
 *
 * v5 adds one message: channel 255 and one byte, the channel whose data has ended.
 */
#ifndef ECILET_NET_WEBSOCKET_CHANNEL_H
#define ECILET_NET_WEBSOCKET_CHANNEL_H

#include "net/websocket.h"

#define CHANNEL_STDIN 0
#define CHANNEL_STDOUT 1
#define CHANNEL_STDERR 2
#define CHANNEL_ERROR 3 /* how it ended: see serve/remote.h */
#define CHANNEL_RESIZE 4
#define CHANNEL_CLOSE 255

/* The message that is being read. */
struct channel_reader {
    bool is_base64;
    bool has_channel;
    uint8_t channel;
    char quad[4]; /* characters of base64 that wait for the rest of their group */
    uint32_t quad_bytes;
    char decoded[WEBSOCKET_PIECE_BYTES];
};

/*
 * The piece that ends a group of base64 brings up to two bytes more than it has characters. This is
 * the room to ask websocket_next() for, so that the data of one piece fits into `room`.
 */
static inline size_t channel_piece_room(bool is_base64, size_t room)
{
    return !is_base64 ? room : room > 2 ? room - 2 : 0;
}

void channel_reader_init(struct channel_reader *reader, bool is_base64);
/* What a piece means: reader->channel, *data (valid until the next call). False: it is no base64,
 * or no digit names the channel. An empty message belongs to no channel: has_channel is false. */
bool channel_read(struct channel_reader *reader, const struct websocket_got *got, str *data);

/*
 * One message with as much of `data` as fits into out; returns how much that was. An empty `data`
 * makes a message that holds only the channel; is_put (may be NULL) tells whether it fitted.
 */
size_t channel_put(const struct websocket *ws, bool is_base64, struct buf *out, uint8_t channel,
                   str data, const uint8_t mask[static 4], bool *is_put);

#endif
