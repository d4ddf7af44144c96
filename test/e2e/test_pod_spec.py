"""What a manifest says is what runs: fields of pods, seen from inside the containers."""
from harness import E2ETest, container, is_ready, phase, pod, stays

NO_TOKEN = {"automountServiceAccountToken": False}


def field(path):
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


class PodSpecTest(E2ETest):
    mode = "container"
    config = {"VKUBELET_POD_IP": "192.0.2.10"}
    cloud = {"scheduling_ms": 100, "pending_ms": 100, "backoff_base_ms": 1000}

    def ends_well(self, name):
        """The containers check themselves: exit status 0 is the proof."""
        found = self.wait_pod(name, lambda p: phase(p) in ("Succeeded", "Failed"), 90, "has ended")
        self.assertEqual(phase(found), "Succeeded", found["status"])

    def test_a_hardened_pod_runs_and_is_told_what_is_not_applied(self):
        """Pod Security "restricted" and more: one event names what the cloud has no parameter for."""
        hardened = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "procMount": "Default",
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        }
        pod_wide = {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 3000,
            "fsGroup": 2000,
            "fsGroupChangePolicy": "OnRootMismatch",
            "supplementalGroups": [4000],
            "seccompProfile": {"type": "RuntimeDefault"},
            "seLinuxOptions": {"level": "s0:c123,c456"},
        }
        script = "test $(id -u) = 1000 && ! touch /file"
        one = container("one", "busybox", command=["sh", "-c", script], securityContext=hardened)
        two = container("two", "busybox", command=["true"], securityContext=hardened)
        first = container("first", "busybox", command=["true"], securityContext=hardened)
        fields = {"initContainers": [first], "securityContext": pod_wide, "restartPolicy": "Never", **NO_TOKEN}
        self.apply(pod("hardened", one, two, **fields))
        self.ends_well("hardened")
        message = self.wait_event("hardened", "PodSpecIncomplete")["message"]
        for field_name in (
            "spec.securityContext.fsGroup: ",
            "spec.securityContext.supplementalGroups: ",
            "spec.securityContext.seLinuxOptions: ",
            ".securityContext.allowPrivilegeEscalation: ",
            ".securityContext.capabilities.drop: ",
            ".securityContext.runAsGroup: ",
        ):
            self.assertEqual(message.count(field_name), 1, message)
        for field_name in "seccompProfile", "procMount", "readOnlyRootFilesystem", "runAsUser", "more":
            self.assertNotIn(field_name, message)
        self.assertEqual(len(self.events("hardened", "PodSpecIncomplete")), 1)
        self.assertEqual(self.events("hardened", "ProviderCreateFailed"), [])

    def test_fields_of_the_pod_in_variables_and_files(self):
        checks = [
            'test "$NAME" = fields',
            'test "$SPACE" = "$WANTED"',
            'test "$HOST" = 192.0.2.10',
            'test "$CPU" = 2',
            'test "$TEXT" = fields-2',
            'test -n "$IP"',
            'test "$(cat /info/name)" = fields',
        ]
        script = "; ".join(f"{check} || exit {number}" for number, check in enumerate(checks, 1))
        env = [
            {"name": "NAME", **field("metadata.name")},
            {"name": "SPACE", **field("metadata.namespace")},
            {"name": "WANTED", "value": self.namespace},
            {"name": "HOST", **field("status.hostIP")},
            {"name": "IP", **field("status.podIP")},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "TEXT", "value": "$(NAME)-$(CPU)"},
        ]
        items = [
            {"path": "name", "mode": 0o440, "fieldRef": {"fieldPath": "metadata.name"}},
        ]
        main = container(
            "main",
            "busybox",
            command=["sh", "-c", script],
            env=env,
            resources={"limits": {"cpu": "2"}},
            volumeMounts=[{"name": "info", "mountPath": "/info"}],
        )
        self.apply(
            pod(
                "fields",
                main,
                restartPolicy="Never",
                enableServiceLinks=False,
                volumes=[{"name": "info", "downwardAPI": {"items": items}}],
                **NO_TOKEN,
            )
        )
        self.ends_well("fields")

    def test_users_hooks_and_probes(self):
        main = container(
            "main",
            "busybox",
            command=["sh", "-c", "id -u > /scratch/user; trap 'exit 0' TERM; sleep 1000 & wait"],
            volumeMounts=[{"name": "work", "mountPath": "/scratch"}],
            lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo yes > /scratch/started"]}}},
            readinessProbe={
                "exec": {"command": ["sh", "-c", "grep -q yes /scratch/started && grep -qx 0 /scratch/user"]},
                "periodSeconds": 1,
            },
            securityContext={"runAsUser": 0, "capabilities": {"add": ["NET_RAW"]}},
        )
        self.apply(pod("ready", main, volumes=[{"name": "work", "emptyDir": {}}], **NO_TOKEN))
        self.wait_running("ready", 90)  # the probe sees what the hook and the user did

    def test_never_ready(self):
        main = container(
            "main",
            "busybox",
            command=["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"],
            readinessProbe={"exec": {"command": ["false"]}, "periodSeconds": 1},
        )
        self.apply(pod("unready", main, **NO_TOKEN))
        self.wait_pod("unready", lambda p: phase(p) == "Running", 90, "runs")
        stays(lambda: not is_ready(self.pod("unready")), 3, "not ready")
