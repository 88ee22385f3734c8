/* listens.h: subscriptions/listen over stdio (MCP 2026-07-28, "Subscriptions"). Our lists change with the
 * program alone, so none of their changes is promised: a subscription is acknowledged, kept, and ended in
 * order. */
#ifndef BRIDGE_LISTENS_H
#define BRIDGE_LISTENS_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/jsonrpc.h"

enum { LISTENS_MAX = 16 };

/* A zeroed struct is ready; listens_free frees it. */
struct listens {
    struct json_object *ids[LISTENS_MAX];
    size_t count;
};

/* Opens one for the request; returns what to send: the acknowledgement, or an error. The caller owns it. */
struct json_object *listens_open(struct listens *listens, const struct jsonrpc_message *message);
/* Drops the one of that request, silently. */
void listens_cancel(struct listens *listens, struct json_object *id);
/* Drops one that is open and returns what ends it, NULL where none is left. The caller owns it. */
struct json_object *listens_close_one(struct listens *listens);
void listens_free(struct listens *listens);

#endif
