// A machine set up by the commands of the README, in a home of its own: install.sh, an invitation, its line; then the real
// Claude Code and the real Codex find it there. And everything taken away again. Releases: what is checked before it is unpacked.
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { bridge, build, check, clients, environment, expect, expectMatch, folder, program, Relay, run, scripted } from "./lib.mjs";
import { codexModel } from "./models.mjs";

const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const source = process.cwd();
const settings = "{\n    \"model\": \"opus\",\n    \"permissions\": { \"allow\": [\"Bash(ls)\"] }\n}\n";

// A home with a project that its person trusts, and settings of their own.
function person(url = "http://127.0.0.1:9") {
    const home = folder();
    const project = path.join(home, "project");
    for (const made of [".claude", ".codex", "project"]) mkdirSync(path.join(home, made));
    writeFileSync(path.join(home, ".claude.json"), JSON.stringify({ hasCompletedOnboarding: true,
        projects: { [project]: { hasTrustDialogAccepted: true } } }));
    writeFileSync(path.join(home, ".claude/settings.json"), settings);
    writeFileSync(path.join(home, ".codex/config.toml"), `
model = "mock" # mine
model_provider = "mock"
approval_policy = "never"

[model_providers.mock]
name = "mock"
base_url = "${url}"
wire_api = "responses"

[projects."${project}"]
trust_level = "trusted"
`);
    writeFileSync(path.join(home, ".codex/hooks.json"), "{\n}\n");
    const env = environment(home, { ANTHROPIC_API_KEY: "dummy", ANTHROPIC_BASE_URL: "http://127.0.0.1:9",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_AUTOUPDATER: "1" });
    env.PATH = `${home}/.local/bin:${clients}:${clients}/node_modules/.bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin`;
    return { home, project, env };
}

// Every file below the home but what the programs keep for themselves: {path: text}.
function files({ home }) {
    const kept = {};
    for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
        const file = path.relative(home, path.join(entry.parentPath, entry.name));
        if (entry.isFile() && !/^(\.cache|\.claude\/(plugins|backups)|\.codex\/(?!config|hooks)|\.local\/state)/.test(file))
            kept[file] = readFileSync(path.join(home, file), "latin1");
    }
    delete kept[".claude.json"]; // Claude Code counts its starts there
    return kept;
}

function expectSame(before, after, what) {
    for (const file of new Set([...Object.keys(before), ...Object.keys(after)]))
        expect(before[file] === after[file], `${what}: ${file} was\n${before[file]}\nand is\n${after[file]}`);
}

async function must(somebody, command, args, more = {}) {
    const { code, out, err } = await program(command, args, { cwd: somebody.project, env: somebody.env, seconds: 120, ...more });
    expect(code === 0, `${command} ${args.join(" ")}: exit code ${code}\n${out}\n${err}`);
    return out;
}

// Man pages and completions are there as `make install` puts them.
function expectDocuments({ home }) {
    const share = folder();
    execFileSync("packaging/manual.sh", [build, share]);
    const made = readdirSync(share, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(made.length >= 8, `${made.length} documents`);
    for (const entry of made) {
        const file = path.join(entry.parentPath, entry.name);
        const put = path.join(home, ".local/share", path.relative(share, file));
        expect(existsSync(put) && readFileSync(put, "utf8") === readFileSync(file, "utf8"), `${put} is not as it should be`);
    }
}

const install = (somebody, ...args) => must(somebody, path.join(source, "install.sh"), args);

// What the person does in a project: pastes the line of an invitation, with more behind it.
async function paste(somebody, address, ...args) {
    const { code, out, err } = await program("patchcord-relay", ["invite", "--url", relay.url, address], { env: relay.env });
    expect(code === 0, `invite: ${err}`);
    return must(somebody, "sh", ["-c", `${out.trim()} "$@"`, "sh", ...args]);
}

// The same with a token on standard input.
async function agent(somebody, address, ...args) {
    return must(somebody, "patchcord", ["agent", "--server", relay.url, "--token", "-", ...args],
        { input: await relay.token(address) });
}

function expectNoToken({ project }) {
    for (const entry of readdirSync(project, { recursive: true, withFileTypes: true }))
        if (entry.isFile()) expect(!readFileSync(path.join(entry.parentPath, entry.name), "utf8").includes("pc_"), entry.name);
}

check("install.sh and an invitation: Claude Code lists Patchcord as connected", async () => {
    const somebody = person();
    const before = files(somebody);
    await install(somebody, "--dry-run");
    expectSame(before, files(somebody), "--dry-run");
    await install(somebody);
    expectMatch(await paste(somebody, "claude@shop"), /claude@shop .*the relay knows the token/, "what agent says");
    expectMatch(await must(somebody, "claude", ["mcp", "list"]), /^patchcord: patchcord mcp --client claude_code - ✔ Connected$/m,
        "the list");
    expectNoToken(somebody);
    expectMatch(await must(somebody, "claude", ["plugin", "list"]), /patchcord@patchcord[^]*enabled/, "the plugins");
    await must(somebody, "claude", ["plugin", "validate", "--strict", "--profile", "directory",
        path.join(somebody.home, ".local/share/patchcord-plugin/claude")]);
});

check("a second install.sh changes nothing, and --uninstall leaves everything else as it was", async () => {
    const somebody = person();
    const before = files(somebody);
    await install(somebody);
    expectDocuments(somebody);
    const once = files(somebody);
    await install(somebody);
    expectSame(once, files(somebody), "the second time");
    await agent(somebody, "second@shop");
    await must(somebody, "patchcord", ["agent", "--remove"]);
    writeFileSync(path.join(somebody.home, ".local/bin/other"), "not ours");
    await install(somebody, "--uninstall");
    const after = files(somebody);
    expect(after[".local/bin/other"] === "not ours", "a file of somebody else's is gone");
    expect(after[".config/patchcord/credentials.json"], "the credentials are gone");
    for (const ours of [".local/bin/other", ".config/patchcord/credentials.json", ".config/patchcord/credentials.lock"])
        delete after[ours];
    expectSame(before, after, "--uninstall");
});

check("--uninstall --purge removes the credentials, too", async () => {
    const somebody = person();
    await install(somebody);
    await agent(somebody, "purged@shop");
    await install(somebody, "--uninstall", "--purge");
    for (const gone of [".config/patchcord", ".local/state/patchcord", ".local/bin"])
        expect(!existsSync(path.join(somebody.home, gone)), `${gone} is still there`);
});

check("a program of the same name that is not ours is not overwritten", async () => {
    const somebody = person();
    const theirs = path.join(somebody.home, ".local/bin/patchcord");
    mkdirSync(path.dirname(theirs), { recursive: true });
    writeFileSync(theirs, "#!/bin/sh\necho 0.5.1\n", { mode: 0o755 });
    const { code, err } = await program(path.join(source, "install.sh"), [], { cwd: somebody.project, env: somebody.env });
    expect(code === 1, `exit code ${code}`);
    expectMatch(err, /is there already, and is none of ours/, "the message");
    expect(readFileSync(theirs, "utf8").includes("0.5.1"), "it was overwritten");
});

check("a man page that is not ours stays, and --uninstall does not run a program that took the place of ours", async () => {
    const somebody = person();
    const page = path.join(somebody.home, ".local/share/man/man1/patchcord.1");
    const ours = path.join(somebody.home, ".local/bin/patchcord");
    const mark = path.join(somebody.home, "was-run");
    mkdirSync(path.dirname(page), { recursive: true });
    writeFileSync(page, ".TH OTHER 1\n");
    await install(somebody, "--programs");
    expect(readFileSync(page, "utf8") === ".TH OTHER 1\n", "the page was overwritten");
    rmSync(ours);
    writeFileSync(ours, `#!/bin/sh\n[ "$1" = --version ] || touch ${mark}\n`, { mode: 0o755 });
    expectMatch(await install(somebody, "--uninstall"), /another program by now.*patchcord was changed since, and stays/s,
        "what it says");
    expect(existsSync(ours) && existsSync(page) && !existsSync(mark), "somebody else's was run or is gone");
    expect(!existsSync(path.join(somebody.home, ".local/bin/patchcord-relay")), "the relay is still there");
});

check("Codex starts with the bridge required, and reads its inbox", async () => {
    const { url, seen } = await codexModel("inbox", {});
    const somebody = person(url);
    await install(somebody);
    await paste(somebody, "codex@shop", "--client", "codex");
    const file = path.join(somebody.project, ".codex/config.toml");
    writeFileSync(file, `${readFileSync(file, "utf8")}required = true\ndefault_tools_approval_mode = "approve"\n`);
    const sent = await program(bridge, ["send", "codex", "hello codex"], {
        env: environment(somebody.home, { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: await relay.token("sender@shop") }) });
    expect(sent.code === 0, sent.err);
    await must(somebody, "codex", ["exec", "--skip-git-repo-check", "read your inbox"]);
    expectMatch(seen.result ?? "", /hello codex/, "the tool's result");
    expectNoToken(somebody);
});

// ---- releases ----

// A folder as packaging/dist.sh makes it, from what is built here.
function release() {
    const made = folder();
    const name = `patchcord-9.9.9-linux-${execFileSync("uname", ["-m"], { encoding: "utf8" }).trim()}`;
    mkdirSync(path.join(made, name));
    execFileSync("cp", [path.join(build, "patchcord"), path.join(build, "patchcord-relay"), "install.sh",
        "packaging/manual.sh", path.join(made, name)]);
    execFileSync("tar", ["-C", made, "-czf", path.join(made, `${name}.tar.gz`), name]);
    const sum = execFileSync("sha256sum", [`${name}.tar.gz`], { cwd: made, encoding: "utf8" });
    writeFileSync(path.join(made, "SHA256SUMS"), sum);
    return { folder: made, archive: path.join(made, `${name}.tar.gz`) };
}

async function piped(somebody, ...args) {
    return program("sh", ["-s", "--", "--programs", ...args], { cwd: somebody.project, env: somebody.env,
        input: readFileSync("install.sh", "utf8") });
}

check("piped into sh, install.sh gets a release, checks and installs it", async () => {
    const somebody = person();
    const published = release();
    const url = await scripted((body, request, response) => createReadStream(path.join(published.folder,
        path.basename(request.url))).on("error", () => response.writeHead(404).end()).pipe(response));
    for (const where of [url, published.folder]) {
        const { code, out, err } = await piped(somebody, "--release", where);
        expect(code === 0, `${where}: exit code ${code}\n${out}${err}`);
        expectMatch(await must(somebody, "patchcord", ["--version"]), /^patchcord \d/, "the version");
    }
    expectDocuments(somebody);
    await must(somebody, "sh", ["-s", "--", "--uninstall"], { input: readFileSync("install.sh", "utf8") });
    for (const gone of [".local/bin", ".local/share"])
        expect(!existsSync(path.join(somebody.home, gone)), `${gone} is still there`);
});

check("an archive that is not what SHA256SUMS says is not unpacked", async () => {
    const somebody = person();
    const published = release();
    writeFileSync(published.archive, Buffer.concat([readFileSync(published.archive), Buffer.from("x")]));
    const changed = await piped(somebody, "--release", published.folder);
    expect(changed.code === 1, `exit code ${changed.code}`);
    expectMatch(changed.err, /is not what SHA256SUMS says/, "the message");
    const clear = await piped(somebody, "--release", "http://relay.example.com");
    expectMatch(clear.err, /use https/, "the message");
    const nothing = await piped(somebody);
    expectMatch(nothing.err, /say --release URL/, "the message");
    expect(!existsSync(path.join(somebody.home, ".local/bin/patchcord")), "something was installed");
});

await run();
