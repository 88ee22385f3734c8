// The files of bridge/plugin/ as the real programs see them: Claude Code takes the plugin without a warning, adds the folder as a
// marketplace and installs from it; Codex takes its skill.
import { cpSync, mkdirSync } from "node:fs";
import path from "node:path";
import { check, environment, expect, expectMatch, folder, program, run } from "./lib.mjs";

const plugin = path.resolve("bridge/plugin");

async function claude(home, ...args) {
    const env = environment(home, { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_AUTOUPDATER: "1" });
    const result = await program("claude", ["plugin", ...args], { env, cwd: home, seconds: 90 });
    expect(result.code === 0, `claude plugin ${args[0]}: exit code ${result.code}\n${result.out}\n${result.err}`);
    return result.out;
}

check("validate --strict --profile directory finds nothing", async () => {
    const out = await claude(folder(), "validate", "--strict", "--profile", "directory", path.join(plugin, "claude"));
    expectMatch(out, /These checks found nothing to report/, "the report");
    expectMatch(out, /✔ Validation passed/, "the report");
    for (const hook of ["session-start", "user-prompt", "stop", "notification"])
        expectMatch(out, new RegExp(`command patchcord \\["hook","${hook}"`), "the report");
});

check("validate takes the skills of Codex and of the web", async () => {
    const home = folder();
    await claude(home, "validate", "--strict", path.join(plugin, "codex/skills"));
    const web = path.join(home, "skills/web");
    mkdirSync(web, { recursive: true });
    cpSync(path.join(plugin, "web/SKILL.md"), path.join(web, "SKILL.md"));
    await claude(home, "validate", "--strict", path.dirname(web));
});

check("the folder is a marketplace, and the plugin installs from it", async () => {
    const home = folder();
    await claude(home, "marketplace", "add", path.join(plugin, "claude"));
    await claude(home, "install", "patchcord@patchcord");
    expectMatch(await claude(home, "list"), /patchcord@patchcord[^]*Status: ✔ enabled/, "the list");
    const details = await claude(home, "details", "patchcord@patchcord");
    expectMatch(details, /Skills \(4\) +inbox, listen, patchcord, wait/, "the details");
    expectMatch(details, /Hooks \(4\)/, "the details");
});

await run();
