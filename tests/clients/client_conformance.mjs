// The MCP project's own conformance suite against the relay, in both eras. It can send no token, so a proxy adds one.
import path from "node:path";
import { check, clients, environment, expect, expectMatch, folder, program, proxy, Relay, run } from "./lib.mjs";

const suite = path.join(clients, "node_modules/.bin/conformance");
const here = path.resolve("tests/clients");
const home = folder();
const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const token = await relay.token("conformance@suite");
const front = await proxy(relay.url, { authorization: `Bearer ${token}` });

// What a relay without fixture tools has to pass in full, beside what the expected failures leave of the rest.
const applies = {
    "2025-11-25": ["server-initialize", "ping", "tools-list", "prompts-list", "dns-rebinding-protection"],
    "2026-07-28": ["tools-list", "prompts-list", "server-sse-multiple-streams", "dns-rebinding-protection",
        "sep-2164-resource-not-found", "caching", "http-header-validation",
        "input-required-result-unsupported-methods", "input-required-result-validate-input"],
};
for (const [revision, scenarios] of Object.entries(applies)) {
    let report = "";
    check(`what ${revision} requires, but for the expected failures`, async () => {
        const expected = path.join(here, `expected-failures-${revision}.yml`);
        const args = ["server", "--url", `${front}/mcp`, "--requirements", revision, "--expected-failures", expected];
        const result = await program(suite, args, { env: environment(home), cwd: home, seconds: 240 });
        report = result.out;
        expect(result.code === 0, `exit code ${result.code}\n${result.out}\n${result.err}`);
    });
    for (const scenario of scenarios) {
        check(`${scenario} (${revision})`, () =>
            expectMatch(report, new RegExp(`✓ ${scenario}: [1-9][0-9]* passed, 0 failed`), "the summary"));
    }
}

await run();
