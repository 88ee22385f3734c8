#include "listens.h"

#define SUBSCRIPTION_ID "io.modelcontextprotocol/subscriptionId"

static struct json_object *tagged(struct json_object *id)
{
    struct json_object *meta = json_new_object(), *holder = json_new_object();
    json_add(meta, SUBSCRIPTION_ID, json_object_get(id));
    json_add(holder, "_meta", meta);
    return holder;
}

struct json_object *listens_open(struct listens *listens, const struct jsonrpc_message *message)
{
    struct json_object *wanted;
    if (json_get_object(message->params, "notifications", &wanted) != JSON_FIELD_FOUND)
        return jsonrpc_error(
            message->id, JSONRPC_INVALID_PARAMS, "params.notifications has to be an object", NULL);
    if (listens->count == LISTENS_MAX)
        return jsonrpc_error(
            message->id, JSONRPC_INTERNAL_ERROR, "too many open subscriptions: cancel one first", NULL);
    listens->ids[listens->count++] = json_object_get(message->id);
    struct json_object *params = tagged(message->id);
    json_add(params, "notifications", json_new_object());
    return jsonrpc_notification("notifications/subscriptions/acknowledged", params);
}

static void drop(struct listens *listens, size_t index)
{
    json_object_put(listens->ids[index]);
    listens->ids[index] = listens->ids[--listens->count];
}

void listens_cancel(struct listens *listens, struct json_object *id)
{
    for (size_t i = listens->count; i > 0; i--) {
        if (json_object_equal(listens->ids[i - 1], id))
            drop(listens, i - 1);
    }
}

struct json_object *listens_close_one(struct listens *listens)
{
    if (listens->count == 0)
        return NULL;
    struct json_object *result = tagged(listens->ids[0]);
    json_add_text(result, "resultType", "complete");
    struct json_object *message = jsonrpc_result(listens->ids[0], result);
    drop(listens, 0);
    return message;
}

void listens_free(struct listens *listens)
{
    while (listens->count > 0)
        drop(listens, 0);
}
