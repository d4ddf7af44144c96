"""A thousand random pods and profiles: what the API server makes of them is what the seed's 2.2 and 2.3 say.

The oracle below is written from the manual alone. Pods are created as server-side dry runs, so that the
real API server asks the real webhook as often as it wants to and nothing has to run.
"""
import json
import random
import time

from harness import E2ETest, NODE, free_port, wait_for

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/eci-profile"
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vk-webhook"
BURST = "alibabacloud.com/burst-resource"
TAINT = {"key": "virtual-kubelet.io/provider", "operator": "Exists"}
TYPE = {"type": "virtual-kubelet"}
PREFERENCE = {
    "weight": 100,
    "preference": {"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]}]},
}
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
PROFILES, PODS, NAMESPACES = 5, 200, 5
TRIES = 5
KEYS = ["p0", "p1", "example.com/p2", "example.com/p3"]
VALUES = ["a", "b", "c"]
SEED = 20260101


# --- the oracle


def term_holds(term, labels):
    value, values = labels.get(term["key"]), term.get("values", [])
    return {
        "In": value is not None and value in values,
        "NotIn": value is None or value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[term["operator"]]


def select_holds(select, labels):
    wanted = (select or {}).get("matchLabels", {})
    terms = (select or {}).get("matchExpressions", [])
    return all(labels.get(k) == v for k, v in wanted.items()) and all(term_holds(t, labels) for t in terms)


def schedules(selector):
    return any(any(selector.get(kind, {}).values()) for kind in ("namespaceSelector", "objectSelector"))


def matches(selector, namespace, *labels):
    """The pod with one of these labels: as it came, or as it is by now."""
    wanted = selector.get("objectSelector")
    is_there = select_holds(selector.get("namespaceSelector"), namespace)
    return is_there and any(select_holds(wanted, one) for one in labels)


def add_effects(selectors, namespace, came, labels, annotations):
    """Append only; earlier before later; round after round as long as one more matches."""
    had, before = set(), None
    while before != len(had):
        before = len(had)
        for one in selectors:
            if one["name"] in had or (schedules(one) and not matches(one, namespace, came, labels)):
                continue
            had.add(one["name"])
            for mine, theirs in (labels, "labels"), (annotations, "annotations"):
                for key, value in one.get("effect", {}).get(theirs, {}).items():
                    mine.setdefault(key, value)


def tolerates(toleration):
    if toleration.get("effect", "NoSchedule") != "NoSchedule":
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    return toleration["key"] == TAINT["key"] and (exists or toleration.get("value") == "alibabacloud")


def expected(pod, namespace, selectors):
    meta, spec = pod["metadata"], json.loads(json.dumps(pod["spec"]))
    came, labels = meta.get("labels", {}), dict(meta.get("labels", {}))
    annotations = dict(meta.get("annotations", {}))
    view = {
        "labels": labels,
        "annotations": annotations,
        "nodeSelector": spec.get("nodeSelector"),
        "tolerations": spec.get("tolerations", []),
        "affinity": spec.get("affinity"),
    }
    is_daemon = any(o["kind"] == "DaemonSet" for o in meta.get("ownerReferences", []))
    if is_daemon or spec.get("nodeName", NODE) != NODE:
        return view
    kind = (spec.get("nodeSelector") or {}).get("type")
    is_here = "nodeName" in spec or kind == "virtual-kubelet"
    burst = annotations.get(BURST, labels.get(BURST))
    if is_here:
        add_effects(selectors, namespace, came, labels, annotations)
    if "nodeName" in spec:
        return view
    only = burst == "eci_only" or (burst == "eci" and is_here)
    only = only or any(schedules(s) and matches(s, namespace, came, labels) for s in selectors)
    if only and kind not in (None, "virtual-kubelet"):
        return view  # wants to be elsewhere
    if only and not is_here:
        add_effects(selectors, namespace, came, labels, annotations)
    if only:
        view["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **TYPE}
    elif burst == "eci":
        affinity = view["affinity"] = spec.get("affinity") or {}
        preferred = affinity.setdefault("nodeAffinity", {}).setdefault(PREFERRED, [])
        if PREFERENCE not in preferred:
            preferred.append(PREFERENCE)
    if (only or burst == "eci") and not any(tolerates(t) for t in view["tolerations"]):
        # Who may overflow does not tolerate the node's second, soft taint.
        added = TAINT if only else {**TAINT, "effect": "NoSchedule"}
        view["tolerations"] = view["tolerations"] + [added]
    return view


# --- random profiles and pods


class Dice(random.Random):
    def chance(self, share):
        return self.random() < share

    def labels(self, share):
        return {key: self.choice(VALUES) for key in KEYS if self.chance(share)}

    def select(self):
        terms = []
        for key in self.sample(KEYS, self.choice([0, 1, 1, 2])):
            op = self.choice(["In", "In", "NotIn", "Exists", "DoesNotExist"])
            term = {"key": key, "operator": op}
            if op.endswith("In"):
                term["values"] = self.sample(VALUES, self.choice([1, 2]))
            terms.append(term)
        made = {"matchLabels": self.labels(0.2)}
        return {**made, "matchExpressions": terms} if terms else made

    def selector(self, number):
        made = {"name": f"s{number}"}
        if self.chance(0.4):
            made["namespaceSelector"] = self.select()
        if self.chance(0.8):
            made["objectSelector"] = self.select()
        if self.chance(0.8):
            annotations = {f"example.com/e{n}": f"s{number}" for n in range(4) if self.chance(0.4)}
            made["effect"] = {"annotations": annotations, "labels": self.labels(0.25)}
        return made

    def pod(self, name):
        meta = {"name": name, "labels": self.labels(0.35)}
        meta["annotations"] = {f"example.com/e{n}": "own" for n in range(4) if self.chance(0.15)}
        spec = {"containers": [{"name": "main", "image": "nginx"}], "automountServiceAccountToken": False}
        if self.chance(0.4):
            meta[self.choice(["labels", "annotations"])][BURST] = self.choice(["eci", "eci", "eci_only", "ecs"])
        if self.chance(0.08):
            owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}
            meta["ownerReferences"] = [owner]
        if self.chance(0.08):
            spec["nodeName"] = self.choice([NODE, "elsewhere"])
        if self.chance(0.25):
            spec["nodeSelector"] = self.choice([{"disk": "ssd"}, {"type": "real"}, dict(TYPE), {"disk": "x", **TYPE}])
        if self.chance(0.4):
            value = {"key": TAINT["key"], "operator": "Equal", "effect": "NoSchedule"}
            choices = [
                {"key": "other", "operator": "Exists"},
                {"operator": "Exists"},
                dict(TAINT),
                {**value, "value": "alibabacloud"},
                {**value, "value": "azure"},
                {**TAINT, "effect": "NoExecute"},
            ]
            spec["tolerations"] = self.sample(choices, self.choice([1, 2]))
        if self.chance(0.3):
            ssd = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
            spec["affinity"] = self.choice(
                [
                    {"podAffinity": {PREFERRED: []}},
                    {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [ssd]}}},
                    {"nodeAffinity": {PREFERRED: [{"weight": 7, "preference": ssd}]}},
                    {"nodeAffinity": {PREFERRED: [PREFERENCE]}},
                ]
            )
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def seen(pod):
    """The parts of a pod that are ours to change, without what other admission adds."""
    meta, spec = pod["metadata"], pod["spec"]
    tolerations = [t for t in spec.get("tolerations", []) if not t.get("key", "").startswith("node.kubernetes.io/")]
    return {
        "labels": meta.get("labels", {}),
        "annotations": meta.get("annotations", {}),
        "nodeSelector": spec.get("nodeSelector"),
        "tolerations": tolerations,
        "affinity": spec.get("affinity"),
    }


def without_empty(view):
    """The API server drops empty lists and objects."""
    if isinstance(view, dict):
        pairs = ((key, without_empty(value)) for key, value in view.items())
        return {key: value for key, value in pairs if value not in ({}, [], None)}
    return [without_empty(one) for one in view] if isinstance(view, list) else view


class OracleTest(E2ETest):
    config = {"WEBHOOK": "true", "WEBHOOK_PORT": str(free_port()), "VKUBELET_POD_IP": "127.0.0.1"}
    config["WEBHOOK_CERT_DIR"] = "/nonexistent"

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.cluster.remove(HOOKS)

    def tearDown(self):
        self.cluster.remove(CONFIG_MAP)
        super().tearDown()

    def put(self, selectors):
        metadata = {"name": "eci-profile", "namespace": "kube-system"}
        data = {"selectors": json.dumps(selectors)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        if self.cluster.find(CONFIG_MAP):
            self.cluster.call("PUT", CONFIG_MAP, body)
        else:
            self.cluster.call("POST", "/api/v1/namespaces/kube-system/configmaps", body)

    def dry(self, pod, namespace):
        return self.cluster.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)

    def namespaces(self, dice):
        """name -> the labels that selectors see."""
        made = {}
        for number in range(NAMESPACES):
            name = f"{self.namespace[:50]}-{number}"
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dice.labels(0.5)}}
            self.cluster.call("POST", "/api/v1/namespaces", body)
            self.addCleanup(self.cluster.remove, f"/api/v1/namespaces/{name}")
            account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_for(lambda path=account: self.cluster.find(path), 90, "the namespace is ready")
            made[name] = self.cluster.get(f"/api/v1/namespaces/{name}")["metadata"]["labels"]
        return made

    def wait_profile(self, number):
        """Seconds until a pod is judged by it."""
        probe = {"metadata": {"name": "probe", "labels": {"probe": str(number)}}}
        probe["spec"] = {"containers": [{"name": "main", "image": "nginx"}], "automountServiceAccountToken": False}
        began = time.monotonic()
        wait_for(lambda: self.dry(probe, self.namespace)["spec"].get("nodeSelector"), 60, "the profile counts")
        return time.monotonic() - began

    def test_a_thousand_pods_as_the_oracle_says(self):
        dice = Dice(SEED)
        namespaces = self.namespaces(dice)
        changed, waits, began = 0, [], time.monotonic()
        for number in range(PROFILES):
            selectors = [dice.selector(at) for at in range(dice.choice([1, 3, 4, 6]))]
            # The first one: nothing else in the profile may hide that it has arrived.
            selectors.insert(0, {"name": f"probe{number}", "objectSelector": {"matchLabels": {"probe": str(number)}}})
            self.put(selectors)
            waits.append(self.wait_profile(number))
            for at in range(PODS):
                pod = dice.pod(f"p{number}-{at}")
                namespace = dice.choice(list(namespaces))
                wanted = without_empty(expected(pod, namespaces[namespace], selectors))
                found = without_empty(seen(self.dry(pod, namespace)))
                # A busy API server may not have waited for the webhook (2 s), nor this one have the labels of a
                # namespace that was made just now. A fault stays one.
                for _ in range(TRIES):
                    if found != wanted:
                        time.sleep(0.5)
                        found = without_empty(seen(self.dry(pod, namespace)))
                if found != wanted:
                    told = json.dumps({"profile": selectors, "pod": pod, "namespace": namespaces[namespace]})
                    self.assertEqual(found, wanted, told)
                changed += found != without_empty(seen(pod))
        took = time.monotonic() - began
        print(
            f"        {PROFILES * PODS} pods in {took:.1f} s, {changed} changed; "
            f"a new profile counts after {', '.join(f'{wait:.2f}' for wait in waits)} s"
        )
        self.assertGreater(changed, PROFILES * PODS // 5, "the rounds were worth it")
