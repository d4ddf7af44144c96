#!/usr/bin/env python3
"""Figures of the whole product: ecilet between a real control plane and the simulated cloud.

    test/bench/pods.py [FILE]     the table is printed, and written to FILE

    BENCH_LIVES=400    pods that come and go: CPU per life, pods per second
    BENCH_PODS=1000    pods that stay: memory; above 1000 without the cloud's limit of 1000 a minute
    BENCH_SINGLE=200   pods made one at a time: how long until the cloud is asked
    BENCH_ONLY=name    one measurement only: memory, latency, lives or webhook

The simulated cloud only moves state machines here, with no delays of its own, so that what is seen is
ecilet and, far more, the API server: on two cores it is the bottleneck of every throughput below.
"""
import os
import re
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from harness import (  # noqa: E402
    ECILET,
    Cluster,
    Ecilet,
    Ecisim,
    Run,
    free_port,
    parse_time,
    phase,
    pod,
    wait_for,
)
from webhook import measure_webhook  # noqa: E402

LIVES = int(os.environ.get("BENCH_LIVES", "400"))
PODS = int(os.environ.get("BENCH_PODS", "1000"))
SINGLE = int(os.environ.get("BENCH_SINGLE", "200"))
THREADS = 4

# The throughput figures are to show the program, not the cloud's documented limit of 1000 creations
# a minute, which is the default.
FAST = {
    "CREATE_PER_MINUTE": "60000",
    "DELETE_PER_MINUTE": "60000",
    "DESCRIBE_PER_MINUTE": "60000",
    "STATUS_PER_MINUTE": "60000",
}


class Bench:
    def __init__(self):
        self.rows = []

    def say(self, name, value, unit, target="", remark=""):
        row = f"{name:46} {value:>8} {unit:7} {target:10} {remark}".rstrip()
        self.rows.append(row)
        print(row, flush=True)

    def title(self, text):
        rows = ["", f"== {text}", f"{'':46} {'measured':>8} {'':7} {'target':10}".rstrip()]
        self.rows += rows
        print("\n".join(rows), flush=True)


class World:
    def __init__(self, cluster, name, config):
        self.cluster = cluster
        self.folder = Run.make_folder(name)
        self.ecisim = Ecisim(cluster, self.folder, scheduling_ms=0, pending_ms=0, delete_ms=0)
        self.ecisim.start()
        # The usual pace of polls; only what the argument says differs.
        self.ecilet = Ecilet(cluster, self.ecisim, self.folder, {"POLL_FAST_MS": None, "SWEEP_SECONDS": None, **config})
        self.ecilet.start()
        self.namespace = name
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        cluster.call("POST", "/api/v1/namespaces", body)
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_for(lambda: cluster.find(account), 20, "the namespace is ready")

    def path(self):
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def create(self, prefix, count):
        """Many at once, by some clients."""
        failures = []

        def work(first):
            try:
                for number in range(first, count, THREADS):
                    body = pod(f"{prefix}{number}", automountServiceAccountToken=False, terminationGracePeriodSeconds=1)
                    self.cluster.call("POST", self.path(), body)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(first,)) for first in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in failures:
            raise error

    def running(self):
        items = self.cluster.get(self.path() + "?resourceVersion=0")["items"]
        return sum(phase(p) == "Running" for p in items)

    def wait_running(self, count, timeout):
        """Listing a thousand pods costs the API server much: asked seldom until the cloud has them all."""
        wait_for(lambda: self.ecisim.stats()["statuses"]["Running"] == count, timeout, f"{count} instances run")
        wait_for(lambda: self.running() == count, timeout, f"{count} pods are Running")

    def delete_all(self, timeout):
        token = ""
        while token is not None:  # all in one call would take the API server longer than we wait
            done = self.cluster.call("DELETE", f"{self.path()}?limit=500&continue={token}")
            token = done["metadata"].get("continue")
        wait_for(lambda: self.ecisim.stats()["groups_exist"] == 0, timeout, "all instances are gone")
        wait_for(lambda: not self.cluster.get(self.path() + "?resourceVersion=0")["items"], timeout, "all pods are gone")

    def stop(self):
        self.ecilet.stop()
        self.ecisim.stop()


def measure_lives(bench, cluster):
    world = World(cluster, "lives", FAST)
    bench.title(f"{LIVES} pods come and go (CREATE_PER_MINUTE and the like raised to 60000)")
    world.create("warm-up-", 5)
    world.wait_running(5, 30)
    world.delete_all(60)
    cpu = world.ecilet.cpu_seconds()
    began = time.monotonic()
    world.create("p", LIVES)
    posted = time.monotonic() - began
    world.wait_running(LIVES, 120)
    running = time.monotonic() - began
    began = time.monotonic()
    world.delete_all(120)
    deleted = time.monotonic() - began
    cpu = world.ecilet.cpu_seconds() - cpu
    bench.say("CPU of ecilet per pod life", f"{1000 * cpu / LIVES:.2f}", "ms", "2", "create, Running, delete; user + system")
    remark = f"in {running:.1f} s, of which the API server took {posted:.1f} s to accept them"
    bench.say("created until Running", f"{LIVES / running:.0f}", "pods/s", "", remark)
    bench.say("deleted until gone", f"{LIVES / deleted:.0f}", "pods/s", "", "instance first, then the object")
    ever = world.ecisim.stats()["groups_created"]
    assert ever == LIVES + 5, f"{ever} instances were made"
    world.stop()


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def decided_ms(world):
    """When ecilet, in the turn of the loop that saw the pod, decided to create its instance; by name."""
    found = {}
    for line in world.ecilet.read_log_since_start().splitlines():
        name = re.search(rf" brain +create {world.namespace}/(\S+):", line)
        if name:
            found.setdefault(name.group(1), 1000 * parse_time(line.split(" ", 1)[0]))
    return found


def read_ms(world, made):
    """How long the API server takes to answer one read of a pod: the unit of what a create waits for."""
    began = time.monotonic()
    world.cluster.get(f"{world.path()}/{made['metadata']['name']}")
    return 1000 * (time.monotonic() - began)


def measure_latency(bench, cluster):
    world = World(cluster, "single", {**FAST, "LOG_LEVEL": "debug"})
    bench.title(f"{SINGLE} pods, one at a time")
    accepted, asked, reads = {}, {}, []
    for number in range(SINGLE):
        body = pod(f"p{number}", automountServiceAccountToken=False, terminationGracePeriodSeconds=1)
        made = world.cluster.call("POST", world.path(), body)
        name = made["metadata"]["name"]
        accepted[name] = 1000 * time.time()
        time.sleep(0.05)
        groups = wait_for(lambda m=made: world.ecisim.groups_of(m), 10, "its instance")
        asked[name] = groups[0]["created_ms"]
        reads.append(read_ms(world, made))
    decided = decided_ms(world)
    whole = [max(0, asked[name] - accepted[name]) for name in asked]
    own = [asked[name] - decided[name] for name in asked]
    remark = "the API server's watch, then as below"
    bench.say("pod accepted to CreateContainerGroup, median", f"{statistics.median(whole):.1f}", "ms", "", remark)
    bench.say("pod accepted to CreateContainerGroup, 95 %", f"{percentile(whole, 95):.1f}", "ms")
    remark = "reads of the pod, of services and of a service; whole ms"
    bench.say("watch event to CreateContainerGroup, median", f"{statistics.median(own):.1f}", "ms", "5", remark)
    for percent in (95, 99):
        bench.say(f"watch event to CreateContainerGroup, {percent} %", f"{percentile(own, percent):.1f}", "ms", "5")
    remark = "the same reads by this script, which has nothing else to do"
    bench.say("one read of the API server, median", f"{statistics.median(reads):.1f}", "ms", "", remark)
    bench.say("one read of the API server, 99 %", f"{percentile(reads, 99):.1f}", "ms")
    world.wait_running(SINGLE, 30)
    world.delete_all(60)
    world.stop()


def target_kib(pods):
    """4 MiB idle, 7 with 1,000 pods, 24 with 10,000; straight lines between."""
    mib = 4 + 3 * pods / 1000 if pods <= 1000 else 7 + 17 * (pods - 1000) / 9000
    return f"{mib * 1024:.0f}"


def measure_memory(bench, cluster):
    is_large = PODS > 1000  # made faster, and looked at for so long that a complete listing is in it
    quiet_s = 70 if is_large else 20
    world = World(cluster, "memory", FAST if is_large else {})
    bench.title("memory (default settings: room for 12500 pods)")
    bench.say("binary", f"{os.path.getsize(ECILET) / 1024:.0f}", "KiB", "1536", "static, stripped")
    time.sleep(5)
    bench.say("resident, idle", f"{world.ecilet.resident_kib()}", "KiB", "4096")
    world.create("p", PODS)
    world.wait_running(PODS, 60 + PODS * 0.12)
    time.sleep(3)
    remark = "" if is_large else "created within the cloud's limit of 1000 a minute"
    bench.say(f"resident, {PODS} pods", f"{world.ecilet.resident_kib()}", "KiB", target_kib(PODS), remark)
    quiet = world.ecilet.cpu_seconds()
    time.sleep(quiet_s)
    quiet = world.ecilet.cpu_seconds() - quiet
    share = f"{100 * quiet / quiet_s:.2f}"
    bench.say(f"CPU while {PODS} pods run, nothing changes", share, "%", "1", "of one core")
    world.ecilet.kill()
    calls = world.ecisim.calls()
    began = time.monotonic()
    world.ecilet.start()
    wait_for(lambda: world.ecisim.calls() >= calls + 1 + PODS // 200, 60, "it has read the cloud")
    bench.say(f"restart until {PODS} pods are known again", f"{time.monotonic() - began:.1f}", "s", "10")
    time.sleep(3)
    bench.say(f"resident after that, {PODS} pods", f"{world.ecilet.resident_kib()}", "KiB", target_kib(PODS))
    assert world.ecisim.stats()["groups_created"] == PODS, "a restart made instances"
    world.delete_all(60 + PODS * 0.2)
    bench.say("resident after all were deleted", f"{world.ecilet.resident_kib()}", "KiB")
    world.stop()


MEASUREMENTS = {
    "memory": measure_memory,
    "latency": measure_latency,
    "lives": measure_lives,
    "webhook": lambda bench, cluster: measure_webhook(bench, World, cluster, free_port()),
}


def main(argv):
    bench = Bench()
    is_well = False
    try:
        cluster = Cluster(Run.make_folder("cluster"), is_audited=False)
        cluster.up()
        for name, measure in MEASUREMENTS.items():
            if os.environ.get("BENCH_ONLY", name) == name:
                measure(bench, cluster)
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
