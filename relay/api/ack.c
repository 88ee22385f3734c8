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

/* Each of these returns false with what is wrong in why. */
static bool read_id(struct json_object *value, char out[static UUID_SIZE], struct buf *why)
{
    if (json_object_is_type(value, json_type_string) &&
        uuid_parse(json_object_get_string(value), (size_t)json_object_get_string_len(value), out))
        return true;
    buf_puts(why, "ids must be an array of message ids (UUIDs).");
    return false;
}

static bool read_ids(struct json_object *array, struct ack *out, struct buf *why)
{
    const size_t count = json_object_array_length(array);
    if (count > PATCHCORD_ACKS_MAX) {
        buf_printf(why, "ids must have at most %d entries.", PATCHCORD_ACKS_MAX);
        return false;
    }
    out->ids = xcalloc(count + 1, sizeof *out->ids);
    out->id_list = xcalloc(count + 1, sizeof *out->id_list);
    for (; out->count < count; out->count++) {
        if (!read_id(json_object_array_get_idx(array, out->count), out->ids[out->count], why))
            return false;
        out->id_list[out->count] = out->ids[out->count];
    }
    return true;
}

static bool read_lease(struct json_object *body, struct ack *out, struct buf *why)
{
    const char *lease = NULL;
    size_t lease_len = 0;
    const enum json_field has_lease = json_get_text(body, "lease", &lease, &lease_len);
    if (has_lease == JSON_FIELD_WRONG ||
        (has_lease == JSON_FIELD_FOUND && !uuid_parse(lease, lease_len, out->lease)))
        buf_puts(why, "lease must be the offer's UUID.");
    else if (json_get_bool(body, "release", &out->release) == JSON_FIELD_WRONG)
        buf_puts(why, "release must be true or false.");
    else if (out->release && !*out->lease)
        buf_puts(why, "release needs the lease that is to end.");
    return why->len == 0;
}

static bool read_ack(struct json_object *body, struct ack *out, struct buf *why)
{
    struct json_object *array = NULL;
    if (!read_lease(body, out, why))
        return false;
    const enum json_field has_ids = json_get_array(body, "ids", &array);
    if (has_ids == JSON_FIELD_WRONG)
        buf_puts(why, "ids must be an array of message ids (UUIDs).");
    return has_ids == JSON_FIELD_FOUND ? read_ids(array, out, why) : has_ids == JSON_FIELD_ABSENT;
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
        struct buf why = {0};
        if (read_ack(body, &ack, &why))
            apply(ex, who, &ack);
        else
            exchange_error(ex, 400, "invalid_request", buf_text(&why));
        buf_free(&why);
        ack_free(&ack);
        json_object_put(body);
    }
    identity_release(who);
    return VERDICT_DONE;
}
