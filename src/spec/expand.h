/*
 * expand.h - $(NAME) in commands, arguments and variables, as the kubelet replaces it
 * (k8s.io/kubernetes third_party/forked/golang/expansion): $(NAME) becomes the variable's value, or
 * stays as it is when there is no such variable (or the cloud puts its value in, is_pod_ip); $$
 * becomes $, so $$(NAME) means the text $(NAME).
 */
#ifndef ECILET_SPEC_EXPAND_H
#define ECILET_SPEC_EXPAND_H

#include "spec/pod_spec.h"

/* Longest result. Values can double each other ($(A)$(A) in B, $(B)$(B) in C, ...): without a limit
 * twenty variables would fill any memory. */
#define EXPAND_BYTES_MAX 65536

/*
 * out   the text itself when nothing is to be replaced, else new text in the arena
 * Errors: ERR_TOO_BIG above EXPAND_BYTES_MAX; ERR_FULL when the arena is full.
 */
MUST_USE enum err expand_text(str text, const struct spec_env *env, uint32_t env_count,
                              struct arena *arena, str *out);

/* The value of a variable, NULL when it is not there. The last of several wins. */
const struct spec_env *expand_find(const struct spec_env *env, uint32_t env_count, str name);

#endif
