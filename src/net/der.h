/*
 * der.h - a reader for DER (ITU-T X.690), just enough for certificates.
 *
 * Sticky: after the first malformed element has_failed stays set and every further read gives empty
 * values, so a caller reads ten elements in a row and asks once. Values are views into the input.
 *
 * Refused as malformed: indefinite lengths, lengths not in their shortest form, tags above 30,
 * elements that reach beyond their parent.
 */
#ifndef ECILET_NET_DER_H
#define ECILET_NET_DER_H

#include "base/str.h"

/* Identifier octets (class, constructed bit and number together). */
#define DER_BOOLEAN 0x01u
#define DER_INTEGER 0x02u
#define DER_BIT_STRING 0x03u
#define DER_OCTET_STRING 0x04u
#define DER_OID 0x06u
#define DER_UTC_TIME 0x17u
#define DER_GENERALIZED_TIME 0x18u
#define DER_SEQUENCE 0x30u
#define DER_SET 0x31u
#define DER_CONTEXT(n) (0x80u | (n))      /* [n] IMPLICIT, primitive */
#define DER_CONTEXT_OPEN(n) (0xA0u | (n)) /* [n] EXPLICIT, or IMPLICIT constructed */

struct der {
    str rest;        /* not yet read */
    bool has_failed; /* sticky */
};

struct der_item {
    uint8_t tag;
    str body;  /* contents */
    str whole; /* with identifier and length */
};

static inline struct der der_open(str bytes)
{
    return (struct der){bytes, false};
}

/* Whether another element follows (false after a failure, so loops end). */
static inline bool der_has_more(const struct der *der)
{
    return !der->has_failed && der->rest.bytes > 0;
}

/* The next element; has_failed and an empty item when there is none. */
struct der_item der_next(struct der *der);
/* The next element must have this tag. */
struct der_item der_expect(struct der *der, unsigned tag);
/* The next element if it has this tag; otherwise nothing is read and the item is empty (tag 0). */
struct der_item der_maybe(struct der *der, unsigned tag);
/* der_expect(), and a reader for its contents. A failed parent gives a failed child. */
struct der der_enter(struct der *der, unsigned tag);
/* Nothing may be left. Returns false (and fails) otherwise. */
bool der_finish(struct der *der);

/* BOOLEAN (DER: 0x00 or 0xFF, one byte); fails otherwise. */
bool der_boolean(struct der *der);
/* BIT STRING with a whole number of bytes: its contents without the leading count. */
str der_bytes_of_bits(struct der *der);
/* Non-negative INTEGER as big-endian bytes without leading zeros (empty for 0). */
str der_unsigned(struct der *der);

/* UTCTime or GeneralizedTime in the only forms RFC 5280 4.1.2.5 allows, as seconds since 1970.
 * Fails otherwise. */
int64_t der_time(struct der *der);

#endif
