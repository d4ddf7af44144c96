/*
 * address.h - is a text a numeric address that a pod can have? The API server refuses a status
 * with anything else in it, the whole status.
 */
#ifndef ECILET_SPEC_ADDRESS_H
#define ECILET_SPEC_ADDRESS_H

#include "base/str.h"

enum address_family { ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_IPV6 };

/*
 * IPv4 as four decimal numbers without leading zeros, IPv6 as RFC 4291 section 2.2 without zone
 * and without a dotted end. NONE for all else, and for the unspecified addresses 0.0.0.0 and "::",
 * which the cloud shows before there is an address.
 */
enum address_family address_family(str text);

#endif
