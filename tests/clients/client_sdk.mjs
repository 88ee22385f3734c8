// The official TypeScript SDK, version 1 (legacy era) and version 2 (both eras), over stdio and Streamable HTTP.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { bridge, check, clients, environment, expect, expectMatch, folder, Relay, run, sentId } from "./lib.mjs";

const require = createRequire(path.join(clients, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const v1 = {
    ...(await load("@modelcontextprotocol/sdk/client/index.js")),
    ...(await load("@modelcontextprotocol/sdk/client/stdio.js")),
    ...(await load("@modelcontextprotocol/sdk/client/streamableHttp.js")),
};
const v2 = { ...(await load("@modelcontextprotocol/client")), ...(await load("@modelcontextprotocol/client/stdio")) };

const home = folder();
const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const tokens = { frontend: await relay.token("frontend@shop"), backend: await relay.token("backend@shop") };

const transports = {
    stdio: (sdk, token) => new sdk.StdioClientTransport({
        command: bridge,
        args: ["mcp"],
        env: environment(home, { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: token }),
    }),
    http: (sdk, token) => new sdk.StreamableHTTPClientTransport(new URL(`${relay.url}/mcp`), {
        requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }),
};

async function connect(sdk, options, transport, agent) {
    const client = new sdk.Client({ name: "sdk-test", version: "1.0.0" }, options);
    await client.connect(transports[transport](sdk, tokens[agent]));
    return client;
}

const textOf = (result) => {
    expect(!result.isError, JSON.stringify(result));
    return result.content[0].text;
};

const kinds = {
    "version 1": [v1, {}],
    "version 2, legacy": [v2, { versionNegotiation: { mode: "legacy" } }],
    "version 2, modern": [v2, { versionNegotiation: { mode: { pin: "2026-07-28" } } }],
};
for (const [kind, [sdk, options]] of Object.entries(kinds)) {
    for (const transport of Object.keys(transports)) {
        check(`${kind} over ${transport}: a waiting agent gets a message and answers it`, async () => {
            const frontend = await connect(sdk, options, transport, "frontend");
            const backend = await connect(sdk, options, transport, "backend");
            const call = async (client, name, args) => textOf(await client.callTool({ name, arguments: args }));
            try {
                expect((await frontend.listTools()).tools.length >= 6, "tools are missing");
                expect((await frontend.listPrompts()).prompts.length === 2, "prompts are missing");
                const waiting = call(backend, "wait_for_message", { timeout_seconds: 20 });
                const id = sentId(await call(frontend, "send_message", { to: "backend", content: "run the migration" }));
                expectMatch(await waiting, new RegExp(`${id}[^]*> run the migration`), "what the wait returned");
                const answer = call(frontend, "wait_for_message", { timeout_seconds: 20 });
                await call(backend, "reply", { message_id: id, content: "done — 3 tables created" });
                expectMatch(await answer, /> done — 3 tables created/, "the answer");
            } finally {
                await frontend.close();
                await backend.close();
            }
        });
    }
}

await run();
