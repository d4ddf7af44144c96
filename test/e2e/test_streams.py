"""Streams straight to the kubelet port, as API servers from 1.30 on and other WebSocket clients open them; and what
is left of a session whose client has gone."""
import base64
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import urllib.parse
import urllib.request

from clients import Forward, Terminal, find_clients
from harness import E2ETest, container, pod, wait_for
from line import Line
from websocket import CLOSE, PING, PONG, Refused, WebSocket

KEPT = 7  # connections that wait for the next request: four to the cloud, and some from the API server
STDIN, STDOUT, STDERR, ERROR, RESIZE, END = 0, 1, 2, 3, 4, 255
SCRIPT = """nc -ll -p 7001 -e cat /dev/zero & nc -ll -p 7000 -e sha256sum &
i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.5; done"""


class Tunnel:
    """SPDY/3.1 inside a WebSocket, as the client of a port-forward speaks it; see src/net/spdy.h."""

    FIN = 1

    def __init__(self, session):
        self.session, self.next_id, self.got = session, 1, b""
        self.is_first = True

    def open(self, port, number):
        """The two streams of a connection; returns the numbers of (error, data)."""
        ids = self.next_id, self.next_id + 2
        self.next_id += 4
        for stream, kind in zip(ids, ("error", "data")):
            fields = {"streamtype": kind, "port": str(port), "requestid": str(number)}
            texts = [text.encode() for pair in fields.items() for text in pair]
            block = struct.pack("!I", len(fields)) + b"".join(struct.pack("!I", len(text)) + text for text in texts)
            # Data of zlib that is stored only; its dictionary is named and not used.
            zipped = b"\x78\xbb\xe3\xc6\xa7\xc2" if self.is_first else b""
            zipped += b"\0" + struct.pack("<HH", len(block), len(block) ^ 0xFFFF) + block + b"\0\0\0\xff\xff"
            self.is_first = False
            self.session.send(struct.pack("!HHIIIH", 0x8003, 1, len(zipped) + 10, stream, 0, 0) + zipped)
        return ids

    def put(self, stream, data, is_last=False):
        self.session.send(struct.pack("!II", stream, len(data) | (1 << 24 if is_last else 0)))
        for at in range(0, len(data), 7001):  # messages end anywhere
            self.session.send(data[at : at + 7001])

    def _read(self, size):
        while len(self.got) < size:
            opcode, data = self.session.read()
            if opcode != 2:
                raise AssertionError(f"message {opcode}: {data!r}")
            self.got += data
        data, self.got = self.got[:size], self.got[size:]
        return data

    def collect(self, *streams):
        """What comes on these streams until all of them have ended."""
        said = {stream: b"" for stream in streams}
        open_ones = set(streams)
        while open_ones:
            first, second = struct.unpack("!II", self._read(8))
            data = self._read(second & 0xFFFFFF)
            if first >> 31 == 0:
                said[first] += data
                if second >> 24 & self.FIN:
                    open_ones.discard(first)
        return [said[stream] for stream in streams]


class StreamsTest(E2ETest):
    mode = "container"
    config = {"CLOUD_CONNECTIONS": "4"}  # each exec asks over a new one, and so many are kept

    def setUp(self):
        super().setUp()
        listens = {"tcpSocket": {"port": 7000}, "periodSeconds": 2}
        self.create(pod("web", container("main", "busybox", command=["sh", "-c", SCRIPT], readinessProbe=listens)))
        self.wait_running("web", 60)

    def dial(self, path, protocol, port=None):
        pair = self.cluster._pki("admin.crt"), self.cluster._pki("admin.key")
        return WebSocket(port or int(self.ecilet.config["KUBELET_PORT"]), path, pair, protocol)

    def exec(self, *words, protocol="v5.channel.k8s.io", port=None, **query):
        query = {"output": 1, "error": 1, **query}
        query = urllib.parse.urlencode([("command", word) for word in words] + list(query.items()))
        return self.dial(f"/exec/{self.namespace}/web/main?{query}", protocol, port)

    @staticmethod
    def collect(session):
        """What came on each channel until the end, by the number of the channel."""
        got = {}
        while True:
            frame = session.read()
            if frame is None or frame[0] == CLOSE:
                return got
            opcode, data = frame
            if opcode in (1, 2) and data:
                if opcode == 1:  # base64
                    channel, data = int(data[:1]), base64.b64decode(data[1:])
                else:
                    channel, data = data[0], data[1:]
                got[channel] = got.get(channel, b"") + data

    # --- protocols

    def test_exec_in_each_protocol(self):
        names = ["v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"]
        for name in [*names, "channel.k8s.io", "base64.channel.k8s.io", None]:
            with self.exec("sh", "-c", "echo out; echo err >&2; exit 3", protocol=name) as session:
                self.assertEqual(session.headers.get("sec-websocket-protocol"), name)
                got = self.collect(session)
            self.assertEqual((got[STDOUT], got[STDERR]), (b"out\n", b"err\n"), name)
            if name in names:
                status = json.loads(got[ERROR])
                self.assertEqual(status["reason"], "NonZeroExitCode", name)
                self.assertEqual(status["details"]["causes"], [{"reason": "ExitCode", "message": "3"}], name)
            else:
                self.assertIn(b"exit status 3", got[ERROR], name)

    def test_the_newest_protocol_ends_its_input(self):
        """Ten megabytes in, the end of stdin told on channel 255, ten megabytes and Success out."""
        data = os.urandom(10 * 1024 * 1024)
        with self.exec("cat", input=1) as session:
            for at in range(0, len(data), 30000):
                session.post(bytes([STDIN]) + data[at : at + 30000])
            session.post(bytes([END, STDIN]))
            got = self.collect(session)
        self.assertEqual(json.loads(got.get(ERROR, b"{}")).get("status"), "Success", got.get(ERROR))
        self.assertTrue(got[STDOUT] == data, f"{len(got[STDOUT])} bytes came back")

    def test_pings_and_the_windows_size(self):
        with self.exec("sh", input=1, tty=1) as session:
            session.send(b"are you there", PING)
            session.send(bytes([RESIZE]) + b'{"Width":132,"Height":41}')
            ask = b"until stty size | grep '41 132'; do sleep 0.2; done; echo it is ri''ght\n"
            session.send(bytes([STDIN]) + ask)
            shown = b""
            has_pong = False
            while b"it is right" not in shown or not has_pong:
                opcode, data = session.read()
                has_pong = has_pong or (opcode, data) == (PONG, b"are you there")
                shown += data[1:] if opcode == 2 and data[:1] == bytes([STDOUT]) else b""
            session.send(bytes([STDIN]) + b"exit 5\n")
            self.assertEqual(json.loads(self.collect(session)[ERROR])["details"]["causes"][0]["message"], "5")

    def test_forward_in_a_tunnel(self):
        """Half-closes, and a port where nothing listens, after which the session goes on."""
        data = os.urandom(1024 * 1024)
        want = hashlib.sha256(data).hexdigest().encode()
        with self.dial(f"/portForward/{self.namespace}/web", "SPDY/3.1+portforward.k8s.io") as session:
            tunnel = Tunnel(session)
            for number, port in enumerate((7000, 9, 7000)):
                error, stream = tunnel.open(port, number)
                tunnel.put(error, b"", is_last=True)
                tunnel.put(stream, data if port == 7000 else b"", is_last=True)
                why, answer = tunnel.collect(error, stream)
                if port == 9:
                    self.assertIn(b"connection refused", why)
                else:
                    self.assertEqual((why, answer.split()[:1]), (b"", [want]))

    def test_refusals_are_clear(self):
        with self.assertRaises(Refused) as refused:
            self.exec("true", protocol="v9.channel.k8s.io")
        self.assertEqual(refused.exception.status, 403)
        self.assertIn(b"no Sec-WebSocket-Protocol in common", refused.exception.body)
        with self.assertRaises(Refused) as refused:
            self.exec("true", output=0, error=0)
        self.assertEqual(refused.exception.status, 400)

    # --- clients that go

    def numbers(self):
        """Open sessions by kind, and the descriptors of the process."""
        port = int(self.ecilet.config["KUBELET_PORT"])
        context = WebSocket.trust_nobody(self.cluster._pki("admin.crt"), self.cluster._pki("admin.key"))
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/metrics", timeout=30, context=context) as reply:
            lines = dict(line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if line[0] != "#")
        names = "exec", "attach", "port-forward"
        kinds = {name: int(lines[f'ecilet_streams_open{{kind="{name}"}}']) for name in names}
        kinds["logs"] = int(lines["ecilet_logs_open"])
        return kinds, len(os.listdir(f"/proc/{self.ecilet.process.pid}/fd"))

    def sessions_are(self, count):
        return set(self.numbers()[0].values()) == {count}

    def assert_all_is_freed(self, descriptors_before, sessions):
        """After more sessions than there are connections that are kept: those end only after a minute or two."""
        self.assertGreater(sessions, KEPT)
        wait_for(lambda: self.sessions_are(0), 60, "no session is left")
        wait_for(lambda: self.numbers()[1] <= descriptors_before + KEPT, 150, "descriptors are as before")

    def open_all_kinds(self, client):
        """One session of each kind, each in the middle of something; returns what ends them by a signal."""
        started = [
            client.start(self, "exec", "web", "--", "cat", "/dev/zero", stdout=subprocess.DEVNULL),
            client.start(self, "attach", "web"),
            client.start(self, "logs", "-f", "web"),
        ]
        forward = Forward(self, client, 7001)
        connection = forward.dial(7001)
        connection.recv(1)

        def end(sig):
            for process in started:
                process.send_signal(sig)
            for process in started:
                process.wait(30)
                if process.stdout:
                    process.stdout.close()
            forward.close(sig)
            connection.close()

        return end

    def test_interrupted_and_killed_clients_leave_nothing(self):
        clients = find_clients(self.cluster)
        ends = (clients[0], clients[-1])
        self.open_and_end(ends[0], signal.SIGINT)  # what is kept for the next time is there after this
        before = self.numbers()[1]
        for client in ends:
            for sig in [signal.SIGINT, signal.SIGKILL] * 2:
                self.open_and_end(client, sig)
        self.assert_all_is_freed(before, 8)

    def open_and_end(self, client, sig):
        end = self.open_all_kinds(client)
        try:
            wait_for(lambda: self.sessions_are(1), 60, f"{client.version}: one session of each kind")
        finally:
            end(sig)
        wait_for(lambda: self.sessions_are(0), 60, f"{client.version}: none after signal {sig}")

    def test_an_interrupt_at_the_terminal_is_for_the_program_inside(self):
        client = find_clients(self.cluster)[-1]
        screen = Terminal(client.argv(self, "exec", "-it", "web", "--", "sh"))
        try:
            screen.wait_shown("in the shell\r", 90, typed="echo in the sh''ell\n", each=30)
            # An interrupt before the trap is set would be the end of the line.
            screen.type("trap 'echo got i''t' INT; echo it is se''t; while true; do sleep 1; done\n")
            screen.wait_shown("it is set\r", 60)
            screen.wait_shown("got it\r", 60, typed="\x03")
        finally:
            screen.close()
        wait_for(lambda: self.sessions_are(0), 60, "no session is left")

    def test_a_line_cut_in_the_middle_leaves_nothing(self):
        with self.exec("true") as session:  # what is kept for the next time is there after this
            self.collect(session)
        wait_for(lambda: self.sessions_are(0), 60, "no session is left")
        before = self.numbers()[1]
        line = Line(int(self.ecilet.config["KUBELET_PORT"]))
        line.mode = "lossy"
        try:
            for _ in range(12):
                with self.exec("cat", "/dev/zero", port=line.port) as session:
                    while session.read():
                        pass
            self.assertEqual(line.cuts, 12)
        finally:
            line.close()
        self.assert_all_is_freed(before, 12)

    def test_a_reset_in_the_middle_leaves_nothing(self):
        before = self.numbers()[1]
        for _ in range(12):
            session = self.exec("cat", "/dev/zero")
            session.read()
            session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            session.close()
        self.assert_all_is_freed(before, 12)
