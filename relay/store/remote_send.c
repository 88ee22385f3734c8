/* Sending, replying and taking back, on a remote store. */
#include <bsd/string.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "fingerprint.h"
#include "store_remote.h"

enum { HASH_HEX_SIZE = 2 * FINGERPRINT_SIZE + 1 };

/* Every message goes under an id that is known here, so that a call whose outcome is unknown can be made
 * again. */
static bool add_identity(
    struct json_object *body, const char *id, const uint8_t hash[static FINGERPRINT_SIZE])
{
    char hex[HASH_HEX_SIZE];
    json_add_text(body, "hash", sodium_bin2hex(hex, sizeof hex, hash, FINGERPRINT_SIZE));
    return remote_add_id(body, "id", id);
}

static void add_content(struct json_object *body, const char *content, size_t len, bool is_sealed)
{
    json_add_text_len(body, "content", content, len);
    json_add_bool(body, "encrypted", is_sealed);
    remote_add_words(body, content, is_sealed ? 0 : len);
}

/* ---- send ---- */

static bool add_recipients(struct json_object *body, const struct store_caller *caller,
    const struct store_send *send, const char send_id[static UUID_SIZE])
{
    struct json_object *to = json_new_array();
    json_add(body, "to", to);
    for (size_t i = 0; i < send->recipients_count; i++) {
        char id[UUID_SIZE];
        struct json_object *recipient = json_new_object();
        json_append(to, recipient);
        json_add_text(recipient, "agent", send->recipients[i].agent);
        if (send->recipients[i].namespace_id)
            json_add_text(recipient, "ns", send->recipients[i].namespace_id);
        fingerprint_row_id(caller, send, send_id, i, id);
        if (!remote_add_id(recipient, "id", id))
            return false;
    }
    return true;
}

static struct json_object *send_body(const struct store_caller *caller, const struct store_send *send)
{
    struct json_object *body = remote_body_of(caller);
    uint8_t hash[FINGERPRINT_SIZE];
    char id[UUID_SIZE];
    if (send->message_id)
        strlcpy(id, send->message_id, sizeof id);
    else
        uuid_v7(id);
    fingerprint_send(caller, send, hash);
    add_content(body, send->content, send->content_len, send->is_sealed);
    json_add_text(body, "thread", send->thread);
    json_add_bool(body, "ungated", send->ungated);
    json_add_bool(body, "only_ask", send->only_ask);
    if (add_identity(body, id, hash) && add_recipients(body, caller, send, id))
        return body;
    json_object_put(body);
    return NULL;
}

static bool read_sent(struct json_object *row, struct store_sent *sent)
{
    return remote_read_id_or_none(row, "id", sent->id) && remote_read_text(row, "ns", &sent->namespace_id) &&
           remote_read_text(row, "to", &sent->to) && remote_read_int(row, "seen", &sent->last_seen_ms);
}

static bool read_all_sent(struct json_object *answer, struct store_send_result *result)
{
    struct json_object *list = NULL;
    if (json_get_array(answer, "sent", &list) != JSON_FIELD_FOUND)
        return false;
    const size_t count = json_object_array_length(list);
    result->sent = xcalloc(count + 1, sizeof *result->sent);
    for (result->sent_count = 0; result->sent_count < count; result->sent_count++) {
        struct store_sent *sent = &result->sent[result->sent_count];
        if (read_sent(json_object_array_get_idx(list, result->sent_count), sent) && *sent->id)
            continue;
        store_sent_free(sent);
        return false;
    }
    return true;
}

static bool read_refused(struct json_object *answer, struct store_send_result *result)
{
    return remote_read_refusal(answer, &result->refusal) &&
           remote_read_text_or_null(answer, "to", &result->refused_to) &&
           remote_read_texts(answer, "names", &result->names, &result->names_count) &&
           remote_read_int(answer, "unread_total", &result->unread_total) &&
           remote_read_messages(answer, "unread", &result->unread);
}

static void tell_recipients(struct store *s, const struct store_send_result *result)
{
    for (size_t i = 0; i < result->sent_count; i++)
        remote_tell(s, result->sent[i].namespace_id, result->sent[i].to);
}

enum store_status remote_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result)
{
    struct json_object *body = send_body(caller, send), *answer = NULL;
    if (!body)
        return remote_malformed("patchcord_send");
    const enum store_status status = remote_ask(s, "patchcord_send", body, CALL_REPEATABLE, &answer);
    bool is_read = true;
    if (status == STORE_DONE)
        is_read = remote_read_bool(answer, "repeat", &result->repeat) && read_all_sent(answer, result);
    else if (status == STORE_REFUSED)
        is_read = read_refused(answer, result);
    json_object_put(answer);
    if (!is_read)
        return remote_malformed("patchcord_send");
    /* The call was made twice; the send was not. */
    result->repeat = result->repeat && send->message_id;
    if (status == STORE_DONE && !send->only_ask)
        tell_recipients(s, result);
    return status;
}

/* ---- reply ---- */

static struct json_object *reply_body(const struct store_caller *caller, const struct store_reply *reply)
{
    struct json_object *body = remote_body_of(caller);
    bool done = remote_add_id(body, "message_id", reply->message_id);
    if (done && reply->content) {
        uint8_t hash[FINGERPRINT_SIZE];
        char id[UUID_SIZE];
        if (reply->reply_id)
            strlcpy(id, reply->reply_id, sizeof id);
        else
            uuid_v7(id);
        fingerprint_reply(reply, hash);
        add_content(body, reply->content, reply->content_len, reply->is_sealed);
        done = add_identity(body, id, hash);
    }
    json_add_bool(body, "defer", reply->defer);
    json_add_bool(body, "resolve", reply->resolve);
    if (done)
        return body;
    json_object_put(body);
    return NULL;
}

static bool read_reply(
    struct json_object *answer, enum store_status status, struct store_reply_result *result)
{
    struct json_object *sent = NULL;
    if (status == STORE_ABSENT)
        return true;
    if (json_get_object(answer, "sent", &sent) != JSON_FIELD_FOUND || !read_sent(sent, &result->sent))
        return false;
    return remote_read_refusal(answer, &result->refusal) &&
           remote_read_bool(answer, "repeat", &result->repeat) &&
           remote_read_bool(answer, "was_sent", &result->was_sent) &&
           remote_read_text_or_null(answer, "thread", &result->thread) &&
           remote_read_bool(answer, "resolved", &result->resolved);
}

enum store_status remote_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result)
{
    struct json_object *body = reply_body(caller, reply), *answer = NULL;
    if (!body)
        return STORE_ABSENT;
    const enum store_status status = remote_ask(s, "patchcord_reply", body, CALL_REPEATABLE, &answer);
    const bool is_read = status == STORE_FAULT || read_reply(answer, status, result);
    json_object_put(answer);
    if (!is_read)
        return remote_malformed("patchcord_reply");
    result->repeat = result->repeat && reply->reply_id;
    if (status == STORE_DONE && result->was_sent)
        remote_tell(s, result->sent.namespace_id, result->sent.to);
    return status;
}

/* ---- unsend ---- */

enum store_status remote_unsend(
    struct store *s, const struct store_caller *caller, const char *message_id, enum store_refusal *refusal)
{
    struct json_object *body = remote_body_of(caller), *answer = NULL;
    if (!remote_add_id(body, "message_id", message_id)) {
        json_object_put(body);
        const enum store_status touched = remote_touch(s, caller);
        return touched == STORE_DONE ? STORE_ABSENT : touched;
    }
    const enum store_status status = remote_ask(s, "patchcord_unsend", body, CALL_REPEATABLE, &answer);
    const bool is_read = remote_read_refusal(answer, refusal);
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_unsend");
}
