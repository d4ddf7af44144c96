/*
 * pem.h - the blocks of a PEM file (RFC 7468): certificates and keys as people carry them around.
 *
 * Text before, between and after blocks is ignored, as every other reader does: CA bundles have
 * comments in it.
 */
#ifndef ECILET_NET_PEM_H
#define ECILET_NET_PEM_H

#include "base/arena.h"

struct pem_block {
    str label;  /* "CERTIFICATE", "EC PRIVATE KEY", ... */
    str base64; /* between the two lines */
};

/* Cuts the next block off *rest. False when there is none; a block without its END line ends the
 * search too (the file was cut). */
bool pem_next(str *rest, struct pem_block *block);

/* The decoded bytes, in the arena. Errors: ERR_BAD_INPUT (not base64, or empty), ERR_FULL. */
MUST_USE enum err pem_decode(const struct pem_block *block, struct arena *arena, str *der);

#endif
