"""The machine that ecilet runs on, at its worst: read-only, without names, system calls that fail, a wrong clock."""
import contextlib
import os
import signal
import unittest

from harness import E2ETest, phase, pod, wait_for
from test_faults import has_fresh_lease, lease_is_kept

# Calls that fail now and then, from the start on: error, which ones (strace's when=FIRST+STEP).
FAILING = (
    ("connect", "EADDRNOTAVAIL", "4+3"),  # no local port is left
    ("socket", "EMFILE", "6+3"),
    ("accept4", "EMFILE", "1+2"),
    ("write", "ENOSPC", "9+2"),  # the log's disk
    ("sendto", "ENOBUFS", "30+29"),
    ("recvfrom", "ECONNRESET", "60+59"),
    ("epoll_wait", "EINTR", "5+4"),
)


class HostTest(E2ETest):
    starts_ecilet = False
    config = {"POLL_FAST_MS": "500", "SWEEP_SECONDS": "5"}

    def tearDown(self):
        self.end_wrapped()
        self.ecilet.start()
        super().tearDown()
        self.ecilet.end(signal.SIGTERM, 20)

    def start_under(self, wrapper):
        self.ecilet.log_start = os.path.getsize(self.ecilet.log) if os.path.exists(self.ecilet.log) else 0
        self.ecilet.spawn([*wrapper, *self.ecilet.argv()], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        wait_for(lambda: "is registered" in self.ecilet.read_log_since_start(), 60, "ecilet registers its node")

    def end_wrapped(self):
        """A tracer waits for the one it traces, which is its only child; others have become it."""
        if not self.ecilet.is_alive():
            return
        pid = self.ecilet.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            children = file.read().split()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)
        self.ecilet.end(signal.SIGCONT if children else signal.SIGTERM, 20)

    def lives(self, names, timeout=90):
        """These pods come; all pods run, and each has one instance."""
        self.create(*(pod(name, terminationGracePeriodSeconds=1) for name in names))

        def all_run():
            found = self.pods()
            return found if all(phase(p) == "Running" for p in found) else None

        found = wait_for(all_run, timeout, "all pods run")
        self.assert_one_each([p["metadata"]["uid"] for p in found])
        self.assertTrue(has_fresh_lease(self.cluster))

    def leaves(self, name, timeout=90):
        self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods/{name}")
        wait_for(lambda: self.pod(name) is None, timeout, "it is gone")

    @unittest.skipIf(os.geteuid() != 0, "a mount namespace needs root")
    def test_after_a_crash_nothing_can_be_written_any_more(self):
        self.ecilet.start()
        self.lives(["p0", "p1", "p2"])
        self.ecilet.kill()
        empty = os.path.join(self.folder, "empty")
        os.makedirs(empty, exist_ok=True)
        # Everything is read-only, and what might be left from the process before is not to be seen.
        script = 'mount -o remount,bind,ro / && mount --bind -o ro "$0" /run && exec "$@"'
        self.start_under(["unshare", "--mount", "sh", "-c", script, empty])
        self.lives(["p3"])
        self.leaves("p0")
        self.end_wrapped()

    @unittest.skipIf(os.geteuid() != 0, "a mount namespace needs root")
    def test_the_clouds_name_cannot_be_resolved_for_a_while(self):
        hosts, servers = os.path.join(self.folder, "hosts"), os.path.join(self.folder, "resolv.conf")
        for path, text in ((hosts, "127.0.0.1 nobody.example\n"), (servers, "nameserver 127.0.0.1\n")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        usual = self.ecilet.config["ECI_ENDPOINT"]
        self.ecilet.config["ECI_ENDPOINT"] = usual.replace("127.0.0.1", "cloud.example")
        self.ecilet.write_config()
        script = f'mount --bind {hosts} /etc/hosts && mount --bind {servers} /etc/resolv.conf && exec "$0" "$@"'
        try:
            self.start_under(["unshare", "--mount", "sh", "-c", script])
            self.wait_reachable("False", 60)
            lease_is_kept(self.cluster, 15)
            with open(hosts, "a", encoding="utf-8") as file:
                file.write("127.0.0.1 cloud.example\n")
            self.wait_reachable("True", 90)
            self.lives(["p0"])
            self.end_wrapped()
        finally:
            self.ecilet.config["ECI_ENDPOINT"] = usual
            self.ecilet.write_config()

    def fails_now_and_then(self, call, error, when):
        trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
        self.start_under([*trace, "-e", f"inject={call}:error={error}:when={when}"])
        names = [f"{call.replace('_', '-')}-{number}" for number in range(3)]
        try:
            self.lives(names)
            self.leaves(names[0])
            self.assertTrue(self.ecilet.is_alive(), call)
        finally:
            self.end_wrapped()

    def test_system_calls_fail_now_and_then(self):
        for row in FAILING:
            with self.subTest(call=row[0]):
                self.fails_now_and_then(*row)

    def test_the_clouds_clock_is_an_hour_off(self):
        """To a signature it is the same as if ours were."""
        self.ecilet.start()
        try:
            for number, skew in enumerate((3600, -3600, 0)):
                self.ecisim.set(clock_skew_s=skew)
                self.lives([f"p{number}"])
                self.wait_reachable("True", 30)
        finally:
            self.ecisim.set(clock_skew_s=0)
