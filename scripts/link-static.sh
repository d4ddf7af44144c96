#!/bin/sh
# Link one static executable with a musl compiler: position independent (static-pie, so that
# addresses are randomised) when the compiler's start files allow it, else plain static.
#
#   scripts/link-static.sh CC ARGUMENTS...
#
# The specs of Debian's musl-gcc always name Scrt1.o, the start file for the dynamic loader, so the
# right ones are given by hand: rcrt1.o relocates the program itself. Where they live is asked of
# the compiler, by looking at the link command it would run.
set -eu

cc=$1
shift
# shellcheck disable=SC2086  # a compiler may be given with flags
would_run=$($cc -fPIE -pie -### -x c /dev/null -o /dev/null 2>&1 | tr ' "' '\n\n')
find_file() { printf '%s\n' "$would_run" | grep "/$1\$" | head -n 1; }

crti=$(find_file crti.o || true)
begin=$(find_file crtbeginS.o || true)
libc=${crti%/*}
gcc=${begin%/*}

if [ -n "$crti" ] && [ -n "$begin" ] && [ -f "$libc/rcrt1.o" ] && [ -f "$gcc/crtendS.o" ]; then
    # shellcheck disable=SC2086
    exec $cc -nostartfiles -static \
        -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now,--gc-sections \
        "$libc/rcrt1.o" "$crti" "$begin" "$@" "$gcc/crtendS.o" "$libc/crtn.o"
fi
# shellcheck disable=SC2086
exec $cc -static -Wl,--gc-sections "$@"
