#include "offer.h"

#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../config.h"
#include "../http/parking.h"
#include "render.h"

int64_t offer_active_since_ms(const struct tool_call *call)
{
    return clock_wall_ms() - call->relay->config->active_window_seconds * MS_PER_SECOND;
}

enum store_status offer_take(
    struct tool_call *call, bool with_context, bool all_agents, struct store_offer_result *result)
{
    const struct store_offer offer = {
        .lease = call->peek ? NULL : call->lease,
        .max_messages = TOOL_OFFER_MAX_MESSAGES,
        .max_bytes = call->client->max_offer_bytes,
        .with_context = with_context,
        .all_agents = all_agents,
        .active_since_ms = offer_active_since_ms(call),
    };
    enum store_status status = store_offer(call->relay->store, tool_caller(call), &offer, result);

    if (status == STORE_FAULT)
        return status;
    call->caller.acks_count = 0;
    call->caller.presence = NULL;
    /* One notification wakes one wait: where it did not take everything, the next one is to look. */
    if (result->more > 0 && result->messages.count > 0)
        parking_notify(call->relay->parking, call->who->parking_keys);
    return status;
}

void offer_show_messages(struct tool_call *call, const struct store_offer_result *result)
{
    const struct render r = tool_render(call);
    const struct store_messages *messages = &result->messages;

    for (size_t i = 0; i < messages->count; i++) {
        if (call->text.len)
            buf_putc(&call->text, '\n');
        render_offered(&r, &messages->items[i], messages->count - i);
    }
    if (result->more > 0)
        buf_printf(&call->text, "\n%lld more: call inbox\n", (long long)result->more);
}

static void record_lease(struct tool_call *call, const struct store_messages *messages)
{
    if (call->peek || messages->count == 0)
        return;
    call->offered = xreallocarray(NULL, messages->count, sizeof *call->offered);
    call->offered_count = messages->count;
    for (size_t i = 0; i < messages->count; i++)
        memcpy(call->offered[i], messages->items[i].id, UUID_SIZE);
}

void offer_record(struct tool_call *call, const struct store_offer_result *result, bool timed_out)
{
    record_lease(call, &result->messages);
    call->offer = json_new_object();
    struct json_object *ids = json_new_array();
    for (size_t i = 0; i < call->offered_count; i++)
        json_append_text(ids, call->offered[i]);
    json_add_text(call->offer, "lease", call->lease);
    json_add(call->offer, "ids", ids);
    json_add_bool(call->offer, "timed_out", timed_out);

    call->structured = json_new_object();
    json_add(
        call->structured, "pending", json_of_messages(&result->messages, call->who->namespace_id, false));
    json_add(
        call->structured, "deferred", json_of_messages(&result->deferred, call->who->namespace_id, false));
    json_add(call->structured, "agents", json_of_agents(&result->agents, offer_active_since_ms(call)));
    json_add_int(call->structured, "more", result->more);
    json_add_int(call->structured, "in_delivery", result->in_delivery);
    json_add_int(call->structured, "deferred_total", result->deferred_total);
    json_add_bool(call->structured, "timed_out", timed_out);
}
