"""Silence when nothing changes."""
import time

from harness import E2ETest, container, pod, wait_for

SECONDS = 60
SPEC = "k8s.aliyun.com/eci-instance-spec"


class QuietTest(E2ETest):
    config = {"POLL_FAST_MS": "2000", "SWEEP_SECONDS": "60"}  # the usual pace

    def test_only_the_lease_is_written(self):
        self.create(*(pod(f"p{number}") for number in range(10)), pod("init", initContainers=[container("first")]))
        self.wait_all_running(11)
        wait_for(lambda: all(SPEC in p["metadata"]["annotations"] for p in self.pods()), 30, "the instances are noted")
        wait_for(lambda: len(self.cluster.get("/api/v1/pods")["items"]) == 11, 90, "pods of other tests are gone")
        time.sleep(8)  # last words: events are counted for a while
        cpu = self.ecilet.cpu_seconds()
        calls = self.ecisim.calls()
        began = time.time()
        versions = {p["metadata"]["name"]: p["metadata"]["resourceVersion"] for p in self.pods()}
        time.sleep(SECONDS)
        asked = [(e["verb"], e["requestURI"].split("?")[0]) for e in self.cluster.audit(began)]
        lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/" + self.ecilet.node
        others = [entry for entry in asked if entry != ("patch", lease)]
        # A watch that has served its time is asked for again.
        others = [entry for entry in others if entry[0] != "watch"]
        self.assertEqual(others, [])
        self.assertIn(len(asked) - len(others), range(5, 10), "the lease each ten seconds")
        self.assertEqual({p["metadata"]["name"]: p["metadata"]["resourceVersion"] for p in self.pods()}, versions)
        self.assertLess(self.ecisim.calls() - calls, 25, "the cloud is polled slowly")
        self.assertLess(self.ecilet.cpu_seconds() - cpu, 1.0, "seconds of CPU in a quiet minute")
