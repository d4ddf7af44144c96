"""What `ecilet manifests` prints is enough, and the command line does what it says."""
import subprocess
import time

from harness import ECILET, NODE, USER_GROUP, E2ETest, phase, pod, wait_for


class ManifestsTest(E2ETest):
    starts_ecilet = False

    def test_permissions_suffice_for_a_node_and_a_pods_whole_life(self):
        text = subprocess.run([ECILET, "manifests"], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.cluster.kubectl("apply", "-f", "-", stdin=text)
        # As the comment in it says: the roles bound to the user of the gateway's certificate.
        user = "gateway"
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        self.cluster.apply(*self.cluster.bindings(user, [subject]))
        # The group is known to the audit policy only; it has permissions of its own, which go.
        self.cluster.revoke()
        self.ecilet.config["KUBECONFIG"] = self.cluster.user(user, USER_GROUP)
        self.ecilet.write_config()
        self.cluster.wait_permitted(user)
        self.ecilet.start()
        began = time.time()
        self.create(pod("whole"))
        self.wait_running("whole")
        self.create(pod("refused", hostNetwork=True))
        self.wait_event("refused", "ProviderCreateFailed")
        wait_for(lambda: phase(self.pod("refused")) == "Failed", 30, "a status of our own is written")
        self.kubectl("label", "node", NODE, "kubernetes.io/role-")
        self.ecilet.restart()
        wait_for(lambda: self.node()["metadata"]["labels"].get("kubernetes.io/role"), 30, "the label is back")
        node = self.node()["metadata"]["uid"]
        self.kubectl("delete", "node", NODE, "--wait=false")
        wait_for(lambda: self.node()["metadata"]["uid"] != node and self.cluster.lease(), 30, "the node is back")
        self.kubectl("delete", "pod", "whole", "--wait=false")
        wait_for(lambda: self.pod("whole") is None, 30, "the pod is gone")

        def asked():
            return [e for e in self.cluster.audit(began) if e["user"]["username"] == user]

        def has_seen_it_all():  # an entry may be written after its answer
            return [e for e in asked() if (e["verb"], e["objectRef"]["resource"]) == ("delete", "pods")]

        wait_for(has_seen_it_all, 20, "the audit log has seen it all")
        codes = [(e["verb"], e["requestURI"], e["responseStatus"]["code"]) for e in asked()]
        self.assertEqual([one for one in codes if one[2] in (401, 403)], [])

    def test_manifests_ask_for_little(self):
        text = subprocess.run([ECILET, "manifests"], check=True, stdout=subprocess.PIPE, text=True).stdout
        for kind in "secrets", "configmaps":  # one by its name, never all of them
            self.assertIn(f'    resources: ["{kind}"]\n    verbs: [get]\n', text)
        for word in "*", "cluster-admin", "escalate", "impersonate":
            rules = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
            self.assertNotIn(f'"{word}"', rules)

    def test_version_and_help(self):
        for argv, word in (["version"], "ecilet"), (["help"], "Usage"), (["help", "run"], "--config"):
            done = subprocess.run([ECILET, *argv], stdout=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 0)
            self.assertIn(word, done.stdout)

    def test_check_is_content(self):
        done = subprocess.run(
            [ECILET, "check", "--config", self.ecilet.config_file],
            env={},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("FAIL", done.stdout)
