/* channel.c: POST /api/channel/{poll,send,reply}: messages for programs that are no MCP clients. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/ident.h"
#include "../../common/utf8.h"
#include "../../common/uuid.h"
#include "../auth/authenticator.h"
#include "../http/parking.h"
#include "../notify.h"
#include "../relay.h"
#include "api.h"
#include "json_body.h"

/* Polled messages are as large as they are; together no more than what one recipient's queue holds. */
enum { POLL_BYTES_MAX = QUEUE_MAX_BYTES };

struct channel_caller {
    const struct identity *who;
    struct client client;
    struct client_labels labels;
    struct store_presence presence;
    struct store_caller store;
};

/* False: answered already. */
static bool begin(struct exchange *ex, struct channel_caller *out)
{
    const struct relay *relay = ex->app;
    out->who = authenticate(relay->auth, ex, ACCESS_METERED, NULL);
    if (!out->who)
        return false;
    client_read(ex, &out->client, &out->labels);
    out->store = identity_caller(out->who);
    if (presence_due(relay->auth, out->who, &out->labels, &out->presence))
        out->store.presence = &out->presence;
    return true;
}

/* ---- poll ---- */

/* What was handed out, until the client has it. */
struct polled {
    const struct identity *who;
    char lease[UUID_SIZE];
    char (*ids)[UUID_SIZE];
    size_t count;
};

static void polled_free(struct polled *polled)
{
    identity_release(polled->who);
    free(polled->ids);
    free(polled);
}

/* Read where the client has got it, pending again where it has not. A store that fails here leaves the lease
 * to run out: the messages are handed out once more. */
static void poll_settle(struct exchange *ex, enum settlement how)
{
    const struct relay *relay = ex->app;
    struct polled *polled = ex->state;
    const struct store_caller caller = identity_caller(polled->who);
    const bool arrived = how == SETTLED_DELIVERED;
    const char **ids = xcalloc(polled->count + 1, sizeof *ids);
    for (size_t i = 0; i < polled->count; i++)
        ids[i] = polled->ids[i];
    int64_t released = 0;
    const enum store_status status = store_ack(relay->store, &caller, polled->lease, ids,
        arrived ? polled->count : 0, arrived ? RELEASE_NONE : RELEASE_LOST, &released);
    if (status == STORE_DONE && released > 0)
        parking_notify(relay->parking, polled->who->parking_keys);
    free(ids);
    polled_free(polled);
    ex->state = NULL;
}

static struct json_object *describe(const struct store_message *m)
{
    struct json_object *row = json_new_object();
    json_add_text(row, "id", m->id);
    json_add_text(row, "from_agent", m->from);
    json_add_text_len(row, "content", m->content, m->content_len);
    json_add_time(row, "created_at", m->sent_ms);
    json_add_text(row, "namespace_id", m->namespace_id);
    json_add_text(row, "reply_to", *m->reply_to ? m->reply_to : NULL);
    return row;
}

static void settle_later(
    struct exchange *ex, const struct identity *who, const char *lease, const struct store_messages *messages)
{
    struct polled *polled = xcalloc(1, sizeof *polled);
    polled->who = identity_retain(who);
    memcpy(polled->lease, lease, sizeof polled->lease);
    polled->count = messages->count;
    polled->ids = xcalloc(messages->count, sizeof *polled->ids);
    for (size_t i = 0; i < messages->count; i++)
        memcpy(polled->ids[i], messages->items[i].id, UUID_SIZE);
    ex->state = polled;
    ex->settle = poll_settle;
    ex->confirm_delivery = true;
}

static void poll_offer(struct exchange *ex, const struct channel_caller *caller)
{
    const struct relay *relay = ex->app;
    char lease[UUID_SIZE];
    uuid_v4(lease);
    const struct store_offer offer = {
        .lease = lease, .max_messages = API_POLL_MAX, .max_bytes = POLL_BYTES_MAX};
    struct store_offer_result result = {0};
    if (store_offer(relay->store, &caller->store, &offer, &result) == STORE_DONE) {
        struct json_object *list = json_new_array();
        for (size_t i = 0; i < result.messages.count; i++)
            json_append(list, describe(&result.messages.items[i]));
        if (result.messages.count > 0)
            settle_later(ex, caller->who, lease, &result.messages);
        json_body_answer(ex, 200, list);
    } else {
        json_body_store_failed(ex, 500);
    }
    store_offer_result_free(&result);
}

enum verdict api_channel_poll(struct exchange *ex)
{
    struct channel_caller caller;
    if (!begin(ex, &caller))
        return VERDICT_DONE;
    poll_offer(ex, &caller);
    identity_release(caller.who);
    return VERDICT_DONE;
}

/* ---- send and reply ---- */

static void refuse(struct exchange *ex, int status, const char *message)
{
    struct json_object *body = json_new_object();
    json_add_text(body, "error", message);
    json_body_answer(ex, status, body);
}

/* False: answered already. *content is borrowed from body. */
static bool read_content(struct exchange *ex, struct json_object *body, const char **content, size_t *len)
{
    if (json_get_text(body, "content", content, len) != JSON_FIELD_FOUND || *len == 0) {
        refuse(ex, 400, "content must be a text that is not empty");
        return false;
    }
    const size_t characters = utf8_count(*content, *len);
    if (characters <= CONTENT_MAX_CHARACTERS)
        return true;
    char *message =
        xasprintf("content has %zu characters, at most %d are allowed", characters, CONTENT_MAX_CHARACTERS);
    refuse(ex, 400, message);
    free(message);
    return false;
}

static void answer_sent(struct exchange *ex, const struct channel_caller *caller,
    const struct store_sent *sent, const char *status)
{
    char name[ADDRESS_SIZE];
    notify_agent(ex->app, sent->namespace_id, sent->to);
    identity_name(caller->who, sent->namespace_id, sent->to, name);
    struct json_object *body = json_new_object();
    json_add_text(body, "id", sent->id);
    json_add_text(body, "status", status);
    json_add_text(body, "to_agent", name);
    json_body_answer(ex, 200, body);
}

static void answer_refused(struct exchange *ex, enum store_refusal refusal)
{
    static const struct {
        int status;
        const char *message;
    } refusals[] = {
        [REFUSAL_UNKNOWN_RECIPIENT] = {404, "there is no such agent in your namespace"},
        [REFUSAL_QUEUE_FULL] = {429,
            "the recipient has too many unread messages; try again when it has read some"},
        [REFUSAL_ID_TAKEN] = {400, "the message id belongs to another message"},
        [REFUSAL_AMBIGUOUS] = {400, "several of your namespaces have that agent; write agent@namespace"},
    };
    if (refusal < LENGTH_OF(refusals) && refusals[refusal].message)
        refuse(ex, refusals[refusal].status, refusals[refusal].message);
    else
        refuse(ex, 500, "the store refused the message");
}

/* Reads to_agent into name; an address is fine where its namespace is one of the caller's. */
static bool read_recipient(
    struct exchange *ex, struct json_object *body, const struct identity *who, struct ident *out)
{
    const char *text = NULL;
    size_t len = 0;
    if (json_get_text(body, "to_agent", &text, &len) != JSON_FIELD_FOUND || len == 0) {
        refuse(ex, 400, "to_agent must be an agent's name");
        return false;
    }
    if (!ident_parse(text, out) || strcmp(out->agent, RELAY_AGENT) == 0 ||
        (*out->namespace_id && !identity_is_in(who, out->namespace_id))) {
        answer_refused(ex, REFUSAL_UNKNOWN_RECIPIENT);
        return false;
    }
    return true;
}

static void send_message(struct exchange *ex, const struct channel_caller *caller, struct json_object *body)
{
    const struct relay *relay = ex->app;
    struct ident to;
    struct store_send send = {.recipients_count = 1, .ungated = true};
    if (!read_recipient(ex, body, caller->who, &to) ||
        !read_content(ex, body, &send.content, &send.content_len))
        return;
    const struct store_recipient recipient = {
        .agent = to.agent, .namespace_id = *to.namespace_id ? to.namespace_id : NULL};
    send.recipients = &recipient;
    struct store_send_result result = {0};
    const enum store_status status = store_send(relay->store, &caller->store, &send, &result);
    if (status == STORE_DONE) {
        answer_sent(ex, caller, &result.sent[0], "sent");
    } else if (status == STORE_REFUSED) {
        answer_refused(ex, result.refusal);
    } else {
        json_body_store_failed(ex, 500);
    }
    store_send_result_free(&result);
}

/* True where the caller sent that message itself: it may know that it exists. */
static bool is_own_message(
    const struct relay *relay, const struct channel_caller *caller, const char *message_id)
{
    const struct store_recall recall = {.limit = 1, .message_id = message_id};
    struct store_messages found = {0};
    const bool own = store_recall(relay->store, &caller->store, &recall, &found) == STORE_DONE &&
                     found.count == 1 && strcmp(found.items[0].from, caller->who->agent) == 0;
    store_messages_free(&found);
    return own;
}

static void answer_absent(struct exchange *ex, const struct channel_caller *caller, const char *message_id)
{
    if (is_own_message(ex->app, caller, message_id))
        refuse(ex, 403, "that message is not addressed to you");
    else
        refuse(ex, 404, "there is no such message");
}

static void reply_to_message(
    struct exchange *ex, const struct channel_caller *caller, struct json_object *body)
{
    const struct relay *relay = ex->app;
    const char *id_text = NULL;
    size_t id_len = 0;
    char message_id[UUID_SIZE];
    struct store_reply reply = {.message_id = message_id};
    if (json_get_text(body, "message_id", &id_text, &id_len) != JSON_FIELD_FOUND ||
        !uuid_parse(id_text, id_len, message_id)) {
        refuse(ex, 400, "message_id must be a message's id (a UUID)");
        return;
    }
    if (!read_content(ex, body, &reply.content, &reply.content_len))
        return;
    struct store_reply_result result = {0};
    const enum store_status status = store_reply(relay->store, &caller->store, &reply, &result);
    if (status == STORE_DONE) {
        answer_sent(ex, caller, &result.sent, "replied");
    } else if (status == STORE_ABSENT) {
        answer_absent(ex, caller, message_id);
    } else if (status == STORE_REFUSED) {
        answer_refused(ex, result.refusal);
    } else {
        json_body_store_failed(ex, 500);
    }
    store_reply_result_free(&result);
}

static enum verdict with_body(struct exchange *ex,
    void (*act)(struct exchange *ex, const struct channel_caller *caller, struct json_object *body))
{
    struct channel_caller caller;
    if (!begin(ex, &caller))
        return VERDICT_DONE;
    struct json_object *body = json_body_read(ex);
    if (body)
        act(ex, &caller, body);
    json_object_put(body);
    identity_release(caller.who);
    return VERDICT_DONE;
}

enum verdict api_channel_send(struct exchange *ex)
{
    return with_body(ex, send_message);
}

enum verdict api_channel_reply(struct exchange *ex)
{
    return with_body(ex, reply_to_message);
}
