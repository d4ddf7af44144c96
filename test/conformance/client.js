/*
 * A second, independent reading of the RPC signature (HMAC-SHA1), so that single parts of a
 * request can be wrong; and a way to start an ecisim of one's own.
 */
"use strict";

const { spawn } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const os = require("node:os");
const path = require("node:path");

const keyId = "LTAI4EXAMPLEKEYID00001";
const secret = "EXAMPLEsecretKEY0123456789abcd";
const regionId = "cn-hangzhou";

/* For what has to come at some time: a busy machine needs long. */
const LIMIT_MS = 30000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* The first value of check() that is not false. */
async function eventually(what, check) {
    const end = Date.now() + LIMIT_MS;
    for (;;) {
        const value = await check();
        if (value) {
            return value;
        }
        if (Date.now() > end) {
            throw new Error(`never: ${what}`);
        }
        await sleep(20);
    }
}

function encode(text) {
    return encodeURIComponent(text)
        .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/* The signed form of an action with its parameters; undefined ones are left out. */
function signed(parameters, method = "POST") {
    const all = {
        Version: "2018-08-08", Format: "JSON", AccessKeyId: keyId, RegionId: regionId,
        SignatureMethod: "HMAC-SHA1", SignatureVersion: "1.0",
        SignatureNonce: crypto.randomUUID(),
        Timestamp: new Date().toISOString().replace(/\.\d+/, ""),
        ...parameters,
    };
    const query = Object.keys(all).filter((name) => all[name] !== undefined).sort()
        .map((name) => `${encode(name)}=${encode(all[name])}`).join("&");
    const text = `${method}&%2F&${encode(query)}`;
    const signature = crypto.createHmac("sha1", `${secret}&`).update(text).digest("base64");
    return `${query}&Signature=${encode(signature)}`;
}

/* address is host:port, or https://host:port. */
function send(address, method, target, body, options) {
    const secure = address.startsWith("https://");
    const [host, port] = address.replace("https://", "").split(":");
    return new Promise((resolve, reject) => {
        const request = (secure ? https : http).request({
            host, port, method, path: target, rejectUnauthorized: false,
            headers: {
                "Content-Type": "application/x-www-form-urlencoded",
                ...(options?.chunked ? {} : { "Content-Length": Buffer.byteLength(body || "") }),
            },
            ...options,
        }, (response) => {
            let text = "";
            response.on("data", (chunk) => { text += chunk; });
            response.on("end", () => resolve({
                status: response.statusCode, text, headers: response.headers,
            }));
            response.on("error", reject);
        });
        request.on("error", reject);
        request.setTimeout(options?.limit ?? LIMIT_MS, () => request.destroy(new Error("time over")));
        request.end(body);
    });
}

class Cloud {
    constructor(address, control = address) {
        this.address = address;
        this.controlAddress = control;
    }

    /* { status, body }: the body is parsed when it is JSON. */
    async call(Action, parameters, options) {
        const reply = await send(this.address, "POST", "/", signed({ Action, ...parameters }),
            options);
        let body = reply.text;
        try {
            body = JSON.parse(reply.text);
        } catch { /* a fault wanted it so */ }
        return { status: reply.status, body, headers: reply.headers };
    }

    /* The body of a call that must succeed. */
    async ok(Action, parameters) {
        const { status, body } = await this.call(Action, parameters);
        if (status !== 200) {
            throw new Error(`${Action}: ${status} ${JSON.stringify(body)}`);
        }
        return body;
    }

    async control(method, target, members) {
        const reply = await send(this.controlAddress, method, `/_sim/${target}`,
            members && JSON.stringify(members));
        if (reply.status !== 200) {
            throw new Error(`${method} ${target}: ${reply.status} ${reply.text}`);
        }
        return JSON.parse(reply.text);
    }

    set(members) {
        return this.control("POST", "set", members);
    }

    fault(members) {
        return this.control("POST", "fault", members);
    }

    /* A group with one container; returns its id. */
    async create(name, parameters) {
        const body = await this.ok("CreateContainerGroup", {
            ContainerGroupName: name, "Container.1.Name": "c", "Container.1.Image": "demo:1",
            ...parameters,
        });
        return body.ContainerGroupId;
    }

    /* The row of DescribeContainerGroupStatus, or undefined. */
    async status(id) {
        const body = await this.ok("DescribeContainerGroupStatus",
            { ContainerGroupIds: JSON.stringify([id]) });
        return body.Data[0];
    }

    async until(id, check) {
        const end = Date.now() + LIMIT_MS;
        const wanted = typeof check === "string" ? (row) => row?.Status === check : check;
        for (;;) {
            const row = await this.status(id);
            if (wanted(row)) {
                return row;
            }
            if (Date.now() > end) {
                throw new Error(`never: ${check}; last: ${JSON.stringify(row)}`);
            }
            await sleep(20);
        }
    }

    async gone(id) {
        await this.until(id, (row) => row === undefined);
    }
}

/* Start the ecisim of the environment; stop() ends it and gives its exit code. */
async function start(...options) {
    const work = fs.mkdtempSync(path.join(os.tmpdir(), "ecisim-test-"));
    const portFile = path.join(work, "port");
    const controlFile = path.join(work, "control");
    const child = spawn(process.env.ECISIM, ["--listen", "127.0.0.1:0", "--port-file", portFile,
        "--control-listen", "127.0.0.1:0", "--control-port-file", controlFile,
        "--check-replies", ...options], { stdio: ["ignore", "ignore", "inherit"] });
    const ended = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
    for (let tries = 0; !fs.existsSync(controlFile); tries++) {
        if (tries > LIMIT_MS / 25 || child.exitCode !== null) {
            throw new Error("ecisim did not start");
        }
        await sleep(25);
    }
    const read = (file) => `127.0.0.1:${fs.readFileSync(file, "utf8").trim()}`;
    const secure = options.includes("--tls-cert") ? "https://" : "";
    const cloud = new Cloud(secure + read(portFile), read(controlFile));
    cloud.pid = child.pid;
    cloud.stop = async (signal = "SIGTERM") => {
        child.kill(signal);
        const code = await ended;
        fs.rmSync(work, { recursive: true, force: true });
        return code;
    };
    return cloud;
}

module.exports = { Cloud, eventually, keyId, regionId, secret, send, signed, sleep, start };
