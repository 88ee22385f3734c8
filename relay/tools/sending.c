#include "sending.h"

#include <string.h>

#include "../http/parking.h"
#include "recipients.h"
#include "render.h"

enum { PREVIEW_BYTES = 200 };

/* The inbox comes first: what is unread may change what was to be sent. */
static enum verdict refuse_gated(struct tool_call *call, const struct store_send_result *result)
{
    tool_fail(
        call, "Not sent: %lld unread first. Call inbox, then send again.\n", (long long)result->unread_total);

    const struct render r = tool_render(call);
    for (size_t i = 0; i < result->unread.count; i++) {
        buf_putc(&call->text, '\n');
        render_preview(&r, &result->unread.items[i], PREVIEW_BYTES);
    }
    return VERDICT_DONE;
}

enum verdict sending_refuse(struct tool_call *call, struct store_send_result *result)
{
    switch (result->refusal) {
    case REFUSAL_UNKNOWN_RECIPIENT:
        return recipients_unknown(call, result->refused_to, result->names, result->names_count);
    case REFUSAL_AMBIGUOUS:
        return recipients_ambiguous(call, result->refused_to, result->names, result->names_count);
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

void sending_show_one(struct tool_call *call, const struct store_sent *sent, bool is_only)
{
    const struct render r = tool_render(call);
    const bool to_self = strcmp(sent->to, call->who->agent) == 0;
    char name[ADDRESS_SIZE], address[ADDRESS_SIZE];

    identity_name(call->who, sent->namespace_id, sent->to, name);
    ident_format(sent->namespace_id, sent->to, address);
    /* Asked before the wake-up, which ends the wait that is to be reported. */
    const bool waiting = parking_is_waiting(call->relay->parking, address);
    if (!to_self)
        parking_notify(call->relay->parking, address);
    buf_printf(&call->text, "Sent to %s [%s]\n", name, sent->id);
    if (to_self)
        buf_puts(&call->text, "kept in your own inbox as deferred\n");
    else
        render_presence(&r, is_only ? NULL : name, sent->last_seen_ms, waiting);
}

void sending_show(struct tool_call *call, const struct store_send_result *result)
{
    for (size_t i = 0; i < result->sent_count; i++)
        sending_show_one(call, &result->sent[i], result->sent_count == 1);
}
