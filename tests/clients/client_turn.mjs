// A whole turn between the real Claude Code and the real Codex, each in a project of its own, with models that follow a script:
// one asks and waits; the other is at work, and when it would stop its hook makes it read, do what was asked, and reply; the
// answer comes back from the waiting call. Then the same with the roles changed. Both are set up by `patchcord install` and
// `patchcord agent` alone.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bridge, check, environment, expect, expectMatch, folder, program, Relay, run, until } from "./lib.mjs";
import { claudeTurn, codexTurn } from "./models.mjs";

const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const tokens = { claude: await relay.token("claude@shop"), codex: await relay.token("codex@shop") };

// Of the real programs too: what they need to ask a model of ours, and to be trusted in a folder.
const forClaude = (model) => ({ ANTHROPIC_API_KEY: "dummy", ANTHROPIC_BASE_URL: model.url, DISABLE_AUTOUPDATER: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", ENABLE_TOOL_SEARCH: "false" });
const forCodex = (model, project) => `
model = "mock"
model_provider = "mock"
approval_policy = "never"
sandbox_mode = "danger-full-access"

[model_providers.mock]
name = "mock"
base_url = "${model.url}"
wire_api = "responses"

[projects."${project}"]
trust_level = "trusted"
`;

// A person with a project for each program, set up as the documents say: install, and agent in each project.
async function person(codexModel) {
    const home = folder();
    const projects = { claude: path.join(home, "web"), codex: path.join(home, "api") };
    for (const made of [projects.claude, projects.codex, path.join(home, ".codex")]) mkdirSync(made, { recursive: true });
    writeFileSync(path.join(home, ".claude.json"), JSON.stringify({ hasCompletedOnboarding: true,
        projects: { [projects.claude]: { hasTrustDialogAccepted: true } } }));
    writeFileSync(path.join(home, ".codex/config.toml"), forCodex(codexModel, projects.codex));
    const patchcord = async (cwd, args, input) => {
        const { code, out, err } = await program(bridge, args, { cwd, input, seconds: 90, env: environment(home) });
        expect(code === 0, `patchcord ${args}: exit code ${code}\n${out}\n${err}`);
    };
    await patchcord(home, ["install"]);
    for (const [name, client] of [["claude", "claude_code"], ["codex", "codex"]])
        await patchcord(projects[name], ["agent", "--client", client, "--server", relay.url, "--token", "-"], tokens[name]);
    return { home, projects };
}

function runClaude({ home, projects }, model, prompt) {
    return program("claude", ["-p", prompt, "--allowedTools", "mcp__patchcord__*,Write"],
        { seconds: 90, cwd: projects.claude, env: environment(home, forClaude(model)) });
}

function runCodex({ home, projects }, prompt) {
    return program("codex", ["exec", "--skip-git-repo-check", "--dangerously-bypass-hook-trust", prompt],
        { seconds: 90, cwd: projects.codex, env: environment(home) });
}

async function waiting(name) {
    const answer = await fetch(`${relay.url}/api/inbox?status=pending`, { headers: { Authorization: `Bearer ${tokens[name]}` } });
    return (await answer.json()).pending_count;
}

// The id of the message that an inbox showed.
function shownId(text) {
    const found = [...text.matchAll(/From (?:claude|codex) \([^)]*\) \[([0-9a-f-]{36})\]/g)].at(-1);
    expect(found, `no message is shown in ${text}`);
    return found[1];
}

const question = "How much is six times seven? Put it into answer.txt, too.";

// The one who asks: sends, waits, and tells the person what came.
const asker = (other, tool) => [
    () => ({ call: tool("send_message"), input: { to: other, content: question } }),
    () => ({ call: tool("wait_for_message"), input: { timeout_seconds: 60 } }),
    (text) => {
        expectMatch(text, new RegExp(`From ${other} [^]*> 42, and it is in answer.txt`), "what the wait returned");
        return { say: "The answer is 42." };
    },
];

// The one who answers: is at work until the question is there, would stop, and is told.
const doer = (self, other, tool, write) => [
    async () => {
        await until(() => waiting(self), "the question");
        return { say: "The tests are tidied up." };
    },
    (text) => {
        expectMatch(text, new RegExp(`Patchcord: 1 new message from ${other}\\. Before you stop, call inbox`), "the hook's words");
        expect(!text.includes("six times seven"), "the hook quotes the message");
        return { call: tool("inbox"), input: {} };
    },
    (text) => {
        expectMatch(text, /> How much is six times seven\?/, "the inbox");
        return write;
    },
    (text) => ({ call: tool("reply"), input: { message_id: shownId(text), content: "42, and it is in answer.txt" } }),
    () => ({ say: "Tidied up, and answered." }),
];

const ofClaude = (name) => `mcp__patchcord__${name}`;
const ofCodex = (name) => name;

async function turn(somebody, claude, prompts) {
    const [byClaude, byCodex] = await Promise.all([
        runClaude(somebody, claude, prompts.claude), runCodex(somebody, prompts.codex)]);
    expect(byClaude.code === 0, `claude: exit code ${byClaude.code}\n${byClaude.out}\n${byClaude.err}`);
    expect(byCodex.code === 0, `codex: exit code ${byCodex.code}\n${byCodex.out}\n${byCodex.err}`);
    return { byClaude, byCodex };
}

check("Claude Code asks Codex, whose stop hook makes it read, do and reply", async () => {
    const claude = await claudeTurn(asker("codex", ofClaude));
    const codex = await codexTurn(doer("codex", "claude", ofCodex,
        { own: "exec_command", input: { cmd: "echo 42 >answer.txt" } }));
    const somebody = await person(codex);
    const { byClaude } = await turn(somebody, claude, { claude: "ask codex", codex: "tidy the tests up" });
    expectMatch(byClaude.out, /The answer is 42\./, "what Claude Code said");
    expect(claude.asked.length === 3, `Claude Code's model was asked ${claude.asked.length} times`);
    expect(codex.asked.length === 5, `Codex's model was asked ${codex.asked.length} times`);
    expectMatch(codex.asked[0], /Patchcord: you are codex@shop\./, "what Codex was told at its start");
    expectMatch(claude.asked[0], /Patchcord: you are claude@shop\./, "what Claude Code was told at its start");
    expect(readFileSync(path.join(somebody.projects.codex, "answer.txt"), "utf8") === "42\n", "the work was not done");
});

check("Codex asks Claude Code, whose stop hook makes it read, do and reply", async () => {
    const codex = await codexTurn(asker("claude", ofCodex));
    const somebody = await person(codex);
    const written = path.join(somebody.projects.claude, "answer.txt");
    const claude = await claudeTurn(doer("claude", "codex", ofClaude,
        { call: "Write", input: { file_path: written, content: "42\n" } }));
    const { byCodex } = await turn(somebody, claude, { claude: "tidy the tests up", codex: "ask claude" });
    expectMatch(byCodex.out, /The answer is 42\./, "what Codex said");
    expect(codex.asked.length === 3, `Codex's model was asked ${codex.asked.length} times`);
    expect(claude.asked.length === 5, `Claude Code's model was asked ${claude.asked.length} times`);
    expect(readFileSync(written, "utf8") === "42\n", "the work was not done");
});

await run();
