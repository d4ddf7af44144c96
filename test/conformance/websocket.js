/*
 * A small WebSocket client (RFC 6455) for the exec sessions of ecisim: connect() gives an object
 * with send(stream, data), output per stream, and closed, a promise of the close code.
 */
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");

function frame(opcode, payload) {
    const mask = crypto.randomBytes(4);
    const size = payload.length;
    let head;
    if (size < 126) {
        head = Buffer.from([0x80 | opcode, 0x80 | size]);
    } else {
        head = Buffer.alloc(4);
        head[0] = 0x80 | opcode;
        head[1] = 0x80 | 126;
        head.writeUInt16BE(size, 2);
    }
    const masked = Buffer.from(payload.map((byte, at) => byte ^ mask[at % 4]));
    return Buffer.concat([head, mask, masked]);
}

/* Calls take(opcode, payload) for each whole frame; returns the bytes that are left. */
function takeFrames(bytes, take) {
    for (;;) {
        if (bytes.length < 2) {
            return bytes;
        }
        let size = bytes[1] & 127;
        let at = 2;
        if (size === 126) {
            size = bytes.length < 4 ? Infinity : bytes.readUInt16BE(2);
            at = 4;
        } else if (size === 127) {
            size = bytes.length < 10 ? Infinity : Number(bytes.readBigUInt64BE(2));
            at = 10;
        }
        if (bytes.length < at + size) {
            return bytes;
        }
        take(bytes[0] & 15, bytes.subarray(at, at + size));
        bytes = bytes.subarray(at + size);
    }
}

class Socket {
    constructor(socket, protocol, isBase64) {
        this.socket = socket;
        this.protocol = protocol;
        this.isBase64 = isBase64;
        this.output = {};
        this.raw = "";
        let rest = Buffer.alloc(0);
        this.closed = new Promise((resolve) => {
            let code = 1006;
            socket.on("data", (data) => {
                rest = takeFrames(Buffer.concat([rest, data]), (opcode, payload) => {
                    if (opcode === 8) {
                        code = payload.readUInt16BE(0);
                    } else if (opcode < 3) {
                        this.take(payload);
                    }
                });
            });
            socket.on("close", () => resolve(code));
            socket.on("error", () => resolve(code));
        });
    }

    take(payload) {
        this.raw += payload.toString();
        const stream = this.isBase64 ? payload[0] - 48 : payload[0];
        const text = this.isBase64 ? Buffer.from(payload.subarray(1).toString(), "base64")
            : payload.subarray(1);
        this.output[stream] = (this.output[stream] ?? "") + text.toString();
    }

    send(stream, data) {
        const bytes = Buffer.from(data);
        const payload = this.isBase64 ? Buffer.from(`${stream}${bytes.toString("base64")}`)
            : stream === undefined ? bytes : Buffer.concat([Buffer.from([stream]), bytes]);
        this.socket.write(frame(this.isBase64 ? 1 : 2, payload));
    }

    ping() {
        this.socket.write(frame(9, Buffer.from("x")));
    }

    close() {
        this.socket.write(frame(8, Buffer.from([3, 232])));
    }

    drop() {
        this.socket.destroy();
    }
}

/* Rejects with the status when there is no WebSocket. */
function connect(uri, protocol) {
    return new Promise((resolve, reject) => {
        const url = new URL(uri.replace(/^ws/, "http"));
        const key = crypto.randomBytes(16).toString("base64");
        const request = http.get({
            host: url.hostname, port: url.port, path: url.pathname + url.search,
            headers: {
                Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": key, ...(protocol && { "Sec-WebSocket-Protocol": protocol }),
            },
        });
        request.on("response", (response) => {
            response.resume();
            reject(new Error(`status ${response.statusCode}`));
        });
        request.on("error", reject);
        request.on("upgrade", (response, socket, head) => {
            const accept = crypto.createHash("sha1")
                .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
            if (response.headers["sec-websocket-accept"] !== accept) {
                reject(new Error("wrong accept"));
                return;
            }
            const agreed = response.headers["sec-websocket-protocol"];
            const client = new Socket(socket, agreed, agreed?.startsWith("base64."));
            if (head.length > 0) {
                socket.unshift(head);
            }
            resolve(client);
        });
    });
}

module.exports = { connect };
