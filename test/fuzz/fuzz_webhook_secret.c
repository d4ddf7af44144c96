/* Any bytes as the Secret of the webhook's certificate, as somebody with kubectl may leave it: it
 * is judged, and what is good is shown and written anew; that must be good, too. */
#include <stdlib.h>

#include "admit/webhook_secret.h"
#include "os/log.h"

#define NOW_S INT64_C(1748736000)

static _Alignas(64) char scratch_memory[4 << 20], arena_memory[64 << 10];
static _Alignas(64) char region_memory[128 << 10];
static char body_memory[WEBHOOK_SECRET_BODY_BYTES];

static struct tls_keep keep;

static void init(void)
{
    static const struct tls_keep_config config = {.name = "fuzz"};
    static struct region region;
    log_set_level(LOG_ERROR);
    region_init(&region, region_memory, sizeof region_memory);
    tls_keep_init(&keep, &region, &config);
}

/* What is wrong with the text; NULL: the set is prepared. */
static const char *load(str text)
{
    struct arena scratch;
    struct webhook_secret secret;
    const char *why = "";
    arena_init(&scratch, scratch_memory, sizeof scratch_memory);
    const char *fault = webhook_secret_read(text, &scratch, &secret);
    if (fault == NULL) {
        enum err err = tls_keep_load(&keep, secret.chain, secret.key, secret.authority, &why);
        fault = err == ERR_OK ? webhook_secret_fault(tls_keep_next(&keep), NOW_S) : why;
    }
    return fault;
}

/* A new one, with what is shown now before it. */
static void renew(void)
{
    const struct x509_wish wish = {.common_name = S("vk-webhook"), .address = S("192.0.2.1")};
    struct arena arena;
    struct buf body;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    buf_init(&body, body_memory, sizeof body_memory);
    const struct tls_set *before = tls_keep_current(&keep);
    enum err err = webhook_secret_put(&wish, before, STR_NONE, STR_NONE, NOW_S, &arena, &body);
    if (err != ERR_OK) {
        return; /* the old one is too large to stand beside it */
    }
    if (load(buf_str(&body)) != NULL ||
        !webhook_secret_names(tls_keep_next(&keep), S("192.0.2.1")) ||
        (before != NULL && webhook_secret_fault(before, NOW_S) == NULL &&
         !webhook_secret_vouches(tls_keep_next(&keep)->authority, before))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (keep.config.name == NULL) {
        init();
    }
    tls_keep_wipe(&keep);
    const char *fault = load(str_make((const char *)data, size));
    if (tls_keep_next(&keep) != NULL) {
        tls_keep_swap(&keep);
    }
    if (fault == NULL || size % 64 == 0) {
        renew();
    }
    return 0;
}
