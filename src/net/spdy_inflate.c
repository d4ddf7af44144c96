/*
 * see spdy_inflate.h
 *
 * zlib asks for memory twice per stream (state, window) and always for the same sizes, so its hooks
 * take from a block inside the session and never give back.
 */
#include "net/spdy_inflate.h"

#define ZLIB_CONST
#include <zlib.h>

#include "base/check.h"

#define WINDOW_BITS 15 /* what deflate streams of peers may use; not theirs to say beforehand */
#define BLOCK_BYTES_MAX 65535

/* SPDY/3 draft 2.6.10.1: words with their lengths, then texts. */
/* clang-format off */
#define W(length, word) "\000\000\000" length word
static const char dictionary[] =
    W("\007", "options") W("\004", "head") W("\004", "post") W("\003", "put") W("\006", "delete")
    W("\005", "trace") W("\006", "accept") W("\016", "accept-charset")
    W("\017", "accept-encoding") W("\017", "accept-language") W("\015", "accept-ranges")
    W("\003", "age") W("\005", "allow") W("\015", "authorization") W("\015", "cache-control")
    W("\012", "connection") W("\014", "content-base") W("\020", "content-encoding")
    W("\020", "content-language") W("\016", "content-length") W("\020", "content-location")
    W("\013", "content-md5") W("\015", "content-range") W("\014", "content-type")
    W("\004", "date") W("\004", "etag") W("\006", "expect") W("\007", "expires") W("\004", "from")
    W("\004", "host") W("\010", "if-match") W("\021", "if-modified-since")
    W("\015", "if-none-match") W("\010", "if-range") W("\023", "if-unmodified-since")
    W("\015", "last-modified") W("\010", "location") W("\014", "max-forwards") W("\006", "pragma")
    W("\022", "proxy-authenticate") W("\023", "proxy-authorization") W("\005", "range")
    W("\007", "referer") W("\013", "retry-after") W("\006", "server") W("\002", "te")
    W("\007", "trailer") W("\021", "transfer-encoding") W("\007", "upgrade")
    W("\012", "user-agent") W("\004", "vary") W("\003", "via") W("\007", "warning")
    W("\020", "www-authenticate") W("\006", "method") W("\003", "get") W("\006", "status")
    W("\006", "200 OK") W("\007", "version") W("\010", "HTTP/1.1") W("\003", "url")
    W("\006", "public") W("\012", "set-cookie") W("\012", "keep-alive") W("\006", "origin")
    "10010120120220520630030230330430530630740240540640740840941041141241341441541641"
    "7502504505203 Non-Authoritative Information204 No Content301 Moved Permanently40"
    "0 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error"
    "501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept O"
    "ct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,imag"
    "e/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/"
    "javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1"
    ",utf-,*,enq=0.";
/* clang-format on */

#define DICTIONARY_BYTES (sizeof dictionary - 1)
_Static_assert(DICTIONARY_BYTES == 1423, "the draft's dictionary");

/* ---- memory ---------------------------------------------------------------------------------- */

static void *take(void *owner, uInt count, uInt each_bytes)
{
    struct spdy_inflate *inflate = owner;
    size_t bytes = ((size_t)count * each_bytes + 63) / 64 * 64;
    if (bytes > sizeof inflate->memory - inflate->used_bytes) {
        return NULL;
    }
    void *taken = inflate->memory + inflate->used_bytes;
    inflate->used_bytes += bytes;
    return taken;
}

static void give(void *owner, void *memory)
{
    (void)owner;
    (void)memory; /* all at once, by the next start */
}

/* ---- reading --------------------------------------------------------------------------------- */

static z_stream *stream_of(struct spdy_inflate *inflate)
{
    return (z_stream *)(void *)inflate->memory;
}

enum err spdy_inflate_start(struct spdy_inflate *inflate)
{
    inflate->used_bytes = (sizeof(z_stream) + 63) / 64 * 64;
    z_stream *zlib = stream_of(inflate);
    *zlib = (z_stream){.zalloc = take, .zfree = give, .opaque = inflate};
    inflate->is_open = inflateInit2(zlib, WINDOW_BITS) == Z_OK;
    return inflate->is_open ? ERR_OK : ERR_NO_MEMORY;
}

enum err spdy_inflate_put(struct spdy_inflate *session, str input, struct buf *out)
{
    z_stream *zlib = stream_of(session);
    size_t room;
    CHECK(session->is_open && input.bytes <= UINT32_MAX);
    zlib->next_in = (const Bytef *)input.ptr;
    zlib->avail_in = (uInt)input.bytes;
    for (;;) {
        char *tail = buf_tail(out, &room);
        zlib->next_out = (Bytef *)tail;
        zlib->avail_out = (uInt)room;
        int result = inflate(zlib, Z_SYNC_FLUSH);
        buf_grow(out, room - zlib->avail_out);
        if (result == Z_NEED_DICT) {
            result = inflateSetDictionary(zlib, (const Bytef *)dictionary, DICTIONARY_BYTES);
            if (result == Z_OK) {
                continue;
            }
        }
        if (result == Z_MEM_ERROR) {
            return ERR_NO_MEMORY;
        }
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return ERR_BAD_INPUT; /* also the end of the stream, which no session may have */
        }
        if (zlib->avail_out == 0) {
            return ERR_TOO_BIG; /* perhaps it just fitted; there is always one byte to spare */
        }
        if (zlib->avail_in == 0) {
            return ERR_OK;
        }
        if (result == Z_BUF_ERROR) {
            return ERR_BAD_INPUT;
        }
    }
}

/* ---- writing: stored blocks (RFC 1951 3.2.4) in a zlib stream (RFC 1950) --------------------- */

static void put_stored(struct buf *out, str block)
{
    unsigned bytes = (unsigned)block.bytes;
    const char head[5] = {0, (char)bytes, (char)(bytes >> 8), (char)~bytes, (char)(~bytes >> 8)};
    buf_put(out, str_make(head, sizeof head));
    buf_put(out, block);
}

/* The empty block at the end is what deflate calls a sync flush: readers hand over all before it.
 */
void spdy_deflate_put(struct buf *out, str block, bool is_first)
{
    CHECK(block.bytes > 0 && block.bytes <= BLOCK_BYTES_MAX);
    if (is_first) { /* 32 KB window, a preset dictionary and its Adler-32 */
        buf_put(out, S("\x78\xbb\xe3\xc6\xa7\xc2"));
    }
    put_stored(out, block);
    put_stored(out, STR_NONE);
}
