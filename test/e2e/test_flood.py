"""Many peers of bad will at the kubelet port: slow, silent, or greedy for handshakes."""
import http.client
import os
import socket
import ssl
import threading

from harness import E2ETest, pod, wait_for
from test_faults import lease_is_kept

PEERS = 300
ELSEWHERE = "127.0.0.2"  # they are not the API server, and do not come from where it is


class FloodTest(E2ETest):
    config = {"POLL_FAST_MS": "500"}

    def setUp(self):
        super().setUp()
        self.port = int(self.ecilet.config["KUBELET_PORT"])
        self.is_over = threading.Event()
        self.tries = 0  # of the peers of bad will
        self.create(pod("before"))
        self.wait_running("before", 60)
        wait_for(lambda: self.ask() == 200, 60, "the API server is served")
        self.descriptors = self.count_descriptors()

    def tearDown(self):
        self.is_over.set()
        super().tearDown()

    def count_descriptors(self):
        return len(os.listdir(f"/proc/{self.ecilet.process.pid}/fd"))

    def ask(self):
        """As the API server does."""
        context = ssl._create_unverified_context()
        context.load_cert_chain(self.cluster._pki("admin.crt"), self.cluster._pki("admin.key"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        try:
            connection.request("GET", "/pods")
            reply = connection.getresponse()
            reply.read()
            return reply.status
        finally:
            connection.close()

    def connect(self):
        self.tries += 1
        return socket.create_connection(("127.0.0.1", self.port), 5, source_address=(ELSEWHERE, 0))

    def trickle(self):
        """A byte a second, on very many connections; whoever is hung up on comes again."""
        hello = bytes.fromhex("160301020001000001fc0303") + bytes(500)
        peers = []
        sent = 0
        while not self.is_over.is_set():
            while len(peers) < PEERS and not self.is_over.is_set():
                try:
                    peers.append(self.connect())
                except OSError:
                    break
            for peer in list(peers):
                try:
                    peer.send(hello[sent % len(hello) :][:1])
                except OSError:
                    peer.close()
                    peers.remove(peer)
            sent += 1
            self.is_over.wait(1)
        for peer in peers:
            peer.close()

    def shake_hands(self):
        context = ssl._create_unverified_context()
        while not self.is_over.is_set():
            try:
                with self.connect() as peer:
                    context.wrap_socket(peer).close()
            except OSError:
                pass

    def served_in_spite_of(self, work, threads):
        others = [threading.Thread(target=work) for _ in range(threads)]
        for other in others:
            other.start()
        try:
            wait_for(lambda: self.tries >= PEERS, 60, "very many peers have come")
            wait_for(lambda: self.ask() == 200, 60, "the API server is served")
            self.create(pod("p"))
            self.wait_running("p", 60)
            lease_is_kept(self.cluster, 12)
            wait_for(lambda: self.ask() == 200, 60, "and is served again")
        finally:
            self.is_over.set()
            for other in others:
                other.join()
        self.assertTrue(self.ecilet.is_alive())

        wait_for(lambda: self.count_descriptors() <= self.descriptors + 4, 90, "all that they held is given back")

    def test_hundreds_of_slow_peers(self):
        self.served_in_spite_of(self.trickle, 1)

    def test_handshakes_without_end(self):
        self.served_in_spite_of(self.shake_hands, 4)
