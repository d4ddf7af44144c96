"""What the node cannot do is said, field by field, and never half done."""
import time

from harness import E2ETest, container, is_ready, phase, pod, pod_spec, wait_for, workload

PROBE = {"tcpSocket": {"port": 80}}
NO_TOKEN = {"automountServiceAccountToken": False}

# What is asked for, and the field that the event must name.
REFUSED = {
    "startup-probe": (pod_spec(container(startupProbe=PROBE)), "spec.containers[0].startupProbe"),
    "host-network": (pod_spec(hostNetwork=True), "spec.hostNetwork"),
    "host-path": (pod_spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}], **NO_TOKEN), "spec.volumes[0].hostPath"),
    "local-volume": (
        pod_spec(volumes=[{"name": "v", "csi": {"driver": "csi.example.com"}}], **NO_TOKEN),
        "spec.volumes[0].csi",
    ),
    "host-port": (
        pod_spec(container(ports=[{"containerPort": 80, "hostPort": 8080}])),
        "spec.containers[0].ports[0].hostPort",
    ),
    "privileged": (
        pod_spec(container(securityContext={"privileged": True})),
        "spec.containers[0].securityContext.privileged",
    ),
}


class RefusalsTest(E2ETest):
    def creates(self):
        return self.ecisim.calls("CreateContainerGroup")

    def wait_told(self, name, field):
        """The event that names this field. An earlier one may tell of an API server that was slow."""

        def look():
            return [e for e in self.events(name, "ProviderCreateFailed") if field in e["message"]]

        return wait_for(look, 30, f"an event of {name} names {field}")[0]["message"]

    def test_uncovered_fields_are_named_in_events(self):
        before = self.creates()
        self.apply(
            *(
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
                for name, (spec, _) in REFUSED.items()
            )
        )
        for name, (_, field) in REFUSED.items():
            self.wait_told(name, field)
            found = self.wait_pod(name, lambda p, f=field: f in p["status"].get("message", ""), 30, "says why")
            self.assertEqual(found["status"]["reason"], "ProviderFailed")
            self.assertEqual(phase(found), "Failed", "nobody would replace it, so it need not wait")
        self.assertEqual(self.creates(), before, "nothing was asked of the cloud")
        self.assertEqual(self.groups_here(), [])

    def test_all_refused_fields_are_told_at_once(self):
        elsewhere = {"httpGet": {"port": 80, "host": "example.com"}}
        both = pod("both", container(startupProbe=PROBE, livenessProbe=elsewhere), hostNetwork=True)
        self.apply(both)
        message = self.wait_told("both", "spec.hostNetwork")
        for field in "spec.hostNetwork", "livenessProbe.httpGet.host", "startupProbe":
            self.assertIn(field, message)

    def test_refused_pod_of_a_controller_waits(self):
        """A Failed pod would be replaced at once and for ever."""
        before = self.creates()
        self.apply(workload("ReplicaSet", "storm", pod_spec(container(startupProbe=PROBE)), replicas=2))

        def told():
            return [e for e in self.events(reason="ProviderCreateFailed") if "startupProbe" in e["message"]]

        wait_for(lambda: len(told()) == 2, 60, "both pods got their event")
        time.sleep(3)
        self.assertEqual([phase(p) for p in self.pods()], ["Pending", "Pending"])
        self.assertEqual(len(told()), 2)
        self.assertEqual(self.creates(), before)

    def test_pods_of_a_daemon_set_stay_pending_and_the_rest_runs(self):
        self.apply(pod("bystander"))
        self.wait_running("bystander")
        before = self.creates()
        everywhere = [{"operator": "Exists"}]
        self.apply(workload("DaemonSet", "agent", pod_spec(node=None, tolerations=everywhere)))
        name = wait_for(
            lambda: [p for p in self.pods() if p["metadata"]["labels"]["app"] == "agent"], 60, "the set has its pod"
        )[0]["metadata"]["name"]
        found = self.wait_pod(name, lambda p: p["status"].get("reason"), 60, "says why it waits")
        self.assertEqual(phase(found), "Pending")
        self.assertEqual(found["status"]["reason"], "DaemonSetNotSupported")
        event = self.wait_event(name, "DaemonSetNotSupported")
        self.assertIn("NotIn", event["message"], "it says what to write")
        self.apply(pod("later"))
        self.wait_running("later")
        self.assertEqual(len(self.events(name, "DaemonSetNotSupported")), 1)
        self.ecilet.restart()
        self.apply(pod("last"))
        self.wait_running("last")  # all pods were read once more
        time.sleep(3)
        self.assertEqual(phase(self.pod(name)), "Pending")
        self.assertEqual(len([p for p in self.pods() if p["metadata"]["labels"]["app"] == "agent"]), 1)
        self.assertLessEqual(len(self.events(name, "DaemonSetNotSupported")), 2, "once per process at most")
        self.assertEqual(self.creates(), before + 2, "later and last")
        self.assertTrue(is_ready(self.pod("bystander")))
