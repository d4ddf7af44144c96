"""Variables, files, probes, hooks and ends of containers: what the manifest says, seen from inside."""
import base64
import hashlib
import json
import re
import time

from harness import E2ETest, condition, container, is_ready, parse_time, phase, pod, stays, wait_for

NO_TOKEN = {"automountServiceAccountToken": False}
STAYS = "trap 'exit 0' TERM; sleep 100000 & wait"
BINARY = bytes(range(256))


def text64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def secret(name, **values):
    data = {key: text64(value) for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def config_map(name, values, binary=None):
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}
    return {**made, "binaryData": {key: text64(value) for key, value in (binary or {}).items()}}


def shell(script, name="main", **fields):
    return container(name, "busybox", command=["sh", "-c", script], **fields)


def field(path):
    return {"valueFrom": {"fieldRef": {"fieldPath": path}}}


def amount(resource, divisor=None, **more):
    of = {"resource": resource, **({"divisor": divisor} if divisor else {}), **more}
    return {"valueFrom": {"resourceFieldRef": of}}


def key_of(kind, name, key, **more):
    return {"valueFrom": {kind + "KeyRef": {"name": name, "key": key, **more}}}


def env(**variables):
    return [{"name": n, **(v if isinstance(v, dict) else {"value": v})} for n, v in variables.items()]


def main_status(found, kind="containerStatuses", name=None):
    items = found["status"].get(kind, [])
    return [item for item in items if name is None or item["name"] == name][0]


class InsideTest(E2ETest):
    mode = "container"
    cloud = {"scheduling_ms": 100, "pending_ms": 100, "backoff_base_ms": 1000}

    def logs(self, name, *more, end="END"):
        """What a container has printed, up to and without this line."""

        def look():
            lines = self.kubectl("logs", name, *more).splitlines()
            return lines[: lines.index(end)] or [""]

        return wait_for(look, 30, f"{name} has printed {end}")

    def node_address(self):
        return next(a["address"] for a in self.node()["status"]["addresses"] if a["type"] == "InternalIP")

    def inside(self, name, script):
        return self.kubectl("exec", name, "--", "sh", "-c", script)

    def ended(self, name, wanted):
        found = self.wait_pod(name, lambda p: phase(p) in ("Succeeded", "Failed"), 60, "has ended")
        self.assertEqual(phase(found), wanted, json.dumps(found["status"]))
        return found


class EnvTest(InsideTest):
    def test_variables_of_every_kind(self):
        service = {"metadata": {"name": "my-web"}, "spec": {"ports": [{"name": "http", "port": 8080}]}}
        self.apply(
            config_map("map", {"a": "one", "b_conf": "other"}),
            secret("sec", **{"user": "root", "password": "s3cr3t $(NAME)", "8bad": "no name of a variable"}),
            {"apiVersion": "v1", "kind": "Service", **service},
        )
        variables = env(
            NAME=field("metadata.name"),
            SPACE=field("metadata.namespace"),
            POD_UID=field("metadata.uid"),
            LABEL=field("metadata.labels['tier']"),
            NO_LABEL=field("metadata.labels['none']"),
            NOTE=field("metadata.annotations['example.com/note']"),
            IP=field("status.podIP"),
            HOST=field("status.hostIP"),
            NODE=field("spec.nodeName"),
            ACCOUNT=field("spec.serviceAccountName"),
            CPU=amount("limits.cpu"),
            CPU_MILLI=amount("requests.cpu", "1m"),
            MEMORY=amount("limits.memory"),
            MEMORY_MI=amount("limits.memory", "1Mi"),
            OTHERS_CPU=amount("limits.cpu", "1m", containerName="other"),
            MAP_A=key_of("configMap", "map", "a"),
            PASSWORD=key_of("secret", "sec", "password"),
            NO_KEY=key_of("configMap", "map", "none", optional=True),
            NO_MAP=key_of("configMap", "none", "none", optional=True),
            NO_SECRET=key_of("secret", "none", "none", optional=True),
            JOINED="$(NAME)/$(MAP_A)/$(PASSWORD)",
            ESCAPED="$$(NAME) $$ $",
            UNKNOWN="$(NOBODY) $(NAME",
            LATER="$(AFTER)",
            AFTER="after",
            PRE_a="overridden",
            EMPTY="",
            SPACES="  two  ",
        )
        main = container(
            "main",
            "busybox",
            command=["sh", "-c", 'env; for a in "$@"; do echo "ARG=$a"; done; echo END; sleep 100000', "$(NAME)"],
            args=["$(MAP_A)", "$$(MAP_A)", "$(NOBODY)", "x $(NAME)-$(CPU) y"],
            env=variables,
            envFrom=[
                {"configMapRef": {"name": "map"}, "prefix": "PRE_"},
                {"secretRef": {"name": "sec"}},
                {"secretRef": {"name": "nobody", "optional": True}},
            ],
            resources={"limits": {"cpu": "1500m", "memory": "1Gi"}},
        )
        other = shell(STAYS, "other", resources={"limits": {"cpu": "500m", "memory": "1Gi"}})
        made = pod("everything", main, other, labels={"tier": "front"}, **NO_TOKEN)
        made["metadata"]["annotations"] = {"example.com/note": 'a "quoted" note'}
        self.create(made)
        found = self.wait_running("everything", 40)
        lines = "\n".join(self.logs("everything", "-c", "main"))
        seen = dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)
        address = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/services/my-web")["spec"]["clusterIP"]
        wanted = {
            "NAME": "everything",
            "SPACE": self.namespace,
            "POD_UID": found["metadata"]["uid"],
            "LABEL": "front",
            "NO_LABEL": "",
            "NOTE": 'a "quoted" note',
            "IP": found["status"]["podIP"],
            "HOST": self.node_address(),
            "NODE": self.ecilet.node,
            "ACCOUNT": "default",
            "CPU": "2",
            "CPU_MILLI": "1500",
            "MEMORY": str(2**30),
            "MEMORY_MI": "1024",
            "OTHERS_CPU": "500",
            "MAP_A": "one",
            "PASSWORD": "s3cr3t $(NAME)",
            "JOINED": "everything/one/s3cr3t $(NAME)",
            "ESCAPED": "$(NAME) $ $",
            "UNKNOWN": "$(NOBODY) $(NAME",
            "LATER": "$(AFTER)",
            "AFTER": "after",
            "PRE_a": "overridden",
            "PRE_b_conf": "other",
            "EMPTY": "",
            "SPACES": "  two  ",
            "user": "root",
            "password": "s3cr3t $(NAME)",
            "MY_WEB_SERVICE_HOST": address,
            "MY_WEB_SERVICE_PORT": "8080",
            "MY_WEB_SERVICE_PORT_HTTP": "8080",
            "MY_WEB_PORT": f"tcp://{address}:8080",
            "MY_WEB_PORT_8080_TCP_ADDR": address,
        }
        self.assertEqual({name: seen.get(name) for name in wanted}, wanted)
        self.assertIn("KUBERNETES_SERVICE_HOST", seen)
        for name in "NO_KEY", "NO_MAP", "NO_SECRET", "8bad":
            self.assertNotIn(name, seen)
        args = [line[4:] for line in lines.splitlines() if line.startswith("ARG=")]
        self.assertEqual(args, ["one", "$(MAP_A)", "$(NOBODY)", "x everything-2 y"])
        self.wait_event("everything", "InvalidEnvironmentVariableNames")

    def test_no_service_links(self):
        service = {"metadata": {"name": "my-web"}, "spec": {"ports": [{"port": 8080}]}}
        self.apply({"apiVersion": "v1", "kind": "Service", **service})
        self.create(pod("plain", shell("env; echo END; sleep 100000"), enableServiceLinks=False, **NO_TOKEN))
        self.wait_running("plain", 40)
        seen = "\n".join(self.logs("plain"))
        self.assertNotIn("MY_WEB", seen)
        self.assertIn("KUBERNETES_SERVICE_HOST=", seen)


# Each file below /v as "mode path digest".
LISTING = (
    "cd /v && find . -type f | sort | while read f; do "
    'echo "$(stat -c %a "$f") $f $(md5sum < "$f" | cut -c1-32)"; done; echo END; ' + STAYS
)


def digest(data):
    return hashlib.md5(data if isinstance(data, bytes) else data.encode()).hexdigest()


class FilesTest(InsideTest):
    def test_files_of_every_kind(self):
        self.apply(
            config_map("map", {"a": "one\n", "b.conf": "two"}, {"bin": BINARY}),
            secret("sec", user="root", key=b"\x00\xff\n"),
        )
        name_item = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
        sources = [
            {"configMap": {"name": "map", "items": [{"key": "a", "path": "from/map", "mode": 0o400}]}},
            {"secret": {"name": "sec", "items": [{"key": "user", "path": "from/secret"}]}},
            {"secret": {"name": "nobody", "optional": True}},
            {"downwardAPI": {"items": [{**name_item, "path": "from/name"}]}},
        ]
        volumes = {
            "map": {"configMap": {"name": "map"}},
            "items": {"configMap": {"name": "map", "items": [{"key": "b.conf", "path": "deep/er/b"}]}},
            "modes": {"configMap": {"name": "map", "defaultMode": 0o600}},
            "sec": {"secret": {"secretName": "sec", "defaultMode": 0o440}},
            "one": {"secret": {"secretName": "sec", "items": [{"key": "key", "path": "k", "mode": 0o711}]}},
            "none": {"configMap": {"name": "nobody", "optional": True}},
            "info": {
                "downwardAPI": {
                    "items": [
                        name_item,
                        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}, "mode": 0o640},
                        {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu"}},
                    ]
                }
            },
            "all": {"projected": {"sources": sources, "defaultMode": 0o444}},
        }
        mounts = [{"name": name, "mountPath": f"/v/{name}"} for name in volumes]
        mounts += [
            {"name": "map", "mountPath": "/v/sub/file", "subPath": "a"},
            {"name": "items", "mountPath": "/v/sub/folder", "subPath": "deep"},
        ]
        main = shell(LISTING, volumeMounts=mounts, resources={"limits": {"cpu": "2"}})
        listed = [{"name": name, **source} for name, source in volumes.items()]
        self.create(pod("files", main, labels={"tier": "front"}, volumes=listed, **NO_TOKEN))
        self.wait_running("files", 40)
        seen = {}
        for line in self.logs("files"):
            mode, path, content = line.split(" ")
            seen[path.removeprefix("./")] = (mode, content)
        wanted = {
            "map/a": ("644", "one\n"),
            "map/b.conf": ("644", "two"),
            "map/bin": ("644", BINARY),
            "items/deep/er/b": ("644", "two"),
            "modes/a": ("600", "one\n"),
            "modes/b.conf": ("600", "two"),
            "modes/bin": ("600", BINARY),
            "sec/user": ("440", "root"),
            "sec/key": ("440", b"\x00\xff\n"),
            "one/k": ("711", b"\x00\xff\n"),
            "info/name": ("644", "files"),
            "info/labels": ("640", 'app="files"\ntier="front"'),
            "info/cpu": ("644", "2"),
            "all/from/map": ("400", "one\n"),
            "all/from/secret": ("444", "root"),
            "all/from/name": ("444", "files"),
            "sub/file": ("644", "one\n"),
            "sub/folder/er/b": ("644", "two"),
        }
        self.assertEqual(seen, {path: (mode, digest(text)) for path, (mode, text) in wanted.items()})
        self.assertEqual(self.inside("files", "ls -a /v/none | wc -l").strip(), "2", "an empty folder")

    def test_scratch_space(self):
        volumes = [
            {"name": "disk", "emptyDir": {}},
            {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
        ]
        mounts = [
            {"name": "disk", "mountPath": "/disk"},
            {"name": "memory", "mountPath": "/memory"},
            {"name": "disk", "mountPath": "/mine", "subPathExpr": "logs/$(NAME)"},
            {"name": "disk", "mountPath": "/look", "readOnly": True},
        ]
        main = shell(STAYS, volumeMounts=mounts, env=env(NAME=field("metadata.name")))
        other = shell(STAYS, "other", volumeMounts=mounts[:2])
        self.create(pod("scratch", main, other, volumes=volumes, **NO_TOKEN))
        self.wait_running("scratch", 40)
        self.kubectl("exec", "scratch", "-c", "main", "--", "sh", "-c", "echo a > /mine/a; echo b > /memory/b")

        def there(script):
            return self.kubectl("exec", "scratch", "-c", "other", "--", "sh", "-c", script)

        self.assertEqual(there("cat /disk/logs/scratch/a /memory/b"), "a\nb\n", "containers share them")
        self.assertRegex(there("grep ' /memory ' /proc/mounts"), "^tmpfs /memory tmpfs rw.*size=8192k")
        refused = self.kubectl("exec", "scratch", "-c", "main", "--", "touch", "/look/x", check=False)
        self.assertIn("Read-only file system", refused)


class TokenTest(InsideTest):
    def review(self, token, *audiences):
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        body["spec"]["audiences"] = list(audiences)
        return self.cluster.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)["status"]

    def claims(self, token):
        part = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))

    def test_projected_token_is_for_its_audience_and_bound_to_the_pod(self):
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "worker"}}
        self.apply(account)
        token = {"audience": "vault", "expirationSeconds": 7200, "path": "token"}
        volume = {"name": "t", "projected": {"sources": [{"serviceAccountToken": token}], "defaultMode": 0o400}}
        main = shell(STAYS, volumeMounts=[{"name": "t", "mountPath": "/t"}])
        uid = self.create(pod("p", main, serviceAccountName="worker", volumes=[volume], **NO_TOKEN))[0]["metadata"]["uid"]
        self.wait_running("p", 40)
        self.assertEqual(self.inside("p", "stat -c %a /t/token").strip(), "400")
        text = self.inside("p", "cat /t/token")
        review = self.review(text, "vault")
        self.assertTrue(review.get("authenticated"), review)
        self.assertEqual(review["user"]["username"], f"system:serviceaccount:{self.namespace}:worker")
        self.assertEqual(review["audiences"], ["vault"])
        self.assertFalse(self.review(text, "somebody-else").get("authenticated"))
        claims = self.claims(text)
        self.assertEqual(claims["kubernetes.io"]["pod"], {"name": "p", "uid": uid})
        self.assertEqual(claims["exp"] - claims["iat"], 7200)
        # It is not renewed, and an event says when it ends.
        message = self.wait_event("p", "ServiceAccountTokenNotRenewed")["message"]
        ends = re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", message).group(0)
        self.assertLessEqual(abs(parse_time(ends) - claims["exp"]), 2)
        # Its life is the pod's.
        self.kubectl("delete", "pod", "p")
        wait_for(lambda: not self.review(text, "vault").get("authenticated"), 60, "the token has ended")

    def test_token_of_every_pod_is_given_to_those_that_ask(self):
        place = "/var/run/secrets/kubernetes.io/serviceaccount"
        self.create(pod("usual", shell(STAYS)), pod("asks", shell(STAYS), automountServiceAccountToken=True))
        for name in "usual", "asks":
            self.wait_running(name, 40)
        self.assertIn("token", self.wait_event("usual", "PodSpecIncomplete")["message"])
        self.assertEqual(self.inside("usual", f"ls {place} 2>/dev/null | wc -l").strip(), "0")
        text = self.inside("asks", f"cat {place}/token")
        self.assertEqual(self.inside("asks", f"cat {place}/namespace"), self.namespace)
        self.assertIn("BEGIN CERTIFICATE", self.inside("asks", f"cat {place}/ca.crt"))
        review = self.review(text)
        self.assertTrue(review.get("authenticated"), review)
        self.assertEqual(review["user"]["username"], f"system:serviceaccount:{self.namespace}:default")


class LifeTest(InsideTest):
    def test_readiness_comes_and_goes(self):
        ready = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 2}
        web = {"httpGet": {"path": "/index.html", "port": "http"}, "periodSeconds": 1}
        tcp = {"tcpSocket": {"port": "late"}, "periodSeconds": 1}
        late = "sleep 3; httpd -f -p 8081 -h / & " + STAYS
        self.create(
            pod("flips", shell(STAYS, readinessProbe=ready), **NO_TOKEN),
            pod("web", container(ports=[{"name": "http", "containerPort": 8080}], readinessProbe=web), **NO_TOKEN),
            pod("tcp", shell(late, ports=[{"name": "late", "containerPort": 8081}], readinessProbe=tcp), **NO_TOKEN),
        )
        self.wait_pod("flips", lambda p: phase(p) == "Running", 40, "runs")
        stays(lambda: not is_ready(self.pod("flips")), 2, "not ready")
        for name in "web", "tcp":
            self.wait_running(name, 60)
        self.inside("flips", "touch /tmp/ok")
        found = self.wait_running("flips", 60)
        self.assertTrue(main_status(found)["ready"])
        since = condition(found, "Ready")["lastTransitionTime"]
        time.sleep(1.1)  # conditions have whole seconds
        self.inside("flips", "rm /tmp/ok")
        found = self.wait_pod("flips", lambda p: not is_ready(p), 60, "is not ready any more")
        self.assertEqual(phase(found), "Running")
        self.assertFalse(main_status(found)["ready"])
        self.assertEqual(condition(found, "ContainersReady")["status"], "False")
        self.assertGreater(parse_time(condition(found, "Ready")["lastTransitionTime"]), parse_time(since))
        self.assertEqual(main_status(found)["restartCount"], 0)

    def test_liveness_restarts(self):
        live = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
        main = shell("touch /tmp/ok; sleep 4; rm /tmp/ok; " + STAYS, livenessProbe=live)
        self.create(pod("sick", main, **NO_TOKEN))
        found = self.wait_pod("sick", lambda p: main_status(p)["restartCount"] >= 1, 90, "was restarted")
        last = wait_for(lambda: main_status(self.pod("sick"))["lastState"]["terminated"], 30, "the run before")
        self.assertRegex(last["containerID"], "^[a-z]+://.")
        self.assertGreaterEqual(parse_time(last["finishedAt"]), parse_time(last["startedAt"]))
        self.assertEqual(found["spec"]["restartPolicy"], "Always")
        self.wait_event("sick", "Unhealthy", 100)

    def test_hooks_of_start_and_stop(self):
        self.create(pod("witness", container(image="nginx"), **NO_TOKEN))
        address = self.wait_running("witness", 40)["status"]["podIP"]
        hooks = {
            "postStart": {"exec": {"command": ["sh", "-c", "echo begun > /scratch/begun"]}},
            "preStop": {"httpGet": {"host": address, "port": 80, "path": "/over.html"}},
        }
        main = shell(STAYS, lifecycle=hooks, volumeMounts=[{"name": "work", "mountPath": "/scratch"}])
        self.create(pod("hooked", main, volumes=[{"name": "work", "emptyDir": {}}], **NO_TOKEN))
        self.wait_running("hooked", 40)
        wait_for(lambda: self.inside("hooked", "cat /scratch/begun") == "begun\n", 20, "postStart has run")
        self.assertNotIn("/over.html", self.kubectl("logs", "witness"))
        self.kubectl("delete", "pod", "hooked", "--grace-period=10", "--wait=false")
        wait_for(lambda: "/over.html" in self.kubectl("logs", "witness"), 60, "preStop has run")

    def test_init_containers_run_in_order(self):
        work = {"volumeMounts": [{"name": "work", "mountPath": "/scratch"}]}
        inits = [shell(f"echo {n} >> /scratch/order", f"init-{n}", **work) for n in ("one", "two", "three")]
        main = shell("cat /scratch/order; echo END; " + STAYS, **work)
        self.create(
            pod("ordered", main, initContainers=inits, volumes=[{"name": "work", "emptyDir": {}}], **NO_TOKEN),
            pod(
                "broken",
                shell("exit 0"),
                initContainers=[shell("exit 0", "good"), shell("exit 3", "bad"), shell("exit 0", "never")],
                restartPolicy="Never",
                **NO_TOKEN,
            ),
            pod("stubborn", shell(STAYS), initContainers=[shell("exit 4", "bad")], restartPolicy="OnFailure", **NO_TOKEN),
        )
        found = self.wait_running("ordered", 40)
        self.assertEqual(self.logs("ordered"), ["one", "two", "three"])
        inits = self.wait_pod(
            "ordered",
            lambda p: all("terminated" in s["state"] for s in p["status"]["initContainerStatuses"]),
            30,
            "shows its init containers",
        )["status"]["initContainerStatuses"]
        self.assertEqual([s["name"] for s in inits], ["init-one", "init-two", "init-three"])
        for status in inits:
            self.assertEqual((status["ready"], status["state"]["terminated"]["reason"]), (True, "Completed"))
            self.assertEqual(status["state"]["terminated"]["exitCode"], 0)
            self.assertTrue(status["containerID"])
        self.assertEqual(condition(found, "Initialized")["status"], "True")
        broken = self.ended("broken", "Failed")
        # How they ended is read after the end of the pod was written.
        broken = self.wait_pod(
            "broken",
            lambda p: "terminated" in main_status(p, "initContainerStatuses", "bad")["state"],
            60,
            "shows how they ended",
        )
        self.assertEqual(main_status(broken, "initContainerStatuses", "bad")["state"]["terminated"]["exitCode"], 3)
        self.assertIn("waiting", main_status(broken, "initContainerStatuses", "never")["state"])
        self.assertIn("waiting", main_status(broken)["state"])
        self.assertEqual(condition(broken, "Initialized")["status"], "False")
        stubborn = self.wait_pod(
            "stubborn", lambda p: main_status(p, "initContainerStatuses")["restartCount"] >= 2, 90, "tries again"
        )
        self.assertEqual(phase(stubborn), "Pending")
        self.assertEqual(condition(stubborn, "Initialized")["status"], "False")
        self.assertEqual(main_status(stubborn, "initContainerStatuses")["lastState"]["terminated"]["exitCode"], 4)
        self.assertEqual(main_status(stubborn)["state"]["waiting"]["reason"], "PodInitializing")

    def test_ends_codes_and_messages(self):
        self.create(
            pod(
                "well",
                shell("echo all is well > /done/message", terminationMessagePath="/done/message"),
                restartPolicy="Never",
                **NO_TOKEN,
            ),
            pod(
                "badly",
                shell("echo first; echo last words; exit 7", terminationMessagePolicy="FallbackToLogsOnError"),
                shell("exit 0", "good"),
                restartPolicy="Never",
                **NO_TOKEN,
            ),
            pod("again", shell("echo tried > /dev/termination-log; exit 5"), restartPolicy="OnFailure", **NO_TOKEN),
        )
        found = self.ended("well", "Succeeded")
        state = main_status(found)["state"]["terminated"]
        self.assertEqual((state["exitCode"], state["reason"]), (0, "Completed"))
        self.assertEqual(state["message"], "all is well\n")
        self.assertEqual(found["status"]["qosClass"], "BestEffort")
        self.assertEqual(condition(found, "Ready")["status"], "False")
        self.assertEqual(condition(found, "Ready")["reason"], "PodCompleted")
        found = self.ended("badly", "Failed")
        state = main_status(found, name="main")["state"]["terminated"]
        self.assertEqual((state["exitCode"], state["reason"]), (7, "Error"))
        self.assertIn("last words", state["message"])
        self.assertEqual(main_status(found, name="good")["state"]["terminated"]["exitCode"], 0)
        found = self.wait_pod("again", lambda p: main_status(p)["restartCount"] >= 2, 90, "was restarted twice")
        self.assertEqual(phase(found), "Running")
        last = main_status(found)["lastState"]["terminated"]
        self.assertEqual((last["exitCode"], last["message"]), (5, "tried\n"))
        found = self.wait_pod("again", lambda p: "waiting" in main_status(p)["state"], 60, "waits")
        self.assertEqual(main_status(found)["state"]["waiting"]["reason"], "CrashLoopBackOff")

    def test_status_in_full(self):
        def sized(name, **resources):
            return shell(STAYS, name, resources=resources)

        small = {"cpu": "500m", "memory": "512Mi"}
        self.create(
            pod("best", shell(STAYS), initContainers=[shell("exit 0", "init")], **NO_TOKEN),
            pod("burst", sized("main", requests=small), **NO_TOKEN),
            pod("sure", sized("main", limits=small), sized("second", limits=small), **NO_TOKEN),
        )
        for name, quality in ("best", "BestEffort"), ("burst", "Burstable"), ("sure", "Guaranteed"):
            found = self.wait_running(name, 60)
            status = found["status"]
            self.assertEqual(status["qosClass"], quality)
            self.assertTrue(status["hostIP"])  # the cloud's word for it, else the node's address
            self.assertEqual(status["podIPs"], [{"ip": status["podIP"]}])
            self.assertLessEqual(parse_time(found["metadata"]["creationTimestamp"]), parse_time(status["startTime"]))
            for kind in "PodScheduled", "Initialized", "ContainersReady", "Ready":
                self.assertEqual(condition(found, kind)["status"], "True", kind)
                since = parse_time(condition(found, kind)["lastTransitionTime"])
                self.assertLessEqual(parse_time(found["metadata"]["creationTimestamp"]), since, kind)
            self.assertEqual(
                [s["name"] for s in status["containerStatuses"]], [c["name"] for c in found["spec"]["containers"]]
            )
            for one in status["containerStatuses"]:
                self.assertRegex(one["containerID"], "^[a-z]+://.")
                self.assertEqual((one["image"], one["restartCount"]), ("busybox", 0))
                self.assertTrue(one["imageID"])
                self.assertTrue(one["ready"] and one["started"])
                self.assertEqual(one["lastState"], {})
        # Once the annotations are there too, nothing changes, and nothing is written.
        told = "k8s.aliyun.com/eci-instance-spec"
        found = self.wait_pod("sure", lambda p: told in p["metadata"]["annotations"], 60, "has its annotations")
        before = found["metadata"]["resourceVersion"]
        time.sleep(3)
        self.assertEqual(self.pod("sure")["metadata"]["resourceVersion"], before)

    def test_user_names_and_roots(self):
        script = 'id -u; id -g; pwd; hostname; touch /x 2>&1; grep -v "^#" /etc/hosts; cat /etc/resolv.conf; echo END; '
        main = shell(
            script + STAYS,
            workingDir="/scratch",
            securityContext={"runAsUser": 1234, "runAsGroup": 5678, "readOnlyRootFilesystem": True},
            volumeMounts=[{"name": "work", "mountPath": "/scratch"}],
        )
        dns = {
            "nameservers": ["192.0.2.53"],
            "searches": ["a.example", "b.example"],
            "options": [{"name": "ndots", "value": "3"}, {"name": "rotate"}],
        }
        self.create(
            pod(
                "who",
                main,
                hostname="named",
                hostAliases=[{"ip": "192.0.2.7", "hostnames": ["db.local", "db"]}],
                dnsPolicy="None",
                dnsConfig=dns,
                volumes=[{"name": "work", "emptyDir": {}}],
                **NO_TOKEN,
            )
        )
        address = self.wait_running("who", 40)["status"]["podIP"]
        lines = self.logs("who")
        self.assertEqual(lines[:4], ["1234", "5678", "/scratch", "named"])
        self.assertIn("Read-only file system", lines[4])
        text = "\n".join(lines)
        self.assertRegex(text, rf"(?m)^{re.escape(address)}\s+named$")
        self.assertRegex(text, r"(?m)^192\.0\.2\.7\s+db\.local\s+db$")
        for line in "nameserver 192.0.2.53", "search a.example b.example", "options ndots:3 rotate":
            self.assertIn(line, lines)
