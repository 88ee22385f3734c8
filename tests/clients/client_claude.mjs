// The real Claude Code: the set-up lines of docs/client-setup.md, then a session whose scripted model calls our tools.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bridge, check, environment, expect, expectMatch, folder, program, Relay, run } from "./lib.mjs";
import { claudeModel } from "./models.mjs";

const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const token = await relay.token("claude@shop");
const sender = await relay.token("frontend@shop");

// A person's home and a project that they trust.
function person() {
    const home = folder();
    const project = path.join(home, "project");
    mkdirSync(path.join(home, ".claude"));
    mkdirSync(project);
    writeFileSync(path.join(home, ".claude.json"), JSON.stringify({
        hasCompletedOnboarding: true,
        projects: { [project]: { hasTrustDialogAccepted: true, enableAllProjectMcpServers: true } },
    }));
    writeFileSync(path.join(home, ".claude/settings.json"), JSON.stringify({ enableAllProjectMcpServers: true }));
    return { home, project };
}

async function claude({ home, project }, args, more = {}) {
    const result = await program("claude", args, {
        cwd: project,
        seconds: 90,
        env: environment(home, {
            ANTHROPIC_API_KEY: "dummy",
            ANTHROPIC_BASE_URL: "http://127.0.0.1:9",
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
            DISABLE_AUTOUPDATER: "1",
            // Its tool search would hide our tools until a model asks for them.
            ENABLE_TOOL_SEARCH: "false",
            ...more,
        }),
    });
    expect(result.code === 0, `claude ${args[0]}: exit code ${result.code}\n${result.out}\n${result.err}`);
    return result.out;
}

const asBridge = ["-e", `PATCHCORD_URL=${relay.url}`, "-e", `PATCHCORD_TOKEN=${token}`, "--", bridge, "mcp"];
const asHttp = [`${relay.url}/mcp`, "--transport", "http", "-H", `Authorization: Bearer ${token}`,
    "-H", "X-Patchcord-Client-Type: claude_code"];
// What is checked in has no token: everybody's environment has.
const asHttpOfProject = ["-s", "project", ...asHttp.map((word) => word.replace(token, "${PATCHCORD_TOKEN}"))];
const ways = {
    bridge: asBridge,
    "bridge, project scope": ["-s", "project", ...asBridge],
    http: asHttp,
    "http, project scope": asHttpOfProject,
};

for (const [way, line] of Object.entries(ways)) {
    check(`mcp add (${way}), then mcp list shows it connected`, async () => {
        const somebody = person();
        await claude(somebody, ["mcp", "add", "patchcord", ...line]);
        const list = await claude(somebody, ["mcp", "list"], { PATCHCORD_TOKEN: token });
        expectMatch(list, /^patchcord: .*✔ Connected$/m, "the list");
    });
}

check("mcp list shows a wrong token's HTTP entry as not connected", async () => {
    const somebody = person();
    await claude(somebody, ["mcp", "add", "patchcord", ...asHttp.map((word) => word.replace(token, "pc_wrong"))]);
    const list = await claude(somebody, ["mcp", "list"]);
    expect(/^patchcord: /m.test(list) && !/Connected$/m.test(list), list);
});

const servers = {
    bridge: { type: "stdio", command: bridge, args: ["mcp"], env: { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: token } },
    http: { type: "http", url: `${relay.url}/mcp`,
        headers: { Authorization: `Bearer ${token}`, "X-Patchcord-Client-Type": "claude_code" } },
};
for (const [way, server] of Object.entries(servers)) {
    check(`a session over ${way} reads its inbox`, async () => {
        const somebody = person();
        const sent = await program(bridge, ["send", "claude", `hello over ${way}`], {
            env: environment(somebody.home, { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: sender }),
        });
        expect(sent.code === 0, sent.err);
        const config = path.join(somebody.home, "mcp.json");
        writeFileSync(config, JSON.stringify({ mcpServers: { patchcord: server } }));
        const { url, seen } = await claudeModel("mcp__patchcord__inbox", {});
        await claude(somebody, ["-p", "read your inbox", "--strict-mcp-config", "--mcp-config", config, "--allowedTools",
            "mcp__patchcord__*"], { ANTHROPIC_BASE_URL: url });
        expect(seen.tools?.includes("mcp__patchcord__wait_for_message"), `the model was offered ${seen.tools}`);
        expectMatch(seen.result ?? "", new RegExp(`hello over ${way}`), "the tool's result");
    });
}

await run();
