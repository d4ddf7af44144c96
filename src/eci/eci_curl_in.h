/*
 * eci_curl_in.h - what the files of eci_curl share among themselves; nobody else includes it.
 * eci_curl.c has the transfers and the loop, eci_curl_err.c says what went wrong.
 */
#ifndef ECILET_ECI_ECI_CURL_IN_H
#define ECILET_ECI_ECI_CURL_IN_H

#include "eci/eci_curl.h"

#include <curl/curl.h>

#include "net/x509_verify.h"

/* One easy handle and what belongs to its present transfer. */
struct eci_curl_easy {
    CURL *handle;
    struct eci_curl *curl;
    struct eci_curl_transfer *transfer; /* NULL while free */
    struct x509_verifier *verifier;     /* of the handshake this transfer drives, if any */
    char error[CURL_ERROR_SIZE];
};

/* What this result of a transfer is; before its handle is used again. */
enum err eci_curl_judge(const struct eci_curl_easy *easy, CURLcode result);
/* One line for people. err: as judged, not ERR_OK. */
void eci_curl_explain(const struct eci_curl_easy *easy, CURLcode result, enum err err,
                      char why[static ECI_CURL_WHY_BYTES]);

#endif
