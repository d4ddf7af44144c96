"""Logs, exec and attach with every kubectl there is, through the real API server.

What only repeats is done by the oldest and the newest in full and by those between in short. Clients from 1.31 on
speak WebSocket, those before SPDY.
"""
import os
import re
import signal
import threading
import time

from clients import Terminal, find_clients, with_each
from harness import E2ETest, container, parse_time, pod, wait_for

MEGABYTE = 1024 * 1024


class ClientsTest(E2ETest):
    mode = "container"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = find_clients(cls.cluster)
        cls.ends = {cls.clients[0], cls.clients[-1]}

    def shell(self, name, script, **fields):
        self.create(pod(name, container("main", "busybox", command=["sh", "-c", script]), **fields))
        return self.wait_running(name, 60)

    # --- logs

    def make_talkers(self):
        """A pod with all kinds of containers; returns when all have said what they have to say."""
        first = container("first", "busybox", command=["sh", "-c", "echo from init"])
        script = "for i in 1 2 3; do echo line $i; done; sleep 3; echo line 4; echo line 5; sleep 1000"
        main = container("main", "busybox", command=["sh", "-c", script])
        side = container("side", "busybox", command=["sh", "-c", "echo from side; sleep 1000"])
        again = container("again", "busybox", command=["sh", "-c", "echo run; sleep 3; exit 1"])
        self.create(pod("p", main, side, again, initContainers=[first]))

        def has_all():
            states = {state["name"]: state for state in self.pod("p")["status"]["containerStatuses"]}
            said = self.kubectl("logs", "p", "-c", "main") + self.kubectl("logs", "p", "-c", "side")
            return states["again"]["restartCount"] > 0 and "line 5" in said and "from side" in said

        wait_for(has_all, 90, "all containers have spoken and one has restarted")

    def test_logs_with_all_flags(self):
        self.make_talkers()
        stamped = self.clients[0].output(self, "logs", "p", "-c", "main", "--timestamps").splitlines()
        fourth, newest = stamped[3].split(" ")[0], parse_time(stamped[-1].split(" ")[0])
        wait_for(lambda: time.time() > newest + 3, 30, "the newest line is older than --since=1s")
        lines = [f"line {i}" for i in range(1, 6)]

        def logs(client, *flags):
            return client.output(self, "logs", "p", *flags)

        def in_short(client):
            self.assertEqual(logs(client, "-c", "main").splitlines(), lines)
            self.assertEqual(logs(client, "-c", "main", "--tail=2", "--since=1h").splitlines(), lines[3:])
            self.assertEqual(logs(client, "-c", "first"), "from init\n")
            said = logs(client, "--all-containers", "--prefix", "--tail=1").splitlines()
            for line in "[pod/p/main] line 5", "[pod/p/side] from side", "[pod/p/first] from init":
                self.assertIn(line, said)

        def in_full(client):
            in_short(client)
            self.assertEqual(logs(client, "-c", "main", "--limit-bytes=6"), "line 1")
            self.assertEqual(logs(client, "-c", "main", "--tail=0"), "")
            self.assertEqual(logs(client, "-c", "main", f"--since-time={fourth}").splitlines(), lines[3:])
            self.assertEqual(logs(client, "-c", "main", "--since-time=2037-01-01T00:00:00Z"), "")
            self.assertEqual(logs(client, "-c", "main", "--since=1s"), "")
            self.assertEqual(logs(client, "-c", "main", "--timestamps").splitlines(), stamped)
            self.assertEqual(logs(client, "-c", "again", "--previous"), "run\n")
            refused = client.run(self, "logs", "p", "-c", "side", "--previous")
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(b"previous terminated container", refused.stderr)

        with_each(self.clients, lambda client: (in_full if client in self.ends else in_short)(client))

    def test_three_follow_a_writer_of_thirty_seconds(self):
        script = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; sleep 0.1; done"
        self.create(pod("p", container("main", "busybox", command=["sh", "-c", script]), restartPolicy="Never"))
        self.wait_running("p", 60)
        middle = self.clients[len(self.clients) // 2]
        followers = [c.start(self, "logs", "-f", "p") for c in (self.clients[0], middle, self.clients[-1])]
        for follower in followers:
            said = follower.communicate(timeout=180)[0].splitlines()
            self.assertEqual(said, [f"line {i}" for i in range(1, 301)])
            self.assertEqual(follower.returncode, 0)

    # --- exec

    def test_exec(self):
        self.shell("p", "sleep 1000")

        def of(client):
            done = client.run(self, "exec", "p", "--", "sh", "-c", "echo out; echo err >&2")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"out\n", b"err\n"))
            for code in 1, 137:
                done = client.run(self, "exec", "p", "--", "sh", "-c", f"exit {code}")
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(b"exit code %d" % code, done.stderr)
            if client in self.ends:
                done = client.run(self, "exec", "p", "--", "sh", "-c", "kill -9 $$")
                self.assertEqual(done.returncode, 137, done.stderr)
                done = client.run(self, "exec", "p", "--", "echo", "a b", "c'd", "")
                self.assertEqual(done.stdout, b"a b c'd \n")
                done = client.run(self, "exec", "p", "--", "no-such-program")
                self.assertNotEqual(done.returncode, 0)

        with_each(self.clients, of)

    def test_input_comes_back_byte_by_byte(self):
        """10 MB through cat by the oldest and the newest, 1 MB by the others."""
        self.shell("p", "sleep 1000")
        data = os.urandom(10 * MEGABYTE)

        def of(client):
            sent = data if client in self.ends else data[:MEGABYTE]
            done = client.run(self, "exec", "-i", "p", "--", "cat", stdin=sent)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(done.stdout == sent, f"{len(done.stdout)} bytes of {len(sent)} came back")

        with_each(self.clients, of)

    def test_terminal(self):
        """A shell on a terminal: it echoes, knows the window's size and its changes, and ends with its code."""
        self.shell("p", "sleep 1000")

        def of(client):
            screen = Terminal(client.argv(self, "exec", "-it", "p", "--", "sh"), rows=24, columns=80)
            try:
                screen.wait_shown("24 80\r", 60, typed="stty size\n")
                screen.resize(41, 132)
                screen.wait_shown("41 132\r", 60, typed="stty size\n")
                screen.type("[ -t 2 ] && echo it is a termi''nal >&2; exit 3\n")
                screen.wait_shown("it is a terminal\r", 60)
                self.assertEqual(screen.wait(60), 3)
            finally:
                screen.close()

        with_each(self.clients, of)

    # --- attach

    def test_attach_shows_output(self):
        self.shell("p", "i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.5; done")

        def of(client):
            session = client.start(self, "attach", "p")
            too_late = threading.Timer(60, session.kill)  # reading a line waits for ever
            too_late.start()
            try:
                shown, line = "", "\n"
                while line and shown.count("tick") < 4:
                    line = session.stdout.readline()
                    shown += line
            finally:
                too_late.cancel()
                session.send_signal(signal.SIGINT)
                session.communicate(timeout=60)
            ticks = [int(tick) for tick in re.findall(r"tick (\d+)", shown)]
            self.assertEqual(len(ticks), 4, shown)
            self.assertEqual(ticks, list(range(ticks[0], ticks[0] + 4)), shown)

        with_each(self.clients, of, at_once=4)

    def test_attach_takes_no_input_and_says_why(self):
        self.shell("p", "sleep 1000")

        def of(client):
            done = client.run(self, "attach", "-i", "p", stdin=b"x\n")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(b"use exec, or attach without -i", done.stderr)

        with_each(self.clients, of)
