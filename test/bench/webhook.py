"""Figures of the webhook: AdmissionReviews over TLS with keep-alive, as an API server sends them.

    BENCH_REVIEWS=5000    reviews of each measurement; the memory is looked at after ten times as many

The client is Python on the same machine, one thread and one connection, so its own time and whatever
else runs here are in every latency; the CPU is that of ecilet alone.
"""
import http.client
import json
import os
import socket
import ssl
import time

REVIEWS = int(os.environ.get("BENCH_REVIEWS", "5000"))
RATE = 500  # reviews a second, of the open loop


def review():
    """A usual pod: as a Deployment makes it and the API server completes it."""
    container = {
        "name": "nginx",
        "image": "registry.example/nginx:1.25",
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "env": [{"name": f"VARIABLE_{at}", "value": f"value {at}"} for at in range(10)],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
        "volumeMounts": [{"name": "token", "readOnly": True, "mountPath": "/var/run/secrets"}],
        "imagePullPolicy": "IfNotPresent",
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "nginx-1", "uid": "u", "controller": True}
    pod = {
        "metadata": {
            "generateName": "nginx-1-",
            "namespace": "web",
            "labels": {"app": "nginx", "pod-template-hash": "1", "alibabacloud.com/eci": "true"},
            "ownerReferences": [owner],
        },
        "spec": {
            "volumes": [{"name": "token", "secret": {"secretName": "default-token-x", "defaultMode": 420}}],
            "containers": [container],
            "restartPolicy": "Always",
            "tolerations": [{"key": f"node.kubernetes.io/{what}", "operator": "Exists"} for what in ("a", "b")],
        },
        "status": {},
    }
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "web",
        "operation": "CREATE",
        "object": pod,
    }
    body = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(body).encode()


class Client:
    def __init__(self, port):
        context = ssl.create_default_context()
        context.check_hostname = False  # the API server's trust is tested elsewhere
        context.verify_mode = ssl.CERT_NONE
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.body = review()

    def ask(self):
        """Milliseconds of one review."""
        began = time.perf_counter()
        self.connection.request("POST", "/inject", self.body, {"Content-Type": "application/json"})
        reply = self.connection.getresponse()
        text = reply.read()
        took = 1000 * (time.perf_counter() - began)
        assert reply.status == 200 and b'"patch"' in text, (reply.status, text)
        return took

    def knock(self):
        """The same way for a question that costs nothing: what the machine and this client add."""
        self.connection.request("GET", "/healthz")
        reply = self.connection.getresponse()
        assert reply.status == 200 and reply.read() == b"ok\n"


def paced(ask, count):
    """Latencies from the moment each was due, so that a late one makes the next ones late as well."""
    waits, began = [], time.perf_counter()
    for number in range(count):
        due = began + number / RATE
        left = due - time.perf_counter()
        if left > 0:
            time.sleep(left)
        ask()
        waits.append(1000 * (time.perf_counter() - due))
    return sorted(waits)


def measure_webhook(bench, make_world, cluster, port):
    config = {
        "WEBHOOK": "true",
        "WEBHOOK_PORT": str(port),
        "VKUBELET_POD_IP": "127.0.0.1",
        "WEBHOOK_CERT_DIR": "/nonexistent",
    }
    world = make_world(cluster, "webhook", config)
    bench.title(f"webhook: {REVIEWS} reviews of {len(review())} bytes over TLS, one connection")
    client = Client(port)
    for _ in range(200):
        client.ask()
    resident = world.ecilet.resident_kib()
    floor = paced(client.knock, REVIEWS)
    waits = paced(client.ask, REVIEWS)
    for name, share, target in ("median", 0.5, ""), ("99 %", 0.99, "2"):
        at = int(share * REVIEWS)
        remark = f"of /healthz, which does nothing: {floor[at]:.2f} ms"
        bench.say(f"latency at {RATE} a second, {name}", f"{waits[at]:.2f}", "ms", target, remark)
    cpu, began = world.ecilet.cpu_seconds(), time.perf_counter()
    waits = sorted(client.ask() for _ in range(10 * REVIEWS))
    took, cpu = time.perf_counter() - began, world.ecilet.cpu_seconds() - cpu
    bench.say("one after the other", f"{10 * REVIEWS / took:.0f}", "/s", "", "the client is the slower half")
    bench.say("... median and 99 %", f"{waits[len(waits) // 2]:.2f}", "ms", "", f"{waits[int(0.99 * len(waits))]:.2f} ms")
    bench.say("CPU of ecilet per review", f"{1e6 * cpu / (10 * REVIEWS):.0f}", "us", "", "user + system, with TLS")
    bench.say(f"resident after {10 * REVIEWS} more", f"{world.ecilet.resident_kib()}", "KiB", "", f"{resident} before")
    world.stop()
    cluster.remove("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook")
