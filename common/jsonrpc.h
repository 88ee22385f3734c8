/* jsonrpc.h: JSON-RPC 2.0 messages as MCP restricts them (an id is a string or an integer, never null). */
#ifndef COMMON_JSONRPC_H
#define COMMON_JSONRPC_H

#include "json.h"

enum jsonrpc_code {
    JSONRPC_PARSE_ERROR = -32700,
    JSONRPC_INVALID_REQUEST = -32600,
    JSONRPC_METHOD_NOT_FOUND = -32601,
    JSONRPC_INVALID_PARAMS = -32602,
    JSONRPC_INTERNAL_ERROR = -32603,
};

enum jsonrpc_kind { JSONRPC_REQUEST, JSONRPC_NOTIFICATION, JSONRPC_RESPONSE, JSONRPC_INVALID };

struct jsonrpc_message {
    enum jsonrpc_kind kind;
    const char *method;         /* REQUEST, NOTIFICATION */
    struct json_object *id;     /* REQUEST, RESPONSE; INVALID: where one could be read, else NULL */
    struct json_object *params; /* an object, or NULL where there are none */
    const char *problem;        /* INVALID: one line */
};

/* Sorts a parsed value. Everything in *out is borrowed from value. */
void jsonrpc_classify(struct json_object *value, struct jsonrpc_message *out);

/* Whole messages; the id is referenced, not taken (NULL id: JSON null); result and data are taken over. */
struct json_object *jsonrpc_result(struct json_object *id, struct json_object *result);
struct json_object *jsonrpc_error(
    struct json_object *id, int code, const char *message, struct json_object *data);
struct json_object *jsonrpc_request(struct json_object *id, const char *method, struct json_object *params);
struct json_object *jsonrpc_notification(const char *method, struct json_object *params);

#endif
