/* subscription.h: subscriptions/listen (MCP 2026-07-28, "Subscriptions"): a stream that stays open for
 * changes of the lists. The relay's lists change with the program alone, so none of them is promised: the
 * stream is acknowledged, held open and ended in order. */
#ifndef RELAY_MCP_SUBSCRIPTION_H
#define RELAY_MCP_SUBSCRIPTION_H

#include "../../common/jsonrpc.h"
#include "../auth/authenticator.h"
#include "../http/exchange.h"
#include "../relay.h"

struct subscription;

/* Opens one for the request: *acknowledged is what the stream begins with. relay, who and message are
 * borrowed until subscription_end. NULL: *error is the answer, and *status its HTTP status. The caller puts
 * both. */
struct subscription *subscription_begin(struct relay *relay, const struct identity *who,
    const struct jsonrpc_message *message, struct json_object **acknowledged, struct json_object **error,
    int *status);

/* Parks the stream, or where it is over fills in *result, what the stream ends with. */
enum verdict subscription_step(
    struct subscription *s, enum wake wake, struct wait *wait, struct json_object **result);

void subscription_end(struct subscription *s);

#endif
