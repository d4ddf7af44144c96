/*
 * Container mode of ecisim: real containers on a bridge. Needs root, runc, iproute2 and a
 * static busybox; skipped where one of them is missing. ECISIM is the program.
 */
"use strict";

const assert = require("node:assert/strict");
const { execFileSync, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const { eventually, sleep, start } = require("./client");
const { connect } = require("./websocket");

const runs = (program, ...options) => spawnSync(program, options).status === 0;
const can = process.getuid() === 0 && runs("runc", "--version") && runs("ip", "-V") &&
    runs("busybox", "true");
const skip = !can && "needs root, runc, iproute2, busybox";

const bridge = `ecitest${process.pid % 100000}`;
const net = `172.31.${process.pid % 200}`;
const pair = `evac1f${(process.pid % 200).toString(16).padStart(2, "0")}`; /* its veth pairs */
const work = fs.mkdtempSync(path.join(os.tmpdir(), "ecisim-box-"));
const stateDir = path.join(work, "state");
const images = path.join(work, "images");
const mode = ["--mode", "container", "--bridge", bridge, "--subnet", `${net}.0/24`,
    "--state-dir", stateDir, "--images", images, "--scheduling-ms", "20", "--pending-ms", "20",
    "--backoff-base-ms", "500"];
let cloud;

const shell = (script, more) => ({ "Container.1.Command.1": "sh", "Container.1.Command.2": "-c",
    "Container.1.Arg.1": script, ...more });
const state = (row) => row.PodStatus.ContainerStatuses[0].State;
const log = async (id, name = "c", more = {}) => (await cloud.ok("DescribeContainerLog",
    { ContainerGroupId: id, ContainerName: name, ...more })).Content;

function get(url) {
    return new Promise((resolve, reject) => {
        http.get(url, (response) => {
            let text = "";
            response.on("data", (chunk) => { text += chunk; });
            response.on("end", () => resolve(text));
        }).on("error", reject);
    });
}

function nothingIsLeft() {
    assert.equal(fs.existsSync(stateDir), false, "state folder");
    assert.equal(fs.existsSync(`/sys/class/net/${bridge}`), false, "bridge");
    const groups = execFileSync("find", ["/sys/fs/cgroup", "-maxdepth", "2", "-name",
        `ecisim-${bridge}`], { encoding: "utf8" });
    assert.equal(groups, "", "control groups");
    assert.doesNotMatch(fs.readFileSync("/proc/mounts", "utf8"), new RegExp(work), "mounts");
    const links = execFileSync("ip", ["-br", "link"], { encoding: "utf8" });
    assert.doesNotMatch(links, new RegExp(`^${pair}`, "m"), "veth pairs");
}

test.before(async () => {
    if (can) {
        const image = path.join(images, "app");
        fs.mkdirSync(path.join(image, "bin"), { recursive: true });
        execFileSync("sh", ["-c", "cp -L \"$(command -v busybox)\" \"$0/bin/sh\"", image]);
        fs.writeFileSync(`${image}.json`, JSON.stringify({ Entrypoint: ["sh", "-c"],
            Cmd: ["echo from the image; sleep 1000"] }));
        cloud = await start(...mode);
    }
});

test.after(async () => {
    if (can) {
        const stats = await cloud.control("GET", "stats");
        assert.deepEqual(stats.unknown_reply_keys, {});
        assert.equal(await cloud.stop(), 0, "ends well");
        nothingIsLeft();
    }
    fs.rmSync(work, { recursive: true, force: true });
});

test("web server, init container, volumes, environment, exec", { skip }, async () => {
    const id = await cloud.create("web", {
        "Container.1.Port.1.Port": 8080,
        "Container.1.ReadinessProbe.HttpGet.Port": 8080,
        "Container.1.ReadinessProbe.PeriodSeconds": 1,
        "InitContainer.1.Name": "prepare", "InitContainer.1.Image": "busybox",
        "InitContainer.1.Command.1": "sh", "InitContainer.1.Command.2": "-c",
        "InitContainer.1.Command.3": "echo prepared; echo shared > /data/x",
        "InitContainer.1.VolumeMount.1.Name": "data",
        "InitContainer.1.VolumeMount.1.MountPath": "/data",
        "Container.2.Name": "side", "Container.2.Image": "busybox",
        "Container.2.Command.1": "sh", "Container.2.Command.2": "-c",
        "Container.2.Arg.1": "cat /data/x /etc/app/a/b.txt; echo $GREETING $IP; pwd; sleep 1000",
        "Container.2.WorkingDir": "/some/where",
        "Container.2.EnvironmentVar.1.Key": "GREETING",
        "Container.2.EnvironmentVar.1.Value": "hello world",
        "Container.2.EnvironmentVar.2.Key": "IP",
        "Container.2.EnvironmentVar.2.FieldRef.FieldPath": "status.podIP",
        "Container.2.VolumeMount.1.Name": "data", "Container.2.VolumeMount.1.MountPath": "/data",
        "Container.2.VolumeMount.2.Name": "files",
        "Container.2.VolumeMount.2.MountPath": "/etc/app",
        "Container.2.VolumeMount.2.ReadOnly": true,
        "Volume.1.Name": "data", "Volume.1.Type": "EmptyDirVolume",
        "Volume.1.EmptyDirVolume.Medium": "Memory",
        "Volume.2.Name": "files", "Volume.2.Type": "ConfigFileVolume",
        "Volume.2.ConfigFileVolume.ConfigFileToPath.1.Path": "a/b.txt",
        "Volume.2.ConfigFileVolume.ConfigFileToPath.1.Mode": "0640",
        "Volume.2.ConfigFileVolume.ConfigFileToPath.1.Content":
            Buffer.from("from a file\n").toString("base64"),
    });
    const row = await cloud.until(id, (r) => r.Status === "Running" &&
        r.PodStatus.ContainerStatuses.every((container) => container.Ready));
    const ip = row.PodStatus.PodIp;
    assert.ok(ip.startsWith(`${net}.`));
    assert.equal(await get(`http://${ip}:8080/`), `ecisim ${id} web c ${ip}\n`);
    assert.equal(await log(id, "prepare"), "prepared\n");
    await eventually("all is said", async () => (await log(id, "side")).includes("/where\n"));
    assert.equal(await log(id, "side"),
        `shared\nfrom a file\nhello world ${ip}\n/some/where\n`);
    assert.match(await log(id), /^web server on 8080\n/);
    const exec = async (...command) => (await cloud.ok("ExecContainerCommand", {
        ContainerGroupId: id, ContainerName: "side", Sync: true,
        Command: JSON.stringify(command),
    })).SyncResponse;
    assert.equal(await exec("sh", "-c", "echo hi; exit 3"), "hi\n");
    assert.match(await exec("sh", "-c", "touch /etc/app/x 2>&1"), /Read-only/);
    assert.equal((await exec("wget", "-q", "-O", "-", "http://127.0.0.1:8080/")).split(" ")[1], id);
    const metric = await cloud.ok("DescribeMultiContainerGroupMetric",
        { ContainerGroupIds: JSON.stringify([id]) });
    const [record] = metric.MonitorDatas[0].Records;
    assert.ok(record.CPU.UsageCoreNanoSeconds > 0 && record.Memory.UsageBytes > 0 &&
        record.Network.Interfaces[0].RxBytes > 0);
    const [files] = record.Filesystem;
    assert.ok(files.Usage > 0 && files.Usage + files.Available === files.Capacity);
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: id, Force: true });
    await cloud.gone(id);
});

test("what is written shows as disk I/O and as usage", { skip }, async () => {
    const id = await cloud.create("writer",
        shell("dd if=/dev/zero of=/f bs=1M count=4 conv=fsync; sleep 1000"));
    await cloud.until(id, "Running");
    for (let tries = 0; ; tries++) {
        const metric = await cloud.ok("DescribeContainerGroupMetric", { ContainerGroupId: id });
        const [record] = metric.Records;
        const written = record.Disk[0].WriteBytes;
        const used = record.Filesystem[0].Usage;
        if (written >= 4 << 20 && used >= 4 << 20 && record.Disk[0].WriteIO > 0) {
            break;
        }
        assert.ok(tries < 600, `written ${written}, used ${used}`);
        await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: id, Force: true });
    await cloud.gone(id);
});

test("ends: exit codes, messages, no such program, memory", { skip }, async () => {
    const never = { RestartPolicy: "Never" };
    const good = await cloud.create("good", { ...never, ...shell("echo fine") });
    const bad = await cloud.create("bad", { ...never, ...shell("echo oops >&2; exit 7",
        { "Container.1.TerminationMessagePolicy": "FallbackToLogsOnError" }) });
    const told = await cloud.create("told", { ...never,
        ...shell("echo last words > /dev/termination-log; kill -9 $$; exit 1") });
    const none = await cloud.create("none", { ...never, "Container.1.Command.1": "/no/such" });
    const oom = await cloud.create("oom", { ...never, "Container.1.Memory": 0.03,
        "Container.1.Cpu": 1, ...shell("exec tail -c 200000000 /dev/zero") });
    assert.equal(state(await cloud.until(good, "Succeeded")).Terminated.ExitCode, 0);
    assert.equal(await log(good), "fine\n", "logs outlive the container");
    const failed = state(await cloud.until(bad, "Failed")).Terminated;
    assert.deepEqual([failed.ExitCode, failed.Message], [7, "oops\n"]);
    const words = state(await cloud.until(told, "Failed")).Terminated;
    assert.equal(words.Message, "last words\n");
    const absent = state(await cloud.until(none, "Failed")).Terminated;
    assert.deepEqual([absent.ExitCode, absent.Reason], [128, "StartError"]);
    assert.match(absent.Message, /no such file/);
    const killed = state(await cloud.until(oom, "Failed")).Terminated;
    assert.deepEqual([killed.ExitCode, killed.Reason], [137, "OOMKilled"]);
});

test("restarts: crash, liveness, RestartContainerGroup, an image of one's own", { skip },
    async () => {
        const crash = await cloud.create("crash", shell("echo run; exit 3"));
        await cloud.until(crash, (row) =>
            row.PodStatus.ContainerStatuses[0].RestartCount >= 2);
        assert.equal(await log(crash, "c", { LastTime: true }), "run\n");
        const live = await cloud.create("live", {
            ...shell("trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"),
            "Container.1.LivenessProbe.Exec.Command.1": "false",
            "Container.1.LivenessProbe.PeriodSeconds": 1,
            "Container.1.LivenessProbe.FailureThreshold": 2,
        });
        await cloud.until(live, (row) =>
            row.PodStatus.ContainerStatuses[0].RestartCount >= 1);
        const own = await cloud.create("own", { "Container.1.Image": "registry.example/app:9",
            "Volume.1.Name": "v", "Volume.1.Type": "EmptyDirVolume",
            "Container.1.VolumeMount.1.Name": "v", "Container.1.VolumeMount.1.MountPath": "/v" });
        await cloud.until(own, "Running");
        while (await log(own) === "") {
            await sleep(20);
        }
        assert.equal(await log(own), "from the image\n");
        await cloud.ok("RestartContainerGroup", { ContainerGroupId: own });
        await cloud.until(own, (row) => row.Status === "Running" &&
            row.PodStatus.ContainerStatuses[0].RestartCount === 1);
    });

test("exec over a WebSocket: pipes, terminal, much output, a peer that leaves", { skip },
    async () => {
        const id = await cloud.create("session", shell("trap 'exit 0' TERM; sleep 1000 & wait"));
        await cloud.until(id, "Running");
        const open = async (command, more) => connect((await cloud.ok("ExecContainerCommand", {
            ContainerGroupId: id, ContainerName: "c", Command: JSON.stringify(command), ...more,
        })).WebSocketUri, "v4.channel.k8s.io");
        const status = (socket) => JSON.parse(socket.output[3]);

        const both = await open(["sh", "-c", "read x; echo got $x; echo bad >&2; exit 5"]);
        both.send(0, "line\n");
        assert.equal(await both.closed, 1000);
        assert.deepEqual([both.output[1], both.output[2]], ["got line\n", "bad\n"]);
        assert.equal(status(both).details.causes[0].message, "5");

        const silent = await open(["cat"], { Stdin: false });
        await silent.closed;
        assert.equal(status(silent).status, "Success");

        const terminal = await open(["sh"], { TTY: true });
        terminal.send(4, JSON.stringify({ Width: 101, Height: 33 }));
        await eventually("a prompt", () => terminal.output[1]);
        terminal.send(0, "stty size; tty; exit 6\n");
        await terminal.closed;
        assert.match(terminal.output[1], /33 101\r\n\/dev\/pts/);
        assert.equal(status(terminal).details.causes[0].message, "6");

        const much = await open(["sh", "-c", "yes 0123456789 | head -c 5000000"]);
        await much.closed;
        assert.equal(much.output[1].length, 5000000);

        const leaver = await open(["sh"], { TTY: true });
        await sleep(200);
        leaver.drop();
        const absent = await open(["/no/such"]);
        await absent.closed;
        assert.equal(status(absent).status, "Failure");
    });

test("preStop hook and grace period", { skip }, async () => {
    const id = await cloud.create("hook", {
        ...shell("trap 'echo term' TERM; while :; do sleep 1 & wait $!; done"),
        "Container.1.LifecyclePreStopHandlerExec.1": "sh",
        "Container.1.LifecyclePreStopHandlerExec.2": "-c",
        "Container.1.LifecyclePreStopHandlerExec.3": "echo prestop > /proc/1/fd/1",
        TerminationGracePeriodSeconds: 6,
    });
    await cloud.until(id, "Running");
    const begin = Date.now();
    await cloud.ok("DeleteContainerGroup", { ContainerGroupId: id });
    await eventually("the hook, then the signal", async () => await log(id) === "prestop\nterm\n");
    assert.equal((await cloud.status(id)).Status, "Terminating");
    await cloud.gone(id);
    assert.ok(Date.now() - begin >= 5900);
});

test("what a killed ecisim leaves is removed by the next one", { skip }, async () => {
    await cloud.create("left", shell("sleep 1000"));
    await cloud.create("left-2");
    await sleep(800);
    await cloud.stop("SIGKILL");
    assert.ok(fs.existsSync(stateDir));
    cloud = await start(...mode);
    const pids = execFileSync("sh", ["-c",
        `cat /sys/fs/cgroup/*/ecisim-${bridge}/*/cgroup.procs 2>/dev/null | wc -l`]);
    assert.equal(Number(pids), 0);
    await cloud.create("busy", shell("sleep 1000"));
    await sleep(150); /* the stop at the end comes while something is being made */
    await cloud.create("busy-2", shell("sleep 1000"));
});
