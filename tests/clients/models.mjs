// Models that follow a script, in the forms that Claude Code and Codex ask theirs: each calls one tool once and ends its turn.
// They are {url, seen}: seen.tools are the names that Claude Code offered, seen.result what came of the call, as JSON.
import { scripted, sendEvents } from "./lib.mjs";

export async function claudeModel(tool, input) {
    const seen = {};
    const url = await scripted((body, request, response) => {
        if (!request.url.startsWith("/v1/messages") || request.url.includes("count_tokens")) {
            response.writeHead(200, { "Content-Type": "application/json" });
            response.end(JSON.stringify({ input_tokens: 10 }));
            return;
        }
        const offered = (body.tools ?? []).map(({ name }) => name);
        const results = body.messages.flatMap(({ content }) => (Array.isArray(content) ? content : []))
            .filter(({ type }) => type === "tool_result");
        if (offered.includes(tool)) seen.tools = offered;
        if (results.length) seen.result = JSON.stringify(results);
        const calls = offered.includes(tool) && !results.length;
        const block = calls ? { type: "tool_use", id: "toolu_1", name: tool, input: {} } : { type: "text", text: "" };
        const delta = calls ? { type: "input_json_delta", partial_json: JSON.stringify(input) }
            : { type: "text_delta", text: "done" };
        sendEvents(response, [
            { type: "message_start", message: { id: "msg_1", type: "message", role: "assistant", model: body.model,
                content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 } } },
            { type: "content_block_start", index: 0, content_block: block },
            { type: "content_block_delta", index: 0, delta },
            { type: "content_block_stop", index: 0 },
            { type: "message_delta", delta: { stop_reason: calls ? "tool_use" : "end_turn", stop_sequence: null },
                usage: { output_tokens: 5 } },
            { type: "message_stop" },
        ]);
    });
    return { url, seen };
}

// tool is a tool of the MCP server patchcord.
export async function codexModel(tool, input) {
    const seen = {};
    const url = await scripted((body, request, response) => {
        if (!request.url.endsWith("/responses")) {
            response.writeHead(404).end();
            return;
        }
        const output = (body.input ?? []).find(({ type }) => type === "function_call_output");
        if (output) seen.result = JSON.stringify(output);
        const item = output
            ? { type: "message", role: "assistant", id: "msg_1", content: [{ type: "output_text", text: "done" }] }
            : { type: "function_call", id: "fc_1", call_id: "call_1", namespace: "mcp__patchcord", name: tool,
                arguments: JSON.stringify(input) };
        sendEvents(response, [
            { type: "response.created", response: { id: "resp_1" } },
            { type: "response.output_item.done", output_index: 0, item },
            { type: "response.completed", response: { id: "resp_1", usage: { input_tokens: 1, input_tokens_details: null,
                output_tokens: 1, output_tokens_details: null, total_tokens: 2 } } },
        ]);
    });
    return { url, seen };
}

// ---- whole turns ----

// A step is a function of what the model was asked with (its JSON as text) that says what the model does next: {call, input} or
// {say}. Each request that offers our tools takes the next one. Beyond the last it says so, and the test sees it in asked.
async function nextStep(steps, asked, body) {
    const text = JSON.stringify(body);
    asked.push(text);
    const step = steps[asked.length - 1];
    return step ? step(text) : { say: "there is no further step" };
}

export async function claudeTurn(steps) {
    const asked = [];
    const url = await scripted(async (body, request, response) => {
        if (!request.url.startsWith("/v1/messages") || request.url.includes("count_tokens")) {
            response.writeHead(200, { "Content-Type": "application/json" });
            response.end(JSON.stringify({ input_tokens: 10 }));
            return;
        }
        const ours = (body.tools ?? []).some(({ name }) => name === "mcp__patchcord__inbox");
        const { call, input, say } = ours ? await nextStep(steps, asked, body) : { say: "a title" };
        const block = call ? { type: "tool_use", id: `toolu_${asked.length}`, name: call, input: {} } : { type: "text", text: "" };
        const delta = call ? { type: "input_json_delta", partial_json: JSON.stringify(input) } : { type: "text_delta", text: say };
        sendEvents(response, [
            { type: "message_start", message: { id: `msg_${asked.length}`, type: "message", role: "assistant", model: body.model,
                content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 } } },
            { type: "content_block_start", index: 0, content_block: block },
            { type: "content_block_delta", index: 0, delta },
            { type: "content_block_stop", index: 0 },
            { type: "message_delta", delta: { stop_reason: call ? "tool_use" : "end_turn", stop_sequence: null },
                usage: { output_tokens: 5 } },
            { type: "message_stop" },
        ]);
    });
    return { url, asked };
}

// A call of one of Codex's own tools has no namespace.
export async function codexTurn(steps) {
    const asked = [];
    const url = await scripted(async (body, request, response) => {
        if (!request.url.endsWith("/responses")) {
            response.writeHead(404).end();
            return;
        }
        const { call, own, input, say } = await nextStep(steps, asked, body);
        const number = asked.length;
        const item = call || own
            ? { type: "function_call", id: `fc_${number}`, call_id: `call_${number}`, name: call ?? own,
                arguments: JSON.stringify(input), ...(call ? { namespace: "mcp__patchcord" } : {}) }
            : { type: "message", role: "assistant", id: `msg_${number}`, content: [{ type: "output_text", text: say }] };
        sendEvents(response, [
            { type: "response.created", response: { id: `resp_${number}` } },
            { type: "response.output_item.done", output_index: 0, item },
            { type: "response.completed", response: { id: `resp_${number}`, usage: { input_tokens: 1,
                input_tokens_details: null, output_tokens: 1, output_tokens_details: null, total_tokens: 2 } } },
        ]);
    });
    return { url, asked };
}
