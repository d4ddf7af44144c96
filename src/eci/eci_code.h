/*
 * eci_code.h - what an HTTP status and an error code of the cloud mean (eci-api 1.8).
 *
 * The rows are in eci_codes.def; the first that matches decides, and where none does, the HTTP
 * status does. Two rules stand above the table:
 *
 * A refusal "for good" (fate never) may end a pod, so a code gets it only when the request itself
 * is wrong. What somebody can repair without touching the pod (a policy, a key, a balance, a
 * service not switched on, a wrong region in our own config) is always "later".
 *
 * NOT_FOUND may be taken for "the group is gone", so it is given only to codes of that meaning, and
 * never to a bare 404, which any proxy can send.
 */
#ifndef ECILET_ECI_ECI_CODE_H
#define ECILET_ECI_ECI_CODE_H

#include "base/err.h"
#include "base/str.h"

#define ECI_CODE_BYTES_MAX 128 /* longer ones are judged by their HTTP status */

/* What the call itself does about it before anybody hears of it, once per call. */
enum eci_again {
    ECI_AGAIN_NO,
    ECI_AGAIN_NONCE, /* a new nonce */
    ECI_AGAIN_CLOCK  /* learn the time from the reply's Date, sign anew */
};

struct eci_verdict {
    enum err err;
    enum eci_again again;
    bool hides_message; /* the message may quote the request, with every secret in it */
};

/*
 * http_status   of a complete reply
 * code          Code (or code); empty when absent or when the body was no JSON object
 * message       Message; looked at only where one code has two meanings
 * Never fails; the verdict on 2xx without code is ERR_OK.
 */
struct eci_verdict eci_code_judge(int http_status, str code, str message);

/* One row of the table, for tests and documentation. Index below eci_code_rows_count(). */
struct eci_code_row {
    const char *pattern; /* "*" stands for any text */
    const char *needle; /* must also occur in the message, without regard to case; NULL: anything */
    struct eci_verdict verdict;
};
uint32_t eci_code_rows_count(void);
const struct eci_code_row *eci_code_row(uint32_t index);

#endif
