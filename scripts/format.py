#!/usr/bin/env python3
"""Format C sources with clang-format, or say which are not formatted.

    scripts/format.py FILE...            rewrite them
    scripts/format.py --check FILE...    name those that would change; exit 1 if any

Tables keep the columns their author gave them, which clang-format cannot: it is not shown macros of
several lines (the X tables) nor initialisers whose opening line ends with "= {". Rulers, comments
like "---- name ----", are made as long as a line. What was found in shape is remembered in
build/format.ok, so asking again is quick.
"""
import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

FORMATTER = "clang-format-14"
COLUMNS = 100
RULER = re.compile(r"^/\* (-+ .* )-+ \*/$")
NOISE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')


def with_rulers(text):
    def ruler(line):
        match = RULER.match(line)
        return f"/* {match[1]}".ljust(COLUMNS - 3, "-") + " */" if match else line

    return "\n".join(map(ruler, text.split("\n")))


def kept_lines(lines):
    """Which lines are left as they are: a list of booleans."""
    kept = []
    in_macro, depth = False, 0
    for line in lines:
        code = NOISE.sub("", line)
        continues = line.endswith("\\")
        in_macro = in_macro or (line.startswith("#define") and continues)
        if depth or re.search(r"=\s*\{\s*$", code):
            depth += code.count("{") - code.count("}")
            kept.append(True)
        else:
            kept.append(in_macro)
        in_macro = in_macro and continues
    return kept


def ranges(lines):
    found, start = [], None
    for number, is_kept in enumerate(kept_lines(lines) + [True], 1):
        if is_kept and start is not None:
            found.append((start, number - 1))
            start = None
        elif not is_kept and start is None:
            start = number
    return found


MEMORY = "build/format.ok"


def style_hash():
    style = hashlib.sha256()
    for name in (__file__, ".clang-format"):
        with open(name, "rb") as file:
            style.update(file.read())
    return style


def load_memory():
    try:
        with open(MEMORY, encoding="ascii") as file:
            return set(file.read().split())
    except OSError:
        return set()


def save_memory(known):
    os.makedirs(os.path.dirname(MEMORY), exist_ok=True)
    with open(f"{MEMORY}.{os.getpid()}", "w", encoding="ascii") as file:
        file.write("\n".join(sorted(known)))
    os.replace(file.name, MEMORY)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def formatted(path, text):
    ruled = with_rulers(text)
    arguments = [f"--lines={first}:{last}" for first, last in ranges(ruled.rstrip("\n").split("\n"))]
    if not arguments:
        return path, text, ruled
    run = subprocess.run(
        [FORMATTER, f"--assume-filename={path}", *arguments],
        input=ruled, capture_output=True, text=True, check=True,
    )
    return path, text, run.stdout


def main():
    is_check = sys.argv[1:2] == ["--check"]
    paths = sys.argv[2:] if is_check else sys.argv[1:]
    changed = 0
    style = style_hash()

    def key(text):
        hashed = style.copy()
        hashed.update(text.encode())
        return hashed.hexdigest()

    known = load_memory()
    texts = {path: read(path) for path in paths}
    asked = {path: text for path, text in texts.items() if key(text) not in known}
    good = {key(text) for path, text in texts.items() if path not in asked}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, before, after in pool.map(formatted, asked, asked.values()):
            good.add(key(after))
            if before == after:
                continue
            changed += 1
            if is_check:
                old, new = before.split("\n"), after.split("\n")
                first = next((n for n, (a, b) in enumerate(zip(old, new), 1) if a != b), len(old))
                print(f"{path}:{first}: not formatted: run make fmt")
            else:
                print(f"formatted {path}")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(after)
    if asked:
        save_memory(good)
    return 1 if changed and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
