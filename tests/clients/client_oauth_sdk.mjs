// The official TypeScript SDK's OAuth client, versions 1 and 2: it registers itself or has a metadata document, gets its
// tokens through the consent page, works, refreshes what has expired, and is cut off when its grant is revoked.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { check, clients, environment, expect, expectMatch, folder, program, build, run, sentId, until } from "./lib.mjs";
import { connectCode, consent, grants, startRelay } from "./consent.mjs";
import { enterWeb, startWeb } from "./web.mjs";

enterWeb();

const require = createRequire(path.join(clients, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const kinds = {
    "version 1": {
        sdk: { ...(await load("@modelcontextprotocol/sdk/client/index.js")),
            ...(await load("@modelcontextprotocol/sdk/client/streamableHttp.js")) },
        options: {},
        answer: (parameters) => parameters.get("code"),
    },
    "version 2, legacy": {
        sdk: await load("@modelcontextprotocol/client"),
        options: { versionNegotiation: { mode: "legacy" } },
        answer: (parameters) => parameters,
    },
    "version 2, modern": {
        sdk: await load("@modelcontextprotocol/client"),
        options: { versionNegotiation: { mode: { pin: "2026-07-28" } } },
        answer: (parameters) => parameters,
    },
};

const redirect = "http://localhost:3118/callback";
const documentUrl = "https://client.example/oauth/metadata.json";
const metadata = {
    client_name: "SDK test",
    redirect_uris: [redirect],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
};
const web = await startWeb({
    [documentUrl]: { client_id: documentUrl, ...metadata, redirect_uris: ["http://localhost/callback"] },
}, { "Cache-Control": "max-age=600" });

const lifetime = 4;
const relay = await startRelay({
    PATCHCORD_CA_FILE: web.caFile,
    PATCHCORD_OAUTH_ACCESS_TOKEN_TTL_SECONDS: String(lifetime),
});
const frontend = await relay.token("frontend@shop");

// What a client program keeps between its starts.
class Person {
    constructor(clientMetadataUrl) {
        this.clientMetadataUrl = clientMetadataUrl;
        this.redirectUrl = redirect;
        this.clientMetadata = metadata;
        this.saved = [];
    }
    state = () => "state-of-the-client";
    clientInformation = () => this.information;
    saveClientInformation = (information) => void (this.information = information);
    tokens = () => this.saved.at(-1);
    saveTokens = (tokens) => void this.saved.push(tokens);
    saveCodeVerifier = (verifier) => void (this.verifier = verifier);
    codeVerifier = () => this.verifier;
    redirectToAuthorization = (url) => void (this.url = url);
    saveDiscoveryState = (state) => void (this.discovered = state);
    discoveryState = () => this.discovered;
    invalidateCredentials = (scope) => void (scope === "tokens" && (this.saved = []));
}

async function logIn({ sdk, options, answer }, person, address) {
    const transport = () => new sdk.StreamableHTTPClientTransport(new URL(relay.mcp), { authProvider: person });
    const first = transport();
    const refused = await new sdk.Client({ name: "sdk-test", version: "1.0.0" }, options).connect(first)
        .then(() => "connected", (error) => error.constructor.name);
    expect(person.url, `no authorization was begun: ${refused}`);
    expect(person.url.origin === relay.issuer && person.url.searchParams.get("resource") === relay.mcp, person.url.href);
    const back = new URL(await consent(person.url, await connectCode(relay, address)));
    expect(back.href.startsWith(`${redirect}?`), back.href);
    expect(back.searchParams.get("state") === "state-of-the-client", back.href);
    expect(back.searchParams.get("iss") === relay.issuer, back.href);
    await first.finishAuth(answer(back.searchParams));
    return connect({ sdk, options }, person);
}

async function connect({ sdk, options }, person) {
    const client = new sdk.Client({ name: "sdk-test", version: "1.0.0" }, options);
    await client.connect(new sdk.StreamableHTTPClientTransport(new URL(relay.mcp), { authProvider: person }));
    return client;
}

async function call(client, name, args = {}) {
    const result = await client.callTool({ name, arguments: args });
    expect(!result.isError, JSON.stringify(result));
    return result.content[0].text;
}

const patchcord = async (...args) => {
    const { code, out, err } = await program(path.join(build, "patchcord"), args, {
        env: environment(relay.home, { PATCHCORD_URL: relay.url, PATCHCORD_TOKEN: frontend }),
    });
    expect(code === 0, err);
    return out;
};

async function work(ways, url, agent) {
    const person = new Person(url);
    let client = await logIn(ways, person, `${agent}@shop`);
    expect((person.information?.client_id === documentUrl) === Boolean(url), JSON.stringify(person.information));
    const [given] = person.saved;
    expect(given.expires_in === lifetime && given.refresh_token, JSON.stringify(Object.keys(given)));

    expect((await client.listTools()).tools.length >= 6, "tools are missing");
    const id = sentId(await call(client, "send_message", { to: "frontend", content: `hello from ${agent}` }));
    expectMatch(await patchcord("recall", "--from", agent), new RegExp(`> hello from ${agent}`), "what frontend sees");
    await patchcord("reply", id, `welcome, ${agent}`);

    // Once the token has run out, the client has to have had a new one.
    await until(() => call(client, "recall").then(() => person.saved.length > 1), "a refresh");
    expect(person.saved.at(-1).access_token !== given.access_token, "the same access token again");
    expect(person.saved.at(-1).refresh_token !== given.refresh_token, "the refresh token was not rotated");
    expectMatch(await call(client, "inbox"), new RegExp(`From frontend[^]*> welcome, ${agent}`), "the answer");
    await client.close();

    // A program that is started again goes on with what it has.
    client = await connect(ways, person);
    expect((await client.listTools()).tools.length >= 6, "tools are missing after the second start");
    await client.close();
}

// They run beside each other, since each waits for its token to run out; each check then looks at its own.
const runs = Object.entries(kinds).flatMap(([kind, ways], index) => [
    [`${kind} registers itself, logs in, sends, gets an answer and refreshes`, () => work(ways, undefined, `registered${index}`)],
    [`${kind} has a metadata document, logs in, sends, gets an answer and refreshes`, () => work(ways, documentUrl, `described${index}`)],
]);
const outcomes = Promise.allSettled(runs.map(([, body]) => body()));
for (const [index, [name]] of runs.entries()) {
    check(name, async () => {
        const outcome = (await outcomes)[index];
        if (outcome.status === "rejected") throw outcome.reason;
    });
}

check("the metadata document is kept", async () => {
    const before = web.count(documentUrl);
    expect(before > 0, "it was never fetched");
    const page = await fetch(`${relay.issuer}/authorize?${new URLSearchParams({
        response_type: "code", client_id: documentUrl, redirect_uri: redirect, resource: relay.mcp,
        code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256",
    })}`);
    expectMatch(await page.text(), /SDK test[^]*client\.example/, "the consent page");
    expect(web.count(documentUrl) === before, "it was fetched again");
});

check("a revoked grant ends a wait, and nothing works any more", async () => {
    const ways = kinds["version 2, modern"];
    const person = new Person();
    const client = await logIn(ways, person, "leaver@shop");
    const waiting = client.callTool({ name: "wait_for_message", arguments: { timeout_seconds: 50 } })
        .then((result) => (result.isError ? "error" : "message"), () => "error");
    await until(() => patchcord("agents").then((text) => text.includes("leaver")), "the agent");
    expectMatch(await grants(relay), /leaver@shop/, "the list of grants");
    const args = ["grants", "revoke", "--agent", "leaver@shop"];
    const revoked = await program(path.join(build, "patchcord-relay"), args, { env: relay.env });
    expect(revoked.code === 0, revoked.err);
    expect(await waiting === "error", "the wait went on");
    person.url = undefined;
    const again = await client.listTools().then(() => "listed", () => "refused");
    expect(again === "refused" && person.url, `after the revocation: ${again}`);
    expect(!(await grants(relay)).includes("leaver@shop"), "the grant is listed still");
    await client.close();
});

await run();
