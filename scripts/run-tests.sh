#!/bin/sh
# Run test programs, as many at a time as there are cores; one line each, and at the end one line
#     N passed, M failed
# that counts tests (a program that does not speak cmocka's language counts as one). What a failing
# program wrote is shown; all of it is kept beside the program as PROGRAM.log. Exits 1 on failure.
#
#   scripts/run-tests.sh PROGRAM...
set -eu

seconds_max=600 # they need less than half a minute; a machine may be very busy

if [ "${1:-}" = --one ]; then
    program=$2
    name=$(basename "$program")
    started=$(date +%s%N)
    status=0
    timeout $seconds_max "$program" >"$program.log" 2>&1 || status=$?
    took=$(awk -v ns=$(($(date +%s%N) - started)) 'BEGIN { printf "%.2f s", ns / 1e9 }')
    passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\.$/\1/p' "$program.log" | awk '{ n += $1 } END { print n + 0 }')
    failed=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s), listed below:$/\1/p' "$program.log" | awk '{ n += $1 } END { print n + 0 }')
    if [ $status -eq 0 ]; then
        [ "$passed" -gt 0 ] || passed=1
        printf 'ok      %-32s %4d tests  %s\n' "$name" "$passed" "$took"
        echo "$passed 0" >>"$RESULTS"
        exit 0
    fi
    [ "$failed" -gt 0 ] || failed=1 # died: a sanitizer, a signal, the time limit
    why="exit status $status"
    [ $status -ne 124 ] || why="not done after $seconds_max s"
    {
        printf 'FAILED  %-32s %4d tests  %s  (%s)\n' "$name" "$passed" "$took" "$why"
        grep -vE '^\[( RUN      |       OK |==========)\]' "$program.log" | tail -n 60 | sed 's/^/        /'
    } >"$program.failed" # in one piece, though several run at once
    cat "$program.failed"
    rm -f "$program.failed"
    echo "$passed $failed" >>"$RESULTS"
    exit 0
fi

[ $# -gt 0 ] || { echo "0 passed, 0 failed"; exit 0; }

RESULTS=$(mktemp)
export RESULTS
trap 'rm -f "$RESULTS"' EXIT
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"

printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 "$0" --one
awk -v programs=$# '
    { passed += $1; failed += $2 }
    END {
        if (NR < programs) failed += programs - NR # the runner itself was stopped
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0
    }' "$RESULTS"
