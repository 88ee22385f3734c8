// The pages of the relay in a real browser (headless Chromium): they fit a phone and a desk, can be used by keyboard alone and
// without JavaScript, axe-core finds nothing serious, and nothing breaks their policy. Screenshots: build/screenshots/.
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
    atEnd, build, certificate, check, clients, environment, expect, expectMatch, folder, freePort, proxy, run, scripted, until,
} from "./lib.mjs";
import { connectCode, startRelay } from "./consent.mjs";

const require = createRequire(path.join(clients, "package.json"));
const { default: puppeteer } = await import(pathToFileURL(require.resolve("puppeteer-core")));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const screenshots = path.join(build, "screenshots");
mkdirSync(screenshots, { recursive: true });

const relay = await startRelay({ PATCHCORD_NAME: "Ada's relay" });
const home = folder();
const chromium = await puppeteer.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--disable-gpu", "--disable-dev-shm-usage", ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
    env: environment(home),
    acceptInsecureCerts: true,
});
atEnd(() => chromium.close());

// What the browser complains about, on any page: a broken policy, a script's error, something that does not load. That a page
// comes with a status of 400 is said of those that are meant to.
const complaints = [];
const refused = /Failed to load resource: .* status of 400/;
async function open({ width = 1280, dark = false, script = true } = {}) {
    const page = await (await chromium.createBrowserContext()).newPage();
    await page.setViewport({ width, height: 800, deviceScaleFactor: 1 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    await page.setJavaScriptEnabled(script);
    page.on("console", (message) => refused.test(message.text()) || complaints.push(`${page.url()}: ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error}`));
    const session = await page.createCDPSession();
    session.on("Audits.issueAdded", ({ issue }) => complaints.push(`${page.url()}: ${issue.code} ${JSON.stringify(issue.details)}`));
    await session.send("Audits.enable");
    return page;
}

// The client that waits for its answer on a loopback port.
const goodbye = "<!DOCTYPE html><html lang=en><title>Client</title><link rel=icon href=data:,><h1>Back at the client</h1>";
const answers = [];
const client = await scripted((body, request, response) => {
    if (request.url.startsWith("/callback")) answers.push(new URL(request.url, client));
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end(goodbye);
});

async function register(name, redirect, at) {
    const answer = await fetch(`${at.url}/register`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ client_name: name, redirect_uris: [redirect], token_endpoint_auth_method: "none" }),
    });
    expect(answer.status === 201, `register: ${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()).client_id;
}

async function authorizeUrl(redirect = `${client}/callback`, name = "A reading & writing assistant", at = relay) {
    return `${at.issuer}/authorize?${new URLSearchParams({
        response_type: "code", client_id: await register(name, redirect, at), redirect_uri: redirect, resource: at.mcp,
        state: "xyz", code_challenge: createHash("sha256").update(randomBytes(32)).digest("base64url"),
        code_challenge_method: "S256",
    })}`;
}

async function deviceCode() {
    const answer = await fetch(`${relay.issuer}/device_authorization`, {
        method: "POST",
        headers: { "X-Patchcord-Machine": "ada-laptop" },
        body: new URLSearchParams({ client_id: "patchcord" }),
    });
    expect(answer.status === 200, `device_authorization: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
}

// ---- what holds for each page ----

async function inspect(page, name, width) {
    await page.screenshot({ path: path.join(screenshots, `${name}-${width}.png`), fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide <= 0, `${name} is ${wide} pixels wider than the window`);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    expect(passes.length > 5, `axe checked nothing on ${name}`);
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(!serious.length, `${name}: ${JSON.stringify(serious.map(({ id, help, nodes }) =>
        [id, help, nodes.map(({ html }) => html)]), null, 1)}`);
}

// By keyboard alone: Tab until what has the focus is that, as a person sees it.
async function tabTo(page, selector) {
    for (let presses = 0; presses < 20; presses++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) {
            const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
            expect(outline !== "none", `the focus on ${selector} is not to be seen`);
            return;
        }
    }
    throw new Error(`Tab does not lead to ${selector}`);
}

async function press(page, key) {
    await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
}

const code = "input[type=text]";
const back = async (page) => expectMatch(await page.content(), /Back at the client/, "the page after the decision");

const pages = {
    consent: async (page) => page.goto(await authorizeUrl()),
    "consent-long": async (page) => page.goto(await authorizeUrl(
        `https://${"a-rather-long-name-of-a-host.".repeat(6)}example/callback`, "W".repeat(200))),
    "consent-wrong": async (page) => {
        await page.goto(await authorizeUrl());
        await tabTo(page, code);
        await page.keyboard.type("0000-0000-0000-0");
        await press(page, "Enter");
        expect(await page.$eval(code, (input) => input.getAttribute("aria-invalid")) === "true", "the field is not marked");
    },
    device: (page) => page.goto(`${relay.issuer}/device`),
    "device-decide": async (page) => {
        await page.goto(`${relay.issuer}/device`);
        await tabTo(page, code);
        await page.keyboard.type((await deviceCode()).user_code);
        await press(page, "Enter");
        expectMatch(await page.content(), /ada-laptop[^]*127\.0\.0\.1/, "the page about the device");
    },
    error: (page) => page.goto(`${relay.issuer}/authorize?client_id=nobody`),
};
for (const [name, visit] of Object.entries(pages)) {
    for (const [width, dark] of [[360, false], [1280, false], [360, true]]) {
        check(`${name} at ${width} pixels${dark ? ", dark" : ""}: it fits, and axe-core finds nothing serious`, async () => {
            const page = await open({ width, dark });
            await visit(page);
            await inspect(page, dark ? `${name}-dark` : name, width);
            await page.close();
        });
    }
}

// ---- what a person does ----

for (const script of [true, false]) {
    const how = `by keyboard alone${script ? "" : ", without JavaScript"}`;
    check(`a client is allowed in ${how}`, async () => {
        const connect = await connectCode(relay, "browser@shop");
        const page = await open({ width: 360, script });
        await page.goto(await authorizeUrl());
        await tabTo(page, code);
        await page.keyboard.type(connect.toLowerCase().replaceAll("-", " "));
        await press(page, "Enter");
        await back(page);
        const { searchParams } = answers.at(-1);
        expect(searchParams.get("code") && searchParams.get("state") === "xyz" && searchParams.get("iss") === relay.issuer,
            String(searchParams));
        await page.close();
    });
    check(`a client is refused ${how}`, async () => {
        const page = await open({ script });
        await page.goto(await authorizeUrl());
        await tabTo(page, "button:last-of-type");
        await press(page, "Enter");
        await back(page);
        const { searchParams } = answers.at(-1);
        expect(searchParams.get("error") === "access_denied" && !searchParams.has("code"), String(searchParams));
        await page.close();
    });
    check(`a terminal is allowed in ${how}`, async () => {
        const device = await deviceCode();
        const page = await open({ script });
        await page.goto(device.verification_uri_complete);
        expect(await page.$eval(code, (input) => input.value) === device.user_code, "the code is not filled in");
        await tabTo(page, code);
        await press(page, "Enter");
        await tabTo(page, code);
        await page.keyboard.type(await connectCode(relay, "terminal@shop"));
        await press(page, "Enter");
        const answer = await fetch(`${relay.issuer}/token`, {
            method: "POST",
            body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:device_code",
                device_code: device.device_code, client_id: "patchcord" }),
        });
        const token = await answer.json();
        expect(token.agent === "terminal" && token.namespace === "shop", `${answer.status} ${JSON.stringify(token)}`);
        if (script) await inspect(page, "device-done", 1280);
        await page.close();
    });
}

check("a wrong code, then the right one", async () => {
    const page = await open();
    await page.goto(await authorizeUrl());
    for (const typed of ["0000-0000-0000-0", await connectCode(relay, "second@shop")]) {
        await tabTo(page, code);
        await page.keyboard.type(typed);
        await press(page, "Enter");
    }
    await back(page);
    await page.close();
});

check("the form leads to a client's own site, and the policy allows it", async () => {
    const callback = "https://claude.ai/api/mcp/auth_callback";
    const page = await open();
    await page.setRequestInterception(true);
    page.on("request", (request) => (request.url().startsWith(callback)
        ? request.respond({ status: 200, contentType: "text/html", body: goodbye })
        : request.continue()));
    await page.goto(await authorizeUrl(callback, "Claude"));
    expectMatch(await page.$eval("main", (main) => main.innerText), /claude\.ai/, "the page");
    await tabTo(page, code);
    await page.keyboard.type(await connectCode(relay, "claudeai@shop"));
    await press(page, "Enter");
    await back(page);
    expect(page.url().startsWith(`${callback}?code=`), page.url());
    await page.close();
});

check("behind a proxy with TLS a client is allowed in, too", async () => {
    const port = await freePort();
    const secured = await startRelay({ PATCHCORD_PUBLIC_URL: `https://localhost:${port}` });
    await proxy(secured.url, {}, { listen: port, tls: await certificate([]) });
    expect(secured.issuer === `https://localhost:${port}`, secured.issuer);
    const page = await open();
    await page.goto(await authorizeUrl(`${client}/callback`, "Over TLS", secured));
    await tabTo(page, code);
    await page.keyboard.type(await connectCode(secured, "browser@shop"));
    await press(page, "Enter");
    await back(page);
    expect(answers.at(-1).searchParams.get("iss") === secured.issuer, answers.at(-1).href);
    await page.close();
});

check("what a client calls itself stays text", async () => {
    const page = await open();
    await page.goto(await authorizeUrl(`${client}/callback`, "<img src=x onerror=alert(1)>\"><script>alert(2)</script>"));
    expect(await page.$("img, script") === null, "the name became a part of the page");
    expectMatch(await page.$eval("main", (main) => main.innerText), /<img src=x onerror=alert\(1\)>/, "the page");
    await page.close();
});

check("nothing of all that made the browser complain", () => expect(!complaints.length, complaints.join("\n")));

check("no other page can frame ours", async () => {
    const page = await open();
    const url = await authorizeUrl();
    const outside = await scripted((body, request, response) => {
        response.writeHead(200, { "Content-Type": "text/html" });
        response.end(`<!DOCTYPE html><iframe src="${url.replaceAll("&", "&amp;")}"></iframe>`);
    });
    await page.goto(outside);
    const inner = await until(() => page.frames().find((frame) => frame.parentFrame() && frame.url() !== "about:blank"), "the frame");
    expectMatch(inner.url(), /^chrome-error:/, "the frame");
    await page.close();
});

await run();
