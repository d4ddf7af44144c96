"""kubectl in uses that are less common: directories both ways, arguments full of quotes, logs of many pods, a port
where nothing listens yet, clients that are killed in the middle of a transfer. By the oldest and the newest of them.
"""
import contextlib
import os
import subprocess
import time

from clients import Forward, find_clients, with_each
from harness import E2ETest, Run, container, pod, wait_for

MEGABYTE = 1024 * 1024
AWKWARD = ["a b", "it's", 'say "yes"', "$HOME `id` $(id)", "back\\slash", "new\nline", "ünï→", "*", "", "-c", "--", "{}[];|&<>"]


class UnusualClientsTest(E2ETest):
    mode = "container"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        clients = find_clients(cls.cluster)
        cls.ends = list(dict.fromkeys([clients[0], clients[-1]]))

    def shell(self, name, script, **fields):
        self.create(pod(name, container("main", "busybox", command=["sh", "-c", script]), **fields))
        return self.wait_running(name, 60)

    # --- exec

    def test_arguments_arrive_as_they_were_given(self):
        self.shell("p", "sleep 1000")
        many = [f"argument number {i} with 'quotes' and \"more\"" for i in range(18)]

        def of(client):
            for argv in AWKWARD, many:
                done = client.run(self, "exec", "p", "--", "printf", "<%s>", *argv)
                want = "".join(f"<{text}>" for text in argv).encode()
                self.assertEqual((done.returncode, done.stdout), (0, want), done.stderr)

        with_each(self.ends, of)

    def test_an_argument_too_much_is_said_so(self):
        """The cloud takes so much and no more: the client ends with a reason, not with a wrong command."""
        self.shell("p", "sleep 1000")

        def of(client):
            for argv, why in (["x"] * 20, b"at most 20 words"), (["x" * 20000], b"headers of the request are too long"):
                done = client.run(self, "exec", "p", "--", "echo", *argv)
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(done.stdout, b"")
                self.assertIn(why, done.stderr)

        with_each(self.ends, of)

    def test_a_directory_goes_in_and_comes_back(self):
        self.shell("p", "sleep 1000")
        data = {f"one/two/file {i}": os.urandom(1000 * i * i) for i in range(1, 12)}
        data["empty"] = b""
        data["large"] = os.urandom(3 * MEGABYTE)

        def read(folder):
            found = {}
            for at, _, names in os.walk(folder):
                for name in names:
                    path = os.path.join(at, name)
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, folder)] = file.read()
            return found

        def of(client):
            home = Run.make_folder(f"{self.namespace}-{client.version}")
            source, back = os.path.join(home, "there"), os.path.join(home, "back")
            for name, content in data.items():
                path = os.path.join(source, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)
            inside = f"/tmp/{client.version}"
            done = client.run(self, "cp", source, f"p:{inside}")
            self.assertEqual(done.returncode, 0, done.stderr)
            done = client.run(self, "cp", f"p:{inside}", back)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(read(back) == data, f"{sorted(read(back))}; {done.stderr}")

        with_each(self.ends, of)

    # --- logs

    def test_logs_of_all_containers_and_of_many_pods(self):
        script = "for i in 1 2 3; do echo {} $i; sleep 1; done"

        def talker(name):
            return container(name, "busybox", command=["sh", "-c", script.format(name)])

        labels = {"talks": "yes"}
        for name in "p", "q":
            self.create(pod(name, talker("main"), talker("side"), restartPolicy="Never", labels=labels))

        def have_begun(found):
            states = [one["state"] for one in found["status"]["containerStatuses"]]
            return len(states) == 2 and all("running" in one or "terminated" in one for one in states)

        for name in "p", "q":  # they may have ended when we look
            self.wait_pod(name, have_begun, 90, "has begun to talk")

        def lines(prefix, names=("main", "side")):
            return {f"{prefix}{name} {i}" for name in names for i in (1, 2, 3)}

        def of(client):
            followed = client.start(self, "logs", "p", "--all-containers", "--prefix", "-f")
            said = followed.communicate(timeout=120)[0].splitlines()
            want = {f"[pod/p/{name}] {name} {i}" for name in ("main", "side") for i in (1, 2, 3)}
            self.assertEqual((followed.returncode, sorted(said)), (0, sorted(want)))
            followed = client.start(self, "logs", "-l", "talks=yes", "--all-containers", "-f", "--prefix")
            said = followed.communicate(timeout=120)[0].splitlines()
            want |= {line.replace("[pod/p/", "[pod/q/") for line in want}
            self.assertEqual((followed.returncode, sorted(said)), (0, sorted(want)))
            said = client.output(self, "logs", "-l", "talks=yes", "-c", "side", "--tail=1").splitlines()
            self.assertEqual(said, ["side 3"] * 2)

        with_each(self.ends, of)

    # --- port-forward

    def test_a_closed_port_then_an_open_one(self):
        """What failed for one connection is not remembered for the next."""
        self.shell("web", "mkdir -p /srv && echo hello >/srv/index.html; sleep 10000")

        def of(client):
            port = 8000 + self.ends.index(client)
            session = Forward(self, client, port)
            with contextlib.closing(session):
                with session.dial(port) as connection, contextlib.suppress(ConnectionError):
                    connection.sendall(b"x")
                    self.assertEqual(connection.recv(100), b"")
                wait_for(lambda: "connection refused" in session.text, 60, "it tells")
            done = client.run(self, "exec", "web", "--", "httpd", "-p", str(port), "-h", "/srv")
            self.assertEqual(done.returncode, 0, done.stderr)
            with contextlib.closing(Forward(self, client, port)) as session:
                self.assertEqual(session.get(port), (200, b"hello\n"))

        with_each(self.ends, of)

    # --- clients that are killed

    def streams(self):
        text = self.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{self.ecilet.node}/proxy/metrics")
        return sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith("ecilet_streams_open{"))

    def test_a_client_killed_in_the_middle_of_a_transfer(self):
        """Its program inside ends, too, and all is as before."""
        self.shell("p", "sleep 1000")

        def programs(client):
            said = client.output(self, "exec", "p", "--", "ps")
            return sum(program in said for program in ("cat -", "cat /dev/zero"))

        def of(client):
            up = client.start(
                self, "exec", "-i", "p", "--", "sh", "-c", "cat - >/dev/null", stdin=subprocess.PIPE, text=False
            )
            down = client.start(self, "cp", "p:/dev/zero", os.devnull, stdout=subprocess.DEVNULL)
            flood = client.start(self, "exec", "p", "--", "cat", "/dev/zero", stdout=subprocess.DEVNULL)
            try:
                up.stdin.write(b"x" * (256 * 1024))
                up.stdin.flush()
                wait_for(lambda: programs(client) == 2, 60, "both are under way")
            finally:
                for process in up, down, flood:
                    process.kill()
                    process.wait(30)
                with contextlib.suppress(BrokenPipeError):
                    up.stdin.close()
                up.stdout.close()
            wait_for(lambda: programs(client) == 0, 60, "their programs have ended")
            wait_for(lambda: self.streams() == 0, 60, "no session is left")

        for client in self.ends:
            of(client)
        done = self.ends[-1].run(self, "exec", "p", "--", "echo", "still here")
        self.assertEqual(done.stdout, b"still here\n", done.stderr)

    # --- what metrics-server and kubectl top stand on

    def test_what_metrics_server_reads(self):
        """Each family with labels and the time of its sample in milliseconds; the counter of the CPU grows with it."""
        self.shell("p", "while true; do :; done")
        path = f"/api/v1/nodes/{self.ecilet.node}/proxy/metrics/resource"
        wanted = {
            "node_cpu_usage_seconds_total": "",
            "node_memory_working_set_bytes": "",
            "container_cpu_usage_seconds_total": f'{{container="main",namespace="{self.namespace}",pod="p"}}',
            "container_memory_working_set_bytes": f'{{container="main",namespace="{self.namespace}",pod="p"}}',
            "container_start_time_seconds": f'{{container="main",namespace="{self.namespace}",pod="p"}}',
        }

        def sample():
            found = {}
            for line in self.cluster.kubectl("get", "--raw", path).splitlines():
                for name, labels in wanted.items():
                    if line.startswith(name + labels + " "):
                        found[name] = [float(number) for number in line.split(" ")[1:]]
            return found if len(found) == len(wanted) and all(values[0] > 0 for values in found.values()) else None

        first = wait_for(sample, 90, "all families have values")
        now = time.time()
        for name in wanted:
            if name != "container_start_time_seconds":
                self.assertLess(abs(first[name][1] / 1000 - now), 120, name)
        self.assertLess(abs(first["container_start_time_seconds"][0] - now), 300)

        counters = "node_cpu_usage_seconds_total", "container_cpu_usage_seconds_total"

        def later():
            new = sample()
            return new if new and all(new[name][1] > first[name][1] for name in counters) else None

        second = wait_for(later, 90, "a newer sample")
        for name in counters:
            cores = (second[name][0] - first[name][0]) / ((second[name][1] - first[name][1]) / 1000)
            self.assertTrue(0 < cores < 16, f"{name}: {cores}")
