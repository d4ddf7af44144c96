#!/bin/sh
# Run fuzzers for a while each; stop at the first finding.
#
#   scripts/fuzz.sh SECONDS PROGRAM...      0: only the inputs of the tree, each once
#
# Inputs: test/fuzz/corpus/NAME (in the tree: small, kept for ever) seeds build/fuzz/corpus/NAME
# (grows). A finding is written to build/fuzz/; add it to the tree's corpus before mending it.
set -eu

seconds=$1
shift
count=0
for program in "$@"; do
    count=$((count + 1))
    name=$(basename "$program")
    grown=build/fuzz/corpus/$name
    seeds=test/fuzz/corpus/$name
    mkdir -p "$grown"
    echo "[$count/$#] $name, $([ "$seconds" -gt 0 ] && echo "$seconds s" || echo "the inputs of the tree")"
    [ -d "$seeds" ] || seeds=
    bound=-max_total_time=$seconds one=10
    [ "$seconds" -gt 0 ] || { bound=-runs=0 grown= one=120; } # no search for slow inputs
    # shellcheck disable=SC2086  # no seeds, no argument
    if ! "$program" "$bound" -timeout=$one -rss_limit_mb=2048 -print_final_stats=1 \
        -verbosity=0 -artifact_prefix="build/fuzz/$name-" $grown $seeds >"$program.log" 2>&1; then
        tail -n 40 "$program.log"
        echo "$name found something: see build/fuzz/$name-*" >&2
        exit 1
    fi
    sed -n 's/^stat::number_of_executed_units: */        runs: /p' "$program.log"
done
echo "$count fuzzers, nothing found"
