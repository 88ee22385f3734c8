/* ack.c: POST /api/ack {"lease", "ids", "release"}: what arrived, and what of an offer goes back. Answers
 * {"acked": how many ids were given, "released": how many messages went back}. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/mcp.h"
#include "../../common/uuid.h"
#include "../auth/authenticator.h"
#include "../http/parking.h"
#include "../relay.h"
#include "api.h"
#include "json_body.h"

struct ack {
    char lease[UUID_SIZE]; /* "" for none */
    char (*ids)[UUID_SIZE];
    const char **id_list; /* into ids */
    size_t count;
    bool release;
};

static void ack_free(struct ack *ack)
{
    free(ack->ids);
    free(ack->id_list);
}

/* Each of these returns NULL, or what is wrong. */
static const char *read_id(struct json_object *value, char out[static UUID_SIZE])
{
    if (!json_object_is_type(value, json_type_string) ||
        !uuid_parse(json_object_get_string(value), (size_t)json_object_get_string_len(value), out))
        return "ids must be an array of message ids (UUIDs).";
    return NULL;
}

static const char *read_ids(struct json_object *array, struct ack *out)
{
    const size_t count = json_object_array_length(array);
    if (count > PATCHCORD_ACKS_MAX)
        return "ids must have at most 1000 entries.";
    out->ids = xcalloc(count + 1, sizeof *out->ids);
    out->id_list = xcalloc(count + 1, sizeof *out->id_list);
    for (; out->count < count; out->count++) {
        const char *problem = read_id(json_object_array_get_idx(array, out->count), out->ids[out->count]);
        if (problem)
            return problem;
        out->id_list[out->count] = out->ids[out->count];
    }
    return NULL;
}

static const char *read_ack(struct json_object *body, struct ack *out)
{
    struct json_object *array = NULL;
    const char *lease = NULL;
    size_t lease_len = 0;
    const enum json_field has_lease = json_get_text(body, "lease", &lease, &lease_len);
    if (has_lease == JSON_FIELD_WRONG ||
        (has_lease == JSON_FIELD_FOUND && !uuid_parse(lease, lease_len, out->lease)))
        return "lease must be the offer's UUID.";
    if (json_get_bool(body, "release", &out->release) == JSON_FIELD_WRONG)
        return "release must be true or false.";
    if (out->release && !*out->lease)
        return "release needs the lease that is to end.";
    const enum json_field has_ids = json_get_array(body, "ids", &array);
    if (has_ids == JSON_FIELD_WRONG)
        return "ids must be an array of message ids (UUIDs).";
    return has_ids == JSON_FIELD_FOUND ? read_ids(array, out) : NULL;
}

static void apply(struct exchange *ex, const struct identity *who, const struct ack *ack)
{
    const struct relay *relay = ex->app;
    const struct store_caller caller = identity_caller(who);
    const char *lease = *ack->lease ? ack->lease : NULL;
    int64_t released = 0;
    if (store_ack(relay->store, &caller, lease, ack->id_list, ack->count,
            ack->release ? RELEASE_UNSHOWN : RELEASE_NONE, &released) != STORE_DONE) {
        json_body_store_failed(ex, 503);
        return;
    }
    if (released > 0)
        parking_notify(relay->parking, who->parking_keys);
    struct json_object *body = json_new_object();
    json_add_int(body, "acked", (int64_t)ack->count);
    json_add_int(body, "released", released);
    json_body_answer(ex, 200, body);
}

enum verdict api_ack(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const struct identity *who = authenticate(relay->auth, ex, ACCESS_FREE, NULL);
    if (!who)
        return VERDICT_DONE;
    struct json_object *body = json_body_read(ex);
    if (body) {
        struct ack ack = {0};
        const char *problem = read_ack(body, &ack);
        if (problem)
            exchange_error(ex, 400, "invalid_request", problem);
        else
            apply(ex, who, &ack);
        ack_free(&ack);
        json_object_put(body);
    }
    identity_release(who);
    return VERDICT_DONE;
}
