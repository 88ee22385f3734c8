/* mcp.h: the Model Context Protocol's words that both programs speak: revisions, eras, codes, and the answers
 * that come from tables alone (initialize, server/discover, the lists of tools, prompts and resources,
 * prompts/get, resources/read).
 *
 * A request's era follows from its own _meta, never from its method. */
#ifndef COMMON_MCP_H
#define COMMON_MCP_H

#include "jsonrpc.h"

#define MCP_MODERN_VERSION "2026-07-28"
#define MCP_NEWEST_LEGACY  "2025-11-25"
#define MCP_HTTP_DEFAULT   "2025-03-26" /* what a request without MCP-Protocol-Version counts as */

#define MCP_META_VERSION      "io.modelcontextprotocol/protocolVersion"
#define MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define MCP_META_CLIENT_INFO  "io.modelcontextprotocol/clientInfo"
#define MCP_META_SERVER_INFO  "io.modelcontextprotocol/serverInfo"

/* Ours, between bridge and relay (request _meta; docs/protocol.md): */
#define PATCHCORD_META_LEASE      "patchcord/lease"      /* UUID that the caller gives an offer */
#define PATCHCORD_META_ACK        "patchcord/ack"        /* array of message ids that arrived */
#define PATCHCORD_META_MESSAGE_ID "patchcord/message-id" /* UUID that the caller gives a send */
#define PATCHCORD_META_QUEUED     "patchcord/queued"     /* true: comes from an outbox, is not gated */
#define PATCHCORD_META_PEEK       "patchcord/peek"       /* true: show without taking */
#define PATCHCORD_META_STRUCTURED "patchcord/structured" /* true: add structuredContent to the result */
/* In a result's _meta: {"lease": UUID, "ids": [UUID], "timed_out": bool} for what was offered. */
#define PATCHCORD_META_OFFER "patchcord/offer"

/* The most ids that PATCHCORD_META_ACK, or a POST /api/ack, may have. */
enum { PATCHCORD_ACKS_MAX = 1000 };

/* Bounds of wait_for_message, and the longest slice in which the bridge parks one. */
enum {
    MCP_WAIT_DEFAULT_S = 240,
    MCP_WAIT_UNKNOWN_CLIENT_S = 50,
    MCP_WAIT_MAX_S = 3600,
    MCP_WAIT_SLICE_S = 50
};

enum mcp_code { MCP_HEADER_MISMATCH = -32020, MCP_UNSUPPORTED_VERSION = -32022 };

enum mcp_era { MCP_LEGACY, MCP_MODERN };

struct mcp_call {
    enum mcp_era era;
    const char *version;                /* modern: as requested; legacy: NULL */
    struct json_object *meta;           /* params._meta, or NULL */
    struct json_object *progress_token; /* string or integer, or NULL */
};

/* Every revision that we speak, newest first, NULL-ended. */
extern const char *const mcp_versions[];
bool mcp_version_supported(const char *version);
bool mcp_version_is_legacy(const char *version);

/* Reads era and _meta off a request's or notification's params; all borrowed. Returns 0, or the JSON-RPC code
 * of what is wrong with a modern request's _meta with one line in *problem (and for MCP_UNSUPPORTED_VERSION
 * what belongs into the error's data in *data, owned by the caller). */
int mcp_read_call(const struct jsonrpc_message *message, struct mcp_call *out, const char **problem,
    struct json_object **data);

/* Which of the two programs lists its tools: arguments and tools that only work through the bridge differ. */
enum mcp_face { MCP_FACE_RELAY, MCP_FACE_BRIDGE };

/* The title in serverInfo, where it is not to be "Patchcord". Borrowed for good; call before threads start.
 */
void mcp_set_title(const char *title);

/* True where the method exists in that era and is answered from tables by mcp_answer. */
bool mcp_answers(enum mcp_era era, const char *method);
/* Answers those methods (there are no resources: empty lists, and none to read): a whole JSON-RPC
 * message (result or error; -32601 for any other method), owned by the caller. channel: a legacy initialize
 * announces claude/channel, and server/discover does not exist. */
struct json_object *mcp_answer(
    enum mcp_face face, const struct mcp_call *call, const struct jsonrpc_message *message, bool channel);

/* A tool's result of one text: {"content": [{"type": "text", …}], "isError": …}, with resultType in the
 * modern era. */
struct json_object *mcp_tool_result(enum mcp_era era, const char *text, size_t len, bool is_error);
/* Turns a modern result into a legacy one or back, in place: resultType and _meta's serverInfo are added; or
 * dropped, and the cache hints with them. */
void mcp_result_set_era(struct json_object *result, enum mcp_era era);

/* The server's instructions for the model, at most MCP_INSTRUCTIONS_MAX bytes. */
enum { MCP_INSTRUCTIONS_MAX = 900 };
extern const char mcp_instructions[];

#endif
