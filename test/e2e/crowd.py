#!/usr/bin/env python3
"""Peers that a server on the network must live with: idlers, and floods.

    test/e2e/crowd.py handshakes PORT ADDRESS...    until its input ends; then it prints how many
    test/e2e/crowd.py tokens PORT ADDRESS...        answers it was given

A flood of handshakes costs its sender nothing: it says a ClientHello that was made once, waits for
the server's first flight (a key pair and a signature of the server), and goes away. Each ADDRESS of
the loopback is a peer of its own.
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
    """As a process of its own: an interpreter would share its time with the test."""

    def __init__(self, kind, port, *sources):
        argv = [sys.executable, os.path.abspath(__file__), kind, str(port), *sources]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()  # it has begun

    def stop(self):
        """How many answers it was given."""
        out, _ = self.process.communicate("", timeout=60)
        return int(out)


def shake_hands(port, source):
    """Answers in one connection: the first flight of a handshake that is not gone on with."""
    with connect(port, source) as peer:
        peer.sendall(HELLO)
        yield bool(peer.recv(4096))


def make_up_tokens(port, source):
    """One request after the other in one connection, each with a token that was never given out."""
    with ssl._create_unverified_context().wrap_socket(connect(port, source)) as peer:
        while True:
            token = os.urandom(12).hex()
            peer.sendall(f"GET /pods HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            yield bool(peer.recv(4096))


HELLO = client_hello()
KINDS_OF_FLOODS = {"handshakes": shake_hands, "tokens": make_up_tokens}


def flood(kind, port, sources):
    counts = {source: 0 for source in sources}
    lock = threading.Lock()

    def work(source):
        while True:
            try:
                for answer in KINDS_OF_FLOODS[kind](port, source):
                    with lock:
                        counts[source] += answer
            except OSError:
                time.sleep(0.01)

    for source in sources * THREADS_PER_ADDRESS:
        threading.Thread(target=work, args=(source,), daemon=True).start()
    print("on", flush=True)
    sys.stdin.read()
    print(sum(counts.values()), flush=True)
    os._exit(0)


if __name__ == "__main__":
    flood(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
