/* handout.h: what an answer hands out, from the offer to the proof that it arrived.
 *
 * A caller that acknowledges by itself (X-Patchcord-Ack) does so when its own reader has the messages; for
 * others the relay does, when the whole answer left its socket. Where the answer was lost, the messages are
 * pending again at once. */
#ifndef RELAY_MCP_HANDOUT_H
#define RELAY_MCP_HANDOUT_H

#include "../auth/authenticator.h"
#include "../relay.h"
#include "../tools/tool.h"

/* The leased messages of one call. Zeroed: none. */
struct handout {
    char lease[UUID_SIZE];
    char (*ids)[UUID_SIZE];
    size_t count;
};

/* Takes the ids over from the call. */
void handout_begin(struct handout *h, struct tool_call *call);
/* Acknowledges what arrived, or puts back what did not and wakes those who may take it. Blocks on the store.
 */
void handout_settle(const struct handout *h, struct relay *relay, const struct identity *who,
    bool caller_acks, enum settlement how);
void handout_free(struct handout *h);

#endif
