#!/bin/sh
# Hold the style that a script can hold (make lint): scripts/lint.py reads the sources,
# clang-format says whether they have the house's shape.
set -eu
cd "$(dirname "$0")/.."

status=0
python3 scripts/lint.py || status=1
python3 scripts/fault_matrix.py || status=1

if ! command -v clang-format-14 >/dev/null 2>&1; then
    echo "lint: no clang-format-14 here, format not checked" >&2
else
    find src test -name '*.[ch]' -print0 2>/dev/null | xargs -0 -r scripts/format.py --check || status=1
fi

for script in scripts/*.sh test/*/*.sh .ci/run; do
    [ ! -f "$script" ] || head -n 1 "$script" | grep -qv '/bin/sh' || sh -n "$script" || status=1
done

[ $status -eq 0 ] && echo "lint: clean" || echo "lint: see above" >&2
exit $status
