"""What a pod has written to its disk, from the simulator's real containers to /stats/summary."""
import json

from harness import E2ETest, container, pod, wait_for

WRITTEN = 8 << 20


class DiskTest(E2ETest):
    mode = "container"

    def test_a_pod_that_writes(self):
        script = "dd if=/dev/zero of=/file bs=1M count=4; dd if=/dev/zero of=/v/file bs=1M count=4; sync; sleep 1000"
        main = container(
            image="busybox", command=["sh", "-c", script], volumeMounts=[{"name": "v", "mountPath": "/v"}]
        )
        (made,) = self.create(pod("p", main, volumes=[{"name": "v", "emptyDir": {}}]))
        self.wait_running("p", 60)

        def disk():
            text = self.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{self.ecilet.node}/proxy/stats/summary")
            for found in json.loads(text)["pods"]:  # it is not there before its first sample
                if found["podRef"]["uid"] == made["metadata"]["uid"]:
                    return found["ephemeral-storage"] if found["ephemeral-storage"]["usedBytes"] >= WRITTEN else None
            return None

        shown = wait_for(disk, 90, "the summary shows what was written")
        self.assertLess(shown["usedBytes"], 4 * WRITTEN)
        self.assertEqual(shown["usedBytes"] + shown["availableBytes"], shown["capacityBytes"])
