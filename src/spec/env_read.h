/*
 * env_read.h - the variables of one container, as the kubelet and the virtual-kubelet library make
 * them: those of services, then envFrom, then env; later ones win. $(NAME) in a value means what
 * was set before it; of secret values the result is secret too.
 */
#ifndef ECILET_SPEC_ENV_READ_H
#define ECILET_SPEC_ENV_READ_H

#include "spec/spec_read.h"

/* Fills env, env_count and is_unsized. At most SPEC_ENV_MAX in a pod: above, it is refused. */
void env_read(struct spec_read *read, json container, str path, struct spec_container *out);

/* Does the text name a secret variable, or one whose value the cloud puts in? */
bool env_names_secret(str text, const struct spec_env *env, uint32_t env_count);
bool env_names_pod_ip(str text, const struct spec_env *env, uint32_t env_count);

/*
 * expand_text() with remarks: refused when too long; a warning when it names a variable with the
 * pod's address, which stays as written.
 */
bool env_expand(struct spec_read *read, str text, const struct spec_env *env, uint32_t env_count,
                str path, str *out);

#endif
