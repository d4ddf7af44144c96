#!/bin/sh
# Prove that the simulator's checkers bite: each planted bug (src/base/mutant.h) must be found within
# SEEDS=1000 random stories, and half as many of two gateways of which one waits. One line each, and
# at the end how many were found. Exits 1 otherwise.
#
#   scripts/sim-mutants.sh PROGRAM [NUMBER...]      PROGRAM is build/sim-mutants
#
# In the list: number, hours of its stories, what is planted.
set -eu

if [ "$1" = --one ]; then
    program=$2
    number=${3%:*} hours=${3#*:}
    if output=$("$program" --mutant "$number" --no-scenarios --seeds "${SEEDS:-1000}" --hours "$hours"); then
        echo "MISSED    $number"
    else
        echo "$output" | awk -v number="$number" '
            /^BROKEN/ && !seed { seed = $3; sub(/^BROKEN seed [0-9]* at [0-9.]* s: /, ""); what = $0 }
            END { gsub(/0*0000-0000-4000-8000-0*/, "", what); printf "found     %2d  seed %4d  %.90s\n", number, seed, what }'
    fi
    exit 0
fi

program=$1
shift
names='
1 3 an unknown creation is made again with a new token, without looking
2 3 one "not found" is proof that a group is gone
3 3 an object that a list does not show is gone
4 3 a failed listing counts as a complete one
5 12 an incomplete listing counts as a complete one
6 12 creates before the cluster and the cloud were read
7 3 finishes the object while its group is there
8 3 finishes a leaving pod before a late creation would show
9 3 removes the group of a pod whose absence is not proven
10 3 an ended or leaving twin counts as much as a living one
11 3 of two twins each gateway takes its own for the first
12 3 an empty listing settles what a used token made
13 3 finishes a leaving pod although a creation is in doubt
14 3 an empty listing counts against groups
15 3 a status that failed to be written counts as written
16 3 a message that failed to be written counts as written
17 3 a failed last delete of the object counts as done
18 3 an accepted delete of a group counts as its end
19 3 any error of the authoritative read is proof of absence
20 3 forgets which status it wrote
21 3 never asks again for pods that a full pool turned away
22 3 never looks for groups without a pod
23 3 a new group that is not listed yet counts as gone
24 3 a pod that leaves right after a start has no group of before
25 3 does not tell why a pod waits while the cloud is away
26 3 a living twin does not save the pod
27 24 creates right after an outage, before the cloud was read again
28 3 does not remove the group of a leaving pod
29 3 a phase goes back when an older version of the object comes
30 3 one listing that does not show a group is enough for a read by id to decide
31 3 goes on to create a pod that is set aside
32 3 goes on to read the group of a pod that is set aside
33 24 does not tell why a pod waits for a long time
34 24 an older status may stand over an end
35 24 a leaving pod waits for its group, not for the twin of it
36 12 who waits to lead believes a note when the tags have the name of the pod, not its UID
37 3 who begins to lead takes what he saw while he waited for a listing of the pods
38 12 a note that names what a read did not find counts as confirmed
39 12 who waits to lead stays with the first instance that a note named
40 3 who waits to lead decides what a group needs
41 12 when a note is refuted, the group of the pod itself stays one too many
42 24 of two pods whose notes name one group the second has none
'
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046
    set -- $(echo "$names" | awk 'NF { print $1 }')
fi
all=$#
# Most are found within stories of three hours; some need longer ones.
jobs=$(for number; do echo "$names" | awk -v n="$number" '$1 == n { print $1 ":" $2 }'; done)
results=$(mktemp)
trap 'rm -f "$results"' EXIT
echo "$jobs" | xargs -P "${JOBS:-$(nproc)}" -n 1 "$0" --one "$program" >"$results"
echo "$names" | while read -r number hours what; do
    line=$(awk -v n="$number" '$2 == n' "$results")
    [ -z "$line" ] || printf '%s\n              planted: %s\n' "$line" "$what"
done
found=$(grep -c '^found' "$results" || true)
echo "planted bugs: $all, found: $found"
[ "$found" -eq "$all" ]
