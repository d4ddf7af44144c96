/* see eci_curl.h; what went wrong is said in eci_curl_err.c */
#include "eci/eci_curl_in.h"

#include <fcntl.h>

#include "base/check.h"
#include "base/codec.h"
#include "os/os.h"

#define RECOVERY_MS 100      /* see act() */
#define KEPT_IDLE_S 90L      /* a connection idle for so long is closed, not used again */
#define RESOLVER_AGAIN_S 60L /* a name is looked up again after so long */
/* Each easy handle keeps its upload buffer for ever after its first request: 64 KiB by default.
 * This is the smallest libcurl accepts, and a whole TLS record. */
#define UPLOAD_BUFFER_BYTES 16384L
#define KEEP_ALIVE_S 30L /* idle time before TCP probes; a dead line is noticed early */

/* ---- callbacks of one transfer --------------------------------------------------------------- */

static size_t on_body(char *data, size_t each_bytes, size_t count, void *owner)
{
    const struct eci_curl_easy *easy = owner;
    struct buf *reply = &easy->transfer->reply;
    size_t bytes = each_bytes * count;
    buf_put(reply, str_make(data, bytes));
    return buf_ok(reply) ? bytes : CURL_WRITEFUNC_ERROR;
}

static bool header_is(str line, str name, str *value)
{
    if (!str_eq_nocase(str_sub(line, 0, name.bytes), name)) {
        return false;
    }
    *value = str_trim(str_sub(line, name.bytes, line.bytes));
    return true;
}

static size_t on_header(char *data, size_t each_bytes, size_t count, void *owner)
{
    const struct eci_curl_easy *easy = owner;
    struct eci_curl_transfer *transfer = easy->transfer;
    str line = str_make(data, each_bytes * count), value;
    if (str_starts(line, S("HTTP/"))) { /* a new head; the one before was 1xx */
        transfer->date_unix_s = 0;
        transfer->retry_after_s = -1;
    } else if (header_is(line, S("Date:"), &value)) {
        (void)codec_get_http_date(value, &transfer->date_unix_s);
    } else if (header_is(line, S("Retry-After:"), &value)) {
        int64_t seconds;
        if (str_to_i64(value, &seconds) && seconds >= 0) {
            transfer->retry_after_s = seconds;
        }
    }
    return line.bytes;
}

/*
 * Called by libcurl just before each handshake, with BearSSL's own context. libcurl was given no CA
 * file, so if this were not called, nothing would be trusted.
 */
static CURLcode on_handshake(CURL *handle, void *context, void *owner)
{
    struct eci_curl_easy *easy = owner;
    br_ssl_client_context *tls = context;
    uint8_t seed[32];
    (void)handle;
    x509_verifier_init(easy->verifier, &(struct x509_check){
                                           .anchors = easy->curl->anchors,
                                           .purpose = X509_SERVER,
                                           .host = str_of(easy->curl->host),
                                           .now_s = os_wall_s(),
                                       });
    br_ssl_engine_set_x509(&tls->eng, &easy->verifier->vtable);
    br_ssl_engine_set_versions(&tls->eng, BR_TLS12, BR_TLS12);
    br_ssl_engine_add_flags(&tls->eng, BR_OPT_NO_RENEGOTIATION);
    os_random(seed, sizeof seed);
    br_ssl_engine_inject_entropy(&tls->eng, seed, sizeof seed);
    return CURLE_OK;
}

/* ---- the end of a transfer ------------------------------------------------------------------- */

static void release(struct eci_curl_easy *easy)
{
    (void)curl_multi_remove_handle(easy->curl->multi, easy->handle);
    easy->transfer->easy = NULL;
    easy->transfer = NULL;
}

static void finish(struct eci_curl_easy *easy, CURLcode result)
{
    struct eci_curl_transfer *transfer = easy->transfer;
    struct eci_curl *curl = easy->curl;
    long status = 0, sent_bytes = 0, connects = 0;
    (void)curl_easy_getinfo(easy->handle, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy->handle, CURLINFO_REQUEST_SIZE, &sent_bytes);
    (void)curl_easy_getinfo(easy->handle, CURLINFO_NUM_CONNECTS, &connects);
    enum err err = eci_curl_judge(easy, result);
    transfer->http_status = (int)status;
    transfer->was_sent = sent_bytes > 0;
    if (err != ERR_OK) {
        eci_curl_explain(easy, result, err, transfer->why);
        curl->counters.failures++;
    }
    curl->counters.transfers++;
    curl->counters.connects += (uint64_t)connects;
    release(easy);
    transfer->on_done(transfer, err);
}

/* Ends what libcurl says is done. on_done may start and cancel transfers, but not stop us. */
static void collect(struct eci_curl *curl)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(curl->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            void *owner = NULL;
            CURLcode result = message->data.result;
            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
            finish(owner, result);
        }
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

/*
 * When its memory is full, libcurl may leave a transfer without a watch and itself without a timer:
 * nothing would ever happen again. From such an accident on until no transfer is under way, all of
 * them are looked at every now and then.
 */
static void act(struct eci_curl *curl, curl_socket_t fd, int what)
{
    int running;
    if (curl_multi_socket_action(curl->multi, fd, what, &running) != CURLM_OK) {
        curl->counters.accidents++;
        loop_timer_set(curl->loop, &curl->recovery, os_now_ms() + RECOVERY_MS);
    }
    collect(curl);
}

static void on_recovery(struct loop_timer *timer)
{
    struct eci_curl *curl = timer->owner;
    int running = 0;
    (void)curl_multi_perform(curl->multi, &running);
    if (running > 0) {
        loop_timer_set(curl->loop, &curl->recovery, os_now_ms() + RECOVERY_MS);
    }
    act(curl, CURL_SOCKET_TIMEOUT, 0); /* so that libcurl sets its own timer again */
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    int what = ((events & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0) |
               ((events & LOOP_ERROR) != 0 ? CURL_CSELECT_ERR : 0);
    act(watch->owner, watch->fd, what);
}

static void on_due(struct loop_timer *timer)
{
    act(timer->owner, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long wait_ms, void *owner)
{
    struct eci_curl *curl = owner;
    (void)multi;
    if (wait_ms < 0) {
        loop_timer_clear(curl->loop, &curl->timer);
    } else {
        loop_timer_set(curl->loop, &curl->timer, os_now_ms() + wait_ms);
    }
    return 0;
}

static struct loop_watch *find_watch(struct eci_curl *curl, int fd)
{
    for (uint32_t i = 0; i < curl->watches_count; i++) {
        if (curl->watches[i].fd == fd) {
            return &curl->watches[i];
        }
    }
    return NULL;
}

/* A descriptor for which there is no watch just stays silent: its transfer ends by its deadline.
 * (Saying -1 here would make libcurl give up all transfers for ever.) */
static int on_socket_wanted(CURL *handle, curl_socket_t fd, int what, void *owner,
                            void *socket_owner)
{
    struct eci_curl *curl = owner;
    struct loop_watch *watch = find_watch(curl, fd);
    uint32_t events =
        (what != CURL_POLL_OUT ? LOOP_READ : 0) | (what != CURL_POLL_IN ? LOOP_WRITE : 0);
    (void)handle;
    (void)socket_owner;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            loop_watch_remove(curl->loop, watch);
        }
    } else if (watch != NULL) {
        loop_watch_set(curl->loop, watch, events);
    } else {
        watch = find_watch(curl, -1);
        if (watch == NULL ||
            loop_watch_add(curl->loop, watch, fd, events, on_ready, curl) != ERR_OK) {
            curl->counters.watches_refused++;
        }
    }
    return 0;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* The host in "host[:port]" and "[2001:db8::1][:port]"; empty when there is none. */
static str host_of(str authority)
{
    if (str_starts(authority, S("["))) {
        return str_sub(authority, 0, (size_t)(str_find_char(authority, ']') + 1));
    }
    ptrdiff_t colon = str_find_char(authority, ':');
    return colon < 0 ? authority : str_sub(authority, 0, (size_t)colon);
}

static bool is_plain_host(str host)
{
    for (size_t i = 0; i < host.bytes; i++) {
        if (host.ptr[i] <= ' ' || strchr("/?#@%\\\"<>", host.ptr[i]) != NULL) {
            return false;
        }
    }
    return host.bytes > 0;
}

/* Nothing, or ":" and a number. */
static bool is_port(str text)
{
    uint64_t number;
    return str_is_empty(text) ||
           (str_starts(text, S(":")) && str_to_u64(str_sub(text, 1, text.bytes), &number) &&
            number > 0 && number <= UINT16_MAX);
}

/* Splits "https://host[:port]" and keeps it as a URL for libcurl. */
static enum err set_url(struct eci_curl *curl, str url)
{
    struct buf text;
    url = str_ends(url, S("/")) ? str_sub(url, 0, url.bytes - 1) : url;
    curl->is_tls = str_starts(url, S("https://"));
    if (!curl->is_tls && !str_starts(url, S("http://"))) {
        return ERR_BAD_INPUT;
    }
    str authority = str_sub(url, strlen(curl->is_tls ? "https://" : "http://"), url.bytes);
    str host = host_of(authority);
    buf_init(&text, curl->url, sizeof curl->url);
    buf_put(&text, url);
    buf_put(&text, str_make("/", 2)); /* with its NUL */
    bool is_good = is_plain_host(host) && is_port(str_sub(authority, host.bytes, authority.bytes));
    bool has_fit = buf_ok(&text) && str_copy(curl->host, sizeof curl->host, host);
    return is_good && has_fit ? ERR_OK : ERR_BAD_INPUT;
}

/* What the rest of this file takes for granted. */
static bool library_is_right(bool needs_tls)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    const int wanted = CURL_VERSION_ASYNCHDNS | CURL_VERSION_LIBZ;
    bool has_bearssl = info->ssl_version != NULL && strstr(info->ssl_version, "BearSSL") != NULL;
    return (info->features & wanted) == wanted && (has_bearssl || !needs_tls);
}

static enum err set_up_multi(struct eci_curl *curl, const struct eci_curl_config *config)
{
    static const char *const headers[] = {"Accept: application/json",
                                          "Expect:", "User-Agent: ecilet"};
    curl->multi = curl_multi_init();
    if (curl->multi == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct curl_slist *longer = curl_slist_append(curl->headers, headers[i]);
        if (longer == NULL) {
            return ERR_NO_MEMORY;
        }
        curl->headers = longer;
    }
    CURLMcode result = CURLM_OK;
#define SET(option, value) \
    result = result == CURLM_OK ? curl_multi_setopt(curl->multi, (option), (value)) : result
    SET(CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    SET(CURLMOPT_SOCKETDATA, curl);
    SET(CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    SET(CURLMOPT_TIMERDATA, curl);
    SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    SET(CURLMOPT_MAXCONNECTS, (long)config->kept_max);
    SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)(config->transfers_max + config->kept_max));
#undef SET
    return result == CURLM_OK ? ERR_OK : ERR_NO_MEMORY;
}

/* libcurl's sockets would live on in the program that is started anew after a crash. */
static int on_socket_made(void *owner, curl_socket_t fd, curlsocktype purpose)
{
    (void)owner;
    (void)purpose;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return CURL_SOCKOPT_OK;
}

/* Everything that is the same for all requests; libcurl keeps it from transfer to transfer. */
static enum err set_up_easy(struct eci_curl_easy *easy, const char *proxy, const char *no_proxy)
{
    easy->handle = curl_easy_init();
    if (easy->handle == NULL) {
        return ERR_NO_MEMORY;
    }
    CURLcode result = CURLE_OK;
#define SET(option, value) \
    result = result == CURLE_OK ? curl_easy_setopt(easy->handle, (option), (value)) : result
    SET(CURLOPT_URL, easy->curl->url);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_HTTPHEADER, (struct curl_slist *)easy->curl->headers);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
    SET(CURLOPT_PROTOCOLS_STR, easy->curl->is_tls ? "https" : "http");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket_made);
    /* Without it libcurl *waits* for its resolver thread when a transfer ends during a slow
     * look-up: our whole loop would stand still for as long as the resolver likes. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)ECI_CURL_CONNECT_MS);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, RESOLVER_AGAIN_S);
    SET(CURLOPT_MAXAGE_CONN, KEPT_IDLE_S);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, KEEP_ALIVE_S);
    SET(CURLOPT_TCP_KEEPINTVL, KEEP_ALIVE_S);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_ERRORBUFFER, easy->error);
    SET(CURLOPT_PRIVATE, easy);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, easy);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, easy);
    if (proxy[0] != '\0') {
        SET(CURLOPT_PROXY, proxy);
    }
    if (no_proxy[0] != '\0') {
        SET(CURLOPT_NOPROXY, no_proxy);
    }
    if (easy->curl->is_tls) {
        /* The host is verified by our own verifier, which on_handshake puts in. libcurl's own check
         * cannot read addresses in certificates and would refuse them before we are asked. */
        SET(CURLOPT_SSL_VERIFYPEER, 1L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
        SET(CURLOPT_SSL_CTX_FUNCTION, on_handshake);
        SET(CURLOPT_SSL_CTX_DATA, easy);
    }
#undef SET
    return result == CURLE_OK ? ERR_OK : ERR_NO_MEMORY;
}

static void carve(struct eci_curl *curl, struct region *region,
                  const struct eci_curl_config *config)
{
    curl->easies_count = config->transfers_max;
    curl->easies =
        region_carve(region, "cloud transfers", curl->easies_count, sizeof(struct eci_curl_easy));
    curl->watches_count = ECI_CURL_WATCHES_EACH * config->transfers_max + config->kept_max;
    curl->watches =
        region_carve(region, "cloud sockets", curl->watches_count, sizeof(struct loop_watch));
    curl->verifiers =
        region_carve(region, "cloud TLS verifiers", curl->is_tls ? curl->easies_count : 0,
                     sizeof(struct x509_verifier));
}

/* The proxies as texts for libcurl, which copies them. */
struct proxies {
    char proxy[ECI_CURL_URL_BYTES], no_proxy[ECI_CURL_URL_BYTES];
};

static enum err start_library(struct eci_curl *curl, const struct eci_curl_config *config,
                              const struct proxies *proxies)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return ERR_NO_MEMORY;
    }
    curl->is_started = true;
    if (!library_is_right(curl->is_tls)) {
        return ERR_UNSUPPORTED;
    }
    enum err err = set_up_multi(curl, config);
    for (uint32_t i = 0; i < curl->easies_count && err == ERR_OK; i++) {
        curl->easies[i].curl = curl;
        curl->easies[i].verifier = curl->is_tls ? &curl->verifiers[i] : NULL;
        err = set_up_easy(&curl->easies[i], proxies->proxy, proxies->no_proxy);
    }
    return err;
}

enum err eci_curl_init(struct eci_curl *curl, struct loop *loop, struct region *region,
                       const struct eci_curl_config *config)
{
    CHECK(config->transfers_max > 0 && config->transfers_max <= UINT16_MAX);
    *curl = (struct eci_curl){.loop = loop, .anchors = config->anchors};
    struct proxies proxies;
    if (set_url(curl, config->url) != ERR_OK || (curl->is_tls && config->anchors == NULL) ||
        !str_copy(proxies.proxy, sizeof proxies.proxy, config->proxy) ||
        !str_copy(proxies.no_proxy, sizeof proxies.no_proxy, config->no_proxy)) {
        return ERR_BAD_INPUT;
    }
    carve(curl, region, config);
    if (region->ptr == NULL) {
        return ERR_OK;
    }
    memset(curl->easies, 0, curl->easies_count * sizeof curl->easies[0]);
    for (uint32_t i = 0; i < curl->watches_count; i++) {
        curl->watches[i] = (struct loop_watch){.fd = -1};
    }
    loop_timer_init(&curl->timer, on_due, curl);
    loop_timer_init(&curl->recovery, on_recovery, curl);
    enum err err = start_library(curl, config, &proxies);
    if (err != ERR_OK) {
        eci_curl_stop(curl);
    }
    return err;
}

/* ---- transfers ------------------------------------------------------------------------------- */

static struct eci_curl_easy *find_free(struct eci_curl *curl)
{
    for (uint32_t i = 0; i < curl->easies_count; i++) {
        if (curl->easies[i].transfer == NULL) {
            return &curl->easies[i];
        }
    }
    return NULL;
}

static CURLcode set_request(struct eci_curl_easy *easy, const struct eci_curl_transfer *transfer)
{
    CURLcode result = CURLE_OK;
#define SET(option, value) \
    result = result == CURLE_OK ? curl_easy_setopt(easy->handle, (option), (value)) : result
    SET(CURLOPT_POSTFIELDS, transfer->body.ptr); /* not copied by libcurl */
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.bytes);
    SET(CURLOPT_TIMEOUT_MS, (long)transfer->deadline_ms);
    SET(CURLOPT_FRESH_CONNECT, transfer->is_fresh ? 1L : 0L);
#undef SET
    return result;
}

enum err eci_curl_start(struct eci_curl *curl, struct eci_curl_transfer *transfer)
{
    CHECK(transfer->easy == NULL && transfer->on_done != NULL);
    CHECK(transfer->deadline_ms > 0 && transfer->deadline_ms <= INT32_MAX);
    struct eci_curl_easy *easy = find_free(curl);
    if (easy == NULL) {
        return ERR_FULL;
    }
    transfer->http_status = 0;
    transfer->date_unix_s = 0;
    transfer->retry_after_s = -1;
    transfer->was_sent = false;
    transfer->why[0] = '\0';
    buf_clear(&transfer->reply);
    easy->error[0] = '\0';
    if (easy->verifier != NULL) {
        easy->verifier->why[0] = '\0';
    }
    easy->transfer = transfer;
    if (set_request(easy, transfer) != CURLE_OK ||
        curl_multi_add_handle(curl->multi, easy->handle) != CURLM_OK) {
        easy->transfer = NULL;
        return ERR_NO_MEMORY;
    }
    transfer->easy = easy;
    return ERR_OK;
}

void eci_curl_cancel(struct eci_curl *curl, struct eci_curl_transfer *transfer)
{
    if (transfer->easy != NULL) {
        CHECK(transfer->easy->curl == curl);
        release(transfer->easy);
    }
}

/* Callbacks go first: cleaning up, libcurl would otherwise ask for watches that nobody serves. */
void eci_curl_stop(struct eci_curl *curl)
{
    if (!curl->is_started) {
        return;
    }
    for (uint32_t i = 0; i < curl->easies_count; i++) {
        if (curl->easies[i].transfer != NULL) {
            release(&curl->easies[i]);
        }
        curl_easy_cleanup(curl->easies[i].handle);
        curl->easies[i].handle = NULL;
    }
    (void)curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, NULL);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, NULL);
    for (uint32_t i = 0; i < curl->watches_count; i++) {
        loop_watch_remove(curl->loop, &curl->watches[i]);
    }
    loop_timer_clear(curl->loop, &curl->timer);
    loop_timer_clear(curl->loop, &curl->recovery);
    (void)curl_multi_cleanup(curl->multi);
    curl->multi = NULL;
    curl_slist_free_all(curl->headers);
    curl->headers = NULL;
    curl_global_cleanup();
    curl->is_started = false;
}
