"""The eci-profile: taken over without a restart, kept when the new one is bad."""
import json
import time

from front import Front
from harness import E2ETest, NODE, USER, USER_GROUP, pod, wait_for

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"
READ_IT = ("list", "configmaps", "kube-system", "eci-profile")


def profile(**data):
    metadata = {"name": "eci-profile", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class ProfileTest(E2ETest):
    def put(self, **data):
        self.cluster.apply(profile(**data))

    def tearDown(self):
        try:
            if self.cluster.find(CONFIG_MAP) and self.ecilet.is_alive():
                self.noticed("the configuration counts alone", self.cluster.remove, CONFIG_MAP)  # for the next test
            self.cluster.remove(CONFIG_MAP)
        finally:
            super().tearDown()

    def runs_in(self, name):
        """The vSwitch of a new pod's instance."""
        made = self.create(pod(name))[0]
        self.wait_running(name)
        return self.ecisim.groups_of(made)[0]["vswitch"]

    def wait_profile_event(self, reason, text):
        uid = self.cluster.get(CONFIG_MAP)["metadata"]["uid"]  # events of earlier ones are still there

        def look():
            found = self.cluster.events("kube-system", "eci-profile", reason)
            return [e for e in found if text in e["message"] and e["involvedObject"]["uid"] == uid]

        return wait_for(look, 30, f"an event {reason} with {text}")[0]

    def noticed(self, word, function, *argv, **more):
        """Calls it; returns when the gateway has said so in its log once more."""
        before = self.ecilet.read_log_since_start().count(word)
        function(*argv, **more)
        wait_for(lambda: self.ecilet.read_log_since_start().count(word) > before, 30, f"the log says {word}")

    def test_vswitches_change_without_a_restart(self):
        self.assertIn(self.runs_in("first"), ("vsw-e2e1", "vsw-e2e2"))
        # Seed 2.3, "hot reload", in the other spelling.
        self.put(enableClusterIp="true", resourceGroupId="", selectors="", vswitchIds="vsw-new1")
        event = self.wait_profile_event("ProfileApplied", "5 selectors (the defaults)")
        self.assertEqual(event["type"], "Normal")
        self.assertEqual(self.runs_in("second"), "vsw-new1")
        self.noticed("the configuration counts alone", self.cluster.remove, CONFIG_MAP)
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
        # Long before the profile: nothing tells when the label has come to a watch that is there already.
        self.cluster.kubectl("label", "namespace", self.namespace, "department=bigdata")
        self.put(selectors="# for a test\n" + json.dumps(selectors))
        self.wait_profile_event("ProfileApplied", "2 selectors; it counts")
        self.assertEqual(self.runs_in("any"), "vsw-all")
        made = self.create(pod("matched", labels={"type": "offline-task"}))[0]
        self.wait_running("matched")
        self.assertEqual(self.ecisim.groups_of(made)[0]["vswitch"], "vsw-matched")
        # The object shows what its instance was made from.
        found = self.wait_pod("matched", lambda p: "created-by-eci" in p["metadata"]["labels"], 30, "has the label")
        self.assertEqual(found["metadata"]["annotations"][place], "vsw-matched")
        self.assertEqual(found["metadata"]["labels"]["type"], "offline-task")
        # The pod's own annotation counts first.
        own = pod("own", labels={"type": "offline-task"})
        own["metadata"]["annotations"] = {place: "vsw-own"}
        made = self.create(own)[0]
        self.wait_running("own")
        self.assertEqual(self.ecisim.groups_of(made)[0]["vswitch"], "vsw-own")
        found = self.wait_pod("own", lambda p: "created-by-eci" in p["metadata"]["labels"], 30, "has the label")
        self.assertEqual(found["metadata"]["annotations"][place], "vsw-own")

    def test_effects_reach_pods_of_a_namespace_that_is_new(self):
        """Namespaces and pods come by watches of their own: the pod may be there first."""
        place = "k8s.aliyun.com/eci-vswitch"
        select = {"matchLabels": {"department": "bigdata"}}
        effect = {"annotations": {place: "vsw-matched"}}
        self.put(selectors=json.dumps([{"name": "new", "namespaceSelector": select, "effect": effect}]))
        self.wait_profile_event("ProfileApplied", "1 selectors; it counts")
        spaces = [f"{self.namespace}-{at}" for at in range(8)]
        made = []
        for space in spaces:
            self.addCleanup(self.cluster.remove, f"/api/v1/namespaces/{space}")
            metadata = {"name": space, "labels": {"department": "bigdata"}}
            self.cluster.call("POST", "/api/v1/namespaces", {"metadata": metadata})
            one = pod("at-once")
            one["spec"]["automountServiceAccountToken"] = False
            made.append(wait_for(lambda one=one, space=space: self.post(space, one), 90, "the pod is accepted"))
        for one in made:
            found = wait_for(lambda one=one: self.ecisim.groups_of(one)[0]["vswitch"], 60, "it has an instance")
            self.assertEqual(found, "vsw-matched")
        for space in spaces:
            self.cluster.remove(f"/api/v1/namespaces/{space}/pods/at-once")
        wait_for(lambda: not any(self.lives(one) for one in made), 60, "the instances are gone")
        wait_for(lambda: not any(self.cluster.pods(space) for space in spaces), 60, "and the pods")

    def post(self, space, one):
        """Once the namespace has its service account."""
        return self.cluster.call("POST", f"/api/v1/namespaces/{space}/pods", one)

    def lives(self, one):
        return any(group.get("exists", True) for group in self.ecisim.groups_of(one))

    def test_one_that_cannot_be_read_is_told(self):
        self.put(vSwitchIds="vsw-good")
        self.wait_profile_event("ProfileApplied", "5 selectors")
        # Escaped it has twice as much; kubectl would store it a second time.
        self.cluster.call("PUT", CONFIG_MAP, profile(vSwitchIds="vsw-bad", notes='"' * 1_000_000))
        event = self.wait_profile_event("ProfileInvalid", "the ConfigMap cannot be read: ")
        self.assertIn("the last good profile stays in use", event["message"])
        self.assertEqual(self.runs_in("one"), "vsw-good")

    def test_one_that_is_deleted_and_made_again_counts(self):
        for name in "vsw-one", "vsw-two":
            self.noticed("taken over: ", self.put, vSwitchIds=name)
            self.assertEqual(self.runs_in(name), name)
            self.noticed("the configuration counts alone", self.cluster.remove, CONFIG_MAP)
        self.assertIn(self.runs_in("none"), ("vsw-e2e1", "vsw-e2e2"))

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
        wait_for(lambda: not self.cluster.is_allowed(USER, [USER_GROUP], *READ_IT), 30, "the permission is taken away")
        began = int(time.time())
        self.ecilet.start()
        self.create(pod("plain"))
        self.wait_running("plain")
        wait_for(lambda: self.cluster.node_events("ProfileForbidden", began), 30, "an event at the node")


class UnlistedNamespacesTest(E2ETest):
    """An API server that does not list namespaces, and not for want of permission."""

    starts_ecilet = False

    def tearDown(self):
        self.cluster.remove(CONFIG_MAP)
        super().tearDown()

    def test_pods_that_need_their_labels_say_what_they_wait_for(self):
        self.cluster.grant()
        front = Front(self.cluster, USER, self.folder)
        self.addCleanup(front.close)
        self.ecilet.config["KUBECONFIG"] = front.kubeconfig
        self.ecilet.write_config()
        select = {"matchLabels": {"department": "bigdata"}}
        effect = {"annotations": {"k8s.aliyun.com/eci-vswitch": "vsw-matched"}}
        self.cluster.kubectl("label", "namespace", self.namespace, "department=bigdata")
        selectors = json.dumps([{"name": "one", "namespaceSelector": select, "effect": effect}])
        self.cluster.apply(profile(selectors=selectors))
        front.ill = (b"GET /api/v1/namespaces?",)
        self.ecilet.start()
        made = self.create(pod("waits"))[0]
        event = self.wait_event("waits", "NamespacesUnreadable", 60)
        self.assertIn("namespaces cannot be listed: 500 InternalError: it is ill", event["message"])
        found = self.wait_pod("waits", lambda p: p["status"].get("reason") == "NamespacesUnreadable", 30, "says it, too")
        self.assertEqual(found["status"]["message"], event["message"])
        self.assertIn(event["message"], self.ecilet.status())
        self.assertEqual(self.ecisim.groups_of(made), [])
        front.ill = ()
        self.wait_running("waits", 90)
        self.assertEqual(self.ecisim.groups_of(made)[0]["vswitch"], "vsw-matched")
