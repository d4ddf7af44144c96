"""Answers that are lost, wrong or late: one instance all the same."""
from harness import E2ETest, is_ready, phase, pod, stays, wait_for

COUNT = 5


class AmbiguityTest(E2ETest):
    config = {"SWEEP_SECONDS": "5"}

    def one_instance_each_in_spite_of(self, count=COUNT, timeout=120, **fault):
        self.ecisim.fault(action="CreateContainerGroup", count=count, **fault)
        made = self.create(*(pod(f"p{number}") for number in range(COUNT)))
        self.wait_all_running(COUNT, timeout)
        self.assertGreaterEqual(self.ecisim.faults_fired(), count, "the fault was met")
        self.assert_one_each([p["metadata"]["uid"] for p in made])

    def test_create_is_done_and_the_answer_cut(self):
        self.one_instance_each_in_spite_of(cut_after=True)

    def test_create_is_cut_before_it_is_done(self):
        self.one_instance_each_in_spite_of(cut_before=True)

    def test_create_is_done_and_the_answer_is_half(self):
        self.one_instance_each_in_spite_of(truncated_json=True)

    def test_create_answers_500(self):
        self.one_instance_each_in_spite_of(status=500, code="InternalError")

    def test_create_is_done_and_answers_500(self):
        self.one_instance_each_in_spite_of(status=500, code="InternalError", after=True)

    def test_create_answers_503_without_words(self):
        self.one_instance_each_in_spite_of(status=503, code="ServiceUnavailable")

    def test_create_is_throttled(self):
        self.one_instance_each_in_spite_of(status=400, code="Throttling.User")

    def test_delete_is_done_and_the_answer_cut(self):
        self.delete_in_spite_of(cut_after=True)

    def test_delete_is_cut_before_it_is_done(self):
        self.delete_in_spite_of(cut_before=True)

    def test_delete_answers_500(self):
        self.delete_in_spite_of(status=500, code="InternalError")

    def delete_in_spite_of(self, **fault):
        self.create(pod("p"))
        found = self.wait_running("p")
        self.ecisim.fault(action="DeleteContainerGroup", count=2, **fault)
        self.kubectl("delete", "pod", "p", "--wait=false")
        wait_for(lambda: self.pod("p") is None, 60, "the object is gone")
        self.assertGreaterEqual(self.ecisim.faults_fired(), 1, "the fault was met")
        self.assertEqual(self.ecisim.groups_of(found, exists="true"), [], "and so is the instance")


class ListsTest(E2ETest):
    """Lists that lie. Reads by id lie with them: only time protects, twenty seconds of it."""

    config = {"SWEEP_SECONDS": "5"}

    def setUp(self):
        super().setUp()
        self.deletes = self.ecisim.calls("DeleteContainerGroup")

    def running(self):
        return [(phase(p), is_ready(p)) for p in self.pods()] == [("Running", True)] * COUNT

    def untouched_while(self, seconds, **fault):
        made = self.create(*(pod(f"p{number}") for number in range(COUNT)))
        self.wait_all_running(COUNT)
        self.ecisim.fault(action="DescribeContainerGroups|DescribeContainerGroupStatus", **fault)
        stays(self.running, seconds, "all pods are Running and Ready")
        wait_for(lambda: self.ecisim.faults_fired() > 1, 30, "the fault was met")
        self.assertTrue(self.running(), "all pods are still Running and Ready")
        self.ecisim.clear_faults()
        self.assertEqual(self.ecisim.calls("DeleteContainerGroup"), self.deletes)
        self.assert_one_each([p["metadata"]["uid"] for p in made])
        self.create(pod("next"))
        self.wait_running("next", 60)

    def test_rows_missing_from_lists_change_nothing(self):
        self.untouched_while(12, omit_rows=0.5)

    def test_malformed_lists_change_nothing(self):
        self.untouched_while(5, malformed_json=True)

    def test_empty_lists_change_nothing(self):
        """As a caller without permission gets them: however long, and from reads by id too."""
        self.untouched_while(35, empty_list=True)

    def test_restart_into_empty_lists_makes_no_second_instance(self):
        made = self.create(*(pod(f"p{number}") for number in range(COUNT)))
        self.wait_all_running(COUNT)
        self.ecilet.kill()
        self.ecisim.fault(action="DescribeContainerGroups|DescribeContainerGroupStatus", empty_list=True)
        self.ecilet.start()
        stays(lambda: [phase(p) for p in self.pods()] == ["Running"] * COUNT, 8, "all pods are Running")
        wait_for(self.ecisim.faults_fired, 30, "the fault was met")
        self.ecisim.clear_faults()
        self.wait_all_running(COUNT)
        self.assert_one_each([p["metadata"]["uid"] for p in made])


class OlderStatusTest(E2ETest):
    def test_an_older_status_over_an_end_is_written_over(self):
        """As of a gateway that slept: a write of it that comes late."""
        self.create(pod("ends", restartPolicy="Never"))
        found = self.wait_running("ends")
        self.ecisim.order(self.ecisim.groups_of(found)[0]["id"], "fail")
        self.wait_pod("ends", lambda p: phase(p) == "Failed", 30, "has failed")
        path = f"/api/v1/namespaces/{self.namespace}/pods/ends/status"
        self.cluster.call("PATCH", path, {"status": {"phase": "Running"}}, "application/merge-patch+json")
        self.wait_pod("ends", lambda p: phase(p) == "Failed", 60, "is said to have failed again")
