"""`ecilet uninstall`: what ecilet made in the cluster is taken away, and nothing else."""
import subprocess

from harness import ECILET, NODE, E2ETest, Run, free_port, pod, wait_for

HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook"
SECRET = "/api/v1/namespaces/kube-system/secrets/vk-webhook-certs"
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"
LEASES = "/apis/coordination.k8s.io/v1/namespaces"
MADE = [
    HOOKS,
    SECRET,
    f"/api/v1/nodes/{NODE}",
    f"{LEASES}/kube-node-lease/leases/{NODE}",
    f"{LEASES}/kube-system/leases/ecilet-{NODE}",
]


class UninstallTest(E2ETest):
    config = {
        "WEBHOOK": "true",
        "WEBHOOK_CERT_DIR": "/nonexistent",
        "WEBHOOK_PORT": str(free_port()),
        "VKUBELET_POD_IP": "127.0.0.1",
        "LEADER_ELECT": "true",
        "LEADER_IDENTITY": "gateway-1",
    }

    @classmethod
    def setUpClass(cls):
        for path in MADE:  # what others left
            Run.cluster().remove(path)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for path in MADE + [CONFIG_MAP]:
            cls.cluster.remove(path)

    def there(self):
        return [path for path in MADE if self.cluster.find(path)]

    def uninstall(self, *more):
        argv = [ECILET, "uninstall", "--config", self.ecilet.config_file, *more]
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, env={"PATH": "/usr/bin"}
        )
        return done.returncode, done.stdout

    def test_its_whole_way(self):
        metadata = {"name": "eci-profile", "namespace": "kube-system"}
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}})
        wait_for(lambda: self.there() == MADE, 60, "everything is made")
        self.create(pod("still-here"))
        self.wait_running("still-here")

        code, said = self.uninstall("--yes")
        self.assertEqual((code, self.there()), (1, MADE), said)
        self.assertIn("an ecilet runs and renews its lease", said)

        self.ecilet.stop()
        code, said = self.uninstall()
        self.assertEqual((code, self.there()), (1, MADE), said)
        self.assertIn("would remove  MutatingWebhookConfiguration vk-webhook\n", said)
        self.assertIn(f"left          Node {NODE}: it has 1 pod, delete them first: {self.namespace}/still-here", said)
        self.assertIn("Nothing was removed; --yes does it.", said)
        group = self.groups_here(exists="true")[0]
        self.assertIn(f"left          instances in the cloud: 1: {group['id']}\n", said)

        code, said = self.uninstall("--yes")
        self.assertEqual((code, self.there()), (1, MADE[2:4]), said)
        self.assertIn("removed       Secret kube-system/vk-webhook-certs\n", said)
        self.assertEqual(len(self.groups_here(exists="true")), 1, "instances are not touched")

        # It can be started again at any time; then the pod goes, and with it the rest.
        self.ecilet.start()
        self.kubectl("delete", "pod", "still-here", "--wait=false")
        wait_for(lambda: self.pod("still-here") is None, 60, "the pod is gone")
        wait_for(lambda: self.there() == MADE, 60, "everything is made again")
        self.ecilet.stop()
        code, said = self.uninstall("--yes")
        self.assertEqual((code, self.there()), (0, []), said)
        self.assertIn("not there     instances in the cloud: 0\n", said)
        self.assertTrue(self.cluster.find(CONFIG_MAP), "the profile is the user's")

        code, said = self.uninstall("--yes")
        self.assertEqual(code, 0, said)
        self.assertEqual(said.count("not there"), len(MADE) + 1, said)

        self.ecisim.unreachable("refuse")
        code, said = self.uninstall("--yes")
        self.ecisim.reachable()
        self.assertEqual(code, 0, said)
        self.assertIn("not known     instances in the cloud: ", said)

    def test_a_cluster_that_does_not_answer(self):
        done = subprocess.run(
            [ECILET, "uninstall", "--config", self.ecilet.config_file, "--kubeconfig", "/nonexistent", "--yes"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env={"PATH": "/usr/bin"},
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent", done.stderr)
