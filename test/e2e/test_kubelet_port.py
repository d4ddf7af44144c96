"""The kubelet port: its numbers, and who may ask for what. For its streams see test_clients.py and the two after it:
test_port_forward.py, test_streams.py."""
import http.client
import json
import os
import re
import ssl
import subprocess
import time

from harness import ROOT, E2ETest, container, pod, wait_for

TABLE = os.path.join(ROOT, "src/serve/routes.def")
NAMES = {"{namespace}": "ns", "{pod}": "pod", "{uid}": "uid", "{container}": "main"}


def read_routes():
    """(method, path) of all that the port knows, and of something that it does not, with the subresource of nodes."""
    found = {("GET", "/nonsense"): "proxy"}
    with open(TABLE) as file:
        text = file.read()
    rows = re.findall(r'^ROUTE\("([^"]+)",\s*"([^"]+)",\s*"([^"]+)"', text, re.M)
    assert len(rows) == len(re.findall(r"^ROUTE", text, re.M)) > 0
    for methods, pattern, subresource in rows:
        path = re.sub(r"\{\w+\}", lambda part: NAMES[part.group(0)], pattern)
        query = "?command=true&output=1" if path.startswith(("/exec/", "/attach/")) else ""
        for method in methods.split():
            found[method, path + query] = subresource
    return found


ROUTES = read_routes()


class KubeletPortTest(E2ETest):
    mode = "container"

    def raw(self, path):
        return self.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{self.ecilet.node}/proxy{path}")

    def test_stats_and_metrics(self):
        self.create(pod("p", container(image="busybox", command=["sh", "-c", "while true; do :; done"])))
        uid = self.wait_running("p", 60)["metadata"]["uid"]

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

    def ask(self, route, token=None, pair=None):
        context = ssl._create_unverified_context()
        if pair:
            context.load_cert_chain(*pair)
        port = int(self.ecilet.config["KUBELET_PORT"])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        try:
            method, path = route
            connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def test_nobody_is_served_without_credentials(self):
        for route in ROUTES:
            self.assertEqual(self.ask(route)[0], 401, route)

    def test_a_token_that_nobody_gave_out(self):
        for route in ROUTES:
            self.assertEqual(self.ask(route, token="eyJhbGciOiJSUzI1NiJ9.e30.x")[0], 401, route)

    def test_a_certificate_of_another_authority(self):
        folder = self.ecilet.folder
        pair = os.path.join(folder, "other.crt"), os.path.join(folder, "other.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-subj", "/O=system:masters/CN=admin", "-days", "2", "-out", pair[0], "-keyout", pair[1]],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        for route in ROUTES:
            self.assertEqual(self.ask(route, pair=pair)[0], 401, route)

    def test_an_administrators_certificate(self):
        pair = self.cluster._pki("admin.crt"), self.cluster._pki("admin.key")
        for route in ROUTES:
            self.assertNotIn(self.ask(route, pair=pair)[0], (401, 403, 503), route)
        self.assertEqual(self.ask(("GET", "/nonsense"), pair=pair)[0], 404)

    def test_a_token_without_and_with_permission(self):
        account = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default")
        if "secrets" not in account:
            self.skipTest("this cluster makes no tokens by itself")
        name = account["secrets"][0]["name"]
        secret = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        import base64

        token = base64.b64decode(secret["data"]["token"]).decode()
        for route in ROUTES:
            status, body = self.ask(route, token=token)
            self.assertEqual(status, 403, route)
            self.assertEqual(json.loads(body)["reason"], "Forbidden")
        subject = f"--serviceaccount={self.namespace}:default"
        role = f"reader-{self.namespace}"
        self.kubectl("create", "clusterrole", role, "--verb=get", "--resource=nodes/stats,nodes/metrics")
        self.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", subject)
        try:
            time.sleep(31)  # a no is remembered for 30 seconds
            for route, subresource in ROUTES.items():
                allowed = self.ask(route, token=token)[0] != 403
                self.assertEqual(allowed, subresource != "proxy", route)
        finally:
            self.kubectl("delete", "clusterrolebinding,clusterrole", role)
