"""No stock: the pod's author decides what becomes of it."""
from harness import E2ETest, phase, pod, stays, wait_for

STRATEGY = "k8s.aliyun.com/eci-fail-strategy"
LATER_S = 150  # the longer there was no stock, the longer until the next try


class StockTest(E2ETest):
    def make(self, name, **annotations):
        made = pod(name)
        made["metadata"]["annotations"] = annotations
        return self.create(made)[0]

    def tearDown(self):
        self.ecisim.set(no_stock="", vswitches="")
        super().tearDown()

    def groups(self, made):
        """(alive, ever) of this pod."""
        return len(self.ecisim.groups_of(made, exists="true")), len(self.ecisim.groups_of(made))

    def test_fail_fast_fails_and_fail_back_waits_for_stock(self):
        self.ecisim.set(no_stock="all")
        self.make("fast", **{STRATEGY: "fail-fast"})
        old = self.make("old", **{"k8s.aliyun.com/pod-fail-on-create-err": "true"})
        self.make("goes-on", **{"k8s.aliyun.com/pod-fail-on-create-err": "true",
                                "k8s.aliyun.com/eci-reschedule-enable": "true"})
        back = self.make("back", **{STRATEGY: "fail-back"})
        usual = self.make("usual")
        for name in "fast", "old":
            failed = self.wait_pod(name, lambda p: phase(p) == "Failed", 20, "is Failed")
            self.assertEqual(failed["status"]["reason"], "ContainerInstanceScheduleFailed")
        for made in back, usual:
            wait_for(lambda m=made: len(self.ecisim.groups_of(m)) >= 2, 60, "another attempt is made")
        stays(lambda: phase(self.pod("usual")) == "Pending", 2, "it waits")
        self.assertEqual(len(self.ecisim.groups_of(old)), 1, "what failed is not tried again")
        self.ecisim.set(no_stock="")
        for name in "back", "usual", "goes-on":
            self.wait_running(name, LATER_S)

    def test_create_that_is_refused_for_lack_of_stock(self):
        self.ecisim.fault(action="CreateContainerGroup", status=403, code="OperationDenied.NoStock")
        self.make("fast", **{STRATEGY: "fail-fast"})
        self.make("back")
        failed = self.wait_pod("fast", lambda p: phase(p) == "Failed", 20, "is Failed")
        self.assertEqual(failed["status"]["reason"], "ProviderFailed")
        self.assertIn("NoStock", failed["status"]["message"])
        self.wait_event("back", "ProviderCreateFailed")
        self.assertEqual(phase(self.pod("back")), "Pending")
        self.ecisim.clear_faults()
        self.wait_running("back", LATER_S)

    def test_another_zone_or_size_is_one_instance(self):
        self.ecisim.set(vswitches="vsw-e2e1:cn-hangzhou-h,vsw-e2e2:cn-hangzhou-i")
        self.ecisim.set(no_stock="cn-hangzhou-h,ecs.c6.large")
        zone = self.make("zone")
        size = self.make("size", **{"k8s.aliyun.com/eci-use-specs": "ecs.c6.large,2-4Gi"})
        for name, made in ("zone", zone), ("size", size):
            self.wait_running(name, 30)
            self.assertEqual(self.groups(made), (1, 1), "the cloud chose among what it was given")

    def test_stock_that_comes_late_is_paid_once(self):
        self.ecisim.set(no_stock="all")
        made = self.make("patient")
        wait_for(lambda: self.groups(made)[1] >= 3, 60, "it is tried again and again")
        self.assertEqual(phase(self.pod("patient")), "Pending")
        told = self.wait_event("patient", "FailedScheduling")
        self.assertEqual(told["type"], "Warning")
        self.ecisim.set(no_stock="")
        self.wait_running("patient", LATER_S)
        wait_for(lambda: self.groups(made)[0] == 1, 30, "what had failed is gone")
        # tearDown looks whether two were alive at once.
