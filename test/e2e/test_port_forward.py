"""port-forward with every kubectl there is: many connections at once, much data, half-closes, refusals.

Clients from 1.31 on forward inside a WebSocket, those before over SPDY as it is.
"""
import concurrent.futures
import contextlib
import hashlib
import http.client
import os
import socket
import time

from clients import Forward, find_clients, with_each
from harness import E2ETest, container, pod, wait_for

MEGABYTE = 1024 * 1024
TUNNEL_SINCE = (1, 31)
SURVIVES_SINCE = (1, 27)  # the loss of one of its connections; older ones were not tried but 1.20

# Port 80 and 8080: files. 7000: answers with the digest of all it is sent, once that has ended.
# 7001: sends without end. Nothing listens on 9. The digest of the file is told when all the others are listened on.
SERVER = """mkdir -p /srv && cd /srv && echo hello >index.html && head -c 104857600 /dev/urandom >big || exit 1
httpd -p 80 -h /srv; httpd -p 8080 -h /srv
nc -ll -p 7001 -e cat /dev/zero & nc -ll -p 7000 -e sha256sum &
for port in 0050 1F90 1B58 1B59; do
    until grep -qs ":$port 0*:0000 0A" /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done
done
sha256sum big; wait"""


class PortForwardTest(E2ETest):
    mode = "container"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = find_clients(cls.cluster)
        cls.ends = [cls.clients[0], cls.clients[-1]]

    def setUp(self):
        super().setUp()
        self.create(pod("web", container("main", "busybox", command=["sh", "-c", SERVER])))
        self.wait_running("web", 90)
        self.digest = wait_for(lambda: self.kubectl("logs", "web").split()[0], 120, "the file is there")

    def forward(self, client, *ports):
        return contextlib.closing(Forward(self, client, *ports))

    def metrics(self):
        return self.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{self.ecilet.node}/proxy/metrics")

    def test_fifty_requests_at_once(self):
        """To two ports through one session; ten at once by the clients between oldest and newest."""

        def of(client):
            count = 50 if client in self.ends else 10
            with self.forward(client, 80, 8080) as session:
                with concurrent.futures.ThreadPoolExecutor(count) as pool:
                    replies = list(pool.map(session.get, [80, 8080] * (count // 2)))
                self.assertEqual(replies, [(200, b"hello\n")] * count)

        with_each(self.clients, of)

    def test_newer_clients_need_no_second_try(self):
        """They are understood as they speak, and do not have to fall back to plain SPDY."""
        for client in self.clients:
            said = len(self.ecilet.read_log_since_start())
            with self.forward(client, 80) as session:
                self.assertEqual(session.get(80), (200, b"hello\n"))
            wait_for(lambda: f"to {self.namespace}/web" in self.ecilet.read_log_since_start()[said:], 20, "it is logged")
            log = self.ecilet.read_log_since_start()[said:]
            is_tunnelled = "in a WebSocket" in log
            if "dispatcher" not in client.version:  # it starts another one that suits the cluster
                self.assertEqual(is_tunnelled, client.number >= TUNNEL_SINCE, f"{client.version}: {log}")

    def test_a_hundred_megabytes_down(self):
        for client in self.ends:
            with self.forward(client, 80) as session:
                status, data = session.get(80, "/big")
            self.assertEqual((status, len(data)), (200, 100 * MEGABYTE), client.version)
            self.assertEqual(hashlib.sha256(data).hexdigest(), self.digest, client.version)

    def test_half_close(self):
        """All is sent, the end is told, and only then the answer comes back."""
        data = os.urandom(10 * MEGABYTE)
        want = hashlib.sha256(data).hexdigest()

        def of(client):
            with self.forward(client, 7000) as session, session.dial(7000) as connection:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(4096), b""))
                self.assertEqual(answer.split()[:1], [want.encode()])

        with_each(self.clients, of)

    def test_nothing_listens(self):
        """The client says what happened. Some versions end then, by themselves; with the others the rest goes on."""

        def of(client):
            with self.forward(client, 9, 80) as session:
                with session.dial(9) as connection:
                    with contextlib.suppress(ConnectionError):  # it may have ended before we say anything
                        connection.sendall(b"x")
                        self.assertEqual(connection.recv(100), b"")
                wait_for(lambda: "an error occurred forwarding" in session.text, 30, "it tells")
                wait_for(lambda: "connection refused" in session.text, 30, "and why")
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.assertEqual(session.get(80), (200, b"hello\n"))
                    return
                wait_for(lambda: "lost connection to pod" in session.text, 30, "it has ended by itself")

        with_each(self.clients, of)

    def test_one_that_does_not_read_costs_no_memory(self):
        """What it was sent waits in the pod. When it leaves, the session goes on; not with a kubectl of 1.20, which
        reads nothing more once one of its connections has broken."""
        before = self.ecilet.resident_kib()
        for client in self.ends:
            with self.forward(client, 7001, 80) as session:
                with session.dial(7001) as deaf:
                    self.assertEqual(deaf.recv(1), b"\0")
                    time.sleep(3)
                    self.assertLess(self.ecilet.resident_kib(), before + 8 * 1024, client.version)
                if client.number >= SURVIVES_SINCE:
                    reply = wait_for(lambda: session.get(80), 120, f"{client.version}: the session goes on")
                    self.assertEqual(reply, (200, b"hello\n"))
        wait_for(lambda: "ecilet_streams_open{kind=\"port-forward\"} 0" in self.metrics(), 60, "all is freed")
