#!/usr/bin/env python3
"""Peers that a server on the network must live with: idlers, and a flood of TLS handshakes.

    test/e2e/crowd.py flood PORT ADDRESS...    until it is stopped; prints how many handshakes it was
                                               answered when its input ends

A flood costs its sender nothing: it says a ClientHello that was made once, waits for the server's
first flight (a key pair and a signature of the server), and goes away. Each ADDRESS of the loopback
is a peer of its own.
"""
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

THREADS_PER_ADDRESS = 3
KINDS = ("mute", "hello", "head", "drip")  # of idlers


def client_hello():
    wire = ssl.MemoryBIO()
    tls = ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), wire)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return wire.read()


def connect(port, source, timeout=5):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))


class Idlers(threading.Thread):
    """So many connections from one address that never bring a request: plain TCP, half a ClientHello,
    half a request after the handshake, a request of one byte each second. Whoever is closed comes
    back."""

    def __init__(self, port, count, source):
        super().__init__(daemon=True)
        self.port, self.source = port, source
        self.hello = client_hello()
        self.peers = [None] * count
        self.turned_away = 0  # closed, or not let in
        self.is_on = True
        self.start()

    def stop(self):
        self.is_on = False
        self.join()

    def _open(self, kind):
        peer = connect(self.port, self.source)
        if kind == "hello":
            peer.sendall(self.hello[: len(self.hello) // 2])
        if kind in ("head", "drip"):
            peer = ssl._create_unverified_context().wrap_socket(peer)
            peer.sendall(b"GET /pods HTTP/1.1\r\nHost: ")
        return peer

    def _is_alive(self, peer, kind):
        try:
            if kind == "drip":
                peer.sendall(b"h")
            peer.setblocking(False)
            return bool(peer.recv(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        finally:
            peer.settimeout(5)

    def run(self):
        while self.is_on:
            for number, peer in enumerate(self.peers):
                if not self.is_on:
                    break
                kind = KINDS[number % len(KINDS)]
                if peer is not None and self._is_alive(peer, kind):
                    continue
                if peer is not None:
                    self.turned_away += 1
                    peer.close()
                try:
                    self.peers[number] = self._open(kind)
                except OSError:
                    self.peers[number] = None
                    self.turned_away += 1
            time.sleep(1)
        for peer in self.peers:
            if peer is not None:
                peer.close()


class Flood:
    """The same as a process of its own: an interpreter would share its time with the test."""

    def __init__(self, port, *sources):
        argv = [sys.executable, os.path.abspath(__file__), "flood", str(port), *sources]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self):
        """How many handshakes were answered."""
        out, _ = self.process.communicate("", timeout=60)
        return int(out)


def flood(port, sources):
    hello = client_hello()
    counts = {source: 0 for source in sources}
    lock = threading.Lock()

    def work(source):
        while True:
            answered = False
            try:
                with connect(port, source) as peer:
                    peer.sendall(hello)
                    answered = bool(peer.recv(4096))
            except OSError:
                pass
            with lock:
                counts[source] += answered

    for source in sources * THREADS_PER_ADDRESS:
        threading.Thread(target=work, args=(source,), daemon=True).start()
    sys.stdin.read()
    print(sum(counts.values()), flush=True)
    os._exit(0)


if __name__ == "__main__":
    flood(int(sys.argv[2]), sys.argv[3:])
