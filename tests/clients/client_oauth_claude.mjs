// The real Claude Code logs in (`claude mcp login`), by its metadata document and through the consent page; then its list shows
// the relay connected, and its scripted model sends a message.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { atEnd, bridge, check, environment, expect, expectMatch, folder, program, run, until } from "./lib.mjs";
import { claudeModel } from "./models.mjs";
import { connectCode, consentAndReturn, examplesFor, grants, opener, startRelay } from "./consent.mjs";
import { enterWeb, startWeb } from "./web.mjs";

enterWeb();

// What Claude Code names as its client_id; the document as far as the relay reads it.
const documentUrl = "https://claude.ai/oauth/claude-code-client-metadata";
const web = await startWeb({
    [documentUrl]: {
        client_id: documentUrl,
        client_name: "Claude Code",
        client_uri: "https://claude.ai",
        redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
    },
});
const relay = await startRelay({ PATCHCORD_CA_FILE: web.caFile });
const frontend = await relay.token("frontend@shop");

const home = folder();
const project = path.join(home, "project");
mkdirSync(project);
writeFileSync(path.join(home, ".claude.json"), JSON.stringify({
    hasCompletedOnboarding: true,
    projects: { [project]: { hasTrustDialogAccepted: true } },
}));
const browser = opener();
const settings = (more) => environment(home, {
    ANTHROPIC_API_KEY: "dummy",
    ANTHROPIC_BASE_URL: "http://127.0.0.1:9",
    BROWSER: browser.program,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
    ENABLE_TOOL_SEARCH: "false",
    ...more,
});

async function claude(args, more = {}) {
    const result = await program("claude", args, { cwd: project, seconds: 90, env: settings(more) });
    expect(result.code === 0, `claude ${args[0]}: exit code ${result.code}\n${result.out}\n${result.err}`);
    return result.out;
}

// As docs/oauth-web-clients.md has it.
const [addLine, loginLine] = examplesFor(relay, "claude");

check("claude mcp login gets its tokens through the consent page", async () => {
    const added = await program("sh", ["-c", addLine], { cwd: project, env: settings() });
    expect(added.code === 0, `${addLine}: ${added.out}${added.err}`);
    expectMatch(await claude(["mcp", "list"]), /^patchcord: .*Needs authentication$/m, "the list before the login");
    // It wants a terminal, where it would also take the URL that the browser was sent to.
    const child = spawn("script", ["-qec", loginLine, "/dev/null"], {
        cwd: project, env: settings(), stdio: ["pipe", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    const ended = once(child, "close");
    const timer = setTimeout(() => child.kill("SIGKILL"), 60000);
    atEnd(() => child.kill("SIGKILL"));
    const url = await until(() => browser.opened(), "the browser");
    expect(new URL(url).searchParams.get("client_id") === documentUrl, url);
    await consentAndReturn(url, await connectCode(relay, "claude@shop"));
    const [code] = await ended;
    clearTimeout(timer);
    expect(code === 0, `exit code ${code}\n${out}`);
    expectMatch(out, /Authenticated with "patchcord"/, "what it prints");
    expectMatch(await grants(relay), /claude@shop/, "the list of grants");
    expect(web.count(documentUrl) > 0, "the metadata document was not fetched");
});

check("then claude mcp list shows it connected", async () =>
    expectMatch(await claude(["mcp", "list"]), /^patchcord: .*✔ Connected$/m, "the list"));

check("and a session sends a message", async () => {
    const { url, seen } = await claudeModel("mcp__patchcord__send_message", { to: "frontend", content: "hello from Claude" });
    await claude(["-p", "greet frontend", "--allowedTools", "mcp__patchcord__*"], { ANTHROPIC_BASE_URL: url });
    expect(seen.tools?.includes("mcp__patchcord__wait_for_message"), `the model was offered ${seen.tools}`);
    expectMatch(seen.result ?? "", /Sent to frontend/, "the tool's result");
    const inbox = await program(bridge, ["inbox"], {
        env: environment(folder(), { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: frontend }),
    });
    expectMatch(inbox.out, /From claude[^]*> hello from Claude/, "the inbox");
});

await run();
