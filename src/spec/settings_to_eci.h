/*
 * settings_to_eci.h - resolver, registries and sysctls of a pod as parameters, for pod_to_eci.c.
 */
#ifndef ECILET_SPEC_SETTINGS_TO_ECI_H
#define ECILET_SPEC_SETTINGS_TO_ECI_H

#include "data/params.h"
#include "spec/pod_spec.h"

/* Passwords are secrets; all else may be shown. */
void settings_to_eci(const struct pod_spec *pod, struct params *params);

#endif
