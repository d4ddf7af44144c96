/*
 * What ecisim promises beyond the shapes that the SDKs check: states, restarts, faults, lags,
 * limits, the control path. State mode; ECISIM is the program.
 */
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const { eventually, send, signed, sleep, start } = require("./client");
const { connect } = require("./websocket");

let cloud;

test.before(async () => {
    cloud = await start("--scheduling-ms", "30", "--pending-ms", "30", "--init-ms", "30",
        "--restart-ms", "20", "--backoff-base-ms", "200", "--restarting-ms", "50",
        "--updating-ms", "50");
});

test.after(async () => {
    assert.equal(await cloud.stop(), 0, "ends well");
});

test.beforeEach(() => cloud.control("POST", "reset?settings=true"));

test.afterEach(async () => {
    const stats = await cloud.control("GET", "stats");
    assert.deepEqual(stats.unknown_reply_keys, {});
});

const image = (tag) => ({ "Container.1.Image": `demo:${tag}` });

test("states in their order", async () => {
    await cloud.set({ scheduling_ms: 1500, pending_ms: 1500 });
    const id = await cloud.create("order", { "InitContainer.1.Name": "i",
        "InitContainer.1.Image": "demo" });
    const first = await cloud.status(id);
    assert.equal(first.Status, "Scheduling");
    assert.equal(first.PodStatus.PodIp, "");
    const pending = await cloud.until(id, "Pending");
    assert.notEqual(pending.PodStatus.PodIp, "");
    assert.equal(pending.PodStatus.ContainerStatuses[0].State.Waiting.Reason, "");
    const running = await cloud.until(id, "Running");
    assert.ok(running.PodStatus.Conditions.every((condition) => condition.status === "True"));
});

test("restart policies and exit codes", async () => {
    const rows = [
        ["Never", "run-10-exit-0", "Succeeded"],
        ["Never", "run-10-exit-3", "Failed"],
        ["OnFailure", "run-10-exit-0", "Succeeded"],
        ["OnFailure", "run-10-exit-3", "Running"],
        ["Always", "run-10-exit-0", "Running"],
    ];
    for (const [policy, tag, wanted] of rows) {
        const id = await cloud.create("policy", { RestartPolicy: policy, ...image(tag) });
        const row = await cloud.until(id, (r) => r.Status === wanted &&
            (wanted !== "Running" || r.PodStatus.ContainerStatuses[0].RestartCount > 0));
        const [container] = row.PodStatus.ContainerStatuses;
        if (wanted !== "Running") {
            assert.equal(container.State.Terminated.ExitCode, Number(tag.at(-1)));
            assert.equal(container.RestartCount, 0);
        }
    }
});

test("CrashLoopBackOff with doubled waits", async () => {
    const id = await cloud.create("crash", image("run-5-exit-1"));
    const waits = new Set();
    await cloud.until(id, (row) => {
        const [container] = row.PodStatus.ContainerStatuses;
        if (container.State.Waiting?.Reason === "CrashLoopBackOff") {
            waits.add(container.State.Waiting.Message.match(/Back-off (\S+) restarting/)[1]);
            assert.equal(container.LastState.Terminated.ExitCode, 1);
            assert.equal(row.Status, "Running");
        }
        return container.RestartCount >= 5;
    });
    assert.deepEqual([...waits].slice(0, 2), ["1s", "2s"]); /* 0.2, 0.4, 0.8, 1.6 s, rounded up */
    const log = await cloud.ok("DescribeContainerLog",
        { ContainerGroupId: id, ContainerName: "c", LastTime: true });
    assert.match(log.Content, /^c: run \d\n$/);
});

test("init containers: a failure ends the group, or is tried again", async () => {
    const init = (tag) => ({ "InitContainer.1.Name": "i", "InitContainer.1.Image": `demo:${tag}` });
    const never = await cloud.create("never", { RestartPolicy: "Never", ...init("run-5-exit-2") });
    await cloud.until(never, "Failed");
    const always = await cloud.create("always", init("run-5-exit-2"));
    await eventually("it is tried again", async () => (await cloud.ok("DescribeContainerGroups",
        { ContainerGroupName: "always" })).ContainerGroups[0].InitContainers[0].RestartCount > 0);
    assert.equal((await cloud.status(always)).Status, "Pending");
});

test("a sidecar ends with the last normal container", async () => {
    const id = await cloud.create("sidecar", { RestartPolicy: "Never", ...image("run-20-exit-0"),
        "Container.2.Name": "s", "Container.2.Image": "demo",
        "Container.2.EnvironmentVar.1.Key": "ECI_CONTAINER_TYPE",
        "Container.2.EnvironmentVar.1.Value": "sidecar" });
    await cloud.until(id, "Succeeded");
});

test("an image that cannot be pulled keeps the group Pending", async () => {
    const id = await cloud.create("nopull", image("nopull"));
    const row = await cloud.until(id, (r) =>
        r.PodStatus.ContainerStatuses[0].State.Waiting?.Reason === "ImagePullBackOff");
    assert.equal(row.Status, "Pending");
});

test("readiness", async () => {
    const id = await cloud.create("late", image("ready-1500"));
    const early = await cloud.until(id, "Running");
    assert.equal(early.PodStatus.ContainerStatuses[0].Ready, false);
    await cloud.until(id, (row) => row.PodStatus.ContainerStatuses[0].Ready);
});

test("restart, update, and when they are refused", async () => {
    await cloud.set({ restarting_ms: 1000, updating_ms: 1000 });
    const id = await cloud.create("again");
    await cloud.until(id, "Running");
    await cloud.ok("RestartContainerGroup", { ContainerGroupId: id });
    assert.equal((await cloud.status(id)).Status, "Restarting");
    await cloud.until(id, "Running");
    await cloud.ok("UpdateContainerGroup", { ContainerGroupId: id, "Container.1.Name": "c",
        "Container.1.Image": "demo:2", "Tag.1.Key": "k", "Tag.1.Value": "v" });
    assert.equal((await cloud.status(id)).Status, "Updating");
    const row = await cloud.until(id, (r) =>
        r.Status === "Running" && r.PodStatus.ContainerStatuses[0].Ready);
    assert.equal(row.PodStatus.ContainerStatuses[0].Image, "demo:2");
    const done = await cloud.create("done", { RestartPolicy: "Never", ...image("run-5-exit-0") });
    await cloud.until(done, "Succeeded");
    const reply = await cloud.call("RestartContainerGroup", { ContainerGroupId: done });
    assert.equal(reply.body.Code, "IncorrectStatus");
});

test("delete: at once, with a preStop hook, by force, unknown ids", async () => {
    await cloud.set({ terminating_ms: 2000 });
    const hook = { "Container.1.LifecyclePreStopHandlerExec.1": "true" };
    const [plain, slow, forced] = [await cloud.create("plain"), await cloud.create("slow", hook),
        await cloud.create("forced", hook)];
    for (const id of [plain, slow, forced]) {
        await cloud.until(id, "Running");
    }
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: plain });
    assert.equal(await cloud.status(plain), undefined);
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: slow });
    assert.equal((await cloud.status(slow)).Status, "Terminating");
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: forced, Force: true });
    assert.equal(await cloud.status(forced), undefined);
    await cloud.gone(slow);
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: plain });
    await cloud.set({ strict: true });
    const again = await cloud.call("DeleteContainerGroup", { ContainerGroupId: plain });
    assert.deepEqual([again.status, again.body.Code], [404, "InvalidParameter.NotFound"]);
});

test("no stock: ScheduleFailed with an event; other zones and specs are tried", async () => {
    await cloud.set({ no_stock: "all" });
    const none = await cloud.create("none");
    const row = await cloud.until(none, "ScheduleFailed");
    const condition = row.PodStatus.Conditions.find((c) => c.type === "ContainerInstanceCreated");
    assert.deepEqual([condition.status, condition.Reason], ["False", "NoStock"]);
    await cloud.set({ no_stock: "cn-hangzhou-i,ecs.c6.large", vswitches:
        "vsw-a:cn-hangzhou-i,vsw-b:cn-hangzhou-j" });
    const id = await cloud.create("some", { VSwitchId: "vsw-a,vsw-b",
        ScheduleStrategy: "VSwitchOrdered", InstanceType: "ecs.c6.large,ecs.g6.large" });
    await cloud.until(id, "Running");
    const [group] = (await cloud.ok("DescribeContainerGroups",
        { ContainerGroupName: "some" })).ContainerGroups;
    assert.deepEqual([group.VSwitchId, group.ZoneId, group.InstanceType, group.Memory],
        ["vsw-b", "cn-hangzhou-j", "ecs.g6.large", 8]);
});

test("kill, expire, fail, vanish", async () => {
    const ids = [];
    for (const verb of ["kill", "expire", "fail", "vanish"]) {
        const id = await cloud.create(verb);
        await cloud.until(id, "Running");
        await cloud.control("POST", `group/${id}/${verb}`, verb === "kill" &&
            { exit_code: 9, reason: "OOMKilled" } || {});
        ids.push(id);
    }
    const killed = await cloud.until(ids[0],
        (row) => row.PodStatus.ContainerStatuses[0].RestartCount === 1);
    assert.equal(killed.PodStatus.ContainerStatuses[0].LastState.Terminated.Reason, "OOMKilled");
    assert.equal((await cloud.status(ids[1])).Status, "Expired");
    assert.equal((await cloud.status(ids[2])).Status, "Failed");
    assert.equal(await cloud.status(ids[3]), undefined);
    const ledger = await cloud.control("GET", `groups?id=${ids[3]}`);
    assert.equal(ledger[0].end, "vanished");
});

test("lags of listings and of reads", async () => {
    await cloud.set({ list_lag_ms: 3000, read_lag_ms: 1000 });
    const count = async () => (await cloud.ok("DescribeContainerGroupStatus", {})).TotalCount;
    const id = await cloud.create("lag");
    assert.equal(await cloud.status(id), undefined);
    assert.equal(await count(), 0);
    await cloud.until(id, (row) => row !== undefined);
    assert.equal(await count(), 0);
    await eventually("it is listed", async () => await count() === 1);
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: id });
    assert.notEqual(await cloud.status(id), undefined);
    await cloud.gone(id);
    assert.equal(await count(), 1);
    await eventually("it is not listed", async () => await count() === 0);
});

test("retention of ended groups", async () => {
    await cloud.set({ retain_ms: 2000, retain_max: 2, schedule_failed_retain_ms: 2000 });
    for (let number = 0; number < 5; number++) {
        await cloud.create(`ended-${number}`, { RestartPolicy: "Never", ...image("run-5-exit-0") });
    }
    const count = async () => (await cloud.ok("DescribeContainerGroups", {})).TotalCount;
    assert.equal(await count(), 5);
    await eventually("three are forgotten", async () => await count() <= 2);
    await sleep(300);
    assert.equal(await count(), 2);
});

test("time limits: pending and active deadline", async () => {
    await cloud.set({ pending_timeout_ms: 150 });
    const id = await cloud.create("pending", image("nopull"));
    await cloud.until(id, "Failed");
    const active = await cloud.create("active", { ActiveDeadlineSeconds: 1 });
    await cloud.until(active, "Running");
    await cloud.until(active, "Failed");
});

test("tokens are forgotten when they are told to be", async () => {
    const first = await cloud.create("token", { ClientToken: "t" });
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: first });
    assert.notEqual(await cloud.create("token", { ClientToken: "t" }), first);
    await cloud.control("POST", "reset");
    await cloud.set({ token_memory_ms: 60000 });
    const kept = await cloud.create("token", { ClientToken: "t" });
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: kept });
    assert.equal(await cloud.create("token", { ClientToken: "t" }), kept);
    await cloud.set({ token_memory_ms: 0 });
    assert.notEqual(await cloud.create("token", { ClientToken: "t" }), kept);
});

test("quota, throttling, permission", async () => {
    await cloud.set({ quota_cpu: 3 });
    await cloud.create("q1", { Cpu: 2, Memory: 4 });
    const over = await cloud.call("CreateContainerGroup", { ContainerGroupName: "q2", Cpu: 2,
        Memory: 4, "Container.1.Name": "c", "Container.1.Image": "i" });
    assert.deepEqual([over.status, over.body.Code], [403, "QuotaExceeded"]);
    await cloud.set({ throttle: "ListUsage=2", throttle_status: 429, retry_after: 7 });
    const statuses = [];
    for (let number = 0; number < 100 && !statuses.includes(429); number++) {
        const reply = await cloud.call("ListUsage", {});
        statuses.push(reply.status);
        if (reply.status === 429) {
            assert.equal(reply.headers["retry-after"], "7");
        }
    }
    assert.ok(statuses.includes(200) && statuses.includes(429), `${statuses}`);
    await cloud.set({ forbidden: "DescribeContainerGroupStatus,DeleteContainerGroup" });
    assert.equal((await cloud.ok("DescribeContainerGroupStatus", {})).TotalCount, 0);
    const reply = await cloud.call("DeleteContainerGroup", { ContainerGroupId: "eci-x" });
    assert.deepEqual([reply.status, reply.body.Code], [403, "Forbidden.RAM"]);
});

test("clock skew shows in Date and refuses old stamps", async () => {
    await cloud.set({ clock_skew_s: 3600 });
    const reply = await cloud.call("ListUsage", {});
    assert.equal(reply.body.Code, "InvalidTimeStamp.Expired");
    const ahead = (Date.parse(reply.headers.date) - Date.now()) / 1000;
    assert.ok(Math.abs(ahead - 3600) < 3);
});

test("fault rules", async () => {
    const usage = (options) => cloud.call("ListUsage", {}, options);
    await cloud.fault({ kind: "cut_before", count: 1 });
    await assert.rejects(usage());
    await cloud.fault({ kind: "hang", count: 1 });
    await assert.rejects(usage({ limit: 200 }), { message: "time over" });
    await cloud.fault({ kind: "truncated_json", count: 1 });
    await assert.rejects(usage());
    await cloud.fault({ kind: "malformed_json", count: 1 });
    assert.equal(typeof (await usage()).body, "string");
    await cloud.fault({ action: "CreateContainerGroup", count: 1, status: 500, after: true });
    const lost = await cloud.call("CreateContainerGroup", { ContainerGroupName: "lost",
        "Container.1.Name": "c", "Container.1.Image": "i" });
    assert.equal(lost.status, 500);
    assert.equal((await cloud.control("GET", "stats")).groups_created, 1);
    await cloud.fault({ action: "DescribeContainerGroupStatus", kind: "empty_list", count: 1 });
    assert.equal((await cloud.ok("DescribeContainerGroupStatus", {})).Data.length, 0);
    for (let number = 0; number < 30; number++) {
        await cloud.create("row");
    }
    await cloud.fault({ action: "DescribeContainerGroupStatus", omit_rows: 0.5, count: 1 });
    const rows = (await cloud.ok("DescribeContainerGroupStatus", {})).Data.length;
    assert.ok(rows > 3 && rows < 28, `${rows} rows`);
    await cloud.fault({ skip: 2, count: 1, status: 503, code: "ServiceUnavailable" });
    const seen = [(await usage()).status, (await usage()).status, (await usage()).status,
        (await usage()).status];
    assert.deepEqual(seen, [200, 200, 503, 200]);
    assert.equal((await cloud.control("DELETE", "fault")).dropped, 8);
});

test("unreachable: refused, then hanging, then lifted", async () => {
    await cloud.control("POST", "unreachable?seconds=1.5");
    await assert.rejects(cloud.call("ListUsage", {}));
    await eventually("it is reachable", () => cloud.ok("ListUsage", {}).catch(() => false));
    await cloud.control("POST", "unreachable", { how: "hang" });
    await assert.rejects(cloud.call("ListUsage", {}, { limit: 200 }), { message: "time over" });
    await cloud.control("DELETE", "unreachable");
    await cloud.ok("ListUsage", {});
    const refused = await send(cloud.address, "POST", "/_sim/unreachable");
    assert.equal(refused.status, 409, "only over the control port, or nobody could lift it");
});

test("HTTP: keep-alive, chunked bodies, GET, pipelining, garbage", async () => {
    const chunked = await send(cloud.address, "POST", "/", signed({ Action: "ListUsage" }),
        { chunked: true });
    assert.equal(chunked.status, 200);
    const get = await send(cloud.address, "GET", `/?${signed({ Action: "ListUsage" }, "GET")}`);
    assert.equal(get.status, 200);
    const [host, port] = cloud.address.split(":");
    const talk = (text, answers = 1) => new Promise((resolve) => {
        let answer = "";
        const socket = net.connect(port, host, () => socket.write(text));
        socket.on("data", (data) => {
            answer += data;
            if (answer.split("HTTP/1.1 ").length > answers) {
                setTimeout(() => socket.destroy(), 300); /* is there more? */
            }
        });
        socket.on("close", () => resolve(answer));
        socket.on("error", () => resolve(answer));
    });
    const one = "GET /_sim/health HTTP/1.1\r\nHost: x\r\n\r\n";
    assert.equal((await talk(one + one + one, 3)).split("HTTP/1.1 200").length, 4);
    assert.match(await talk("nonsense\r\n\r\n"), /^HTTP\/1.1 400/);
    assert.match(await talk("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), /^HTTP\/1.1 400/);
    assert.match(await talk("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        /^HTTP\/1.1 400/);
    assert.match(await talk(
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    /^HTTP\/1.1 400/);
});

test("limits of a request", async () => {
    const base = { ContainerGroupName: "limits", "Container.1.Name": "c", "Container.1.Image": "i" };
    const config = (bytes) => ({ "Volume.1.Name": "v", "Volume.1.Type": "ConfigFileVolume",
        "Volume.1.ConfigFileVolume.ConfigFileToPath.1.Path": "f",
        "Volume.1.ConfigFileVolume.ConfigFileToPath.1.Content":
            Buffer.alloc(bytes, 65).toString("base64") });
    const many = (count, name, value) => Object.fromEntries(
        Array.from({ length: count }, (_, at) => [name.replace("#", at + 1), value(at)]));
    const rows = [
        [{ ContainerGroupName: "No" }, "InvalidParameter"],
        [{ ContainerGroupName: "-x" }, "InvalidParameter"],
        [{ RestartPolicy: "Sometimes" }, "InvalidParameter"],
        [{ "Container.2.Name": "c", "Container.2.Image": "i" }, "InvalidParameter.DuplicatedName"],
        [{ Cpu: 2, Memory: 4, "Container.1.Cpu": 4 }, "InvalidParameter.CPU.Memory"],
        [{ MaxPendingMinute: 5 }, "InvalidParameter"],
        [{ SpotStrategy: "SpotWithPriceLimit" }, "InvalidParameter"],
        [{ "ComputeCategory.1": "economy", CpuArchitecture: "ARM64" },
            "FeatureBasedConstraintConflict"],
        [{ InstanceType: "a,b" }, "InvalidParameter"],
        [{ VSwitchId: "vsw-1", ZoneId: "cn-nowhere-x" }, "InvalidParameter"],
        [{ ImageSnapshotId: "imc-none" }, "ImageSnapshot.NotFound"],
        [{ "Tag.1.Key": "acs:x", "Tag.1.Value": "1" }, "InvalidParameter"],
        [{ "Tag.1.Key": "k", "Tag.1.Value": "x".repeat(129) }, "InvalidParameter"],
        [{ ...many(21, "Tag.#.Key", (at) => `k${at}`) }, "InvalidParameter.ValueExceeded"],
        [{ ...many(21, "Container.#.Name", (at) => `c${at}`),
            ...many(21, "Container.#.Image", () => "i") }, "InvalidParameter.ValueExceeded"],
        [{ "Container.1.EnvironmentVar.1.Key": "1x" }, "InvalidParameter"],
        [{ "Container.1.Port.1.Port": 70000 }, "InvalidParameter"],
        [{ "Container.1.Port.1.Port": "http" }, "InvalidParameter"],
        [{ "Container.1.VolumeMount.1.Name": "none", "Container.1.VolumeMount.1.MountPath": "/x" },
            "InvalidParameter"],
        [{ "Container.1.ReadinessProbe.PeriodSeconds": 3 }, "InvalidParameter"],
        [{ "Container.1.SecurityContext.ReadOnlyRootFilesystem": false }, "InvalidParameter"],
        [{ "Container.1.SecurityContext.Capability.Add.1": "SYS_ADMIN" }, "InvalidParameter"],
        [{ "Volume.1.Name": "v", "Volume.1.Type": "Magic" }, "InvalidParameter"],
        [{ ...config(32 * 1024 + 1) }, "InvalidParameter"],
        [{ "HostAliase.1.Ip": "nowhere", "HostAliase.1.Hostname.1": "h" }, "InvalidParameter"],
        [{ CorePattern: "|x" }, "InvalidParameter"],
        [{ AutoCreateEip: true, EipInstanceId: "eip-1" }, "InvalidParameter"],
        [{ "Container.1.Image": "" }, "InvalidParameter"],
    ];
    for (const [change, code] of rows) {
        const reply = await cloud.call("CreateContainerGroup", { ...base, ...change });
        assert.equal(reply.body.Code, code, JSON.stringify(change).slice(0, 200));
    }
    await cloud.ok("CreateContainerGroup", { ...base, ...config(32 * 1024) });
    const long = { "Container.1.EnvironmentVar.1.Key": "K",
        "Container.1.EnvironmentVar.1.Value": "x".repeat(257) };
    await cloud.ok("CreateContainerGroup", { ...base, ...long });
    await cloud.set({ strict: true });
    assert.equal((await cloud.call("CreateContainerGroup", { ...base, ...long })).body.Code,
        "InvalidParameter");
    assert.deepEqual((await cloud.control("GET", "stats")).unknown_parameters, {});
});

test("logs: tail, limit, since", async () => {
    const id = await cloud.create("log", { "Container.1.EnvironmentVar.1.Key": "ECISIM_LOG",
        "Container.1.EnvironmentVar.1.Value": Array.from({ length: 50 }, (_, n) => n).join("\n") });
    await cloud.until(id, "Running");
    const read = async (more) => (await cloud.ok("DescribeContainerLog",
        { ContainerGroupId: id, ContainerName: "c", ...more })).Content;
    assert.equal((await read({})).split("\n").length, 52);
    assert.equal(await read({ Tail: 2 }), "48\n49\n");
    assert.equal(await read({ LimitBytes: 3 }), "49\n");
    assert.equal(await read({ StartTime: "2099-01-01T00:00:00Z" }), "");
    assert.notEqual(await read({ SinceSeconds: 60 }), "");
    const stamps = (await read({ Timestamps: true })).trim().split("\n")
        .map((line) => line.split(" ")[0]);
    assert.deepEqual(stamps, [...stamps].sort());
    assert.equal(new Set(stamps).size, stamps.length);
});

test("the ledger and the counts per tag", async () => {
    const tag = { "Tag.1.Key": "PodUid", "Tag.1.Value": "uid-1" };
    const first = await cloud.create("one", tag);
    await cloud.create("two", tag);
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: first });
    await cloud.gone(first);
    const stats = await cloud.control("GET", "stats?tag=PodUid");
    assert.deepEqual(stats.by_tag, { "uid-1": { ever: 2, at_once: 2 } });
    assert.deepEqual([stats.groups_created, stats.groups_exist], [2, 1]);
    const all = await cloud.control("GET", "groups?tag_key=PodUid&tag_value=uid-1");
    assert.deepEqual(all.map((row) => row.exists), [false, true]);
    assert.equal(all[0].tags.PodUid, "uid-1");
});

test("exec over a WebSocket: sub-protocols, status, expiry, single use", async () => {
    const id = await cloud.create("exec");
    await cloud.until(id, "Running");
    const offer = async (command, more) => (await cloud.ok("ExecContainerCommand", {
        ContainerGroupId: id, ContainerName: "c", Command: JSON.stringify(command), ...more,
    })).WebSocketUri;
    const v4 = await connect(await offer(["echo", "hi"]), "v4.channel.k8s.io, channel.k8s.io");
    assert.equal(v4.protocol, "v4.channel.k8s.io");
    assert.equal(await v4.closed, 1000);
    assert.equal(v4.output[1], "hi\n");
    assert.equal(JSON.parse(v4.output[3]).status, "Success");
    const failed = await connect(await offer(["sh", "-c", "exit 3"]), "v4.channel.k8s.io");
    await failed.closed;
    assert.equal(JSON.parse(failed.output[3]).details.causes[0].message, "3");
    const base64 = await connect(await offer(["cat"]), "base64.channel.k8s.io");
    base64.send(0, "around\n");
    base64.send(4, JSON.stringify({ Width: 80, Height: 24 }));
    base64.ping();
    base64.send(0, "exit 4\n");
    await base64.closed;
    assert.equal(base64.output[1], "around\nsize 80x24\n");
    assert.equal(base64.output[3], "command terminated with exit code 4");
    const plain = await connect(await offer(["echo", "raw"]));
    await plain.closed;
    assert.equal(plain.raw, "raw\n");
    const once = await offer(["cat"]);
    const used = await connect(once, "v4.channel.k8s.io");
    await assert.rejects(connect(once), { message: "status 403" });
    used.drop();
    const closing = await connect(await offer(["cat"]), "v4.channel.k8s.io");
    closing.close();
    assert.equal(await closing.closed, 1000);
    await cloud.set({ exec_token_ms: 50 });
    const late = await offer(["cat"]);
    await sleep(100);
    await assert.rejects(connect(late), { message: "status 403" });
    await cloud.set({ exec_framing: "channel", exec_no_status: true });
    const forced = await connect(await offer(["echo", "x"]));
    await forced.closed;
    assert.deepEqual(forced.output, { 1: "x\n" });
});

function hasProgram(name) {
    return (process.env.PATH ?? "").split(":").some((dir) => fs.existsSync(path.join(dir, name)));
}

test("HTTPS with EC and RSA keys", { skip: !hasProgram("openssl") && "no openssl" }, async (t) => {
    const work = fs.mkdtempSync(path.join(os.tmpdir(), "ecisim-tls-"));
    t.after(() => fs.rmSync(work, { recursive: true }));
    for (const kind of [["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["rsa:2048"]]) {
        const [cert, key] = [path.join(work, "cert.pem"), path.join(work, "key.pem")];
        execFileSync("openssl", ["req", "-x509", "-newkey", ...kind, "-nodes", "-keyout", key,
            "-out", cert, "-days", "2", "-subj", "/CN=localhost"], { stdio: "ignore" });
        const secure = await start("--tls-cert", cert, "--tls-key", key);
        t.after(() => secure.stop());
        await secure.ok("ListUsage", {});
        const name = "x".repeat(60);
        for (let number = 0; number < 30; number++) {
            await secure.create(`${name}-${number}`);
        }
        assert.equal((await secure.ok("DescribeContainerGroupStatus", {})).Data.length, 30);
        assert.equal(await secure.stop(), 0);
    }
});
