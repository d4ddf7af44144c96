"""Instances whose pods are gone: removed, but never many at once without being told."""
import re
import time

from harness import E2ETest, condition, is_ready, pod, wait_for


class OrphansTest(E2ETest):
    config = {"SWEEP_SECONDS": "5", "ABSENCE_SECONDS": "2"}

    def sweeps(self):
        return int(re.search(r"complete listings: (\d+)", self.ecilet.status()).group(1))

    def wait_sweeps(self, count):
        """So many more complete listings of the cloud: whatever follows from what is seen there has followed."""
        before = wait_for(self.sweeps, 20, "a first listing")
        wait_for(lambda: self.sweeps() >= before + count, 20 * count, f"{count} listings more")

    def test_many_orphans_at_once_are_left_until_the_operator_agrees(self):
        """As after the cluster's data was restored from an old backup."""
        self.create(*(pod(f"p{number}") for number in range(12)))
        self.wait_all_running(12)
        self.ecilet.kill()
        for number in range(10):
            self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods/p{number}?gracePeriodSeconds=0")
        began = int(time.time())
        self.ecilet.start()
        wait_for(
            lambda: condition(self.node(), "OrphanDeletionStopped")["status"] == "True",
            30,
            "the node says that it does not delete",
        )
        wait_for(lambda: self.cluster.node_events("OrphanBrake", began), 20, "an event of the node says so too")
        self.wait_sweeps(2)
        self.assertEqual(len(self.groups_here(exists="true")), 12)
        self.assertTrue(is_ready(self.node()))
        self.create(pod("next"))
        self.wait_running("next")
        self.kubectl("delete", "pod", "next", "--wait=false")
        wait_for(lambda: self.pod("next") is None, 40, "pods are still deleted")
        self.ecilet.config["ORPHAN_BRAKE_PERCENT"] = "100"
        self.ecilet.write_config()
        self.ecilet.restart()
        wait_for(lambda: len(self.groups_here(exists="true")) == 2, 60, "the orphans are gone")
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
        self.wait_sweeps(3)
        groups = self.ecisim.groups_of(theirs, exists="true")
        self.assertEqual(len(groups), 1, "not ours to delete")
        self.ecisim.order(groups[0]["id"], "vanish")
