"""Every example of the manual, sections 2.2 and 2.6, and the request that comes of it.

The files are the examples with their placeholders filled in. Where an example leaves it to a webhook
or to labels how its pods get to the node, they are sent there by name.
"""
import glob
import json
import os
import re

from harness import MANIFESTS, NODE, ROOT, E2ETest, wait_for

SEED = os.path.join(MANIFESTS, "seed")
SG, VSW = "SecurityGroupId", "VSwitchId"

# What differs from a plain pod; a name that must not be there has None.
EXPECTED = {
    "2.2-pod-label": {"Container.1.Name": "nginx", "Container.1.Image": "nginx"},
    "2.2-namespace-label": {"Container.1.ImagePullPolicy": "Always"},
    "2.2-burst-resource": {"Cpu": "2", "Memory": "1", "Container.1.Cpu": "2"},
    "2.2-node-selector": {SG: "sg-e2e", VSW: "vsw-e2e1,vsw-e2e2"},
    "2.2-node-name": {"RestartPolicy": "Always"},
    "2.6-security-group": {SG: "sg-bp1dktddjsg5nktv0001"},
    "2.6-multi-zone": {
        VSW: "vsw-bp1xpiowfm5vo8o3c0001,vsw-bp1rkyjgr1xwoho6k0001",
        "ScheduleStrategy": "VSwitchOrdered",
    },
    "2.6-ram-role": {"RamRoleName": "AliyunECIContainerGroupRole"},
    "2.6-use-specs": {"InstanceType": "2-4Gi,4-8Gi,ecs.c6.xlarge", "Container.1.Image": "lxx/cos-4g"},
    "2.6-spot": {
        "InstanceType": "ecs.c5.large",
        "SpotStrategy": "SpotWithPriceLimit",
        "SpotPriceLimit": "0.250",
        "Container.1.Port.1.Port": "80",
    },
    "2.6-cpu-options": {"InstanceType": "ecs.c6.2xlarge", "CpuOptionsCore": "2", "CpuOptionsThreadsPerCore": "1"},
    "2.6-reschedule": {"Container.1.Image": "nginx:latest"},
    "2.6-fail-on-create-error": {"Container.1.Image": "nginx:latest"},
    "2.6-image-cache-id": {"ImageSnapshotId": "imc-2ze5tm5gehgtiiga0001"},
    "2.6-image-cache-auto": {"AutoMatchImageCache": "true"},
    "2.6-acr-instance": {"AcrRegistryInfo.1.InstanceId": "cri-j36zhodptmyq0001", "RestartPolicy": "Never"},
    "2.6-eip-auto": {"AutoCreateEip": "true", "EipBandwidth": "10", "RestartPolicy": "OnFailure"},
    "2.6-eip-id": {"EipInstanceId": "eip-bp1q5n8cq4p7f6dzu0001", "AutoCreateEip": None},
    "2.6-ipv6": {"Ipv6AddressCount": "1"},
    "2.6-bandwidth": {
        "IngressBandwidth": "40000000",
        "EgressBandwidth": "10000000",
        "Container.1.Command.1": "bash",
        "Container.1.Command.3": "sleep 100000",
    },
    "2.6-ephemeral-storage": {"EphemeralStorage": "50", "Container.1.ImagePullPolicy": "IfNotPresent"},
    "2.6-core-pattern": {
        "CorePattern": "/pod/data/dump/core",
        "Volume.1.Type": "NFSVolume",
        "Volume.1.NFSVolume.Server": "143b240001-gfn3.cn-beijing.nas.aliyuncs.com",
        "Volume.1.NFSVolume.Path": "/dump/",
        "Container.1.VolumeMount.1.MountPath": "/pod/data/dump/",
    },
    "2.6-ntp": {"NtpServer.1": "100.100.5.1", "NtpServer.2": "100.100.5.2"},
}


COMMON = """AccessKeyId Action Format RegionId SecurityToken Signature SignatureMethod SignatureNonce
SignatureType SignatureVersion Timestamp Version""".split()


def known_parameters():
    """A pattern of what CreateContainerGroup takes, and what every call takes."""
    with open(os.path.join(ROOT, "test", "table", "create_parameters.txt"), encoding="utf-8") as file:
        names = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    words = [[r"\d+" if word == "N" else re.escape(word) for word in name.split(".")] for name in names + COMMON]
    return re.compile("|".join(r"\.".join(parts) for parts in words))


class SeedTest(E2ETest):
    def load(self, name):
        """The object, on the node."""
        made = self.kubectl("create", "--dry-run=client", "-o", "json", "-f", os.path.join(SEED, name + ".yaml"))
        made = json.loads(made)
        spec = made["spec"] if made["kind"] == "Pod" else made["spec"]["template"]["spec"]
        if "nodeSelector" not in spec:
            spec["nodeName"] = NODE
        spec["terminationGracePeriodSeconds"] = 1
        return made

    def run_one(self, name):
        made = self.load(name)
        count = made["spec"].get("replicas", 1)
        self.apply(made)
        groups = wait_for(lambda: self.all_created(count), 60, f"{count} instances of {name}")
        asked = [self.ecisim.parameters(group["id"]) for group in groups]
        self.wait_all_running(count)
        kind, called = made["kind"].lower(), made["metadata"]["name"]
        self.kubectl("delete", kind, called, "--wait=false", "--grace-period=1")
        wait_for(lambda: not self.pods(), 90, f"{name} is gone")
        return asked

    def all_created(self, count):
        groups = self.groups_here(exists="true")
        return groups if len(groups) == count else None

    def test_every_example_runs_as_its_request_says(self):
        files = {os.path.basename(path)[: -len(".yaml")] for path in glob.glob(os.path.join(SEED, "*.yaml"))}
        self.assertEqual(files, set(EXPECTED))
        known = known_parameters()
        problems = []
        self.ecisim.control("POST", "cache", {"id": EXPECTED["2.6-image-cache-id"]["ImageSnapshotId"]})
        for name in sorted(files):
            for asked in self.run_one(name):
                got = {key: asked.get(key) for key in EXPECTED[name]}
                problems += [f"{name}: {key} is {got[key]}" for key in got if got[key] != EXPECTED[name][key]]
                problems += [f"{name}: {key} is no parameter" for key in asked if not known.fullmatch(key)]
        self.assertEqual("\n".join(problems), "")
        self.assertEqual(self.ecisim.stats()["unknown_parameters"], {})
