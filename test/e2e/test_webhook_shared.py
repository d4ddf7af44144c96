"""Two gateways share the webhook: one certificate through a Secret, one address through a balancer."""
import base64
import http.client
import itertools
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time

from harness import ECILET, ApiError, E2ETest, Ecilet, Run, free_port, parse_time, pod, wait_for

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook"
SECRETS = "/api/v1/namespaces/kube-system/secrets"
SECRET = SECRETS + "/vk-webhook-certs"
SENT = {"type": "virtual-kubelet"}


class Balancer(threading.Thread):
    """Passes TCP on to the servers in turn; one that does not answer is left out."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.turn = itertools.cycle(ports)
        self.ports = ports
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.passed = {port: 0 for port in ports}
        self.start()

    def stop(self):
        self.listener.close()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def dial(self):
        for _ in self.ports:
            port = next(self.turn)
            try:
                server = socket.create_connection(("127.0.0.1", port), timeout=1)
                self.passed[port] += 1
                return server
            except OSError:
                continue
        return None

    def serve(self, peer):
        server = self.dial()
        if server is None:
            peer.close()
            return
        other = {peer: server, server: peer}
        try:
            while True:
                for ready in select.select(list(other), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    other[ready].sendall(data)
        except OSError:
            return
        finally:
            peer.close()
            server.close()


def free(name, labels=None):
    """A pod that names no node."""
    return pod(name, labels=labels, node=None)


def shown(port):
    """The certificate that this port shows now, or None."""
    try:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=5)
    except (OSError, ssl.SSLError):
        return None


class SharedCase(E2ETest):
    """What the classes below have in common."""

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for path in HOOKS, SECRET, CONFIG_MAP:
            cls.cluster.remove(path)

    def hooks(self):
        found = self.cluster.find(HOOKS)
        return found["webhooks"] if found else []

    def bundle(self):
        return base64.b64decode(self.hooks()[0]["clientConfig"]["caBundle"]).decode()

    def secret(self):
        found = self.cluster.find(SECRET)
        return {key: base64.b64decode(text).decode() for key, text in (found or {}).get("data", {}).items()}

    def ask(self, port, labels, path="/inject/default-selector-1"):
        """An AdmissionReview as the API server sends it, believed by what is registered; the answer."""
        trust = ssl.create_default_context(cadata=self.bundle())
        trust.check_hostname = True
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=trust)
        request = {
            "uid": "u-1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": self.namespace,
            "object": {**free("asked", labels), "kind": "Pod"},
        }
        body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())["response"]
        finally:
            connection.close()

    def is_sent(self):
        path = f"/api/v1/namespaces/{self.namespace}/pods?dryRun=All"
        made = self.cluster.call("POST", path, free("dry", {"eci": "true"}))
        return made["spec"].get("nodeSelector") == SENT

    def create_sent(self, *names):
        for name in names:
            self.assertTrue(self.create_one(name), f"{name} was seen by a webhook")

    def create_one(self, name):
        made = self.create(free(name, {"eci": "true"}))[0]
        return made["spec"].get("nodeSelector") == SENT

    def create_until(self, is_over, what):
        """One pod after the other; none is missed or refused at any time."""
        missed, numbers = [], itertools.count()

        def look():
            name = f"p{next(numbers)}"
            try:
                if not self.create_one(name):
                    missed.append(name)
            except ApiError as error:  # wait_for() would only try the next one
                missed.append(f"{name}: {error}")
            time.sleep(0.4)
            return is_over()

        wait_for(look, 180, what)
        self.create_sent("last")
        self.assertEqual(missed, [], "pods that no webhook has seen, or that were refused")


class SharedTest(SharedCase):
    config = {
        "WEBHOOK": "true",
        "WEBHOOK_CERT_DIR": "/nonexistent",
        "VKUBELET_POD_IP": "127.0.0.1",
        "LEADER_ELECT": "true",
        "LEADER_IDENTITY": "one",
    }

    @classmethod
    def setUpClass(cls):
        cls.ports = [free_port(), free_port()]
        cls.balancer = Balancer(cls.ports)
        url = f"https://127.0.0.1:{cls.balancer.port}"
        cls.config = {**cls.config, "WEBHOOK_URL": url, "WEBHOOK_PORT": str(cls.ports[0])}
        super().setUpClass()
        folder = os.path.join(cls.folder, "two")
        os.makedirs(folder)
        more = {"LEADER_IDENTITY": "two", "WEBHOOK_PORT": str(cls.ports[1])}
        more["KUBECONFIG"] = cls.ecilet.config["KUBECONFIG"]
        cls.other = Ecilet(cls.cluster, cls.ecisim, folder, {**cls.config, **more})
        cls.addClassCleanup(cls.other.stop)

    @classmethod
    def tearDownClass(cls):
        cls.other.stop()
        cls.balancer.stop()
        super().tearDownClass()
        cls.cluster.remove(f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/ecilet-{cls.ecilet.node}")

    def setUp(self):
        super().setUp()
        for one in self.ecilet, self.other:
            if not one.is_alive():
                one.start(is_waiting=False)
        wait_for(self.is_shared, 90, "both show the certificate of the Secret")
        wait_for(self.is_sent, 60, "pods are seen")
        wait_for(self.both_judge, 60, "both know the profile")

    def both_judge(self):
        return all("patch" in self.ask(port, {"alibabacloud.com/eci": "true"}) for port in self.ports)

    def is_shared(self):
        text = self.secret().get("tls.crt")
        return text is not None and [shown(port).strip() for port in self.ports] == [text.strip()] * 2

    def waiting(self):
        """Of the two the one that does not lead."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/ecilet-{self.ecilet.node}"
        holder = self.cluster.get(path)["spec"].get("holderIdentity")
        return (self.other, 1) if holder == "one" else (self.ecilet, 0)

    def test_both_answer_alike(self):
        wait_for(lambda: self.bundle() == self.secret()["ca.crt"], 60, "the API server believes what they share")
        answers = [self.ask(port, {"alibabacloud.com/eci": "true"}) for port in self.ports]
        self.assertEqual(answers[0], answers[1])
        self.assertTrue(answers[0]["allowed"])
        self.assertIn("virtual-kubelet", base64.b64decode(answers[0]["patch"]).decode())
        self.assertEqual(self.cluster.get(SECRET)["type"], "kubernetes.io/tls")

    def test_the_profile_is_followed_by_both(self):
        selector = {"name": "late", "objectSelector": {"matchLabels": {"app": "asked"}}}
        selector["effect"] = {"labels": {"from": "the-profile"}}
        metadata = {"name": "eci-profile", "namespace": "kube-system"}
        data = {"selectors": json.dumps([selector])}
        began = time.time()
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        try:
            for port in self.ports:

                def follows():
                    answer = self.ask(port, {}, "/inject/late")
                    return "the-profile" in base64.b64decode(answer["patch"]).decode()

                wait_for(follows, 60, "the new profile counts")
        finally:
            self.cluster.remove(CONFIG_MAP)
        waiting, _ = self.waiting()
        said = [line for line in waiting.read_log().splitlines() if "is in step with the profile" in line]
        said = [line for line in said if parse_time(line.split()[0]) >= began]
        self.assertEqual(said, [], "only the leader registers")

    def test_one_is_killed_and_admission_goes_on(self):
        for round_ in range(2):
            leader = self.ecilet if self.waiting()[0] is self.other else self.other
            victim = leader if round_ == 0 else self.waiting()[0]
            victim.kill()
            for number in range(10):
                self.create(free(f"r{round_}-{number}", {"eci": "true"}))  # raises when it is refused
            wait_for(self.is_sent, 60, "pods are seen again")
            self.create_sent(*[f"seen-{round_}-{number}" for number in range(20)])
            victim.start(is_waiting=False)
            wait_for(self.is_shared, 90, "it shows the shared certificate again")
        # The very first ones after a kill may not have been seen; all others run.
        for name in [f"seen-{round_}-{number}" for round_ in range(2) for number in range(20)]:
            self.wait_running(name, 120)

    def test_a_broken_secret_is_replaced_while_pods_are_created(self):
        before = shown(self.ports[0])
        began = time.time()
        broken = {"data": {"tls.crt": base64.b64encode(b"edited by hand").decode()}}
        self.cluster.call("PATCH", SECRET, broken, kind="application/merge-patch+json")

        def is_replaced():
            return self.is_shared() and shown(self.ports[0]) not in (None, before)

        self.create_until(is_replaced, "both show the new certificate")
        self.assertIn(before.strip(), self.bundle(), "who still shows the old one is believed, too")
        wait_for(lambda: self.cluster.node_events("WebhookSecretReplaced", began), 60, "an event tells it")

    def test_no_key_reaches_a_log(self):
        key = self.secret()["tls.key"]
        lines = [line for line in key.splitlines() if len(line) > 20 and "-----" not in line]
        self.assertTrue(lines)
        for one in self.ecilet, self.other:
            text = one.read_log()
            self.assertNotIn("PRIVATE KEY", text)
            for line in lines:
                self.assertNotIn(line, text)


class RefusedTest(SharedCase):
    """Without the permission for the Secret: a certificate of its own, told once."""

    config = {
        "WEBHOOK": "true",
        "WEBHOOK_CERT_DIR": "/nonexistent",
        "WEBHOOK_PORT": str(free_port()),
        "VKUBELET_POD_IP": "127.0.0.1",
    }
    starts_ecilet = False

    def test_it_works_and_says_so(self):
        user = "unshared"
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        bindings = self.cluster.bindings(user, [subject])
        own = [b for b in bindings if b["metadata"].get("namespace") != "kube-system"]
        self.assertEqual(len(own), len(bindings) - 1)
        for binding in bindings:
            self.addCleanup(self.cluster.kubectl, "delete", "--ignore-not-found", "-f", "-", stdin=binding)
        self.cluster.apply(*own)
        began = time.time()
        self.ecilet.config["KUBECONFIG"] = self.cluster.user(user)
        self.ecilet.write_config()
        self.ecilet.start()
        wait_for(self.is_sent, 60, "pods are seen")
        self.assertIsNone(self.cluster.find(SECRET))
        self.create_sent("p")
        self.wait_running("p")
        wait_for(lambda: self.cluster.node_events("WebhookSecretRefused", began), 60, "an event tells it")
        self.assertEqual(self.ecilet.read_log_since_start().count("WebhookSecretRefused"), 1)
        # The permission comes, nothing else is done but a restart: now it is shared.
        self.cluster.apply(*[b for b in bindings if b not in own])
        may = (user, [], "create", "secrets", "kube-system")
        wait_for(lambda: self.cluster.is_allowed(*may), 60, "the API server knows the permission")
        self.ecilet.restart()
        wait_for(lambda: self.cluster.find(SECRET), 60, "the Secret is made")
        wait_for(lambda: self.bundle() == self.secret()["ca.crt"], 60, "and registered")
        wait_for(self.is_sent, 60, "pods are seen")
        self.kubectl("delete", "pod", "p", "--wait=false")
        wait_for(lambda: self.pod("p") is None, 60, "the pod is gone")


class FilesTest(SharedCase):
    """WEBHOOK_CERT_DIR: files that are replaced at run time are served within a minute."""

    @classmethod
    def setUpClass(cls):
        cls.certs = os.path.join(Run.make_folder("webhook-files"), "certs")
        os.makedirs(cls.certs, exist_ok=True)
        cls.port = free_port()
        cls.config = {
            "WEBHOOK": "true",
            "WEBHOOK_CERT_DIR": cls.certs,
            "WEBHOOK_PORT": str(cls.port),
            "VKUBELET_POD_IP": "127.0.0.1",
        }
        cls.put_files(Run.cluster(), "hook-a")
        super().setUpClass()

    @classmethod
    def put_files(cls, cluster, name):
        cert, key = cluster.certificate(name, "IP:127.0.0.1")
        shutil.copy(key, f"{cls.certs}/tls.key")
        shutil.copy(os.path.join(cluster.folder, "ca.crt"), f"{cls.certs}/ca.crt")
        shutil.copy(cert, f"{cls.certs}/tls.crt")

    def test_replaced_files_are_shown_and_no_pod_is_missed(self):
        wait_for(self.is_sent, 60, "pods are seen")
        before = shown(self.port)
        # With an authority of its own: both are believed until the new certificate is shown.
        key, cert = f"{self.certs}/new.key", f"{self.certs}/new.crt"
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        argv += ["-subj", "/CN=hook-b", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30"]
        subprocess.run(argv + ["-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
        for source, target in (key, "tls.key"), (cert, "ca.crt"), (cert, "tls.crt"):
            shutil.copy(source, f"{self.certs}/{target}")
        with open(cert, encoding="utf-8") as file:
            text = file.read()

        def is_shown():
            return shown(self.port) not in (None, before) and self.bundle() == text

        self.create_until(is_shown, "the new certificate is shown, and only its authority is believed")
        self.assertIsNone(self.cluster.find(SECRET), "files need no Secret")


class TwoNodesTest(SharedCase):
    """A second node in the cluster, with a gateway at another address."""

    config = {
        "WEBHOOK": "true",
        "WEBHOOK_CERT_DIR": "/nonexistent",
        "WEBHOOK_PORT": str(free_port()),
        "VKUBELET_POD_IP": "127.0.0.1",
    }

    def second(self):
        folder = os.path.join(self.folder, "second")
        os.makedirs(folder)
        more = {"NODE_NAME": "vk-two", "WEBHOOK_PORT": str(free_port())}
        more["KUBECONFIG"] = self.cluster.user("second", "system:masters")
        made = Ecilet(self.cluster, self.ecisim, folder, {**self.config, **more})
        self.addCleanup(self.cluster.remove, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/vk-two")
        self.addCleanup(self.cluster.remove, "/api/v1/nodes/vk-two")
        self.addCleanup(made.stop)
        return made

    def notes(self):
        return self.cluster.get(HOOKS)["metadata"]["annotations"]

    def test_who_comes_second_leaves_the_registration_alone(self):
        wait_for(self.is_sent, 60, "pods are seen")
        began = time.time()
        held = f"https://127.0.0.1:{self.config['WEBHOOK_PORT']}"
        other = self.second()
        other.start()
        port = other.config["WEBHOOK_PORT"]
        wait_for(lambda: self.notes()["ecilet/webhook-waits"] == f"https://127.0.0.1:{port}", 60, "it waits")
        told = wait_for(lambda: self.cluster.node_events("WebhookElsewhere", began), 60, "it says so")
        self.assertEqual([event["involvedObject"]["name"] for event in told], ["vk-two"])
        self.assertIn(f"vk-webhook leads to {held} (a gateway of node {self.ecilet.node})", told[0]["message"])
        self.assertEqual(self.notes()["ecilet/webhook-place"], held)
        self.assertTrue(all(hook["clientConfig"]["url"].startswith(held + "/") for hook in self.hooks()))
        wait_for(self.is_sent, 60, "pods are seen")
        argv = [ECILET, "uninstall", "--config", other.config_file, "--force"]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=60, env={"PATH": "/usr/bin"})
        said = done.stdout
        self.assertIn("left          MutatingWebhookConfiguration vk-webhook: a gateway of another node", said)
        self.assertIn("left          Secret kube-system/vk-webhook-certs: ", said)
        self.assertIn("would remove  Node vk-two\n", said)
        # Who holds it says so when it looks: at the latest when it starts again.
        self.ecilet.restart()
        wait_for(lambda: "ecilet/webhook-waits" not in self.notes(), 60, "the holder lives")
        self.assertEqual(self.notes()["ecilet/webhook-place"], held)
