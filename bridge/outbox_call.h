/* outbox_call.h: the outbox's part in an agent's calls: sends that wait in it, and what it says. */
#ifndef BRIDGE_OUTBOX_CALL_H
#define BRIDGE_OUTBOX_CALL_H

#include <stdbool.h>

#include "outbox.h"
#include "outbox_flush.h"
#include "relay_reply.h"

struct outbox_call {
    struct outbox *outbox;
    struct outbox_flush *flush;
    const char *tool;
    struct json_object *args; /* checked */
    bool structured;          /* the answer is to have structuredContent */
};

/* Before the relay is asked: a send goes behind those that wait; what still waits is taken back here. True:
 * that answers the call, and *reply is filled in as the relay's would be. */
MUST_CHECK bool outbox_call_begin(const struct outbox_call *call, struct relay_reply *reply);
/* After the relay was asked: a send that may still get there is queued under its id, and *reply replaced by
 * what is said about that. */
void outbox_call_end(const struct outbox_call *call, struct relay_reply *reply);

#endif
