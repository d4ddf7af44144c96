#!/usr/bin/env python3
"""How much of each source file ran: lines, and branches of the pure modules (make cover).

    scripts/cover.py [--all] FOLDER     FOLDER holds the objects and what their programs counted

A branch is one way out of a decision. Of those that gcov knows, these are left out, because nothing
may be able to take them:

  * the lines of a CHECK: a failed one is our mistake;
  * the lines of a NEVER: what a library promises, see src/base/check.h;
  * the way past a switch without a default whose cases are the names of an enum: the compiler makes
    sure that all its values are there (-Wswitch), so only a value that is none of them goes there.

--all lists every branch that was not taken.

Fails when a pure module falls below its floor, so that coverage is only ever lost on purpose.
"""
import glob
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# Per cent of reachable branches that unit and table tests and the simulator take together.
FLOORS = {"base": 99.7, "data": 99.6, "spec": 99.7, "core": 98.5}
WORST = 12  # files listed by branches


def past(text, at, pair):
    """Where the bracket that was opened before `at` is closed."""
    depth = 1
    while depth:
        depth += {pair[0]: 1, pair[1]: -1}.get(text[at], 0)
        at += 1
    return at


def check_lines(text):
    """The lines of CHECK(...) and NEVER(...), which may be several."""
    lines = set()
    for match in re.finditer(r"\b(CHECK|NEVER)\(", text):
        at = past(text, match.end(), "()")
        first = text.count("\n", 0, match.start()) + 1
        lines.update(range(first, first + text.count("\n", match.start(), at) + 1))
    return lines


def full_switches(text):
    """The lines of switches without a default over the names of an enum."""
    lines = set()
    for match in re.finditer(r"^ *switch \(.*\{\n", text, re.MULTILINE):
        body = text[match.end() : past(text, match.end(), "{}")]
        labels = re.findall(r"^ *case (.*?):", body, re.MULTILINE)
        if "default:" not in body and all(re.fullmatch(r"[A-Z][A-Z0-9_]*", label) for label in labels):
            lines.add(text.count("\n", 0, match.start()) + 1)
    return lines


def reachable(path, lines):
    """[(line, count)] of the branches that may be taken. gcov names a switch's way past it last."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    checks, switches = check_lines(text), full_switches(text)
    ways = []
    for number, (_, counts) in lines.items():
        if number in switches and counts and counts[-1] == 0:
            counts = counts[:-1]
        if number not in checks:
            ways += [(number, count) for count in counts]
    return ways


def read(data):
    """What gcov makes of one object: {file: {line: (count, [branch counts])}}"""
    argv = ["gcov", "--json-format", "--stdout", "--branch-probabilities", data]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    files = {}
    for piece in done.stdout.splitlines():
        for entry in json.loads(piece)["files"]:
            if not entry["file"].startswith("src/"):
                continue
            lines = files.setdefault(entry["file"], {})
            for line in entry["lines"]:
                branches = [branch["count"] for branch in line["branches"]]
                merge(lines, line["line_number"], line["count"], branches)
    return files


def merge(lines, number, count, branches):
    """Of a function in a header there are as many copies as files that include it."""
    old_count, old = lines.get(number, (0, []))
    if len(old) == len(branches):
        branches = [a + b for a, b in zip(old, branches)]
    elif len(old) > len(branches):
        branches = old
    lines[number] = (old_count + count, branches)


def collect(folder):
    total = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for files in pool.map(read, sorted(glob.glob(f"{folder}/**/*.gcda", recursive=True))):
            for path, lines in files.items():
                into = total.setdefault(path, {})
                for number, (count, branches) in lines.items():
                    merge(into, number, count, branches)
    return total


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def main(argv):
    is_listing = "--all" in argv
    total = collect(argv[-1])
    rows, missed = [], []
    for path, lines in sorted(total.items()):
        ran = sum(count > 0 for count, _ in lines.values())
        ways = reachable(path, lines)
        missed += [f"{path}:{number}" for number, way in ways if way == 0]
        rows.append((path, ran, len(lines), sum(way > 0 for _, way in ways), len(ways)))
    for path, ran, count, _, _ in sorted(rows, key=lambda row: percent(row[1], row[2])):
        print(f"{percent(ran, count):6.1f} %  {count:5d} lines  {path}")
    ran, count = (sum(row[at] for row in rows) for at in (1, 2))
    print(f"{percent(ran, count):6.1f} %  {count:5d} lines  in all")
    pure = [row for row in rows if row[0].split("/")[1] in FLOORS]
    if is_listing:
        print("\n".join(f"not taken: {place}" for place in missed if place.split("/")[1] in FLOORS))
    print("the pure modules, by branches:")
    for row in sorted(pure, key=lambda row: row[3] - row[4])[:WORST]:
        print(f"{percent(row[3], row[4]):6.2f} %  {row[4]:5d} branches, {row[4] - row[3]:3d} not taken  {row[0]}")
    is_well = True
    for module, floor in FLOORS.items():
        mine = [row for row in pure if row[0].startswith(f"src/{module}/")]
        taken, ways = (sum(row[at] for row in mine) for at in (3, 4))
        is_well = is_well and percent(taken, ways) >= floor
        print(f"{percent(taken, ways):6.2f} %  {ways:5d} branches of {module} (at least {floor} %)")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
