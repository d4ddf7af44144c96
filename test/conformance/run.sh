#!/bin/sh
# Run the official npm SDKs of Alibaba Cloud against ecisim.
#
#   test/conformance/run.sh            ECISIM=path/to/ecisim (default build/ecisim)
#
# The packages are installed once into a cache folder that is named by the hash of package.json,
# with exact versions and without a lock file. Needs node 18 or later, and npm with a registry
# the first time. ecisim runs in state mode on a free port and is stopped at the end. The other
# tests of this folder start an ecisim of their own; those that need root, runc or openssl are
# skipped where these are missing. Arguments are given to node --test.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
ecisim=${ECISIM:-$here/../../build/ecisim}
cache=${ECILET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ecilet}
hash=$(sha256sum "$here/package.json" | cut -c1-16)
packages=$cache/conformance-$hash

if [ ! -x "$ecisim" ]; then
    echo "conformance: $ecisim is missing; build it first" >&2
    exit 2
fi

install() {
    rm -rf "$packages"
    mkdir -p "$packages"
    cp "$here/package.json" "$packages/"
    (cd "$packages" && npm install --no-save --no-package-lock --no-audit --no-fund \
        --ignore-scripts --loglevel=error)
}
mkdir -p "$cache"
exec 9>"$packages.lock"
flock 9 # another one may be installing
if [ ! -e "$packages/installed" ]; then
    install || { sleep 10 && install; } # a registry may be out of order for a moment
    touch "$packages/installed"
fi
exec 9>&-

work=$(mktemp -d)
pid=
cleanup() {
    status=$?
    trap - EXIT
    if [ -n "$pid" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf "$work"
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

"$ecisim" --listen 127.0.0.1:0 --port-file "$work/port" --check-replies \
    --scheduling-ms 50 --pending-ms 50 --init-ms 50 >"$work/log" 2>&1 &
pid=$!
tries=0
while [ ! -s "$work/port" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$pid" 2>/dev/null; then
        echo "conformance: ecisim did not start" >&2
        cat "$work/log" >&2
        exit 1
    fi
    sleep 0.1
done

ECISIM=$ecisim
ECISIM_ADDRESS=127.0.0.1:$(cat "$work/port")
NODE_PATH=$packages/node_modules
export ECISIM ECISIM_ADDRESS NODE_PATH
node --test "$@" "$here"/*.test.js
