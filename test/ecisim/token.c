/* see token.h */
#include "token.h"

#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "index.h"
#include "settings.h"

#define DAY_MS 86400000

struct token {
    struct token *next; /* the next younger one */
    char *key;          /* "Action/token" */
    char *result;
    uint64_t digest; /* of the parameters */
    int64_t made_ms;
};

static struct index tokens;
static struct token *oldest;
static struct token *newest;

/* What makes a request the same: all but the parts that each sending renews. */
static uint64_t digest(const struct call *call)
{
    struct buf text = {0};
    for (size_t at = 0; at < call->pair_count; at++) {
        const struct pair *pair = &call->pairs[at];
        if (!text_is_any(pair->name, "Signature|SignatureNonce|SignatureMethod|SignatureVersion|"
                                     "SignatureType|Timestamp|AccessKeyId|SecurityToken|Format|"
                                     "Action|Version")) {
            buf_text(&text, pair->name);
            buf_byte(&text, '\0');
            buf_text(&text, pair->value);
            buf_byte(&text, '\0');
        }
    }
    uint64_t hash = index_hash(buf_string(&text), text.used);
    buf_free(&text);
    return hash;
}

static void forget_oldest(void)
{
    struct token *token = oldest;
    oldest = token->next;
    newest = oldest == NULL ? NULL : newest;
    if (index_find(&tokens, token->key) == token) {
        index_drop(&tokens, token->key);
    }
    free(token->key);
    free(token->result);
    free(token);
}

/* Whether it is still known: by its age, or for creates as long as the group exists. */
static bool is_valid(const struct token *token)
{
    int64_t age_ms = clock_ms() - token->made_ms;
    if (settings.token_memory_ms >= 0) {
        return age_ms < settings.token_memory_ms;
    }
    return token->result[0] != '\0' ? group_find(token->result) != NULL : age_ms < DAY_MS;
}

static char *make_key(const struct call *call)
{
    struct buf key = {0};
    buf_fmt(&key, "%s/%s", call->action->name, call_param(call, "ClientToken"));
    return key.data;
}

bool token_known(struct call *call, const char **result)
{
    if (call_param(call, "ClientToken") == NULL) {
        return false;
    }
    char *key = make_key(call);
    struct token *token = index_find(&tokens, key);
    free(key);
    if (token == NULL || !is_valid(token)) {
        return false;
    }
    if (token->digest != digest(call)) {
        call_fail(call, CODE_TOKEN_MISMATCH, NULL);
        return false;
    }
    *result = token->result;
    return true;
}

void token_keep(const struct call *call, const char *result)
{
    if (call_param(call, "ClientToken") == NULL) {
        return;
    }
    while (oldest != NULL && !is_valid(oldest)) {
        forget_oldest();
    }
    struct token *token = text_grab(NULL, sizeof *token);
    *token = (struct token){.key = make_key(call),
                            .result = text_copy(result),
                            .digest = digest(call),
                            .made_ms = clock_ms()};
    *(newest == NULL ? &oldest : &newest->next) = token;
    newest = token;
    index_put(&tokens, token->key, token);
}

void token_reset(void)
{
    while (oldest != NULL) {
        forget_oldest();
    }
    index_free(&tokens);
}
