/* tool_run.h: one tools/call, from its parameters to the JSON-RPC answer. It may take several steps: a tool
 * that waits is run again each time something wakes it. */
#ifndef RELAY_MCP_TOOL_RUN_H
#define RELAY_MCP_TOOL_RUN_H

#include "../../common/mcp.h"
#include "../tools/tool.h"

/* How often a wait whose caller gave a progress token says that it goes on. */
enum { TOOL_RUN_PROGRESS_MS = 15 * 1000 };

struct tool_run;

/* Reads the call off a request's params. relay, who and client are borrowed until tool_run_free, labels until it first waits, the message
 * is not needed any more. reports: the answer is a stream once the tool waits, and can carry progress. NULL:
 * *error has the JSON-RPC error for it (the caller puts it). */
struct tool_run *tool_run_new(struct relay *relay, const struct identity *who, const struct client *client,
    const struct client_labels *labels, const struct jsonrpc_message *message, const struct mcp_call *mcp,
    bool reports, struct json_object **error);

/* Goes on. On VERDICT_WAIT, *wait says for what (the key is borrowed) and *progress (may be NULL) is what to
 * tell the caller meanwhile, a JSON-RPC notification, or NULL. On VERDICT_DONE the call is filled in. */
enum verdict tool_run_step(
    struct tool_run *run, enum wake wake, struct wait *wait, struct json_object **progress);

/* The JSON-RPC answer of a call that is done. */
struct json_object *tool_run_answer(struct tool_run *run);
/* The call itself: what it leased, and whether it is to be tried again later. */
struct tool_call *tool_run_call(struct tool_run *run);
void tool_run_free(struct tool_run *run);

#endif
