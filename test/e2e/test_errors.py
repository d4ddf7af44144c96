"""What operators get wrong: one clear message in the right place, and no crash."""
import os
import shutil
import subprocess
import tempfile
import time

from harness import ACCESS_KEY, ECILET, SECRET_KEY, USER, USER_GROUP, E2ETest, is_ready, phase, pod, stays


class CloudErrorsTest(E2ETest):
    """ecilet starts and stays; the node tells what is wrong with the cloud's side."""

    starts_ecilet = False

    def setUp(self):
        super().setUp()
        self.usual = dict(self.ecilet.config)

    def tearDown(self):
        # With the right settings again, so that nothing is left behind.
        self.ecilet.config = self.usual
        self.ecilet.write_config()
        self.ecilet.write_secret(self.ecilet.secret_file, SECRET_KEY)
        self.ecilet.write_secret(self.ecilet.key_file, ACCESS_KEY)
        try:
            self.ecilet.restart()
            super().tearDown()
        finally:
            self.ecilet.stop()

    def is_refused(self, *words):
        """The node stays Ready and says why nothing goes; a pod waits and says so; no crash."""
        self.ecilet.start()
        found = self.wait_reachable("False", 30)
        for word in words:
            self.assertIn(word, found["message"])
        self.create(pod("waits"))
        event = self.wait_event("waits", "ECIUnreachable", 30)
        self.assertEqual(event["type"], "Warning")
        for word in words:
            self.assertIn(word, event["message"])
            self.assertIn(word, self.ecilet.read_log_since_start())
        stays(
            lambda: self.ecilet.is_alive() and is_ready(self.node()) and phase(self.pod("waits")) == "Pending",
            3,
            "the node is Ready, the pod Pending",
        )
        self.assertEqual(self.groups_here(), [])
        return found

    def test_wrong_secret(self):
        self.ecilet.write_secret(self.ecilet.secret_file, "notTheSecretAtAll0123456789abc")
        found = self.is_refused("SignatureDoesNotMatch")
        self.assertEqual(found["reason"], "ECIRefusesCredentials")
        self.assertNotIn("notTheSecretAtAll", self.ecilet.read_log())

    def test_wrong_access_key(self):
        self.ecilet.write_secret(self.ecilet.key_file, "LTAI4EXAMPLEKEYID99999")
        found = self.is_refused("InvalidAccessKeyId")
        self.assertEqual(found["reason"], "ECIRefusesCredentials")

    def test_wrong_region(self):
        self.ecilet.config["ECI_REGION"] = "cn-nowhere"
        self.ecilet.write_config()
        self.is_refused("cn-nowhere")

    def test_untrusted_certificate_of_the_cloud(self):
        other = os.path.join(self.folder, "other-ca.crt")
        subprocess.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
            f"-subj /CN=other -keyout {self.folder}/other.key -out {other}",
            shell=True,
            check=True,
            stderr=subprocess.DEVNULL,
        )
        self.ecilet.config["ECI_CA_FILE"] = other
        self.ecilet.write_config()
        self.is_refused("not signed by a known CA")

    def test_nobody_listens_at_the_endpoint(self):
        self.ecilet.config["ECI_ENDPOINT"] = "https://127.0.0.1:9"
        self.ecilet.write_config()
        self.is_refused("127.0.0.1")


class StartErrorsTest(E2ETest):
    """ecilet does not start, or not far, and says why."""

    starts_ecilet = False

    @classmethod
    def tearDownClass(cls):
        cls.ecisim.stop()

    def run_to_its_end(self, *argv, before_exec=None):
        done = subprocess.run(
            [ECILET, *argv],
            env={"PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            preexec_fn=before_exec,
        )
        self.assertGreater(done.returncode, 0, f"it fails, and by no signal: {done.stderr}")
        return done

    def refuses_config(self, *words, **changes):
        config = dict(self.ecilet.config)
        self.ecilet.config.update(changes)
        self.ecilet.write_config()
        self.ecilet.config = config
        done = self.run_to_its_end("run", "--config", self.ecilet.config_file)
        self.assertEqual(done.returncode, 2, "wrong configuration")
        lines = [line for line in done.stderr.splitlines() if all(word in line for word in words)]
        self.assertEqual(len(lines), 1, f"one line with {words}: {done.stderr}")
        return done

    def test_config_file_that_does_not_exist(self):
        done = self.run_to_its_end("run", "--config", "/nonexistent/ecilet.conf")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent/ecilet.conf: cannot be read: No such file or directory", done.stderr)

    def test_config_file_that_may_not_be_read(self):
        if os.geteuid() != 0:
            self.skipTest("needs another user, so root")
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        program = shutil.copy(ECILET, folder)
        secret = os.path.join(folder, "ecilet.conf")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write("CLUSTER_TYPE=IDC\n")
        done = subprocess.run(
            [program, "run", "--config", secret],
            env={},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            user=65534,
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{secret}: cannot be read: Permission denied", done.stderr)

    def test_unknown_key_names_the_nearest(self):
        self.refuses_config("ECI_VSWITHC", "unknown key", "did you mean ECI_VSWITCH?", ECI_VSWITHC="vsw-1")

    def test_value_that_cannot_be(self):
        self.refuses_config("ECI_QUOTA_POD", "many", ECI_QUOTA_POD="many")

    def test_required_key_that_is_missing(self):
        self.refuses_config("ECI_REGION", ECI_REGION=None)

    def test_secret_file_that_is_missing(self):
        self.refuses_config("ECI_SECRET_KEY_FILE", "cannot be read", ECI_SECRET_KEY_FILE="/nonexistent/key")

    def test_kubeconfig_that_is_missing(self):
        self.refuses_config("/nonexistent/kubeconfig", KUBECONFIG="/nonexistent/kubeconfig")

    def test_unknown_option_and_command(self):
        self.assertIn("--no-such-option", self.run_to_its_end("--no-such-option").stderr)
        self.assertIn("did you mean check", self.run_to_its_end("chekc").stderr)

    def test_other_provider(self):
        self.assertIn("alibabacloud", self.run_to_its_end("run", "--provider", "azure").stderr)

    def with_kubeconfig(self, kubeconfig):
        config = self.ecilet.config
        self.ecilet.config = {**config, "KUBECONFIG": kubeconfig}
        self.ecilet.write_config()
        self.ecilet.config = config
        self.addCleanup(self.ecilet.stop)
        self.ecilet.start(is_waiting=False)

    def test_expired_client_certificate(self):
        self.with_kubeconfig(self.cluster.user("expired", USER_GROUP, "-1"))
        self.wait_log('the client certificate of user "expired" expired on ')
        stays(self.ecilet.is_alive, 3, "it waits for better times")
        self.assertIsNone(self.node())

    def test_kubeconfig_without_permissions(self):
        self.with_kubeconfig(self.cluster.user("nobody", ""))
        self.wait_log('403 Forbidden: pods is forbidden: User "nobody" ')
        stays(self.ecilet.is_alive, 3, "it waits for better times")

    def test_name_of_a_real_node(self):
        """Its kubelet would start the pods a second time."""
        name = "real-machine"
        self.cluster.call("POST", "/api/v1/nodes", {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}})
        self.addCleanup(self.cluster.remove, f"/api/v1/nodes/{name}")
        began = time.time()
        config = self.ecilet.config
        self.ecilet.config = {**config, "NODE_NAME": name, "KUBECONFIG": self.cluster.grant(name)}
        self.ecilet.write_config()
        self.ecilet.config = config
        done = self.run_to_its_end("run", "--config", self.ecilet.config_file)
        self.assertIn(f"{name} exists and is no virtual node", done.stderr)
        written = [e["requestURI"] for e in self.cluster.audit(began) if e["verb"] not in ("get", "list", "watch")]
        self.assertEqual(written, [], "it has only looked")

    def test_api_server_that_is_not_there(self):
        with open(self.usual_kubeconfig(), encoding="utf-8") as file:
            text = file.read().replace(self.cluster.address, "127.0.0.1:9")
        elsewhere = os.path.join(self.folder, "elsewhere.kubeconfig")
        self.ecilet.write_secret(elsewhere, text)
        self.with_kubeconfig(elsewhere)
        self.wait_log("connect 127.0.0.1:9: connection refused")
        stays(self.ecilet.is_alive, 3, "it waits for better times")

    def usual_kubeconfig(self):
        return os.path.join(self.cluster.folder, f"{USER}.kubeconfig")


class FullTest(E2ETest):
    config = {"ECI_QUOTA_POD": "3", "PODS_MAX": "3"}

    def test_pool_is_full(self):
        self.create(*(pod(f"p{number}") for number in range(3)))
        self.wait_all_running(3)
        self.create(pod("late"))
        event = self.wait_event("late", "NodeFull", 30)
        self.assertIn("PODS_MAX", event["message"])
        stays(lambda: phase(self.pod("late")) == "Pending" and self.ecilet.is_alive(), 3, "the pod waits")
        self.assertEqual(len(self.groups_here()), 3)
        self.kubectl("delete", "pod", "p0", "--wait=false")
        self.wait_pod("late", lambda p: phase(p) == "Running", 120, "runs when a place is free")
