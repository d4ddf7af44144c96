"""Nothing secret is shown anywhere."""
import base64
import json
import os

from harness import ACCESS_KEY, UID_TAG, E2ETest, container, phase, pod

SECRET = "PLANTEDsecret0123456789abcdefg"
STS_TOKEN = "PLANTEDststoken" + "x" * 60


class SecretsTest(E2ETest):
    config = {"LOG_LEVEL": "debug"}
    starts_ecilet = False

    def token_kubeconfig(self):
        """With a bearer token, as a gateway would have it."""
        self.cluster.grant()
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "planted"}}
        subject = [{"kind": "ServiceAccount", "name": "planted", "namespace": "kube-system"}]
        self.cluster.apply(account, namespace="kube-system")
        reply = self.cluster.call(
            "POST",
            "/api/v1/namespaces/kube-system/serviceaccounts/planted/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}},
        )
        self.cluster.apply(*self.cluster.bindings("planted", subject))
        token = reply["status"]["token"]
        with open(os.path.join(self.cluster.folder, "ca.crt"), "rb") as file:
            authority = base64.b64encode(file.read()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [
                {
                    "name": "it",
                    "cluster": {
                        "server": f"https://{self.cluster.address}",
                        "certificate-authority-data": authority,
                    },
                }
            ],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        file = os.path.join(self.folder, "token.kubeconfig")
        self.ecilet.write_secret(file, json.dumps(config))
        return file, token

    def test_nothing_planted_is_shown(self):
        kubeconfig, token = self.token_kubeconfig()
        self.ecisim.set(access_secret=SECRET, sts_token=STS_TOKEN)
        self.ecilet.config.update(
            KUBECONFIG=kubeconfig, ECI_SECRET_KEY_FILE=None, ECI_SECRET_KEY=SECRET, ECI_SECURITY_TOKEN=STS_TOKEN
        )
        self.ecilet.write_config()
        self.ecilet.start()
        password = "PLANTEDpassword-in-env"
        env = [{"name": "PASSWORD", "value": password}]
        self.create(pod("plain", container(env=env)))
        self.wait_running("plain")
        # Errors speak of requests: they must not repeat what is secret in them.
        faults = {
            "forbidden": {"status": 403, "code": "Forbidden.RAM"},
            "invalid": {"status": 400, "code": "InvalidParameter", "message": "The specified parameter is wrong."},
            "cut": {"cut_after": True},
            "malformed": {"malformed_json": True},
        }
        for name, fault in faults.items():
            self.ecisim.clear_faults()
            self.ecisim.fault(action="CreateContainerGroup", count=1, **fault)
            self.create(pod(name, container(env=env)))
            # Before the next fault: it is for the next pod, not for another try of this one.
            self.wait_pod(name, lambda p: phase(p) in ("Running", "Failed"), 90, "has come to something")
            self.assertEqual(self.ecisim.faults_fired(), 1, name)
            if "code" in fault:  # else a listing may show the instance before it is missed
                self.wait_event(name, "ProviderCreateFailed")
        self.ecisim.set(access_secret="another" + SECRET)
        self.wait_reachable("False", 30)
        self.ecisim.set(access_secret=SECRET)
        self.wait_reachable("True", 30)
        with open(f"/proc/{self.ecilet.process.pid}/cmdline", "rb") as file:
            command_line = file.read().decode()
        shown = {
            "log": self.ecilet.read_log(),
            "command line": command_line,
            "events": json.dumps(self.cluster.get("/api/v1/events")),
            "node": json.dumps(self.node()),
            "lease": json.dumps(self.cluster.lease()),
            "instances": json.dumps(self.ecisim.groups(tag_key=UID_TAG)),
            "status": json.dumps([p["status"] for p in self.pods()]),
        }
        self.assertGreater(len(shown["log"]), 2000)
        for place, text in shown.items():
            for kind, secret in {
                "access key secret": SECRET,
                "STS token": STS_TOKEN,
                "bearer token": token,
                "its signature": token.rsplit(".", 1)[1],
                "value of a variable": password,
            }.items():
                self.assertNotIn(secret, text, f"{kind} is shown in the {place}")
        self.assertNotIn(ACCESS_KEY, json.dumps(self.cluster.get("/api/v1/events")), "not even the key's name")
