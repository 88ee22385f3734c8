// A web of the test's own, so that the relay fetches clients' metadata documents where it fetches them from: the program is
// started again in a network namespace in which every address leads back to it; names are answered by its own DNS.
import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { atEnd, certificate, environment } from "./lib.mjs";

const address = "93.184.216.34"; // public, as the relay sees it

function sh(command, args) {
    const { status, stderr } = spawnSync(command, args, { env: environment("/"), encoding: "utf8" });
    return status === 0 ? "" : `\`${command} ${args.join(" ")}\`: ${stderr}`;
}

// The file that libc reads, in this mount namespace alone.
function resolveHere() {
    const made = mkdtempSync(path.join(tmpdir(), "patchcord-web-"));
    const file = path.join(made, "resolv.conf");
    writeFileSync(file, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    const problem = sh("mount", ["--bind", file, "/etc/resolv.conf"]);
    rmSync(made, { recursive: true });
    return problem;
}

// Comes back inside the web. Where there can be none, the program ends here, and says so.
export function enterWeb() {
    const subject = path.basename(process.argv[1]);
    const skip = (problem) => {
        console.log(`SKIPPED: ${subject}: no network of its own: ${problem}`);
        process.exit(0);
    };
    if (process.env.PATCHCORD_TEST_WEB) {
        const problem = sh("ip", ["link", "set", "lo", "up"]) ||
            sh("ip", ["route", "add", "local", "0.0.0.0/0", "dev", "lo"]) || resolveHere();
        if (problem) skip(problem);
        return;
    }
    const spaces = [...(process.getuid() === 0 ? [] : ["--user", "--map-root-user"]), "--net", "--mount"];
    const tried = spawnSync("unshare", [...spaces, "true"], { encoding: "utf8" });
    if (tried.status !== 0) skip(tried.stderr || tried.error);
    const { status } = spawnSync("unshare", [...spaces, process.execPath, ...process.argv.slice(1)], {
        stdio: "inherit",
        env: { ...process.env, PATCHCORD_TEST_WEB: "1" },
    });
    process.exit(status ?? 1);
}

// ---- DNS (RFC 1035): an A record for each name that there is ----

function answerQuestion(message, names) {
    let at = 12;
    const labels = [];
    while (message[at] > 0) {
        labels.push(message.toString("latin1", at + 1, at + 1 + message[at]));
        at += message[at] + 1;
    }
    const question = message.subarray(12, at + 5);
    const known = names.has(labels.join(".").toLowerCase());
    const wantsAddress = message.readUInt16BE(at + 1) === 1;
    const header = Buffer.from(message.subarray(0, 12));
    header.writeUInt16BE(known ? 0x8580 : 0x8583, 2); // an answer; or: there is no such name
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(known && wantsAddress ? 1 : 0, 6);
    header.fill(0, 8, 12);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
    return Buffer.concat(known && wantsAddress ? [header, question, record] : [header, question]);
}

async function startDns(names) {
    const server = dgram.createSocket("udp4");
    server.on("message", (message, peer) => server.send(answerQuestion(message, names), peer.port, peer.address));
    server.bind(53, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => server.close());
}

// ---- https ----

// Serves the JSON documents, by host and path, and counts how often each was asked for: {caFile, count(url)}. headers are
// those of each answer.
export async function startWeb(documents, headers = {}) {
    const names = new Set(Object.keys(documents).map((url) => new URL(url).hostname));
    const { file, cert, key } = await certificate([...names]);
    const asked = new Map();
    const server = https.createServer({ cert, key }, (request, response) => {
        const url = `https://${request.headers.host}${request.url}`;
        asked.set(url, (asked.get(url) ?? 0) + 1);
        response.writeHead(documents[url] ? 200 : 404, { "Content-Type": "application/json", ...headers });
        response.end(JSON.stringify(documents[url] ?? {}));
    });
    server.listen(443, "0.0.0.0");
    await once(server, "listening");
    await startDns(names);
    atEnd(() => {
        server.closeAllConnections();
        server.close();
    });
    return { caFile: file, count: (url) => asked.get(url) ?? 0 };
}
