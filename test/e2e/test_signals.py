"""Signals: stopping leaves instances alone, SIGHUP takes new keys, an upgrade loses nothing."""
import os
import signal
import time

from harness import SECRET_KEY, E2ETest, is_ready, pod, stays, wait_for

NEW_SECRET = "RENEWEDsecretKEY9876543210zyxw"


class SignalsTest(E2ETest):
    def test_terminate_ends_soon_and_leaves_instances_running(self):
        made = self.create(*(pod(f"p{number}") for number in range(5)))
        self.wait_all_running(5)
        for sig in signal.SIGTERM, signal.SIGINT:
            began = time.monotonic()
            status = self.ecilet.end(sig, 5)
            self.assertLess(time.monotonic() - began, 2)
            self.assertEqual(status, 0)
            self.assertEqual(len(self.groups_here(exists="true")), 5)
            self.assertEqual(len(self.pods()), 5)
            self.ecilet.start()
        time.sleep(2)
        self.assertTrue(all(is_ready(p) for p in self.pods()))
        self.assert_one_each([p["metadata"]["uid"] for p in made])

    def test_terminate_in_the_midst_of_work(self):
        self.ecisim.fault(action="CreateContainerGroup", latency_ms=1000)
        made = self.create(*(pod(f"p{number}") for number in range(20)))
        wait_for(lambda: self.ecisim.calls("CreateContainerGroup") > 0, 5, "creating has begun")
        began = time.monotonic()
        self.assertEqual(self.ecilet.end(signal.SIGTERM, 5), 0)
        self.assertLess(time.monotonic() - began, 2)
        self.ecilet.start()
        self.wait_all_running(20)
        self.assert_one_each([p["metadata"]["uid"] for p in made])

    def test_hangup_takes_a_new_secret(self):
        pid = self.ecilet.process.pid
        self.create(pod("stays"))
        self.wait_running("stays")
        try:
            self.ecisim.set(access_secret=NEW_SECRET)
            self.wait_reachable("False", 30)
            self.ecilet.write_secret(self.ecilet.secret_file, NEW_SECRET)
            stays(lambda: is_ready(self.pod("stays")) and is_ready(self.node()), 2, "the pod and the node are Ready")
            self.ecilet.hangup()
            self.wait_reachable("True", 20)
            self.create(pod("next"))
            self.wait_running("next")
            self.assertEqual(self.ecilet.process.pid, pid)
            self.assertNotIn(NEW_SECRET, self.ecilet.read_log())
        finally:
            self.ecisim.set(access_secret=SECRET_KEY)
            self.ecilet.write_secret(self.ecilet.secret_file, SECRET_KEY)
            self.ecilet.hangup()
            self.wait_reachable("True", 20)

    def test_hangup_with_an_unreadable_file_keeps_the_old_secret(self):
        os.rename(self.ecilet.secret_file, self.ecilet.secret_file + ".away")
        try:
            self.ecilet.hangup()
            self.wait_log("(?m)SECRET_KEY.*cannot be read")
        finally:
            os.rename(self.ecilet.secret_file + ".away", self.ecilet.secret_file)
        self.create(pod("next"))
        self.wait_running("next")

    def test_report_on_demand(self):
        self.create(pod("p"))
        self.wait_running("p")
        self.ecilet.process.send_signal(signal.SIGUSR1)
        self.wait_log("report.*pods +1 of")
