/* Housekeeping on a remote store, in steps that are one call each. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/ident.h"
#include "notice.h"
#include "store_remote.h"

enum { STEP_ROWS = 200, NOTICE_TRIES_MAX = 5 };

struct cleanup {
    struct store *store;
    struct store_cleanup_result *result;
    int64_t max_age_ms, active_window_ms;
};

/* Messages of one sender to one recipient that expire unread or unanswered. */
struct expiry_group {
    char *namespace_id, *from, *to;
};

static struct json_object *step_body(const struct cleanup *cleanup, const char *step)
{
    struct json_object *body = remote_body();
    json_add_text(body, "step", step);
    json_add_int(body, "max_age", cleanup->max_age_ms);
    json_add_int(body, "window", cleanup->active_window_ms);
    json_add_int(body, "limit", STEP_ROWS);
    return body;
}

static enum store_status ask(
    const struct cleanup *cleanup, struct json_object *body, struct json_object **answer)
{
    return remote_ask(cleanup->store, "patchcord_cleanup", body, CALL_ONCE, answer);
}

/* One step, and how many it did. */
static enum store_status ask_count(const struct cleanup *cleanup, struct json_object *body, int64_t *count)
{
    struct json_object *answer;
    const enum store_status status = ask(cleanup, body, &answer);
    const bool is_read = remote_read_int(answer, "count", count);
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_cleanup");
}

/* ---- expiry with a notice ---- */

static void note_notified(struct cleanup *cleanup, const struct expiry_group *group)
{
    struct store_agents *notified = &cleanup->result->notified;
    for (size_t i = 0; i < notified->count; i++) {
        if (strcmp(notified->items[i].agent, group->from) == 0 &&
            strcmp(notified->items[i].namespace_id, group->namespace_id) == 0)
            return;
    }
    struct store_agent *agent = store_agents_add(notified);
    agent->namespace_id = xstrdup(group->namespace_id);
    agent->agent = xstrdup(group->from);
}

/* Writes the text of the notice, and adds what it tells of to body. */
static bool write_notice(struct json_object *list, const char *recipient, int64_t max_age_ms,
    struct json_object *body, struct buf *text)
{
    struct json_object *seqs = json_new_array();
    json_add(body, "seqs", seqs);
    notice_begin(text, recipient, max_age_ms);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *row = json_object_array_get_idx(list, i);
        const char *id = json_text_or(row, "id", NULL), *content = NULL; /* null: it is sealed */
        size_t len = 0;
        int64_t seq;
        if (!id || json_get_int(row, "seq", &seq) != JSON_FIELD_FOUND ||
            json_get_text(row, "content", &content, &len) == JSON_FIELD_WRONG)
            return false;
        json_append(seqs, json_object_new_int64(seq));
        const bool was_deferred =
            strcmp(json_text_or(row, "status", ""), message_status_names[MESSAGE_DEFERRED]) == 0;
        notice_add(text, id, was_deferred, content, len);
    }
    return true;
}

/* Expires what is in the list and stores the notice of it. *count 0: something has changed meanwhile. */
static enum store_status send_notice(
    const struct cleanup *cleanup, const struct expiry_group *group, struct json_object *list, int64_t *count)
{
    struct json_object *body = step_body(cleanup, "notice");
    struct buf text = {0};
    char id[UUID_SIZE];
    uuid_v7(id);
    json_add_text(body, "id", id);
    json_add_text(body, "ns", group->namespace_id);
    json_add_text(body, "to", group->from);
    const bool is_read = write_notice(list, group->to, cleanup->max_age_ms, body, &text);
    json_add_text_len(body, "content", buf_text(&text), text.len);
    remote_add_words(body, buf_text(&text), text.len);
    buf_free(&text);
    if (is_read)
        return ask_count(cleanup, body, count);
    json_object_put(body);
    return remote_malformed("patchcord_cleanup");
}

static struct json_object *group_body(const struct cleanup *cleanup, const struct expiry_group *group)
{
    struct json_object *body = step_body(cleanup, "group");
    json_add_text(body, "ns", group->namespace_id);
    json_add_text(body, "from", group->from);
    json_add_text(body, "to", group->to);
    json_add_int(body, "limit", NOTICE_MAX_MESSAGES);
    return body;
}

/* One notice of a group. *left: how many it found to tell of. */
static enum store_status expire_some(struct cleanup *cleanup, const struct expiry_group *group, size_t *left)
{
    struct json_object *answer, *list = NULL;
    enum store_status status = ask(cleanup, group_body(cleanup, group), &answer);
    *left = 0;
    if (status == STORE_DONE && json_get_array(answer, "messages", &list) != JSON_FIELD_FOUND)
        status = remote_malformed("patchcord_cleanup");
    if (status == STORE_DONE && (*left = json_object_array_length(list)) > 0) {
        int64_t count = 0;
        status = send_notice(cleanup, group, list, &count);
        cleanup->result->expired += count;
        cleanup->result->notices += count > 0;
        if (count > 0)
            note_notified(cleanup, group);
        else if (status == STORE_DONE)
            status = STORE_ABSENT;
    }
    json_object_put(answer);
    return status;
}

/* What changes under our hands over and over is left to the next cleanup. */
static enum store_status expire_group(struct cleanup *cleanup, const struct expiry_group *group)
{
    size_t left = 1;
    for (int tries = 0; left > 0 && tries < NOTICE_TRIES_MAX;) {
        const enum store_status status = expire_some(cleanup, group, &left);
        if (status == STORE_FAULT)
            return status;
        tries = status == STORE_ABSENT ? tries + 1 : 0;
    }
    return STORE_DONE;
}

static enum store_status expire_groups(struct cleanup *cleanup, struct json_object *groups)
{
    enum store_status status = STORE_DONE;
    for (size_t i = 0; status == STORE_DONE && i < json_object_array_length(groups); i++) {
        struct json_object *row = json_object_array_get_idx(groups, i);
        struct expiry_group group = {0};
        if (remote_read_text(row, "ns", &group.namespace_id) && remote_read_text(row, "from", &group.from) &&
            remote_read_text(row, "to", &group.to))
            status = expire_group(cleanup, &group);
        else
            status = remote_malformed("patchcord_cleanup");
        free(group.namespace_id);
        free(group.from);
        free(group.to);
    }
    return status;
}

/* ---- the rest ---- */

static enum store_status in_steps(const struct cleanup *cleanup, const char *step, int64_t *total)
{
    for (int64_t count = STEP_ROWS; count == STEP_ROWS;) {
        const enum store_status status = ask_count(cleanup, step_body(cleanup, step), &count);
        if (status != STORE_DONE)
            return status;
        *total += count;
    }
    return STORE_DONE;
}

/* Adds the words of each message of the list. */
static bool write_words(struct json_object *list, struct json_object *body)
{
    struct json_object *of = json_new_array();
    json_add(body, "of", of);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *row = json_object_array_get_idx(list, i), *entry = json_new_object();
        const char *content;
        size_t len;
        int64_t seq;
        json_append(of, entry);
        if (json_get_int(row, "seq", &seq) != JSON_FIELD_FOUND ||
            json_get_text(row, "content", &content, &len) != JSON_FIELD_FOUND)
            return false;
        json_add_int(entry, "seq", seq);
        remote_add_words(entry, content, len);
    }
    return true;
}

/* Messages that an older Patchcord stored are searched like all others once this is done. */
static enum store_status index_some(const struct cleanup *cleanup, size_t *count)
{
    struct json_object *answer, *list = NULL;
    enum store_status status = ask(cleanup, step_body(cleanup, "wordless"), &answer);
    *count = 0;
    if (status == STORE_DONE && json_get_array(answer, "messages", &list) != JSON_FIELD_FOUND)
        status = remote_malformed("patchcord_cleanup");
    if (status == STORE_DONE && (*count = json_object_array_length(list)) > 0) {
        struct json_object *body = step_body(cleanup, "words");
        int64_t done;
        if (write_words(list, body)) {
            status = ask_count(cleanup, body, &done);
        } else {
            json_object_put(body);
            status = remote_malformed("patchcord_cleanup");
        }
    }
    json_object_put(answer);
    return status;
}

static enum store_status index_words(const struct cleanup *cleanup)
{
    enum store_status status = STORE_DONE;
    for (size_t count = STEP_ROWS; status == STORE_DONE && count == STEP_ROWS;)
        status = index_some(cleanup, &count);
    return status;
}

static enum store_status clean(struct cleanup *cleanup, struct json_object *groups)
{
    struct store_cleanup_result *result = cleanup->result;
    *result = (struct store_cleanup_result){0}; /* the plan's numbers; now what is really done is counted */
    enum store_status status = expire_groups(cleanup, groups);
    if (status == STORE_DONE)
        status = in_steps(cleanup, "expire", &result->expired);
    if (status == STORE_DONE)
        status = in_steps(cleanup, "delete", &result->deleted);
    if (status == STORE_DONE)
        status = index_words(cleanup);
    if (status == STORE_DONE)
        status = ask_count(cleanup, step_body(cleanup, "rest"), &result->offline);
    for (size_t i = 0; i < result->notified.count; i++)
        remote_tell(cleanup->store, result->notified.items[i].namespace_id, result->notified.items[i].agent);
    return status;
}

static bool read_plan(
    struct json_object *answer, struct store_cleanup_result *result, struct json_object **groups)
{
    if (!remote_read_int(answer, "expired", &result->expired) ||
        !remote_read_int(answer, "deleted", &result->deleted) ||
        !remote_read_int(answer, "offline", &result->offline) ||
        json_get_array(answer, "groups", groups) != JSON_FIELD_FOUND)
        return false;
    for (size_t i = 0; i < json_object_array_length(*groups); i++) {
        int64_t count;
        if (!remote_read_int(json_object_array_get_idx(*groups, i), "count", &count))
            return false;
        result->notices += (count + NOTICE_MAX_MESSAGES - 1) / NOTICE_MAX_MESSAGES;
    }
    return true;
}

enum store_status remote_cleanup(struct store *s, int64_t max_age_ms, int64_t active_window_ms, bool dry_run,
    struct store_cleanup_result *result)
{
    struct cleanup cleanup = {s, result, max_age_ms, active_window_ms};
    struct json_object *answer, *groups = NULL;
    enum store_status status = ask(&cleanup, step_body(&cleanup, "plan"), &answer);
    if (status == STORE_DONE && !read_plan(answer, result, &groups))
        status = remote_malformed("patchcord_cleanup");
    if (status == STORE_DONE && !dry_run)
        status = clean(&cleanup, groups);
    json_object_put(answer);
    return status;
}
