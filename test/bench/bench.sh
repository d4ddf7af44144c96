#!/bin/sh
# The numbers of the performance table: `make bench`. Printed, and kept in build/bench.txt.
#
#   test/bench/bench.sh
#
# First the small programs bench_*.c, one module each, then test/bench/pods.py and port.py: the whole
# product with a real control plane and the simulated cloud. See there for the variables that change it.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
out=build/bench.txt
mkdir -p build
: >"$out.new"

tell() { tee -a "$out.new"; }

{
    echo "# $(build/ecilet version | head -n 1)"
    echo "# $(uname -srm), $(nproc) cores, $(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
} | tell
for source in test/bench/bench_*.c; do
    program=build/bench/$(basename "$source" .c)
    if [ -x "$program" ]; then
        { echo; echo "== $(basename "$program")"; "$program"; } | tell
    fi
done

# A pipe would hide its exit status.
status=0
for script in pods port; do
    python3 test/bench/$script.py build/bench.$script.new || status=$?
    [ ! -f build/bench.$script.new ] || cat build/bench.$script.new >>"$out.new"
    rm -f build/bench.$script.new
done
mv "$out.new" "$out"
echo "kept in $out"
exit $status
