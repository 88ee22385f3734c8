/* inbox.c: GET /api/inbox?status=&limit=&count_only=: a look at one's messages that changes nothing, not even
 * presence: a status line that polls is no agent at work. */
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/utf8.h"
#include "../auth/authenticator.h"
#include "../config.h"
#include "../relay.h"
#include "api.h"
#include "json_body.h"

struct inbox_query {
    enum message_status status;
    size_t limit;
    bool count_only;
};

static enum message_status read_status(const char *text)
{
    static const enum message_status known[] = {MESSAGE_PENDING, MESSAGE_READ, MESSAGE_DEFERRED};
    for (size_t i = 0; text && i < LENGTH_OF(known); i++)
        if (strcmp(text, message_status_names[known[i]]) == 0)
            return known[i];
    return MESSAGE_PENDING;
}

/* Clamped rather than refused: clients send limit=0 to try a token. */
static size_t read_limit(const char *text)
{
    char *end;
    if (!text)
        return API_INBOX_LIMIT;
    const long long limit = strtoll(text, &end, 10);
    if (end == text || *end)
        return API_INBOX_LIMIT;
    if (limit < 1)
        return 1;
    return limit > API_INBOX_LIMIT_MAX ? API_INBOX_LIMIT_MAX : (size_t)limit;
}

static struct inbox_query read_query(const struct exchange *ex)
{
    const char *count_only = exchange_query(ex, "count_only");
    return (struct inbox_query){
        .status = read_status(exchange_query(ex, "status")),
        .limit = read_limit(exchange_query(ex, "limit")),
        .count_only = count_only && (strcmp(count_only, "1") == 0 || strcmp(count_only, "true") == 0),
    };
}

static struct json_object *describe(const struct identity *who, const struct store_message *m)
{
    struct json_object *row = json_new_object();
    char sent_at[RFC3339_LEN], from[ADDRESS_SIZE];
    clock_rfc3339(m->sent_ms, sent_at);
    json_add_text(row, "message_id", m->id);
    identity_name(who, m->namespace_id, m->from, from);
    json_add_text(row, "from", from);
    json_add_text_len(
        row, "preview", m->content, utf8_offset(m->content, m->content_len, API_PREVIEW_CHARACTERS));
    json_add_text(row, "sent_at", sent_at);
    return row;
}

static struct json_object *describe_all(const struct identity *who, const struct store_messages *messages)
{
    struct json_object *rows = json_new_array();
    for (size_t i = 0; i < messages->count; i++)
        json_append(rows, describe(who, &messages->items[i]));
    return rows;
}

static void answer(struct exchange *ex, const struct identity *who, const struct inbox_query *query)
{
    const struct relay *relay = ex->app;
    const struct store_caller caller = identity_caller(who);
    struct store_messages messages = {0};
    int64_t count = 0;
    if (store_inbox(relay->store, &caller, query->status, query->limit, query->count_only, &messages,
            &count) != STORE_DONE) {
        json_body_store_failed(ex, 502);
        store_messages_free(&messages);
        return;
    }
    struct client client;
    struct client_labels labels;
    client_read(ex, &client, &labels);
    struct json_object *body = json_new_object();
    json_add_int(body, "pending_count", count);
    if (query->count_only)
        json_add_int(body, "count", count);
    else
        json_add(body, "messages", describe_all(who, &messages));
    json_add_text(body, "agent_id", who->agent);
    json_add_text(body, "namespace_id", who->namespace_id);
    json_add_text(body, "machine_name", *labels.machine ? labels.machine : NULL);
    json_add_int(body, "rate_limit_per_minute", relay->config->rate_limit_per_minute);
    store_messages_free(&messages);
    json_body_answer(ex, 200, body);
}

enum verdict api_inbox(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const struct identity *who = authenticate(relay->auth, ex, ACCESS_FREE, NULL);
    if (!who)
        return VERDICT_DONE;
    const struct inbox_query query = read_query(ex);
    answer(ex, who, &query);
    identity_release(who);
    return VERDICT_DONE;
}
