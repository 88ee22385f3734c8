/* wait_for_message: holds the call until there is something to read. */
#include "../../common/clock.h"
#include "../../common/mcp.h"
#include "../http/parking.h"
#include "offer.h"
#include "tool.h"

enum {
    RESTART_RETRY_AFTER_S = 1,
    LEASE_LOOK_LEAST_MS =
        20, /* after a lease's end: the clocks of store and relay need not agree to the millisecond */
};

static int64_t timeout_s(const struct tool_call *call)
{
    bool unknown = call->client->type == CLIENT_UNKNOWN && !call->client->acks;
    return tool_number(call, "timeout_seconds", unknown ? MCP_WAIT_UNKNOWN_CLIENT_S : MCP_WAIT_DEFAULT_S);
}

static enum verdict restarting(struct tool_call *call)
{
    call->retry_after_s = RESTART_RETRY_AFTER_S;
    return tool_fail(call, "relay is restarting, call again");
}

static enum verdict revoked(struct tool_call *call)
{
    /* The notification that woke this wait was for a session that may still read. */
    parking_notify(call->relay->parking, call->who->parking_keys);
    return tool_fail(call, "The token of %s was revoked or has run out. Ask your operator for a new one.",
        call->who->address);
}

static enum verdict ran_out(struct tool_call *call, const struct store_offer_result *result)
{
    buf_printf(&call->text, "No message after %lld s.\n", (long long)call->wait_seconds);
    if (result->in_delivery > 0)
        buf_printf(
            &call->text, "%lld in delivery to another session of yours.\n", (long long)result->in_delivery);
    offer_record(call, result, true);
    return VERDICT_DONE;
}

/* Parks until somebody writes, the wait runs out, or another session's lease does. */
static enum verdict park(
    struct tool_call *call, const struct store_offer_result *result, uint64_t ticket, int64_t deadline_ms)
{
    int64_t until_ms = deadline_ms;

    if (result->next_lease_end_ms) {
        int64_t left_ms = result->next_lease_end_ms - clock_wall_ms();
        int64_t look_ms =
            clock_mono_ms() + (left_ms > LEASE_LOOK_LEAST_MS ? left_ms + 1 : LEASE_LOOK_LEAST_MS);
        until_ms = look_ms < until_ms ? look_ms : until_ms;
    }
    /* A peek takes nothing, so that it must not have the one notification that a taker is waiting for. */
    call->wait = (struct wait){
        .keys = call->who->parking_keys, .ticket = ticket, .until_ms = until_ms, .exclusive = !call->peek};
    return VERDICT_WAIT;
}

enum verdict tool_wait_for_message(struct tool_call *call)
{
    if (call->wake == WAKE_SHUTDOWN)
        return restarting(call);
    if (call->wake != WAKE_START && !identity_is_current(call->relay->auth, call->who))
        return revoked(call);

    if (call->wake == WAKE_START)
        call->wait_seconds = timeout_s(call);
    int64_t deadline_ms = call->began_ms + call->wait_seconds * MS_PER_SECOND;
    /* Before the look: what is stored after it makes the wait look again. */
    uint64_t ticket = parking_ticket(call->relay->parking, call->who->parking_keys);
    struct store_offer_result result = {0};
    enum verdict verdict = VERDICT_DONE;

    if (offer_take(call, false, false, &result) == STORE_FAULT) {
        verdict = tool_fail_store(call);
    } else if (result.messages.count > 0) {
        offer_show_messages(call, &result);
        offer_record(call, &result, false);
    } else if (clock_mono_ms() >= deadline_ms) {
        verdict = ran_out(call, &result);
    } else {
        verdict = park(call, &result, ticket, deadline_ms);
    }
    store_offer_result_free(&result);
    return verdict;
}
