"""The eci-profile: taken over without a restart, kept when the new one is bad."""
import json
import time

from harness import E2ETest, NODE, pod, wait_for

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"


def profile(**data):
    metadata = {"name": "eci-profile", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class ProfileTest(E2ETest):
    def put(self, **data):
        self.cluster.apply(profile(**data))

    def tearDown(self):
        self.cluster.remove(CONFIG_MAP)
        super().tearDown()

    def runs_in(self, name):
        """The vSwitch of a new pod's instance."""
        made = self.create(pod(name))[0]
        self.wait_running(name)
        return self.ecisim.groups_of(made)[0]["vswitch"]

    def wait_profile_event(self, reason, text):
        def look():
            found = self.cluster.events("kube-system", "eci-profile", reason)
            return [event for event in found if text in event["message"]]

        return wait_for(look, 10, f"an event {reason} with {text}")[0]

    def test_vswitches_change_without_a_restart(self):
        self.assertIn(self.runs_in("first"), ("vsw-e2e1", "vsw-e2e2"))
        # Seed 2.3, "hot reload", in the other spelling.
        self.put(enableClusterIp="true", resourceGroupId="", selectors="", vswitchIds="vsw-new1")
        time.sleep(2)
        self.assertEqual(self.runs_in("second"), "vsw-new1")
        event = self.wait_profile_event("ProfileApplied", "5 selectors (the defaults)")
        self.assertEqual(event["type"], "Normal")
        self.cluster.remove(CONFIG_MAP)
        time.sleep(2)
        self.assertIn(self.runs_in("third"), ("vsw-e2e1", "vsw-e2e2"))

    def test_a_bad_profile_changes_nothing_and_is_told(self):
        self.put(vSwitchIds="vsw-good")
        self.wait_profile_event("ProfileApplied", "5 selectors")
        self.put(vSwitchIds="vsw-bad", selectors='[\n  {"name": "x",}\n]')
        event = self.wait_profile_event("ProfileInvalid", "selectors: line 2, column ")
        self.assertEqual(event["type"], "Warning")
        self.assertIn("the last good profile stays in use", event["message"])
        self.assertEqual(self.runs_in("one"), "vsw-good")
        # A restart finds it bad, too: then the configuration counts, and pods still run.
        self.ecilet.restart()
        self.assertIn(self.runs_in("two"), ("vsw-e2e1", "vsw-e2e2"))
        self.assertEqual(self.node()["metadata"]["name"], NODE)

    def test_effects_reach_pods_that_no_webhook_saw(self):
        place = "k8s.aliyun.com/eci-vswitch"
        selectors = [
            {
                "name": "of-this-namespace",
                "namespaceSelector": {"matchLabels": {"department": "bigdata"}},
                "objectSelector": {"matchLabels": {"type": "offline-task"}},
                "effect": {"annotations": {place: "vsw-matched"}, "labels": {"created-by-eci": "true"}},
            },
            {"name": "all", "effect": {"annotations": {place: "vsw-all"}}},
        ]
        self.put(selectors="# for a test\n" + json.dumps(selectors))
        self.wait_profile_event("ProfileApplied", "2 selectors; it counts")
        self.cluster.kubectl("label", "namespace", self.namespace, "department=bigdata")
        time.sleep(1)
        self.assertEqual(self.runs_in("any"), "vsw-all")
        made = self.create(pod("matched", labels={"type": "offline-task"}))[0]
        self.wait_running("matched")
        self.assertEqual(self.ecisim.groups_of(made)[0]["vswitch"], "vsw-matched")
        # The object shows what its instance was made from.
        found = self.wait_pod("matched", lambda p: "created-by-eci" in p["metadata"]["labels"], 10, "has the label")
        self.assertEqual(found["metadata"]["annotations"][place], "vsw-matched")
        self.assertEqual(found["metadata"]["labels"]["type"], "offline-task")
        # The pod's own annotation counts first.
        own = pod("own", labels={"type": "offline-task"})
        own["metadata"]["annotations"] = {place: "vsw-own"}
        made = self.create(own)[0]
        self.wait_running("own")
        self.assertEqual(self.ecisim.groups_of(made)[0]["vswitch"], "vsw-own")
        self.assertEqual(self.pod("own")["metadata"]["annotations"][place], "vsw-own")

    def test_remarks_are_told(self):
        self.put(vSwitchIDs="vsw-x")
        self.wait_profile_event("ProfileRemarks", "did you mean vSwitchIds")


class NoPermissionTest(E2ETest):
    """A gateway whose permissions are those of an older version."""

    starts_ecilet = False

    def test_pods_run_without_a_profile(self):
        self.cluster.kubectl(
            "patch",
            "clusterrole",
            "ecilet",
            "--type=json",
            "-p",
            '[{"op":"replace","path":"/rules","value":['
            '{"apiGroups":[""],"resources":["nodes","nodes/status","pods","pods/status","events"],"verbs":["*"]}]}]',
        )
        self.cluster.granted = None  # the next test gets the roles again
        self.ecilet.start()
        self.create(pod("plain"))
        self.wait_running("plain")
        wait_for(lambda: self.cluster.node_events("ProfileForbidden"), 10, "an event at the node")
