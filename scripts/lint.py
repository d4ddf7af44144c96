#!/usr/bin/env python3
"""Style rules of the tree that can be read off its text; one line per finding, exit 1 if any.

Include direction, banned functions, unique file names, opening comments, braces, the length of
lines, functions and (of the product) files, unfinished marks, and nothing that belongs to one
machine only. A function that is one long table or flat switch says so with the comment in LONG_MARK
in or right above it.
"""
import glob
import os
import re
import sys

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 80
FILE_LINES_MAX = 599  # of the product; a test's cases may be many
LONG_MARK = "/* lint: long table */"

# Who may include whom. Everyone may include limits.h.
PURE = ["base", "data", "spec", "core"]
MAY_INCLUDE = {
    "base": {"base"},
    "data": {"base", "data"},
    "spec": {"base", "data", "spec"},
    "core": {"base", "data", "spec", "core"},
    "os": {"base", "data", "spec", "os"},
    "net": {"base", "data", "spec", "os", "net"},
    "kube": {"base", "data", "spec", "os", "net", "kube"},
    "eci": {"base", "data", "spec", "os", "net", "eci"},
    "serve": {"base", "data", "spec", "os", "net", "kube", "eci", "serve"},
    "admit": {"base", "data", "spec", "os", "net", "kube", "eci", "admit"},
    "app": {"base", "data", "spec", "core", "os", "net", "kube", "eci", "serve", "admit", "app"},
    "main": {"base", "os", "app"},
}
# The pure modules know neither sockets nor time nor the kernel. base/poison.h names what it bans,
# base/check.c has to write its last words.
IMPURE_FILES = {"src/base/poison.h", "src/base/check.c"}
IMPURE_HEADER = re.compile(
    r"sys/(?!types\.h)|net/|netinet/|arpa/|linux/|netdb|poll|time\.h|pthread|threads|fcntl|unistd|signal"
    r"|dirent|termios|sched|semaphore|spawn|resolv|syslog|wchar|locale"
)
# Each third-party header is included in one place: a file, or for BearSSL also the whole of net.
ADAPTERS = {
    "bearssl": lambda path: path == "src/base/hash.c" or path.startswith("src/net/"),
    "curl/curl": lambda path: path.startswith("src/eci/eci_curl"),
    "libfyaml": lambda path: path.startswith("src/data/yaml_"),
    "jsmn": lambda path: path.startswith("src/data/json_"),
    "zlib": lambda path: path == "src/net/spdy_inflate.c",
}
BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca|gmtime|localtime|asctime|ctime"
    r"|mktime|rand|srand|setjmp|longjmp|system|popen)\s*\("
)
ALLOCATORS = re.compile(
    r"\b(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|posix_memalign"
    r"|aligned_alloc|memalign|getline|getdelim)\s*\("
)
MARK = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]', re.M)
# Comments, strings and character constants; newlines are kept so that line numbers stay right.
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

findings = []


def report(path, line, text):
    findings.append((path, line, text))


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def without_noise(text):
    def blank(match):
        word = match.group(0)
        kept = "\n" * word.count("\n")
        return ('""' if word[0] == '"' else "0" if word[0] == "'" else " ") + kept

    return NOISE.sub(blank, text)


def check_includes(path, text):
    parts = path.split("/")
    module = parts[1] if len(parts) > 2 else "main"
    allowed = MAY_INCLUDE.get(module)
    if allowed is None:
        if path != "src/limits.h":
            report(path, 1, f"src/{module} is not a module of the map")
        return
    for match in INCLUDE.finditer(text):
        line = line_of(text, match.start())
        kind, header = match.groups()
        for library, is_adapter in ADAPTERS.items():
            if re.match(library + r"(_\w+)?\.h$", header) and not is_adapter(path):
                report(path, line, f"<{header}> is not for this file: use its adapter")
        if kind == "<":
            if module in PURE and path not in IMPURE_FILES and IMPURE_HEADER.match(header):
                report(path, line, f"src/{module} is pure: no <{header}>")
            continue
        first = header.split("/")[0]
        if "/" not in header:
            if header != "limits.h":
                report(path, line, f'write "{module}/{header}": includes name the module')
        elif first not in allowed and first != "gen":
            report(path, line, f"src/{module} may not include {header}")


def check_braces(path, code):
    for match in re.finditer(r"\b(if|for|while|else|do)\b", code):
        word = match.group(1)
        at = match.end()
        line_start = code.rfind("\n", 0, match.start()) + 1
        if re.match(r"\s*#", code[line_start : match.start() + 1]):
            continue  # a directive
        if word in ("if", "for", "while"):
            opening = re.compile(r"\s*\(").match(code, at)
            if not opening:
                continue
            at, depth = opening.end(), 1
            while depth and at < len(code):
                depth += {"(": 1, ")": -1}.get(code[at], 0)
                at += 1
        rest = re.compile(r"(?:\s|\\\n)*").match(code, at).end()
        following = code[rest : rest + 2]
        if following.startswith("{") or (word == "else" and following == "if"):
            continue
        if word == "while" and following.startswith(";"):
            continue  # the end of do ... while
        report(path, line_of(code, match.start()), f"{word} without braces")


def check_functions(path, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start is not None:
            length = number - start - 1
            around = "\n".join(lines[max(0, start - 6) : number])
            if length > FUNCTION_LINES_MAX and LONG_MARK not in around:
                report(path, start, f"function of {length} lines, more than {FUNCTION_LINES_MAX}")
            start = None


def check_c(path, text):
    lines = text.split("\n")
    is_product = path.startswith("src/")
    for number, line in enumerate(lines, 1):
        if "\t" in line:
            report(path, number, "tab")
        if len(line) > COLUMNS_MAX:
            report(path, number, f"{len(line)} columns, more than {COLUMNS_MAX}")
        if line.endswith((" ", "\t")):
            report(path, number, "space at the end of the line")
    if is_product and not text.startswith("/*"):
        report(path, 1, "no opening comment: what is it for, why this way, its limits")
    code = without_noise(text)
    check_braces(path, code)
    if path.endswith(".c"):
        check_functions(path, lines)
    if not is_product:
        return
    if len(lines) - 1 > FILE_LINES_MAX:
        report(path, 1, f"file of {len(lines) - 1} lines, more than {FILE_LINES_MAX}: split it along a seam")
    check_includes(path, text)
    for match in BANNED.finditer(code):
        report(path, line_of(code, match.start()), f"{match.group(1)}() is banned")
    if path != "src/os/heap.c" and "POISON_LATER" not in text:
        for match in ALLOCATORS.finditer(code):
            report(path, line_of(code, match.start()), f"{match.group(1)}() is banned outside src/os/heap.c")
    if path.endswith(".c") and re.search(r"^#define POISON_LATER", text, re.M):
        if '"base/poison.h"' not in text:
            report(path, 1, 'POISON_LATER without a later #include "base/poison.h"')


def machine_patterns():
    """What names this machine: mirrors it installs from, and where the checkout is."""
    hosts = set()
    sources = glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*")
    for name in sources + [os.path.expanduser("~/.npmrc"), "/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc"]:
        try:
            with open(name, encoding="utf-8", errors="replace") as file:
                hosts.update(re.findall(r"https?://([^/\s:]+)", file.read()))
        except OSError:
            pass
    hosts.update(re.findall(r"https?://([^/\s:]+)", os.environ.get("npm_config_registry", "")))
    here = os.getcwd()
    patterns = [re.escape(host) for host in hosts if "." in host]
    if here.count("/") > 1:  # a checkout in /data must not forbid the word
        patterns.append(re.escape(here) + r"\b")
    if not patterns:
        return re.compile(r"(?!)")
    return re.compile("|".join(patterns))


def check_text(path, text, machine):
    for match in MARK.finditer(text):
        report(path, line_of(text, match.start()), f"{match.group(1)}: finish it or file it")
    for match in machine.finditer(text):
        report(path, line_of(text, match.start()), f"belongs to one machine: {match.group(0)}")
    if path.endswith("package-lock.json") and '"resolved"' in text:
        report(path, 1, "names a registry in its resolved fields")


def tree():
    """All text files of the project, without build results."""
    for top, folders, files in os.walk("."):
        folders[:] = sorted(f for f in folders if f not in (".git", "build", "node_modules", "__pycache__"))
        for name in sorted(files):
            yield os.path.relpath(os.path.join(top, name), ".")


def main():
    machine = machine_patterns()
    seen = {}
    for path in tree():
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (UnicodeDecodeError, OSError):
            continue
        check_text(path, text, machine)
        if path.startswith(("src/", "test/")) and path.endswith((".c", ".h")):
            check_c(path, text)
        # A message names a file by its last part. The ECI simulator is a program of its own.
        if path.endswith(".c") and path.startswith(("src/", "test/")) and not path.startswith("test/ecisim/"):
            name = os.path.basename(path)
            if name in seen:
                report(path, 1, f"has the same name as {seen[name]}")
            seen[name] = path
    for path, line, text in findings:
        print(f"{path}:{line}: {text}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
