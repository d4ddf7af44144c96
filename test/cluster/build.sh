#!/bin/sh
# Build a real Kubernetes control plane from Debian's source package, once, into the cache.
#
#   test/cluster/build.sh          prints the folder that holds kube-apiserver,
#                                  kube-controller-manager, kube-scheduler and kubectl
#   test/cluster/build.sh --path   prints that folder, building nothing
#
# ECILET_CONTROL_PLANE=DIR   use the binaries in DIR instead (any version)
# ECILET_CACHE=DIR           default ${XDG_CACHE_HOME:-~/.cache}/ecilet
#
# It takes about six minutes on two cores and 3 GB of temporary space, and says every few seconds
# where it is. Nothing is seen under the final name before it is complete, and several callers may
# wait for the same build.
set -eu

# Raise when the recipe below changes what is built.
recipe=1
version=1.20.2

here=$(cd "$(dirname "$0")" && pwd)
cache=${ECILET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ecilet}
final=$cache/control-plane/kubernetes-$version-r$recipe
commands='kube-apiserver kube-controller-manager kube-scheduler kubectl'

if [ -n "${ECILET_CONTROL_PLANE:-}" ]; then
    for command in $commands; do
        [ -x "$ECILET_CONTROL_PLANE/$command" ] ||
            { echo "ECILET_CONTROL_PLANE: no $command in $ECILET_CONTROL_PLANE" >&2; exit 1; }
    done
    echo "$ECILET_CONTROL_PLANE"
    exit 0
fi

if [ "${1:-}" = --path ] || [ -d "$final" ]; then
    echo "$final"
    exit 0
fi

mkdir -p "$cache/control-plane"
exec 9>"$cache/control-plane/lock"
flock --nonblock 9 || { echo "control plane: waiting for another build of it" >&2; flock 9; }
[ -d "$final" ] && { echo "$final"; exit 0; }

"$here/../../scripts/install-tools.sh" demo

started=$(date +%s)
work=$(mktemp -d "$cache/control-plane/building.XXXXXX")
log=$cache/control-plane/build.log
: >"$log"
cleanup() {
    chmod -R u+w "$work" 2>/dev/null || true # Go makes its module cache read-only
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { echo "control plane: $* ($(($(date +%s) - started)) s)" >&2; }

# Run a step in the background and report its progress, a number printed by "$2", every 5 seconds.
# The step writes to its own log, so that counting reads no line of an earlier step.
step() { # TITLE COUNT-COMMAND TOTAL COMMAND...
    title=$1 count=$2 total=$3
    shift 3
    say "$title"
    : >"$work/step.log"
    "$@" >"$work/step.log" 2>&1 9>&- &
    pid=$!
    ticks=0
    while kill -0 $pid 2>/dev/null; do
        sleep 1
        ticks=$((ticks + 1))
        if [ $((ticks % 5)) -eq 0 ]; then
            say "$title: $(eval "$count") of about $total"
        fi
    done
    status=0
    wait $pid || status=$?
    cat "$work/step.log" >>"$log"
    if [ $status -ne 0 ]; then
        tail -n 30 "$work/step.log" >&2
        say "failed; the whole log is $log"
        exit 1
    fi
}

tree=$work/kubernetes

unpack() {
    "$here/../../scripts/fetch-source.sh" "$here/sources.tsv" kubernetes "$tree" || return
    # Under Go 1.18 and later the vendored reflect2 1.0.1 writes outside its memory when a map is
    # encoded as JSON (the API server panics on some POSTs); 1.0.2 does not.
    rm -rf "$tree/vendor/github.com/modern-go/reflect2" || return
    cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 \
        "$tree/vendor/github.com/modern-go/reflect2" || return
    # GOPATH mode, as Debian builds it: in module mode the code generators end up elsewhere.
    mkdir -p "$tree/.go/src/k8s.io" && ln -s ../../.. "$tree/.go/src/k8s.io/kubernetes"
}

export GOPATH="$tree/.go" GOCACHE="$work/gocache" GO111MODULE= GOFLAGS= CGO_ENABLED=0 \
    KUBE_GIT_VERSION="v$version" KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 KUBE_GIT_TREE_STATE=archive \
    KUBE_GIT_COMMIT=debian FORCE_HOST_GO=y
# A debugging or embedding build of Go may preset these; they would change what is built.
unset GOROOT GOOS GOARCH || true

generate() { nice make -C "$tree" generated_files; }

compile() {
    vendor=k8s.io/kubernetes/vendor/k8s.io
    flags="-s -w"
    for package in component-base/version client-go/pkg/version; do
        flags="$flags -X $vendor/$package.gitVersion=v$version -X $vendor/$package.gitMajor=1"
        flags="$flags -X $vendor/$package.gitMinor=20 -X $vendor/$package.gitTreeState=archive"
    done
    cd "$tree/.go/src/k8s.io/kubernetes" || return
    mkdir -p "$work/out"
    for command in $commands; do
        GO111MODULE=off nice go build -v -trimpath -ldflags "$flags" -o "$work/out/$command" \
            "k8s.io/kubernetes/cmd/$command" || return
    done
}

step "[1/3] fetching and unpacking Kubernetes $version" 'ls "$tree" 2>/dev/null | wc -l' 30 unpack
step "[2/3] generating code" 'grep -c "" "$work/step.log"' 15 generate
step "[3/3] compiling (packages)" 'grep -c "" "$work/step.log"' 1950 compile

mv "$work/out" "$final"
say "done"
echo "$final"
