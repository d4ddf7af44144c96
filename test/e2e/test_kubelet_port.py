"""The kubelet port as kubectl sees it, through the real API server: logs, exec, attach, port-forward, stats."""
import http.client
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.request

from harness import E2ETest, container, pod, wait_for

# Every path of the port, with the subresource of nodes that it needs.
ROUTES = {
    "/healthz": "proxy",
    "/pods": "proxy",
    "/runningpods/": "proxy",
    "/containerLogs/ns/pod/main": "proxy",
    "/exec/ns/pod/main?command=true&output=1": "proxy",
    "/attach/ns/pod/main?output=1": "proxy",
    "/portForward/ns/pod": "proxy",
    "/stats/summary": "stats",
    "/metrics/resource": "metrics",
    "/metrics": "metrics",
    "/nonsense": "proxy",
}


class Kubectl(subprocess.Popen):
    """kubectl in the background."""

    def __init__(self, test, *argv, **more):
        cluster = test.cluster
        super().__init__(
            [cluster.program, "--kubeconfig", cluster.kubeconfig, "-n", test.namespace, *argv],
            stdout=more.pop("stdout", subprocess.PIPE),
            stderr=subprocess.STDOUT,
            **more,
        )


class KubeletPortTest(E2ETest):
    mode = "container"

    def runs(self, name, *containers, **fields):
        self.create(pod(name, *containers, **fields))
        return self.wait_running(name, 30)

    def shell(self, name, script):
        return self.runs(name, container(image="busybox", command=["sh", "-c", script]))

    def exec_status(self, *argv, stdin=None):
        done = subprocess.run(
            [self.cluster.program, "--kubeconfig", self.cluster.kubeconfig, "-n", self.namespace, "exec", *argv],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    # --- logs

    def test_logs(self):
        self.shell("p", "for i in 1 2 3 4 5; do echo line $i; done; sleep 1000")
        wait_for(lambda: "line 5" in self.kubectl("logs", "p"), 20, "the lines are there")
        self.assertEqual(self.kubectl("logs", "p").splitlines(), [f"line {i}" for i in range(1, 6)])
        self.assertEqual(self.kubectl("logs", "p", "--tail=2").splitlines(), ["line 4", "line 5"])
        self.assertEqual(self.kubectl("logs", "p", "--limit-bytes=6"), "line 1")
        self.assertRegex(self.kubectl("logs", "p", "--timestamps", "--tail=1"), r"^\d{4}-\d\d-\d\dT.*Z line 5")
        self.assertIn("line 1", self.kubectl("logs", "p", "--since=1h"))
        self.assertEqual(self.kubectl("logs", "p", "--since-time=2037-01-01T00:00:00Z"), "")

    def test_logs_are_followed_by_three_to_the_end(self):
        script = "for i in $(seq 1 60); do echo line $i; sleep 0.2; done"
        self.create(pod("p", container(image="busybox", command=["sh", "-c", script]), restartPolicy="Never"))
        self.wait_running("p", 30)
        followers = [Kubectl(self, "logs", "-f", "p", text=True) for _ in range(3)]
        for follower in followers:
            lines = follower.communicate(timeout=90)[0].splitlines()
            self.assertEqual(lines, [f"line {i}" for i in range(1, 61)])

    def test_logs_of_the_run_before_and_of_init_containers(self):
        init = container("first", "busybox", command=["sh", "-c", "echo from init"])
        main = container(image="busybox", command=["sh", "-c", "echo run; sleep 3; exit 1"])
        self.create(pod("p", main, initContainers=[init]))
        wait_for(lambda: self.pod("p")["status"]["containerStatuses"][0]["restartCount"] > 0, 60, "it restarted")
        self.assertEqual(self.kubectl("logs", "p", "-c", "first"), "from init\n")
        self.assertEqual(self.kubectl("logs", "p", "--previous"), "run\n")

    # --- exec

    def test_exec(self):
        self.shell("p", "sleep 1000")
        status, out, err = self.exec_status("p", "--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual((status, out, err), (0, b"out\n", b"err\n"))
        for code in 1, 42, 137:
            self.assertEqual(self.exec_status("p", "--", "sh", "-c", f"exit {code}")[0], code)
        self.assertEqual(self.exec_status("p", "--", "echo", "a b", "c'd")[1], b"a b c'd\n")

    def test_exec_carries_ten_megabytes_both_ways(self):
        self.shell("p", "sleep 1000")
        data = os.urandom(10 * 1024 * 1024)
        status, out, _ = self.exec_status("-i", "p", "--", "cat", stdin=data)
        self.assertEqual(status, 0)
        self.assertTrue(out == data, "byte by byte")

    def test_interrupted_sessions_leave_nothing(self):
        self.shell("p", "sleep 1000")
        self.exec_status("p", "--", "true")
        folder = f"/proc/{self.ecilet.process.pid}/fd"
        time.sleep(1)
        before = len(os.listdir(folder))
        for _ in range(5):
            session = Kubectl(self, "exec", "p", "--", "sleep", "100")
            time.sleep(1)
            session.send_signal(signal.SIGINT)
            session.wait(10)
        # Idle connections of the API server are closed after a minute.
        wait_for(lambda: len(os.listdir(folder)) <= before + 2, 100, "descriptors are as before")

    def test_attach_shows_output(self):
        self.shell("p", "i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.5; done")
        session = Kubectl(self, "attach", "p", text=True)
        time.sleep(8)
        session.send_signal(signal.SIGINT)
        self.assertIn("tick", session.communicate(timeout=10)[0])

    # --- port-forward

    def test_port_forward(self):
        self.runs("web", container(image="nginx", ports=[{"containerPort": 80}]))
        session = Kubectl(self, "port-forward", "web", ":80", text=True)
        try:
            port = int(session.stdout.readline().split("127.0.0.1:")[1].split(" ")[0])
            for _ in range(10):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
                    self.assertEqual(reply.status, 200)
        finally:
            session.send_signal(signal.SIGINT)
            session.communicate(timeout=10)

    # --- numbers

    def raw(self, path):
        return self.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{self.ecilet.node}/proxy{path}")

    def test_stats_and_metrics(self):
        made = self.runs("p", container(image="busybox", command=["sh", "-c", "while true; do :; done"]))
        uid = made["metadata"]["uid"]

        def sample():
            pods = json.loads(self.raw("/stats/summary"))["pods"]
            return next((p for p in pods if p["podRef"]["uid"] == uid and p["cpu"]["usageNanoCores"] > 0), None)

        found = wait_for(sample, 60, "the pod uses CPU")
        self.assertEqual(found["containers"][0]["name"], "main")
        self.assertIn(f'pod_cpu_usage_seconds_total{{namespace="{self.namespace}",pod="p"}}', self.raw("/metrics/resource"))
        self.assertIn("ecilet_", self.raw("/metrics"))
        self.assertEqual(self.raw("/healthz"), "ok")
        self.assertIn(uid, [p["metadata"]["uid"] for p in json.loads(self.raw("/pods"))["items"]])
        self.assertIn(uid, [p["metadata"]["uid"] for p in json.loads(self.raw("/runningpods/"))["items"]])


class CredentialsTest(E2ETest):
    """Every route with every kind of caller, straight to the port."""

    def ask(self, path, token=None, pair=None):
        context = ssl._create_unverified_context()
        if pair:
            context.load_cert_chain(*pair)
        port = int(self.ecilet.config["KUBELET_PORT"])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def test_nobody_is_served_without_credentials(self):
        for path in ROUTES:
            self.assertEqual(self.ask(path)[0], 401, path)

    def test_a_token_that_nobody_gave_out(self):
        for path in ROUTES:
            self.assertEqual(self.ask(path, token="eyJhbGciOiJSUzI1NiJ9.e30.x")[0], 401, path)

    def test_a_certificate_of_another_authority(self):
        folder = self.ecilet.folder
        pair = os.path.join(folder, "other.crt"), os.path.join(folder, "other.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-subj", "/O=system:masters/CN=admin", "-days", "2", "-out", pair[0], "-keyout", pair[1]],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        for path in ROUTES:
            self.assertEqual(self.ask(path, pair=pair)[0], 401, path)

    def test_an_administrators_certificate(self):
        pair = self.cluster._pki("admin.crt"), self.cluster._pki("admin.key")
        for path in ROUTES:
            self.assertNotIn(self.ask(path, pair=pair)[0], (401, 403, 503), path)
        self.assertEqual(self.ask("/nonsense", pair=pair)[0], 404)

    def test_a_token_without_and_with_permission(self):
        account = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default")
        if "secrets" not in account:
            self.skipTest("this cluster makes no tokens by itself")
        name = account["secrets"][0]["name"]
        secret = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        import base64

        token = base64.b64decode(secret["data"]["token"]).decode()
        for path in ROUTES:
            status, body = self.ask(path, token=token)
            self.assertEqual(status, 403, path)
            self.assertEqual(json.loads(body)["reason"], "Forbidden")
        subject = f"--serviceaccount={self.namespace}:default"
        role = f"reader-{self.namespace}"
        self.kubectl("create", "clusterrole", role, "--verb=get", "--resource=nodes/stats,nodes/metrics")
        self.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", subject)
        try:
            time.sleep(31)  # a no is remembered for 30 seconds
            for path, subresource in ROUTES.items():
                allowed = self.ask(path, token=token)[0] != 403
                self.assertEqual(allowed, subresource != "proxy", path)
        finally:
            self.kubectl("delete", "clusterrolebinding,clusterrole", role)
