"""`ecilet check`: what would keep `run` from working is found before, and nothing is changed."""
import socket
import subprocess

from harness import ECILET, NODE, SECRET_KEY, E2ETest, wait_for


class Checks(E2ETest):
    config = {"VKUBELET_POD_IP": "127.0.0.1"}

    def check(self, *more):
        """Exit code, and the lines by the name in front."""
        argv = [ECILET, "check", "--config", self.ecilet.config_file, *more]
        done = subprocess.run(
            argv, env={"PATH": "/usr/bin"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        self.said = done.stdout
        self.assertNotIn(SECRET_KEY, self.said)
        return done.returncode

    def finds(self, verdict, name, words=""):
        lines = [line for line in self.said.splitlines() if line.startswith(f"{verdict:<5} {name:<14} ")]
        self.assertEqual(len(lines), 1, f"{verdict} {name}: {self.said}")
        self.assertIn(words, lines[0])


class CheckTest(Checks):
    starts_ecilet = False

    def setUp(self):
        super().setUp()
        wait_for(lambda: self.check() == 0, 30, "the roles that were just given are in force")

    def tearDown(self):
        self.ecilet.write_secret(self.ecilet.secret_file, SECRET_KEY)
        self.ecilet.write_config()
        super().tearDown()

    def test_all_is_well_and_nothing_is_made(self):
        before = self.ecisim.calls("CreateContainerGroup")
        self.assertEqual(self.check(), 0, self.said)
        self.assertNotIn("FAIL", self.said)
        self.finds("ok", "API server", "(v1.")
        self.finds("ok", "credentials", "accepted")
        self.finds("ok", "permissions", "are there")
        self.finds("ok", "node", f"{NODE} is not there yet")
        self.finds("ok", "cloud", self.ecisim.endpoint)
        self.finds("ok", "cloud keys", "accepted")
        self.assertIsNone(self.cluster.find(f"/api/v1/nodes/{NODE}"))
        self.assertEqual(self.ecisim.calls("CreateContainerGroup"), before)

    def test_offline_asks_nobody(self):
        before = self.ecisim.calls()
        self.assertEqual(self.check("--offline"), 0, self.said)
        self.assertNotIn("API server", self.said)
        self.assertNotIn("cloud", self.said)
        self.assertEqual(self.ecisim.calls(), before)

    def test_wrong_secret(self):
        self.ecilet.write_secret(self.ecilet.secret_file, "notTheSecretAtAll0123456789abc")
        self.assertEqual(self.check(), 1, self.said)
        self.finds("ok", "cloud")
        self.finds("FAIL", "cloud keys", "SignatureDoesNotMatch")
        self.assertNotIn("notTheSecretAtAll", self.said)

    def test_missing_permission(self):
        self.cluster.revoke()
        try:
            patch = "may not patch pods/status (phase, containers, addresses)\n"
            wait_for(lambda: self.check() == 1 and patch in self.said, 30, "the permissions are gone")
            self.finds("ok", "credentials", "accepted")
            self.finds("FAIL", "permissions", "apply `ecilet manifests")
            self.finds("ok", "cloud keys", "accepted")
        finally:
            self.cluster.grant()
        wait_for(lambda: self.check() == 0, 30, "the permissions are back")

    def test_unknown_user_of_the_cluster(self):
        usual = self.ecilet.config["KUBECONFIG"]
        other = f"{self.folder}/stranger.kubeconfig"
        with open(other, "w", encoding="utf-8") as file:
            file.write(self.cluster.kubectl("config", "view", "--raw", "--minify", kubeconfig=usual))
        self.cluster.kubectl("config", "set-credentials", "stranger", "--token=no.such.token", kubeconfig=other)
        self.cluster.kubectl("config", "set-context", "--current", "--user=stranger", kubeconfig=other)
        self.ecilet.config["KUBECONFIG"] = other
        self.ecilet.write_config()
        self.ecilet.config["KUBECONFIG"] = usual
        self.assertEqual(self.check(), 1, self.said)
        self.finds("FAIL", "credentials", "401")

    def test_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("0.0.0.0", int(self.ecilet.config["KUBELET_PORT"])))
            taken.listen()
            self.assertEqual(self.check(), 1, self.said)
        self.finds("FAIL", "kubelet port", "another process has it")

    def test_node_that_is_a_real_one(self):
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        self.cluster.apply(node)
        try:
            self.assertEqual(self.check(), 1, self.said)
        finally:
            self.cluster.remove(f"/api/v1/nodes/{NODE}")
        self.finds("FAIL", "node", "choose another NODE_NAME")


class RunningTest(Checks):
    """While an ecilet runs: warnings, no failure."""

    def test_it_runs(self):
        wait_for(self.cluster.lease, 30, "the lease is there")
        self.assertEqual(self.check(), 0, self.said)
        self.finds("warn", "status socket", "an ecilet runs here already")
        self.finds("warn", "kubelet port", "by the ecilet that runs here")
        self.finds("ok", "node", "made by ecilet")
        self.finds("warn", "lease", "another ecilet runs")
        self.assertTrue(self.ecilet.is_alive())
