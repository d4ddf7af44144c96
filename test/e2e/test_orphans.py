"""Instances whose pods are gone: removed, but never many at once without being told."""
import time

from harness import E2ETest, condition, is_ready, pod, wait_for


class OrphansTest(E2ETest):
    config = {"SWEEP_SECONDS": "5", "ABSENCE_SECONDS": "2"}

    def test_many_orphans_at_once_are_left_until_the_operator_agrees(self):
        """As after the cluster's data was restored from an old backup."""
        self.create(*(pod(f"p{number}") for number in range(12)))
        self.wait_all_running(12)
        self.ecilet.kill()
        for number in range(10):
            self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods/p{number}?gracePeriodSeconds=0")
        self.ecilet.start()
        wait_for(
            lambda: condition(self.node(), "OrphanDeletionStopped")["status"] == "True",
            20,
            "the node says that it does not delete",
        )
        wait_for(lambda: self.cluster.node_events("OrphanBrake"), 10, "an event of the node says so too")
        time.sleep(6)
        self.assertEqual(len(self.groups_here(exists="true")), 12)
        self.assertTrue(is_ready(self.node()))
        self.create(pod("next"))
        self.wait_running("next")
        self.kubectl("delete", "pod", "next", "--wait=false")
        wait_for(lambda: self.pod("next") is None, 20, "pods are still deleted")
        self.ecilet.config["ORPHAN_BRAKE_PERCENT"] = "100"
        self.ecilet.write_config()
        self.ecilet.restart()
        wait_for(lambda: len(self.groups_here(exists="true")) == 2, 30, "the orphans are gone")
        self.assertEqual(sorted(p["metadata"]["name"] for p in self.pods()), ["p10", "p11"])
        self.assertTrue(all(is_ready(p) for p in self.pods()))

    def test_instances_of_others_are_left_alone(self):
        """Of another cluster or node in the same account."""
        self.ecilet.stop()
        for key, other in ("ALIYUN_CLUSTERID", "elsewhere"), ("NODE_NAME", "virtual-kubelet"):
            self.ecilet.config[key] = other
        self.ecilet.write_config()
        self.ecilet.start()
        self.create(pod("theirs"))
        theirs = self.wait_running("theirs")
        self.ecilet.stop()
        self.ecilet.config["ALIYUN_CLUSTERID"] = "e2e"
        self.ecilet.write_config()
        self.kubectl("delete", "pod", "theirs", "--force", "--grace-period=0")
        self.ecilet.start()
        self.create(pod("ours"))
        self.wait_running("ours")
        time.sleep(8)
        groups = self.ecisim.groups_of(theirs, exists="true")
        self.assertEqual(len(groups), 1, "not ours to delete")
        self.ecisim.order(groups[0]["id"], "vanish")
