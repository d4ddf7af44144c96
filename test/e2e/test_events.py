"""What the cloud tells about an instance is an event of its pod."""
import time

from harness import IS_LONG, E2ETest, parse_time, pod, wait_for

CACHE = "Successfully hit image cache imc-1"


class EventsTest(E2ETest):
    def test_reason_type_message_count_times_and_source_are_passed_on(self):
        self.create(pod("told"))
        group = self.ecisim.groups_of(self.wait_running("told"))[0]["id"]
        message = "The stock of the specified zones will be used up. cn-hangzhou-i"
        began = int(time.time())
        self.ecisim.order(group, "event", reason="StockExhaust", message=message)
        ended = time.time()
        self.ecisim.order(group, "event", reason="SuccessfulHitImageCache", type="Normal", message=CACHE)
        self.ecisim.order(group, "event", reason="SomethingNewIn2031", message="nobody has heard of it")
        stock = wait_for(lambda: self.events("told", "StockExhaust"), 90, "the event is passed on")
        self.assertEqual(len(stock), 1)
        stock = stock[0]
        self.assertEqual((stock["type"], stock["message"], stock["count"]), ("Warning", message, 1))
        self.assertEqual(stock["source"]["component"], "EciService")
        self.assertEqual(stock["involvedObject"]["uid"], self.pod("told")["metadata"]["uid"])
        self.assertTrue(began <= parse_time(stock["firstTimestamp"]) <= ended, "the time at which it happened")
        # A round may begin between two of our orders: these come with the next one then.
        cache = self.wait_event("told", "SuccessfulHitImageCache", 90)
        self.assertEqual((cache["type"], cache["message"]), ("Normal", CACHE))
        self.wait_event("told", "SomethingNewIn2031", 90)
        # It happens again: counted, not repeated.
        self.ecisim.order(group, "event", reason="StockExhaust", message=message)
        wait_for(lambda: self.events("told", "StockExhaust")[0]["count"] == 2, 90, "its count grows")
        self.assertEqual(len(self.events("told", "StockExhaust")), 1)

    def test_restart_repeats_nothing(self):
        self.create(pod("again"))
        group = self.ecisim.groups_of(self.wait_running("again"))[0]["id"]
        self.ecisim.order(group, "event", reason="SystemReboot", message="by 48 hours")
        self.wait_event("again", "SystemReboot", 90)
        for sig in 15, 9:
            self.ecilet.restart(sig)
            self.ecisim.order(group, "event", reason=f"After{sig}", message="news")
            self.wait_event("again", f"After{sig}", 90)
        found = self.events("again", "SystemReboot")
        self.assertEqual([(e["count"], e["message"]) for e in found], [(1, "by 48 hours")])


class RefusedEventsTest(E2ETest):
    def test_account_that_may_not_ask_is_told_once_and_all_else_works(self):
        self.ecisim.fault(action="DescribeContainerGroupEvents", status=403, code="Forbidden.RAM")
        self.create(pod("quiet"))
        self.wait_running("quiet")
        self.wait_log("DescribeContainerGroupEvents: 403", 90)
        self.create(pod("second"))
        self.wait_running("second")
        if IS_LONG:  # it asks again after a minute
            wait_for(lambda: self.ecisim.faults_fired() > 1, 120, "it has asked again")
        self.assertEqual(self.ecilet.read_log_since_start().count("DescribeContainerGroupEvents: 403"), 1)
