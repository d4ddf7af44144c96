/*
 * flex_read.h - disks, NAS and OSS: flexVolume and CSI volumes of the pod, and the claims behind
 * which they or NFS stand. All become the cloud's FlexVolume or NFSVolume.
 */
#ifndef ECILET_SPEC_FLEX_READ_H
#define ECILET_SPEC_FLEX_READ_H

#include "spec/spec_read.h"

/*
 * Reads flexVolume, csi, nfs or persistentVolumeClaim. A claim must be bound, else the pod waits;
 * what its PersistentVolume is must be one of the other three. Of one that is only promised no more
 * is known than its template says.
 *
 * flexVolume    drivers alicloud/disk, alicloud/nas and alicloud/oss; options as they are, with the
 *               keys of secretRef in them
 * csi           diskplugin (by its handle, so only behind a claim), nasplugin and
 *               ossplugin.csi.alibabacloud.com; the attributes that the cloud's drivers know
 * False when the volume has none of them: nothing is done then.
 */
bool flex_read(struct spec_read *read, json volume, str path, struct spec_volume *out);

#endif
