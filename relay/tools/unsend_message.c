/* unsend_message: takes back what its recipient has not seen. */
#include "tool.h"

enum verdict tool_unsend_message(struct tool_call *call)
{
    char message_id[UUID_SIZE];
    enum store_refusal refusal = REFUSAL_NONE;

    if (!tool_id(call, "message_id", message_id))
        return VERDICT_DONE;
    switch (store_unsend(call->relay->store, tool_caller(call), message_id, &refusal)) {
    case STORE_DONE:
        break;
    case STORE_ABSENT:
        return tool_fail(call,
            "Not found: you sent no message [%s]. Take the id from the answer to your send, or from recall.",
            message_id);
    case STORE_REFUSED:
        return tool_fail(call,
            "Too late: [%s] was already handed to its recipient. Send a correction instead.", message_id);
    case STORE_FAULT:
        return tool_fail_store(call);
    }
    buf_printf(&call->text, "Unsent [%s]: nobody has seen it\n", message_id);
    call->structured = json_new_object();
    json_add_text(call->structured, "message_id", message_id);
    json_add_text(call->structured, "status", "unsent");
    return VERDICT_DONE;
}
