"""The machine and the line fail: killed around each send, no descriptors, a full disk, a bad line."""
import contextlib
import os
import random
import re
import signal
import subprocess
import time
import unittest

from harness import ECILET, IS_LONG, E2ETest, parse_time, phase, pod, stays, wait_for
from line import Line

SENDS = 60  # a start and a pod's whole life take fewer
SENDS_SURE = 10  # as many are reached by every start
SENDS_TRIED = SENDS if IS_LONG else 3
LEASE_PERIOD_S = 10
LEASE_LATE_S = 20  # half of what the cluster grants


def lease_renewed_at(cluster):
    return parse_time(cluster.lease()["spec"]["renewTime"])


def has_fresh_lease(cluster):
    return time.time() - lease_renewed_at(cluster) < LEASE_LATE_S


def lease_is_kept(cluster, seconds):
    """So long the lease is never late, and it is still being renewed at the end."""
    late = time.time() + seconds - LEASE_PERIOD_S
    stays(lambda: has_fresh_lease(cluster), seconds, "the lease is fresh")
    wait_for(lambda: lease_renewed_at(cluster) > late, LEASE_LATE_S, "the lease was renewed meanwhile")


class SyscallTest(E2ETest):
    """What others see of us are sends: dying before each of them is dying at any moment."""

    starts_ecilet = False
    config = {"POLL_FAST_MS": "300", "SWEEP_SECONDS": "5", "ORPHAN_BRAKE_PERCENT": "100"}

    def start_to_die(self, at):
        trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=sendto"]
        inject = ["-e", f"inject=sendto:signal=KILL:when={at}"]
        self.ecilet.log_start = 0
        self.ecilet.spawn([*trace, *inject, *self.ecilet.argv()], env={"PATH": "/usr/bin:/bin"})

    def dies_within(self, seconds):
        deadline = time.monotonic() + seconds
        while self.ecilet.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.ecilet.is_alive()

    def end_traced(self):
        """strace waits for the one it traces, which is its only child."""
        if self.ecilet.is_alive():
            pid = self.ecilet.process.pid
            with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
                for child in file.read().split():
                    with contextlib.suppress(ProcessLookupError):  # that send came now
                        os.kill(int(child), signal.SIGKILL)
        self.ecilet.end(signal.SIGCONT, 20)

    def live_and_die(self, at):
        name = f"at-{at}"
        uid = self.create(pod(name, terminationGracePeriodSeconds=1))[0]["metadata"]["uid"]
        self.start_to_die(at)
        self.dies_within(3)
        self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods/{name}")
        was_killed = self.dies_within(3)
        self.end_traced()
        self.ecilet.start()
        # A leaving pod whose creation may have been under way is kept until its instance would show.
        wait_for(lambda: not self.pods(), 120, f"killed at send {at}: the pod is gone")
        wait_for(lambda: not self.ecisim.groups_of(uid, exists="true"), 30, f"killed at send {at}: no instance is left")
        self.assertLessEqual(len(self.ecisim.groups_of(uid)), 1, f"killed at send {at}")
        self.ecilet.end(signal.SIGTERM, 20)
        return was_killed

    def test_killed_before_a_send(self):
        first = random.randint(1, SENDS_SURE)
        others = [send for send in range(1, SENDS + 1) if send != first]
        sends = [first, *random.sample(others, SENDS_TRIED - 1)]
        print(f"        (sends {sorted(sends)})", flush=True)
        killed = [self.live_and_die(at) for at in sends]
        self.assertGreater(sum(killed), 0, "at least one of these sends was reached")


class MachineTest(E2ETest):
    config = {"POLL_FAST_MS": "300"}

    def limit_descriptors(self, count):
        pid = str(self.ecilet.process.pid)
        subprocess.run(["prlimit", "--pid", pid, f"--nofile={count}:"], check=True)

    def test_no_descriptors_left(self):
        self.create(*(pod(f"p{number}") for number in range(3)))
        self.wait_all_running(3)
        self.limit_descriptors(3)
        self.create(*(pod(f"q{number}") for number in range(20)))
        lease_is_kept(self.cluster, 15)
        self.assertTrue(self.ecilet.is_alive())
        self.limit_descriptors(1024)
        self.assert_one_each([p["metadata"]["uid"] for p in self.wait_all_running(23)])

    @unittest.skipIf(os.geteuid() != 0, "mounting needs root")
    def test_the_disk_of_the_log_is_full(self):
        tiny = os.path.join(self.folder, "tiny")
        os.makedirs(tiny, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tiny], check=True)
        usual = self.ecilet.log
        try:
            self.ecilet.end(signal.SIGTERM, 20)
            self.ecilet.log = os.path.join(tiny, "ecilet.log")
            self.ecilet.start(is_waiting=False)
            ballast = os.open(os.path.join(tiny, "ballast"), os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(ballast, b"x" * 4096) > 0:
                    pass
            except OSError:
                pass
            os.close(ballast)
            self.create(*(pod(f"p{number}") for number in range(10)))
            self.wait_all_running(10)
            self.kubectl("delete", "pods", "--all", "--wait=false")
            wait_for(lambda: not self.pods(), 60, "all pods are gone")
            self.assertTrue(self.ecilet.is_alive())
            self.ecilet.end(signal.SIGTERM, 20)
        finally:
            if self.ecilet.is_alive():
                self.ecilet.kill()
            subprocess.run(["umount", "-l", tiny], check=True)
            self.ecilet.log = usual
            self.ecilet.start()

    def test_nobody_reads_the_log(self):
        self.ecilet.end(signal.SIGTERM, 20)
        deaf, log = os.pipe()
        process = subprocess.Popen(
            [ECILET, "run", "--config", self.ecilet.config_file, "--log-level", "debug"],
            stderr=log,
            env={"PATH": "/usr/bin:/bin"},
        )
        try:
            os.close(log)
            self.create(*(pod(f"p{number}") for number in range(150)))
            self.wait_all_running(150, 120)
            self.kubectl("delete", "pods", "--all", "--wait=false", "--grace-period=1")
            wait_for(lambda: not self.pods(), 120, "all pods are gone")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(20), 0)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            os.close(deaf)
            self.ecilet.start()


class LineTest(E2ETest):
    """The line to the cloud, between ecilet and its endpoint."""

    starts_ecilet = False
    config = {"POLL_FAST_MS": "500"}

    def setUp(self):
        super().setUp()
        port = int(re.search(r":(\d+)$", self.ecisim.endpoint).group(1))
        seed = random.randrange(10**6)
        print(f"        (line {seed})", flush=True)
        self.line = Line(port, seed)
        self.ecilet.config["ECI_ENDPOINT"] = self.ecisim.endpoint.replace(f":{port}", f":{self.line.port}")
        self.ecilet.write_config()
        self.ecilet.start()

    def tearDown(self):
        self.line.mode = "good"
        try:
            super().tearDown()
        finally:
            self.ecilet.stop()
            self.line.close()

    def lives(self, first, count, timeout):
        made = self.create(*(pod(f"p{number}") for number in range(first, first + count)))
        uids = [p["metadata"]["uid"] for p in made]
        wait_for(
            lambda: sum(phase(p) == "Running" for p in self.pods() if p["metadata"]["uid"] in uids) == count,
            timeout,
            "all of them run",
        )
        self.assert_one_each(uids)

    def test_connections_are_cut_again_and_again(self):
        self.line.mode = "lossy"
        self.lives(0, 30, 120)
        first, until = 30, time.monotonic() + 120
        while self.line.cuts == 0 and time.monotonic() < until:  # all connections had luck
            self.lives(first, 5, 120)
            first += 5
        self.assertGreater(self.line.cuts, 0, "a connection was cut")
        self.lives(first, 5, 120)
        self.assertTrue(has_fresh_lease(self.cluster))

    def test_slow_as_a_modem(self):
        self.line.mode = "slow"
        self.lives(0, 4, 120)
        self.assertTrue(has_fresh_lease(self.cluster))

    def test_three_packets_in_ten_are_lost(self):
        self.line.mode = "losing"
        self.lives(0, 8, 180)
        self.assertTrue(has_fresh_lease(self.cluster))

    def test_nothing_comes_back_for_a_while(self):
        self.lives(0, 3, 60)
        self.line.mode = "one-way"
        made = self.create(*(pod(f"q{number}") for number in range(3)))
        lease_is_kept(self.cluster, 30)
        self.assertTrue(all(phase(p) == "Running" for p in self.pods() if p["metadata"]["name"].startswith("p")))
        self.line.mode = "good"
        self.wait_all_running(6, 90)
        self.assert_one_each([p["metadata"]["uid"] for p in made])
