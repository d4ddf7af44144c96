"""`ecilet status`: what the running one is doing, and why pods wait."""
import os
import re
import socket
import stat
import subprocess

from harness import ECILET, E2ETest, pod, wait_for


class StatusTest(E2ETest):
    def wait_status(self, pattern):
        """The first text in which it is found."""

        def look():
            text = self.ecilet.status()
            return text if re.search(pattern, text) else None

        return wait_for(look, 30, f"the status says /{pattern}/")

    def test_says_why_a_pod_waits(self):
        self.create(pod("runs"))
        self.wait_running("runs")
        self.ecisim.unreachable()
        self.wait_reachable("False", 30)
        self.create(pod("waits"))
        text = self.wait_status(r"/waits .*the cloud does not answer")
        self.assertIn("cloud      unreachable for", text)
        self.assertNotIn("/runs ", text)
        self.assertIn(f"node       {self.ecilet.node}, registered", text)
        self.ecisim.reachable()
        self.wait_running("waits", 60)
        wait_for(lambda: "/waits " not in self.ecilet.status(), 20, "it is quiet again")
        self.wait_status("pods       2 of")  # those of the tests before are forgotten after a while

    def test_is_for_this_user_only_and_survives_a_kill(self):
        path = self.ecilet.config["STATUS_SOCKET"]
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.ecilet.kill()
        argv = [ECILET, "status", "--config", self.ecilet.config_file]
        dead = subprocess.run(argv, stderr=subprocess.PIPE, text=True, timeout=10)
        self.assertEqual(dead.returncode, 1)
        self.assertIn("nobody answers", dead.stderr)
        self.ecilet.start()
        self.assertIn(", registered", self.ecilet.status())

    def test_readers_that_do_not_read_disturb_nobody(self):
        idle = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for peer in idle:
            peer.connect(self.ecilet.config["STATUS_SOCKET"])
        self.create(pod("p"))
        self.wait_running("p")
        self.assertIn(", registered", self.ecilet.status())
        for peer in idle:
            peer.close()
        self.assertIn(", registered", self.ecilet.status())
