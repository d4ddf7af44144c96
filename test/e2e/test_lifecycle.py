"""The life of pods, with real containers behind the simulated cloud."""
import http.client
import os
import time

from harness import (
    MANIFESTS,
    E2ETest,
    PodWatch,
    condition,
    container,
    is_ready,
    phase,
    pod,
    pod_spec,
    scheduled,
    wait_for,
    workload,
)


def shell(script, name="main"):
    return container(name, "busybox", command=["sh", "-c", script])


SLEEPER = "trap 'exit 0' TERM; sleep 100000 & wait"


class LifecycleTest(E2ETest):
    mode = "container"
    cloud = {"scheduling_ms": 100, "pending_ms": 100, "backoff_base_ms": 1000}

    def http_get(self, address, port=80):
        connection = http.client.HTTPConnection(address, port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        finally:
            connection.close()

    def reaches_running(self, manifest):
        self.kubectl("apply", "-f", os.path.join(MANIFESTS, manifest))
        found = self.wait_running("nginx", 60)
        address = found["status"]["podIP"]
        self.assertEqual(found["status"]["podIPs"], [{"ip": address}])
        status = found["status"]["containerStatuses"][0]
        self.assertTrue(status["ready"] and status["started"])
        self.assertIn("startedAt", status["state"]["running"])
        self.assertEqual(status["restartCount"], 0)
        for kind in "Initialized", "ContainersReady", "PodScheduled":
            self.assertEqual(condition(found, kind)["status"], "True", kind)
        wait_for(lambda: self.http_get(address) == 200, 60, "the pod's address answers HTTP")
        row = self.kubectl("get", "pod", "nginx", "-o", "wide").splitlines()[1].split()
        self.assertEqual(row[1:3], ["1/1", "Running"])
        self.assertIn(address, row)
        self.assertIn(self.ecilet.node, row)

    def test_manifest_with_node_selector(self):
        self.reaches_running("node-selector.yaml")

    def test_manifest_with_node_name(self):
        self.reaches_running("node-name.yaml")

    def test_job_completes(self):
        spec = scheduled(pod_spec(shell("sleep 1; echo done"), restartPolicy="Never"))
        self.apply(workload("Job", "count", spec, api="batch/v1", backoffLimit=0))
        self.kubectl("wait", "--for=condition=complete", "job/count", "--timeout=90s", timeout=120)
        found = self.pods()
        self.assertEqual([phase(p) for p in found], ["Succeeded"])
        ended = found[0]["status"]["containerStatuses"][0]["state"]["terminated"]
        self.assertEqual((ended["exitCode"], ended["reason"]), (0, "Completed"))
        self.assert_one_each([found[0]["metadata"]["uid"]])

    def test_failed_job_tells_its_exit_code(self):
        spec = scheduled(pod_spec(shell("exit 7"), restartPolicy="Never"))
        self.apply(workload("Job", "fails", spec, api="batch/v1", backoffLimit=0))
        self.kubectl("wait", "--for=condition=failed", "job/fails", "--timeout=90s", timeout=120)
        found = self.pods()
        self.assertEqual([phase(p) for p in found], ["Failed"])
        self.assertEqual(found[0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 7)

    def test_crashing_container_backs_off(self):
        watch = PodWatch(self.cluster, self.namespace)
        self.apply(pod("crash", shell("sleep 0.2; exit 3")))

        def is_backing_off(found):
            status = found["status"]["containerStatuses"][0]
            waiting = status["state"].get("waiting", {})
            return status["restartCount"] > 1 and waiting.get("reason") == "CrashLoopBackOff"

        found = self.wait_pod("crash", is_backing_off, 60, "restarted more than once and is in CrashLoopBackOff")
        status = found["status"]["containerStatuses"][0]
        self.assertEqual(status["lastState"]["terminated"]["exitCode"], 3)
        self.assertFalse(is_ready(found))
        self.assertNotIn("Failed", watch.phases("crash"))
        phases = watch.phases("crash")
        self.assertEqual(phases, sorted(phases, key=["Pending", "Running"].index), "phases go forward only")
        wait_for(lambda: "CrashLoopBackOff" in self.kubectl("get", "pod", "crash"), 60, "kubectl get shows it")

    def test_init_containers_run_one_after_the_other(self):
        mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
        self.apply(
            pod(
                "with-init",
                {**shell("cat /shared/word && " + SLEEPER), **mount},
                initContainers=[
                    {**shell("sleep 1; echo -n one >/shared/first", "first"), **mount},
                    {**shell("cat /shared/first >/shared/word", "second"), **mount},
                ],
                volumes=[{"name": "shared", "emptyDir": {}}],
            )
        )
        self.wait_pod("with-init", lambda p: p["status"].get("initContainerStatuses"), 60, "shows init containers")
        found = self.wait_running("with-init", 60)

        def all_done():
            statuses = self.pod("with-init")["status"]["initContainerStatuses"]
            return statuses if all("terminated" in s["state"] for s in statuses) else None

        statuses = wait_for(all_done, 60, "both init containers are shown as ended")
        self.assertEqual([s["name"] for s in statuses], ["first", "second"])
        self.assertEqual([s["state"]["terminated"]["exitCode"] for s in statuses], [0, 0])
        self.assertTrue(all(s["ready"] for s in statuses))
        self.assertEqual(condition(found, "Initialized")["status"], "True")

    def test_failing_init_container_keeps_the_pod_pending(self):
        self.apply(pod("stuck", shell(SLEEPER), initContainers=[shell("exit 1", "first")]))

        def has_failed(found):
            status = found["status"]["initContainerStatuses"][0]
            return "terminated" in status["state"] or "terminated" in status.get("lastState", {})

        found = self.wait_pod("stuck", has_failed, 60, "shows the failed init container")
        self.assertEqual(phase(found), "Pending")
        self.assertNotEqual(condition(found, "Initialized")["status"], "True")

    def test_describe_tells_the_story(self):
        self.apply(pod("story"))
        self.wait_running("story", 60)
        self.wait_event("story", "ProviderCreateSuccess")
        text = self.kubectl("describe", "pod", "story")
        instance = self.groups_here()[0]["id"]
        self.assertIn("ProviderCreateSuccess", text)
        self.assertIn(f"created ECI container group {instance}", text)

    def deleted_instance_first(self, *options):
        watch = PodWatch(self.cluster, self.namespace)
        self.apply(pod("leaves", shell(SLEEPER)))
        found = self.wait_running("leaves", 60)
        self.kubectl("delete", "pod", "leaves", "--wait=false", *options)
        wait_for(lambda: not self.groups_of(found, exists="true"), 60, "its instance is gone")
        wait_for(lambda: self.pod("leaves") is None, 30, "the object is gone")
        removed = wait_for(lambda: watch.removed_at("leaves"), 20, "the watch told of the removal")
        groups = self.groups_of(found)
        self.assertEqual(len(groups), 1)
        return groups[0]["deleted_ms"] / 1000, removed

    def groups_of(self, *about, **filters):
        return self.ecisim.groups_of(*about, **filters)

    def test_delete_removes_the_instance_first(self):
        instance_gone, object_gone = self.deleted_instance_first()
        self.assertLessEqual(instance_gone, object_gone)
        self.wait_log(f"{self.namespace}/leaves: ProviderDeleteSuccess")

    def test_forced_delete_removes_the_instance_too(self):
        self.deleted_instance_first("--force", "--grace-period=0")

    def test_deleted_while_ecilet_was_down(self):
        self.apply(pod("graceful", shell(SLEEPER)), pod("forced", shell(SLEEPER)), pod("stays", shell(SLEEPER)))
        self.wait_all_running(3)
        self.ecilet.kill()
        self.kubectl("delete", "pod", "graceful", "--wait=false")
        self.kubectl("delete", "pod", "forced", "--force", "--grace-period=0")
        self.assertIsNone(self.pod("forced"))
        self.assertIsNotNone(self.pod("graceful"), "it waits for its instance")
        self.assertEqual(len(self.groups_here(exists="true")), 3)
        self.ecilet.start()
        wait_for(lambda: self.pod("graceful") is None, 60, "the pod deleted gracefully is gone")
        wait_for(lambda: len(self.groups_here(exists="true")) == 1, 60, "both instances are gone")
        self.assertTrue(is_ready(self.pod("stays")))
        self.assertEqual(len(self.groups_here()), 3, "nothing was created again")

    def test_deployment_scales(self):
        spec = scheduled(pod_spec(shell(SLEEPER)))
        self.apply(workload("Deployment", "web", spec, replicas=3))
        self.wait_all_running(3)
        self.kubectl("rollout", "status", "deployment/web", "--timeout=50s")
        for count in 1, 5:
            self.kubectl("scale", "deployment/web", f"--replicas={count}")
            self.wait_all_running(count)
            wait_for(lambda n=count: len(self.pods()) == n, 60, f"{count} pods exist")
            wait_for(lambda n=count: len(self.groups_here(exists="true")) == n, 60, f"{count} instances exist")
        self.kubectl("rollout", "status", "deployment/web", "--timeout=50s")

    def test_instance_that_dies_is_replaced_by_its_controller(self):
        self.apply(workload("ReplicaSet", "heals", pod_spec(shell(SLEEPER)), replicas=1))
        first = self.wait_all_running(1)[0]
        instance = self.groups_of(first)[0]["id"]
        self.ecisim.order(instance, "fail")
        wait_for(lambda: any(phase(p) == "Failed" for p in self.pods()), 60, "the pod has Failed")

        def replacement():
            return [p for p in self.pods() if p["metadata"]["uid"] != first["metadata"]["uid"] and is_ready(p)]

        wait_for(replacement, 60, "a replacement runs")

    def test_name_used_again_at_once(self):
        """The same name with another UID is another pod."""
        self.apply(pod("again", shell(SLEEPER)))
        first = self.wait_running("again", 60)
        self.kubectl("delete", "pod", "again", "--force", "--grace-period=0")
        self.apply(pod("again", shell(SLEEPER)))
        second = self.wait_running("again", 60)
        self.assertNotEqual(first["metadata"]["uid"], second["metadata"]["uid"])
        wait_for(lambda: not self.groups_of(first, exists="true"), 60, "the first one's instance is gone")
        time.sleep(1)
        self.assertTrue(is_ready(self.pod("again")))
        self.assertEqual(len(self.groups_of(second, exists="true")), 1)


class MomentsTest(E2ETest):
    """Moments that real containers are too slow for."""

    config = {"POLL_FAST_MS": "2000"}

    def test_deleted_before_its_instance_was_listed(self):
        self.create(pod("brief"))
        self.wait_log(f"{self.namespace}/brief: ProviderCreateSuccess")
        self.kubectl("delete", "pod", "brief", "--wait=false")
        # One that no listing has shown is believed gone ten seconds after its delete.
        wait_for(lambda: self.pod("brief") is None, 60, "the pod is gone")
        self.assertEqual(self.groups_here(exists="true"), [])

    def test_deleted_while_its_creation_is_under_way(self):
        self.ecisim.fault(action="CreateContainerGroup", latency_ms=4000)
        before = self.ecisim.calls("CreateContainerGroup")
        self.create(pod("brief"))
        wait_for(lambda: self.ecisim.calls("CreateContainerGroup") > before, 20, "its creation is under way")
        self.kubectl("delete", "pod", "brief", "--wait=false")
        wait_for(lambda: self.pod("brief") is None, 60, "the pod is gone")
        self.assertEqual(self.groups_here(exists="true"), [])

    def test_readiness_taken_away_by_others_is_given_back(self):
        """The node controller marks the pods of a silent node not Ready; a kubelet puts that right."""
        self.create(pod("p"))
        self.wait_running("p")
        not_ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        told = self.cluster.call(
            "PATCH",
            f"/api/v1/namespaces/{self.namespace}/pods/p/status",
            {"status": {"conditions": [not_ready]}},
            kind="application/strategic-merge-patch+json",
        )
        self.assertFalse(is_ready(told))
        self.wait_running("p", 60)
