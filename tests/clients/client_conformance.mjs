// The MCP project's own conformance suite against the relay, in both eras. It can send no token, so a proxy adds one.
import path from "node:path";
import { check, clients, environment, expect, folder, program, proxy, Relay, run } from "./lib.mjs";

const suite = path.join(clients, "node_modules/.bin/conformance");
const here = path.resolve("tests/clients");
const home = folder();
const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const token = await relay.token("conformance@suite");
const front = await proxy(relay.url, { authorization: `Bearer ${token}` });

async function conformance(...args) {
    const { code, out, err } = await program(suite, ["server", "--url", `${front}/mcp`, ...args], {
        env: environment(home),
        cwd: home,
        seconds: 240,
    });
    expect(code === 0, `exit code ${code}\n${out}\n${err}`);
}

for (const revision of ["2026-07-28", "2025-11-25"]) {
    check(`everything that ${revision} requires, but for the expected failures`, () =>
        conformance("--requirements", revision, "--expected-failures", path.join(here, `expected-failures-${revision}.yml`)));
}

// What applies to a relay without fixture tools, each alone and without any excuse.
const applies = {
    "2025-11-25": ["server-initialize", "ping", "tools-list", "server-sse-multiple-streams", "dns-rebinding-protection"],
    "2026-07-28": ["tools-list", "server-sse-multiple-streams", "dns-rebinding-protection", "sep-2164-resource-not-found",
        "http-header-validation", "server-stateless", "caching"],
};
for (const [revision, scenarios] of Object.entries(applies)) {
    for (const scenario of scenarios) {
        check(`${scenario} (${revision})`, () => conformance("--scenario", scenario, "--spec-version", revision));
    }
}

await run();
