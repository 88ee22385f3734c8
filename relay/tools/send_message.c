/* send_message: one message to one agent or several. */
#include <string.h>

#include "../../common/clock.h"
#include "../http/parking.h"
#include "recipients.h"
#include "render.h"
#include "tool.h"

enum { PREVIEW_BYTES = 200 };

static bool is_waiting(const struct tool_call *call, const char *agent)
{
    char key[ADDRESS_SIZE];

    ident_format(call->who->namespace_id, agent, key);
    return parking_is_waiting(call->relay->parking, key);
}

/* The inbox comes first: what is unread may change what was to be sent. */
static enum verdict refuse_gated(struct tool_call *call, const struct store_send_result *result)
{
    tool_fail(
        call, "Not sent: %lld unread first. Call inbox, then send again.\n", (long long)result->unread_total);

    const struct render r = {&call->text, clock_wall_ms(), call->client->max_offer_bytes};
    for (size_t i = 0; i < result->unread.count; i++) {
        buf_putc(&call->text, '\n');
        render_preview(&r, &result->unread.items[i], PREVIEW_BYTES);
    }
    return VERDICT_DONE;
}

static enum verdict refuse(struct tool_call *call, struct store_send_result *result)
{
    switch (result->refusal) {
    case REFUSAL_UNKNOWN_RECIPIENT:
        return recipients_unknown(call, result->refused_to, result->names, result->names_count);
    case REFUSAL_INBOX_GATE:
        return refuse_gated(call, result);
    case REFUSAL_QUEUE_FULL:
        return tool_fail(call,
            "Not sent: %s has too much unread (%d messages or %d MB wait for it). Send again when it has "
            "read its inbox.",
            result->refused_to, QUEUE_MAX_MESSAGES, QUEUE_MAX_BYTES / 1000000);
    default:
        return tool_fail(call, "Not sent: that message id was used for another message.");
    }
}

static void record(
    struct tool_call *call, const struct store_send *send, const struct store_send_result *result)
{
    struct json_object *to = json_new_array(), *ids = json_new_array();

    for (size_t i = 0; i < result->sent_count; i++) {
        json_append_text(to, result->sent[i].to);
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

static enum verdict report(
    struct tool_call *call, const struct store_send *send, const struct store_send_result *result)
{
    const struct render r = {&call->text, clock_wall_ms(), call->client->max_offer_bytes};

    for (size_t i = 0; i < result->sent_count; i++) {
        const struct store_sent *sent = &result->sent[i];
        bool to_self = strcmp(sent->to, call->who->agent) == 0;
        /* Asked before the wake-up, which ends the wait that is to be reported. */
        bool waiting = is_waiting(call, sent->to);
        if (!to_self)
            tool_notify(call, sent->to);
        buf_printf(&call->text, "Sent to %s [%s]\n", sent->to, sent->id);
        if (to_self)
            buf_puts(&call->text, "kept in your own inbox as deferred\n");
        else
            render_presence(&r, result->sent_count > 1 ? sent->to : NULL, sent->last_seen_ms, waiting);
    }
    record(call, send, result);
    return VERDICT_DONE;
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
        verdict = report(call, &send, &result);
        break;
    case STORE_REFUSED:
        verdict = refuse(call, &result);
        break;
    default:
        verdict = tool_fail_store(call);
    }
    store_send_result_free(&result);
    return verdict;
}
