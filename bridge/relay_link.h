/* relay_link.h: tool calls in flight at the relay, each with its slices, repeats and back-off, and the
 * acknowledgements that are owed to it.
 *
 * A wait goes on through a relay that restarts, refuses or is overloaded until its own deadline. Any other
 * call is repeated a few times at once, under the same ids, so that nothing happens twice. */
#ifndef BRIDGE_RELAY_LINK_H
#define BRIDGE_RELAY_LINK_H

#include "../common/json.h"
#include "acks.h"
#include "config.h"
#include "relay_reply.h"
#include "transfer.h"

struct relay_link;
struct relay_call;

struct relay_link *relay_link_new(void);
/* Calls in flight are dropped without their done. */
void relay_link_free(struct relay_link *link);
/* Whom and how to ask from now on. config is borrowed and may be changed in place between calls; client_type
 * (borrowed) may be NULL. */
void relay_link_set_config(struct relay_link *link, const struct config *config, const char *client_type);

/* Gets the reply, which it may take apart (the link frees what is left); the call is gone when it returns. */
typedef void relay_done_fn(void *arg, struct relay_reply *reply);

/* Starts a call of a known tool (tool_spec.h) with checked arguments. args and meta may be NULL; both are
 * borrowed. A send goes out under the id that meta has in PATCHCORD_META_MESSAGE_ID, else under a new one.
 * done is called from relay_link_step, never from here. */
struct relay_call *relay_link_call(struct relay_link *link, const char *tool, struct json_object *args,
    struct json_object *meta, relay_done_fn *done, void *arg);
/* Gives a call up: done is never called. What it may have been offered is released. A send that is on its way
 * is left to finish unobserved. */
void relay_call_cancel(struct relay_call *call);
/* Sends or other changes on their way, observed or not. */
size_t relay_link_changes(const struct relay_link *link);

struct acks *relay_link_acks(struct relay_link *link);
struct transfers *relay_link_transfers(struct relay_link *link);
const struct config *relay_link_config(const struct relay_link *link);

/* Milliseconds until something is due that no descriptor announces; -1: nothing. */
int relay_link_timeout_ms(const struct relay_link *link);
void relay_link_step(struct relay_link *link);

#endif
