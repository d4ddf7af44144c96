#!/bin/sh
# Run test programs and the simulator, built with --coverage, and print how much of each source file
# ran (scripts/cover.py). Fails when a test does, or when a pure module falls below its floor.
#
#   SIM_COVER='simulator arguments' scripts/cover.sh PROGRAM...       ALL=1 lists the branches not taken
set -eu

find build/obj/cover -name '*.gcda' -delete
scripts/run-tests.sh "$@" >build/cover/tests.log || { cat build/cover/tests.log; exit 1; }
tail -n 1 build/cover/tests.log
# shellcheck disable=SC2086
build/cover/sim $SIM_COVER
scripts/cover.py ${ALL:+--all} build/obj/cover
