"""A WebSocket client (RFC 6455) in few lines, for tests that speak to the kubelet port themselves."""
import base64
import os
import select
import socket
import ssl
import struct

BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body.decode(errors='replace')}")
        self.status, self.body = status, body


class WebSocket:
    """pair: files of a client certificate and its key; protocol: None offers none.

    One thread does both ways: whoever waits for room or for bytes moves what can be moved (one TLS session is not
    for two threads)."""

    def __init__(self, port, path, pair, protocol=None, timeout=60):
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket = self.trust_nobody(*pair).wrap_socket(plain)
        self.socket.setblocking(False)
        self.timeout, self.to_send, self.got, self.is_over = timeout, bytearray(), bytearray(), False
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", "Host: kubelet", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        self.to_send += "".join(line + "\r\n" for line in lines + [""]).encode()
        head = self._take_until(b"\r\n\r\n").decode().split("\r\n")
        status = int(head[0].split(" ")[1])
        fields = (line.partition(":") for line in head[1:] if line)
        self.headers = {name.lower(): value.strip() for name, _, value in fields}
        if status != 101:
            body = self._take(int(self.headers.get("content-length", 0)))
            self.close()
            raise Refused(status, body)

    @staticmethod
    def trust_nobody(cert, key):
        """Shows a certificate and looks at none: that of the kubelet port is self-signed."""
        context = ssl._create_unverified_context()
        context.load_cert_chain(cert, key)
        return context

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _move(self):
        """Waits until something can be moved, and moves it, either way."""
        writers = [self.socket] if self.to_send else []
        ready = self.socket.pending() > 0 or any(select.select([self.socket], writers, [], self.timeout))
        if not ready:
            raise TimeoutError(f"the kubelet port is silent for {self.timeout} s")
        try:
            data = self.socket.recv(65536)
            self.is_over = not data
            self.got += data
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLEOFError, ConnectionError):
            self.is_over = True
        try:
            if self.to_send and not self.is_over:
                del self.to_send[: self.socket.send(bytes(self.to_send[:16384]))]
        except ssl.SSLWantWriteError:
            pass
        except (ssl.SSLEOFError, ConnectionError):
            self.is_over = True

    def _take(self, size):
        """Fewer only at the end."""
        while len(self.got) < size and not self.is_over:
            self._move()
        data = bytes(self.got[:size])
        del self.got[:size]
        return data

    def _take_until(self, end):
        while end not in self.got and not self.is_over:
            self._move()
        return self._take(self.got.index(end) + len(end))

    def post(self, payload, opcode=BINARY):
        """A message in one frame, to be sent while the answer is read. The mask is zero, which is allowed."""
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 128 | opcode, 128 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 128 | opcode, 128 | 126, size)
        else:
            head = struct.pack("!BBQ", 128 | opcode, 128 | 127, size)
        self.to_send += head + b"\0\0\0\0" + payload

    def send(self, payload, opcode=BINARY):
        """The same, and returns when it is sent."""
        self.post(payload, opcode)
        while self.to_send and not self.is_over:
            self._move()

    def read(self):
        """(opcode, payload) of the next frame; None when the connection has ended."""
        head = self._take(2)
        more = {126: 2, 127: 8}.get(head[1] & 127, 0) if len(head) == 2 else 0
        length = self._take(more)
        if len(head) < 2 or len(length) < more:
            return None
        size = int.from_bytes(length, "big") if more else head[1] & 127
        return head[0] & 15, self._take(size)
