#!/usr/bin/env python3
"""Figures of the kubelet port: kubectl, a real API server, ecilet, and real containers as instances.

    test/bench/port.py [FILE]     the table is printed, and written to FILE

    BENCH_SESSIONS=8     sessions of each kind that are open at once: memory
    BENCH_MEGABYTES=200  downloaded through port-forward, and without it

Needs root, as the containers do; says so and measures nothing without.
"""
import os
import socket
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from harness import Cluster, Ecilet, Ecisim, Run, container, is_ready, phase, pod, wait_for  # noqa: E402
from pods import Bench  # noqa: E402

SESSIONS = int(os.environ.get("BENCH_SESSIONS", "8"))
BYTES = int(os.environ.get("BENCH_MEGABYTES", "200")) << 20
NAMESPACE = "port"
SERVER = f"nc -ll -p 9000 -e head -c {BYTES} /dev/zero & while true; do echo tick; sleep 1; done"


class World:
    def __init__(self, cluster):
        folder = Run.make_folder("port")
        self.cluster = cluster
        self.ecisim = Ecisim(cluster, folder, mode="container", scheduling_ms=0, pending_ms=0)
        self.ecisim.start()
        self.ecilet = Ecilet(cluster, self.ecisim, folder, {"PORT_FORWARD_SESSIONS": str(SESSIONS + 2)})
        self.ecilet.start()
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        cluster.call("POST", "/api/v1/namespaces", body)
        wait_for(lambda: cluster.find(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"), 20, "it is ready")
        body = pod("p", container(image="busybox", command=["sh", "-c", SERVER]), automountServiceAccountToken=False)
        cluster.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", body)

        def is_up():
            found = cluster.pod(NAMESPACE, "p")
            return found if phase(found) == "Running" and is_ready(found) else None

        self.address = wait_for(is_up, 60, "the pod runs")["status"]["podIP"]

    def open(self, *argv):
        argv = [self.cluster.program, "--kubeconfig", self.cluster.kubeconfig, "-n", NAMESPACE, *argv]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def forward(self):
        """A port-forward and its local port."""
        session = self.open("port-forward", "p", ":9000")
        line = session.stdout.readline().decode()
        return session, int(line.split("127.0.0.1:")[1].split(" ")[0])

    def stop(self):
        self.cluster.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/p?gracePeriodSeconds=0")
        wait_for(lambda: self.ecisim.stats()["groups_exist"] == 0, 30, "the instance is gone")
        self.ecilet.stop()
        self.ecisim.stop()


def end(sessions):
    for session in sessions:
        session.terminate()  # an interrupt may be ignored in the background
    for session in sessions:
        session.communicate(timeout=20)


def measure_latency(bench, world):
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/p/log?tailLines=1"
    waits = []
    for _ in range(30):
        connection = world.cluster._connection(False)
        began = time.monotonic()
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read(1)
        waits.append(1000 * (time.monotonic() - began))
        reply.read()
        time.sleep(0.1)  # slower than the rate at which the cloud may be asked for logs
    remark = "API server, ecilet, one call to the cloud"
    bench.say("kubectl logs, first byte, median", f"{statistics.median(waits):.1f}", "ms", "", remark)
    bench.say("kubectl logs, first byte, 95 %", f"{sorted(waits)[int(0.95 * len(waits))]:.1f}", "ms")


def measure_memory(bench, world, name, opens, tries):
    """How much one more session makes resident, while the first of its kind is already there."""
    first = opens()
    time.sleep(3)
    before = world.ecilet.resident_kib()
    sessions = [opens() for _ in range(tries)]
    time.sleep(4)
    kib = (world.ecilet.resident_kib() - before) / tries
    assert all(session.poll() is None for session in sessions), f"{name}: a session has ended"
    end([first, *sessions])
    bench.say(f"memory per open session: {name}", f"{kib:.0f}", "KiB", "", f"{tries} more of them")


def read_all(host, port):
    """Seconds for the whole download."""
    began = time.monotonic()
    left = BYTES
    with socket.create_connection((host, port), timeout=60) as peer:
        memory = bytearray(1 << 18)
        while left > 0:
            got = peer.recv_into(memory)
            assert got > 0, f"{left} bytes are missing"
            left -= got
    return time.monotonic() - began


def measure_throughput(bench, world):
    session, port = world.forward()
    direct = min(read_all(world.address, 9000) for _ in range(2))
    cpu = world.ecilet.cpu_seconds()
    forwarded = min(read_all("127.0.0.1", port) for _ in range(2))
    cpu = (world.ecilet.cpu_seconds() - cpu) / 2
    end([session])
    megabytes = BYTES / 1e6
    remark = "kubectl, API server, ecilet, instance"
    bench.say("port-forward, download", f"{megabytes / forwarded:.0f}", "MB/s", "", remark)
    bench.say("the same without it", f"{megabytes / direct:.0f}", "MB/s", "", "nc of the instance, straight")
    bench.say("port-forward against plain nc", f"{direct / forwarded:.3f}", "", "", "ratio of the two")
    bench.say("CPU of ecilet per 100 MB forwarded", f"{100000 * cpu / megabytes:.0f}", "ms", "", "TLS and SPDY")


def main(argv):
    bench = Bench()
    is_well = False
    if os.geteuid() != 0:
        print("the kubelet port is not measured: real containers need root")
        return
    try:
        cluster = Cluster(Run.make_folder("cluster"), is_audited=False)
        cluster.up()
        world = World(cluster)
        bench.title("the kubelet port")
        measure_latency(bench, world)
        measure_memory(bench, world, "exec", lambda: world.open("exec", "p", "--", "sleep", "100"), SESSIONS)
        measure_memory(bench, world, "logs -f", lambda: world.open("logs", "-f", "p"), SESSIONS)
        measure_memory(bench, world, "port-forward", lambda: world.forward()[0], SESSIONS)
        measure_throughput(bench, world)
        world.stop()
        is_well = True
    finally:
        kept = Run.finish(is_well)
        if kept:
            print(f"logs are in {os.path.relpath(kept)}")
        if argv:
            with open(argv[0], "w", encoding="utf-8") as file:
                file.write("\n".join(bench.rows) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
