// The MCP project's conformance suite against the relay's authorization server, through the consent page; and then its server
// scenarios with the token of an OAuth agent.
import { createHash, randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { atEnd, check, clients, environment, expect, expectMatch, folder, freePort, program, proxy, run, until } from "./lib.mjs";
import { codePattern, connectCode, consent, consentAndReturn, examplesFor, startRelay } from "./consent.mjs";

const suite = path.join(clients, "node_modules/.bin/conformance");
const here = path.resolve("tests/clients");
const home = folder();
const relay = await startRelay();

async function register(redirect_uris) {
    const answer = await fetch(`${relay.issuer}/register`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ client_name: "conformance", redirect_uris, token_endpoint_auth_method: "none" }),
    });
    expect(answer.status === 201, `register: ${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()).client_id;
}

let report = "";
check("the authorization scenarios", async () => {
    const clientId = await register(["http://127.0.0.1/callback"]);
    const code = await connectCode(relay, "conformance@suite");
    const child = spawn(suite, ["authorization", "--url", relay.issuer, "--client-id", clientId, "--resource", relay.mcp,
        "-p", String(await freePort())], { env: environment(home), cwd: home, stdio: ["ignore", "pipe", "pipe"] });
    const ended = once(child, "close");
    const timer = setTimeout(() => child.kill("SIGKILL"), 60000);
    atEnd(() => child.kill("SIGKILL"));
    child.stderr.setEncoding("utf8").on("data", (text) => (report += text));
    child.stdout.setEncoding("utf8").on("data", (text) => (report += text));
    const found = await until(() => /^http\S+\/authorize\?\S+$/m.exec(report) ?? child.exitCode !== null, "the authorize URL");
    expect(found !== true, report);
    await consentAndReturn(found[0], code);
    const [exit] = await ended;
    clearTimeout(timer);
    expect(exit === 0, `exit code ${exit}\n${report}`);
});
for (const scenario of ["authorization-server-metadata-endpoint", "authorization-code-grant"]) {
    check(scenario, () =>
        expectMatch(report, new RegExp(`✓ ${scenario}: [1-9][0-9]* passed, 0 failed`), "the summary"));
}

// The code flow by hand: an access token for that agent.
async function accessToken(address) {
    const redirect = "http://127.0.0.1:3000/callback";
    const verifier = randomBytes(32).toString("base64url");
    const client_id = await register([redirect]);
    const url = `${relay.issuer}/authorize?${new URLSearchParams({
        response_type: "code", client_id, redirect_uri: redirect, resource: relay.mcp, state: "s",
        code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
    })}`;
    const back = new URL(await consent(url, await connectCode(relay, address)));
    const answer = await fetch(`${relay.issuer}/token`, {
        method: "POST",
        body: new URLSearchParams({ grant_type: "authorization_code", code: back.searchParams.get("code"), client_id,
            redirect_uri: redirect, code_verifier: verifier, resource: relay.mcp }),
    });
    expect(answer.status === 200, `token: ${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()).access_token;
}

for (const revision of ["2025-11-25", "2026-07-28"]) {
    check(`what ${revision} requires of a server, over an OAuth token, but for the expected failures`, async () => {
        const front = await proxy(relay.url, { authorization: `Bearer ${await accessToken(`oauth-${revision}@suite`)}` });
        const expected = path.join(here, `expected-failures-${revision}.yml`);
        const args = ["server", "--url", `${front}/mcp`, "--requirements", revision, "--expected-failures", expected];
        const result = await program(suite, args, { env: environment(home), cwd: home, seconds: 240 });
        expect(result.code === 0, `exit code ${result.code}\n${result.out}\n${result.err}`);
        expectMatch(result.out, /✓ tools-list: [1-9][0-9]* passed, 0 failed/, "the summary");
    });
}

check("what docs/oauth-web-clients.md has people type", async () => {
    const sh = async (line) => {
        const { code, out, err } = await program("sh", ["-c", line], { env: relay.env });
        expect(code === 0, `${line}: exit code ${code}: ${err}`);
        return out;
    };
    const [metadata, registration] = examplesFor(relay, "curl");
    expect(JSON.parse(await sh(metadata)).resource === relay.mcp, "the resource is another one");
    expect(JSON.parse(await sh(registration)).client_id, "no client_id");
    await accessToken("claudeai@myproject");
    const lines = examplesFor(relay, "patchcord-relay");
    for (const line of lines.filter((text) => text.includes(" connect "))) expectMatch(await sh(line), codePattern, line);
    expectMatch(await sh(lines.find((text) => text.includes("grants list"))), /claudeai@myproject/, "the list");
    expectMatch(await sh(lines.find((text) => text.includes("grants revoke"))), /^1 revoked$/m, "what is said");
});

await run();
