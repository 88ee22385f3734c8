#include "handout.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "../http/parking.h"

void handout_begin(struct handout *h, struct tool_call *call)
{
    memcpy(h->lease, call->lease, sizeof h->lease);
    h->ids = call->offered;
    h->count = call->offered_count;
    call->offered = NULL;
    call->offered_count = 0;
}

static enum store_status acknowledge(
    const struct handout *h, struct relay *relay, const struct store_caller *caller)
{
    const char **ids = xcalloc(h->count, sizeof *ids);

    for (size_t i = 0; i < h->count; i++)
        ids[i] = h->ids[i];
    enum store_status status = store_ack(relay->store, caller, h->lease, ids, h->count, RELEASE_NONE, NULL);
    free(ids);
    return status;
}

static enum store_status put_back(const struct handout *h, struct relay *relay, const struct identity *who,
    const struct store_caller *caller)
{
    int64_t released = 0;
    enum store_status status = store_ack(relay->store, caller, h->lease, NULL, 0, RELEASE_LOST, &released);

    if (released > 0)
        parking_notify(relay->parking, who->parking_keys);
    return status;
}

void handout_settle(const struct handout *h, struct relay *relay, const struct identity *who,
    bool caller_acks, enum settlement how)
{
    const struct store_caller caller = identity_caller(who);
    enum store_status status = STORE_DONE;

    if (h->count == 0)
        return;
    if (how == SETTLED_LOST)
        status = put_back(h, relay, who, &caller);
    else if (!caller_acks)
        status = acknowledge(h, relay, &caller);
    /* The lease runs out by itself: the messages are offered again then. */
    if (status == STORE_FAULT)
        log_warn("handout_not_settled", LOG_STR("agent", who->address), LOG_INT("messages", h->count));
}

void handout_free(struct handout *h)
{
    free(h->ids);
    *h = (struct handout){0};
}
