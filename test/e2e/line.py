"""A leased line in miniature: a TCP proxy on loopback that can be slow, deaf in one direction, or lossy."""
import random
import selectors
import socket
import threading
import time

PIECE = 1400
LOSS = 0.3
RESEND_S = 0.2  # the least that TCP waits


class Line:
    """mode: good; slow (bytes_per_s each way); one-way (nothing comes back); lossy (each
    connection is cut somewhere in its first 200 KB); losing (three packets in ten are lost, and come
    after the pause that the kernel makes before it sends them again, doubled each time)."""

    def __init__(self, port, seed=1):
        self.target = ("127.0.0.1", port)
        self.random = random.Random(seed)
        self.mode, self.bytes_per_s = "good", 4000
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.is_open = False
        self.listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake who waits in accept()
        self.listener.close()

    def _accept(self):
        while self.is_open:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near):
        try:
            far = socket.create_connection(self.target, 5)
        except OSError:
            near.close()
            return
        budget = self.random.randrange(4000, 200000)
        with near, far, selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while self.is_open and ready.get_map():
                for key, _ in ready.select(0.5):
                    try:
                        data = key.fileobj.recv(PIECE)
                    except OSError:
                        return
                    if not data:
                        return
                    if self.mode == "one-way" and key.fileobj is far:
                        continue
                    if self.mode == "slow":
                        time.sleep(len(data) / self.bytes_per_s)
                    if self.mode == "losing":
                        pause = RESEND_S
                        while self.random.random() < LOSS:
                            time.sleep(pause)
                            pause *= 2
                    if self.mode == "lossy":
                        budget -= len(data)
                        if budget < 0:
                            self.cuts += 1
                            return
                    try:
                        key.data.sendall(data)
                    except OSError:
                        return
