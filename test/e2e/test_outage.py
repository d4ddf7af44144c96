"""The line to the cloud is down; the API server is away. E2E_LONG=1 makes it last."""
import time

from harness import IS_LONG, E2ETest, PodWatch, condition, is_ready, parse_time, phase, pod, stays, wait_for

CLOUD_AWAY_S = 300 if IS_LONG else 45
CLOUD_HANGS_S = 60 if IS_LONG else 25
SERVER_AWAY_S = 120 if IS_LONG else 40
RUNNING = 3


class CloudOutageTest(E2ETest):
    config = {"POLL_FAST_MS": "2000"}  # the usual pace: its promise is tested

    def cloud_is_away(self, how, seconds, until_noticed):
        self.create(*(pod(f"p{number}") for number in range(RUNNING)))
        self.wait_all_running(RUNNING)
        pid = self.ecilet.process.pid
        watch = PodWatch(self.cluster, self.namespace)
        began = time.monotonic()
        self.ecisim.unreachable(how)
        self.wait_reachable("False", until_noticed)
        wait_for(lambda: self.cluster.node_events("ECIUnreachable"), 10, "an event of the node tells")
        self.create(pod("waits"))
        event = wait_for(
            lambda: self.events("waits", "ECIUnreachable") or self.events("waits", "ProviderCreateFailed"),
            10,
            "an event of the new pod tells",
        )[0]
        self.assertEqual(event["type"], "Warning")

        def all_as_it_was():
            found = {p["metadata"]["name"]: p for p in self.pods()}
            return (
                phase(found.pop("waits")) == "Pending"
                and all(phase(p) == "Running" and is_ready(p) for p in found.values())
                and is_ready(self.node())
            )

        stays(all_as_it_was, seconds - (time.monotonic() - began), "the node Ready, pods Running, the new one Pending")
        for number in range(RUNNING):
            self.assertEqual(watch.of(f"p{number}")[1:], [], "not a single write about running pods")
        self.assertEqual(condition(self.node(), "ECIReachable")["status"], "False")
        age = time.time() - parse_time(self.cluster.lease()["spec"]["renewTime"])
        self.assertLess(age, 12, "the lease was renewed all the time")
        calls = self.ecisim.calls()
        self.ecisim.reachable()
        back = time.monotonic()
        wait_for(lambda: self.ecisim.calls() > calls, 10, "the first call")
        self.assertLess(time.monotonic() - back, 5.2, "the first call comes within 5 s")
        self.wait_reachable("True", 10)
        self.wait_running("waits")
        self.wait_all_running(RUNNING + 1, 5)
        self.assertEqual(self.ecilet.process.pid, pid)
        self.assertTrue(self.ecilet.is_alive())
        self.assert_one_each([p["metadata"]["uid"] for p in self.pods()])

    def test_connections_are_refused(self):
        self.cloud_is_away("refuse", CLOUD_AWAY_S, 20)

    def test_nothing_answers(self):
        self.cloud_is_away("hang", CLOUD_HANGS_S, 60)


class ServerOutageTest(E2ETest):
    def test_api_server_is_away(self):
        self.create(*(pod(f"p{number}") for number in range(RUNNING + 1)))
        self.wait_all_running(RUNNING + 1)
        pid = self.ecilet.process.pid
        before = {p["metadata"]["name"]: p for p in self.pods()}
        creates = self.ecisim.calls("CreateContainerGroup")
        dies = f"p{RUNNING}"
        self.cluster.stop_apiserver()
        self.cluster.is_up = False
        try:
            began = time.monotonic()
            time.sleep(2)
            self.ecisim.order(self.ecisim.groups_of(before[dies])[0]["id"], "fail")
            time.sleep(SERVER_AWAY_S - (time.monotonic() - began))
            self.assertTrue(self.ecilet.is_alive())
        finally:
            self.cluster.start_apiserver()
            self.cluster.is_up = True
        back = time.time()
        wait_for(
            lambda: parse_time(self.cluster.lease()["spec"]["renewTime"]) > back - 1,
            10,
            "the lease is renewed within 10 s",
        )
        self.wait_pod(dies, lambda p: phase(p) == "Failed", 20, "that died meanwhile is Failed")
        self.create(pod("next"))
        self.wait_running("next")
        self.kubectl("delete", "pod", "p0", "--wait=false")
        wait_for(lambda: self.pod("p0") is None, 20, "the watch tells of deletions again")
        self.assertEqual(self.ecisim.calls("CreateContainerGroup"), creates + 1, "nothing is created twice")
        after = {p["metadata"]["name"]: p for p in self.pods()}
        for number in range(1, RUNNING):
            name = f"p{number}"
            self.assertEqual(after[name]["metadata"]["uid"], before[name]["metadata"]["uid"])
        wait_for(lambda: is_ready(self.node()), 15, "the node is Ready")
        # The node controller takes readiness away when it finds an old lease.
        self.wait_all_running(RUNNING, 30)
        self.assertEqual(self.ecilet.process.pid, pid)
        self.assertTrue(self.ecilet.is_alive())
