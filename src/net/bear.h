/*
 * bear.h - the one place in net/ that names BearSSL (version 0.6).
 *
 * Three files speak to it: x509_verify (certificate chains), tls_identity (private keys) and tls
 * (records and handshakes). Everything above sees bytes, enum err and a sentence for people.
 */
#ifndef ECILET_NET_BEAR_H
#define ECILET_NET_BEAR_H

#include <bearssl.h>

#endif
