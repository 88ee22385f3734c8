// What the client tests stand on: a relay of their own, programs run to their end, and counts in the words of check(3), which
// tests/run sums up.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, readFileSync, openSync, closeSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export const build = path.resolve(process.env.PATCHCORD_BUILD ?? "build");
export const clients = path.join(build, "clients");
export const bridge = path.join(build, "patchcord");
const relayProgram = path.join(build, "patchcord-relay");

const checks = [];
const endings = [];

// The lines of a document's shell examples that begin with that program, as they are typed.
export function examples(document, command) {
    const blocks = [...readFileSync(document, "utf8").matchAll(/^ *```sh\n([^]*?)^ *```$/gm)].map(([, text]) => text);
    const lines = blocks.join("").replaceAll(/\\\n/g, "").split("\n").map((line) => line.trim())
        .filter((line) => line.startsWith(`${command} `));
    expect(lines.length, `${document} has no example of ${command}`);
    return lines;
}

// Adds a check; they run in the order in which they were added, when run() is called.
export function check(name, body) {
    checks.push({ name, body });
}

export function expect(condition, message) {
    if (!condition) throw new Error(message);
}

export function expectMatch(text, pattern, what) {
    expect(pattern.test(text), `${what} does not match ${pattern}:\n${text}`);
}

// Registers what has to happen at the end, also after a failure.
export function atEnd(ending) {
    endings.push(ending);
}

// Undoes what was begun, the last first.
export async function finish() {
    for (const ending of endings.splice(0).reverse()) await ending();
}

export async function run() {
    let failures = 0;
    for (const { name, body } of checks) {
        const began = Date.now();
        try {
            await body();
            console.log(`ok ${name} (${Date.now() - began} ms)`);
        } catch (error) {
            failures++;
            console.log(`FAILED ${name}: ${error.stack ?? error}`);
        }
    }
    await finish();
    const percent = Math.floor(((checks.length - failures) * 100) / checks.length);
    console.log(`${percent}%: Checks: ${checks.length}, Failures: ${failures}, Errors: 0`);
    process.exit(failures ? 1 : 0);
}

export function folder() {
    const made = mkdtempSync(path.join(tmpdir(), "patchcord-clients-"));
    atEnd(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
    return made;
}

// A child's environment: nothing of the person's own settings, and the Node that the programs need.
export function environment(home, more = {}) {
    return {
        PATH: `${clients}:${path.join(clients, "node_modules/.bin")}:${build}:/usr/local/bin:/usr/bin:/bin:/usr/sbin`,
        HOME: home,
        LANG: "C.UTF-8",
        ...more,
    };
}

// Runs a program to its end: {code, out, err}. Over its time it is killed, and code is null.
export async function program(command, args, { env, cwd, input = "", seconds = 60 } = {}) {
    const child = spawn(command, args, { env, cwd, stdio: ["pipe", "pipe", "pipe"] });
    const kept = { out: "", err: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => (kept.out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (kept.err += text));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const timer = setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
    const [code] = await once(child, "close");
    clearTimeout(timer);
    return { code, ...kept };
}

// Asks until the answer is true, and gives up after some seconds.
export async function until(question, what, seconds = 20) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
        const answer = await question();
        if (answer) return answer;
        expect(Date.now() < end, `gave up waiting for ${what}`);
        await pause(20);
    }
}

// For a program that has to be told its port.
export async function freePort() {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

export class Relay {
    static async start(more = {}) {
        const relay = new Relay();
        relay.home = folder();
        const data = path.join(relay.home, "data");
        relay.env = environment(relay.home, { PATCHCORD_PORT: "0", PATCHCORD_DATA_DIR: data, ...more });
        const log = path.join(relay.home, "relay.log");
        const descriptor = openSync(log, "w");
        relay.child = spawn(relayProgram, ["serve"], { env: relay.env, stdio: ["ignore", "ignore", descriptor] });
        closeSync(descriptor);
        atEnd(() => relay.stop());
        relay.url = await until(() => {
            expect(relay.child.exitCode === null, `the relay ended: ${readFileSync(log, "utf8")}`);
            return /listening.*\burl="?(http[^\s"]*)/.exec(readFileSync(log, "utf8"))?.[1];
        }, "the relay's listening line");
        return relay;
    }

    async stop() {
        if (this.child.exitCode !== null || this.child.signalCode !== null) return;
        const ended = once(this.child, "exit");
        this.child.kill("SIGTERM");
        await ended;
    }

    // A new token for agent@namespace.
    async token(address) {
        const { code, out, err } = await program(relayProgram, ["token", "add", address], { env: this.env });
        expect(code === 0, `token add: ${err}`);
        return out.trim();
    }
}

// A new self-signed certificate for these names: {file, cert, key}.
export async function certificate(names) {
    const data = folder();
    const hosts = names.flatMap((name) => ["--host", name]);
    const { code, out, err } = await program(relayProgram, ["tls-init", ...hosts], {
        env: environment(data, { PATCHCORD_DATA_DIR: data }),
    });
    expect(code === 0, err);
    const [, file] = /PATCHCORD_TLS_CERT=(\S+)/.exec(out);
    return { file, cert: readFileSync(file), key: readFileSync(/PATCHCORD_TLS_KEY=(\S+)/.exec(out)[1]) };
}

// A proxy that passes everything on as it comes, and adds the headers: on a port of its own, in the clear, where nothing else
// is said.
export async function proxy(target, headers, { listen = 0, tls } = {}) {
    const { hostname, port } = new URL(target);
    const pass = (request, response) => {
        const onward = http.request(
            { hostname, port, method: request.method, path: request.url, headers: { ...request.headers, ...headers } },
            (answer) => {
                response.writeHead(answer.statusCode, answer.rawHeaders);
                answer.pipe(response);
            },
        );
        onward.on("error", () => response.destroy());
        response.on("close", () => onward.destroy());
        request.pipe(onward);
    };
    const server = tls ? https.createServer(tls, pass) : http.createServer(pass);
    server.listen(listen, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => {
        server.closeAllConnections();
        server.close();
    });
    return `${tls ? "https" : "http"}://127.0.0.1:${server.address().port}`;
}

// A server that answers each request by handler(body as JSON or text, request, response).
export async function scripted(handler) {
    const server = http.createServer(async (request, response) => {
        let text = "";
        for await (const chunk of request.setEncoding("utf8")) text += chunk;
        let body = text;
        try {
            body = JSON.parse(text);
        } catch {
            // not every request has JSON
        }
        handler(body, request, response);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => {
        server.closeAllConnections();
        server.close();
    });
    return `http://127.0.0.1:${server.address().port}`;
}

// Writes server-sent events and ends the answer.
export function sendEvents(response, events) {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    for (const event of events) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    response.end();
}

// The id in "Sent to backend [id]".
export function sentId(text) {
    const found = /\[([0-9a-f-]{36})\]/.exec(text);
    expect(found, `no message id in: ${text}`);
    return found[1];
}
