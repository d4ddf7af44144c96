"""Every kubectl there is: the one built beside the control plane and all found on the PATH, each version once.

A kubectl on the PATH may be a link into a folder that holds others, named kubectl.1.30 or kubectl-v1.30: those
count too.
"""
import concurrent.futures
import contextlib
import fcntl
import functools
import glob
import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from harness import Run, wait_for


class Client:
    """One kubectl."""

    def __init__(self, program, version):
        self.program, self.version = program, version
        self.number = tuple(int(part) for part in re.findall(r"\d+", version)[:3])

    def argv(self, test, *argv):
        return [self.program, "--kubeconfig", test.cluster.kubeconfig, "-n", test.namespace, *argv]

    def run(self, test, *argv, stdin=None, timeout=180):
        """The ended process: returncode, stdout and stderr as bytes."""
        return subprocess.run(
            self.argv(test, *argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            env=_environment(),
        )

    def start(self, test, *argv, **more):
        """In the background; both outputs in one pipe of text."""
        usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(self.argv(test, *argv), env=_environment(), **{**usual, **more})

    def output(self, test, *argv):
        done = self.run(test, *argv)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: {done.returncode}: {done.stderr.decode()}")
        return done.stdout.decode()


def _environment():
    """Caches and preferences of a kubectl go into the folder of the run."""
    return {**os.environ, "HOME": Run.make_folder("home")}


def _version(program):
    try:
        done = subprocess.run(
            [program, "version", "--client", "-o", "json"], stdout=subprocess.PIPE, timeout=60, env=_environment()
        )
        return json.loads(done.stdout)["clientVersion"]["gitVersion"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return None


def _candidates(cluster):
    yield cluster.program
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which("kubectl", path=folder) if folder else None
        if found:
            yield found
            for path in glob.glob(os.path.join(os.path.dirname(os.path.realpath(found)), "kubectl*")):
                if re.fullmatch(r"kubectl[.-]?v?\d[\w.]*", os.path.basename(path)) and os.access(path, os.X_OK):
                    yield path


@functools.cache
def find_clients(cluster):
    """Oldest first; says which there are."""
    found = {}
    for program in dict.fromkeys(_candidates(cluster)):
        version = _version(program)
        if version is None:
            print(f"clients: {os.path.basename(program)} does not tell its version and is left out", flush=True)
        elif version not in found:
            found[version] = Client(program, version)
    clients = sorted(found.values(), key=lambda client: client.number)
    print(f"clients: {len(clients)}: {', '.join(client.version for client in clients)}", flush=True)
    return clients


def with_each(clients, function, at_once=3):
    """function(client) for each of them, a few at once; fails with all that failed, by version."""

    def attempt(client):
        try:
            function(client)
        except Exception as error:  # all are tried
            return f"{client.version}: {type(error).__name__}: {error}"
        return None

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        failed = [said for said in pool.map(attempt, clients) if said]
    if failed:
        raise AssertionError("\n".join(failed))


class Terminal:
    """A program on a terminal of its own: what it shows, and what a person would type."""

    def __init__(self, argv, rows=24, columns=80):
        self.shown = b""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)

        def prepare():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # changes of the size are signalled then

        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, preexec_fn=prepare, env=_environment()
        )
        os.close(slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def _read(self, seconds):
        """False at the end."""
        if select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return False  # all have closed it
            self.shown += data
            return bool(data)
        return True

    def wait_shown(self, pattern, timeout, typed=None, each=2):
        """Until the screen says so since the last call; `typed` is typed again every few seconds."""
        deadline = time.monotonic() + timeout
        typed_at = 0.0
        while True:
            found = re.search(pattern.encode(), self.shown)
            if found:
                self.shown = self.shown[found.end() :]
                return found.group(0).decode()
            now = time.monotonic()
            if now > deadline:
                raise AssertionError(f"not shown within {timeout} s: {pattern}; but: {self.shown[-500:]!r}")
            if typed and now - typed_at > each:
                typed_at = now
                self.type(typed)
            if not self._read(0.2):
                raise AssertionError(f"it ended before it showed {pattern}; shown: {self.shown[-500:]!r}")

    def wait(self, timeout):
        """The exit status."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.2)
        return self.process.wait(1)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


class Forward:
    """A running kubectl port-forward; ports[80] is the local port that leads to port 80."""

    def __init__(self, test, client, *ports):
        self.ports, self.text = {}, ""
        self.process = client.start(test, "port-forward", "web", *(f":{port}" for port in ports))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            wait_for(lambda: self.process.poll() is not None or len(self.ports) == len(ports), 60, "it forwards")
            if len(self.ports) < len(ports):
                raise AssertionError(f"port-forward ended: {self.text}")
        except BaseException:
            self.close()
            raise

    def _read(self):
        for line in self.process.stdout:
            self.text += line
            found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)", line)
            if found:
                self.ports[int(found.group(2))] = int(found.group(1))

    def dial(self, port):
        return socket.create_connection(("127.0.0.1", self.ports[port]), 60)

    def get(self, port, path="/index.html"):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read()

    def close(self, sig=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()  # nothing when it has ended
        self.reader.join(60)
        self.process.stdout.close()
