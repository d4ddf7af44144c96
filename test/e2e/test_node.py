"""The node: how it registers, what it says about itself, and that it survives what people do to it."""
import os
import time

from harness import (
    ECILET,
    NODE,
    E2ETest,
    condition,
    container,
    free_port,
    is_ready,
    parse_time,
    pod,
    scheduled,
    wait_for,
)


def taints_of(node):
    return {(taint["key"], taint.get("value")) for taint in node["spec"]["taints"]}


class NodeTest(E2ETest):
    config = {
        "ECI_QUOTA_CPU": "4000",
        "ECI_QUOTA_MEMORY": "512Gi",
        "ECI_QUOTA_POD": "321",
        "ECI_QUOTA_GPU": "8",
        "KUBELET_PORT": str(free_port()),
        "VKUBELET_POD_IP": "127.0.0.9",
        "NODE_LABELS": "line=express",
    }

    def test_shows_ready_with_role_agent(self):
        wait_for(lambda: is_ready(self.node()), 30, "the node is Ready")
        table = self.kubectl("get", "node", NODE, "-o", "wide").splitlines()
        row = dict(zip(table[0].split(), table[1].split()))
        self.assertEqual(row["NAME"], NODE)
        self.assertEqual(row["STATUS"], "Ready")
        self.assertEqual(row["ROLES"], "agent")
        self.assertEqual(row["INTERNAL-IP"], "127.0.0.9")
        self.assertTrue(row["VERSION"].startswith("v1."), row["VERSION"])

    def test_says_what_it_is(self):
        node = self.cluster.kubectl_json("get", "node", NODE)
        for key, value in {
            "type": "virtual-kubelet",
            "kubernetes.io/role": "agent",
            "kubernetes.io/hostname": NODE,
            "kubernetes.io/os": "linux",
            "beta.kubernetes.io/os": "linux",
            "alpha.service-controller.kubernetes.io/exclude-balancer": "true",
            "node.kubernetes.io/exclude-from-external-load-balancers": "true",
            "line": "express",
        }.items():
            self.assertEqual(node["metadata"]["labels"].get(key), value, key)
        taint = {"key": "virtual-kubelet.io/provider", "value": "alibabacloud", "effect": "NoSchedule"}
        self.assertIn(taint, node["spec"]["taints"])
        for resources in node["status"]["capacity"], node["status"]["allocatable"]:
            self.assertEqual(resources["cpu"], "4k")  # as the API server writes 4000
            self.assertEqual(resources["memory"], "512Gi")
            self.assertEqual(resources["pods"], "321")
        self.assertEqual(node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"], int(self.config["KUBELET_PORT"]))
        self.assertIn({"type": "InternalIP", "address": "127.0.0.9"}, node["status"]["addresses"])
        self.assertEqual(node["status"]["nodeInfo"]["operatingSystem"], "linux")

    def test_pods_that_ask_for_disk_and_gpus_are_placed_here(self):
        """By the scheduler, which looks at what the node shows."""
        limits = {"cpu": "4", "memory": "15Gi", "ephemeral-storage": "40Gi", "nvidia.com/gpu": "1"}
        made = pod("large", container(image="busybox", command=["sleep", "60"], resources={"limits": limits}))
        made["spec"] = scheduled(made["spec"])
        made["metadata"]["annotations"] = {"k8s.aliyun.com/eci-use-specs": "ecs.gn6i-c4g1.xlarge"}
        self.create(made)
        self.wait_running("large", 60)  # the scheduler may have met the node a moment ago
        [group] = self.groups_here(exists="true")
        asked = self.ecisim.parameters(group["id"])
        self.assertEqual(asked["InstanceType"], "ecs.gn6i-c4g1.xlarge")
        self.assertEqual(asked["Container.1.Gpu"], "1")
        self.assertEqual(asked["EphemeralStorage"], "10")

    def test_conditions(self):
        node = self.node()
        for kind, status in {
            "Ready": "True",
            "ECIReachable": "True",
            "MemoryPressure": "False",
            "DiskPressure": "False",
            "PIDPressure": "False",
            "NetworkUnavailable": "False",
        }.items():
            found = condition(node, kind)
            self.assertEqual(found["status"], status, kind)
            self.assertTrue(found["reason"] and found["message"], kind)

    def test_lease_is_renewed(self):
        lease = wait_for(lambda: self.cluster.lease(), 20, "the lease exists")
        self.assertEqual(lease["spec"]["holderIdentity"], NODE)
        self.assertEqual(lease["spec"]["leaseDurationSeconds"], 40)
        first = lease["spec"]["renewTime"]

        def moved():
            now = self.cluster.lease()["spec"]["renewTime"]
            return now if now > first else None

        second = wait_for(moved, 30, "renewTime moves")
        # Each ten seconds, by ecilet's clock; it is the right time, too.
        self.assertLess(parse_time(second) - parse_time(first), 15)
        self.assertLess(abs(time.time() - parse_time(second)), 30)
        # The first write may be older than the node.
        owner = wait_for(lambda: self.cluster.lease()["metadata"]["ownerReferences"][0], 30, "it belongs to the node")
        self.assertEqual((owner["kind"], owner["name"]), ("Node", NODE))

    def test_labels_and_taints_of_others_survive_a_restart(self):
        ours = ("virtual-kubelet.io/provider", "alibabacloud")
        self.kubectl("label", "node", NODE, "rack=7", "--overwrite")
        self.kubectl("taint", "node", NODE, "maintenance=soon:NoSchedule", "--overwrite")
        self.addCleanup(self.kubectl, "taint", "node", NODE, "maintenance-")
        # Of ours one each is taken away, so that it has both to write.
        self.kubectl("label", "node", NODE, "line-")
        self.kubectl("taint", "node", NODE, ours[0] + "-")
        uid = self.node()["metadata"]["uid"]
        self.ecilet.restart()

        def is_complete():
            node = self.node()
            return node if node["metadata"]["labels"].get("line") == "express" and ours in taints_of(node) else None

        node = wait_for(is_complete, 30, "label and taint are there again")
        self.assertEqual(node["metadata"]["uid"], uid)
        self.assertEqual(node["metadata"]["labels"].get("rack"), "7")
        self.assertEqual(node["metadata"]["labels"].get("type"), "virtual-kubelet")
        self.assertIn(("maintenance", "soon"), taints_of(node))

    def test_changed_quota_is_shown_after_a_restart(self):
        self.ecilet.config["ECI_QUOTA_CPU"] = "5000"
        self.ecilet.write_config()
        self.ecilet.restart()
        wait_for(lambda: self.node()["status"]["capacity"]["cpu"] == "5k", 30, "the new capacity shows")
        self.ecilet.config["ECI_QUOTA_CPU"] = "4000"
        self.ecilet.write_config()
        self.ecilet.restart()
        wait_for(lambda: self.node()["status"]["capacity"]["cpu"] == "4k", 30, "the old capacity shows")

    def test_comes_back_when_somebody_deletes_it(self):
        self.apply(pod("stays"))
        before = self.wait_running("stays")
        uid = self.node()["metadata"]["uid"]
        self.kubectl("delete", "node", NODE, "--wait=false")

        def is_back():
            node = self.node()
            return node if node and node["metadata"]["uid"] != uid and is_ready(node) else None

        node = wait_for(is_back, 30, "the node is registered again")
        self.assertEqual(node["metadata"]["labels"].get("type"), "virtual-kubelet")
        wait_for(
            lambda: self.cluster.lease()["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"],
            40,
            "the lease belongs to the new node",
        )
        after = self.wait_running("stays")
        self.assertEqual(after["metadata"]["uid"], before["metadata"]["uid"])
        self.assert_one_each([after["metadata"]["uid"]])
        self.apply(pod("next"))
        self.wait_running("next")

    def test_arguments_of_the_image_it_replaces(self):
        """As the seed's vk.yaml starts it: no file, only variables and these two arguments."""
        self.ecilet.stop()
        env = {key: value for key, value in self.ecilet.config.items() if value is not None}
        argv = [ECILET, "--provider", "alibabacloud", "--nodename", NODE]
        self.ecilet.log_start = os.path.getsize(self.ecilet.log)
        self.ecilet.spawn(argv, env=env)
        self.ecilet.wait_ready()
        self.apply(pod("one"))
        self.wait_running("one")
        self.ecilet.restart()
