"""Silence when nothing changes."""
import time

from harness import E2ETest, container, pod, wait_for

SECONDS = 60
SPEC = "k8s.aliyun.com/eci-instance-spec"


class QuietTest(E2ETest):
    config = {"POLL_FAST_MS": "2000", "SWEEP_SECONDS": "60"}  # the usual pace

    def asked(self, since):
        """How often the lease was renewed; what else was asked for. A watch that has served its time is asked for
        again."""
        asked = [(e["verb"], e["requestURI"].split("?")[0]) for e in self.cluster.audit(since)]
        lease = ("patch", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/" + self.ecilet.node)
        return asked.count(lease), [one for one in asked if one != lease and one[0] != "watch"]

    def wait_quiet(self):
        """Last words: events are counted for ten seconds."""
        deadline = time.monotonic() + 120
        others = None
        while others != []:
            self.assertLess(time.monotonic(), deadline, f"not quiet: {others}")
            began = time.time()
            time.sleep(12)
            _, others = self.asked(began)

    def test_only_the_lease_is_written(self):
        self.create(*(pod(f"p{number}") for number in range(10)), pod("init", initContainers=[container("first")]))
        self.wait_all_running(11)
        wait_for(lambda: all(SPEC in p["metadata"]["annotations"] for p in self.pods()), 30, "the instances are noted")
        wait_for(lambda: len(self.cluster.get("/api/v1/pods")["items"]) == 11, 120, "pods of other tests are gone")
        self.wait_quiet()
        cpu = self.ecilet.cpu_seconds()
        calls = self.ecisim.calls()
        began = time.time()
        versions = {p["metadata"]["name"]: p["metadata"]["resourceVersion"] for p in self.pods()}
        time.sleep(SECONDS)
        leases, others = self.asked(began)
        # The node's status is written each five minutes, whatever happens.
        status = ("patch", f"/api/v1/nodes/{self.ecilet.node}/status")
        self.assertIn(others, ([], [status]))
        self.assertIn(leases, range(4, 9), "the lease each ten seconds")
        self.assertEqual({p["metadata"]["name"]: p["metadata"]["resourceVersion"] for p in self.pods()}, versions)
        self.assertLess(self.ecisim.calls() - calls, 25, "the cloud is polled slowly")
        self.assertLess(self.ecilet.cpu_seconds() - cpu, 1.0, "seconds of CPU in a quiet minute")
