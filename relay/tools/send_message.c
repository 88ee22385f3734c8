/* send_message: one message to one agent or several. */
#include "recipients.h"
#include "sending.h"
#include "tool.h"

static void record(
    struct tool_call *call, const struct store_send *send, const struct store_send_result *result)
{
    struct json_object *to = json_new_array(), *ids = json_new_array();

    for (size_t i = 0; i < result->sent_count; i++) {
        char name[ADDRESS_SIZE];
        identity_name(call->who, result->sent[i].namespace_id, result->sent[i].to, name);
        json_append_text(to, name);
        json_append_text(ids, result->sent[i].id);
    }
    bool single = result->sent_count == 1;
    call->structured = json_new_object();
    json_add_text(
        call->structured, "message_id", single || !send->message_id ? result->sent[0].id : send->message_id);
    json_add_text(call->structured, "status", "sent");
    json_add(call->structured, "to",
        single ? json_object_get(json_object_array_get_idx(to, 0)) : json_object_get(to));
    json_add(call->structured, "message_ids", ids);
    json_add_text(call->structured, "thread", send->thread);
    json_object_put(to);
}

enum verdict tool_send_message(struct tool_call *call)
{
    struct recipients recipients;
    char thread[NAME_SIZE];
    struct store_send send = {0};

    if (!recipients_read(call, &recipients) || !tool_content(call, true, &send.content, &send.content_len) ||
        !tool_thread(call, thread))
        return VERDICT_DONE;
    send.message_id = call->message_id[0] ? call->message_id : NULL;
    send.recipients = recipients.list;
    send.recipients_count = recipients.count;
    send.thread = thread[0] ? thread : NULL;
    send.ungated = call->queued;

    struct store_send_result result = {0};
    enum verdict verdict;
    switch (store_send(call->relay->store, tool_caller(call), &send, &result)) {
    case STORE_DONE:
        sending_show(call, &result);
        record(call, &send, &result);
        verdict = VERDICT_DONE;
        break;
    case STORE_REFUSED:
        verdict = sending_refuse(call, &result);
        break;
    default:
        verdict = tool_fail_store(call);
    }
    store_send_result_free(&result);
    return verdict;
}
