/*
 * err.h - every way a call can fail, and what the brain does about it.
 *
 * Functions that can fail return `enum err`; zero is success and ignoring the result is a warning.
 * The brain never looks at status codes, only at the error's fate:
 *
 *   FATE_NONE     no failure
 *   FATE_LATER    passing trouble: back off with jitter, try again
 *   FATE_SLOW     we were throttled: shrink the budget of that action, try again
 *   FATE_UNKNOWN  a write that may have landed: take a fresh reading before any further write
 *                 (a lost *read* is just later)
 *   FATE_NEVER    the request is wrong: tell the user in an event and in the status
 *   FATE_OURS     a bug or a local limit: count, shed, report; never blame the pod
 */
#ifndef ECILET_BASE_ERR_H
#define ECILET_BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))

enum fate { FATE_NONE, FATE_LATER, FATE_SLOW, FATE_UNKNOWN, FATE_NEVER, FATE_OURS, FATE_COUNT };

/*  name           fate     text shown to people */
#define ERR_TABLE(X) \
    X(OK,          NONE,    "no error")                                                  \
    X(AGAIN,       NONE,    "nothing to do until the descriptor is ready")               \
    X(END,         NONE,    "end of stream")                                             \
    X(TIMEOUT,     LATER,   "no reply in time")                                          \
    X(REFUSED_CONN, LATER,  "connection refused")                                        \
    X(UNREACHABLE, LATER,   "network unreachable")                                       \
    X(RESOLVE,     LATER,   "host name could not be resolved")                           \
    X(CLOSED,      LATER,   "connection closed by the peer before the reply was complete") \
    X(LOST_WRITE,  UNKNOWN, "no complete reply; the write may have landed")              \
    X(TLS,         LATER,   "TLS handshake or record error")                             \
    X(TLS_TRUST,   LATER,   "the peer's certificate is not trusted")                     \
    X(THROTTLED,   SLOW,    "the server asked us to slow down")                          \
    X(SERVER,      LATER,   "server error (5xx)")                                        \
    X(AUTH,        LATER,   "not authenticated (401 or a refused key)")                  \
    X(FORBIDDEN,   LATER,   "not permitted (403 or a missing permission)")               \
    X(CLOCK,       LATER,   "the server refused our clock")                              \
    X(QUOTA,       LATER,   "a quota is used up")                                        \
    X(STOCK,       LATER,   "the cloud has no stock of this size in this zone")          \
    X(CONFLICT,    LATER,   "conflicts with another operation (409)")                    \
    X(BUSY,        LATER,   "the object is being worked on; try again")                  \
    X(NOT_FOUND,   NEVER,   "not found (404)")                                           \
    X(GONE,        LATER,   "the version asked for is gone (410)")                       \
    X(INVALID,     NEVER,   "the request was refused as invalid")                        \
    X(UNSUPPORTED, NEVER,   "the cloud cannot express this")                             \
    X(TOKEN_CLASH, NEVER,   "the client token was used with other parameters")           \
    X(BAD_INPUT,   NEVER,   "malformed input")                                           \
    X(BAD_REPLY,   LATER,   "malformed reply")                                           \
    X(TOO_BIG,     OURS,    "larger than our limit")                                     \
    X(FULL,        OURS,    "a fixed-size pool or buffer is full")                       \
    X(NO_MEMORY,   OURS,    "the third-party heap is full")                              \
    X(SYSTEM,      OURS,    "the operating system refused")                              \
    X(CANCELLED,   OURS,    "cancelled by us")

enum err {
#define X(name, fate, text) ERR_##name,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

/* Never NULL, for any value. */
const char *err_name(enum err err); /* "ERR_TIMEOUT" */
const char *err_text(enum err err); /* "no reply in time" */
enum fate err_fate(enum err err);
const char *fate_name(enum fate fate); /* "later" */

/*
 * What a failed *write* means for the brain: when the request may have left this machine and no
 * definite answer came back (time-out, broken connection, 5xx, malformed reply, or a limit of ours
 * hit while reading it), the error becomes ERR_LOST_WRITE (fate unknown). Definite answers such as
 * throttling, a conflict or a refusal stay as they are.
 *
 * was_sent   at least one byte of the request was handed to the kernel
 */
enum err err_of_write(enum err err, int was_sent);

#endif
