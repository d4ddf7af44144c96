"""Signals: stopping leaves instances alone, SIGHUP takes new keys, an upgrade loses nothing."""
import os
import re
import signal
import time

from harness import SECRET_KEY, E2ETest, is_ready, parse_time, pod, stays, wait_for

NEW_SECRET = "RENEWEDsecretKEY9876543210zyxw"


class SignalsTest(E2ETest):
    def end_soon(self, sig):
        """Within two seconds by its own clock; the machine may take a while until it hears of the signal."""
        self.assertEqual(self.ecilet.end(sig, 5), 0)
        said = self.ecilet.read_log_since_start()
        began, over = (re.findall(rf"(?m)^(\S+) info +stop +{word}", said)[-1] for word in ("stopping;", "stopped$"))
        self.assertLess(parse_time(over) - parse_time(began), 2)

    def test_terminate_ends_soon_and_leaves_instances_running(self):
        made = self.create(*(pod(f"p{number}") for number in range(5)))
        self.wait_all_running(5)
        for sig in signal.SIGTERM, signal.SIGINT:
            self.end_soon(sig)
            self.assertEqual(len(self.groups_here(exists="true")), 5)
            self.assertEqual(len(self.pods()), 5)
            self.ecilet.start()
        time.sleep(2)
        self.assertTrue(all(is_ready(p) for p in self.pods()))
        self.assert_one_each([p["metadata"]["uid"] for p in made])

    def test_terminate_in_the_midst_of_work(self):
        self.ecisim.fault(action="CreateContainerGroup", latency_ms=1000)
        made = self.create(*(pod(f"p{number}") for number in range(20)))
        wait_for(self.ecisim.faults_fired, 20, "creating has begun")
        self.end_soon(signal.SIGTERM)
        self.ecilet.start()
        self.wait_all_running(20)
        self.assert_one_each([p["metadata"]["uid"] for p in made])

    def good_polls(self):
        actions = self.ecisim.stats()["actions"]
        return sum(done["calls"] - done["errors"] for done in actions.values())

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
            self.wait_reachable("True", 30)
            self.create(pod("next"))
            self.wait_running("next")
            self.assertEqual(self.ecilet.process.pid, pid)
            self.assertNotIn(NEW_SECRET, self.ecilet.read_log())
        finally:
            self.ecisim.set(access_secret=SECRET_KEY)
            self.ecilet.write_secret(self.ecilet.secret_file, SECRET_KEY)
            good = self.good_polls()
            self.ecilet.hangup()
            wait_for(lambda: self.good_polls() > good, 30, "the old secret is used again")
            self.wait_reachable("True", 30)

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

        def reports():
            self.ecilet.process.send_signal(signal.SIGUSR1)
            return re.search("report.*pods +1 of", self.ecilet.read_log_since_start())

        # The pod of a test before may be remembered for some seconds.
        wait_for(reports, 30, "the log tells of one pod")
