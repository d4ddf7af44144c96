/*
 * connect.h - from the configuration to both sides: where they are, whom we believe, who we are.
 * For `run` (wire.c), for commands that ask once (oneshot.c) and for those that only say what would
 * be asked (explain_print.c).
 */
#ifndef ECILET_APP_CONNECT_H
#define ECILET_APP_CONNECT_H

#include "app/config.h"
#include "eci/eci_call.h"
#include "kube/auth.h"
#include "net/x509_verify.h"
#include "spec/pod_to_eci.h"

/* Room for the anchors of a bundle of authorities: 72 KB for Debian's 144 roots. More: refused by
 * connect_trust(). */
#define CONNECT_ANCHORS_BYTES (256 * 1024)

/* The API server and our credentials there. Errors: as kube_auth_load(); auth->why says what. */
MUST_USE enum err connect_kube(struct kube_auth *auth, const struct config *config);

/*
 * The node's address: VKUBELET_POD_IP, or what the kernel would use to talk to the API server of
 * `auth` (loaded). A server known by name only would have to be resolved first: then the operator
 * must say it. False: not known, out is empty.
 */
bool connect_address(const struct kube_auth *auth, const struct config *config,
                     char out[static 64]);

/*
 * ECI_CA_FILE: read into `scratch` once, which is rewound; only its anchors stay, in `memory`.
 * Without effect when none is given. Errors: those of os_file_read() and x509_anchors_load(); `why`
 * receives one line.
 */
MUST_USE enum err connect_trust(struct x509_anchors *anchors, struct arena *memory,
                                struct arena *scratch, const struct config *config,
                                struct buf *why);

/* What pods' requests take from the configuration; the node's address stays empty. */
void connect_spec(const struct config *config, struct spec_config *out);

/* Our keys in the cloud, copied. Errors: as eci_client_set_keys(). */
MUST_USE enum err connect_keys(struct eci_client *cloud, const struct config *config);

#endif
