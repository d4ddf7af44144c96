/*
 * network_read.h - what a pod says about names and registries: dnsPolicy, dnsConfig and
 * imagePullSecrets.
 */
#ifndef ECILET_SPEC_NETWORK_READ_H
#define ECILET_SPEC_NETWORK_READ_H

#include "spec/spec_read.h"

/*
 * The cluster's resolver cannot be reached from an instance, so ClusterFirst, Default and
 * ClusterFirstWithHostNet all mean the cloud's resolver. None means dnsConfig alone. The cloud
 * takes dnsConfig only with None: with another policy servers and search domains are refused, and
 * options are left out with a warning.
 */
void dns_read(struct spec_read *read, json spec);

/*
 * The registries of all pull secrets (kubernetes.io/dockerconfigjson and dockercfg); of two for one
 * host the first counts. A secret that is not there is a warning, as for the kubelet; one of
 * another kind too.
 */
void logins_read(struct spec_read *read, json spec);

#endif
