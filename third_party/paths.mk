# Where the built libraries live; included by the top Makefile and by third_party/Makefile.
#
#   $(THIRD_PARTY_musl)   for the product: static, musl, small
#   $(THIRD_PARTY_host)   for tests: glibc, debuggable, fit for sanitizers
#
# Each holds include/, lib/ and versions.h, and is named by a hash of the recipe, so switching
# branches never mixes builds and a second build does nothing.

third_party_dir := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

ECILET_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ecilet

third_party_key = $(shell cd $(third_party_dir) && \
    { cat Makefile sources.tsv $$(ls patches/* 2>/dev/null); echo "$(1)"; } | sha256sum | cut -c1-12)

THIRD_PARTY_CC_musl ?= musl-gcc
THIRD_PARTY_CC_host := gcc
THIRD_PARTY_musl := $(ECILET_CACHE)/third_party/musl-$(call third_party_key,$(THIRD_PARTY_CC_musl))
THIRD_PARTY_host := $(ECILET_CACHE)/third_party/host-$(call third_party_key,$(THIRD_PARTY_CC_host))
