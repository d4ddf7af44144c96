/*
 * eci_curl_err.c - libcurl's results as errors of ours, and as one line for people; see eci_curl.h.
 */
#include "eci/eci_curl_in.h"

#include <errno.h>

#include "base/codec.h"

/*
 * Every result libcurl can give. None of them is the request's fault, so none has the fate never;
 * those that stem from protocols and options we do not use are ERR_SYSTEM: they would be a
 * surprise.
 */
static const enum err curl_errs[CURL_LAST] = {
    [CURLE_OK] = ERR_OK,
    [CURLE_COULDNT_RESOLVE_PROXY] = ERR_RESOLVE,
    [CURLE_COULDNT_RESOLVE_HOST] = ERR_RESOLVE,
    [CURLE_COULDNT_CONNECT] = ERR_REFUSED_CONN, /* or ERR_UNREACHABLE, by errno */
    [CURLE_PROXY] = ERR_UNREACHABLE,
    [CURLE_OPERATION_TIMEDOUT] = ERR_TIMEOUT,

    [CURLE_SEND_ERROR] = ERR_CLOSED,
    [CURLE_RECV_ERROR] = ERR_CLOSED,
    [CURLE_GOT_NOTHING] = ERR_CLOSED,
    [CURLE_PARTIAL_FILE] = ERR_CLOSED, /* fewer bytes than announced */
    [CURLE_SEND_FAIL_REWIND] = ERR_CLOSED,
    [CURLE_SSL_SHUTDOWN_FAILED] = ERR_CLOSED,

    [CURLE_SSL_CONNECT_ERROR] = ERR_TLS,
    [CURLE_SSL_CIPHER] = ERR_TLS,
    [CURLE_SSL_CERTPROBLEM] = ERR_TLS,
    [CURLE_SSL_CLIENTCERT] = ERR_TLS,
    [CURLE_SSL_ENGINE_NOTFOUND] = ERR_TLS,
    [CURLE_SSL_ENGINE_SETFAILED] = ERR_TLS,
    [CURLE_SSL_ENGINE_INITFAILED] = ERR_TLS,
    [CURLE_USE_SSL_FAILED] = ERR_TLS,
    [CURLE_ECH_REQUIRED] = ERR_TLS,
    [CURLE_PEER_FAILED_VERIFICATION] = ERR_TLS_TRUST,
    [CURLE_SSL_CACERT_BADFILE] = ERR_TLS_TRUST,
    [CURLE_SSL_CRL_BADFILE] = ERR_TLS_TRUST,
    [CURLE_SSL_ISSUER_ERROR] = ERR_TLS_TRUST,
    [CURLE_SSL_PINNEDPUBKEYNOTMATCH] = ERR_TLS_TRUST,
    [CURLE_SSL_INVALIDCERTSTATUS] = ERR_TLS_TRUST,

    [CURLE_WEIRD_SERVER_REPLY] = ERR_BAD_REPLY,
    [CURLE_UNSUPPORTED_PROTOCOL] = ERR_BAD_REPLY, /* "HTTP/0.9 not allowed" comes as this */
    [CURLE_BAD_CONTENT_ENCODING] = ERR_BAD_REPLY,
    [CURLE_CHUNK_FAILED] = ERR_BAD_REPLY,
    [CURLE_HTTP_RETURNED_ERROR] = ERR_BAD_REPLY,
    [CURLE_TOO_MANY_REDIRECTS] = ERR_BAD_REPLY,
    [CURLE_RANGE_ERROR] = ERR_BAD_REPLY,
    [CURLE_HTTP2] = ERR_BAD_REPLY,
    [CURLE_HTTP2_STREAM] = ERR_BAD_REPLY,
    [CURLE_HTTP3] = ERR_BAD_REPLY,
    [CURLE_QUIC_CONNECT_ERROR] = ERR_BAD_REPLY,
    [CURLE_TOO_LARGE] = ERR_BAD_REPLY, /* a header beyond all measure */
    [CURLE_WRITE_ERROR] = ERR_TOO_BIG, /* our on_body refused: the buffer is full */
    [CURLE_FILESIZE_EXCEEDED] = ERR_TOO_BIG,

    [CURLE_OUT_OF_MEMORY] = ERR_NO_MEMORY,
    [CURLE_NO_CONNECTION_AVAILABLE] = ERR_FULL,
    [CURLE_AUTH_ERROR] = ERR_AUTH, /* the proxy's */
    [CURLE_LOGIN_DENIED] = ERR_AUTH,
};

enum err eci_curl_err(int code)
{
    if (code == CURLE_OK) {
        return ERR_OK;
    }
    bool is_known = code > 0 && code < CURL_LAST && curl_errs[code] != ERR_OK;
    return is_known ? curl_errs[code] : ERR_SYSTEM;
}

/* Where libcurl has one result for two things: "connection refused" and "no route to host"; a
 * connection that broke and a proxy that did not make one (CONNECT). */
enum err eci_curl_judge(const struct eci_curl_easy *easy, CURLcode result)
{
    long os_errno = 0, connect_status = 0;
    if (result == CURLE_COULDNT_CONNECT) {
        (void)curl_easy_getinfo(easy->handle, CURLINFO_OS_ERRNO, &os_errno);
        return os_errno == ECONNREFUSED ? ERR_REFUSED_CONN : ERR_UNREACHABLE;
    }
    (void)curl_easy_getinfo(easy->handle, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (result == CURLE_RECV_ERROR && connect_status >= 300) {
        return connect_status == 407 ? ERR_AUTH : ERR_UNREACHABLE;
    }
    return eci_curl_err((int)result);
}

#define ALERT(n) (BR_ERR_RECV_FATAL_ALERT + (n)) /* RFC 5246 section 7.2 */

/* libcurl says no more than "BearSSL: connection error 0x0146". */
static const struct {
    unsigned code;
    const char *text;
} tls_troubles[] = {
    {BR_ERR_UNSUPPORTED_VERSION, "the server does not speak TLS 1.2 (plain HTTP, or 1.3 only?)"},
    {BR_ERR_BAD_MAC, "a TLS record was damaged or forged"},
    {BR_ERR_BAD_CIPHER_SUITE, "no cipher suite in common with the server"},
    {ALERT(40),
     "the server refused the handshake (no common algorithm, or it wants a certificate)"},
    {ALERT(70), "the server refused TLS 1.2 (it may speak TLS 1.3 only)"},
    {ALERT(80), "the server reported an internal error"},
    {ALERT(112), "the server does not know the host name we asked for"},
};

static void put_tls_trouble(struct buf *line, const char *text)
{
    const char *number = strstr(text, "error 0x");
    unsigned long code = number != NULL ? strtoul(number + strlen("error 0x"), NULL, 16) : 0;
    for (size_t i = 0; i < sizeof tls_troubles / sizeof tls_troubles[0]; i++) {
        if (tls_troubles[i].code == code) {
            buf_put_text(line, tls_troubles[i].text);
            return;
        }
    }
    if (code > BR_ERR_RECV_FATAL_ALERT && code < BR_ERR_SEND_FATAL_ALERT) {
        buf_put_fmt(line, "the server sent TLS alert %lu", code - BR_ERR_RECV_FATAL_ALERT);
    } else {
        buf_put_text(line, text);
    }
}

static bool hung_up_in_handshake(const struct eci_curl_easy *easy, CURLcode result)
{
    curl_off_t shaken_us = 0;
    (void)curl_easy_getinfo(easy->handle, CURLINFO_APPCONNECT_TIME_T, &shaken_us);
    return easy->curl->is_tls && result == CURLE_RECV_ERROR && shaken_us == 0 &&
           strstr(easy->error, "EOF without close notify") != NULL;
}

/* The verifier knows better than libcurl why a certificate was refused. */
void eci_curl_explain(const struct eci_curl_easy *easy, CURLcode result, enum err err,
                      char why[static ECI_CURL_WHY_BYTES])
{
    char memory[ECI_CURL_WHY_BYTES + CURL_ERROR_SIZE];
    struct buf line;
    const char *text = easy->error[0] != '\0' ? easy->error : curl_easy_strerror(result);
    buf_init(&line, memory, sizeof memory);
    buf_put(&line, codec_utf8_prefix(str_of(easy->curl->host), 80));
    buf_put(&line, S(": "));
    if (err == ERR_TLS_TRUST && easy->verifier->why[0] != '\0') {
        buf_put_text(&line, easy->verifier->why);
    } else if (err == ERR_TLS) {
        put_tls_trouble(&line, text);
    } else if (hung_up_in_handshake(easy, result)) {
        buf_put_text(&line, "the server hung up in the TLS handshake (is it TLS 1.2?)");
    } else {
        buf_put_text(&line, text);
    }
    (void)str_copy(why, ECI_CURL_WHY_BYTES, buf_str(&line));
}
