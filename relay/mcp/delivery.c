#include "delivery.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "../http/parking.h"

void delivery_begin(struct delivery *d, struct tool_call *call)
{
    memcpy(d->lease, call->lease, sizeof d->lease);
    d->ids = call->offered;
    d->count = call->offered_count;
    call->offered = NULL;
    call->offered_count = 0;
}

static enum store_status acknowledge(
    const struct delivery *d, struct relay *relay, const struct store_caller *caller)
{
    const char **ids = xcalloc(d->count, sizeof *ids);

    for (size_t i = 0; i < d->count; i++)
        ids[i] = d->ids[i];
    enum store_status status = store_ack(relay->store, caller, d->lease, ids, d->count, false, NULL);
    free(ids);
    return status;
}

static enum store_status put_back(const struct delivery *d, struct relay *relay, const struct identity *who,
    const struct store_caller *caller)
{
    int64_t released = 0;
    enum store_status status = store_ack(relay->store, caller, d->lease, NULL, 0, true, &released);

    if (released > 0)
        parking_notify(relay->parking, who->address);
    return status;
}

void delivery_settle(const struct delivery *d, struct relay *relay, const struct identity *who,
    bool caller_acks, enum settlement how)
{
    const struct store_caller caller = {.namespace_id = who->namespace_id, .agent = who->agent};
    enum store_status status = STORE_DONE;

    if (d->count == 0)
        return;
    if (how == SETTLED_LOST)
        status = put_back(d, relay, who, &caller);
    else if (!caller_acks)
        status = acknowledge(d, relay, &caller);
    /* The lease runs out by itself: the messages are offered again then. */
    if (status == STORE_FAULT)
        log_warn("delivery_not_settled", LOG_STR("agent", who->address), LOG_INT("messages", d->count));
}

void delivery_free(struct delivery *d)
{
    free(d->ids);
    *d = (struct delivery){0};
}
