/*
 * files_read.h - volumes made of files: configMap, secret, downwardAPI and projected. Their
 * contents are those of the moment the instance is made; the cloud does not refresh them.
 */
#ifndef ECILET_SPEC_FILES_READ_H
#define ECILET_SPEC_FILES_READ_H

#include "spec/spec_read.h"

#define SPEC_FILES_MAX 256 /* of one volume; more: refused. Each costs two of PARAMS_MAX */

/*
 * Reads one of the four.
 *
 * volume   the member of spec.volumes
 * out      receives kind SPEC_VOLUME_FILES, files and default_mode. Of two files with one path the
 *          later counts, as the kubelet writes them
 * False when the volume has none of them: nothing is done then.
 */
bool files_read(struct spec_read *read, json volume, str path, struct spec_volume *out);

#endif
