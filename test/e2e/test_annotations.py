"""What pods ask of the cloud by annotations, as the API server and the ECI simulator see it."""
from harness import E2ETest, container, is_ready, phase, pod, stays, wait_for

ALIYUN = "k8s.aliyun.com/"

# Sets of annotations (prefix left out) that the cloud has to take as they are sent.
TAKEN = {
    "multi-zone": {"eci-vswitch": "vsw-a, vsw-b", "eci-schedule-strategy": "vSwitchOrdered"},
    "several-specs": {"eci-use-specs": "2-4Gi,4-8Gi,ecs.c6.xlarge", "eci-security-group": "sg-other"},
    "one-spec": {"eci-use-specs": "4-8Gi", "eci-compute-category": "economy"},
    "family": {"eci-instance-family": "ecs.c6,ecs.g6"},
    "spot": {"eci-spot-strategy": "SpotWithPriceLimit", "eci-spot-price-limit": "0.250", "eci-spot-duration": "0"},
    "eip": {"eci-with-eip": "true", "eip-bandwidth": "10", "eip-isp": "BGP", "eci-enable-ipv6": "true"},
    "registries": {
        "acr-instance-id": "cri-1",
        "insecure-registry": "harbor.example.com, 10.0.0.1:5000",
        "plain-http-registry": "10.0.0.2:5000",
        "eci-image-cache": "true",
    },
    "system": {
        "eci-ntp-server": "100.100.5.1,100.100.5.2",
        "eci-core-pattern": "pod/data/dump/core",
        "eci-extra-ephemeral-storage": "50Gi",
        "eci-max-pending-minute": "10",
        "eci-custom-hosts": '[{"host":"a.example","ip":"10.0.0.1"}]',
        "eci-custom-dnsconfig": '{"nameservers":"10.0.0.2","searches":"a.example","options":"ndots:2"}',
        "eci-host-sysctls": '[{"name":"net.core.somaxconn","value":"1024"}]',
    },
}


def annotated(name, annotations, *containers, **fields):
    made = pod(name, *containers, **fields)
    made["metadata"]["annotations"] = {ALIYUN + key: value for key, value in annotations.items()}
    return made


class AnnotationsTest(E2ETest):
    def test_the_cloud_takes_what_is_sent(self):
        self.apply(*(annotated(name, annotations) for name, annotations in TAKEN.items()))
        for name in TAKEN:
            self.wait_pod(name, lambda p: phase(p) == "Running", 60, "runs")

    def test_custom_tags_are_on_the_instance(self):
        self.apply(annotated("tagged", {"eci-custom-tags": "team:web,stage:test"}))
        found = self.wait_pod("tagged", lambda p: phase(p) == "Running", 30, "runs")
        (group,) = self.ecisim.groups_of(found)
        self.assertEqual(group["tags"]["team"], "web")
        self.assertEqual(group["tags"]["stage"], "test")

    def test_a_bad_value_is_named_and_nothing_is_asked(self):
        before = self.ecisim.calls("CreateContainerGroup")
        self.apply(annotated("bad", {"eci-max-pending-minute": "5"}))
        message = self.wait_event("bad", "ProviderCreateFailed")["message"]
        for part in ALIYUN + "eci-max-pending-minute", '"5"', "from 10 to 1440":
            self.assertIn(part, message)
        self.wait_pod("bad", lambda p: phase(p) == "Failed", 30, "fails")
        self.assertEqual(self.ecisim.calls("CreateContainerGroup"), before)

    def test_without_stock_only_those_who_ask_for_it_fail(self):
        self.ecisim.set(no_stock="all")
        try:
            self.apply(annotated("patient", {}), annotated("fast", {"eci-fail-strategy": "fail-fast"}))
            self.wait_pod("fast", lambda p: phase(p) == "Failed", 60, "fails at once")
            self.assertEqual(phase(self.cluster.pod(self.namespace, "patient")), "Pending")
        finally:
            self.ecisim.set(no_stock="")
        self.wait_pod("patient", lambda p: phase(p) == "Running", 120, "runs when there is stock")

    def test_the_instance_is_told_on_running_pods_with_few_calls(self):
        key = ALIYUN + "eci-instance-spec"
        names = [f"plain{number}" for number in range(8)]

        def told(found):
            return key in found["metadata"].get("annotations", {})

        def calls():
            return self.ecisim.calls("DescribeContainerGroups")

        def versions():
            return [self.pod(name)["metadata"]["resourceVersion"] for name in names]

        before = calls()
        self.apply(*(annotated(name, {"eci-use-specs": "4-8Gi"}) for name in names))
        for name in names:
            annotations = self.wait_pod(name, told, 60, "is noted")["metadata"]["annotations"]
            self.assertEqual(annotations[key], "4.0-8.0Gi")
            self.assertTrue(annotations[ALIYUN + "eci-vpc"].startswith("vpc-"))
            self.assertRegex(annotations[ALIYUN + "eci-request-id"], "^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$")
            self.assertIn(annotations["ecilet/vswitch"], ("vsw-e2e1", "vsw-e2e2"))
            (group,) = self.ecisim.groups_of(self.pod(name))
            self.assertEqual(annotations[ALIYUN + "eci-instance-id"], group["id"])
            self.assertEqual(phase(self.pod(name)), "Running")
        after = calls()
        self.assertLessEqual(after - before, len(names), "never more than one for each pod")
        # One may be under way while the last of them is told.
        stays(lambda: calls() <= after + 1, 8, "once is enough")
        for name in names:
            self.wait_pod(name, is_ready, 30, "is Ready: nothing more is to be written")
        # A restart reads whose the instances are, but writes nothing again.
        after, written = calls(), versions()
        self.ecilet.restart()
        wait_for(lambda: calls() > after, 30, "the instances are read")
        stays(lambda: versions() == written, 8, "told already")

    def test_the_instance_is_told_on_a_pod_with_init_containers(self):
        self.apply(annotated("told", {}, initContainers=[container("setup")]))
        key = ALIYUN + "eci-instance-spec"
        found = self.wait_pod("told", lambda p: key in p["metadata"].get("annotations", {}), 60, "is noted")
        self.assertEqual(found["metadata"]["annotations"][key], "2.0-4.0Gi")
        self.assertTrue(found["metadata"]["annotations"][ALIYUN + "eci-vpc"].startswith("vpc-"))
