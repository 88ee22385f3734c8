// The real Codex logs in (`codex mcp add`, `codex mcp login`), by its metadata document and by registering, through the consent
// page; then its scripted model sends a message.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { atEnd, bridge, check, environment, expect, expectMatch, folder, program, run, until } from "./lib.mjs";
import { codexModel } from "./models.mjs";
import { connectCode, consentAndReturn, examplesFor, grants, opener, startRelay } from "./consent.mjs";
import { enterWeb, startWeb } from "./web.mjs";

enterWeb();

// What Codex names as its client_id; the document as far as the relay reads it.
const documentUrl = "https://chatgpt.com/oauth/codex/client.json";
const web = await startWeb({
    [documentUrl]: {
        client_id: documentUrl,
        client_name: "Codex",
        redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback"],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
    },
});
const relay = await startRelay({ PATCHCORD_CA_FILE: web.caFile });
const frontend = await relay.token("frontend@shop");

function person(model) {
    const home = folder();
    mkdirSync(path.join(home, ".codex"));
    writeFileSync(path.join(home, ".codex/config.toml"), `
model = "mock"
model_provider = "mock"
approval_policy = "never"
mcp_oauth_credentials_store = "file"

[model_providers.mock]
name = "mock"
base_url = "${model}"
wire_api = "responses"
`);
    return home;
}

// Runs a line that opens a browser, in which somebody then lets it in as that agent; returns its client_id.
async function logIn(home, line, agent) {
    const browser = opener();
    const child = spawn("sh", ["-c", `exec ${line}`], {
        cwd: home, env: environment(home, { BROWSER: browser.program }), stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (out += text));
    const ended = once(child, "close");
    const timer = setTimeout(() => child.kill("SIGKILL"), 60000);
    atEnd(() => child.kill("SIGKILL"));
    const url = await until(() => {
        expect(child.exitCode === null, out);
        return browser.opened();
    }, "the browser");
    await consentAndReturn(url, await connectCode(relay, `${agent}@shop`));
    const [code] = await ended;
    clearTimeout(timer);
    expect(code === 0, `exit code ${code}\n${out}`);
    expectMatch(await grants(relay), new RegExp(`${agent}@shop`), "the list of grants");
    return new URL(url).searchParams.get("client_id");
}

// As docs/oauth-web-clients.md has it. The first logs in at once.
const [addLine, loginLine] = examplesFor(relay, "codex");

async function addAndLogOut(home) {
    await logIn(home, addLine, "first");
    const { code, err } = await program("codex", ["mcp", "logout", "patchcord"], { cwd: home, env: environment(home) });
    expect(code === 0, err);
}

const ways = {
    "codex mcp add": { agent: "adder", line: addLine, described: true },
    "codex mcp login": { agent: "codex", before: addAndLogOut, line: loginLine, described: true },
    "codex mcp login, registering itself": { agent: "registered", before: addAndLogOut, described: false,
        line: `${loginLine} --oauth-client-registration dcr` },
};
for (const [name, { agent, before, line, described }] of Object.entries(ways)) {
    check(`${name} gets its tokens through the consent page, and a session sends a message`, async () => {
        const content = `hello from ${agent}`;
        const { url, seen } = await codexModel("send_message", { to: "frontend", content });
        const home = person(url);
        if (before) await before(home);
        expect((await logIn(home, line, agent) === documentUrl) === described, "another kind of client_id");
        const settings = { required: true, startup_timeout_sec: 20, default_tools_approval_mode: '"approve"' };
        const options = Object.entries(settings).flatMap(([key, value]) => ["-c", `mcp_servers.patchcord.${key}=${value}`]);
        const session = await program("codex", ["exec", ...options, "--skip-git-repo-check", "greet frontend"], {
            cwd: home, seconds: 90, env: environment(home),
        });
        expect(session.code === 0, `exit code ${session.code}\n${session.out}\n${session.err}`);
        expectMatch(seen.result ?? "", /Sent to frontend/, "the tool's result");
        const inbox = await program(bridge, ["inbox", "--take"], {
            env: environment(folder(), { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: frontend }),
        });
        expectMatch(inbox.out, new RegExp(`From ${agent}[^]*> ${content}`), "the inbox");
    });
}

await run();
