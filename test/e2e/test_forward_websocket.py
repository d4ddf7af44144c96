"""port-forward as client libraries do it: a WebSocket to the API server, which passes it on to us."""
import base64
import os
import socket
import struct

from harness import E2ETest, container, pod, wait_for


class WebSocket:
    """As much of RFC 6455 as a client needs."""

    def __init__(self, cluster, path, protocol):
        host, port = cluster.address.split(":")
        self.socket = cluster.tls.wrap_socket(socket.create_connection((host, int(port)), 60), server_hostname=host)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {cluster.address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        for line in iter(self.file.readline, b"\r\n"):
            name, value = line.decode().split(":", 1)
            self.headers[name.lower()] = value.strip()

    def send(self, payload):
        mask = os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        self.socket.sendall(b"\x82" + size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def receive(self):
        """(opcode, payload)"""
        first, size = self.file.read(2)
        if size == 126:
            (size,) = struct.unpack(">H", self.file.read(2))
        return first & 15, self.file.read(size)

    def close(self):
        self.file.close()
        self.socket.close()


class ForwardWebSocketTest(E2ETest):
    mode = "container"

    def test_two_ports_in_one_websocket(self):
        self.create(pod("web", container(image="nginx", ports=[{"containerPort": 80}])))
        address = self.wait_running("web", 60)["status"]["podIP"]
        wait_for(lambda: socket.create_connection((address, 80), 5).close() or True, 60, "nginx listens")
        path = f"/api/v1/namespaces/{self.namespace}/pods/web/portforward?ports=80&ports=81"
        session = WebSocket(self.cluster, path, "v4.channel.k8s.io")
        try:
            self.assertEqual(session.status, 101, session.headers)
            self.assertEqual(session.headers["sec-websocket-protocol"], "v4.channel.k8s.io")
            for number in range(4):
                port = 80 + number // 2
                self.assertEqual(session.receive(), (2, bytes([number]) + struct.pack("<H", port)))
            session.send(b"\x00GET / HTTP/1.0\r\nHost: web\r\n\r\n")
            heard = {number: b"" for number in range(4)}
            while True:
                opcode, payload = session.receive()
                if opcode == 8:
                    break
                heard[payload[0]] += payload[1:]
            self.assertTrue(heard[0].startswith(b"HTTP/1.") and b" 200 " in heard[0][:20], heard[0][:100])
            self.assertIn(b"error forwarding port 81 to the instance", heard[3])
            self.assertEqual((heard[1], heard[2]), (b"", b""))
        finally:
            session.close()
