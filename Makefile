# ecilet: a Virtual Kubelet node for Alibaba Cloud ECI in one static binary.
#
#   make                build/ecilet: static, musl, stripped, at most 1.5 MiB
#   make check          is the tree well? lint, unit and table tests, short simulations: under a minute
#   make test           everything: check, a clang build, longer simulations, the ECI simulator's
#                       conformance, end-to-end tests on a real control plane
#   make demo           a cluster, the ECI simulator, ecilet and a workload on this machine
#   make unit           only the unit and table tests (T="test_str test_buf" picks some)
#   make e2e            only the end-to-end tests (T=name picks some)
#   make sim            replay simulated stories: SEED=first SEEDS=how-many HOURS=virtual-hours
#   make sim-watch      one story as a table: SEED=n HOURS=virtual-hours
#   make sim-mutants    planted bugs: does the simulator still find each of them?
#   make ecisim         build/ecisim, the ECI simulator     make ecisim-check  its conformance
#   make bench          the numbers of the performance table
#   make soak           a thousand pods under trouble: SOAK_MINUTES=60 SOAK_PODS=1000 SOAK_SEED=n
#   make fuzz-seeds     each fuzzer with the inputs of the tree, once
#   make fuzz           each fuzzer for FUZZ_SECONDS=30 (F=name picks one)
#   make cover          which lines and branches the tests and the simulator reach (ALL=1 lists the others)
#   make lint           style that a script can hold        make fmt / fmt-check  clang-format
#   make docs           regenerate config/ecilet.conf.example, config/annotations.md and the README's settings
#   make compdb         build/compile_commands.json for editors
#   make control-plane  build kube-apiserver and friends into the cache (minutes, once)
#   make third-party-tarballs DIR=folder    fill a folder to build offline from
#   make clean          remove build/ (the cache stays: it is ECILET_CACHE, default ~/.cache/ecilet)
#
#   V=1                 show commands                   JOBS=n  at a time (default: all cores)
#   SAN=1               the whole product with glibc, ASan and UBSan: build/san/ecilet
#   CC=...              compiler of the product (a musl one; default musl-gcc)
#   HOST_CC=...         compiler of tests and sanitizer builds (default gcc)
#   THIRD_PARTY_TARBALLS=folder   build the libraries from that folder, without a network
#
# There is no configure step. Missing Debian packages are installed (as root) or named.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(or $(JOBS),$(shell nproc))
endif

Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$(2)')

# A CC that merely happens to be in the environment is not meant for us.
ifneq ($(origin CC),command line)
CC := musl-gcc
endif
HOST_CC ?= gcc
CLANG ?= clang
STRIP ?= strip
AR := ar

THIRD_PARTY_CC_musl := $(CC)
include third_party/paths.mk

# --- sources -----------------------------------------------------------------------------------

pure_src    := $(wildcard src/base/*.c src/data/*.c src/spec/*.c src/core/*.c)
product_src := $(wildcard src/*/*.c)
main_src    := $(wildcard src/main.c)
lib_src     := $(wildcard test/lib/*.c)
unit_src    := $(wildcard test/unit/test_*.c test/table/test_*.c)
sim_src     := $(wildcard test/sim/*.c)
fuzz_src    := $(wildcard test/fuzz/fuzz_*.c)
bench_src   := $(wildcard test/bench/bench_*.c)
ecisim_src  := $(wildcard test/ecisim/*.c)
# What tests link. os/heap.c takes over malloc under musl only; a sanitizer keeps its own.
library_src := $(product_src)

# Sources that mention the version get the generated header, and only they are rebuilt by a commit.
versioned := $(shell grep -lsE 'ECILET_VERSION|THIRD_PARTY_VERSIONS' $(product_src) $(main_src) $(ecisim_src))
# Product code is compiled with base/poison.h before its first line. An adapter of a third-party
# header that mentions the poisoned names includes poison.h itself, after that header.
unpoisoned := $(shell grep -lsE '^#define POISON_(LATER|NEVER)' $(product_src) $(main_src))

# --- flags -------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
    -Wwrite-strings -Wundef -Wvla -Wformat=2 -Werror
src_warnings := $(warnings) -Wcast-qual -Wconversion
base_flags := -std=c11 -D_GNU_SOURCE -MMD -MP -ffile-prefix-map=$(CURDIR)/=
san := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# Variants: the same sources, built differently. Objects are build/obj/VARIANT/path/to/file.o.
#   product  musl, optimised, static        san    glibc, sanitizers: tests, SAN=1
#   fast     glibc, -O2: simulations        clang  a second opinion
#   mutant   the same with planted bugs          planted  the product with bugs that pods' names set off
#   fuzz     clang, libFuzzer               cover  gcov
product_cc := $(CC)
# Without the tables that unwind the stack (a tenth of the binary): a debugger finds them in ecilet.debug.
product_cflags := -O2 -g -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -fno-asynchronous-unwind-tables
product_libs := $(THIRD_PARTY_musl)
san_cc := $(HOST_CC)
san_cflags := -O1 -g $(san)
fast_cc := $(HOST_CC)
fast_cflags := -O2 -g
mutant_cc := $(HOST_CC)
mutant_cflags := -O2 -DECILET_MUTANTS
clang_cc := $(CLANG)
clang_cflags := -O1 -Wno-unknown-warning-option
fuzz_cc := $(CLANG)
fuzz_cflags := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
cover_cc := $(HOST_CC)
cover_cflags := -O0 -g --coverage
# Bugs that only the test of set-aside pods sets off; two files differ.
planted_cc := $(CC)
planted_cflags := $(product_cflags) -DECILET_PLANTED
planted_libs := $(THIRD_PARTY_musl)
variants := product san fast mutant clang fuzz cover planted

third_party_link := -lcurl -lbearssl -lfyaml -lz -lpthread

# What a file may include and how strictly it is read, by where it lives.
path_flags_src    := $(src_warnings) -Isrc
path_flags_test   := $(warnings) -Wno-missing-prototypes -Isrc -Itest -Itest/lib
path_flags_ecisim := $(warnings) -Itest/ecisim
place = $(if $(filter src/%,$(1)),src,$(if $(filter test/ecisim/%,$(1)),ecisim,test))
flags_of = $(base_flags) $(path_flags_$(call place,$(1))) \
    $(if $(filter src/%,$(1)),$(if $(filter $(1),$(unpoisoned)),,-include src/base/poison.h)) \
    $(if $(filter $(1),$(versioned)),-include build/gen/version.h)

objects = $(patsubst %.c,build/obj/$(1)/%.o,$(2))

# $(1) variant
define variant_rules
$(1)_libs ?= $$(THIRD_PARTY_host)
build/obj/$(1)/%.o: %.c build/obj/$(1)/flags
	$$(call say,$(1),$$<)
	@mkdir -p $$(@D)
	$$(Q)$$($(1)_cc) $$($(1)_cflags) $$(call flags_of,$$<) -isystem $$($(1)_libs)/include -c $$< -o $$@
$(call objects,$(1),$(versioned)): build/gen/version.h

# Changes when the compiler, its flags or the libraries do: then the variant is built anew.
build/obj/$(1)/flags: FORCE | $$($(1)_libs)/versions.h
	@mkdir -p $$(@D)
	@echo '$$($(1)_cc) $$($(1)_cflags) $$(base_flags) $$(path_flags_src) $$(path_flags_test) $$(path_flags_ecisim) $$($(1)_libs)' >$$@.new
	@cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@

-include $$(patsubst %.o,%.d,$$(call objects,$(1),$$(product_src) $$(main_src) $$(lib_src) $$(unit_src) $$(sim_src) \
    $$(fuzz_src) $$(bench_src) $$(if $$(filter $(1),product clang),$$(ecisim_src))))

build/obj/$(1)/libecilet.a: $(call objects,$(1),$(library_src))
build/obj/$(1)/libpure.a: $(call objects,$(1),$(pure_src))
build/obj/$(1)/libtest.a: $(call objects,$(1),$(lib_src))
build/obj/$(1)/%.a:
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach variant,$(variants),$(eval $(call variant_rules,$(variant))))

# What only the tests include is installed before the first of them is compiled.
cmocka_h := /usr/include/cmocka.h
$(foreach variant,$(variants),$(call objects,$(variant),$(unit_src) $(lib_src))): | $(cmocka_h)
$(cmocka_h):
	@scripts/install-tools.sh test

# Objects are kept: make would call them intermediate.
.SECONDARY:

# --- the product -------------------------------------------------------------------------------

.PHONY: all
ifdef SAN
all: build/san/ecilet
else
all: build/ecilet
endif

size_max := 1572864

build/ecilet: build/ecilet.debug
	$(Q)$(STRIP) -o $@ $<
	@size=$$(stat -c %s $@); echo "$@: $$size bytes"; \
	    if [ $$size -gt $(size_max) ]; then echo "$@ is larger than $(size_max) bytes" >&2; rm $@; exit 1; fi

build/ecilet.debug: $(call objects,product,$(product_src) $(main_src))
	$(call say,link,$@)
	$(Q)scripts/link-static.sh "$(CC)" -o $@ $^ -L$(THIRD_PARTY_musl)/lib $(third_party_link)

planted_src := src/os/crash.c src/os/watchdog.c
build/ecilet-planted: $(call objects,product,$(filter-out $(planted_src),$(product_src) $(main_src))) \
    $(call objects,planted,$(planted_src))
	$(call say,link,$@)
	$(Q)scripts/link-static.sh "$(CC)" -o $@ $^ -L$(THIRD_PARTY_musl)/lib $(third_party_link)

build/san/ecilet: $(call objects,san,$(product_src) $(main_src))
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(san) -o $@ $^ -L$(THIRD_PARTY_host)/lib $(third_party_link)

# Written anew only when it says something new, so a commit rebuilds little and nothing rebuilds nothing.
build/gen/version.h: $(THIRD_PARTY_musl)/versions.h FORCE
	@mkdir -p $(@D)
	@{ echo "#define ECILET_VERSION \"$$(git describe --always --dirty 2>/dev/null || echo unknown)\""; \
	    cat $<; } >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

.PHONY: FORCE
FORCE:

# --- third-party libraries and tools -----------------------------------------------------------

$(THIRD_PARTY_musl)/versions.h: flavour := musl
$(THIRD_PARTY_host)/versions.h: flavour := host
$(THIRD_PARTY_musl)/versions.h $(THIRD_PARTY_host)/versions.h:
	@scripts/install-tools.sh build
	@$(MAKE) -C third_party FLAVOUR=$(flavour) THIRD_PARTY_CC_musl='$(CC)'

.PHONY: third-party third-party-tarballs control-plane tools
third-party: $(THIRD_PARTY_musl)/versions.h $(THIRD_PARTY_host)/versions.h
	@echo $(THIRD_PARTY_musl) $(THIRD_PARTY_host)

third-party-tarballs:
	@$(if $(DIR),,$(error third-party-tarballs needs DIR=folder))
	@$(MAKE) -C third_party tarballs DIR=$(abspath $(DIR))

control-plane:
	@test/cluster/build.sh

tools:
	@scripts/install-tools.sh all

# --- unit and table tests ----------------------------------------------------------------------

unit_programs := $(patsubst %.c,build/san/%,$(notdir $(unit_src)))

$(foreach source,$(unit_src),$(eval build/san/$(basename $(notdir $(source))): $(call objects,san,$(source))))
$(unit_programs): build/obj/san/libtest.a build/obj/san/libecilet.a
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(san) $(wrapped) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    -L$(THIRD_PARTY_host)/lib $(third_party_link) -lcmocka

# One that makes the allocations of a library fail.
build/san/test_yaml_heap build/cover/test_yaml_heap: wrapped := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

.PHONY: unit
unit: $(if $(T),$(addprefix build/san/,$(T)),$(unit_programs))
	@scripts/run-tests.sh $^

# The product's heap where it really is the heap: in a static musl program.
static_heap_src := $(addprefix src/os/,heap.c heap_blocks.c clock.c usage.c file.c) \
    $(addprefix src/base/,check.c str.c buf.c codec.c prng.c err.c)
build/static_heap: test/unit/static_heap.c $(call objects,product,$(static_heap_src))
	$(call say,link,$@)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -fno-builtin-malloc -Isrc -static -o $@ $^ -lpthread

# --- the simulator of the brain ------------------------------------------------------------------

sim_objects = $(call objects,$(1),$(sim_src)) build/obj/$(1)/libtest.a build/obj/$(1)/libpure.a
sim_link = -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -L$(THIRD_PARTY_host)/lib -lbearssl -lfyaml -lm

build/sim: $(call sim_objects,fast)
	$(call say,link,$@)
	$(Q)$(HOST_CC) -o $@ $(filter %.o,$^) $(sim_link)

build/san/sim: $(call sim_objects,san)
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(san) -o $@ $(filter %.o,$^) $(sim_link)

# The brain with planted bugs, of which one is chosen at the start (base/mutant.h).
build/sim-mutants: $(call objects,mutant,$(sim_src)) build/obj/mutant/libtest.a build/obj/mutant/libpure.a
	$(call say,link,$@)
	$(Q)$(HOST_CC) -o $@ $(filter %.o,$^) $(sim_link)

sim_arguments = --jobs $(or $(JOBS),$(shell nproc)) --kept test/sim/seeds $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(HOURS),--hours $(HOURS))

# What `make check` plays, under sanitizers.
SIM_SHORT ?= --seeds 20 --hours 1 --kept test/sim/seeds

.PHONY: sim sim-watch sim-mutants
sim-watch: build/sim
	$(Q)build/sim --watch $(if $(SEED),--seed $(SEED)) $(if $(HOURS),--hours $(HOURS))
sim-mutants: build/sim-mutants
	$(Q)scripts/sim-mutants.sh build/sim-mutants
sim: $(if $(sim_src),build/sim)
	$(if $(sim_src),$(Q)build/sim $(sim_arguments),@echo "no simulator in test/sim yet")

# --- the simulator of the cloud --------------------------------------------------------------------

build/ecisim: $(call objects,product,$(ecisim_src))
	$(call say,link,$@)
	$(Q)scripts/link-static.sh "$(CC)" -o $@ $^ -L$(THIRD_PARTY_musl)/lib -lbearssl -lz

build/san/ecisim: $(call objects,san,$(ecisim_src))
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(san) -o $@ $^ -L$(THIRD_PARTY_host)/lib -lbearssl -lz

.PHONY: ecisim ecisim-check
ecisim: build/ecisim
ecisim-check: $(if $(ecisim_src),build/ecisim build/san/ecisim)
	@if [ -x test/conformance/run.sh ]; then test/conformance/run.sh; else echo "no test/conformance/run.sh yet"; fi

# --- all together ----------------------------------------------------------------------------------

.PHONY: check test clang e2e demo bench
# The tests wait now and then: the simulator runs beside them.
check: $(unit_programs) build/static_heap build/san/sim $(if $(main_src),build/ecilet)
	@scripts/lint.sh
	@build/san/sim $(SIM_SHORT) >build/sim-short.log 2>&1 & sim=$$!; \
	scripts/run-tests.sh $(unit_programs) build/static_heap; tests=$$?; \
	wait $$sim; stories=$$?; cat build/sim-short.log; [ $$tests = 0 ] && [ $$stories = 0 ]
	@$(MAKE) docs-check

clang: $(call objects,clang,$(product_src) $(main_src) $(lib_src) $(unit_src) $(sim_src) $(ecisim_src))

# One after the other: the end-to-end tests watch the clock.
test:
	@scripts/install-tools.sh all
	@$(MAKE) check
	@$(MAKE) clang
	@$(MAKE) sim SEEDS=500 HOURS=24
	@$(MAKE) cover
	@$(MAKE) fuzz-seeds
	@$(MAKE) ecisim-check
	@$(MAKE) e2e
	@echo "make test: all is well"

e2e: $(if $(main_src),build/ecilet build/ecilet-planted) $(if $(ecisim_src),build/ecisim)
	@scripts/install-tools.sh all
	@if [ -x test/e2e/run ]; then test/e2e/run $(T); else echo "no test/e2e/run yet"; fi

demo: build/ecilet build/ecisim
	@scripts/install-tools.sh demo
	@scripts/demo.sh

bench_programs := $(patsubst %.c,build/bench/%,$(notdir $(bench_src)))
$(foreach source,$(bench_src),$(eval build/bench/$(basename $(notdir $(source))): $(call objects,product,$(source))))
$(bench_programs): build/obj/product/libtest.a build/obj/product/libecilet.a
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)scripts/link-static.sh "$(CC)" -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
	    -L$(THIRD_PARTY_musl)/lib $(third_party_link)

bench: $(bench_programs) $(if $(main_src),build/ecilet) $(if $(ecisim_src),build/ecisim)
	@scripts/install-tools.sh all
	@if [ -x test/bench/bench.sh ]; then test/bench/bench.sh; else echo "no test/bench/bench.sh yet"; fi

.PHONY: soak
soak: build/ecilet build/ecisim
	@scripts/install-tools.sh all
	@test/soak/soak.py build/soak.txt

# --- fuzzing and coverage ------------------------------------------------------------------------

fuzz_programs := $(patsubst %.c,build/fuzz/%,$(notdir $(fuzz_src)))
FUZZ_SECONDS ?= 30
$(foreach source,$(fuzz_src),$(eval build/fuzz/$(basename $(notdir $(source))): $(call objects,fuzz,$(source))))
$(fuzz_programs): build/obj/fuzz/libtest.a build/obj/fuzz/libecilet.a
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $(wrapped) -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -L$(THIRD_PARTY_host)/lib $(third_party_link)

# One that is the instances that its port-forwards lead to.
build/fuzz/fuzz_http_server: wrapped := -Wl,--wrap=sock_connect

.PHONY: fuzz fuzz-build fuzz-seeds cover
fuzz-build: $(fuzz_programs)
fuzz-seeds: $(fuzz_programs)
	@scripts/fuzz.sh 0 $^
fuzz: $(if $(F),build/fuzz/$(F),$(fuzz_programs))
	@scripts/fuzz.sh $(FUZZ_SECONDS) $^

cover_programs := $(patsubst %.c,build/cover/%,$(notdir $(unit_src)))
$(foreach source,$(unit_src),$(eval build/cover/$(basename $(notdir $(source))): $(call objects,cover,$(source))))
$(cover_programs): build/obj/cover/libtest.a build/obj/cover/libecilet.a
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) --coverage -Wl,-u,__gcov_dump $(wrapped) -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -L$(THIRD_PARTY_host)/lib $(third_party_link) -lcmocka

build/cover/sim: $(call sim_objects,cover)
	$(call say,link,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) --coverage -o $@ $(filter %.o,$^) $(sim_link)

# What the simulator plays for it: one process, because its children would not tell what they counted.
SIM_COVER ?= --seeds 60 --hours 2 --kept test/sim/seeds

cover: $(cover_programs) build/cover/sim
	@SIM_COVER='$(SIM_COVER)' scripts/cover.sh $(cover_programs)

# --- style and documents -----------------------------------------------------------------------

.PHONY: lint fmt fmt-check docs docs-check compdb clean help
lint:
	@scripts/lint.sh

formatted := $(sort $(wildcard src/*.[ch] src/*/*.[ch] test/*/*.[ch]))
fmt:
	$(if $(formatted),$(Q)scripts/format.py $(formatted))
fmt-check:
	$(if $(formatted),$(Q)scripts/format.py --check $(formatted))

# The program's own tables print the reference of the settings, so it cannot drift.
docs: build/ecilet
	@scripts/docs.sh write
docs-check: $(if $(wildcard config/ecilet.conf.example),build/ecilet)
	$(if $(wildcard config/ecilet.conf.example),@scripts/docs.sh check,@:)

compdb:
	@mkdir -p build
	@{ echo '['; $(foreach source,$(sort $(product_src) $(main_src) $(lib_src) $(unit_src) $(sim_src) $(ecisim_src)), \
	    printf '{"directory":"%s","file":"%s","command":"%s"},\n' '$(CURDIR)' '$(source)' \
	        '$(HOST_CC) $(call flags_of,$(source)) -isystem $(THIRD_PARTY_host)/include -c $(source)';) } | \
	    sed '$$s/,$$//' >build/compile_commands.json; echo ']' >>build/compile_commands.json
	@echo build/compile_commands.json

clean:
	@rm -rf build

help:
	@sed -n '/^#/!q;s/^# \{0,1\}//p' Makefile
