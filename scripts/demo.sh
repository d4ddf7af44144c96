#!/bin/sh
# Everything on this machine: a Kubernetes control plane, a simulated Alibaba Cloud ECI that runs real
# containers, and ecilet between them. A sample workload shows what it is good for.
#
#   scripts/demo.sh          the story, from start to end (about half a minute, once all is built)
#   scripts/demo.sh stop     stop what DEMO_KEEP=1 left running
#
#   DEMO_KEEP=1              leave it running and say how to use it
#   DEMO_KUBECONFIG=FILE     use this cluster instead of one of our own; the demo makes a node, a lease
#                            and a namespace there, all named ecilet-demo, and removes them
#   DEMO_KUBECTL=PROGRAM     kubectl for that cluster; default: the one in PATH, else our own
#
# Exits 0 when all happened as told, in time. Needs root for the containers' network.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
dir=$root/build/demo
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY || true
kubectl_installed=$(command -v kubectl || true) # before we call a function of ours so

# --- telling ---------------------------------------------------------------------------------------

began=$(date +%s)
chapter=0
heading() {
    chapter=$((chapter + 1))
    printf '\n== %d. %s  (%d s)\n' $chapter "$1" $(($(date +%s) - began))
}
say() { printf '   %s\n' "$*"; }
show() { # COMMAND...   what it prints, with the command as one would type it
    printf '   $ %s\n' "$*"
    "$@" 2>&1 | sed 's/^/   /'
}
fail() {
    printf '\ndemo: %s\n' "$*" >&2
    for log in ecilet ecisim; do
        [ ! -s "$dir/$log.log" ] || { echo "--- the end of build/demo/$log.log:"; tail -n 15 "$dir/$log.log"; } >&2
    done
    exit 1
}
await() { # SECONDS WHAT COMMAND...   until the command succeeds
    seconds=$1 what=$2
    shift 2
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt $((seconds * 5)) ] || fail "not within $seconds s: $what"
        sleep 0.2
    done
}

# --- processes -------------------------------------------------------------------------------------

start() { # NAME COMMAND...
    name=$1
    shift
    # Away from the terminal's interrupts, which are for this script: it stops things in their order.
    setsid "$@" >>"$dir/$name.log" 2>&1 </dev/null &
    echo "$name $!" >>"$dir/pids"
}
pid_of() { # the process, if it still is the one we started
    pid=$(awk -v name="$1" '$1 == name { pid = $2 } END { print pid }' "$dir/pids" 2>/dev/null)
    [ -n "$pid" ] && { tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$dir/"; } 2>/dev/null && echo "$pid"
}
stop() { # NAME   and wait until it is gone
    pid=$(pid_of "$1") && kill "$pid" 2>/dev/null || return 0
    tries=0
    while pid_of "$1" >/dev/null; do
        tries=$((tries + 1))
        [ $tries -ne 100 ] || kill -s KILL "$pid" 2>/dev/null || true
        sleep 0.1
    done
}

# What the demo made in a cluster that is not ours.
leave_cluster() {
    [ -f "$dir/guest" ] || return 0
    kubectl delete namespace ecilet-demo --wait=false --ignore-not-found >/dev/null 2>&1 || true
    kubectl delete node ecilet-demo --wait=false --ignore-not-found >/dev/null 2>&1 || true
    kubectl -n kube-node-lease delete lease ecilet-demo --ignore-not-found >/dev/null 2>&1 || true
    rm -f "$dir/guest"
}
stop_all() {
    [ -f "$dir/pids" ] || return 0
    if [ -f "$dir/guest" ] && pid_of ecilet >/dev/null; then
        kubectl -n ecilet-demo delete deployments,jobs,pods --all --timeout=30s >/dev/null 2>&1 || true
    fi
    stop ecilet
    leave_cluster
    stop ecisim
    [ ! -d "$dir/cluster" ] || test/cluster/cluster.sh down "$dir/cluster"
    rm -f "$dir/pids"
}

# --- asking ----------------------------------------------------------------------------------------

kubectl() { "$kubectl_program" --kubeconfig "$kubeconfig" "$@"; }
cloud() { curl -sf --max-time 5 "http://127.0.0.1:$(cat "$dir/control-port")/_sim/$1"; }
instances() { cloud "groups?exists=true" | jq -r '.[] | "\(.id)  \(.status)  \(.ip)  \(.tags.PodName)"'; }
instance_of() { cloud "groups?exists=true&tag_key=PodName&tag_value=$1" | jq -re '.[0].id'; }
no_instances() { [ -z "$(instances)" ]; }
pods_running() { # COUNT
    [ "$(kubectl -n "$space" get pods -l app=web -o json | jq '[.items[] | select(.status.phase == "Running" and
        any(.status.conditions[]; .type == "Ready" and .status == "True"))] | length')" = "$1" ]
}
has_story() {
    kubectl -n "$space" get events --field-selector "involvedObject.name=$pod" -o json |
        jq -e 'any(.items[]; .reason == "ProviderCreateSuccess")'
}
node_ready() { kubectl get node "$node" -o json | jq -e 'any(.status.conditions[]; .type == "Ready" and .status == "True")'; }

remember() {
    printf "kubeconfig='%s'\nkubectl_program='%s'\nspace='%s'\nnode='%s'\n" \
        "$kubeconfig" "$kubectl_program" "$space" "$node" >"$dir/settings"
}

case ${1:-} in
'') ;;
stop)
    [ -f "$dir/settings" ] || { echo "demo: nothing is running"; exit 0; }
    . "$dir/settings"
    stop_all
    echo "demo: stopped"
    exit 0
    ;;
*)
    sed -n '/^#!/d;/^#/!q;s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

# --- the story -------------------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || { echo "demo: the containers' network needs root; please try: sudo make demo" >&2; exit 1; }

heading "What is needed"
scripts/install-tools.sh demo
for program in ecilet ecisim; do
    if [ ! -x build/$program ]; then
        say "building build/$program"
        make "build/$program"
    fi
done
say "build/ecilet is $(($(stat -c %s build/ecilet) / 1024)) KiB, statically linked: $(build/ecilet version | head -n 1)"
mkdir -p "$dir"
[ ! -f "$dir/settings" ] || { . "$dir/settings"; stop_all; } # one that was kept, or killed
rm -rf "$dir"
mkdir -p "$dir"
: >"$dir/pids"
trap 'stop_all' EXIT
trap 'exit 130' INT TERM HUP

heading "A Kubernetes cluster"
if [ -n "${DEMO_KUBECONFIG:-}" ]; then
    kubeconfig=$(realpath "$DEMO_KUBECONFIG")
    kubectl_program=${DEMO_KUBECTL:-$kubectl_installed}
    [ -n "$kubectl_program" ] || kubectl_program=$(test/cluster/build.sh)/kubectl
    node=ecilet-demo space=ecilet-demo
    remember
    touch "$dir/guest"
    say "yours: $(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')"
else
    test/cluster/build.sh >/dev/null # the first time this takes minutes, and says so
    kubeconfig=$(test/cluster/cluster.sh up "$dir/cluster") || fail "the control plane did not start"
    kubectl_program=$dir/cluster/kubectl
    node=virtual-kubelet space=demo
    remember
    say "a real control plane, at $(cat "$dir/cluster/address"): etcd, API server, controllers, scheduler"
fi
show kubectl get nodes
kubectl create namespace "$space" >/dev/null

heading "A cloud"
start ecisim build/ecisim --mode container --listen 127.0.0.1:0 --control-listen 127.0.0.1:0 \
    --port-file "$dir/port" --control-port-file "$dir/control-port" --state-dir "$dir/ecisim" \
    --bridge ecidemo0 --subnet 172.30.240.0/20
await 10 "the simulated cloud answers" test -s "$dir/control-port"
await 10 "the simulated cloud answers" cloud health
say "a simulated ECI at http://127.0.0.1:$(cat "$dir/port"); its container groups are real containers"

heading "ecilet, the node between the two"
if [ -f "$dir/guest" ]; then
    node_kubeconfig=$kubeconfig
else
    # As an operator would: a user for the gateway, who may do what `ecilet manifests` says.
    node_kubeconfig=$(test/cluster/cluster.sh user "$dir/cluster" gateway '' 1)
    build/ecilet manifests | kubectl apply -f - >/dev/null
    kubectl create clusterrolebinding gateway --clusterrole=ecilet --user=gateway >/dev/null
    kubectl -n kube-node-lease create rolebinding gateway --role=ecilet --user=gateway >/dev/null
    kubectl -n kube-system create rolebinding gateway --role=ecilet --user=gateway >/dev/null
fi
(
    umask 077
    echo EXAMPLEsecretKEY0123456789abcd >"$dir/secret-key"
    cat >"$dir/ecilet.conf" <<END
CLUSTER_TYPE=IDC
ECI_REGION=cn-hangzhou
ECI_ACCESS_KEY=LTAI4EXAMPLEKEYID00001
ECI_SECRET_KEY_FILE=$dir/secret-key
ALIYUN_CLUSTERID=demo
ECI_VSWITCH=vsw-demo1,vsw-demo2
ECI_SECURITY_GROUP=sg-demo
ECI_ENDPOINT=http://127.0.0.1:$(cat "$dir/port")
KUBECONFIG=$node_kubeconfig
NODE_NAME=$node
VKUBELET_POD_IP=127.0.0.1
POLL_FAST_MS=500
END
)
say "build/demo/ecilet.conf:"
sed 's/^/   | /' "$dir/ecilet.conf"
start ecilet env -i "$root/build/ecilet" run --config "$dir/ecilet.conf"
await 15 "the node $node is Ready" node_ready
show kubectl get nodes -o wide

heading "A Deployment and a Job on it"
kubectl -n "$space" apply -f - >/dev/null <<END
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
      terminationGracePeriodSeconds: 2
      nodeSelector: {type: virtual-kubelet, kubernetes.io/hostname: $node}
      tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
      containers:
      - {name: nginx, image: nginx, ports: [{containerPort: 80}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: sum}
spec:
  template:
    spec:
      automountServiceAccountToken: false
      restartPolicy: Never
      nodeSelector: {type: virtual-kubelet, kubernetes.io/hostname: $node}
      tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
      containers:
      - {name: sum, image: busybox, command: [sh, -c, "echo \$((40 + 2)); sleep 1"]}
END
await 30 "both pods of the Deployment run" pods_running 2
kubectl -n "$space" wait --for=condition=complete job/sum --timeout=30s >/dev/null || fail "the Job did not complete"
show kubectl -n "$space" get deployments,jobs,pods -o wide
say
say "the same pods as the cloud sees them:"
instances | sed 's/^/   /'

heading "A pod answers"
pod=$(kubectl -n "$space" get pods -l app=web -o json | jq -r '.items[0].metadata.name')
address=$(kubectl -n "$space" get pod "$pod" -o 'jsonpath={.status.podIP}')
await 10 "the pod's web server answers" curl -sf --max-time 2 "http://$address/"
show curl -s --max-time 5 "http://$address/"

if [ ! -f "$dir/guest" ]; then # a cluster of yours may not reach this machine
    heading "Logs, and a command in a container"
    show kubectl -n "$space" logs job/sum
    show kubectl -n "$space" exec "$pod" -- hostname
fi

heading "Its story, in events"
await 10 "the events are there" has_story
show kubectl -n "$space" get events --field-selector "involvedObject.name=$pod" \
    -o custom-columns=REASON:.reason,MESSAGE:.message

heading "A pod is deleted: first the instance goes, then the object"
instance=$(instance_of "$pod") || fail "the pod has no instance"
say "\$ kubectl delete pod $pod      (its instance is $instance)"
deleted=$(date +%s%3N)
kubectl -n "$space" delete pod "$pod" --wait=false >/dev/null
tries=0
while kubectl -n "$space" get pod "$pod" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || fail "the pod $pod is still there"
done
removed=$(date +%s%3N)
gone=$(cloud "groups?id=$instance" | jq -r '.[0].deleted_ms')
[ "$gone" -gt 0 ] || fail "the object is gone, but the instance $instance is not"
[ "$gone" -le "$removed" ] || fail "the object went before the instance"
say "the instance was gone after $((gone - deleted)) ms, the object after less than $((removed - deleted)) ms"
await 30 "the Deployment has replaced it" pods_running 2
show kubectl -n "$space" get pods

heading "What it takes"
pid=$(pid_of ecilet) || fail "ecilet is not running any more"
say "ecilet uses $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status") KiB of memory and so far" \
    "$(awk '{ print ($14 + $15) * 10 }' "/proc/$pid/stat") ms of CPU"

if [ -n "${DEMO_KEEP:-}" ]; then
    heading "It stays"
    trap - EXIT
    say "use it:     export KUBECONFIG=$kubeconfig"
    say "            $kubectl_program get pods -A -o wide"
    say "the log:    tail -f build/demo/ecilet.log"
    say "the cloud:  curl -s http://127.0.0.1:$(cat "$dir/control-port")/_sim/groups | jq ."
    say "stop it:    scripts/demo.sh stop"
    exit 0
fi

heading "The end"
kubectl -n "$space" delete deployment,job --all --wait=false >/dev/null
await 30 "no instance is left" no_instances
say "the workload is deleted, no instance is left"
trap - EXIT
stop_all
say "all processes are stopped; the logs are in build/demo"
printf '\nThe demo took %d s.\n' $(($(date +%s) - began))
