/* offer.h: handing pending messages to the caller: what inbox and wait_for_message share. */
#ifndef RELAY_TOOLS_OFFER_H
#define RELAY_TOOLS_OFFER_H

#include "tool.h"

/* Seen at or after this wall time counts as online. */
int64_t offer_active_since_ms(const struct tool_call *call);

/* Offers the caller's messages under the call's lease, or only shows them where it peeks. The acks and the
 * presence that came with the call are applied with the first one. The caller frees *result. */
MUST_CHECK enum store_status offer_take(
    struct tool_call *call, bool with_context, bool all_agents, struct store_offer_result *result);

/* Writes the messages ("From …" and their fenced content), and what is left behind them. */
void offer_show_messages(struct tool_call *call, const struct store_offer_result *result);

/* Fills in the call's structured result and its offer: what was leased, which the caller or the relay is to
 * acknowledge. */
void offer_record(struct tool_call *call, const struct store_offer_result *result, bool timed_out);

#endif
