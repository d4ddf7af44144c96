"""The webhook: pods find their way to ECI without touching manifests (examples of the seed's 2.2 and 2.3)."""
import json
import os
import shutil
import signal
import subprocess
import time

from harness import (
    ECILET,
    MANIFESTS,
    E2ETest,
    Run,
    condition,
    container,
    free_port,
    parse_time,
    pod,
    wait_for,
    workload,
)

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook"
BURST = "alibabacloud.com/burst-resource"


def free(name, labels=None, annotations=None, **fields):
    """A pod that names no node."""
    made = pod(name, labels=labels, node=None, **fields)
    made["metadata"]["annotations"] = annotations or {}
    return made


class WebhookCase(E2ETest):
    """What the classes below have in common."""

    def asked(self, made):
        """What would become of it."""
        return self.cluster.call("POST", f"/api/v1/namespaces/{self.namespace}/pods?dryRun=All", made)

    def wait_asked(self, made, test):
        """Until a pod like this would pass: labels of namespaces and selectors reach the API server by watches."""
        wait_for(lambda: test(self.asked(made)), 60, "the webhook judges as it should")


class WebhookTest(WebhookCase):
    config = {"WEBHOOK": "true", "WEBHOOK_PORT": str(free_port()), "VKUBELET_POD_IP": "127.0.0.1"}

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
        self.wait_asked(free("ask", {"eci": "true"}), lambda found: found["spec"]["nodeSelector"])

    def tearDown(self):
        try:
            self.cluster.remove(CONFIG_MAP)
            self.kubectl("delete", "deployment,replicaset,daemonset", "--all")
            for node in self.cluster.get("/api/v1/nodes")["items"]:
                if node["metadata"]["name"].startswith("ordinary-"):
                    self.cluster.remove(f"/api/v1/nodes/{node['metadata']['name']}")
            wait_for(self.none_is_elsewhere, 60, "ordinary nodes run nothing")
        finally:
            super().tearDown()

    def none_is_elsewhere(self):
        """Nobody is there to end what runs on an ordinary node."""
        orphans = [p["metadata"]["name"] for p in self.pods() if p["spec"].get("nodeName", "").startswith("ordinary-")]
        for name in orphans:
            self.remove_now(name)
        return not orphans

    def remove_now(self, name):
        self.cluster.remove(f"/api/v1/namespaces/{self.namespace}/pods/{name}?gracePeriodSeconds=0")

    def hooks(self):
        found = self.cluster.find(HOOKS)
        return {hook["name"].split(".")[0]: hook for hook in found["webhooks"]} if found else {}

    def wait_hooks(self, test):
        """In the object; the API server follows its own objects with a watch: wait_asked()."""
        wait_for(lambda: test(self.hooks()), 60, "vk-webhook shows the selectors")

    def put(self, selectors, **data):
        metadata = {"name": "eci-profile", "namespace": "kube-system"}
        data["selectors"] = json.dumps(selectors)
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    def is_scheduled_to(self, name, node):
        self.wait_pod(name, lambda p: p["spec"].get("nodeName"), 60, "has a node")
        self.assertEqual(self.pod(name)["spec"]["nodeName"], node)

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
            self.wait_asked(free("ask"), lambda found: found["spec"]["nodeSelector"])
            self.create(free(f"p{at}"))
            self.wait_running(f"p{at}")
            self.kubectl("label", "namespace", self.namespace, label.split("=")[0] + "-")
            self.wait_asked(free("ask"), lambda found: "nodeSelector" not in found["spec"])
        self.create(free("after"))
        self.assertNotIn("nodeSelector", self.pod("after")["spec"])

    def ordinary_node(self, name, cpu):
        status = {
            "capacity": {"cpu": str(cpu), "memory": "8Gi", "pods": "100"},
            "allocatable": {"cpu": str(cpu), "memory": "8Gi", "pods": "100"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        labels = {"type": "real", "name": name}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        self.cluster.call("POST", "/api/v1/nodes", node)
        path = f"/api/v1/nodes/{name}"
        self.cluster.call("PATCH", path + "/status", {"status": status}, kind="application/merge-patch+json")
        # The node controller taints nodes it has not heard of; a fresh Ready condition takes it away.
        self.cluster.call("PATCH", path, {"spec": {"taints": None}}, kind="application/merge-patch+json")
        # The scheduler knows of it when it sends there what can go nowhere else.
        self.create(free("scout", nodeSelector={"name": name}))
        self.is_scheduled_to("scout", name)
        self.remove_now("scout")

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

        wait_for(all_four, 60, "all replicas are in ECI")
        self.wait_pod("waits", lambda p: condition(p, "PodScheduled").get("reason") == "Unschedulable", 60, "waits")
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

        found = wait_for(nodes, 60, "all replicas have a node")
        self.assertEqual(found, ["ordinary-3"] * 5 + ["ordinary-4"] * 5 + [self.ecilet.node] * 2)

    def test_a_bad_burst_resource_is_told(self):
        text = json.dumps({"apiVersion": "v1", **free("odd", annotations={BURST: "sometimes"})})
        said = self.kubectl("apply", "-f", "-", stdin=text)
        made = self.pod("odd")
        self.assertNotIn("nodeSelector", made["spec"])
        self.assertNotIn("affinity", made["spec"])
        self.assertIn('"sometimes" is neither eci nor eci_only', said)

    def run_example(self, name):
        """A manifest of the manual as it stands; returns its pods when they run in ECI."""
        count = 4 if name == "2.2-burst-resource" else 1
        self.kubectl("apply", "-f", os.path.join(MANIFESTS, "seed", f"{name}.yaml"))

        def running():
            found = [p for p in self.pods() if p["status"].get("phase") == "Running"]
            return found if len(found) == count else None

        found = wait_for(running, 60, f"{name} runs")
        self.assertEqual([p["spec"]["nodeName"] for p in found], [self.ecilet.node] * count)
        path = os.path.join(MANIFESTS, "seed", f"{name}.yaml")
        self.kubectl("delete", "--wait=false", "--grace-period=1", "-f", path)
        for one in found:
            self.kubectl("delete", "pod", one["metadata"]["name"], "--wait=false", "--grace-period=1", "--ignore-not-found")
        wait_for(lambda: not self.pods(), 120, f"{name} is gone")
        return found

    def test_examples_of_the_manual(self):
        """All ways of 2.2, from the files of the manual; there is no ordinary node here."""
        for name in "2.2-pod-label", "2.2-burst-resource", "2.2-node-selector", "2.2-node-name":
            self.run_example(name)
        self.kubectl("label", "namespace", self.namespace, "alibabacloud.com/eci=true")
        self.wait_asked(free("ask"), lambda found: found["spec"]["nodeSelector"])
        self.run_example("2.2-namespace-label")

    # --- seed 2.3

    def use_example(self, name, shown):
        """A profile of the manual as it stands; then looks, as the manual says, whether it has arrived."""
        path = os.path.join(MANIFESTS, "profiles", f"{name}.yaml")
        subprocess.run([ECILET, "lint", "-f", path], check=True, stdout=subprocess.DEVNULL)
        self.cluster.kubectl("apply", "-f", path)
        self.wait_hooks(lambda names: all(one in names for one in shown))
        text = self.cluster.kubectl("get", "mutatingwebhookconfigurations", "-o", "yaml", "vk-webhook")
        return text

    def test_profiles_of_the_manual(self):
        text = self.use_example("2.3-typical-profile", [f"default-selector-{n}" for n in range(1, 6)])
        self.assertIn("virtual-node-affinity-injection: enabled", text)
        self.kubectl("label", "namespace", self.namespace, "virtual-node-affinity-injection=enabled")
        self.wait_asked(free("ask"), lambda found: found["metadata"]["labels"]["created-by-eci"])
        made = self.create(free("typical"))[0]
        self.assertEqual(made["metadata"]["labels"]["created-by-eci"], "true")
        self.assertEqual(made["metadata"]["annotations"]["k8s.aliyun.com/eci-image-cache"], "true")
        self.wait_running("typical")
        asked = self.ecisim.parameters(self.ecisim.groups_of(made)[0]["id"])
        self.assertEqual((asked["VSwitchId"], asked["SecurityGroupId"]), ("vsw-111,vsw-222", "sg-xxx"))
        self.kubectl("label", "namespace", self.namespace, "virtual-node-affinity-injection-", "department=bigdata")

        text = self.use_example("2.3-scheduler", ["demo"])
        self.assertIn("department: bigdata", text)
        self.wait_asked(free("ask", {"type": "offline-task"}), lambda found: found["spec"]["nodeSelector"])
        task = self.create(free("task", {"type": "offline-task"}))[0]
        self.assertEqual(task["spec"]["nodeSelector"], {"type": "virtual-kubelet"})
        self.assertNotIn("created-by-eci", task["metadata"]["labels"])
        self.wait_running("task")

        self.use_example("2.3-effect", ["demo"])
        # The names are those of before, so only a pod shows when it counts.
        ask = free("ask", {"type": "offline-task"})
        self.wait_asked(ask, lambda found: found["metadata"]["labels"]["created-by-eci"])
        again = self.create(free("again", {"type": "offline-task"}), free("web", {"type": "web"}))
        self.assertEqual(again[0]["metadata"]["labels"]["created-by-eci"], "true")
        self.assertEqual(again[0]["metadata"]["annotations"]["k8s.aliyun.com/eci-image-cache"], "true")
        self.assertNotIn("nodeSelector", again[1]["spec"])
        self.wait_running("again")

        self.use_example("2.3-hot-reload", ["default-selector-1"])
        self.wait_asked(free("ask", {"eci": "true"}), lambda found: found["spec"]["nodeSelector"])
        made = self.create(free("elsewhere", {"eci": "true"}))[0]
        self.wait_running("elsewhere")
        asked = self.ecisim.parameters(self.ecisim.groups_of(made)[0]["id"])
        self.assertEqual(asked["VSwitchId"], "vsw-2zeet2ksvw7f14ryz0001,vsw-2ze94pjtfuj9vaymf0002")
        self.assertEqual(asked["SecurityGroupId"], "sg-2ze0b9o8pjjzts4h0001")

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
        asks = free("ask", {"type": "offline-task"})
        self.wait_asked(asks, lambda found: found["metadata"]["labels"]["created-by-eci"])
        self.create(free("task", {"type": "offline-task"}), free("other", {"type": "web"}))
        found = self.wait_running("task")
        self.assertEqual(found["metadata"]["labels"]["created-by-eci"], "true")
        self.assertEqual(found["metadata"]["annotations"]["k8s.aliyun.com/eci-ntp-server"], "10.0.0.9")
        self.assertNotIn("nodeSelector", self.pod("other")["spec"])
        own = free("own", {"type": "offline-task", "created-by-eci": "no"})
        self.create(own)
        self.assertEqual(self.pod("own")["metadata"]["labels"]["created-by-eci"], "no")

    def test_an_edit_counts_for_the_next_pod_within_two_seconds(self):
        """Measured by ecilet's own log: how long a question takes is the machine's affair."""
        before = len(self.ecilet.read_log())
        self.put([{"name": "one", "objectSelector": {"matchLabels": {"app": "late"}}}])
        written = time.time()

        def said_at(words, since=0.0):
            lines = [line for line in self.ecilet.read_log()[before:].splitlines() if words in line]
            return [at for at in (parse_time(line.split()[0]) for line in lines) if at >= since][0]

        taken = wait_for(lambda: said_at(" taken over: 1 selectors"), 60, "the log says so")
        self.assertLess(taken - written, 2)
        shown = wait_for(lambda: said_at(" is in step with the profile", taken), 60, "vk-webhook shows it")
        self.assertLess(shown - written, 5, "three are the API server's")
        self.wait_asked(free("late"), lambda found: found["spec"]["nodeSelector"] == {"type": "virtual-kubelet"})
        self.assertEqual(self.create(free("late"))[0]["spec"]["nodeSelector"], {"type": "virtual-kubelet"})

    def test_daemon_sets_and_the_system_are_left_alone(self):
        spec = {"containers": [container()], "terminationGracePeriodSeconds": 1}
        made = workload("DaemonSet", "agent", spec)
        made["spec"]["template"]["metadata"]["labels"]["eci"] = "true"
        self.ordinary_node("ordinary-2", 1)
        self.apply(made)
        wait_for(lambda: len(self.pods()) > 0, 60, "the DaemonSet has a pod")
        for one in self.pods():
            self.assertNotIn("nodeSelector", one["spec"])
        path = "/api/v1/namespaces/kube-system/pods"
        self.cluster.call("POST", path + "?dryRun=All", free("sys", {"eci": "true"}))
        made = self.cluster.call("POST", path + "?dryRun=All", free("sys", {"eci": "true"}))
        self.assertNotIn("nodeSelector", made["spec"])

    def test_a_dry_run_shows_what_would_be(self):
        made = self.asked(free("dry", {"eci": "true"}))
        self.assertEqual(made["spec"]["nodeSelector"], {"type": "virtual-kubelet"})
        self.assertIsNone(self.pod("dry"))

    # --- when it is away

    def test_no_creation_fails_while_it_is_killed(self):
        began = time.time()
        for at in range(200):
            if at == 60:
                self.ecilet.kill()
            if at == 140:
                self.ecilet.start(is_waiting=False)
            self.create(free(f"p{at}"))  # raises when the API server refuses
        self.assertLess(time.time() - began, 60)
        self.assertEqual(len(self.pods()), 200)
        self.ecilet.wait_ready()
        self.wait_asked(free("ask", {"eci": "true"}), lambda found: found["spec"]["nodeSelector"])
        self.create(free("after", {"eci": "true"}))
        self.wait_running("after")

    def test_it_comes_back_when_somebody_removes_it(self):
        self.cluster.remove(HOOKS)
        self.ecilet.restart(signal.SIGTERM)
        self.wait_hooks(lambda names: "default-selector-5" in names)


class OwnCertificateTest(WebhookCase):
    """Nothing but WEBHOOK=true: the certificate is made by ecilet, and the API server believes it."""

    config = {
        "WEBHOOK": "true",
        "WEBHOOK_PORT": str(free_port()),
        "WEBHOOK_CERT_DIR": "/nonexistent",
        "VKUBELET_POD_IP": "127.0.0.1",
    }

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.cluster.remove(HOOKS)
        cls.cluster.remove("/api/v1/namespaces/kube-system/secrets/vk-webhook-certs")

    def test_labels_send_pods(self):
        wait_for(lambda: self.cluster.find(HOOKS), 60, "vk-webhook is registered")
        self.wait_asked(free("ask", {"eci": "true"}), lambda found: found["spec"]["nodeSelector"])
        self.create(free("labelled", {"alibabacloud.com/eci": "true"}))
        self.wait_running("labelled")
