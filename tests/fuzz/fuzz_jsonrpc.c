/* Any JSON value is sorted into a kind whose promises hold; a request that can be answered from tables is,
 * under its id. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../common/mcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(const struct jsonrpc_message *message, const struct mcp_call *call)
{
    struct json_object *reply = mcp_answer(MCP_FACE_BRIDGE, call, message, false);
    struct json_object *id = NULL;
    assert(json_object_object_get_ex(reply, "id", &id) && json_object_equal(id, message->id));
    struct jsonrpc_message sorted;
    jsonrpc_classify(reply, &sorted);
    assert(sorted.kind == JSONRPC_RESPONSE);
    json_object_put(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum json_fault fault;
    struct json_object *value = json_parse((const char *)data, size, &fault);
    struct jsonrpc_message message;
    jsonrpc_classify(value, &message);
    assert((message.kind == JSONRPC_INVALID) == (message.problem != NULL));
    bool is_call = message.kind == JSONRPC_REQUEST || message.kind == JSONRPC_NOTIFICATION;
    assert(is_call == (message.method != NULL));
    assert(message.kind != JSONRPC_REQUEST || message.id);
    if (is_call) {
        struct mcp_call call;
        const char *problem;
        struct json_object *error_data;
        int code = mcp_read_call(&message, &call, &problem, &error_data);
        assert((code != 0) == (problem != NULL));
        assert((code == MCP_UNSUPPORTED_VERSION) == (error_data != NULL));
        if (code == 0 && message.kind == JSONRPC_REQUEST) {
            answer(&message, &call);
        }
        json_object_put(error_data);
    }
    json_object_put(value);
    return 0;
}
