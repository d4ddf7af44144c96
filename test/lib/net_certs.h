/*
 * net_certs.h - certificates and keys for tests. Everything is valid in 2025 unless its name says
 * otherwise; who signed what is in net_certs.sh, which made them.
 */
#ifndef ECILET_TEST_NET_CERTS_H
#define ECILET_TEST_NET_CERTS_H

#define NET_NOW_S 1748736000 /* 2025-06-01T00:00:00Z: what the tests' clock says */

/* PEM text of "server_ec.crt", "client_rsa.key" ...; NULL when there is no such file. */
const char *net_cert(const char *name);

#endif
