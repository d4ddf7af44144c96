"""How much the node shows: the account's quota, and what happens when the cloud refuses more."""
from harness import E2ETest, condition, is_ready, phase, pod, stays, wait_for


class CapacityTest(E2ETest):
    starts_ecilet = False
    config = {"ECI_QUOTA_CPU": "1000", "ECI_QUOTA_POD": "50"}

    def tearDown(self):
        self.ecisim.set(quota_cpu=100000, quota_groups=0)
        self.ecilet.config.pop("QUOTA_FOLLOW", None)
        self.ecilet.write_config()
        try:
            super().tearDown()
        finally:
            self.ecilet.stop()

    def shown(self, which="allocatable"):
        node = self.node()
        return (node["status"][which]["cpu"], node["status"][which]["pods"]) if node else None

    def wait_shown(self, cpu, pods, timeout=60):
        wait_for(lambda: self.shown() == (cpu, pods), timeout, f"the node shows {cpu} CPUs and {pods} pods")

    def test_cpu_is_not_above_the_quota_of_the_account(self):
        self.ecisim.set(quota_cpu=64)
        self.ecilet.start()
        self.wait_shown("64", "50")
        self.assertEqual(self.shown("capacity"), ("64", "50"))
        self.assertTrue(is_ready(self.node()))
        self.ecilet.config["QUOTA_FOLLOW"] = "false"
        self.ecilet.write_config()
        self.ecilet.stop()
        calls, lists = self.ecisim.calls("ListUsage"), self.ecisim.calls("DescribeContainerGroupStatus")
        self.ecilet.start()
        self.wait_shown("1k", "50")
        # It would ask a second after the first list at the latest.
        wait_for(lambda: self.ecisim.calls("DescribeContainerGroupStatus") > lists, 30, "the cloud is read")
        stays(lambda: self.ecisim.calls("ListUsage") == calls, 3, "nobody asks")

    def test_without_the_permission_the_configuration_counts(self):
        self.ecisim.set(quota_cpu=64)
        self.ecisim.fault(action="ListUsage", status=403, code="Forbidden.RAM")
        self.ecilet.start()
        self.create(pod("one"))
        self.wait_running("one")
        wait_for(self.ecisim.faults_fired, 30, "it has asked and was refused")
        stays(lambda: self.shown() == ("1k", "50"), 2, "the node shows what is configured")

    def test_no_new_pods_while_a_quota_is_used_up(self):
        self.ecilet.start()
        self.create(pod("runs"))
        self.wait_running("runs")
        self.ecisim.set(quota_groups=1)
        self.create(*(pod(f"bound-{at}") for at in range(3)))

        def closed():
            found = self.node()
            return found if found["status"]["allocatable"]["pods"] == "0" else None

        node = wait_for(closed, 60, "the node shows room for no pod")
        self.assertEqual(condition(node, "ECIQuotaExceeded")["status"], "True")
        self.assertTrue(is_ready(node))
        self.assertEqual(node["status"]["capacity"]["pods"], "50")
        # The scheduler sends no more, evicts nobody, and what runs goes on.
        # It may hear of the node a little later than we: then one more is bound.
        where = {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"type": "virtual-kubelet"}}

        def finds_no_place(name):
            self.create(pod(name, node=None, **where))
            found = self.wait_pod(name, lambda p: condition(p, "PodScheduled")["status"], 60, "was looked at")
            return condition(found, "PodScheduled").get("reason") == "Unschedulable"

        free = [f"free-{at}" for at in range(3)]
        self.assertTrue(any(finds_no_place(name) for name in free), "the scheduler sends no more")
        self.assertEqual(phase(self.pod("runs")), "Running")
        self.ecisim.set(quota_groups=0)
        for found in self.pods():
            self.wait_running(found["metadata"]["name"], 120)
        wait_for(lambda: self.shown()[1] == "50", 60, "there is room again")
        self.assertEqual(condition(self.node(), "ECIQuotaExceeded")["status"], "False")
