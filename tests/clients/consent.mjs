// The person at the other end of a login: gets a connect code from the operator, and decides on the relay's page, as a
// browser without JavaScript would.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build, examples, expect, folder, program, Relay } from "./lib.mjs";

// A relay whose URL for people is relay.issuer, with what logging in needs.
export async function startRelay(more = {}) {
    const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0", PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE: "0", ...more });
    const metadata = await fetch(`${relay.url}/.well-known/oauth-authorization-server`).then((answer) => answer.json());
    relay.issuer = metadata.issuer;
    relay.mcp = `${relay.issuer}/mcp`;
    return relay;
}

// The lines of docs/oauth-web-clients.md that begin with that program, for this relay.
export function examplesFor(relay, command) {
    return examples("docs/oauth-web-clients.md", command).map((line) => line.replaceAll("https://relay.example.com", relay.issuer));
}

export const codePattern = /\b[0-9A-Z]{4}(-[0-9A-Z]{1,4}){3}\b/;

// What the operator prints for agent@namespace, once.
export async function connectCode(relay, address) {
    const [agent, namespace] = address.split("@");
    const args = ["connect", "--namespace", namespace, "--agent", agent];
    const { code, out, err } = await program(path.join(build, "patchcord-relay"), args, { env: relay.env });
    expect(code === 0, `connect: ${err}`);
    const found = codePattern.exec(out);
    expect(found, `no connect code in: ${out}`);
    return found[0];
}

// What `patchcord-relay grants list` says.
export async function grants(relay) {
    const { code, out, err } = await program(path.join(build, "patchcord-relay"), ["grants", "list"], { env: relay.env });
    expect(code === 0, `grants list: ${err}`);
    return out;
}

function unescape(text) {
    const names = { amp: "&", lt: "<", gt: ">", quot: '"' };
    return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) =>
        (name ? names[name] ?? whole : String.fromCodePoint(parseInt(decimal ?? hex, decimal ? 10 : 16))));
}

function attributes(tag) {
    const found = [...tag.matchAll(/([a-z-]+)(?:="([^"]*)")?/gi)].slice(1);
    return Object.fromEntries(found.map(([, name, value]) => [name, unescape(value ?? "")]));
}

export class Browser {
    cookies = new Map();

    // {url, status, location, text, form: {action, hidden, fields, buttons}}; follows nothing.
    async ask(url, { method = "GET", headers = {}, body } = {}) {
        const cookie = [...this.cookies].map((pair) => pair.join("=")).join("; ");
        const answer = await fetch(url, { method, redirect: "manual", body,
            headers: { Accept: "text/html", ...(cookie ? { Cookie: cookie } : {}), ...headers } });
        for (const line of answer.headers.getSetCookie()) {
            const [name, ...value] = line.split(";")[0].split("=");
            this.cookies.set(name.trim(), value.join("="));
        }
        const text = await answer.text();
        const location = answer.headers.get("location");
        const tag = /<form[^>]*>/i.exec(text)?.[0];
        const inside = tag ? text.slice(text.indexOf(tag)) : "";
        const inputs = [...inside.matchAll(/<input[^>]*>/gi)].map(([input]) => attributes(input));
        return {
            url,
            status: answer.status,
            location: location && new URL(location, url).href,
            text,
            form: tag && {
                action: new URL(attributes(tag).action, url).href,
                hidden: Object.fromEntries(inputs.filter(({ type }) => type === "hidden").map(({ name, value }) => [name, value])),
                fields: inputs.filter(({ type }) => type !== "hidden").map(({ name }) => name),
                buttons: [...inside.matchAll(/<button[^>]*>/gi)].map(([button]) => attributes(button)),
            },
        };
    }

    // Sends a page's form with its first field filled in and its button of that number pressed.
    async submit(page, text, button = 0) {
        expect(page.form, `no form (${page.status}):\n${page.text}`);
        const body = new URLSearchParams(page.form.hidden);
        if (page.form.fields.length) body.set(page.form.fields[0], text);
        const pressed = page.form.buttons[button];
        if (pressed?.name) body.set(pressed.name, pressed.value);
        return this.ask(page.form.action, { method: "POST", body, headers: { Origin: new URL(page.url).origin } });
    }
}

// Goes from the authorize URL through the consent page; returns where the browser is then sent.
export async function consent(url, code) {
    const browser = new Browser();
    const page = await browser.ask(url);
    expect(page.status === 200, `the consent page: ${page.status}\n${page.text}`);
    const sent = await browser.submit(page, code);
    expect(sent.location, `no redirect after the consent (${sent.status}):\n${sent.text}`);
    return sent.location;
}

// The same, and then calls the client at its loopback address, as the browser does.
export async function consentAndReturn(url, code) {
    const location = await consent(url, code);
    const answer = await fetch(location, { redirect: "manual" });
    await answer.text();
    expect(answer.status < 400, `the client's own page: ${answer.status}`);
    return location;
}

// A program that is named in BROWSER, and writes the URL down instead of showing it: opened() is that URL, once there is one.
export function opener() {
    const home = folder();
    const seen = path.join(home, "url");
    const file = path.join(home, "browser");
    writeFileSync(file, `#!/bin/sh\nprintf '%s' "$1" >'${seen}.part' && mv '${seen}.part' '${seen}'\n`, { mode: 0o755 });
    return { program: file, opened: () => existsSync(seen) && readFileSync(seen, "utf8") };
}
