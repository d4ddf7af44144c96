#!/bin/sh
# Fetch and unpack one pinned upstream source, with Debian's patches applied.
#
#   scripts/fetch-source.sh TABLE NAME DEST    unpack NAME into DEST (which must not exist)
#   scripts/fetch-source.sh TABLE NAME         only fetch it
#   scripts/fetch-source.sh TABLE --all DIR    copy the files of all rows into DIR, to build offline
#
# Prints the Debian version that was used ("8.14.1-2+deb13u5"), VERSION alone for a row marked
# "plain" (of which Debian's patches do not matter), or VERSION-unpatched.
#
# TABLE (third_party/sources.tsv) pins the *upstream* tarball by its SHA-256, because that stays the
# same for the life of a Debian release while Debian's own revisions come and go, and a mirror may
# list one that it cannot deliver. So the revisions of the pinned upstream version are tried, newest
# first, until one arrives complete; if none does, the upstream tarball alone is used, with a warning.
#
# Packages come from the mirrors this machine already uses: its own sources lists are copied to a
# private folder with "deb" turned into "deb-src" and the suite into the one of the row. The
# system's files are not touched, root is not needed, and the archive's signature is verified by apt.
#
# THIRD_PARTY_TARBALLS=DIR   take everything from DIR, never from the network
# ECILET_CACHE=DIR           where fetched files live (default ${XDG_CACHE_HOME:-~/.cache}/ecilet)
set -eu

table=$1
name=$2
dest=${3:-}
cache=${ECILET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ecilet}
store=${THIRD_PARTY_TARBALLS:-$cache/sources}

fail() {
    echo "fetch-source: $*" >&2
    exit 1
}

if [ "$name" = --all ]; then
    [ -n "$dest" ] || fail "--all needs a folder"
    mkdir -p "$dest"
    grep -v '^#' "$table" | while read -r row _; do
        "$0" "$table" "$row" >/dev/null
    done
    grep -v '^#' "$table" | while read -r row _ version _; do
        cp "$store/${row}_${version}"[.-]* "$dest/"
    done
    exit 0
fi

row=$(awk -v name="$name" '$1 == name' "$table")
[ -n "$row" ] || fail "$table has no row for $name"
read -r _ suite version tarball sha256 kind <<END
$row
END

good_tarball() { # DIR
    [ -f "$1/$tarball" ] && echo "$sha256  $1/$tarball" | sha256sum --check --status
}

# A .dsc lists its files with sizes and checksums: complete means that all of them are there and right.
complete_dsc() { # FILE.dsc
    awk '/^Checksums-Sha256:/ { on = 1; next } /^[^ ]/ { on = 0 } on { print $1 "  " $3 }' "$1" |
        (cd "$(dirname "$1")" && grep -v '\.asc$' | sha256sum --check --status)
}

# Has the store what this row needs?
in_store() {
    if [ "$kind" = plain ]; then good_tarball "$store"; else find_dsc >/dev/null; fi
}

find_dsc() { # the newest complete .dsc of our upstream version in the store
    for dsc in $(ls -1 "$store/${name}_${version}"-*.dsc 2>/dev/null | sort -rV); do
        if complete_dsc "$dsc" 2>/dev/null; then
            echo "$dsc"
            return 0
        fi
    done
    return 1
}

# --- apt with private lists --------------------------------------------------------------------

lists=$cache/apt/$suite

apt_do() {
    tool=$1
    shift
    "$tool" -qq \
        -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$lists/parts" \
        -o Dir::State::Lists="$lists/lists" -o Dir::Cache="$lists/cache" \
        -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

make_lists() {
    command -v apt-get >/dev/null 2>&1 ||
        fail "$name: no apt-get here; give the sources with THIRD_PARTY_TARBALLS=<folder>"
    mkdir -p "$lists/parts" "$lists/lists/partial" "$lists/cache/archives/partial"
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
    here="\\b(oldstable|stable|$codename)\\b"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] && sed -En "/$here/{s/^deb(-src)?[[:space:]]/deb-src /;s/$here/$suite/;/^deb-src /p}" \
            "$file" >"$lists/parts/$(basename "$file" .list).list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] && grep -Eq "^Suites:.*$here" "$file" &&
            sed -E "s/^Types:.*/Types: deb-src/;/^Suites:/s/$here/$suite/g" "$file" \
                >"$lists/parts/$(basename "$file")"
    done
    apt_do apt-get update >"$lists/update.log" 2>&1 || true # one dead mirror need not stop us
}

ours() { # the revisions of our upstream version
    for revision in "$@"; do
        bare=${revision#*:}
        [ "${bare%-*}" = "$version" ] && echo "$revision"
    done
}

try() { # apt-get source's arguments
    rm -rf "${work:?}"/*
    (cd "$work" && apt_do apt-get source "$@") >"$lists/source.log" 2>&1 && good_tarball "$work"
}

fetch() {
    mkdir -p "$store"
    revisions=$(apt_do apt-cache showsrc --only-source "$name" 2>/dev/null |
        sed -n 's/^Version: //p' | sort -urV)
    if [ "$kind" != plain ]; then
        for revision in $(ours $revisions); do
            if try --download-only "$name=$revision"; then
                mv -f "$work"/* "$store/"
                return 0
            fi
            echo "fetch-source: $name $revision cannot be fetched complete" >&2
        done
    fi
    for revision in $(ours $revisions); do
        if try --download-only --tar-only "$name=$revision"; then
            [ "$kind" = plain ] || echo "fetch-source: WARNING: $name $version without Debian's patches" >&2
            mv -f "$work/$tarball" "$store/"
            return 0
        fi
    done
    return 1
}

if [ -z "${THIRD_PARTY_TARBALLS:-}" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/fetch.lock"
    flock 9 # two flavours may be built at the same time
    if ! in_store; then
        work=$(mktemp -d "$cache/fetch.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        # Lists older than a day are refreshed first; else only if what they promise is not there.
        if [ -z "$(find "$lists/update.log" -mtime -1 2>/dev/null)" ]; then
            make_lists
        fi
        fetch || { make_lists && fetch; } || good_tarball "$store" ||
            fail "$name $version cannot be fetched from the mirrors of this machine ($suite); see $lists/update.log," \
                "or give a folder with $tarball: THIRD_PARTY_TARBALLS=<folder>"
    fi
    exec 9>&-
fi

good_tarball "$store" || fail "$store/$tarball is missing or has the wrong checksum"

# --- unpack ----------------------------------------------------------------------------------------

if [ "$kind" != plain ] && dsc=$(find_dsc); then
    used=$(sed -n 's/^Version: \([0-9]*:\)\{0,1\}//p' "$dsc" | head -n 1)
    [ -n "$dest" ] && dpkg-source --no-check --no-copy -x "$dsc" "$dest" >"$dest.log" 2>&1 </dev/null ||
        [ -z "$dest" ] || { cat "$dest.log" >&2; fail "$dsc cannot be unpacked"; }
else
    used=$version
    [ "$kind" = plain ] || used=$version-unpatched
    if [ -n "$dest" ]; then
        mkdir -p "$dest"
        tar -xf "$store/$tarball" -C "$dest" --strip-components=1
    fi
fi
[ -z "$dest" ] || rm -f "$dest.log"
echo "$used"
