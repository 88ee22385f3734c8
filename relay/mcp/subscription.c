#include "subscription.h"

#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../auth/concurrency.h"
#include "../http/parking.h"

#define SUBSCRIPTION_ID "io.modelcontextprotocol/subscriptionId"

enum { STATUS_BAD_REQUEST = 400, STATUS_TOO_MANY = 429, LOOK_AGAIN_MS = MS_PER_HOUR };

struct subscription {
    struct relay *relay;
    const struct identity *who;
    struct json_object *id;
    char *key; /* under which it parks and is counted: no message wakes it */
};

static struct json_object *tagged(const struct subscription *s)
{
    struct json_object *meta = json_new_object(), *holder = json_new_object();

    json_add(meta, SUBSCRIPTION_ID, json_object_get(s->id));
    json_add(holder, "_meta", meta);
    return holder;
}

struct subscription *subscription_begin(struct relay *relay, const struct identity *who,
    const struct jsonrpc_message *message, struct json_object **acknowledged, struct json_object **error,
    int *status)
{
    struct json_object *wanted = NULL;

    if (json_get_object(message->params, "notifications", &wanted) != JSON_FIELD_FOUND) {
        *status = STATUS_BAD_REQUEST;
        *error = jsonrpc_error(
            message->id, JSONRPC_INVALID_PARAMS, "params.notifications must be an object", NULL);
        return NULL;
    }
    char *key = xasprintf("listen %s", who->address);
    if (!concurrency_enter(relay->streams, key, STREAMS_PER_AGENT)) {
        free(key);
        *status = STATUS_TOO_MANY;
        *error = jsonrpc_error(
            message->id, JSONRPC_INTERNAL_ERROR, "Too many open subscriptions: close one first", NULL);
        return NULL;
    }
    struct subscription *s = xcalloc(1, sizeof *s);
    *s = (struct subscription){.relay = relay, .who = who, .id = json_object_get(message->id), .key = key};
    struct json_object *params = tagged(s);
    json_add(params, "notifications", json_new_object());
    *acknowledged = jsonrpc_notification("notifications/subscriptions/acknowledged", params);
    return s;
}

enum verdict subscription_step(
    struct subscription *s, enum wake wake, struct wait *wait, struct json_object **result)
{
    uint64_t ticket = parking_ticket(s->relay->parking, s->key);

    if (wake == WAKE_SHUTDOWN || (wake != WAKE_START && !identity_is_current(s->relay->auth, s->who))) {
        struct json_object *end = tagged(s);
        json_add_text(end, "resultType", "complete");
        *result = jsonrpc_result(s->id, end);
        return VERDICT_DONE;
    }
    *wait = (struct wait){
        .keys = s->key, .ticket = ticket, .until_ms = clock_mono_ms() + LOOK_AGAIN_MS, .exclusive = false};
    return VERDICT_WAIT;
}

void subscription_end(struct subscription *s)
{
    if (!s)
        return;
    concurrency_leave(s->relay->streams, s->key);
    json_object_put(s->id);
    free(s->key);
    free(s);
}
