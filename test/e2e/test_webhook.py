"""The webhook: pods find their way to ECI without touching manifests (examples of the seed's 2.2 and 2.3)."""
import json
import os
import shutil
import signal
import time

from harness import E2ETest, Run, condition, container, pod, wait_for, workload

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook"
BURST = "alibabacloud.com/burst-resource"
PORT = 18443


def free(name, labels=None, annotations=None, **fields):
    """A pod that names no node."""
    made = pod(name, labels=labels, node=None, **fields)
    made["metadata"]["annotations"] = annotations or {}
    return made


class WebhookTest(E2ETest):
    config = {"WEBHOOK": "true", "WEBHOOK_PORT": str(PORT), "VKUBELET_POD_IP": "127.0.0.1"}

    @classmethod
    def setUpClass(cls):
        cluster = Run.cluster()
        folder = os.path.join(Run.make_folder("webhook"), "certs")
        os.makedirs(folder, exist_ok=True)
        cert, key = cluster.certificate("vk-webhook", "IP:127.0.0.1")
        shutil.copy(cert, f"{folder}/tls.crt")
        shutil.copy(key, f"{folder}/tls.key")
        shutil.copy(os.path.join(cluster.folder, "ca.crt"), f"{folder}/ca.crt")
        cls.config = {**cls.config, "WEBHOOK_CERT_DIR": folder}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.cluster.remove(HOOKS)

    def setUp(self):
        super().setUp()
        self.wait_hooks(lambda names: "default-selector-1" in names)

    def tearDown(self):
        self.cluster.remove(CONFIG_MAP)
        self.kubectl("delete", "deployment,daemonset", "--all")
        # Nobody is there to end what runs on an ordinary node.
        orphans = [p["metadata"]["name"] for p in self.pods() if p["spec"].get("nodeName", "").startswith("ordinary-")]
        if orphans:
            self.kubectl("delete", "pod", *orphans, "--grace-period=0", "--force")
        for node in self.cluster.get("/api/v1/nodes")["items"]:
            if node["metadata"]["name"].startswith("ordinary-"):
                self.cluster.remove(f"/api/v1/nodes/{node['metadata']['name']}")
        super().tearDown()

    def hooks(self):
        found = self.cluster.find(HOOKS)
        return {hook["name"].split(".")[0]: hook for hook in found["webhooks"]} if found else {}

    def wait_hooks(self, test):
        wait_for(lambda: test(self.hooks()), 15, "vk-webhook shows the selectors")
        time.sleep(1.2)  # the API server follows its own objects with a watch

    def put(self, selectors, **data):
        metadata = {"name": "eci-profile", "namespace": "kube-system"}
        data["selectors"] = json.dumps(selectors)
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    def is_scheduled_to(self, name, node):
        self.wait_pod(name, lambda p: p["spec"].get("nodeName") == node, 15, f"is on {node}")

    # --- seed 2.2

    def test_labels_send_pods(self):
        self.create(free("new", {"alibabacloud.com/eci": "true"}), free("old", {"eci": "true"}), free("plain"))
        for name in "new", "old":
            found = self.wait_running(name)
            self.assertEqual(found["spec"]["nodeSelector"], {"type": "virtual-kubelet"})
            wanted = {"key": "virtual-kubelet.io/provider", "operator": "Exists"}
            self.assertIn(wanted, found["spec"]["tolerations"])
        plain = self.pod("plain")
        self.assertNotIn("nodeSelector", plain["spec"])
        self.assertNotIn("nodeName", plain["spec"])

    def test_namespace_labels_send_pods(self):
        for at, label in enumerate(["alibabacloud.com/eci=true", "virtual-node-affinity-injection=enabled"]):
            self.kubectl("label", "namespace", self.namespace, label)
            time.sleep(1)
            self.create(free(f"p{at}"))
            self.wait_running(f"p{at}")
            self.kubectl("label", "namespace", self.namespace, label.split("=")[0] + "-")
        time.sleep(1)
        self.create(free("after"))
        self.assertNotIn("nodeSelector", self.pod("after")["spec"])

    def ordinary_node(self, name, cpu):
        status = {
            "capacity": {"cpu": str(cpu), "memory": "8Gi", "pods": "100"},
            "allocatable": {"cpu": str(cpu), "memory": "8Gi", "pods": "100"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"type": "real"}}}
        self.cluster.call("POST", "/api/v1/nodes", node)
        path = f"/api/v1/nodes/{name}"
        self.cluster.call("PATCH", path + "/status", {"status": status}, kind="application/merge-patch+json")
        # The node controller taints nodes it has not heard of; a fresh Ready condition takes it away.
        self.cluster.call("PATCH", path, {"spec": {"taints": None}}, kind="application/merge-patch+json")

    def test_burst_resource_overflows(self):
        self.ordinary_node("ordinary-1", 4)
        two = [{"name": "main", "image": "nginx", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}]

        def with_two(name, **more):
            made = free(name, **more)
            made["spec"]["containers"] = two
            return made

        self.create(with_two("first", annotations={BURST: "eci"}))
        self.is_scheduled_to("first", "ordinary-1")
        self.create(with_two("plain"))
        self.is_scheduled_to("plain", "ordinary-1")
        # Now it is full: who may overflow does, who may not waits. Seed 2.2: four replicas.
        made = workload("Deployment", "nginx", {"containers": two, "terminationGracePeriodSeconds": 1}, replicas=4)
        made["spec"]["template"]["metadata"]["annotations"] = {BURST: "eci"}
        self.apply(made)
        self.create(with_two("waits"))

        def all_four():
            nodes = [p["spec"].get("nodeName") for p in self.pods() if p["metadata"]["name"].startswith("nginx-")]
            return nodes == [self.ecilet.node] * 4

        wait_for(all_four, 20, "all replicas are in ECI")
        self.wait_pod("waits", lambda p: condition(p, "PodScheduled").get("reason") == "Unschedulable", 15, "waits")
        self.create(free("only", annotations={BURST: "eci_only"}))
        self.is_scheduled_to("only", self.ecilet.node)

    def test_burst_resource_fills_ordinary_nodes_first(self):
        """However many of a Deployment's pods are on them: spreading would rather have the empty node."""
        self.ordinary_node("ordinary-3", 10)
        self.ordinary_node("ordinary-4", 10)
        requests = {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}
        one = {"name": "main", "image": "nginx", "resources": requests}
        made = workload("Deployment", "nginx", {"containers": [one], "terminationGracePeriodSeconds": 1}, replicas=12)
        made["spec"]["template"]["metadata"]["annotations"] = {BURST: "eci"}
        self.apply(made)

        def nodes():
            found = [p["spec"].get("nodeName", "") for p in self.pods()]
            return sorted(found) if len(found) == 12 and "" not in found else None

        found = wait_for(nodes, 30, "all replicas have a node")
        self.assertEqual(found, ["ordinary-3"] * 5 + ["ordinary-4"] * 5 + [self.ecilet.node] * 2)

    def test_a_bad_burst_resource_is_told(self):
        text = json.dumps({"apiVersion": "v1", **free("odd", annotations={BURST: "sometimes"})})
        said = self.kubectl("apply", "-f", "-", stdin=text)
        made = self.pod("odd")
        self.assertNotIn("nodeSelector", made["spec"])
        self.assertNotIn("affinity", made["spec"])
        self.assertIsInstance(said, str)

    # --- seed 2.3

    def test_selectors_of_a_profile(self):
        demo = {
            "name": "demo",
            "namespaceSelector": {"matchLabels": {"department": "bigdata"}},
            "objectSelector": {"matchLabels": {"type": "offline-task"}},
            "effect": {
                "annotations": {"k8s.aliyun.com/eci-ntp-server": "10.0.0.9"},
                "labels": {"created-by-eci": "true"},
            },
        }
        self.put([demo])
        self.wait_hooks(lambda names: "demo" in names and "default-selector-1" not in names)
        hook = self.hooks()["demo"]
        self.assertEqual(hook["objectSelector"]["matchLabels"], {"type": "offline-task"})
        self.assertEqual(hook["namespaceSelector"]["matchLabels"], {"department": "bigdata"})
        self.assertEqual(hook["failurePolicy"], "Ignore")
        self.kubectl("label", "namespace", self.namespace, "department=bigdata")
        time.sleep(1)
        self.create(free("task", {"type": "offline-task"}), free("other", {"type": "web"}))
        found = self.wait_running("task")
        self.assertEqual(found["metadata"]["labels"]["created-by-eci"], "true")
        self.assertEqual(found["metadata"]["annotations"]["k8s.aliyun.com/eci-ntp-server"], "10.0.0.9")
        self.assertNotIn("nodeSelector", self.pod("other")["spec"])
        own = free("own", {"type": "offline-task", "created-by-eci": "no"})
        self.create(own)
        self.assertEqual(self.pod("own")["metadata"]["labels"]["created-by-eci"], "no")

    def test_an_edit_counts_for_the_next_pod_within_two_seconds(self):
        self.put([{"name": "one", "objectSelector": {"matchLabels": {"app": "late"}}}])
        time.sleep(2)
        self.create(free("late"))
        self.assertEqual(self.pod("late")["spec"]["nodeSelector"], {"type": "virtual-kubelet"})

    def test_daemon_sets_and_the_system_are_left_alone(self):
        spec = {"containers": [container()], "terminationGracePeriodSeconds": 1}
        made = workload("DaemonSet", "agent", spec)
        made["spec"]["template"]["metadata"]["labels"]["eci"] = "true"
        self.ordinary_node("ordinary-2", 1)
        self.apply(made)
        wait_for(lambda: len(self.pods()) > 0, 15, "the DaemonSet has a pod")
        for one in self.pods():
            self.assertNotIn("nodeSelector", one["spec"])
        path = "/api/v1/namespaces/kube-system/pods"
        self.cluster.call("POST", path + "?dryRun=All", free("sys", {"eci": "true"}))
        made = self.cluster.call("POST", path + "?dryRun=All", free("sys", {"eci": "true"}))
        self.assertNotIn("nodeSelector", made["spec"])

    def test_a_dry_run_shows_what_would_be(self):
        path = f"/api/v1/namespaces/{self.namespace}/pods?dryRun=All"
        made = self.cluster.call("POST", path, free("dry", {"eci": "true"}))
        self.assertEqual(made["spec"]["nodeSelector"], {"type": "virtual-kubelet"})

    # --- when it is away

    def test_no_creation_fails_while_it_is_killed(self):
        began = time.time()
        for at in range(200):
            if at == 60:
                self.ecilet.kill()
            if at == 140:
                self.ecilet.start(is_waiting=False)
            self.create(free(f"p{at}"))  # raises when the API server refuses
        self.assertEqual(len(self.pods()), 200)
        self.ecilet.wait_ready()
        self.assertLess(time.time() - began, 60)
        self.create(free("after", {"eci": "true"}))
        self.wait_running("after")

    def test_it_comes_back_when_somebody_removes_it(self):
        self.cluster.remove(HOOKS)
        self.ecilet.restart(signal.SIGTERM)
        self.wait_hooks(lambda names: "default-selector-5" in names)


class OwnCertificateTest(E2ETest):
    """Nothing but WEBHOOK=true: the certificate is made by ecilet, and the API server believes it."""

    config = {
        "WEBHOOK": "true",
        "WEBHOOK_PORT": str(PORT + 1),
        "WEBHOOK_CERT_DIR": "/nonexistent",
        "VKUBELET_POD_IP": "127.0.0.1",
    }

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.cluster.remove(HOOKS)
        cls.cluster.remove("/api/v1/namespaces/kube-system/secrets/vk-webhook-certs")

    def test_labels_send_pods(self):
        wait_for(lambda: self.cluster.find(HOOKS), 15, "vk-webhook is registered")
        time.sleep(1.2)  # the API server follows its own objects with a watch
        self.create(free("labelled", {"alibabacloud.com/eci": "true"}))
        self.wait_running("labelled")
