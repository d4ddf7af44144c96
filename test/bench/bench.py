"""make bench: the numbers of the performance table, measured on a real control plane.

Everything runs on this machine (control plane, the small ECI in state mode over TLS, ecilet), so times are
those of a crowded laptop; CPU and memory are ecilet's own.

    BENCH_PODS=1000   pods of the Deployment that comes and goes
"""

import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "test", "e2e"))

import harness  # noqa: E402

PODS = int(os.environ.get("BENCH_PODS", "1000"))
RATE = "60000"  # so that the documented 1000 creates a minute are not what is measured


def deployment(replicas):
    labels = {"app": "bench"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "bench"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "nodeName": harness.NODE,
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "main", "image": "nginx:1"}],
                },
            },
        },
    }


def ready_pods(cluster):
    found = cluster.get("/apis/apps/v1/namespaces/bench/deployments/bench")
    return found.get("status", {}).get("readyReplicas", 0)


def measure(cluster, ecisim, ecilet):
    rows = [("stripped static binary", f"{os.path.getsize(harness.ECILET)} bytes", "1572864")]
    time.sleep(5)
    rows.append(("resident, idle", f"{ecilet.resident_kib() / 1024:.1f} MiB", "4"))
    print(f"creating {PODS} pods ...", flush=True)
    cpu = ecilet.cpu_seconds()
    began = time.monotonic()
    cluster.apply(deployment(PODS), namespace="bench")
    harness.wait_for(lambda: ready_pods(cluster) == PODS, 300, f"{PODS} pods are Ready")
    took = time.monotonic() - began
    rows.append((f"created to Ready, {PODS} pods", f"{PODS / took:.0f} pods/s", "(the control plane shares 2 cores)"))
    rows.append(("CPU, create to Ready", f"{(ecilet.cpu_seconds() - cpu) * 1000 / PODS:.2f} ms per pod", ""))
    rows.append((f"resident, {PODS} pods just created", f"{ecilet.resident_kib() / 1024:.1f} MiB", ""))
    print("two quiet minutes (idle connections to the cloud are closed) ...", flush=True)
    time.sleep(120)
    rows.append((f"resident, {PODS} quiet pods", f"{ecilet.resident_kib() / 1024:.1f} MiB", "7 at 1,000"))
    quiet = ecilet.cpu_seconds()
    time.sleep(20)
    rows.append((f"CPU, {PODS} quiet pods", f"{(ecilet.cpu_seconds() - quiet) * 100 / 20:.2f} % of a core", "1 at 10,000"))
    print("deleting them ...", flush=True)
    began = time.monotonic()
    cluster.apply(deployment(0), namespace="bench")
    harness.wait_for(lambda: not cluster.pods("bench"), 300, "all pods are gone")
    rows.append(("deleted", f"{PODS / (time.monotonic() - began):.0f} pods/s", ""))
    rows.append(("CPU per pod life", f"{(ecilet.cpu_seconds() - cpu) * 1000 / PODS:.2f} ms", "2"))
    stats = ecisim.stats()
    ever, left = stats["groups_created"], stats["groups_exist"]
    rows.append(("container groups made, left", f"{ever}, {left}", f"{PODS}, 0"))
    if ever != PODS or left != 0:
        raise SystemExit(f"bench: {ever} groups for {PODS} pods, {left} left")
    return rows


def main():
    print("starting the control plane ...", flush=True)
    cluster = harness.Run.cluster()
    folder = harness.Run.make_folder("bench")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}})
    ecisim = harness.Ecisim(cluster, folder)
    ecisim.start()
    config = {"CREATE_PER_MINUTE": RATE, "DELETE_PER_MINUTE": RATE, "POLL_FAST_MS": None, "SWEEP_SECONDS": None}
    ecilet = harness.Ecilet(cluster, ecisim, folder, config)
    ecilet.start()
    rows = measure(cluster, ecisim, ecilet)
    lines = ["| what | measured | target |", "|---|---|---|"] + [f"| {a} | {b} | {c} |" for a, b, c in rows]
    text = "\n".join(lines) + "\n"
    with open(os.path.join(ROOT, "build", "bench.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    print("\n" + text)


if __name__ == "__main__":
    is_well = False
    try:
        main()
        is_well = True
    finally:
        harness.Run.finish(is_well)
