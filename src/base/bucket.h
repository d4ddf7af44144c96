/*
 * bucket.h - token bucket, adaptive: throttling halves the rate, calm minutes bring it back.
 *
 * Rates are per minute because the cloud documents them so. The bucket never refuses for ever:
 * bucket_wait_ms() says when the next token is there.
 */
#ifndef ECILET_BASE_BUCKET_H
#define ECILET_BASE_BUCKET_H

#include "base/str.h"

struct bucket {
    uint32_t per_minute_max; /* configured rate, >= 1 */
    uint32_t burst;          /* most tokens that can be saved up, >= 1 */
    int64_t per_minute_now;  /* <= per_minute_max, >= 1 */
    int64_t tokens_milli;    /* thousandths of a token */
    int64_t tokens_rest;     /* sixtieths of that, so that no filling is lost to rounding */
    msec filled_at_ms;
    msec slowed_at_ms; /* last bucket_slow() or recovery step */
    uint64_t taken, refused;
};

void bucket_init(struct bucket *bucket, uint32_t per_minute, uint32_t burst, msec now_ms);
/* Takes one token if there is one. `reserve` tokens must stay behind (0 for important work). */
bool bucket_take(struct bucket *bucket, msec now_ms, uint32_t reserve);
/* 0 when bucket_take() with this reserve would succeed, else milliseconds until it would. */
msec bucket_wait_ms(struct bucket *bucket, msec now_ms, uint32_t reserve);
/* A token that was taken was not needed after all. */
void bucket_give_back(struct bucket *bucket);
/* The server throttled us: halve the rate (not below 1/16 of the maximum, at least 1 per minute)
 * and drop saved tokens. At most once per second. The rate grows back by 1/8 of the maximum for
 * each 15 s without throttling. */
void bucket_slow(struct bucket *bucket, msec now_ms);

#endif
