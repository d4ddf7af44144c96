"""How much the node shows: the account's quota, and what happens when the cloud refuses more."""
from harness import E2ETest, condition, is_ready, phase, pod, wait_for


class CapacityTest(E2ETest):
    starts_ecilet = False
    config = {"ECI_QUOTA_CPU": "1000", "ECI_QUOTA_POD": "50"}

    def tearDown(self):
        self.ecisim.set(quota_cpu=100000, quota_groups=0)
        self.ecilet.config.pop("QUOTA_FOLLOW", None)
        self.ecilet.write_config()
        super().tearDown()
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
        calls = self.ecisim.calls("ListUsage")
        self.ecilet.restart()
        self.wait_shown("1k", "50")
        self.assertEqual(self.ecisim.calls("ListUsage"), calls, "and nobody asks")

    def test_without_the_permission_the_configuration_counts(self):
        self.ecisim.set(quota_cpu=64)
        self.ecisim.fault(action="ListUsage", status=403, code="Forbidden.RAM")
        self.ecilet.start()
        self.create(pod("one"))
        self.wait_running("one")
        self.assertEqual(self.shown(), ("1k", "50"))
        self.ecisim.clear_faults()

    def test_no_new_pods_while_a_quota_is_used_up(self):
        self.ecilet.start()
        self.create(pod("runs"))
        self.wait_running("runs")
        self.ecisim.set(quota_groups=1)
        self.create(*(pod(f"bound-{at}") for at in range(3)))
        wait_for(lambda: self.shown()[1] == "0", 60, "the node shows room for no pod")
        node = self.node()
        self.assertEqual(condition(node, "ECIQuotaExceeded")["status"], "True")
        self.assertTrue(is_ready(node))
        self.assertEqual(node["status"]["capacity"]["pods"], "50")
        # The scheduler sends no more, evicts nobody, and what runs goes on.
        free = pod("free", node=None, tolerations=[{"operator": "Exists"}], nodeSelector={"type": "virtual-kubelet"})
        self.create(free)

        def is_told():
            found = self.pod("free")
            return condition(found, "PodScheduled").get("reason") == "Unschedulable"

        wait_for(is_told, 60, "the scheduler finds no place")
        self.assertEqual(phase(self.pod("runs")), "Running")
        self.ecisim.set(quota_groups=0)
        for name in "bound-0", "bound-1", "bound-2", "free":
            self.wait_running(name, 120)
        wait_for(lambda: self.shown()[1] == "50", 60, "there is room again")
        self.assertEqual(condition(self.node(), "ECIQuotaExceeded")["status"], "False")
