/* delivery.h: what an answer hands out, from the offer to the proof that it arrived.
 *
 * A caller that acknowledges by itself (X-Patchcord-Ack) does so when its own reader has the messages; for
 * others the relay does, when the whole answer left its socket. Where the answer was lost, the messages are
 * pending again at once. */
#ifndef RELAY_MCP_DELIVERY_H
#define RELAY_MCP_DELIVERY_H

#include "../auth/authenticator.h"
#include "../relay.h"
#include "../tools/tool.h"

/* The leased messages of one call. Zeroed: none. */
struct delivery {
    char lease[UUID_SIZE];
    char (*ids)[UUID_SIZE];
    size_t count;
};

/* Takes the ids over from the call. */
void delivery_begin(struct delivery *d, struct tool_call *call);
/* Acknowledges what arrived, or puts back what did not and wakes those who may take it. Blocks on the store.
 */
void delivery_settle(const struct delivery *d, struct relay *relay, const struct identity *who,
    bool caller_acks, enum settlement how);
void delivery_free(struct delivery *d);

#endif
