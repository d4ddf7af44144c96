#!/bin/sh
# Run test programs built with --coverage and print, per source file, how much of it ran.
#
#   scripts/cover.sh PROGRAM...       annotated sources go to build/cover/*.gcov
set -eu

find build/obj/cover -name '*.gcda' -delete
scripts/run-tests.sh "$@"
cd build/cover
rm -f ./*.gcov
# Objects are named from the top, so gcov is run there and its files moved here.
cd ../..
find build/obj/cover/src -name '*.gcda' | sort | while read -r data; do
    gcov --preserve-paths --object-file "${data%.gcda}.o" "${data#build/obj/cover/}" 2>/dev/null
done | awk '
    /^File / { gsub(/\047/, "", $2); file = $2 }
    /^Lines executed:/ && file ~ /^src\// {
        split($2, part, /[:%]/)
        percent = part[2]
        lines = $NF
        if (lines > seen[file]) { seen[file] = lines }
        hit = percent * lines / 100
        if (hit > best[file]) { best[file] = hit }
        file = ""
    }
    END {
        for (file in seen) {
            printf "%6.1f %%  %5d lines  %s\n", 100 * best[file] / seen[file], seen[file], file | "sort -n"
            all += seen[file]; ran += best[file]
        }
        close("sort -n")
        if (all) printf "%6.1f %%  %5d lines  in all\n", 100 * ran / all, all
    }'
mv ./*.gcov build/cover/ 2>/dev/null || true
