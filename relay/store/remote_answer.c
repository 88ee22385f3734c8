/* Calls of a remote store and what their answers say. */
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/utf8.h"
#include "store_remote.h"
#include "words.h"

/* A full-text value has at most 1 MB of words; what is beyond is not found by them. */
enum { WORDS_MAX_BYTES = 1000 * 1000 };

/* ---- bodies ---- */

struct json_object *remote_body(void)
{
    struct json_object *body = json_new_object();
    if (clock_passed() != 0)
        json_add_int(body, "passed", clock_passed());
    return body;
}

/* What a client said of itself may be any bytes. */
static void add_said(struct json_object *holder, const char *key, const char *text)
{
    if (text && utf8_valid(text, strlen(text)))
        json_add_text(holder, key, text);
}

static struct json_object *presence_of(const struct store_presence *presence)
{
    struct json_object *object = json_new_object(), *meta = json_new_object();
    add_said(object, "display_name", presence->display_name);
    add_said(object, "machine_name", presence->machine_name);
    add_said(meta, "client_type", presence->client_type);
    add_said(meta, "platform", presence->platform);
    add_said(meta, "user_agent", presence->user_agent);
    add_said(meta, "request_host", presence->request_host);
    json_add(object, "meta", meta);
    return object;
}

struct json_object *remote_body_of(const struct store_caller *caller)
{
    struct json_object *body = remote_body(), *namespaces = json_new_array();
    json_append_text(namespaces, caller->namespace_id);
    for (size_t i = 0; i < caller->also_count; i++)
        json_append_text(namespaces, caller->also[i]);
    json_add(body, "ns", namespaces);
    json_add_text(body, "agent", caller->agent);
    remote_add_acks(body, caller->acks, caller->acks_count);
    if (caller->presence)
        json_add(body, "presence", presence_of(caller->presence));
    return body;
}

bool remote_add_id(struct json_object *body, const char *key, const char *id)
{
    char canonical[UUID_SIZE];
    if (!uuid_parse(id, strlen(id), canonical))
        return false;
    json_add_text(body, key, canonical);
    return true;
}

void remote_add_acks(struct json_object *body, const char *const *ids, size_t count)
{
    if (count == 0)
        return;
    struct json_object *acks = NULL;
    if (json_get_array(body, "acks", &acks) != JSON_FIELD_FOUND) {
        acks = json_new_array();
        json_add(body, "acks", acks);
    }
    for (size_t i = 0; i < count; i++) {
        char canonical[UUID_SIZE];
        if (uuid_parse(ids[i], strlen(ids[i]), canonical))
            json_append_text(acks, canonical);
    }
}

void remote_add_words(struct json_object *body, const char *text, size_t len)
{
    struct buf words = {0};
    words_write(text, len, &words);
    while (words.len > WORDS_MAX_BYTES || (words.len > 0 && words.data[words.len - 1] != ' '))
        words.len--;
    json_add_text_len(body, "words", words.len > 0 ? words.data : "", words.len);
    buf_free(&words);
}

/* ---- asking ---- */

static bool read_status(struct json_object *answer, enum store_status *status)
{
    static const char *const names[] = {
        [STORE_DONE] = "done", [STORE_ABSENT] = "absent", [STORE_REFUSED] = "refused"};
    const char *said = json_text_or(answer, "status", "");
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        if (strcmp(said, names[i]) != 0)
            continue;
        *status = (enum store_status)i;
        return true;
    }
    return false;
}

static enum store_status fault(const char *function, const char *why)
{
    log_error("store_failed", LOG_STR("function", function), LOG_STR("why", why));
    return STORE_FAULT;
}

enum store_status remote_malformed(const char *function)
{
    return fault(function, "its answer lacks what it must have");
}

static enum store_status call(
    struct remote *remote, const struct remote_call *what, struct json_object **answer)
{
    struct buf text = {0}, why = {0};
    enum store_status status = STORE_FAULT;
    const enum remote_outcome outcome = remote->ops->call(remote, what, &text, &why);
    if (outcome == REMOTE_DONE) {
        enum json_fault wrong;
        *answer = json_parse(buf_text(&text), text.len, &wrong);
        if (!read_status(*answer, &status))
            status = remote_malformed(what->function);
    } else {
        status = fault(what->function, outcome == REMOTE_MISSING
                                           ? "the database has no such function: its schema is older"
                                           : buf_text(&why));
    }
    buf_wipe(&text);
    buf_free(&why);
    return status;
}

enum store_status remote_ask(struct store *s, const char *function, struct json_object *body,
    bool is_repeatable, struct json_object **answer)
{
    struct buf text = {0};
    json_write(body, &text);
    json_object_put(body);
    *answer = NULL;
    const struct remote_call what = {
        .function = function, .body = buf_text(&text), .body_len = text.len, .is_repeatable = is_repeatable};
    const enum store_status status = call(((struct remote_store *)s)->remote, &what, answer);
    if (status == STORE_FAULT) {
        json_object_put(*answer);
        *answer = NULL;
    }
    buf_wipe(&text);
    return status;
}

enum store_status remote_do(
    struct store *s, const char *function, struct json_object *body, bool is_repeatable)
{
    struct json_object *answer;
    const enum store_status status = remote_ask(s, function, body, is_repeatable, &answer);
    json_object_put(answer);
    return status;
}

void remote_tell(struct store *s, const char *namespace_id, const char *agent)
{
    struct remote *remote = ((struct remote_store *)s)->remote;
    if (remote->ops->tell)
        remote->ops->tell(remote, namespace_id, agent);
}

/* ---- fields ---- */

bool remote_read_text(struct json_object *holder, const char *key, char **text)
{
    const char *found;
    size_t len;
    if (json_get_text(holder, key, &found, &len) != JSON_FIELD_FOUND)
        return false;
    *text = xmemdup_text(found, len);
    return true;
}

bool remote_read_text_or_null(struct json_object *holder, const char *key, char **text)
{
    const char *found;
    size_t len;
    const enum json_field field = json_get_text(holder, key, &found, &len);
    if (field == JSON_FIELD_FOUND)
        *text = xmemdup_text(found, len);
    return field != JSON_FIELD_WRONG;
}

bool remote_read_id(struct json_object *holder, const char *key, char out[static UUID_SIZE])
{
    const char *found;
    size_t len;
    return json_get_text(holder, key, &found, &len) == JSON_FIELD_FOUND && uuid_parse(found, len, out);
}

bool remote_read_id_or_none(struct json_object *holder, const char *key, char out[static UUID_SIZE])
{
    const char *found;
    size_t len;
    const enum json_field field = json_get_text(holder, key, &found, &len);
    if (field == JSON_FIELD_FOUND)
        return uuid_parse(found, len, out);
    out[0] = '\0';
    return field == JSON_FIELD_ABSENT;
}

bool remote_read_hash(struct json_object *holder, const char *key, char out[static SHA256_HEX_SIZE])
{
    const char *found;
    size_t len;
    return json_get_text(holder, key, &found, &len) == JSON_FIELD_FOUND &&
           strlcpy(out, found, SHA256_HEX_SIZE) < SHA256_HEX_SIZE;
}

bool remote_read_texts(struct json_object *holder, const char *key, char ***texts, size_t *count)
{
    struct json_object *list = NULL;
    if (json_get_array(holder, key, &list) == JSON_FIELD_WRONG)
        return false;
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *text = json_object_array_get_idx(list, i);
        if (!json_object_is_type(text, json_type_string))
            return false;
        *texts = xreallocarray(*texts, *count + 1, sizeof **texts);
        (*texts)[(*count)++] =
            xmemdup_text(json_object_get_string(text), (size_t)json_object_get_string_len(text));
    }
    return true;
}

bool remote_read_int(struct json_object *holder, const char *key, int64_t *number)
{
    *number = 0;
    return json_get_int(holder, key, number) != JSON_FIELD_WRONG;
}

bool remote_read_bool(struct json_object *holder, const char *key, bool *flag)
{
    *flag = false;
    return json_get_bool(holder, key, flag) != JSON_FIELD_WRONG;
}

bool remote_read_refusal(struct json_object *answer, enum store_refusal *refusal)
{
    static const char *const names[] = {
        [REFUSAL_NONE] = "",
        [REFUSAL_UNKNOWN_RECIPIENT] = "unknown_recipient",
        [REFUSAL_INBOX_GATE] = "inbox_gate",
        [REFUSAL_QUEUE_FULL] = "queue_full",
        [REFUSAL_ID_TAKEN] = "id_taken",
        [REFUSAL_ALREADY_OFFERED] = "already_offered",
        [REFUSAL_EXPIRED] = "expired",
        [REFUSAL_EXISTS] = "exists",
        [REFUSAL_AMBIGUOUS] = "ambiguous",
        [REFUSAL_TOO_MANY] = "too_many",
        [REFUSAL_USED] = "used",
        [REFUSAL_PENDING] = "pending",
        [REFUSAL_SLOW_DOWN] = "slow_down",
        [REFUSAL_DENIED] = "denied",
    };
    const char *said = json_text_or(answer, "refusal", "");
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        if (strcmp(said, names[i]) != 0)
            continue;
        *refusal = (enum store_refusal)i;
        return true;
    }
    return false;
}

/* ---- rows ---- */

static bool read_status_of(struct json_object *row, struct store_message *message)
{
    const char *said = json_text_or(row, "status", "");
    for (enum message_status status = MESSAGE_PENDING; status <= MESSAGE_DEFERRED; status++) {
        if (strcmp(said, message_status_names[status]) != 0)
            continue;
        message->status = status;
        return true;
    }
    return false;
}

static bool read_times(struct json_object *row, struct store_message *m)
{
    return remote_read_int(row, "sent", &m->sent_ms) && remote_read_int(row, "offered", &m->offered_ms) &&
           remote_read_int(row, "read", &m->read_ms) && remote_read_int(row, "replied", &m->replied_ms) &&
           remote_read_int(row, "deferred", &m->deferred_ms) &&
           remote_read_int(row, "unsent", &m->unsent_ms) && remote_read_int(row, "expired", &m->expired_ms);
}

static bool read_content(struct json_object *row, struct store_message *m)
{
    const char *found;
    size_t len;
    const enum json_field field = json_get_text(row, "content", &found, &len);
    if (field == JSON_FIELD_FOUND) {
        m->content = xmemdup_text(found, len);
        m->content_len = len;
    }
    return field != JSON_FIELD_WRONG;
}

static bool read_message(struct json_object *row, struct store_message *m)
{
    int64_t attempt = 0;
    if (!remote_read_id(row, "id", m->id) || json_get_int(row, "seq", &m->seq) != JSON_FIELD_FOUND ||
        !remote_read_text(row, "ns", &m->namespace_id) || !remote_read_text(row, "from", &m->from) ||
        !remote_read_text(row, "to", &m->to) || !read_content(row, m) ||
        !remote_read_bool(row, "encrypted", &m->is_sealed) ||
        !remote_read_id_or_none(row, "reply_to", m->reply_to) ||
        !remote_read_id_or_none(row, "thread_id", m->thread_id) ||
        !remote_read_text_or_null(row, "thread", &m->thread) ||
        !remote_read_bool(row, "resolved", &m->thread_resolved) || !read_status_of(row, m) ||
        !remote_read_bool(row, "leased", &m->is_leased) || !remote_read_int(row, "attempt", &attempt) ||
        !read_times(row, m))
        return false;
    m->attempt = (unsigned)attempt;
    return attempt >= 0 && attempt <= INT32_MAX;
}

/* The list of that name; NULL with true: it is missing. */
static bool find_list(struct json_object *holder, const char *key, struct json_object **list)
{
    *list = NULL;
    return json_get_array(holder, key, list) != JSON_FIELD_WRONG;
}

bool remote_read_messages(struct json_object *holder, const char *key, struct store_messages *messages)
{
    struct json_object *list;
    if (!find_list(holder, key, &list))
        return false;
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        if (!read_message(json_object_array_get_idx(list, i), store_messages_add(messages)))
            return false;
    }
    return true;
}

static bool read_agent(struct json_object *row, struct store_agent *a)
{
    return remote_read_text(row, "ns", &a->namespace_id) && remote_read_text(row, "agent", &a->agent) &&
           remote_read_text_or_null(row, "display_name", &a->display_name) &&
           remote_read_text_or_null(row, "machine_name", &a->machine_name) &&
           remote_read_text_or_null(row, "client_type", &a->client_type) &&
           remote_read_text_or_null(row, "platform", &a->platform) &&
           remote_read_int(row, "seen", &a->last_seen_ms) && remote_read_int(row, "pending", &a->pending) &&
           remote_read_int(row, "deferred", &a->deferred) &&
           remote_read_int(row, "oldest", &a->oldest_pending_ms);
}

bool remote_read_agents(struct json_object *holder, const char *key, struct store_agents *agents)
{
    struct json_object *list;
    if (!find_list(holder, key, &list))
        return false;
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        if (!read_agent(json_object_array_get_idx(list, i), store_agents_add(agents)))
            return false;
    }
    return true;
}
