/*
 * The official SDKs of Alibaba Cloud against a running ecisim (ECISIM_ADDRESS=host:port, state
 * mode, short delays; run.sh sees to that). What they accept and understand is how ecisim knows
 * that it speaks like the real service:
 *
 *   @alicloud/eci20180808   the generated SDK: ACS3-HMAC-SHA256, everything in the query string
 *   @alicloud/pop-core      the older RPC client: HMAC-SHA1, everything in the form body
 */
"use strict";

const assert = require("node:assert/strict");
const test = require("node:test");

const eci = require("@alicloud/eci20180808");
const { Config } = require("@alicloud/openapi-client");
const { RPCClient } = require("@alicloud/pop-core");

const client = require("./client");

const { keyId, regionId, secret, signed } = client;
const address = process.env.ECISIM_ADDRESS;
const cloud = new client.Cloud(address);
const control = cloud.control.bind(cloud);
const send = (method, path, body) => client.send(address, method, path, body);

function sdk(options) {
    return new eci.default(new Config({
        accessKeyId: keyId,
        accessKeySecret: secret,
        endpoint: address,
        protocol: "HTTP",
        regionId,
        ...options,
    }));
}

function pop(options) {
    return new RPCClient({
        accessKeyId: keyId,
        accessKeySecret: secret,
        endpoint: `http://${address}`,
        apiVersion: "2018-08-08",
        ...options,
    });
}

const viaPop = (action, parameters) =>
    pop().request(action, { RegionId: regionId, ...parameters }, { method: "POST" });

async function refused(parameters, status, code) {
    const reply = await send("POST", "/", signed(parameters));
    assert.equal(reply.status, status, reply.text);
    const error = JSON.parse(reply.text);
    assert.equal(error.Code, code);
    assert.match(error.RequestId, /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);
    assert.ok(error.HostId && error.Message && error.Recommend);
}

async function until(what, check) {
    for (let tries = 0; tries < 1500; tries++) {
        const value = await check();
        if (value) {
            return value;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return assert.fail(`never: ${what}`);
}

async function statusOf(id) {
    const reply = await sdk().describeContainerGroupStatus(
        new eci.DescribeContainerGroupStatusRequest({
            regionId, containerGroupIds: JSON.stringify([id]),
        }));
    return reply.body.data[0];
}

function webGroup(name, more) {
    return new eci.CreateContainerGroupRequest({
        regionId,
        containerGroupName: name,
        cpu: 3,
        memory: 6,
        restartPolicy: "Always",
        tag: [new eci.CreateContainerGroupRequestTag({ key: "suite", value: "conformance" })],
        container: [new eci.CreateContainerGroupRequestContainer({
            name: "web",
            image: "registry.example/web:1.2",
            arg: ["-c", "echo \"a+b *~ 你好\" && sleep 1"],
            environmentVar: [new eci.CreateContainerGroupRequestContainerEnvironmentVar(
                { key: "GREETING", value: "hello world" })],
            port: [new eci.CreateContainerGroupRequestContainerPort({ port: 80, protocol: "TCP" })],
        })],
        initContainer: [new eci.CreateContainerGroupRequestInitContainer(
            { name: "prepare", image: "busybox" })],
        ...more,
    });
}

test.beforeEach(() => control("POST", "reset?settings=true"));

test.afterEach(async () => {
    const stats = await control("GET", "stats");
    assert.deepEqual(stats.unknown_reply_keys, {}, "replies have only documented keys and types");
});

test("eci20180808: create, describe, status, events, log, delete", async () => {
    const created = await sdk().createContainerGroup(webGroup("web-1"));
    const id = created.body.containerGroupId;
    assert.match(id, /^eci-[a-z0-9]{20}$/);
    const row = await until("Running", async () => {
        const status = await statusOf(id);
        return status.status === "Running" && status;
    });
    assert.equal(row.name, "web-1");
    assert.equal(row.podStatus.phase, "Running");
    assert.match(row.podStatus.podIp, /^\d+\.\d+\.\d+\.\d+$/);
    assert.equal(row.podStatus.podIps[0].ip, row.podStatus.podIp);
    const [container] = row.podStatus.containerStatuses;
    assert.equal(container.name, "web");
    assert.equal(container.ready, true);
    assert.equal(container.restartCount, 0);
    assert.match(container.state.running.startedAtstartedAt, /^\d{4}-.*Z$/);
    const ready = row.podStatus.conditions.find((condition) => condition.type === "Ready");
    assert.equal(ready.status, "True");

    const described = await sdk().describeContainerGroups(new eci.DescribeContainerGroupsRequest({
        regionId, containerGroupIds: JSON.stringify([id]), withEvent: true,
    }));
    const [group] = described.body.containerGroups;
    assert.equal(described.body.totalCount, 1);
    assert.deepEqual([group.cpu, group.memory], [4, 6]); /* rounded up */
    assert.equal(group.containers[0].args[1], "echo \"a+b *~ 你好\" && sleep 1");
    assert.equal(group.containers[0].environmentVars[0].value, "hello world");
    assert.equal(group.containers[0].ports[0].port, 80);
    assert.equal(group.initContainers[0].currentState.state, "Terminated");
    assert.equal(group.initContainers[0].currentState.exitCode, 0);
    assert.ok(group.events.some((event) => event.reason === "AutoInstanceTypeMatch"));
    assert.equal(group.tags[0].value, "conformance");

    const events = await sdk().describeContainerGroupEvents(
        new eci.DescribeContainerGroupEventsRequest({
            regionId, containerGroupIds: JSON.stringify([id]),
        }));
    assert.ok(events.body.data[0].events.some((event) => event.reason === "Started"));
    assert.equal(events.body.data[0].events[0].involvedObject.kind, "Pod");

    const log = await sdk().describeContainerLog(new eci.DescribeContainerLogRequest({
        regionId, containerGroupId: id, containerName: "web", timestamps: true,
    }));
    assert.match(log.body.content, /^\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z web: run 1\n$/);

    await sdk().deleteContainerGroup(new eci.DeleteContainerGroupRequest({
        regionId, containerGroupId: id,
    }));
    await until("gone", async () => !(await statusOf(id)));
});

test("pop-core: create, describe, status, log, delete", async () => {
    const { ContainerGroupId } = await viaPop("CreateContainerGroup", {
        ContainerGroupName: "pop-1",
        "Container.1.Name": "c1",
        "Container.1.Image": "busybox:1.36",
        "Container.1.Arg.1": "echo \"a+b *~ 你好\" && sleep 1",
    });
    const row = await until("Running", async () => {
        const reply = await viaPop("DescribeContainerGroupStatus", { SinceSecond: 60 });
        return reply.Data.find((one) => one.Status === "Running");
    });
    assert.equal(row.ContainerGroupId, ContainerGroupId);
    const groups = await viaPop("DescribeContainerGroups", { ContainerGroupName: "pop-1" });
    assert.equal(groups.ContainerGroups[0].Containers[0].Args[0], "echo \"a+b *~ 你好\" && sleep 1");
    const log = await viaPop("DescribeContainerLog", { ContainerGroupId, ContainerName: "c1" });
    assert.equal(log.Content, "c1: run 1\n");
    await viaPop("DeleteContainerGroup", { ContainerGroupId, Force: true });
    await until("gone", async () => (await viaPop("DescribeContainerGroups", {})).TotalCount === 0);
});

test("both: regions, usage, price, stock", async () => {
    const regions = await sdk().describeRegions(new eci.DescribeRegionsRequest({}));
    assert.equal(regions.body.regions[0].regionId, regionId);
    assert.equal(regions.body.regions[0].zones.length, 3);
    const usage = await sdk().listUsage(new eci.ListUsageRequest({ regionId }));
    assert.equal(usage.body.attributes.MaxCpu, 100000);
    const price = await viaPop("DescribeContainerGroupPrice", { Cpu: 2, Memory: 4 });
    assert.ok(price.PriceInfo.Price.TradePrice > 0);
    const stock = await viaPop("DescribeAvailableResource",
        { "DestinationResource.Category": "InstanceType" });
    assert.equal(stock.AvailableZones.AvailableZone.length, 3);
});

test("paging: each group once, in both listings", async () => {
    for (let number = 0; number < 45; number++) {
        await viaPop("CreateContainerGroup", {
            ContainerGroupName: `page-${number}`, "Container.1.Name": "c", "Container.1.Image": "i",
            "Tag.1.Key": "parity", "Tag.1.Value": number % 2 ? "odd" : "even",
        });
    }
    const listings = [
        ["DescribeContainerGroups", "ContainerGroups", 20, 3],
        ["DescribeContainerGroupStatus", "Data", 10, 5],
    ];
    for (const [action, key, limit, pagesWanted] of listings) {
        const seen = new Set();
        let token;
        let pages = 0;
        do {
            const reply = await viaPop(action, { Limit: limit, ...(token && { NextToken: token }) });
            reply[key].forEach((row) => seen.add(row.ContainerGroupId));
            assert.equal(reply.TotalCount, 45);
            token = reply.NextToken;
            pages++;
        } while (token);
        assert.equal(seen.size, 45);
        assert.equal(pages, pagesWanted);
    }
    const odd = await viaPop("DescribeContainerGroupStatus",
        { "Tag.1.Key": "parity", "Tag.1.Value": "odd" });
    assert.equal(odd.TotalCount, 22);
});

test("client token: the same again, another is refused", async () => {
    const group = { ContainerGroupName: "once", "Container.1.Name": "c", "Container.1.Image": "i",
        ClientToken: "token-1" };
    const first = await viaPop("CreateContainerGroup", group);
    const again = await viaPop("CreateContainerGroup", group);
    assert.equal(again.ContainerGroupId, first.ContainerGroupId);
    await assert.rejects(viaPop("CreateContainerGroup", { ...group, Cpu: 4, Memory: 8 }),
        { code: "IdempotentParameterMismatch" });
    assert.equal((await control("GET", "stats")).groups_created, 1);
});

test("tags of a resource", async () => {
    const { ContainerGroupId } = await viaPop("CreateContainerGroup",
        { ContainerGroupName: "tagged", "Container.1.Name": "c", "Container.1.Image": "i" });
    const resource = { ResourceType: "ContainerGroup", "ResourceId.1": ContainerGroupId };
    await viaPop("TagResources", { ...resource, "Tag.1.Key": "k", "Tag.1.Value": "v" });
    const listed = await viaPop("ListTagResources", resource);
    assert.equal(listed.TagResources.length, 1);
    const [tag] = listed.TagResources;
    assert.deepEqual([tag.ResourceId, tag.ResourceType, tag.TagKey, tag.TagValue],
        [ContainerGroupId, "ContainerGroup", "k", "v"]);
    await viaPop("UntagResources", { ...resource, "TagKey.1": "k" });
    assert.deepEqual((await viaPop("ListTagResources", resource)).TagResources, []);
});

test("wrong secret is refused in both signatures", async () => {
    await assert.rejects(
        sdk({ accessKeySecret: "wrong" }).listUsage(new eci.ListUsageRequest({ regionId })),
        { code: "SignatureDoesNotMatch" });
    await assert.rejects(
        pop({ accessKeySecret: "wrong" }).request("ListUsage", { RegionId: regionId }),
        { code: "SignatureDoesNotMatch" });
    await assert.rejects(
        sdk({ accessKeyId: "nobody" }).listUsage(new eci.ListUsageRequest({ regionId })),
        { code: "InvalidAccessKeyId.NotFound" });
});

test("old time, used nonce, unknown action, missing and bad parameters", async () => {
    await refused({ Action: "ListUsage", Timestamp: "2020-01-02T03:04:05Z" }, 400,
        "InvalidTimeStamp.Expired");
    await refused({ Action: "ListUsage", Timestamp: "yesterday" }, 400, "InvalidTimeStamp.Format");
    const once = signed({ Action: "ListUsage" });
    assert.equal((await send("POST", "/", once)).status, 200);
    const again = await send("POST", "/", once);
    assert.equal(JSON.parse(again.text).Code, "SignatureNonceUsed");
    await refused({ Action: "NoSuchAction" }, 404, "InvalidAction.NotFound");
    await refused({ Action: "CreateContainerGroup" }, 400, "MissingContainerGroupName");
    await refused({ Action: "ListUsage", RegionId: "xx-nowhere" }, 404, "InvalidRegionId.NotFound");
    await refused({ Action: "ListUsage", Format: "YAML" }, 400, "InvalidParameter.Format");
    await refused({ Action: "DescribeContainerGroups", Limit: "many" }, 400, "InvalidParameter");
    await refused({ Action: "CreateContainerGroup", ContainerGroupName: "big", Cpu: 65, Memory: 1,
        "Container.1.Name": "c", "Container.1.Image": "i" }, 400, "InvalidParameter.CPU.Memory");
    await refused({ Action: "CreateContainerGroup", ContainerGroupName: "dry", DryRun: "true",
        "Container.1.Name": "c", "Container.1.Image": "i" }, 400, "DryRunOperation");
    await assert.rejects(viaPop("NoSuchAction", {}), { code: "InvalidAction.NotFound" });
});

test("without Format the answer is XML", async () => {
    const reply = await send("POST", "/", signed({ Action: "ListUsage", Format: undefined }));
    assert.match(reply.headers["content-type"], /^text\/xml/);
    assert.match(reply.text, /<ListUsageResponse><RequestId>/);
});

test("parameters that the action does not have are counted", async () => {
    await viaPop("ListUsage", { "Bogus.1.Thing": "x" });
    const stats = await control("GET", "stats");
    assert.deepEqual(stats.unknown_parameters, { "ListUsage/Bogus.N.Thing": 1 });
});

test("faults: throttling, 503, latency, a cut after the effect", async () => {
    await control("POST", "fault", { action: "ListUsage", count: 1, status: 400,
        code: "Throttling.User" });
    await assert.rejects(viaPop("ListUsage", {}), { code: "Throttling.User" });
    await viaPop("ListUsage", {});
    await control("POST", "fault", { action: "CreateContainerGroup", count: 1, kind: "cut_after" });
    await assert.rejects(viaPop("CreateContainerGroup",
        { ContainerGroupName: "cut", "Container.1.Name": "c", "Container.1.Image": "i" }));
    assert.equal((await control("GET", "stats")).groups_created, 1);
    await control("POST", "fault", { action: "ListUsage", count: 1, latency_ms: 150 });
    const start = Date.now();
    await viaPop("ListUsage", {});
    assert.ok(Date.now() - start >= 140);
});
