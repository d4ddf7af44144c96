/*
 * kubeconfig.h - one context of a kubeconfig file, as plain data (client-go's api.Config v1).
 *
 * Pure: text in, data or one sentence out. Files that it names are not opened here.
 *
 * Where a member is given as data and as a file, the data wins, as in kubectl; where a token is
 * given both ways, the file wins as long as it can be read, because it is the one that is renewed.
 */
#ifndef ECILET_KUBE_KUBECONFIG_H
#define ECILET_KUBE_KUBECONFIG_H

#include "base/buf.h"
#include "data/json_read.h"

struct kubeconfig {
    str context; /* the one used */
    str cluster;
    str user;
    /* server: https://host[:port][/prefix] */
    bool is_tls;
    str host; /* without brackets */
    uint16_t port;
    str prefix; /* "" or "/x/y", no slash at its end */
    str tls_server_name;
    bool skip_verify;
    str ca_pem, ca_file; /* at most one of them; both empty: no CA given */
    /* user */
    str cert_pem, cert_file;
    str key_pem, key_file;
    str token, token_file;
};

/*
 * Reads the context out of a parsed kubeconfig.
 *
 * context   empty: current-context; when that is empty too and there is exactly one context, that
 * dir       relative file names are taken from here (the kubeconfig's directory), "" = as they are
 * arena     texts of *out live there or in the document
 * why       receives one sentence on failure, e.g. "user \"admin\": exec plugins are not supported"
 *
 * Errors: ERR_BAD_INPUT, ERR_UNSUPPORTED, ERR_FULL.
 */
MUST_USE enum err kubeconfig_read(json root, str context, str dir, struct arena *arena,
                                  struct kubeconfig *out, struct buf *why);

/* "https://host[:port][/prefix]" into its parts. False: *why says what is wrong (static text). */
bool kubeconfig_read_url(str url, struct kubeconfig *out, const char **why);

#endif
