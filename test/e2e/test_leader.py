"""Two gateways with one node name: one acts, the other takes over; never both."""
import os
import signal
import time

from harness import E2ETest, Ecilet, pod, wait_for


class LeaderTest(E2ETest):
    config = {"LEADER_ELECT": "true", "LEADER_IDENTITY": "one", "SWEEP_SECONDS": "5"}

    def setUp(self):
        super().setUp()
        folder = os.path.join(self.folder, self._testMethodName)
        os.makedirs(folder)
        self.other = Ecilet(
            self.cluster,
            self.ecisim,
            folder,
            {**self.config, "LEADER_IDENTITY": "two", "KUBECONFIG": self.ecilet.config["KUBECONFIG"]},
        )
        self.other.start(is_waiting=False)
        wait_for(lambda: "one leads; waiting" in self.other.read_log_since_start(), 15, "the second one waits")

    def tearDown(self):
        """The first one leads again, for the next test."""
        self.other.end(signal.SIGTERM, 5)
        if not self.ecilet.is_alive():
            self.ecilet.start()
        wait_for(lambda: self.holder() == "one", 40, "the first one leads")
        super().tearDown()

    def holder(self):
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/ecilet-{self.ecilet.node}"
        return self.cluster.get(path)["spec"].get("holderIdentity")

    def leads(self, ecilet):
        return "this gateway leads now" in ecilet.read_log_since_start()

    def create_many(self, first, count):
        for number in range(first, first + count):
            self.create(pod(f"p{number}"))

    def all_run_once(self, count):
        self.assert_one_each([p["metadata"]["uid"] for p in self.wait_all_running(count)])

    def test_only_one_acts(self):
        self.create_many(0, 10)
        self.all_run_once(10)
        self.assertFalse(self.leads(self.other))
        self.assertNotIn("listed", self.other.read_log_since_start())

    def test_the_other_takes_over_at_once_when_the_first_one_stops(self):
        self.create_many(0, 5)
        self.wait_all_running(5)
        self.ecilet.end(signal.SIGTERM, 5)
        wait_for(lambda: self.leads(self.other), 5, "the lease was given back and taken")
        self.create_many(5, 5)
        self.all_run_once(10)

    def test_the_other_takes_over_when_the_first_one_is_killed(self):
        self.create_many(0, 5)
        self.wait_all_running(5)
        self.ecilet.kill()
        self.create_many(5, 5)
        wait_for(lambda: self.leads(self.other), 25, "the lease has run out and is taken")
        self.all_run_once(10)

    def test_a_leader_that_wakes_up_late_does_nothing_more(self):
        self.ecisim.fault(action="CreateContainerGroup", latency_ms=300)
        self.create_many(0, 20)
        time.sleep(0.5)
        self.ecilet.process.send_signal(signal.SIGSTOP)
        self.create_many(20, 10)
        wait_for(lambda: self.leads(self.other), 25, "the lease has run out and is taken")
        self.ecilet.process.send_signal(signal.SIGCONT)
        wait_for(lambda: "starting anew" in self.ecilet.read_log_since_start(), 10, "it sees that it lost")
        wait_for(lambda: "two leads; waiting" in self.ecilet.read_log_since_start(), 10, "it waits")
        self.all_run_once(30)
        self.assertTrue(self.ecilet.is_alive())
        self.assertEqual(self.holder(), "two")
