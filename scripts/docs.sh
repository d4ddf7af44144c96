#!/bin/sh
# Keep the documents that come from the program's own tables equal to them.
#
#   scripts/docs.sh write     regenerate           (make docs)
#   scripts/docs.sh check     fail when stale      (part of make check)
#
#   build/ecilet config-doc example    the whole of config/ecilet.conf.example
#   build/ecilet config-doc table      what stands in the README between the two marks
#                                      <!-- config-doc begin --> and <!-- config-doc end -->
#   build/ecilet annotations markdown  the whole of config/annotations.md
set -eu

program=build/ecilet
example=config/ecilet.conf.example
annotations=config/annotations.md
readme=README
[ -f $readme ] || readme=README.md
begin='<!-- config-doc begin -->'
end='<!-- config-doc end -->'

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

"$program" config-doc example >"$new/example"
"$program" config-doc table >"$new/table"
"$program" annotations markdown >"$new/annotations"
if grep -qsF "$begin" $readme; then
    awk -v begin="$begin" -v end="$end" -v table="$new/table" '
        index($0, end) { inside = 0 }
        !inside { print }
        index($0, begin) { inside = 1; while ((getline line < table) > 0) print line }
    ' $readme >"$new/readme"
else
    cp $readme "$new/readme" 2>/dev/null || : >"$new/readme"
fi

case ${1:-} in
write)
    cp "$new/example" $example
    cp "$new/annotations" $annotations
    [ ! -s "$new/readme" ] || cp "$new/readme" $readme
    ;;
check)
    status=0
    diff -u $example "$new/example" || status=1
    diff -u $annotations "$new/annotations" || status=1
    [ ! -s "$new/readme" ] || diff -u $readme "$new/readme" || status=1
    [ $status -eq 0 ] || echo "stale: run make docs" >&2
    exit $status
    ;;
*)
    echo "usage: $0 write|check" >&2
    exit 2
    ;;
esac
