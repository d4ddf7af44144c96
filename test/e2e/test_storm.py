"""Two thousand pods at once, and a cloud that throttles: nothing starves, nothing is doubled."""
import threading
import time

from harness import ApiError, E2ETest, parse_time, phase, pod, wait_for

PODS = 2000
THREADS = 6
THROTTLED = 60  # creations; ecilet slows down each time it is told to
GRACE_S = 40  # of a node's lease: older, and its pods would be in danger


class StormTest(E2ETest):
    config = {
        "ECI_QUOTA_POD": "3000",
        "PODS_MAX": "3000",
        "CREATE_PER_MINUTE": "9000",
        "DELETE_PER_MINUTE": "9000",
        "DESCRIBE_PER_MINUTE": "9000",
        "SWEEP_SECONDS": "10",
    }
    cloud = {"scheduling_ms": 50, "pending_ms": 50}

    def at_once(self, numbers, work):
        """work(number) for all of them, by some threads; what fails in one fails here."""
        numbers, failures = iter(numbers), []
        lock = threading.Lock()

        def run():
            try:
                while not failures:
                    with lock:
                        number = next(numbers, None)
                    if number is None:
                        return
                    work(number)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def make(self, numbers):
        self.at_once(numbers, self.make_one)

    def make_one(self, number):
        """A busy API server may have made it and not said so in time."""

        def is_made():
            try:
                return self.create(pod(f"p{number}", terminationGracePeriodSeconds=1))
            except ApiError as error:
                if error.status == 409:
                    return True
                raise

        wait_for(is_made, 60, f"p{number} is made")

    def groups_made(self):
        actions = self.ecisim.stats()["actions"].get("CreateContainerGroup", {"calls": 0, "errors": 0})
        return actions["calls"] - actions["errors"]

    def lease_age(self):
        return time.time() - parse_time(self.cluster.lease()["spec"]["renewTime"])

    def watch_the_lease(self, ages, is_over):
        while not is_over.wait(1):
            try:
                ages.append(self.lease_age())
            except Exception:
                pass  # the API server is busy, too

    def finish_the_storm(self):
        def all_run():
            time.sleep(2)  # a list of two thousand is a burden by itself
            found = self.pods()
            return len(found) == PODS and all(phase(p) == "Running" for p in found) and found

        return wait_for(all_run, 400, f"{PODS} pods run")

    def test_neither_deletes_nor_the_lease_starve(self):
        ages, is_over = [], threading.Event()
        watcher = threading.Thread(target=self.watch_the_lease, args=(ages, is_over))
        watcher.start()
        try:
            self.storm()
        finally:
            is_over.set()
            watcher.join()
        self.assertGreater(len(ages), 5, "the lease was looked at")
        self.assertLess(max(ages), GRACE_S, "the lease never was in danger")
        print(f"        (the lease was {max(ages):.1f} s old at most)", flush=True)

    def storm(self):
        self.make(range(3))
        self.wait_all_running(3)
        self.ecisim.fault(action="CreateContainerGroup", count=THROTTLED, status=400, code="Throttling.User")
        began = time.monotonic()
        polls = self.ecisim.calls("DescribeContainerGroupStatus")
        failures = []

        def feed():
            try:
                self.make(range(3, PODS))
            except Exception as error:
                failures.append(error)

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            wait_for(lambda: self.groups_made() > 100, 120, "the storm has begun")
            # In the midst of it one leaves, and one more comes after all that wait already.
            path = f"/api/v1/namespaces/{self.namespace}/pods/p0"
            self.cluster.remove(path)
            asked = time.monotonic()
            wait_for(lambda: self.pod("p0") is None, 120, "a pod that leaves is gone")
            took, made = time.monotonic() - asked, self.groups_made()
            self.assertLess(made, PODS, "and it did not wait for all that came before")
        finally:
            feeder.join()
        self.assertEqual(failures, [])
        self.make([0])
        last = self.finish_the_storm()
        seconds = time.monotonic() - began
        actions = self.ecisim.stats()["actions"]
        throttled = actions["CreateContainerGroup"]["errors"]
        self.assertEqual(self.ecisim.faults_fired(), THROTTLED, "the cloud did throttle")
        self.assertGreater(actions["DescribeContainerGroupStatus"]["calls"], polls + 3, "the cloud was read all the time")
        self.assertEqual(actions["DeleteContainerGroup"]["errors"], 0, "no delete was ever refused")
        self.assert_one_each([p["metadata"]["uid"] for p in last])
        print(f"        ({PODS} pods in {seconds:.0f} s, {throttled} creations throttled;", end="")
        print(f" a delete among {made} groups took {took:.1f} s)", flush=True)
        self.leave()

    def leave(self):
        """All at once; the short wait of an ordinary test would not do. The answer to the one call may take longer
        than a call waits for it; then it is asked for those that are left."""

        def all_gone():
            found = self.pods()
            if any("deletionTimestamp" not in p["metadata"] for p in found):
                self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods?gracePeriodSeconds=1")
            time.sleep(1)
            return not found

        wait_for(all_gone, 300, "all pods are gone")
