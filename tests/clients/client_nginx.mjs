// A wait that is longer than nginx' default time-outs (60 s), through an nginx that has just a proxy_pass: by the bridge and
// over plain HTTP. NGINX_WAIT_SECONDS (70) is how long the message takes to come.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { atEnd, bridge, check, environment, expect, expectMatch, folder, freePort, program, Relay, run, until } from "./lib.mjs";

const seconds = Number(process.env.NGINX_WAIT_SECONDS ?? 70);
const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const home = folder();

async function startNginx() {
    const port = await freePort();
    for (const name of ["body", "proxy", "fastcgi", "uwsgi", "scgi"]) mkdirSync(path.join(home, name));
    const file = path.join(home, "nginx.conf");
    writeFileSync(file, `
daemon off;
worker_processes 1;
pid ${home}/nginx.pid;
error_log ${home}/error.log;
events {}
http {
    access_log off;
    client_body_temp_path ${home}/body;
    proxy_temp_path ${home}/proxy;
    fastcgi_temp_path ${home}/fastcgi;
    uwsgi_temp_path ${home}/uwsgi;
    scgi_temp_path ${home}/scgi;
    server {
        listen 127.0.0.1:${port};
        location / { proxy_pass ${relay.url}; }
    }
}
`);
    const args = ["-c", file, "-e", path.join(home, "error.log")];
    const child = spawn("nginx", args, { env: environment(home), stdio: "inherit" });
    atEnd(async () => {
        child.kill("SIGTERM");
        await once(child, "exit");
    });
    const url = `http://127.0.0.1:${port}`;
    await until(() => fetch(`${url}/health`).then((answer) => answer.ok, () => false), "nginx");
    return url;
}

const front = await startNginx();
const sender = await relay.token("sender@shop");

const send = async (to) => {
    const result = await program(bridge, ["send", to, `hello ${to}`], {
        env: environment(home, { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: sender }),
    });
    expect(result.code === 0, result.err);
};

// The waits run beside each other; each check then looks at its own.
async function waitByBridge() {
    const token = await relay.token("bridged@shop");
    const child = spawn(bridge, ["mcp"], {
        env: environment(home, { PATCHCORD_URL: front, PATCHCORD_TOKEN: token }),
        stdio: ["pipe", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    const say = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const clientInfo = { name: "nginx-test", version: "1" };
    say({ id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo } });
    say({ method: "notifications/initialized" });
    say({ id: 2, method: "tools/call", params: { name: "wait_for_message", arguments: { timeout_seconds: seconds + 30 } } });
    await pause(seconds * 1000);
    await send("bridged");
    await until(() => out.split("\n").some((line) => line && JSON.parse(line).id === 2), "the bridge's answer");
    child.stdin.end();
    await once(child, "exit");
    return out;
}

async function waitByHttp() {
    const token = await relay.token("plain@shop");
    const answer = fetch(`${front}/mcp`, {
        method: "POST",
        headers: {
            Authorization: `Bearer ${token}`,
            Accept: "application/json, text/event-stream",
            "Content-Type": "application/json",
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call",
            params: { name: "wait_for_message", arguments: { timeout_seconds: seconds + 30 }, _meta: { progressToken: 1 } } }),
    }).then(async (response) => `${response.status} ${await response.text()}`);
    await pause(seconds * 1000);
    await send("plain");
    return answer;
}

const waits = Promise.allSettled([waitByBridge(), waitByHttp()]);
for (const [index, name] of ["bridged", "plain"].entries()) {
    check(`a wait of ${seconds} s through nginx, ${name}`, async () => {
        const outcome = (await waits)[index];
        if (outcome.status === "rejected") throw outcome.reason;
        expectMatch(outcome.value, new RegExp(`> hello ${name}`), "the answer");
    });
}

await run();
