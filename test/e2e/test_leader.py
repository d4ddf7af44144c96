"""Two gateways with one node name: one acts, the other looks on, answers, and takes over; never both."""
import base64
import http.client
import json
import os
import signal
import ssl
import time

from harness import E2ETest, Ecilet, container, free_port, pod, stays, wait_for


DESCRIPTION = "k8s.aliyun.com/eci-instance-spec"


class LeaderCase(E2ETest):
    """What the classes below have in common."""

    more = {}  # of the second one
    config = {"LEADER_ELECT": "true", "LEADER_IDENTITY": "one", "SWEEP_SECONDS": "5"}

    def setUp(self):
        super().setUp()
        folder = os.path.join(self.folder, self._testMethodName)
        os.makedirs(folder, exist_ok=True)
        self.other = Ecilet(
            self.cluster,
            self.ecisim,
            folder,
            {**self.config, "LEADER_IDENTITY": "two", "KUBECONFIG": self.ecilet.config["KUBECONFIG"], **self.more},
        )
        self.addCleanup(self.other.stop)  # when it does not get as far as tearDown()
        self.other.start(is_waiting=False)
        wait_for(lambda: "one leads; waiting" in self.other.read_log_since_start(), 30, "the second one waits")

    def tearDown(self):
        """The first one leads again, for the next test."""
        try:
            self.other.end(signal.SIGTERM, 20)
            if not self.ecilet.is_alive():
                self.ecilet.start(is_waiting=False)
            wait_for(lambda: self.holder() == "one", 60, "the first one leads")
            self.ecilet.wait_ready()
        finally:
            super().tearDown()

    def holder(self):
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/ecilet-{self.ecilet.node}"
        return self.cluster.get(path)["spec"].get("holderIdentity")

    def leads(self, ecilet):
        return "this gateway leads now" in ecilet.read_log_since_start()

    def create_many(self, first, count):
        for number in range(first, first + count):
            self.create(pod(f"p{number}"))

    def all_run_once(self, count):
        self.assert_one_each([p["metadata"]["uid"] for p in self.wait_all_running(count)])


class LeaderTest(LeaderCase):
    def test_only_one_acts(self):
        self.create_many(0, 10)
        self.all_run_once(10)
        self.assertFalse(self.leads(self.other))
        self.assertIn("created 0, deleted 0, statuses 0, objects removed 0", self.other.status())
        self.assertIn("this gateway waits", self.other.status())

    def test_the_other_takes_over_at_once_when_the_first_one_stops(self):
        self.create_many(0, 5)
        self.wait_all_running(5)
        self.ecilet.end(signal.SIGTERM, 20)
        wait_for(lambda: self.holder() != "one", 5, "the lease was given back, long before it would have run out")
        wait_for(lambda: self.leads(self.other), 10, "and is taken")
        self.create_many(5, 5)
        self.all_run_once(10)

    def test_the_other_takes_over_when_the_first_one_is_killed(self):
        self.create_many(0, 5)
        self.wait_all_running(5)
        self.ecilet.kill()
        self.create_many(5, 5)
        wait_for(lambda: self.leads(self.other), 25, "the lease has run out and is taken")
        self.all_run_once(10)

    def test_a_leader_that_wakes_up_late_does_nothing_more(self):
        self.ecisim.fault(action="CreateContainerGroup", latency_ms=2000)
        before = self.ecisim.calls("CreateContainerGroup")
        self.create_many(0, 20)
        wait_for(lambda: self.ecisim.calls("CreateContainerGroup") > before, 20, "creations are under way")
        self.ecilet.hold()
        try:
            self.create_many(20, 10)
            wait_for(lambda: self.leads(self.other), 25, "the lease has run out and is taken")
        finally:
            self.ecilet.go_on()
        wait_for(lambda: "starting anew" in self.ecilet.read_log_since_start(), 20, "it sees that it lost")
        wait_for(lambda: "two leads; waiting" in self.ecilet.read_log_since_start(), 20, "it waits")
        self.all_run_once(30)
        self.assertTrue(self.ecilet.is_alive())
        self.assertEqual(self.holder(), "two")


class StandbyTest(LeaderCase):
    """The one that waits answers whoever asks it, and goes on answering when it leads."""

    mode = "container"
    config = {
        **LeaderCase.config,
        "WEBHOOK": "true",
        "WEBHOOK_CERT_DIR": "/nonexistent",
        "VKUBELET_POD_IP": "127.0.0.1",
    }

    @classmethod
    def setUpClass(cls):
        cls.config = {**cls.config, "WEBHOOK_PORT": str(free_port())}
        cls.more = {"WEBHOOK_PORT": str(free_port())}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.cluster.remove("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook")
        cls.cluster.remove("/api/v1/namespaces/kube-system/secrets/vk-webhook-certs")

    def ask(self, port, method, path, body=None, is_known=True):
        """Straight to the port of the second one; (status, body), or (None, why)."""
        context = ssl._create_unverified_context()
        if is_known:
            context.load_cert_chain(self.cluster._pki("admin.crt"), self.cluster._pki("admin.key"))
        connection = http.client.HTTPSConnection("127.0.0.1", int(port), timeout=10, context=context)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return None, str(error)
        finally:
            connection.close()

    def kubelet(self, path, **more):
        return self.ask(self.other.config["KUBELET_PORT"], "GET", path, **more)

    def logs(self, name):
        return self.kubelet(f"/containerLogs/{self.namespace}/{name}/main")

    def wait_logs(self, name, word):
        """Until they come; at the end what comes instead is shown."""
        end = time.monotonic() + 60
        while (found := self.logs(name)) != (200, f"{word}\n") and time.monotonic() < end:
            time.sleep(0.5)
        self.assertEqual(found, (200, f"{word}\n"), name)

    def names(self):
        return [p["metadata"]["name"] for p in json.loads(self.kubelet("/pods")[1])["items"]]

    def is_mutated(self):
        request = {
            "uid": "u-1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": self.namespace,
            "object": {**pod("asked", labels={"alibabacloud.com/eci": "true"}, node=None), "kind": "Pod"},
        }
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        port = self.other.config["WEBHOOK_PORT"]
        status, body = self.ask(port, "POST", "/inject/default-selector-1", json.dumps(review))
        answer = json.loads(body)["response"] if status == 200 else {}
        return "virtual-kubelet" in base64.b64decode(answer.get("patch", "")).decode()

    @staticmethod
    def is_described(found):
        """It runs, and all is noted that ever will be: what is noted later is written over what others write."""
        return found["status"].get("phase") == "Running" and DESCRIPTION in found["metadata"].get("annotations", {})

    def says(self, name, word, **more):
        one = container(image="busybox", command=["sh", "-c", f"echo {word}; exec sleep 3600"])
        self.create(pod(name, one, **more))
        return self.wait_running(name, 60)

    def test_the_one_that_waits_answers_and_goes_on_when_it_leads(self):
        self.says("first", "hello-first")
        wait_for(lambda: self.kubelet("/healthz") == (200, "ok"), 20, "it is well")
        wait_for(lambda: self.names() == ["first"], 20, "it knows the pod")
        self.wait_logs("first", "hello-first")
        for path in "/pods", f"/containerLogs/{self.namespace}/first/main":
            self.assertEqual(self.kubelet(path, is_known=False)[0], 401)
        wait_for(self.is_mutated, 60, "and answers as a webhook")
        self.assertFalse(self.leads(self.other))
        process = self.other.process.pid
        self.ecilet.kill()
        self.assertEqual(self.logs("first"), (200, "hello-first\n"), "nobody leads, and it answers")
        self.assertTrue(self.is_mutated())
        self.says("second", "hello-second")
        self.assertTrue(self.leads(self.other))
        self.assertEqual((self.other.process.pid, self.other.is_alive()), (process, True))
        for name in "first", "second":
            self.wait_logs(name, f"hello-{name}")
        self.assertTrue(self.is_mutated())
        self.assert_one_each([self.pod(name)["metadata"]["uid"] for name in ("first", "second")])
        self.assertNotIn("starting anew", self.other.read_log_since_start())

    def test_a_note_opens_no_logs_of_another_pod(self):
        self.says("victim", "secret-word")
        self.create(pod("thief", container(image="busybox", command=["sleep", "3600"])))
        victim, thief = (self.wait_pod(name, self.is_described, 60, "is described") for name in ("victim", "thief"))
        uids = victim["metadata"]["uid"], thief["metadata"]["uid"]
        noted = {key: text for key, text in victim["metadata"]["annotations"].items() if "eci" in key}
        others = {key: text.replace(*uids) for key, text in noted.items()}  # as if made for this pod
        path = f"/api/v1/namespaces/{self.namespace}/pods/thief"
        self.cluster.call("PATCH", path, {"metadata": {"annotations": others}}, kind="application/merge-patch+json")
        self.other.end(signal.SIGTERM, 20)
        self.other.start(is_waiting=False)  # it knows only what is written there
        self.wait_logs("victim", "secret-word")
        wait_for(lambda: "thief" in self.names(), 20, "it knows the other one")
        stays(lambda: "secret-word" not in self.logs("thief")[1], 3, "its logs are not those of the victim")
        self.assertLessEqual(others.items(), self.pod("thief")["metadata"]["annotations"].items(), "the note is there")
