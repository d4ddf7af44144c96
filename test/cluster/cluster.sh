#!/bin/sh
# A real Kubernetes control plane on this machine's loopback: etcd, kube-apiserver,
# kube-controller-manager and kube-scheduler, with certificates and logs in one folder.
#
#   cluster.sh up DIR                     start; returns when it is ready, prints the kubeconfig's path
#   cluster.sh down DIR                   stop its processes (and only those); the folder stays
#   cluster.sh status DIR                 one line per process; exits 1 unless all run and it is ready
#   cluster.sh stop-apiserver DIR         kill the API server as an outage would
#   cluster.sh start-apiserver DIR        start it again: same port, certificates and data
#   cluster.sh user DIR NAME GROUPS DAYS  a kubeconfig with a client certificate for user NAME in GROUPS
#                                         (a,b; may be empty) that is valid for DAYS from now: a number,
#                                         may be negative (expired), or seconds like 30s or -30s
#
# In DIR: admin.kubeconfig, ca.crt, ca.key, pki/, pids, *.log, kubectl (a link), address (host:port).
# Several clusters may run at once in different folders. `up` on a used folder starts afresh, also
# after everything was killed.
#
# Ports are free ones below the range the kernel gives to outgoing connections.
#
#   ECILET_CONTROL_PLANE=DIR   binaries to use; default: what test/cluster/build.sh made
#   CLUSTER_ADDRESS=127.0.0.1  where to listen (another address lets other network namespaces in)
#   APISERVER_FLAGS, CONTROLLER_FLAGS, SCHEDULER_FLAGS   added to the command lines
set -eu

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY || true

service_range=10.0.0.0/24
service_ip=10.0.0.1
ready_seconds_max=240

usage() {
    sed -n '/^#!/d;/^#/!q;s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
fail() {
    echo "cluster: $*" >&2
    exit 1
}

# --- certificates ----------------------------------------------------------------------------------

# certify NAME SUBJECT SECONDS EXTENSION...   makes pki/NAME.crt and pki/NAME.key (EC P-256)
certify() {
    name=$1 subject=$2 seconds=$3
    shift 3
    work=$(mktemp -d "$dir/pki/work.XXXXXX")
    : >"$work/index"
    openssl rand -hex 8 >"$work/serial"
    printf '%s\n' 'basicConstraints=CA:FALSE' 'keyUsage=critical,digitalSignature' "$@" >"$work/extensions"
    printf '%s\n' '[ca]' 'default_ca=it' '[it]' "database=$work/index" "serial=$work/serial" "new_certs_dir=$work" \
        "certificate=$dir/ca.crt" "private_key=$dir/ca.key" 'default_md=sha256' 'policy=any' \
        'unique_subject=no' '[any]' 'organizationName=optional' 'commonName=supplied' >"$work/config"
    # `openssl ca`, because only it can certify for the past.
    from=$(($(date +%s) - 3600))
    to=$(($(date +%s) + seconds))
    [ $to -gt $from ] || from=$((to - 86400))
    {
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$subject" \
            -keyout "$dir/pki/$name.key" -out "$work/request" &&
            openssl ca -batch -notext -preserveDN -config "$work/config" \
                -extfile "$work/extensions" -in "$work/request" -out "$dir/pki/$name.crt" \
                -startdate "$(date -u -d "@$from" +%Y%m%d%H%M%SZ)" \
                -enddate "$(date -u -d "@$to" +%Y%m%d%H%M%SZ)"
    } >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "openssl cannot certify $name"; }
    rm -rf "$work"
}

year=$((365 * 86400))
client='extendedKeyUsage=clientAuth'

kubeconfig() { # FILE NAME   for the client certificate pki/NAME.crt, everything embedded
    cat >"$1.new" <<END
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: https://$(cat "$dir/address")
    certificate-authority-data: $(base64 -w0 "$dir/ca.crt")
users:
- name: $2
  user:
    client-certificate-data: $(base64 -w0 "$dir/pki/$2.crt")
    client-key-data: $(base64 -w0 "$dir/pki/$2.key")
contexts:
- name: test
  context: {cluster: test, user: $2}
current-context: test
END
    chmod 600 "$1.new"
    mv "$1.new" "$1"
}

make_certificates() {
    mkdir -p "$dir/pki"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj /CN=test-ca -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
    openssl genrsa -out "$dir/pki/service-account.key" 2048 2>/dev/null
    names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost
    certify apiserver /CN=kube-apiserver $year extendedKeyUsage=serverAuth \
        "subjectAltName=$names,IP:127.0.0.1,IP:$service_ip,IP:$listen"
    certify kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client $year $client
    certify admin /O=system:masters/CN=admin $year $client
    certify controller-manager /CN=system:kube-controller-manager $year $client
    certify scheduler /CN=system:kube-scheduler $year $client
    for name in admin controller-manager scheduler; do
        kubeconfig "$dir/$name.kubeconfig" $name
    done
}

# --- processes -------------------------------------------------------------------------------------

pid_of() { # the process, if it still is the one we started
    pid=$(awk -v name="$1" '$1 == name { pid = $2 } END { print pid }' "$dir/pids" 2>/dev/null)
    [ -n "$pid" ] && { tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$dir/"; } 2>/dev/null && echo "$pid"
}

start() { # NAME PROGRAM ARGUMENTS...
    name=$1
    shift
    # In a process group of its own: an interrupt at the terminal is for the caller, who calls `down`.
    setsid "$@" >>"$dir/$name.log" 2>&1 </dev/null 9>&- &
    echo "$name $!" >>"$dir/pids"
}

stop() { # SIGNAL NAME...   and wait until they are gone
    signal=$1
    shift
    for name in "$@"; do
        pid=$(pid_of "$name") && kill -s "$signal" "$pid" 2>/dev/null || true
    done
    for name in "$@"; do
        tries=0
        while pid=$(pid_of "$name"); do
            tries=$((tries + 1))
            [ $tries -ne 50 ] || kill -s KILL "$pid" 2>/dev/null || true
            sleep 0.1
        done
    done
}

# Ports in use by anything, in any state; then random ones that are not.
free_ports() { # COUNT
    awk 'FNR > 1 { split($2, local, ":"); print local[2] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        sort -u >"$dir/ports.used"
    shuf -i 20000-31999 -n 200 | while read -r port; do
        grep -qi "$(printf '^%04X$' "$port")" "$dir/ports.used" || echo "$port"
    done | head -n "$1"
    rm -f "$dir/ports.used"
}

start_etcd() {
    start etcd etcd --data-dir "$dir/etcd" --unsafe-no-fsync \
        --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
        --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
        --initial-cluster "default=http://127.0.0.1:$peer_port" --log-level warn
}

start_apiserver() {
    # An endpoint of the service "kubernetes" on loopback would be refused: then it has none.
    endpoints=
    case $listen in 127.*) endpoints=--endpoint-reconciler-type=none ;; esac
    # shellcheck disable=SC2086
    start apiserver "$bin/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" \
        --bind-address="$listen" --advertise-address="$listen" --secure-port="$api_port" --insecure-port=0 $endpoints \
        --client-ca-file="$dir/ca.crt" \
        --tls-cert-file="$dir/pki/apiserver.crt" --tls-private-key-file="$dir/pki/apiserver.key" \
        --kubelet-client-certificate="$dir/pki/kubelet-client.crt" \
        --kubelet-client-key="$dir/pki/kubelet-client.key" \
        --kubelet-preferred-address-types=InternalIP,Hostname \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$dir/pki/service-account.key" \
        --service-account-signing-key-file="$dir/pki/service-account.key" \
        --service-cluster-ip-range=$service_range --authorization-mode=Node,RBAC --allow-privileged=true \
        --enable-aggregator-routing=false ${APISERVER_FLAGS:-}
}

start_controllers() {
    # --port=0 and --secure-port=0: they serve nothing that we need. The default rate of 20 requests
    # a second would double the time until the default service account exists.
    # shellcheck disable=SC2086
    start controller-manager "$bin/kube-controller-manager" --kubeconfig="$dir/controller-manager.kubeconfig" \
        --leader-elect=false --port=0 --secure-port=0 --use-service-account-credentials \
        --kube-api-qps=200 --kube-api-burst=400 \
        --service-account-private-key-file="$dir/pki/service-account.key" --root-ca-file="$dir/ca.crt" \
        --cluster-signing-cert-file="$dir/ca.crt" --cluster-signing-key-file="$dir/ca.key" ${CONTROLLER_FLAGS:-}
    # shellcheck disable=SC2086
    start scheduler "$bin/kube-scheduler" --kubeconfig="$dir/scheduler.kubeconfig" --leader-elect=false \
        --port=0 --secure-port=0 ${SCHEDULER_FLAGS:-}
}

ask() { # PATH   as admin
    curl -sf --max-time 5 --cacert "$dir/ca.crt" --cert "$dir/pki/admin.crt" --key "$dir/pki/admin.key" \
        "https://$(cat "$dir/address")$1" 2>/dev/null
}

wait_for() { # PATH   until it answers, or a process we need has died, or it takes too long
    deadline=$(($(date +%s) + ready_seconds_max))
    until ask "$1" >/dev/null; do
        pid_of apiserver >/dev/null && pid_of etcd >/dev/null || return 1
        [ "$(date +%s)" -lt $deadline ] || return 1
        sleep 0.1
    done
}

# What `up` chose, for the other commands.
remember() {
    printf 'bin=%s\nlisten=%s\netcd_port=%s\npeer_port=%s\napi_port=%s\n' \
        "'$bin'" "$listen" "$etcd_port" "$peer_port" "$api_port" >"$dir/settings"
    printf "APISERVER_FLAGS='%s'\n" "${APISERVER_FLAGS:-}" >>"$dir/settings"
}
recall() {
    [ -f "$dir/settings" ] || fail "no cluster in $dir"
    . "$dir/settings"
}

all='scheduler controller-manager apiserver etcd'

try_up() {
    # shellcheck disable=SC2086
    stop KILL $all
    rm -rf "$dir/etcd" "$dir/pki" "$dir"/*.log "$dir"/*.kubeconfig "$dir/pids"
    # shellcheck disable=SC2046
    set -- $(free_ports 3)
    etcd_port=$1 peer_port=$2 api_port=$3
    echo "$listen:$api_port" >"$dir/address"
    remember
    start_etcd
    make_certificates
    start_apiserver
    ln -sf "$bin/kubectl" "$dir/kubectl"
    wait_for /livez/ping && start_controllers && wait_for /readyz &&
        wait_for /api/v1/namespaces/default/serviceaccounts/default
}

command=${1:-}
dir=${2:-}
[ -n "$dir" ] || usage

case $command in
up)
    bin=$("$here/build.sh")
    "$here/../../scripts/install-tools.sh" demo
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    listen=${CLUSTER_ADDRESS:-127.0.0.1}
    # shellcheck disable=SC2086
    trap 'stop KILL $all' EXIT
    trap 'exit 130' INT TERM
    # Someone may take a port between our looking and our listening: then try others.
    for attempt in 1 2 3; do
        if try_up; then
            trap - EXIT
            echo "$dir/admin.kubeconfig"
            exit 0
        fi
        grep -qs 'address already in use' "$dir"/*.log || break
    done
    for name in etcd apiserver controller-manager; do
        [ ! -s "$dir/$name.log" ] || { echo "--- the end of $dir/$name.log:"; tail -n 8 "$dir/$name.log"; } >&2
    done
    fail "the control plane did not become ready (attempt $attempt)"
    ;;
down)
    [ -d "$dir" ] || exit 0
    dir=$(cd "$dir" && pwd)
    # The API server would wait for its watchers to go: its data is in etcd, so it need not.
    stop KILL scheduler controller-manager apiserver
    stop TERM etcd
    ;;
status)
    dir=$(cd "$dir" && pwd)
    recall
    status=0
    for name in $all; do
        if pid=$(pid_of "$name"); then
            echo "$name: running, pid $pid, $(awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status") MB"
        else
            echo "$name: not running"
            status=1
        fi
    done
    if ask /readyz >/dev/null; then echo "ready at https://$(cat "$dir/address")"; else echo "not ready"; status=1; fi
    exit $status
    ;;
stop-apiserver)
    dir=$(cd "$dir" && pwd)
    recall
    stop KILL apiserver
    ;;
start-apiserver)
    dir=$(cd "$dir" && pwd)
    recall
    pid_of apiserver >/dev/null || start_apiserver
    wait_for /readyz || fail "the API server did not become ready; see $dir/apiserver.log"
    ;;
user)
    [ $# -eq 5 ] || usage
    dir=$(cd "$dir" && pwd)
    recall
    case $5 in
    *s) seconds=${5%s} ;;
    *) seconds=$(awk -v days="$5" 'BEGIN { printf "%d", days * 86400 }') ;;
    esac
    subject=
    for group in $(echo "$4" | tr ',' ' '); do
        subject=$subject/O=$group
    done
    file=$(echo "$3" | tr ':/' '--')
    certify "$file" "$subject/CN=$3" "$seconds" $client
    kubeconfig "$dir/$file.kubeconfig" "$file"
    echo "$dir/$file.kubeconfig"
    ;;
*) usage ;;
esac
