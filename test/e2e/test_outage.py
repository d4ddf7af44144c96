"""The line to the cloud is down; the API server is away. E2E_LONG=1 makes it last."""
import re
import time

from harness import IS_LONG, E2ETest, PodWatch, condition, is_ready, parse_time, phase, pod, stays, wait_for

CLOUD_AWAY_S = 300 if IS_LONG else 45
CLOUD_HANGS_S = 60 if IS_LONG else 25
SERVER_AWAY_S = 120 if IS_LONG else 40
STAYS_S = 15  # at least, however late it was noticed
RUNNING = 3
SPEC = "k8s.aliyun.com/eci-instance-spec"


class CloudOutageTest(E2ETest):
    config = {"POLL_FAST_MS": "2000"}  # the usual pace: its promise is tested

    def cloud_is_away(self, how, seconds, until_noticed):
        self.create(*(pod(f"p{number}") for number in range(RUNNING)))
        self.wait_all_running(RUNNING)
        # The last write about a pod that runs.
        wait_for(lambda: all(SPEC in p["metadata"]["annotations"] for p in self.pods()), 40, "the instances are noted")
        pid = self.ecilet.process.pid
        watch = PodWatch(self.cluster, self.namespace)
        began = time.time()
        self.ecisim.unreachable(how)
        self.wait_reachable("False", until_noticed)
        wait_for(lambda: self.cluster.node_events("ECIUnreachable", began), 30, "an event of the node tells")
        self.create(pod("waits"))
        event = wait_for(
            lambda: self.events("waits", "ECIUnreachable") or self.events("waits", "ProviderCreateFailed"),
            30,
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

        left = seconds - (time.time() - began)
        stays(all_as_it_was, max(left, STAYS_S), "the node Ready, pods Running, the new one Pending")
        for number in range(RUNNING):
            self.assertEqual(watch.of(f"p{number}")[1:], [], "not a single write about running pods")
        self.assertTrue(watch.is_alive(), "it has seen all")
        self.assertEqual(condition(self.node(), "ECIReachable")["status"], "False")
        self.assert_lease_is_renewed(began)
        said = len(self.ecilet.read_log_since_start())
        back = time.time()
        self.ecisim.reachable()
        self.assertLess(self.answers_again(said) - back, 7, "the first call comes within 5 s; 2 are the machine's")
        self.wait_reachable("True", 20)
        self.wait_running("waits", 40)
        self.wait_all_running(RUNNING + 1, 20)
        self.assertEqual(self.ecilet.process.pid, pid)
        self.assertTrue(self.ecilet.is_alive())
        self.assert_one_each([p["metadata"]["uid"] for p in self.pods()])

    def assert_lease_is_renewed(self, since):
        """Each ten seconds since then, as the API server saw it; 5 are the machine's."""
        until, name = time.time(), "/leases/" + self.ecilet.node
        calls = [e for e in self.cluster.audit(since) if e["verb"] == "patch" and e["requestURI"].endswith(name)]
        times = [parse_time(e["stageTimestamp"]) for e in calls if e["responseStatus"]["code"] == 200]
        times = [since, *(at for at in times if at < until), until]
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        self.assertLess(max(gaps), 15, "the lease was renewed all the time")

    def answers_again(self, said):
        """When it noticed that, by its own clock."""
        line = r"(\S+Z) .* ECIReachable: the ECI API answers again"
        found = wait_for(
            lambda: re.search(line, self.ecilet.read_log_since_start()[said:]), 30, "the cloud is there again"
        )
        return parse_time(found.group(1))

    def test_connections_are_refused(self):
        self.cloud_is_away("refuse", CLOUD_AWAY_S, 30)

    def test_nothing_answers(self):
        # Two calls, one after the other, have to be without an answer for 20 s each.
        self.cloud_is_away("hang", CLOUD_HANGS_S, 90)


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
        gone = time.time()
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

        def renewed():  # perhaps even before we knew that the API server is back
            at = parse_time(self.cluster.lease()["spec"]["renewTime"])
            return at if at > gone else None

        self.assertLess(wait_for(renewed, 30, "the lease is renewed") - back, 10, "within 10 s")
        # Calls that failed are tried again after 19 s at most, the watch after 13.
        self.wait_pod(dies, lambda p: phase(p) == "Failed", 60, "that died meanwhile is Failed")
        self.create(pod("next"))
        self.wait_running("next", 60)
        self.kubectl("delete", "pod", "p0", "--wait=false")
        wait_for(lambda: self.pod("p0") is None, 60, "the watch tells of deletions again")
        self.assertEqual(self.ecisim.calls("CreateContainerGroup"), creates + 1, "nothing is created twice")
        after = {p["metadata"]["name"]: p for p in self.pods()}
        for number in range(1, RUNNING):
            name = f"p{number}"
            self.assertEqual(after[name]["metadata"]["uid"], before[name]["metadata"]["uid"])
        wait_for(lambda: is_ready(self.node()), 60, "the node is Ready")
        # The node controller takes readiness away when it finds an old lease.
        self.wait_all_running(RUNNING, 60)
        self.assertEqual(self.ecilet.process.pid, pid)
        self.assertTrue(self.ecilet.is_alive())
