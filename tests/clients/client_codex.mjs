// The real Codex with Patchcord as a required server: by the bridge and by the HTTP lines of docs/client-setup.md. Its
// scripted model calls our inbox.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bridge, check, environment, expect, expectMatch, folder, program, Relay, run } from "./lib.mjs";
import { codexModel } from "./models.mjs";

const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const token = await relay.token("codex@shop");
const sender = await relay.token("frontend@shop");

async function codex(lines, url) {
    const home = folder();
    const settings = path.join(home, ".codex");
    mkdirSync(settings);
    writeFileSync(path.join(settings, "config.toml"), `
model = "mock"
model_provider = "mock"
approval_policy = "never"

[model_providers.mock]
name = "mock"
base_url = "${url}"
wire_api = "responses"

[mcp_servers.patchcord]
${lines}
required = true
startup_timeout_sec = 20
default_tools_approval_mode = "approve"
`);
    return program("codex", ["exec", "--skip-git-repo-check", "read your inbox"], {
        cwd: home,
        seconds: 90,
        env: environment(home, { PATCHCORD_TOKEN: token }),
    });
}

const ways = {
    bridge: `command = "${bridge}"
args = ["mcp"]
env = { PATCHCORD_URL = "${relay.url}", PATCHCORD_TOKEN = "${token}" }`,
    http: `url = "${relay.url}/mcp/bearer"
bearer_token_env_var = "PATCHCORD_TOKEN"
http_headers = { "X-Patchcord-Client-Type" = "codex" }`,
};
for (const [way, lines] of Object.entries(ways)) {
    check(`starts with Patchcord required, over ${way}, and reads its inbox`, async () => {
        const sent = await program(bridge, ["send", "codex", `hello over ${way}`], {
            env: environment(folder(), { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: sender }),
        });
        expect(sent.code === 0, sent.err);
        const { url, seen } = await codexModel("inbox", {});
        const { code, out, err } = await codex(lines, url);
        expect(code === 0, `exit code ${code}\n${out}\n${err}`);
        expectMatch(seen.result ?? "", new RegExp(`hello over ${way}`), "the tool's result");
    });
}

check("does not start where the required server does not", async () => {
    const { url } = await codexModel("inbox", {});
    const { code } = await codex(`command = "${bridge}-that-is-not-there"\nargs = ["mcp"]`, url);
    expect(code === 1, `exit code ${code}`);
});

await run();
