"""What the end-to-end tests stand on: a real control plane, the ECI simulator and ecilet itself.

One control plane serves a whole run (it takes seconds to start). Each test class has a simulated
cloud and an ecilet of its own, each test a namespace of its own. Everything that a test leaves
behind is taken away after it, and two things are checked then, whatever the test was about: no
instance is left without its pod, and no pod ever had two instances at once.

Programs are taken from build/ (ECILET=path, ECISIM=path: others). Only loopback is used; container
mode adds a bridge of its own.

    E2E_LONG=1     outages as long as the promises say, not the shorter ones of an ordinary run
    E2E_KEEP=1     keep the folder with logs and certificates also when all went well
    E2E_DAWDLE=2   the tests look up to so many seconds later than they could: what they want to see must still be there
    E2E_STALL=0.5  ecilet stands still for up to so many seconds, again and again: the tests must wait for it

The last two look for tests that only pass on a quiet machine. Some tests measure time and fail then with reason.
"""
import atexit
import calendar
import contextlib
import ctypes
import functools
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MANIFESTS = os.path.join(HERE, "manifests")
ECILET = os.environ.get("ECILET", os.path.join(ROOT, "build", "ecilet"))
ECISIM = os.environ.get("ECISIM", os.path.join(ROOT, "build", "ecisim"))
CLUSTER_SH = os.path.join(ROOT, "test", "cluster", "cluster.sh")
IS_LONG = os.environ.get("E2E_LONG", "") not in ("", "0")

NODE = "virtual-kubelet"
UID_TAG = "ecilet-pod-uid"  # on each instance; src/spec/tags.h
USER = "ecilet"
USER_GROUP = "ecilet-e2e"  # the audit log tells of the members of this group only
ACCESS_KEY = "LTAI4EXAMPLEKEYID00001"
SECRET_KEY = "EXAMPLEsecretKEY0123456789abcd"

POLL_S = 0.1
DAWDLE_S = float(os.environ.get("E2E_DAWDLE") or 0)
STALL_S = float(os.environ.get("E2E_STALL") or 0)


# --- small things ------------------------------------------------------------------------------------


def dawdle():
    """Before each look: about every third one comes late."""
    if DAWDLE_S and random.random() < 0.3:
        time.sleep(random.uniform(0, DAWDLE_S))


def wait_for(predicate, timeout, what):
    """The first true value of predicate(). An exception in it counts as not yet."""
    deadline = time.monotonic() + timeout
    while True:
        seen = None
        try:
            value = predicate()
            if value:
                return value
            seen = value
        except NOT_YET as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what} (last seen: {seen!r})")
        time.sleep(POLL_S)


def stays(predicate, seconds, what):
    """predicate() must hold all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not predicate():
            raise AssertionError(f"ceased within {seconds} s: {what}")
        time.sleep(POLL_S)


def parse_time(text):
    """Seconds since the epoch of an RFC 3339 time, with or without a fraction."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z", text)
    whole = time.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(whole) + float(match.group(2) or 0)


def tail(path, lines):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as error:
        return f"{error}\n"


_prctl = ctypes.CDLL(None).prctl  # looked up now: in a child it could wait for a lock of a thread that is not there


def die_with_us():
    """In a child, before exec: it is told to stop when this process dies, however that happens."""
    PR_SET_PDEATHSIG = 1
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


# Everything that was started and has not been stopped, newest last.
_running = []


def _stop_all():
    while _running:
        program = _running.pop()
        try:
            program.stop()
        except Exception as error:  # go on: the others must be stopped too
            print(f"while stopping: {error}")


atexit.register(_stop_all)


class Program:
    """A process of ours with its log; stopped at the end of the run at the latest."""

    def __init__(self, log):
        self.log = log
        self.process = None

    def spawn(self, argv, env=None, before_exec=None):
        def prepare():
            die_with_us()
            if before_exec:
                before_exec()

        if self.is_alive():
            raise RuntimeError(f"{argv[0]} still runs")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,  # an interrupt at the terminal is for the test run
                preexec_fn=prepare,
            )
        _running.append(self)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, sig, timeout):
        """Sends a signal, waits, returns the exit status (negative: died by that signal)."""
        process = self.process
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(sig)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{process.args[0]} did not end within {timeout} s of signal {sig}") from None
        finally:
            self.process = None
            if self in _running:
                _running.remove(self)
        return process.returncode

    def stop(self):
        return self.end(signal.SIGTERM, 60)

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


# --- the cluster -------------------------------------------------------------------------------------


class ApiError(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text[:300]}")
        self.status = status


# What a look at something that is not there yet, or not reachable now, may raise.
NOT_YET = (
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    http.client.HTTPException,
    ApiError,
    subprocess.SubprocessError,
)

AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [%s]
- level: None
"""


class Cluster:
    def __init__(self, folder, is_audited=True):
        self.folder = folder
        self.is_audited = is_audited
        self.is_up = False
        self.audit_log = os.path.join(folder, "audit.log")
        self.local = threading.local()
        self.granted = None  # the node whose roles were applied

    def _run(self, *argv, **more):
        done = subprocess.run(
            [CLUSTER_SH, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
        )
        if done.returncode != 0:
            raise AssertionError(f"cluster.sh {' '.join(argv)}: {done.stderr}")
        return done.stdout.strip()

    def up(self):
        os.makedirs(self.folder, exist_ok=True)
        flags = ""
        if self.is_audited:
            policy = os.path.join(self.folder, "audit-policy.yaml")
            with open(policy, "w", encoding="utf-8") as file:
                file.write(AUDIT_POLICY % USER_GROUP)
            flags = f"--audit-policy-file={policy} --audit-log-path={self.audit_log} --audit-log-mode=blocking"
            flags += " --audit-log-maxsize=100000"  # in one piece: it would begin a new file after 100 MB
        _running.append(self)
        self._run("up", self.folder, env=dict(os.environ, APISERVER_FLAGS=flags))
        self.folder = os.path.realpath(self.folder)
        self.kubeconfig = os.path.join(self.folder, "admin.kubeconfig")
        self.program = os.path.join(self.folder, "kubectl")
        with open(os.path.join(self.folder, "address"), encoding="utf-8") as file:
            self.address = file.read().strip()
        self.tls = ssl.create_default_context(cafile=os.path.join(self.folder, "ca.crt"))
        self.tls.load_cert_chain(self._pki("admin.crt"), self._pki("admin.key"))
        version = self.get("/version")
        # Before 1.24 pods are refused until their account has a token in a Secret.
        self.makes_tokens = (int(version["major"]), int(version["minor"].rstrip("+"))) < (1, 24)
        self.is_up = True

    def _pki(self, name):
        return os.path.join(self.folder, "pki", name)

    def stop(self):
        if self in _running:
            _running.remove(self)
        self._run("down", self.folder)
        self.is_up = False

    def stop_apiserver(self):
        self._run("stop-apiserver", self.folder)

    def start_apiserver(self):
        self._run("start-apiserver", self.folder)

    def user(self, name, groups="", days="365"):
        """A kubeconfig with a client certificate."""
        return self._run("user", self.folder, name, groups, days)

    def certificate(self, name, subject_alt_name):
        """A serving certificate of the cluster's authority; (certificate, key) files."""
        key, cert, request = (self._pki(f"{name}.{end}") for end in ("key", "crt", "csr"))
        extensions = self._pki(f"{name}.ext")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={subject_alt_name}\nextendedKeyUsage=serverAuth\n")
        make = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        sign = ["openssl", "x509", "-req", "-days", "30", "-in", request, "-out", cert, "-extfile", extensions]
        authority = ["-CA", f"{self.folder}/ca.crt", "-CAkey", f"{self.folder}/ca.key", "-CAcreateserial"]
        for argv in make + ["-subj", f"/CN={name}", "-keyout", key, "-out", request], sign + authority:
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return cert, key

    # --- as a user sees it

    def kubectl(self, *argv, stdin=None, check=True, kubeconfig=None, timeout=60):
        """Runs kubectl; returns what it printed."""
        dawdle()
        if stdin is not None and not isinstance(stdin, str):
            stdin = json.dumps(stdin)
        done = subprocess.run(
            [self.program, "--kubeconfig", kubeconfig or self.kubeconfig, *argv],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(argv)}: {done.stdout}")
        return done.stdout

    def kubectl_json(self, *argv, **more):
        return json.loads(self.kubectl(*argv, "-o", "json", **more))

    def apply(self, *objects, namespace=None):
        where = ["-n", namespace] if namespace else []
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl(*where, "apply", "-f", "-", stdin=items)

    # --- the same without the start of a program, for what is asked often

    def _connection(self, is_new):
        if is_new or getattr(self.local, "connection", None) is None:
            self.local.connection = http.client.HTTPSConnection(self.address, timeout=30, context=self.tls)
        return self.local.connection

    def call(self, method, path, body=None, kind="application/json"):
        if method == "GET":
            dawdle()
        for is_new in (False, True):
            connection = self._connection(is_new)
            try:
                data = None if body is None else json.dumps(body)
                connection.request(method, path, data, {"Content-Type": kind})
                reply = connection.getresponse()
                text = reply.read().decode()
                break
            except (OSError, http.client.HTTPException):
                connection.close()
                if is_new:
                    raise
        if reply.status >= 300:
            raise ApiError(reply.status, text)
        return json.loads(text)

    def get(self, path):
        return self.call("GET", path)

    def find(self, path):
        """None when there is no such object."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def remove(self, path):
        try:
            self.call("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def pods(self, namespace):
        return self.get(f"/api/v1/namespaces/{namespace}/pods")["items"]

    def pod(self, namespace, name):
        return self.find(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def node(self, name=NODE):
        return self.find(f"/api/v1/nodes/{name}")

    def lease(self, name=NODE):
        return self.find(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")

    def events(self, namespace, name=None, reason=None):
        items = self.get(f"/api/v1/namespaces/{namespace}/events")["items"]
        return [
            item
            for item in items
            if (name is None or item["involvedObject"]["name"] == name)
            and (reason is None or item["reason"] == reason)
        ]

    def node_events(self, reason=None, since=0):
        """Those that came, or came again, since then (seconds since the epoch). They stay for the whole run, and name
        whole seconds."""
        return [
            event
            for event in self.events("default", reason=reason)
            if event["involvedObject"]["kind"] == "Node" and parse_time(event["lastTimestamp"]) >= int(since)
        ]

    def audit(self, since=0):
        """What the members of USER_GROUP asked for since then (seconds since the epoch)."""
        entries = []
        with open(self.audit_log, encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    break  # it is being written
                entry = json.loads(line)
                if parse_time(entry["stageTimestamp"]) >= since:
                    entries.append(entry)
        return entries

    def grant(self, node=NODE):
        """Lets USER do what `ecilet manifests` says it must be able to, and no more."""
        if node != self.granted:
            text = subprocess.run(
                [ECILET, "manifests", "--nodename", node], check=True, stdout=subprocess.PIPE, text=True
            ).stdout
            self.kubectl("apply", "-f", "-", stdin=text)
            group = {"kind": "Group", "name": USER_GROUP, "apiGroup": "rbac.authorization.k8s.io"}
            self.revoke()  # a binding cannot be given another role
            self.apply(*self.bindings(USER_GROUP, [group], "ecilet" if node == NODE else f"ecilet-{node}"))
            self.wait_permitted(USER, USER_GROUP, node=node)
            self.granted = node
        path = os.path.join(self.folder, f"{USER}.kubeconfig")
        return path if os.path.exists(path) else self.user(USER, USER_GROUP)

    def is_allowed(self, user, groups, verb, resource, namespace="", name=""):
        """As the API server's authorizer sees it now. resource: with its API group, as in leases.coordination.k8s.io"""
        resource, _, group = resource.partition(".")
        asked = {"verb": verb, "resource": resource, "group": group, "namespace": namespace, "name": name}
        review = {"spec": {"user": user, "groups": list(groups), "resourceAttributes": asked}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", **review}
        return self.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)["status"]["allowed"]

    def wait_permitted(self, user, *groups, node=NODE):
        """Roles and bindings count a little after they were written: something of each is asked for."""
        for verb, resource, namespace, name in (
            ("list", "namespaces", "", ""),
            ("patch", "nodes", "", node),
            ("create", "leases.coordination.k8s.io", "kube-node-lease", ""),
            ("create", "secrets", "kube-system", ""),
        ):
            wait_for(
                lambda wanted=(verb, resource, namespace, name): self.is_allowed(user, groups, *wanted),
                30,
                f"{user} may {verb} {resource} {name}",
            )

    def revoke(self):
        for binding in self.bindings(USER_GROUP, []):
            self.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=binding)
        self.granted = None

    @staticmethod
    def bindings(name, subjects, role="ecilet"):
        """The roles of `ecilet manifests` for these subjects."""
        made = []
        for kind, namespace in ("ClusterRole", None), ("Role", "kube-node-lease"), ("Role", "kube-system"):
            made.append(
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": kind + "Binding",
                    "metadata": {"name": f"e2e-{name}", **({"namespace": namespace} if namespace else {})},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
                    "subjects": subjects,
                }
            )
        return made


class PodWatch(threading.Thread):
    """Remembers every version of the pods of a namespace, with the time at which it arrived."""

    def __init__(self, cluster, namespace):
        super().__init__(daemon=True)
        self.cluster, self.namespace = cluster, namespace
        self.seen = []  # (seconds since the epoch, ADDED ..., pod)
        # Nothing may happen for longer than a test of ours lasts.
        self.connection = http.client.HTTPSConnection(cluster.address, timeout=3600, context=cluster.tls)
        self.connection.request("GET", f"/api/v1/namespaces/{namespace}/pods?watch=true")
        self.reply = self.connection.getresponse()
        self.start()

    def run(self):
        try:
            for line in self.reply:
                change = json.loads(line)
                self.seen.append((time.time(), change["type"], change["object"]))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # closed

    def of(self, name):
        return [entry for entry in list(self.seen) if entry[2]["metadata"]["name"] == name]

    def phases(self, name):
        """The phases of a pod in their order, each once in a row."""
        phases = []
        for _, _, pod in self.of(name):
            phase = pod["status"].get("phase")
            if not phases or phases[-1] != phase:
                phases.append(phase)
        return phases

    def removed_at(self, name):
        return next((at for at, kind, _ in self.of(name) if kind == "DELETED"), None)


# --- the cloud ---------------------------------------------------------------------------------------


class Ecisim(Program):
    """settings: options of ecisim with _ for -, for example scheduling_ms=50."""

    def __init__(self, cluster, folder, mode="state", is_tls=True, **settings):
        super().__init__(os.path.join(folder, "ecisim.log"))
        self.cluster, self.folder, self.mode, self.is_tls = cluster, folder, mode, is_tls
        self.settings = settings

    def start(self):
        ports = [os.path.join(self.folder, name) for name in ("port", "control-port")]
        for path in ports:  # those of the one before
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        argv = [ECISIM, "--mode", self.mode, "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]
        argv += ["--port-file", ports[0], "--control-port-file", ports[1]]
        if self.is_tls:
            cert, key = self.cluster.certificate("ecisim", "IP:127.0.0.1,DNS:localhost,DNS:cloud.example")
            argv += ["--tls-cert", cert, "--tls-key", key]
        if self.mode == "container":
            slot = self.slot()
            argv += ["--state-dir", os.path.join(self.folder, "ecisim"), "--bridge", f"ecie2e{slot}"]
            argv += ["--subnet", f"172.30.{16 * slot}.0/20"]
        for name, value in self.settings.items():
            argv += ["--" + name.replace("_", "-"), str(value)]
        self.spawn(argv)
        wait_for(self._is_ready, 60, "ecisim answers")

    @staticmethod
    def slot():
        """One of the sixteen bridges; the one that nobody has, where several runs share a machine."""
        slots = [(os.getpid() + at) % 16 for at in range(16)]
        return next((slot for slot in slots if not os.path.exists(f"/sys/class/net/ecie2e{slot}")), slots[0])

    def _is_ready(self):
        if not self.is_alive():
            raise RuntimeError(f"ecisim ended:\n{tail(self.log, 20)}")
        with open(os.path.join(self.folder, "port"), encoding="utf-8") as file:
            self.port = int(file.read())
        with open(os.path.join(self.folder, "control-port"), encoding="utf-8") as file:
            self.control_port = int(file.read())
        return self.control("GET", "health")["ok"]

    @property
    def endpoint(self):
        return f"{'https' if self.is_tls else 'http'}://127.0.0.1:{self.port}"

    # --- control path (see ecisim --help)

    def control(self, method, path, body=None, **query):
        if method == "GET":
            dawdle()
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        try:
            if query:
                path += "?" + urllib.parse.urlencode(query)
            connection.request(method, "/_sim/" + path, None if body is None else json.dumps(body))
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        if reply.status != 200:
            raise AssertionError(f"ecisim {method} {path}: {reply.status}: {text}")
        return json.loads(text)

    def stats(self, tag=None):
        return self.control("GET", "stats", **({"tag": tag} if tag else {}))

    def calls(self, action=None):
        """How often an action was called; all together without a name."""
        actions = self.stats()["actions"]
        names = [action] if action else actions
        return sum(actions.get(name, {"calls": 0})["calls"] for name in names)

    def groups(self, **filters):
        return self.control("GET", "groups", **filters)

    def groups_of(self, pod_or_uid, **filters):
        uid = pod_or_uid if isinstance(pod_or_uid, str) else pod_or_uid["metadata"]["uid"]
        return self.groups(tag_key=UID_TAG, tag_value=uid, **filters)

    def set(self, **settings):
        self.control("POST", "set", {name: str(value) for name, value in settings.items()})

    def fault(self, **members):
        return self.control("POST", "fault", members)["id"]

    def faults_fired(self):
        return sum(rule["fired"] for rule in self.control("GET", "fault"))

    def clear_faults(self):
        self.control("DELETE", "fault")

    def unreachable(self, how="refuse"):
        self.control("POST", "unreachable", {"how": how})

    def reachable(self):
        self.control("DELETE", "unreachable")

    def parameters(self, group_id):
        """What the instance was created with: flat names and texts."""
        return self.control("GET", f"group/{group_id}")

    def order(self, group_id, verb, **members):
        """kill, expire, fail, vanish, event."""
        self.control("POST", f"group/{group_id}/{verb}", members)


# --- the node ----------------------------------------------------------------------------------------


_numbers = itertools.count()


_ports = itertools.cycle(random.sample(range(12000, 18000), 6000))


def free_port():
    """Each one once. None that the kernel gives to outgoing connections, so that it is still free when somebody
    listens on it, which may be a long time from now; and none of the control plane's (test/cluster/cluster.sh)."""
    while True:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", next(_ports))) as listener:
            return listener.getsockname()[1]


class Ecilet(Program):
    """config: keys that differ from the usual ones below; None leaves a key out."""

    def __init__(self, cluster, ecisim, folder, config=None, kubeconfig=None):
        super().__init__(os.path.join(folder, "ecilet.log"))
        self.cluster, self.ecisim, self.folder = cluster, ecisim, folder
        self.is_held, self.stopping = False, threading.Lock()
        self.config_file = os.path.join(folder, "ecilet.conf")
        self.secret_file = os.path.join(folder, "secret-key")
        self.key_file = os.path.join(folder, "access-key")
        self.config = {
            "CLUSTER_TYPE": "IDC",
            "ECI_REGION": "cn-hangzhou",
            "ECI_ACCESS_KEY_FILE": self.key_file,
            "ECI_SECRET_KEY_FILE": self.secret_file,
            "ALIYUN_CLUSTERID": "e2e",
            "ECI_VPC": "vpc-e2e",
            "ECI_VSWITCH": "vsw-e2e1,vsw-e2e2",
            "ECI_SECURITY_GROUP": "sg-e2e",
            "ECI_ENDPOINT": ecisim.endpoint,
            "ECI_CA_FILE": os.path.join(cluster.folder, "ca.crt"),
            "KUBECONFIG": kubeconfig,
            "POLL_FAST_MS": "400",
            "SWEEP_SECONDS": "10",
            "KUBELET_PORT": str(free_port()),
            "STATUS_SOCKET": f"/run/ecilet-e2e-{os.getpid()}-{next(_numbers)}.sock",
            **(config or {}),
        }
        self.node = self.config.get("NODE_NAME", NODE)
        if not self.config["KUBECONFIG"]:
            self.config["KUBECONFIG"] = cluster.grant(self.node)
        self.write_secret(self.key_file, ACCESS_KEY)
        self.write_secret(self.secret_file, SECRET_KEY)
        self.write_config()

    def write_secret(self, path, text):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text + "\n")

    def write_config(self):
        with open(os.open(self.config_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            for key, value in self.config.items():
                if value is not None:
                    file.write(f"{key}='{value}'\n")

    def argv(self, *more):
        return [ECILET, "run", "--config", self.config_file, *more]

    def start(self, is_waiting=True):
        self.log_start = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        # Nothing of our environment: a variable would win over the file.
        self.spawn(self.argv(), env={"PATH": "/usr/bin:/bin"})
        self.is_held = False
        if STALL_S:
            threading.Thread(target=self.stall, args=[self.process], daemon=True).start()
        if is_waiting:
            self.wait_ready()

    def stall(self, process):
        """As on a machine where something else has the processor."""
        while self.process is process and process.poll() is None:
            for sig, most in (signal.SIGSTOP, STALL_S), (signal.SIGCONT, 2 * STALL_S):
                with self.stopping:
                    if not self.is_held:
                        process.send_signal(sig)
                time.sleep(random.uniform(0, most))

    def hold(self):
        """It stands still until go_on()."""
        with self.stopping:
            self.is_held = True
            self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        with self.stopping:
            self.is_held = False
            self.process.send_signal(signal.SIGCONT)

    def wait_ready(self):
        def is_ready():
            if not self.is_alive():
                raise RuntimeError(f"ecilet ended with status {self.process.poll()}:\n{tail(self.log, 20)}")
            return "is registered" in self.read_log_since_start()

        wait_for(is_ready, 60, "ecilet registers its node")

    def read_log_since_start(self):
        with open(self.log, "rb") as file:
            file.seek(self.log_start)
            return file.read().decode(errors="replace")

    def kill(self):
        """As the power would."""
        self.end(signal.SIGKILL, 20)

    def restart(self, sig=signal.SIGTERM):
        self.end(sig, 20)
        self.start()

    def hangup(self):
        self.process.send_signal(signal.SIGHUP)

    def status(self):
        """What `ecilet status` prints. It waits two seconds for an answer; on a busy machine that may be too short."""
        argv = [ECILET, "status", "--config", self.config_file]

        def ask():
            done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=30)
            return done.stdout if done.returncode == 0 else None

        return wait_for(ask, 10, "ecilet status is answered")

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"^VmRSS:\s+(\d+)", file.read(), re.M).group(1))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime


# --- objects -----------------------------------------------------------------------------------------


def container(name="main", image="nginx", **fields):
    return {"name": name, "image": image, **fields}


def pod_spec(*containers, node=NODE, **fields):
    spec = {"containers": list(containers) or [container()], "terminationGracePeriodSeconds": 2, **fields}
    if node:
        spec["nodeName"] = node
    return spec


def pod(name, *containers, labels=None, **fields):
    metadata = {"name": name, "labels": {"app": name, **(labels or {})}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(*containers, **fields)}


def workload(kind, name, spec, api="apps/v1", **fields):
    """A controller whose template is the given pod spec."""
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    body = {"template": template, **fields}
    if kind != "Job":
        body["selector"] = {"matchLabels": {"app": name}}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": body}


def scheduled(spec):
    """As the seed's manual says: by nodeSelector and toleration, through the scheduler."""
    spec = {key: value for key, value in spec.items() if key != "nodeName"}
    toleration = {"key": "virtual-kubelet.io/provider", "operator": "Exists"}
    return {**spec, "nodeSelector": {"type": "virtual-kubelet"}, "tolerations": [toleration]}


def condition(obj, kind):
    """The condition of a node or pod, or an empty one."""
    return next((c for c in obj["status"].get("conditions", []) if c["type"] == kind), {"status": None})


def is_ready(obj):
    return obj is not None and condition(obj, "Ready")["status"] == "True"


def phase(obj):
    return None if obj is None else obj["status"].get("phase")


# --- the run -----------------------------------------------------------------------------------------


class Run:
    """The folder and the cluster of this run; made when first asked for."""

    folder = None
    _cluster = None

    @classmethod
    def make_folder(cls, name):
        if cls.folder is None:
            os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
            cls.folder = tempfile.mkdtemp(prefix="e2e-", dir=os.path.join(ROOT, "build"))
        path = os.path.join(cls.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    @classmethod
    def new_folder(cls, name):
        """Of a class: when it runs again it begins afresh, and what it said before is kept."""
        names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
        parent = cls.make_folder("")
        return cls.make_folder(next(n for n in names if not os.path.exists(os.path.join(parent, n))))

    @classmethod
    def cluster(cls):
        if cls._cluster is None:
            cluster = Cluster(cls.make_folder("cluster"))
            cluster.up()
            cls._cluster = cluster
        return cls._cluster

    @classmethod
    def finish(cls, is_well):
        """Stops everything; the folder goes when nothing in it is of interest."""
        _stop_all()
        cls._cluster = None
        if cls.folder and is_well and os.environ.get("E2E_KEEP", "") in ("", "0"):
            shutil.rmtree(cls.folder, ignore_errors=True)
            cls.folder = None
        return cls.folder


class E2ETest(unittest.TestCase):
    """A test class with a cloud and an ecilet of its own."""

    mode = "state"
    config = {}  # keys of ecilet
    cloud = {"scheduling_ms": 50, "pending_ms": 50, "delete_ms": 100}  # settings of ecisim
    starts_ecilet = True

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        for name, function in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, _with_diagnosis(function))

    @classmethod
    def setUpClass(cls):
        if cls.mode == "container" and os.geteuid() != 0:
            raise unittest.SkipTest("real containers need root")
        cls.cluster = Run.cluster()
        cls.folder = Run.new_folder(cls.__module__.replace("test_", "") + "." + cls.__name__)
        cls.ecisim = cls.ecilet = None
        cls.addClassCleanup(cls.put_away)
        cls.ecisim = Ecisim(cls.cluster, cls.folder, cls.mode, **cls.cloud)
        cls.ecisim.start()
        cls.ecilet = Ecilet(cls.cluster, cls.ecisim, cls.folder, cls.config)
        if cls.starts_ecilet:
            cls.ecilet.start()

    @classmethod
    def tearDownClass(cls):
        cls.put_away()

    @classmethod
    def put_away(cls):
        """All that was started, in spite of one that does not stop. Also comes when setUpClass failed half-way:
        two gateways with one node name would spoil the next class."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(cls.ecisim.stop)
            if cls.ecilet:
                node = cls.ecilet.node
                lease = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}"
                last_first.callback(cls.cluster.remove, lease)
                last_first.callback(cls.cluster.remove, f"/api/v1/nodes/{node}")
                last_first.callback(cls.ecilet.stop)

    def setUp(self):
        word = re.sub("[^a-z0-9]+", "-", self._testMethodName.removeprefix("test_").lower())
        self.namespace = f"{word[:40].strip('-')}-{random.randrange(16**4):04x}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.cluster.call("POST", "/api/v1/namespaces", body)
        account = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default"

        def has_account():
            found = self.cluster.find(account)
            return found and ("secrets" in found or not self.cluster.makes_tokens)

        # After an outage of the API server its controllers come back with a back-off of up to 30 s.
        wait_for(has_account, 90, "the namespace is ready")

    def tearDown(self):
        if not self.ecisim.is_alive():
            self.kubectl("delete", "pods", "--all", "--wait=false", "--grace-period=0", "--force")
            self.fail(f"ecisim ended by itself:\n{tail(self.ecisim.log, 20)}")
        self.ecisim.clear_faults()
        self.ecisim.reachable()
        if not self.ecilet.is_alive() and self.starts_ecilet:
            self.ecilet.end(signal.SIGKILL, 1)
            self.ecilet.start()
        kinds = "deployments,daemonsets,replicasets,jobs,pods"
        self.kubectl("delete", kinds, "--all", "--wait=false", "--grace-period=1")
        try:
            wait_for(lambda: not self.cluster.pods(self.namespace), 120, "all pods of the test are gone")
        except AssertionError:
            self.kubectl("delete", "pods", "--all", "--wait=false", "--grace-period=0", "--force")
            raise
        finally:
            self.cluster.call("DELETE", f"/api/v1/namespaces/{self.namespace}")
        wait_for(lambda: not self.groups_here(exists="true"), 60, "no instance is left without its pod")
        self.assert_no_doubles()

    # --- short forms

    def kubectl(self, *argv, **more):
        return self.cluster.kubectl("-n", self.namespace, *argv, **more)

    def apply(self, *objects):
        return self.cluster.apply(*objects, namespace=self.namespace)

    def create(self, *objects):
        """Pods, without the start of a program; returns them as the API server made them."""
        return [self.cluster.call("POST", f"/api/v1/namespaces/{self.namespace}/pods", obj) for obj in objects]

    def pod(self, name):
        return self.cluster.pod(self.namespace, name)

    def pods(self):
        return self.cluster.pods(self.namespace)

    def events(self, name=None, reason=None):
        return self.cluster.events(self.namespace, name, reason)

    def node(self):
        return self.cluster.node(self.ecilet.node)

    def groups_here(self, **filters):
        return self.ecisim.groups(tag_key="NameSpace", tag_value=self.namespace, **filters)

    def wait_pod(self, name, test, timeout, what):
        def look():
            found = self.pod(name)
            return found if found is not None and test(found) else None

        return wait_for(look, timeout, f"pod {name} {what}")

    def wait_running(self, name, timeout=60):
        return self.wait_pod(name, lambda p: phase(p) == "Running" and is_ready(p), timeout, "is Running and Ready")

    def wait_all_running(self, count, timeout=60):
        def look():
            ready = [p for p in self.pods() if phase(p) == "Running" and is_ready(p)]
            return ready if len(ready) == count else None

        return wait_for(look, timeout, f"{count} pods are Running and Ready")

    def wait_event(self, name, reason, timeout=60):
        return wait_for(lambda: self.events(name, reason), timeout, f"an event {reason} of {name}")[0]

    def wait_log(self, pattern, timeout=60):
        def look():
            return re.search(pattern, self.ecilet.read_log_since_start())

        return wait_for(look, timeout, f"the log says /{pattern}/").group(0)

    def wait_reachable(self, status, timeout=20):
        def look():
            found = condition(self.node(), "ECIReachable")
            return found if found["status"] == status else None

        return wait_for(look, timeout, f"the node's condition ECIReachable is {status}")

    def assert_no_doubles(self):
        """No pod had two instances alive at once, ever."""
        doubles = {uid: n for uid, n in self.ecisim.stats(UID_TAG)["by_tag"].items() if n["at_once"] > 1}
        self.assertEqual(doubles, {}, "pods that had more than one instance at once")

    def assert_one_each(self, uids):
        """Each of these pods had exactly one instance, ever."""
        families = self.ecisim.stats(UID_TAG)["by_tag"]
        wrong = {uid: families.get(uid, {}).get("ever", 0) for uid in uids}
        wrong = {uid: count for uid, count in wrong.items() if count != 1}
        self.assertEqual(wrong, {}, "pods that did not have exactly one instance")

    def diagnose(self):
        parts = [("the end of ecilet's log", tail(self.ecilet.log, 30))]
        if self.cluster.is_up:
            questions = [["get", "pods", "-o", "wide"], ["get", "events", "--sort-by=.lastTimestamp"]]
            if len(self.pods()) <= 5:  # describing asks once per pod
                questions.append(["describe", "pods"])
            for argv in questions:
                text = self.kubectl(*argv, check=False)
                parts.append(("kubectl " + " ".join(argv), "\n".join(text.splitlines()[-60:]) + "\n"))
        if self.ecisim.is_alive():
            parts.append(("ecisim", json.dumps(self.ecisim.stats()) + "\n"))
        return "".join(f"--- {title}:\n{text}" for title, text in parts)


def _with_diagnosis(function):
    """What the world looked like when the test failed, before it is tidied up."""

    @functools.wraps(function)
    def wrapped(self):
        try:
            function(self)
        except (unittest.SkipTest, KeyboardInterrupt):
            raise
        except BaseException:
            try:
                self.diagnosis = self.diagnose()
            except Exception as error:
                self.diagnosis = f"no diagnosis: {error}\n"
            raise

    return wrapped
