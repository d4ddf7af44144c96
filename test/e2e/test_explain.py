"""`ecilet explain` says beforehand, offline, what the node then asks of the cloud."""
import json
import os
import subprocess

from harness import ECILET, NODE, E2ETest, container, pod, wait_for

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"
PLANTED = "planted-e41b"
ALIYUN = "k8s.aliyun.com/"

EFFECT = {"annotations": {ALIYUN + "eci-use-specs": "4-8Gi"}, "labels": {"team": "blue"}}
PROFILE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "eci-profile", "namespace": "kube-system"},
    "data": {"vSwitchIds": "vsw-explained", "selectors": json.dumps([{"name": "all", "effect": EFFECT}])},
}


def reference(kind, name, **fields):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


REFERENCES = [  # all but the volume and its claim
    reference("ConfigMap", "settings", data={"MODE": "fast", "LEVEL": "7"}),
    reference("ConfigMap", "files", data={"app.conf": "a=1\n"}, binaryData={"b": "AAEC"}),
    reference("Secret", "key", stringData={"password": PLANTED, "user": "alice"}),
    reference("ServiceAccount", "web", imagePullSecrets=[{"name": "pull"}]),
    reference(
        "Secret",
        "pull",
        type="kubernetes.io/dockerconfigjson",
        stringData={
            ".dockerconfigjson": json.dumps({"auths": {"r.example.com": {"username": "u", "password": PLANTED}}})
        },
    ),
    reference("Service", "db", spec={"ports": [{"name": "sql", "port": 5432}], "selector": {"app": "db"}}),
]


def storage(volume):
    """The volume comes first: a claim that does not find it is looked at again much later."""
    modes = ["ReadWriteMany"]
    claimed = {"volumeName": volume, "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    source = {"capacity": {"storage": "1Gi"}, "nfs": {"server": "10.0.0.7", "path": "/x"}}
    return [
        reference("PersistentVolume", volume, spec={"accessModes": modes, **source}),
        reference("PersistentVolumeClaim", "data", spec={"accessModes": modes, **claimed}),
    ]


def manifest():
    env = [
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "key", "key": "password"}}},
        {"name": "LINE", "value": "user:$(PASSWORD)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "nowhere", "key": "x", "optional": True}}},
    ]
    main = container(
        args=["--password=$(PASSWORD)"],
        env=env,
        envFrom=[{"configMapRef": {"name": "settings"}}],
        livenessProbe={"tcpSocket": {"port": "web"}, "periodSeconds": 7},
        ports=[{"name": "web", "containerPort": 8080}],
        resources={"limits": {"cpu": "1", "memory": "1Gi"}},
        securityContext={"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}},
        volumeMounts=[
            {"name": "data", "mountPath": "/data"},
            {"name": "key", "mountPath": "/key"},
            {"name": "all", "mountPath": "/all"},
        ],
    )
    sources = [{"configMap": {"name": "files"}}, {"secret": {"name": "key", "items": [{"key": "user", "path": "u"}]}}]
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}},
        {"name": "all", "projected": {"sources": sources}},
        {"name": "tmp", "emptyDir": {}},
    ]
    return pod("web", main, serviceAccountName="web", volumes=volumes, hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a"]}])


class ExplainTest(E2ETest):
    config = {"VKUBELET_POD_IP": "192.0.2.10"}

    def setUp(self):
        super().setUp()
        self.volume = f"explained-{self.namespace}"  # volumes are of no namespace, and go slowly

    def tearDown(self):
        self.cluster.remove(CONFIG_MAP)
        super().tearDown()
        self.cluster.remove(f"/api/v1/persistentvolumes/{self.volume}")

    def is_settled(self):
        """What controllers of the cluster add to the references, which a pod has to wait for."""
        path = f"/api/v1/namespaces/{self.namespace}"
        account = self.cluster.get(f"{path}/serviceaccounts/web")
        claim = self.cluster.get(f"{path}/persistentvolumeclaims/data")
        return ("secrets" in account or not self.cluster.makes_tokens) and claim["status"]["phase"] == "Bound"

    def explain(self, *objects, code=0):
        """Of a file made of these; the one pod in it. JSON is YAML."""

        def path(name, *items):
            made = os.path.join(self.ecilet.folder, name)
            with open(made, "w", encoding="utf-8") as file:
                file.write("\n---\n".join(json.dumps(one, indent=1) for one in items))
            return made

        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        done = subprocess.run(
            [ECILET, "explain", "--config", self.ecilet.config_file, "-o", "json"]
            + ["-f", path("explain-pods.yaml", *objects), "--profile", path("explain-profile.yaml", PROFILE)]
            + ["--namespace", path("explain-namespace.yaml", space)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
        )
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertNotIn(PLANTED, done.stdout + done.stderr)
        (found,) = json.loads(done.stdout)["pods"]
        return found

    def compare(self, explained, asked, unknown=()):
        """Name by name, in both directions; masked values must be there."""
        self.assertEqual(sorted(explained), sorted(name for name in asked if name in explained or not is_signed(name)))
        masked = 0
        for name, value in explained.items():
            if value == "******":
                masked += 1
                self.assertNotEqual(asked[name], "")
            elif name not in unknown:
                self.assertEqual(value, asked[name], name)
        return masked

    def test_the_request_is_the_one_that_the_cloud_gets(self):
        references = REFERENCES + storage(self.volume)
        self.cluster.apply(PROFILE)
        self.apply(*references)
        self.wait_log("taken over: 1 selectors")
        wait_for(self.is_settled, 60, "the account has its token and the claim its volume")
        services = [
            self.cluster.get("/api/v1/namespaces/default/services/kubernetes"),
            self.cluster.get(f"/api/v1/namespaces/{self.namespace}/services/db"),
        ]
        references = [one for one in references if one["kind"] != "Service"]
        before = self.explain(manifest(), *references, *services)
        self.apply(manifest())
        running = self.wait_running("web", 60)
        (group,) = self.ecisim.groups_of(running)
        asked = self.ecisim.parameters(group["id"])

        # From the manifest: all but what is made from the UID.
        self.assertTrue(before["canRun"])
        self.assertEqual(before["profile"]["effects"], ["all"])
        uid_tag = [name for name, value in before["request"].items() if value == "<UID>"]
        self.assertEqual(len(uid_tag), 1)
        masked = self.compare(before["request"], asked, ["ClientToken", *uid_tag])
        self.assertGreaterEqual(masked, 6, "args, variables, files, the registry's password")
        self.assertEqual(asked["VSwitchId"], "vsw-explained")
        self.assertEqual((asked["Cpu"], asked["Memory"]), ("4", "8"))
        self.assertEqual(before["billed"], {"cpu": 4, "memoryGiB": 8})
        self.assertIn(PLANTED, asked["Container.1.Arg.1"])
        for warning in before["warnings"]:
            self.wait_event("web", warning.get("reason", "PodSpecIncomplete"))

        # From the live object: all.
        live = self.pod("web")
        after = self.explain(live, *references, *services)
        self.assertEqual(self.compare(after["request"], asked), masked)
        self.assertEqual(after["request"]["ClientToken"], asked["ClientToken"])

    def test_what_is_missing_is_told_beforehand_and_at_run_time(self):
        lost = pod("lost", container(envFrom=[{"secretRef": {"name": "nobody"}}]))
        found = self.explain(lost, code=1)
        self.assertEqual(found["outcome"], "has to wait")
        (refusal,) = found["refusals"]
        self.apply(lost)
        event = self.wait_event("lost", refusal["reason"])
        self.assertIn(refusal["what"], event["message"])
        self.assertEqual(self.pod("lost")["spec"]["nodeName"], NODE)
        # When it is there the pod runs. Without an instance it would take a minute to leave.
        self.apply(reference("Secret", "nobody", stringData={"A": "b"}))
        self.wait_running("lost", 60)


def is_signed(name):
    """Parameters of every call, which the signer adds."""
    return name in (
        "AccessKeyId",
        "Action",
        "Format",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "Version",
    )
