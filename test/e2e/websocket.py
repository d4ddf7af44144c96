"""A WebSocket client (RFC 6455) in few lines, for tests that speak to the kubelet port themselves."""
import base64
import os
import socket
import ssl
import struct

BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body.decode(errors='replace')}")
        self.status, self.body = status, body


class WebSocket:
    """pair: files of a client certificate and its key; protocol: None offers none."""

    def __init__(self, port, path, pair, protocol=None, timeout=60):
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket = self.trust_nobody(*pair).wrap_socket(plain)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", "Host: kubelet", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        self.socket.sendall("".join(line + "\r\n" for line in lines + [""]).encode())
        status = int(self.stream.readline().split(b" ")[1])
        self.headers = {}
        for line in iter(self.stream.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        if status != 101:
            body = self.stream.read(int(self.headers.get("content-length", 0)))
            self.close()
            raise Refused(status, body)

    @staticmethod
    def trust_nobody(cert, key):
        """Shows a certificate and looks at none: that of the kubelet port is self-signed."""
        context = ssl._create_unverified_context()
        context.load_cert_chain(cert, key)
        return context

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, payload, opcode=BINARY):
        """A message in one frame; the mask is zero, which masks nothing and is allowed."""
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 128 | opcode, 128 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 128 | opcode, 128 | 126, size)
        else:
            head = struct.pack("!BBQ", 128 | opcode, 128 | 127, size)
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def read(self):
        """(opcode, payload) of the next frame; None when the connection has ended."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 127
        if size == 126:
            size = struct.unpack("!H", self.stream.read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self.stream.read(8))[0]
        return head[0] & 15, self.stream.read(size)
