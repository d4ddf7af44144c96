#!/usr/bin/env python3
"""Hold test/fault_matrix.tsv to the tree, so that it cannot rot (part of make lint).

All 56 rows are there once, each mechanism is a function that exists, each test exists and is run.
`fault_matrix.py --print` shows the table for people.
"""
import functools
import glob
import os
import re
import sys

TABLE = "test/fault_matrix.tsv"
ROWS = 56
LEVELS = set("SWPFU")
# Which kinds of tests stand for a level.
KINDS = {"S": {"sim", "swarm"}, "W": {"unit", "table"}, "U": {"unit", "table"}, "P": {"e2e", "bench"}, "F": {"fuzz"}}

findings = []


@functools.lru_cache(maxsize=None)
def text_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def has_function(path, name):
    """Defined there: its name and a bracket on a line that begins with a type."""
    text = text_of(path)
    return text is not None and re.search(rf"(?m)^[a-z][^;=\n]*\b\**{re.escape(name)}\(", text) is not None


def has_c_test(folder, file, name):
    text = text_of(f"test/{folder}/{file}.c")
    if text is None:
        return False
    return has_function(f"test/{folder}/{file}.c", name) and len(re.findall(rf"\b{name}\b", text)) > 1


def has_method(file, name):
    text = text_of(f"test/e2e/{file}.py")
    return text is not None and f"    def {name}(self)" in text


def exists(test):
    kind, _, rest = test.partition("/")
    file, _, name = rest.partition("/")
    if kind in ("unit", "table"):
        return os.path.exists(f"test/{kind}/{file}.c") if not name else has_c_test(kind, file, name)
    if kind == "e2e":
        return has_method(file, name)
    if kind == "sim":
        return f'{{"{rest}", ' in text_of("test/sim/scenarios.c")
    if kind == "swarm":
        stories = text_of("test/sim/stories.c")
        return f"out->{rest} = " in stories or f".{rest} = " in stories
    if kind == "fuzz":
        return os.path.exists(f"test/fuzz/{rest}.c") and bool(glob.glob(f"test/fuzz/corpus/{rest}/*"))
    return kind == "bench" and os.path.exists(f"test/bench/{rest}")


def rows():
    with open(TABLE, encoding="utf-8") as file:
        for at, line in enumerate(file, 1):
            if not line.startswith("#"):
                yield at, line.rstrip("\n").split("\t")


def check_row(at, cells):
    def report(text):
        findings.append(f"{TABLE}:{at}: {text}")

    if len(cells) != 6 or not all(cells):
        report("six cells, none of them empty, with a tab between (- stands for nothing)")
        return
    levels, mechanisms, tests, remark = cells[2].split(), cells[3].split(), cells[4].split("; "), cells[5]
    for mechanism in mechanisms:
        if not has_function(*mechanism.partition(":")[::2]):
            report(f"no such function: {mechanism}")
    if tests == ["-"]:
        if remark == "-":
            report("neither a test nor a word why not")
        return
    for test in tests:
        if not exists(test):
            report(f"no such test: {test}")
    kinds = {test.partition("/")[0] for test in tests}
    for level in levels:
        if level not in LEVELS:
            report(f"no such level: {level}")
        elif not KINDS[level] & kinds:
            report(f"level {level} without a test of its kind")


def main():
    numbers = []
    for at, cells in rows():
        numbers.append(cells[0])
        check_row(at, cells)
        if "--print" in sys.argv[1:]:
            print(f"{cells[0]:>2}  {cells[2]:8} {cells[1]}")
    if numbers != [str(number) for number in range(1, ROWS + 1)]:
        findings.append(f"{TABLE}:1: the rows are not 1 to {ROWS}, each once, in order")
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
