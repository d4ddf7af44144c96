"""kill -9 at any moment: starting is recovering."""
import random
import threading
import time

from harness import E2ETest, container, pod, wait_for

PODS = 100
KILLS = 50


class CrashTest(E2ETest):
    # Slow answers make wide the windows in which a call is under way; few connections make it long
    # until all is done, so that every stage of the work is hit.
    config = {
        "CLOUD_CONNECTIONS": "4",
        "POLL_FAST_MS": "300",
        "SWEEP_SECONDS": "5",
        "ORPHAN_BRAKE_PERCENT": "100",  # every fifth pod is deleted by force, many while ecilet is down
    }
    cloud = {"scheduling_ms": 200, "pending_ms": 300, "delete_ms": 300}

    def setUp(self):
        super().setUp()
        self.seed = random.randrange(10**6)
        self.random = random.Random(self.seed)
        self.ecisim.fault(action="CreateContainerGroup|DeleteContainerGroup", latency_ms=250)

    def kill_often(self, times):
        for _ in range(times):
            time.sleep(self.random.uniform(0.02, 0.8))
            self.ecilet.kill()
            self.ecilet.start(is_waiting=False)

    def in_the_background(self, work):
        failures = []

        def run():
            try:
                work()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def join():
            thread.join()
            for error in failures:
                raise error

        return join

    def trickle_in(self):
        for number in range(PODS):
            self.create(pod(f"p{number}", container(), terminationGracePeriodSeconds=1))
            time.sleep(0.1)

    def trickle_out(self):
        for number in range(PODS):
            path = f"/api/v1/namespaces/{self.namespace}/pods/p{number}"
            self.cluster.call("DELETE", path + ("?gracePeriodSeconds=0" if number % 5 == 0 else ""))
            time.sleep(0.08)

    def test_killed_at_fifty_moments_while_a_hundred_pods_come_and_go(self):
        print(f"        (seed {self.seed})", flush=True)
        join = self.in_the_background(self.trickle_in)
        self.kill_often(KILLS // 2)
        join()
        pods = self.wait_all_running(PODS, 240)
        uids = [p["metadata"]["uid"] for p in pods]
        self.assert_one_each(uids)
        join = self.in_the_background(self.trickle_out)
        self.kill_often(KILLS - KILLS // 2)
        join()
        wait_for(lambda: not self.pods(), 240, "all pods are gone")
        wait_for(lambda: not self.groups_here(exists="true"), 240, "all instances are gone")
        self.assert_one_each(uids)
        self.assertEqual(len(self.groups_here()), PODS)
        self.assertNotIn("check failed", self.ecilet.read_log().lower())
