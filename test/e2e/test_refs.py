"""What a pod refers to: there, missing, appearing; and where its values are seen and where not."""
import base64
import copy
import json
import re

from harness import E2ETest, container, phase, pod, stays, wait_for

PLANTED = "PLANTEDvalueOfASecret0123456789"
ALSO = "PLANTEDsecondValue9876543210"


def secret(name, **values):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def config_map(name, **values):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}


def from_key(variable, kind, name, key, **more):
    return {"name": variable, "valueFrom": {kind + "KeyRef": {"name": name, "key": key, **more}}}


class MissingTest(E2ETest):
    def waits(self, name, reason):
        """Pending with this reason, told once; no instance."""
        found = self.wait_pod(name, lambda p: p["status"].get("reason") == reason, 20, f"waits: {reason}")
        self.assertEqual(phase(found), "Pending")
        event = self.wait_event(name, reason)
        self.assertEqual((event["type"], event["count"]), ("Warning", 1))
        self.assertEqual(self.ecisim.groups_of(found), [])
        return found

    def are_told_once(self, names):
        """By one event each, not once per look. A second telling would show ten seconds after the first."""

        def once():
            return all([event["count"] for event in self.events(*one)] == [1] for one in names)

        stays(once, 12, "each was told once")

    def test_mandatory_objects_are_waited_for(self):
        rows = {
            "map": ("MandatoryConfigMapNotFound", [from_key("A", "configMap", "map", "a")], config_map("map", a="1")),
            "sec": ("MandatorySecretNotFound", [from_key("A", "secret", "sec", "a")], secret("sec", a=PLANTED)),
        }
        for name, (_, env, _) in rows.items():
            self.create(pod(name, container(env=env)))
        for name, (reason, _, _) in rows.items():
            message = self.waits(name, reason)["status"]["message"]
            self.assertIn(name, message)
        self.are_told_once([(name, reason) for name, (reason, _, _) in rows.items()])
        for _, _, made in rows.values():
            self.apply(made)
        for name, (reason, _, _) in rows.items():
            self.wait_running(name, 30)  # by itself, within 10 s
            self.assertEqual([event["count"] for event in self.events(name, reason)], [1])
        group = self.ecisim.groups_of(self.pod("map"))[0]["id"]
        self.assertIn("1", self.ecisim.parameters(group).values())

    def test_volume_of_a_missing_object_waits_and_its_files_are_sent(self):
        volumes = [{"name": "v", "secret": {"secretName": "files"}}]
        mounts = [{"name": "v", "mountPath": "/etc/files"}]
        self.create(pod("files", container(volumeMounts=mounts), volumes=volumes))
        waits = self.wait_pod("files", lambda p: p["status"].get("message"), 20, "says why it waits")
        self.assertIn("files", waits["status"]["message"])
        self.apply(secret("files", password=PLANTED))
        running = self.wait_running("files", 40)
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        self.assertIn(base64.b64encode(PLANTED.encode()).decode(), asked.values())

    def test_what_is_missing_in_what_is_there(self):
        self.apply(secret("half", a="1"), config_map("half", a="1"))
        volumes = [{"name": "v", "secret": {"secretName": "half", "items": [{"key": "later", "path": "x"}]}}]
        mounts = [{"name": "v", "mountPath": "/v"}]
        self.create(
            pod("sec", container(env=[from_key("A", "secret", "half", "later")])),
            pod("map", container(env=[from_key("A", "configMap", "half", "later")])),
            pod("file", container(volumeMounts=mounts), volumes=volumes),
        )
        for name in "sec", "file":
            self.assertIn("later", self.waits(name, "MandatorySecretKeyNotFound")["status"]["message"])
        self.waits("map", "MandatoryConfigMapKeyNotFound")
        self.apply(secret("half", a="1", later=PLANTED), config_map("half", a="1", later="2"))
        for name in "sec", "file", "map":
            self.wait_running(name, 40)

    def test_optional_objects_are_done_without(self):
        env = [
            from_key("A", "secret", "nobody", "a", optional=True),
            from_key("B", "configMap", "nothing", "b", optional=True),
            {"name": "C", "value": "c"},
        ]
        self.create(pod("optional", container(env=env)))
        running = self.wait_running("optional")
        self.wait_event("optional", "OptionalSecretNotFound")
        self.wait_event("optional", "OptionalConfigMapNotFound")
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        keys = [value for key, value in asked.items() if key.endswith(".Key") and "EnvironmentVar" in key]
        self.assertIn("C", keys)
        self.assertNotIn("A", keys)

    def test_warnings_are_told_once_however_often_it_is_tried(self):
        env = [from_key("A", "secret", "nobody", "a", optional=True)]
        self.ecisim.set(no_stock="all")
        try:
            before = self.ecisim.calls("CreateContainerGroup")
            self.create(pod("often", container(env=env, securityContext={"capabilities": {"drop": ["ALL"]}})))
            wait_for(lambda: self.ecisim.calls("CreateContainerGroup") >= before + 2, 90, "it is tried again")
        finally:
            self.ecisim.set(no_stock="")
        self.wait_running("often", 90)
        reasons = "OptionalSecretNotFound", "PodSpecIncomplete"
        for reason in reasons:
            self.wait_event("often", reason)
        self.are_told_once([("often", reason) for reason in reasons])

    def test_pod_that_waits_can_be_deleted(self):
        self.create(pod("many", container(env=[from_key("A", "secret", "later", "a")])))
        self.waits("many", "MandatorySecretNotFound")
        self.kubectl("delete", "pod", "many", "--wait=false")
        # In the first minute after a start it might have an instance of the process before.
        wait_for(lambda: self.pod("many") is None, 150, "a pod that waits can be deleted")


# A volume of each kind, and what the cloud is asked for it. The Secret "keys" is in each.
NAS = {"server": "1.cn-hangzhou.nas.aliyuncs.com", "path": "/data", "vers": "3"}
OSS = {"bucket": "b", "url": "oss-cn-hangzhou-internal.aliyuncs.com"}
KEYS = {"akId": "LTAIvolume", "akSecret": PLANTED}


def csi(plugin, attributes, **more):
    driver = f"{plugin}plugin.csi.alibabacloud.com"
    return {"csi": {"driver": driver, "volumeHandle": f"d-{plugin}", "volumeAttributes": attributes, **more}}


def flex(plugin, options, **more):
    return {"flexVolume": {"driver": f"alicloud/{plugin}", "options": options, **more}}


VOLUMES = {
    "nfs": (
        {"nfs": {"server": "192.0.2.4", "path": "/export", "readOnly": True}},
        {"Type": "NFSVolume", "NFSVolume.Server": "192.0.2.4", "NFSVolume.Path": "/export", "NFSVolume.ReadOnly": "true"},
    ),
    "flex-nas": (flex("nas", NAS), ("nas", NAS, {})),
    "flex-oss": (flex("oss", OSS, secretRef={"name": "keys"}), ("oss", {**OSS, **KEYS}, {})),
    "flex-disk": (flex("disk", {"volumeSize": "40"}, fsType="xfs"), ("disk", {"volumeSize": "40"}, {"FsType": "xfs"})),
    "csi-nas": (csi("nas", NAS), ("nas", {**NAS, "options": "nolock,tcp"}, {})),
    "csi-oss": (csi("oss", OSS, nodePublishSecretRef={"name": "keys"}), ("oss", {**OSS, **KEYS}, {})),
    "csi-disk": (csi("disk", {"type": "cloud_essd"}, fsType="ext4"), ("disk", {"volumeId": "d-disk"}, {"FsType": "ext4"})),
}


class ClaimTest(E2ETest):
    config = {"LOG_LEVEL": "debug"}

    def volume(self, name, source, **more):
        """A PersistentVolume kept for the claim of that name; volumes belong to no namespace."""
        full = f"{self.namespace}-{name}"
        self.addCleanup(self.cluster.remove, f"/api/v1/persistentvolumes/{full}")
        spec = {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": self.namespace, "name": name},
            **copy.deepcopy(source),
            **more,
        }
        if name == "csi-oss":  # must say whose Secret it is, a flexVolume need not
            spec["csi"]["nodePublishSecretRef"]["namespace"] = self.namespace
        return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": full}, "spec": spec}

    def claim(self, name):
        spec = {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "20Gi"}},
            "storageClassName": "",
            "volumeName": f"{self.namespace}-{name}",
        }
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}

    def uses(self, *claims):
        volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
        mounts = [{"name": name, "mountPath": f"/{name}"} for name in claims]
        return container(volumeMounts=mounts), {"volumes": volumes, "automountServiceAccountToken": False}

    def test_claims_bound_to_volumes_of_every_kind(self):
        keys = secret("keys", **KEYS)
        keys["metadata"]["namespace"] = self.namespace
        self.cluster.apply(keys)
        made = [self.claim(name) for name in VOLUMES]
        for claim in made:
            claim["metadata"]["namespace"] = self.namespace
        made += [
            self.volume(name, source, **({"mountOptions": ["nolock", "tcp"]} if name == "csi-nas" else {}))
            for name, (source, _) in VOLUMES.items()
        ]
        self.cluster.apply(*made)
        main, fields = self.uses(*VOLUMES)
        self.create(pod("uses", main, **fields))
        running = self.wait_running("uses", 120)
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        for number, (name, (_, wanted)) in enumerate(VOLUMES.items(), 1):
            prefix = f"Volume.{number}."
            got = {key.removeprefix(prefix): value for key, value in asked.items() if key.startswith(prefix)}
            options = got.pop("FlexVolume.Options", None)
            if isinstance(wanted, tuple):
                driver, options_wanted, others = wanted
                self.assertEqual(json.loads(options), options_wanted, name)
                wanted = {"Type": "FlexVolume", "FlexVolume.Driver": f"alicloud/{driver}"}
                wanted.update({f"FlexVolume.{key}": value for key, value in others.items()})
            self.assertEqual(got, {"Name": name, **wanted})
            self.assertEqual(asked[f"Container.1.VolumeMount.{number}.Name"], name)
            self.assertEqual(asked[f"Container.1.VolumeMount.{number}.MountPath"], f"/{name}")
        shown = self.ecilet.read_log() + json.dumps(self.events()) + json.dumps(running["status"])
        self.assertNotIn(PLANTED, shown, "keys of storage are shown")

    def test_claim_is_waited_for_until_it_is_bound(self):
        main, fields = self.uses("late")
        self.create(pod("waits", main, **fields))
        found = self.wait_pod("waits", lambda p: p["status"].get("reason") == "FailedMount", 20, "waits")
        self.assertIn("there is no PersistentVolumeClaim", found["status"]["message"])
        claim = self.claim("late")
        del claim["spec"]["volumeName"]
        self.apply(claim)
        found = self.wait_pod("waits", lambda p: "is not bound" in p["status"].get("message", ""), 40, "waits on")
        self.assertEqual((phase(found), found["status"]["reason"]), ("Pending", "FailedMount"))
        wait_for(
            lambda: any("is not bound" in event["message"] for event in self.events("waits", "FailedMount")), 20, "told"
        )
        self.assertEqual(self.ecisim.groups_of(found), [])
        self.cluster.apply(self.volume("late", VOLUMES["nfs"][0]))
        running = self.wait_running("waits", 120)
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        self.assertEqual(asked["Volume.1.NFSVolume.Server"], "192.0.2.4")


class ServicesTest(E2ETest):
    def make_services(self, numbers, note=""):
        for number in numbers:
            metadata = {"name": f"s{number}", "annotations": {"example.com/note": note}}
            service = {"metadata": metadata, "spec": {"ports": [{"name": "p", "port": 80}]}}
            self.cluster.call("POST", f"/api/v1/namespaces/{self.namespace}/services", service)

    def variables(self, name):
        self.create(pod(name, automountServiceAccountToken=False))
        running = self.wait_running(name, 40)
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        return {value for key, value in asked.items() if re.fullmatch(r"Container\.1\.EnvironmentVar\.\d+\.Key", key)}

    def test_more_services_than_one_reply_holds(self):
        self.make_services(range(90), "x" * 6000)  # a list of more than 540 KB
        self.assertLessEqual({f"S{number}_SERVICE_HOST" for number in range(90)}, self.variables("linked"))
        self.assertEqual(self.events("linked", "PodSpecIncomplete"), [])
        # Above what the containers may have none are set, an event says why, and the pod runs.
        self.make_services(range(90, 105))
        names = self.variables("too-many")
        self.assertIn("services", self.wait_event("too-many", "PodSpecIncomplete")["message"])
        self.assertNotIn("S1_SERVICE_HOST", names)
        self.assertIn("KUBERNETES_SERVICE_HOST", names)


class PlantedTest(E2ETest):
    config = {"LOG_LEVEL": "debug"}

    def test_values_of_secrets_are_shown_nowhere(self):
        self.apply(secret("planted", a=PLANTED, b=ALSO))
        env = [from_key("A", "secret", "planted", "a"), {"name": "URL", "value": "db://user:$(A)@host"}]
        volumes = [
            {"name": "v", "secret": {"secretName": "planted"}},
            {"name": "p", "projected": {"sources": [{"secret": {"name": "planted"}}]}},
        ]
        mounts = [{"name": "v", "mountPath": "/a"}, {"name": "p", "mountPath": "/b"}]
        main = container(env=env, envFrom=[{"secretRef": {"name": "planted"}}], volumeMounts=mounts)
        made = pod("planted", main, volumes=volumes)
        running = self.create(made) and self.wait_running("planted")
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        self.assertIn(f"db://user:{PLANTED}@host", asked.values(), "they do reach the instance")
        self.fail_with(made)
        self.assert_hidden(PLANTED, ALSO)

    def test_tokens_and_keys_of_registries_are_shown_nowhere(self):
        def registry(name, auth, old=False):
            hosts = {f"{name}.example": {"auth": auth}}
            key = ".dockercfg" if old else ".dockerconfigjson"
            made = secret(name, **{key: json.dumps(hosts if old else {"auths": hosts})})
            return {**made, "type": "kubernetes.io/dockercfg" if old else "kubernetes.io/dockerconfigjson"}

        good = base64.b64encode(f"user:{PLANTED}".encode()).decode()
        # The third cannot be read, the fourth is not there: pods run without them, with an event.
        self.apply(registry("one", good), registry("two", good, old=True), registry("bad", ALSO + "***"))
        token = {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 3600, "path": "token"}}
        made = pod(
            "pulls",
            container(volumeMounts=[{"name": "t", "mountPath": "/t"}]),
            imagePullSecrets=[{"name": name} for name in ("one", "two", "bad", "none")],
            volumes=[{"name": "t", "projected": {"sources": [token]}}],
            automountServiceAccountToken=False,
        )
        running = self.create(made) and self.wait_running("pulls")
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        self.assertEqual([value for value in asked.values() if value == PLANTED], [PLANTED] * 2, "they are sent")
        content = asked["Volume.1.ConfigFileVolume.ConfigFileToPath.1.Content"]
        token = base64.b64decode(content).decode()
        self.assertEqual(token.count("."), 2, "a signed token")
        self.wait_event("pulls", "FailedToRetrieveImagePullSecret")
        self.fail_with(made)
        self.assert_hidden(PLANTED, ALSO, good, token, token.rsplit(".", 1)[1])

    def fail_with(self, made):
        """Errors that speak of the request must not repeat it."""
        failed = "ProviderCreateFailed", "ProviderCreateUnknown"
        for number, fault in enumerate(
            (
                {"status": 400, "code": "InvalidParameter", "message": "The specified parameter is wrong."},
                {"status": 403, "code": "Forbidden.RAM"},
                {"cut_after": True},
                {"malformed_json": True},
            )
        ):
            # As often as it is tried: a connection that breaks is tried once more before anything is told.
            self.ecisim.clear_faults()
            self.ecisim.fault(action="CreateContainerGroup", **fault)
            name = f"again{number}"
            self.create({**made, "metadata": {"name": name}})

            def has_failed(name=name, is_made="code" not in fault):
                told = [event for event in self.events(name) if event["reason"] in failed]
                # A listing may show what was made before it is missed: then there is nothing to tell.
                return told or (is_made and phase(self.pod(name)) == "Running")

            wait_for(has_failed, 60, f"{name} has failed, or runs in spite of it")
            self.assertGreaterEqual(self.ecisim.faults_fired(), 1, name)
        self.ecisim.clear_faults()
        # A pod that leaves before it is known whether it has an instance may take a minute.
        for name in "again1", "again2", "again3":
            self.wait_running(name, 120)

    def assert_hidden(self, *values):
        shown = {
            "log": self.ecilet.read_log(),
            "events": json.dumps(self.cluster.get("/api/v1/events")),
            "pods": json.dumps([[p["status"], p["metadata"]] for p in self.pods()]),
            "node": json.dumps(self.node()),
        }
        for place, text in shown.items():
            for value in values:
                for form in value, base64.b64encode(value.encode()).decode():
                    self.assertNotIn(form, text, f"a Secret's value is shown in the {place}")
