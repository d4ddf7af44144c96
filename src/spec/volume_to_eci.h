/*
 * volume_to_eci.h - Volume.N.* of a pod, for pod_to_eci.c.
 */
#ifndef ECILET_SPEC_VOLUME_TO_ECI_H
#define ECILET_SPEC_VOLUME_TO_ECI_H

#include "spec/pod_to_eci.h"

/*
 * The limits of the cloud on files and disks are checked here and refused with the numbers
 * (ECI_FILE_BYTES_MAX, ECI_VOLUME_FILES_BYTES_MAX, ECI_DISKS_MAX). A volume of files that has none
 * becomes an emptyDir: both are an empty folder.
 */
void volumes_to_eci(const struct pod_spec *pod, struct params *params,
                    struct spec_verdict *verdict);

#endif
