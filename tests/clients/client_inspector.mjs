// The MCP Inspector's command line: tools/list, and a message that is sent, read and answered; over stdio and over HTTP, in
// both eras.
import path from "node:path";
import { bridge, check, clients, environment, expect, expectMatch, folder, program, Relay, run, sentId } from "./lib.mjs";

const inspector = path.join(clients, "node_modules/.bin/mcp-inspector");
const home = folder();
const relay = await Relay.start({ PATCHCORD_RATE_LIMIT_PER_MINUTE: "0" });
const tokens = { frontend: await relay.token("frontend@shop"), backend: await relay.token("backend@shop") };

const transports = {
    stdio: (token) => [
        ["-e", `PATCHCORD_URL=${relay.url}`, "-e", `PATCHCORD_TOKEN=${token}`, "-e", `HOME=${home}`],
        ["--", bridge, "mcp"],
    ],
    http: (token) => [
        ["--transport", "http", "--header", `Authorization: Bearer ${token}`, "--stored-auth-only",
            "--server-url", `${relay.url}/mcp`],
        [],
    ],
};

// Runs one method as that agent and returns its result.
async function inspect(transport, era, agent, method, ...more) {
    const [before, after] = transports[transport](tokens[agent]);
    const args = ["--cli", ...before, "--protocol-era", era, "--format", "json", "--method", method, ...more, ...after];
    const { code, out, err } = await program(inspector, args, { env: environment(home), cwd: home });
    expect(code === 0, `${method}: exit code ${code}\n${out}\n${err}`);
    const answer = JSON.parse(out);
    return answer.result ?? answer;
}

async function call(transport, era, agent, tool, args) {
    const words = ["--tool-name", tool, "--tool-args-json", JSON.stringify(args)];
    const result = await inspect(transport, era, agent, "tools/call", ...words);
    expect(!result.isError, `${tool}: ${JSON.stringify(result)}`);
    return result.content[0].text;
}

for (const transport of Object.keys(transports)) {
    for (const era of ["legacy", "modern", "auto"]) {
        check(`tools/list over ${transport}, ${era}`, async () => {
            const { tools } = await inspect(transport, era, "frontend", "tools/list");
            const names = tools.map((tool) => tool.name);
            for (const name of ["inbox", "send_message", "reply", "wait_for_message", "unsend_message", "recall"])
                expect(names.includes(name), `${name} is missing in ${names}`);
        });
    }
    for (const era of ["legacy", "modern"]) {
        check(`send, inbox, reply over ${transport}, ${era}`, async () => {
            const question = `over ${transport}, ${era}`;
            const id = sentId(await call(transport, era, "frontend", "send_message", { to: "backend", content: question }));
            const inbox = await call(transport, era, "backend", "inbox", {});
            expect(inbox.includes(id) && inbox.includes(`> ${question}`), inbox);
            await call(transport, era, "backend", "reply", { message_id: id, content: `answered ${question}` });
            const answer = await call(transport, era, "frontend", "inbox", {});
            expectMatch(answer, new RegExp(`> answered ${question}`), "the answer");
        });
    }
}

await run();
