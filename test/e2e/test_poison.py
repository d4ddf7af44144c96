"""A pod on which ecilet dies twice is set aside, with last words in the log; all others go on."""
import os
import signal
import socket
import time

import harness
from harness import SECRET_KEY, E2ETest, container, is_ready, pod, stays, wait_for

PLANTED = harness.ECILET + "-planted"  # bugs that the names of pods set off; see src/os/crash.c


class PoisonTest(E2ETest):
    config = {"POLL_FAST_MS": "300"}

    def start_planted(self):
        if not os.path.exists(PLANTED):
            self.fail("build/ecilet-planted is not built: make e2e does it")
        self.ecilet.argv = lambda: [PLANTED, "run", "--config", self.ecilet.config_file]
        self.ecilet.restart()

    def setUp(self):
        super().setUp()
        self.start_planted()
        self.pid = self.ecilet.process.pid

    def deaths(self):
        return self.ecilet.read_log_since_start().count("\ncrash: up for ms ")

    def wait_aside(self, name, timeout=120):
        self.wait_event(name, "PodQuarantined", timeout)
        self.wait_pod(
            name, lambda p: p["status"].get("reason") == "PodQuarantined", 20, "its status says that it is set aside"
        )

    def poison(self, name, word):
        uid = self.create(pod("good", container()), pod(name, container()))[1]["metadata"]["uid"]
        self.wait_aside(name)
        self.wait_running("good", 60)
        self.create(pod("next", container()))
        self.wait_running("next", 60)
        log = self.ecilet.read_log_since_start()
        self.assertEqual(self.deaths(), 2, log)
        self.assertIn(word, log)
        self.assertIn(f"of pod {self.namespace}/{name}, uid {uid}\n", log)
        self.assertNotIn(SECRET_KEY, log)
        # The same process all the time; its status says why the pod waits, and the node lives.
        self.assertEqual(self.ecilet.process.pid, self.pid)
        self.assertTrue(self.ecilet.is_alive())
        wait_for(lambda: "set aside: ecilet died on it twice" in self.ecilet.status(), 20, "it says what it waits for")
        self.assertEqual(self.pod(name)["status"]["phase"], "Pending")
        self.assertEqual(self.ecisim.groups_of(uid), [])
        # While it was stuck or paused its lease may have run out.
        wait_for(lambda: is_ready(self.node()), 30, "the node is Ready")
        stays(lambda: self.deaths() == 2 and is_ready(self.node()), 2, "it lives and the node is Ready")

    def assert_can_be_deleted(self, name):
        """Nothing of that needs the spec. Only that it has no instance of an earlier life must be sure."""
        self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods/{name}")
        wait_for(lambda: self.pod(name) is None, 240, "the pod is gone")

    def test_a_failed_check(self):
        self.poison("poison-check", "CHECK failed: ")
        # Changed, it is tried again, and set aside again.
        self.cluster.call(
            "PATCH",
            f"/api/v1/namespaces/{self.namespace}/pods/poison-check",
            {"metadata": {"labels": {"try": "again"}}},
            "application/merge-patch+json",
        )
        wait_for(lambda: self.deaths() == 4, 60, "two more deaths")
        wait_for(lambda: is_ready(self.node()), 30, "the node is Ready")
        self.create(pod("later", container()))
        self.wait_running("later", 60)
        self.assertEqual(self.deaths(), 4)
        # A version without the bug takes it.
        del self.ecilet.argv
        self.ecilet.restart()
        self.wait_running("poison-check", 60)
        self.assertNotIn("reason", self.pod("poison-check")["status"])

    def test_a_bad_memory_access(self):
        self.poison("poison-memory", "crash: SIGSEGV at address 0x0, code at offset 0x")
        self.assert_can_be_deleted("poison-memory")

    def test_a_loop_that_is_stuck(self):
        self.poison("poison-loop", "crash: stuck: one turn of the loop does not end")
        self.assert_can_be_deleted("poison-loop")

    def test_an_object_that_cannot_be_read_with_an_instance_that_runs(self):
        """Two poisonous pods at a time, which kill it in turns; one runs already."""
        del self.ecilet.argv
        self.ecilet.restart()
        self.create(pod("poison-object", container()))
        before = self.wait_running("poison-object")
        group = self.groups_here(exists="true")
        self.start_planted()
        self.pid = self.ecilet.process.pid
        self.create(pod("poison-check", container()))
        self.wait_aside("poison-object")
        self.wait_aside("poison-check")
        self.create(pod("next", container()))
        self.wait_running("next", 90)
        self.assertEqual(self.ecilet.process.pid, self.pid)
        self.assertEqual(self.deaths(), 4)
        after = self.pod("poison-object")["status"]
        self.assertEqual(after["phase"], "Running")
        self.assertEqual(after["podIP"], before["status"]["podIP"])
        self.assertIn(group[0]["id"], [g["id"] for g in self.groups_here(exists="true")])
        # Deleted it leaves nothing behind, and kills nobody.
        self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods/poison-object?gracePeriodSeconds=1")
        wait_for(lambda: self.pod("poison-object") is None, 240, "the pod is gone")
        self.assertNotIn(group[0]["id"], [g["id"] for g in self.groups_here(exists="true")])
        self.assertEqual(self.deaths(), 4)


class WatchedTest(E2ETest):
    def test_a_stopped_process_is_not_stuck_and_a_killed_one_has_no_suspects(self):
        self.create(pod("stays", container()))
        self.wait_running("stays")
        self.ecilet.hold()
        time.sleep(15)  # longer than the look of the watchdog
        self.ecilet.go_on()
        # The look that was due meanwhile comes at once.
        self.create(pod("next", container()))
        self.wait_running("next", 60)
        wait_for(lambda: is_ready(self.node()), 30, "the node is Ready")
        self.assertNotIn("crash:", self.ecilet.read_log_since_start())
        # Sent by somebody: obeyed, and no new life.
        self.assertEqual(self.ecilet.end(signal.SIGSEGV, 10), -signal.SIGSEGV)
        self.assertNotIn("crash:", self.ecilet.read_log_since_start())
        self.ecilet.start()
        self.wait_running("stays", 60)

    def test_it_tells_a_service_manager_how_it_is(self):
        path = f"/run/ecilet-e2e-notify-{os.getpid()}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(os.unlink, path)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.settimeout(30)
        self.ecilet.stop()
        self.ecilet.spawn(
            # A sign each second. The socket holds ten; what is more is lost, and the last one with it.
            self.ecilet.argv(), env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000"}
        )
        self.assertEqual(listener.recv(100), b"READY=1")
        self.assertEqual(listener.recv(100), b"WATCHDOG=1")
        self.assertEqual(listener.recv(100), b"WATCHDOG=1")
        self.assertEqual(self.ecilet.end(signal.SIGTERM, 10), 0)
        heard = set()
        while b"STOPPING=1" not in heard:
            heard.add(listener.recv(100))
        self.ecilet.start()
