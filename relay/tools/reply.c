/* reply: answers a message, puts it off, or closes its thread. */
#include <string.h>

#include "sending.h"
#include "tool.h"

static enum verdict refuse(struct tool_call *call, const struct store_reply_result *result)
{
    switch (result->refusal) {
    case REFUSAL_UNKNOWN_RECIPIENT:
        return tool_fail(call, "Not sent: nobody is there to read it (a notice of the relay's, or its author "
                               "is gone). Close it with "
                               "reply(message_id, resolve=true).");
    case REFUSAL_EXPIRED:
        return tool_fail(call, "Not deferred: the message has expired and is in no inbox any more. Nothing "
                               "was done; reply without "
                               "defer still reaches its sender.");
    case REFUSAL_QUEUE_FULL:
        return tool_fail(
            call, "Not sent: its sender has too much unread. Reply again when it has read its inbox.");
    default:
        return tool_fail(call, "Not sent: that message id was used for another message.");
    }
}

static enum verdict report(
    struct tool_call *call, const struct store_reply *reply, const struct store_reply_result *result)
{
    char to[ADDRESS_SIZE];

    identity_name(call->who, result->sent.namespace_id, result->sent.to, to);
    if (result->was_sent)
        sending_show_one(call, &result->sent, true);
    if (reply->defer)
        buf_printf(&call->text, "Deferred [%s]: it stays in your inbox until you reply without defer\n",
            reply->message_id);
    if (result->resolved && result->thread)
        buf_printf(&call->text, "Resolved thread %s\n", result->thread);
    if (call->text.len == 0)
        buf_printf(&call->text, "Closed [%s]\n", reply->message_id);

    call->structured = json_new_object();
    json_add_text(call->structured, "message_id", result->was_sent ? result->sent.id : reply->message_id);
    json_add_text(call->structured, "status",
        result->was_sent ? "sent"
        : reply->defer   ? "deferred"
                         : "closed");
    json_add_text(call->structured, "to", to);
    json_add_text(call->structured, "reply_to", reply->message_id);
    json_add_text(call->structured, "thread", result->thread);
    json_add_bool(call->structured, "resolved", result->resolved);
    return VERDICT_DONE;
}

enum verdict tool_reply(struct tool_call *call)
{
    char message_id[UUID_SIZE];
    struct store_reply reply = {
        .message_id = message_id,
        .reply_id = call->message_id[0] ? call->message_id : NULL,
        .defer = tool_flag(call, "defer"),
        .resolve = tool_flag(call, "resolve"),
    };

    if (!tool_id(call, "message_id", message_id) ||
        !tool_content(call, !reply.defer && !reply.resolve, &reply.content, &reply.content_len))
        return VERDICT_DONE;

    struct store_reply_result result = {0};
    enum verdict verdict;
    switch (store_reply(call->relay->store, tool_caller(call), &reply, &result)) {
    case STORE_DONE:
        verdict = report(call, &reply, &result);
        break;
    case STORE_ABSENT:
        verdict = tool_fail(call,
            "Not found: no message [%s] was sent to you. Take the id from inbox or recall.", message_id);
        break;
    case STORE_REFUSED:
        verdict = refuse(call, &result);
        break;
    default:
        verdict = tool_fail_store(call);
    }
    store_reply_result_free(&result);
    return verdict;
}
