/*
 * Which sizes an instance can have, and how a wish is rounded up to one (eci-api 4.1 to 4.3).
 */
#ifndef ECISIM_SIZING_H
#define ECISIM_SIZING_H

#include "tree.h"

struct size {
    double cpu;    /* vCPU */
    double memory; /* GiB */
};

/*
 * Round up to the nearest size that is sold: the smallest row of vCPUs that fits and has enough
 * memory, then the smallest such memory. false: there is none (more than 64 vCPU or 512 GiB).
 */
bool size_round(const char *region, bool is_spot, struct size wish, struct size *out);
/* "2-4Gi" or a type such as ecs.c6.large. false: neither. */
bool size_of_type(const char *type, struct size *out);
/*
 * The sum of what the containers ask for: apps together, or the largest init container when
 * that is more. __ECI_RESOURCE_IGNORE__=TRUE takes a container out.
 */
struct size size_of_containers(const struct node *params);
/* The value of a variable in the EnvironmentVar list of a container, or NULL. */
const char *env_value(const struct node *container, const char *key);

#endif
