"""Peers that want no good from our ports: idlers that hold connections, floods of TLS handshakes."""
import os
import subprocess
import time

from crowd import Flood, Idlers
from harness import E2ETest, container, free_port, is_ready, parse_time, pod, wait_for

IDLERS = 200
STRANGERS = ["127.0.0.%d" % number for number in range(2, 10)]
ATTACK_S = 12


class HostileTest(E2ETest):
    """The API server's own address is 127.0.0.1: idlers and floods come from others, and from there."""

    config = {"WEBHOOK": "true", "WEBHOOK_PORT": str(free_port()), "VKUBELET_POD_IP": "127.0.0.1"}

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.cluster.remove("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook")

    def port(self, key="KUBELET_PORT"):
        return int(self.ecilet.config[key])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.ecilet.process.pid}/fd"))

    def talker(self, name):
        env = [{"name": "ECISIM_LOG", "value": "good words"}]
        self.create(pod(name, container(env=env)))
        return name

    def logs(self, name):
        return "good words" in self.kubectl("logs", name, check=False, timeout=120)

    def assert_life_goes_on(self):
        """While it lasts: the lease moves, the node stays Ready, pods come and go, logs are read."""
        until = time.monotonic() + ATTACK_S
        renewals = set()
        lives = 0
        while time.monotonic() < until or lives < 3:
            name = self.talker(f"p{lives}")
            self.wait_running(name, 60)
            wait_for(lambda n=name: self.logs(n), 120, "kubectl logs gets through")
            self.kubectl("delete", "pod", name, "--wait=false", "--grace-period=1")
            wait_for(lambda n=name: self.pod(n) is None, 60, "the pod is gone")
            renewals.add(self.cluster.lease(self.ecilet.node)["spec"]["renewTime"])
            self.assertTrue(is_ready(self.node()), "the node is Ready")
            lives += 1
        before = parse_time(max(renewals))
        wait_for(
            lambda: parse_time(self.cluster.lease(self.ecilet.node)["spec"]["renewTime"]) > before,
            60,
            "the lease is renewed",
        )

    def settle(self):
        """Every buffer that a crowd can touch has been touched once, and what is idle is closed."""
        self.talker("before")
        self.wait_running("before")
        wait_for(lambda: self.logs("before"), 30, "kubectl logs")
        return self.descriptors(), self.ecilet.resident_kib()

    def assert_nothing_is_left(self, before):
        descriptors, kib = before
        wait_for(lambda: self.descriptors() <= descriptors + 4, 150, f"descriptors are back at {descriptors}")
        wait_for(lambda: self.ecilet.resident_kib() <= kib + 1024, 60, f"memory is back at {kib} KiB")
        wait_for(lambda: self.logs("before"), 60, "kubectl logs works again")

    def follow(self):
        """kubectl logs -f of the pod that was there before; the session is open."""
        argv = [self.cluster.program, "--kubeconfig", self.cluster.kubeconfig, "-n", self.namespace]
        session = subprocess.Popen([*argv, "logs", "-f", "before"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertTrue(session.stdout.read(1), "it has begun")
        return session

    def attack(self, *starts):
        follower = self.follow()
        attackers = []
        try:
            attackers.extend(start(*arguments) for start, *arguments in starts)
            self.assert_life_goes_on()
            self.assertIsNone(follower.poll(), "a session that was open is never closed for a newcomer")
            for one in attackers:
                if isinstance(one, Idlers):  # silence is borne for ten seconds
                    wait_for(lambda one=one: one.turned_away > 0, 60, "idlers are closed again and again")
        finally:
            ends = [(one, one.stop()) for one in attackers]
            follower.terminate()
            follower.communicate(timeout=20)
        for one, answered in ends:
            if not isinstance(one, Idlers):
                self.assertGreater(answered, 0, "a flood that was one")

    def test_two_hundred_idle_peers(self):
        before = self.settle()
        self.attack((Idlers, self.port(), IDLERS, "127.0.0.2"), (Idlers, self.port("WEBHOOK_PORT"), 40, "127.0.0.2"))
        self.assert_nothing_is_left(before)

    def test_two_hundred_idle_peers_at_the_address_of_the_api_server(self):
        before = self.settle()
        self.attack((Idlers, self.port(), IDLERS, "127.0.0.1"))
        self.assert_nothing_is_left(before)

    def test_handshake_flood(self):
        before = self.settle()
        self.attack(
            (Flood, "handshakes", self.port(), *STRANGERS),
            (Flood, "handshakes", self.port("WEBHOOK_PORT"), "127.0.0.2"),
        )
        self.assert_nothing_is_left(before)

    def test_flood_of_tokens(self):
        before = self.settle()
        self.attack((Flood, "tokens", self.port(), *STRANGERS))
        self.assert_nothing_is_left(before)

    def test_everything_at_once(self):
        before = self.settle()
        self.attack(
            (Idlers, self.port(), IDLERS, "127.0.0.1"),
            (Idlers, self.port("WEBHOOK_PORT"), 40, "127.0.0.3"),
            (Flood, "handshakes", self.port(), *STRANGERS),
            (Flood, "handshakes", self.port("WEBHOOK_PORT"), "127.0.0.2", "127.0.0.3"),
        )
        self.assert_nothing_is_left(before)
