#!/bin/sh
# Install the Debian packages that building, testing and demonstrating ecilet need.
#
#   scripts/install-tools.sh [build|test|demo|all]      (default: build)
#
# What is already there is never installed again: each row below names a package and the file or
# command that proves it is present, so a machine that has everything is left in a few milliseconds
# and tools that came another way (a node or a go of your own) are respected.
# With root it runs apt-get; without root it prints the line to type and exits 1.
set -eu

# set  package  proof (a command, or a file when it starts with a slash; may hold a pattern)
packages='
build gcc                                   gcc
build libc6-dev                             /usr/include/features.h
build make                                  make
build musl-tools                            musl-gcc
build dpkg-dev                              dpkg-source
build xz-utils                              xz
build bzip2                                 bzip2
build patch                                 patch
build ca-certificates                       /etc/ssl/certs/ca-certificates.crt
test  clang                                 clang
test  libclang-rt-14-dev                    /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
test  clang-format-14                       clang-format-14
test  libcmocka-dev                         /usr/include/cmocka.h
test  python3                               python3
test  nodejs                                node
test  npm                                   npm
demo  curl                                  curl
demo  jq                                    jq
demo  openssl                               openssl
demo  runc                                  runc
demo  busybox-static                        busybox
demo  iproute2                              ip
demo  procps                                ps
test  strace                                strace
test  mount                                 mount
test  util-linux                            prlimit
demo  etcd-server                           etcd
demo  golang-go                             go
demo  golang-github-modern-go-reflect2-dev  /usr/share/gocode/src/github.com/modern-go/reflect2
demo  rsync                                 rsync
'

want=${1:-build}
case $want in
build) sets=' build ' ;;
demo) sets=' build demo ' ;;
test | all) sets=' build demo test ' ;; # the end-to-end tests use all that the demo uses
*)
    echo "usage: $0 [build|test|demo|all]" >&2
    exit 2
    ;;
esac

# Daemons and network tools live in sbin, which a plain user's PATH may lack.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

present() {
    case $1 in
    /*) for file in $1; do [ -e "$file" ] && return 0; done ;; # unquoted: the row may hold a pattern
    *) command -v "$1" >/dev/null 2>&1 && return 0 ;;
    esac
    return 1
}

missing=
while read -r set package proof; do
    case $sets in
    *" ${set:-none} "*) present "$proof" || missing="$missing $package" ;;
    esac
done <<END
$packages
END

[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "Please install what is missing, then try again:" >&2
    echo "    sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "$0: not a Debian-like system; please install the equivalents of:$missing" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
export RUNLEVEL=1 # etcd is needed as a program: do not start its service
install() {
    # shellcheck disable=SC2086  # a list of words
    apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 $missing
}
echo "installing:$missing" >&2
# The package lists may be missing or older than the mirror: then, and only then, refresh them.
if ! install >/dev/null 2>&1; then
    apt-get update -qq -o Acquire::Retries=3 || echo "$0: apt-get update failed, trying to go on" >&2
    install >/dev/null
fi
