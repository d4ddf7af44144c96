/*
 * annotation_form.h - is a value written as its row in annotations.def says? For annotation.c.
 */
#ifndef ECILET_SPEC_ANNOTATION_FORM_H
#define ECILET_SPEC_ANNOTATION_FORM_H

#include "spec/annotation.h"

/*
 * value   .text holds what was given, trimmed and not empty; receives text, number and root as
 *         annotation.h says
 * arena   for texts that had to be changed, and for JSON
 * False: it is not; value is then undefined.
 */
bool annotation_form_fits(const struct annotation_row *row, struct arena *arena,
                          struct annotation_value *value);

/* "2-4Gi" as a size. False for anything else, or when no instance is that large. */
bool annotation_spec_size(str spec, struct sizing *out);

/* "ecs.hfc6": the class of memory per vCPU, 2, 4 or 8 GiB; 0 when it is no such family. */
int64_t annotation_family_ratio(str family);

#endif
