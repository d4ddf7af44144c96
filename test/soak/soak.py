#!/usr/bin/env python3
"""A thousand pods under trouble for an hour: is memory flat, are descriptors, does each pod end well?

    test/soak/soak.py [FILE]      the samples and the table are printed, and written to FILE

    SOAK_MINUTES=60   how long        SOAK_PODS=1000   how many pods        SOAK_SEED=n   the same troubles again

A real control plane, the simulated cloud in state mode, the shipped binary. Users make and delete pods all the
time; every few seconds something breaks: calls are cut, throttled, refused, listings lie, instances are reclaimed
or vanish, the line goes away, the process is killed or stopped. In the end all heals, and then: each pod runs with
one instance, no pod ever had two, no instance is without a pod. Memory and descriptors are compared from the fifth
minute on (or after a quarter of a shorter soak) with the end, each between restarts of the same age or more.
Exits 0 when all that held.
"""
import os
import random
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from harness import UID_TAG, Cluster, Ecilet, Ecisim, Run, _stop_all, phase, pod, wait_for  # noqa: E402

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
PODS = int(os.environ.get("SOAK_PODS", "1000"))
SEED = int(os.environ.get("SOAK_SEED", str(random.randrange(10**6))))
SAMPLE_S = 10
SETTLE_S = min(300, MINUTES * 15)
GROWTH_KIB = 512  # of memory, between two samples of settled processes: noise of the kernel's pages
GROWTH_FDS = 8
NAMESPACE = "soak"
PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"
WRITES = "CreateContainerGroup|DeleteContainerGroup"
READS = "DescribeContainerGroups|DescribeContainerGroupStatus"


class Soak:
    def __init__(self, cluster):
        self.random = random.Random(SEED)
        self.cluster = cluster
        folder = Run.make_folder("soak")
        self.ecisim = Ecisim(cluster, folder, scheduling_ms=50, pending_ms=100, delete_ms=100, seed=SEED)
        self.ecisim.start()
        room = str(PODS + 500)
        config = {"ECI_QUOTA_POD": room, "PODS_MAX": room, "CREATE_PER_MINUTE": "6000", "DELETE_PER_MINUTE": "6000"}
        # Whole seconds of trouble hide many instances at once: the brake is for backups, not for that.
        config.update({"POLL_FAST_MS": None, "SWEEP_SECONDS": "15", "ORPHAN_BRAKE_PERCENT": "100"})
        self.ecilet = Ecilet(cluster, self.ecisim, folder, config)
        self.ecilet.start()
        self.born = time.monotonic()
        self.begin = self.born
        self.samples = []  # (seconds since the start, of this process, KiB, descriptors, log bytes)
        self.troubles = {}
        self.rows = []
        self.made = self.deleted = self.number = 0
        self.is_over = threading.Event()
        self.failures = []
        self.switch = threading.Lock()  # one at a time stops, kills and looks at the process

    def say(self, text):
        self.rows.append(text)
        print(text, flush=True)

    # --- users

    def create(self, count):
        for _ in range(count):
            self.number += 1
            body = pod(f"p{self.number}", terminationGracePeriodSeconds=1, automountServiceAccountToken=False)
            self.cluster.call("POST", PATH, body)
            self.made += 1

    def churn(self):
        """About two pods a second go, and as many come."""
        chance = random.Random(SEED + 1)
        while not self.is_over.wait(3):
            try:
                names = [p["metadata"]["name"] for p in self.pods() if not p["metadata"].get("deletionTimestamp")]
                for name in chance.sample(names, min(6, len(names))):
                    self.cluster.remove(f"{PATH}/{name}" + ("?gracePeriodSeconds=0" if chance.random() < 0.1 else ""))
                    self.deleted += 1
                self.create(max(0, PODS - len(names) + 6))
            except Exception as error:
                if self.cluster.is_up:
                    self.failures.append(f"a user: {error!r}")

    def pods(self):
        return self.cluster.get(PATH + "?resourceVersion=0")["items"]

    # --- trouble

    def some_instance(self):
        found = [group["id"] for group in self.ecisim.groups(exists="true")]
        return self.random.choice(found) if found else None

    def on_instance(self, verb):
        group = self.some_instance()
        try:
            if group:
                self.ecisim.order(group, verb)
        except AssertionError:
            pass  # it has gone in between

    def restart(self, sig):
        with self.switch:
            self.ecilet.end(sig, 20)
            time.sleep(self.random.uniform(0, 3))
            self.ecilet.start(is_waiting=False)
            self.born = time.monotonic()

    def outage(self, how):
        self.ecisim.unreachable(how)
        self.is_over.wait(self.random.uniform(3, 20))
        self.ecisim.reachable()

    def trouble(self):
        fault = self.ecisim.fault
        some = self.random.randrange(1, 30)
        choices = (
            ("answers cut after the deed", lambda: fault(action=WRITES, count=some, cut_after=True)),
            ("calls cut before", lambda: fault(action=f"{WRITES}|{READS}", count=some, cut_before=True)),
            ("server errors", lambda: fault(action=WRITES, count=some, status=500, code="InternalError")),
            ("errors after the deed", lambda: fault(action=WRITES, count=some, status=500, code="InternalError", after=True)),
            ("throttled", lambda: fault(action=f"{WRITES}|{READS}", count=some, status=400, code="Throttling.User")),
            ("half an answer", lambda: fault(action=WRITES, count=some, truncated_json=True)),
            ("malformed listings", lambda: fault(action=READS, count=1 + some % 4, malformed_json=True)),
            ("rows left out", lambda: fault(action=READS, count=1, omit_rows=0.2)),
            ("slow answers", lambda: fault(action=WRITES, count=some, latency_ms=1500)),
            ("instance reclaimed", lambda: self.on_instance("expire")),
            ("instance failed", lambda: self.on_instance("fail")),
            ("instance vanished", lambda: self.on_instance("vanish")),
            ("line refused", lambda: self.outage("refuse")),
            ("line silent", lambda: self.outage("hang")),
            ("killed", lambda: self.restart(signal.SIGKILL)),
            ("stopped", lambda: self.restart(signal.SIGTERM)),
        )
        # The process must also live for long at times, or nothing could be said about its memory.
        weights = [3] * (len(choices) - 2) + [0.3, 0.3]
        name, cause = self.random.choices(choices, weights)[0]
        self.troubles[name] = self.troubles.get(name, 0) + 1
        cause()

    def make_trouble(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.failures:
            self.is_over.wait(self.random.uniform(1, 6))
            try:
                self.trouble()
            except Exception as error:
                self.failures.append(f"trouble: {error!r}")

    # --- what is looked at

    def sample(self):
        while not self.is_over.wait(SAMPLE_S):
            with self.switch:
                if not self.ecilet.is_alive():
                    self.failures.append(f"ecilet ended with {self.ecilet.process and self.ecilet.process.poll()}")
                    return
                now = time.monotonic()
                descriptors = len(os.listdir(f"/proc/{self.ecilet.process.pid}/fd"))
                log = os.path.getsize(self.ecilet.log)
                row = (now - self.begin, now - self.born, self.ecilet.resident_kib(), descriptors, log)
            self.samples.append(row)
            if len(self.samples) % 6 == 1:
                self.say(f"{row[0]:7.0f} s  process {row[1]:6.0f} s  {row[2]:6d} KiB  {row[3]:3d} descriptors  log {row[4] // 1024:6d} KiB")

    def settled(self):
        """Samples of processes that have seen everything once."""
        return [row for row in self.samples if row[1] >= SETTLE_S / 5 and row[0] >= SETTLE_S]

    def flat(self, at, allowed, name):
        """The later half against the earlier one, by their largest."""
        rows = [row[at] for row in self.settled()]
        if len(rows) < 6:
            return [f"too few samples to judge {name}: {len(rows)}"]
        half = len(rows) // 2
        early, late = max(rows[:half]), max(rows[half:])
        self.say(f"{name:24} {early:8d} at most in the first half, {late:8d} in the second")
        return [f"{name} grew from {early} to {late}"] if late > early + allowed else []

    def converge(self):
        self.ecisim.clear_faults()
        self.ecisim.reachable()

        def all_well():
            time.sleep(2)
            found = [p for p in self.pods() if not p["metadata"].get("deletionTimestamp")]
            lost = sum(phase(p) == "Failed" for p in found)  # reclaimed and vanished ones
            return all(phase(p) in ("Running", "Failed") for p in found) and (len(found), lost)

        return wait_for(all_well, 300, "each pod runs, or has failed for a reason")

    def doubles(self):
        return sum(n["at_once"] > 1 for n in self.ecisim.stats(UID_TAG)["by_tag"].values())

    def stray_instances(self):
        running = sum(phase(p) == "Running" for p in self.pods())
        return self.ecisim.stats()["statuses"]["Running"] - running

    def causes_told(self):
        """Failed only with a cause: expired, failed or vanished instances."""
        failed = [p for p in self.pods() if phase(p) == "Failed"]
        ended = sum(self.troubles.get(f"instance {how}", 0) for how in ("reclaimed", "failed", "vanished"))
        return len(failed) <= ended and all(p["status"].get("reason") or p["status"].get("containerStatuses") for p in failed)

    # --- the whole

    def run(self):
        self.say(f"soak: {MINUTES:g} minutes, {PODS} pods, SOAK_SEED={SEED}")
        self.create(PODS)
        helpers = [threading.Thread(target=work) for work in (self.churn, self.sample)]
        for helper in helpers:
            helper.start()
        try:
            self.make_trouble(MINUTES * 60)
            self.ecisim.clear_faults()
            self.ecisim.reachable()
        finally:
            self.is_over.set()
            for helper in helpers:
                helper.join()
        wrong = list(self.failures)
        if self.ecilet.is_alive():
            count, lost = self.converge()
            wrong += self.flat(2, GROWTH_KIB, "memory, KiB") + self.flat(3, GROWTH_FDS, "descriptors")
            self.say(f"{'pods':24} {self.made:8d} made, {self.deleted} deleted, {count} there, {lost} of them failed with a cause")
            wrong += [f"{self.doubles()} pods had two instances at once"] if self.doubles() else []
            wrong += [] if self.causes_told() else ["more pods failed than instances were ended"]
            try:
                wait_for(lambda: self.stray_instances() <= 0, 120, "no instance is without its pod")
            except AssertionError as error:
                wrong.append(str(error))
        for name, count in sorted(self.troubles.items()):
            self.say(f"{name:30} {count:6d} times")
        for text in wrong:
            self.say(f"WRONG: {text}")
        self.say("soak: all is well" if not wrong else "soak: see above")
        return not wrong


def main(argv):
    is_well = False
    try:
        cluster = Cluster(Run.make_folder("cluster"), is_audited=False)
        cluster.up()
        cluster.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        wait_for(lambda: cluster.find(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"), 60, "the namespace is ready")
        soak = Soak(cluster)
        is_well = soak.run()
        if len(argv) > 1:
            with open(argv[1], "w", encoding="utf-8") as file:
                file.write("\n".join(soak.rows) + "\n")
    finally:
        _stop_all()
        kept = Run.finish(is_well)
        if kept:
            print(f"logs are in {os.path.relpath(kept)}")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
