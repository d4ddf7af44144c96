"""A front of the API server: what it is asked on a connection first decides whether it answers itself."""
import asyncio
import os
import ssl
import threading

REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s"
)
STATUS = (
    b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"it is ill","reason":"InternalError","code":500}'
)


class Front:
    """Connections whose first request begins with one of `ill` get a 500; others are carried on, in both
    directions. `kubeconfig` leads the harness's user here."""

    def __init__(self, cluster, user, folder):
        self.ill = ()
        self.ends = set()  # of open connections
        authority = os.path.join(cluster.folder, "ca.crt")
        self.host, port = cluster.address.rsplit(":", 1)
        self.server_port = int(port)
        self.near = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.near.load_cert_chain(*cluster.certificate("front", "IP:127.0.0.1"))
        self.far = ssl.create_default_context(cafile=authority)
        self.far.load_cert_chain(*(os.path.join(cluster.folder, "pki", f"{user}.{end}") for end in ("crt", "key")))
        self.loop = asyncio.new_event_loop()
        listening = asyncio.start_server(self.carry, "127.0.0.1", 0, ssl=self.near)
        self.listener = self.loop.run_until_complete(listening)
        self.port = self.listener.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.kubeconfig = os.path.join(folder, "front.kubeconfig")
        with open(os.path.join(cluster.folder, f"{user}.kubeconfig"), encoding="utf-8") as file:
            text = file.read().replace(f"https://{cluster.address}", f"https://127.0.0.1:{self.port}")
        with open(os.open(self.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)

    def close(self):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def end(self):
        self.listener.close()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for one in self.ends:
            one.transport.abort()
        await asyncio.wait_for(asyncio.gather(*under_way, return_exceptions=True), 5)

    async def carry(self, near, near_out):
        self.ends.add(near_out)
        try:
            head = await near.readuntil(b"\r\n\r\n")
            if head.startswith(tuple(self.ill)):
                near_out.write(REFUSAL % (len(STATUS), STATUS))
                await near_out.drain()
                return
            far, far_out = await asyncio.open_connection(self.host, self.server_port, ssl=self.far)
            self.ends.add(far_out)
            far_out.write(head)
            await asyncio.gather(self.pipe(near, far_out), self.pipe(far, near_out))
            self.ends.discard(far_out)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            self.ends.discard(near_out)
            near_out.close()

    @staticmethod
    async def pipe(source, sink):
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
