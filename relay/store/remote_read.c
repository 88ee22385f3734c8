/* Offers and acknowledgements, and reading back, on a remote store. */
#include <stdlib.h>
#include <string.h>

#include "store_remote.h"
#include "words.h"

/* More words of a query than that add nothing. */
enum { QUERY_MAX_WORDS = 64 };

/* ---- offer, ack, touch ---- */

static bool read_offer(struct json_object *answer, struct store_offer_result *result)
{
    return remote_read_messages(answer, "messages", &result->messages) &&
           remote_read_int(answer, "more", &result->more) &&
           remote_read_int(answer, "in_delivery", &result->in_delivery) &&
           remote_read_int(answer, "lease_end", &result->next_lease_end_ms) &&
           remote_read_messages(answer, "deferred", &result->deferred) &&
           remote_read_int(answer, "deferred_total", &result->deferred_total) &&
           remote_read_agents(answer, "agents", &result->agents);
}

static int64_t clamped(size_t number)
{
    return number < INT64_MAX ? (int64_t)number : INT64_MAX;
}

enum store_status remote_offer(struct store *s, const struct store_caller *caller,
    const struct store_offer *offer, struct store_offer_result *result)
{
    struct json_object *body = remote_body_of(caller), *answer = NULL;
    if (offer->lease && !remote_add_id(body, "lease", offer->lease)) {
        json_object_put(body);
        return remote_malformed("patchcord_offer");
    }
    json_add_int(body, "max", clamped(offer->max_messages));
    json_add_int(body, "max_bytes", clamped(offer->max_bytes));
    json_add_bool(body, "context", offer->with_context);
    json_add_bool(body, "all", offer->all_agents);
    json_add_int(body, "since", offer->active_since_ms);
    const enum store_status status = remote_ask(s, "patchcord_offer", body, CALL_REPEATABLE, &answer);
    const bool is_read = status != STORE_DONE || read_offer(answer, result);
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_offer");
}

enum store_status remote_ack(struct store *s, const struct store_caller *caller, const char *lease,
    const char *const *ids, size_t ids_count, enum store_release release, int64_t *released)
{
    if (ids_count == 0 && (!lease || release == RELEASE_NONE))
        return remote_touch(s, caller);
    struct json_object *body = remote_body_of(caller), *answer = NULL;
    remote_add_acks(body, ids, ids_count);
    if (lease && release != RELEASE_NONE && remote_add_id(body, "lease", lease))
        json_add_text(body, "release", release == RELEASE_LOST ? "lost" : "unshown");
    const enum store_status status = remote_ask(s, "patchcord_ack", body, CALL_REPEATABLE, &answer);
    const bool is_read = remote_read_int(answer, "released", released);
    json_object_put(answer);
    for (size_t i = 0; *released > 0 && i < store_caller_namespaces(caller); i++)
        remote_tell(s, store_caller_namespace(caller, i), caller->agent);
    return is_read ? status : remote_malformed("patchcord_ack");
}

enum store_status remote_touch(struct store *s, const struct store_caller *caller)
{
    if (caller->acks_count == 0 && !caller->presence)
        return STORE_DONE;
    return remote_do(s, "patchcord_touch", remote_body_of(caller), CALL_REPEATABLE);
}

/* ---- reading back ---- */

/* Asks, and reads the answer's messages and one number. */
static enum store_status ask_messages(struct store *s, const char *function, struct json_object *body,
    struct store_messages *result, const char *key, int64_t *number)
{
    struct json_object *answer = NULL;
    const enum store_status status = remote_ask(s, function, body, CALL_REPEATABLE, &answer);
    const bool is_read = status != STORE_DONE || (remote_read_messages(answer, "messages", result) &&
                                                     remote_read_int(answer, key, number));
    json_object_put(answer);
    return is_read ? status : remote_malformed(function);
}

/* The query's first words. False where there are none. */
static bool add_query(struct json_object *body, const char *query)
{
    struct buf words = {0};
    words_write(query, strlen(query), &words);
    size_t len = 0;
    for (size_t count = 0; count < QUERY_MAX_WORDS && len < words.len; count++)
        len += strcspn(words.data + len, " ") + 1;
    json_add_text_len(body, "words", len > 0 ? words.data : "", len);
    buf_free(&words);
    return len > 0;
}

static struct json_object *recall_body(const struct store_caller *caller, const struct store_recall *recall)
{
    struct json_object *body = remote_body_of(caller);
    bool can_find = true;
    if (recall->message_id)
        can_find = remote_add_id(body, "message_id", recall->message_id);
    else if (recall->query)
        can_find = add_query(body, recall->query);
    json_add_int(body, "limit", clamped(recall->limit));
    json_add_text(body, "from", recall->from_agent);
    json_add_text(body, "in", recall->namespace_id);
    json_add_text(body, "thread", recall->thread);
    json_add_int(body, "after", recall->after_seq);
    if (can_find)
        return body;
    json_object_put(body);
    return NULL;
}

enum store_status remote_recall(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result)
{
    struct json_object *body = recall_body(caller, recall);
    if (!body)
        return remote_touch(s, caller);
    int64_t none;
    return ask_messages(s, "patchcord_recall", body, result, "count", &none);
}

enum store_status remote_inbox(struct store *s, const struct store_caller *caller, enum message_status status,
    size_t limit, bool count_only, struct store_messages *result, int64_t *count)
{
    struct json_object *body = remote_body_of(caller);
    json_add_text(body, "status", message_status_names[status]);
    json_add_int(body, "limit", clamped(limit));
    json_add_bool(body, "count_only", count_only);
    return ask_messages(s, "patchcord_inbox", body, result, "count", count);
}

enum store_status remote_events(struct store *s, const struct store_caller *caller, int64_t after_seq,
    size_t limit, struct store_messages *result, int64_t *newest)
{
    struct json_object *body = remote_body_of(caller);
    json_add_int(body, "after", after_seq);
    json_add_int(body, "limit", clamped(limit));
    return ask_messages(s, "patchcord_events", body, result, "newest", newest);
}
