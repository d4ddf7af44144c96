"""What a pod refers to: there, missing, appearing; and where its values are seen and where not."""
import base64
import json

from harness import E2ETest, container, phase, pod, wait_for

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
        for _, _, made in rows.values():
            self.apply(made)
        for name, (reason, _, _) in rows.items():
            self.wait_running(name, 20)  # by itself
            self.assertEqual(len(self.events(name, reason)), 1)
            self.assertEqual(self.events(name, reason)[0]["count"], 1, "told once, not once per look")
        group = self.ecisim.groups_of(self.pod("map"))[0]["id"]
        self.assertIn("1", self.ecisim.parameters(group).values())

    def test_volume_of_a_missing_object_waits_and_its_files_are_sent(self):
        volumes = [{"name": "v", "secret": {"secretName": "files"}}]
        mounts = [{"name": "v", "mountPath": "/etc/files"}]
        self.create(pod("files", container(volumeMounts=mounts), volumes=volumes))
        wait_for(lambda: self.pod("files")["status"].get("message"), 20, "it says why")
        self.assertIn("files", self.pod("files")["status"]["message"])
        self.apply(secret("files", password=PLANTED))
        running = self.wait_running("files", 20)
        asked = self.ecisim.parameters(self.ecisim.groups_of(running)[0]["id"])
        self.assertIn(base64.b64encode(PLANTED.encode()).decode(), asked.values())

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
        for reason in "OptionalSecretNotFound", "PodSpecIncomplete":
            (event,) = self.events("often", reason)
            self.assertEqual(event["count"], 1, reason)

    def test_pod_that_waits_can_be_deleted(self):
        self.create(pod("many", container(env=[from_key("A", "secret", "later", "a")])))
        self.waits("many", "MandatorySecretNotFound")
        self.kubectl("delete", "pod", "many", "--wait=false")
        # In the first minute after a start it might have an instance of the process before.
        wait_for(lambda: self.pod("many") is None, 90, "a pod that waits can be deleted")


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
        # Errors that speak of the request must not repeat it.
        for number, fault in enumerate(
            (
                {"status": 400, "code": "InvalidParameter", "message": "The specified parameter is wrong."},
                {"status": 403, "code": "Forbidden.RAM"},
                {"cut_after": True},
                {"malformed_json": True},
            )
        ):
            self.ecisim.fault(action="CreateContainerGroup", count=1, **fault)
            self.create({**made, "metadata": {"name": f"again{number}"}})
            wait_for(lambda n=number: self.events(f"again{n}"), 20, f"an event of again{number}")
        shown = {
            "log": self.ecilet.read_log(),
            "events": json.dumps(self.cluster.get("/api/v1/events")),
            "pods": json.dumps([[p["status"], p["metadata"]] for p in self.pods()]),
            "node": json.dumps(self.node()),
        }
        for place, text in shown.items():
            for value in PLANTED, ALSO:
                for form in value, base64.b64encode(value.encode()).decode():
                    self.assertNotIn(form, text, f"a Secret's value is shown in the {place}")
