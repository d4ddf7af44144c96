"""A token in a file, as clusters hand them out: replaced while we run, and the old one refused."""
import json
import os
import time

from harness import E2ETest, pod, wait_for
from test_faults import has_fresh_lease


class RotationTest(E2ETest):
    starts_ecilet = False
    config = {"POLL_FAST_MS": "500"}

    def setUp(self):
        super().setUp()
        self.token_file = os.path.join(self.folder, "token")
        usual = self.ecilet.config["KUBECONFIG"]
        self.addCleanup(self.use, usual)
        with open(usual, encoding="utf-8") as file:
            text = file.read()
        # The same cluster; a token in place of the certificate.
        lines = [line for line in text.splitlines() if "client-key-data" not in line]
        at = next(number for number, line in enumerate(lines) if "client-certificate-data" in line)
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        lines[at] = f"{indent}tokenFile: {self.token_file}"
        path = os.path.join(self.folder, "token.kubeconfig")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.use(path)

    def use(self, kubeconfig):
        self.ecilet.config["KUBECONFIG"] = kubeconfig
        self.ecilet.write_config()

    def tearDown(self):
        super().tearDown()
        self.ecilet.stop()
        for binding in self.cluster.bindings("rotation", []):
            self.cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=json.dumps(binding))

    def account(self, name):
        self.kubectl("create", "serviceaccount", name)
        return {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}

    def token(self, account):
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        return self.cluster.call("POST", path, body)["status"]["token"]

    def put_token(self, token):
        """At once, as the kubelet does it: by a new file under the old name."""
        self.ecilet.write_secret(self.token_file + ".new", token)
        os.rename(self.token_file + ".new", self.token_file)

    def test_the_old_token_is_refused_in_the_midst_of_a_watch(self):
        self.cluster.apply(*self.cluster.bindings("rotation", [self.account("first"), self.account("second")]))
        self.put_token(self.token("first"))
        self.ecilet.start()
        pid = self.ecilet.process.pid
        made = self.create(pod("before"))
        self.wait_running("before", 60)
        self.put_token(self.token("second"))
        self.kubectl("delete", "serviceaccount", "first")
        time.sleep(15)  # the API server remembers for ten seconds whom it believed
        made += self.create(pod("after"))
        self.wait_running("after", 90)
        wait_for(lambda: has_fresh_lease(self.cluster), 30, "the lease is renewed")
        self.kubectl("delete", "pod", "before", "--wait=false")
        wait_for(lambda: self.pod("before") is None, 60, "the watch goes on")
        self.assertEqual(self.ecilet.process.pid, pid)
        self.assertTrue(self.ecilet.is_alive())
        self.assert_one_each([p["metadata"]["uid"] for p in made])
