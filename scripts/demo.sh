#!/usr/bin/env bash
# make demo: a pod's whole life, seen as an operator sees it.
#
# Starts a real Kubernetes 1.20 control plane and the small ECI (test/ecisim, containers run by runc),
# starts ecilet between them, runs a Deployment and a Job on the virtual node, deletes them, stops all.
# Exits non-zero when anything does not happen in time.
#
#   DEMO_KUBECONFIG=FILE   use this cluster instead (its user must be allowed what `ecilet manifests` lists)
#   DEMO_KEEP=1            leave everything running at the end and say how to use and stop it
set -euo pipefail
cd "$(dirname "$0")/.."

dir=$(mktemp -d "${TMPDIR:-/tmp}/ecilet-demo.XXXXXX")
node=virtual-kubelet
key=DEMOACCESSKEY secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
started=$SECONDS

title() { printf '\n\033[1m== %s\033[0m  (%d s)\n' "$*" $((SECONDS - started)); }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
fail() {
    printf '\ndemo: %s\n' "$*" >&2
    [ -f "$dir/ecilet.log" ] && { echo "--- ecilet's log:"; tail -20 "$dir/ecilet.log"; } >&2
    exit 1
}

stop_pid() { # PIDFILE: end it, wait for it
    local pid
    [ -f "$1" ] || return 0
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
}
stop_all() {
    stop_pid "$dir/ecilet.pid"
    stop_pid "$dir/ecisim.pid"
    [ -d "$dir/cluster" ] && test/cluster/cluster.sh down "$dir/cluster" >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

# until SECONDS WHAT COMMAND...: repeat until it succeeds
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "waited in vain for $what"
        sleep 0.3
    done
}

title "A cluster"
if [ -n "${DEMO_KUBECONFIG:-}" ]; then
    export KUBECONFIG=$DEMO_KUBECONFIG
    kubectl=kubectl
else
    test/cluster/build.sh >/dev/null
    test/cluster/cluster.sh up "$dir/cluster" >/dev/null
    export KUBECONFIG=$dir/cluster/admin.kubeconfig
    kubectl=$dir/cluster/kubectl
fi
k() { "$kubectl" "$@"; }
run "$kubectl" version --short 2>/dev/null || true

title "A small ECI behind the line"
(exec build/ecisim --mode container --listen 127.0.0.1:0 --port-file "$dir/port" --state-dir "$dir/eci" \
    --access-key "$key" --access-secret "$secret" >"$dir/ecisim.log" 2>&1) &
echo $! >"$dir/ecisim.pid"
until_true 20 "the small ECI" test -s "$dir/port"
port=$(cat "$dir/port")
sim=http://127.0.0.1:$port/_sim
cat "$dir/ecisim.log"

title "ecilet: one binary, one flat file"
(umask 077 && printf '%s' "$secret" >"$dir/key.secret")
cat >"$dir/ecilet.conf" <<CONF
CLUSTER_TYPE=IDC
ECI_REGION=cn-hangzhou
ECI_ENDPOINT=http://127.0.0.1:$port
ECI_ACCESS_KEY=$key
ECI_SECRET_KEY_FILE=$dir/key.secret
ALIYUN_CLUSTERID=demo
ECI_VSWITCH=vsw-demo
ECI_SECURITY_GROUP=sg-demo
KUBECONFIG=$KUBECONFIG
NODE_NAME=$node
VKUBELET_POD_IP=127.0.0.1
CONF
chmod 600 "$dir/ecilet.conf"
cat "$dir/ecilet.conf"
ls -l build/ecilet | awk '{print $5 " bytes, static: " $9}'
(exec build/ecilet run --config "$dir/ecilet.conf" >"$dir/ecilet.log" 2>&1) &
echo $! >"$dir/ecilet.pid"
node_ready() { k get node $node | grep -q ' Ready '; }
until_true 20 "the node" node_ready
run "$kubectl" get node $node -o wide

title "A workload on the virtual node"
cat >"$dir/work.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      automountServiceAccountToken: false
      nodeSelector: {type: virtual-kubelet}
      tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
      terminationGracePeriodSeconds: 5
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      automountServiceAccountToken: false
      nodeName: virtual-kubelet
      restartPolicy: Never
      containers:
      - {name: once, image: busybox, command: [sh, -c, "echo done on $(hostname)"]}
YAML
run "$kubectl" apply -f "$dir/work.yaml"
run "$kubectl" wait --for=condition=available --timeout=60s deployment/web || fail "the Deployment is not available"
run "$kubectl" wait --for=condition=complete --timeout=60s job/once || fail "the Job did not complete"
run "$kubectl" get pods -o wide
pod=$(k get pods -l app=web -o name | head -1)
ip=$(k get "$pod" -o jsonpath='{.status.podIP}')
run curl -sS -m 5 -o /dev/null -w "http://$ip/ answers %{http_code}\n" "http://$ip/" || fail "the pod does not answer"
echo "on the other side of the line:"
curl -sS "$sim/groups?exists=true" | jq -r '(.groups? // .)[] | "  \(.id)  \(.name)  \(.status)"'

title "What Kubernetes tells about it"
k describe "$pod" | sed -n '/^Events/,$p'

title "kubectl delete: first the instance, then the object"
run "$kubectl" delete deployment/web job/once --wait=false
none_left() { [ -z "$(k get pods --no-headers 2>/dev/null)" ]; }
until_true 60 "the pods to go" none_left
left=$(curl -sS "$sim/stats" | jq .groups_exist)
[ "$left" = 0 ] || fail "$left container groups are left"
echo "no pod and no container group is left; ecilet's log:"
grep -E 'gone|created' "$dir/ecilet.log" | sed 's/^/  /'

if [ -n "${DEMO_KEEP:-}" ]; then
    trap - EXIT
    title "Left running"
    echo "  export KUBECONFIG=$KUBECONFIG"
    echo "  log: $dir/ecilet.log   stop: kill \$(cat $dir/*.pid); test/cluster/cluster.sh down $dir/cluster"
    exit 0
fi
title "That was it: everything is stopped now"
