#include "outbox_call.h"

#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/mcp.h"

#define IN_ORDER "goes out by itself, in order, when the relay takes it; do not send it again."

static void answer(struct relay_reply *reply, const struct buf *text, bool is_error)
{
    relay_reply_free(reply);
    reply->retry_after_s = -1;
    reply->outcome = RELAY_DONE;
    reply->result = mcp_tool_result(MCP_MODERN, buf_text(text), text->len, is_error);
}

/* ---- queueing ---- */

static void add_recipients(const struct outbox_entry *entry, struct json_object *structured)
{
    struct json_object *to;
    if (json_get_array(entry->args, "to", &to) != JSON_FIELD_FOUND) {
        json_add(structured, "to", NULL);
        json_add_text(structured, "reply_to", json_text_or(entry->args, "message_id", NULL));
        return;
    }
    bool single = json_object_array_length(to) == 1;
    json_add(structured, "to", json_object_get(single ? json_object_array_get_idx(to, 0) : to));
}

static struct json_object *structured_of(const struct outbox_entry *entry, size_t position)
{
    struct json_object *structured = json_new_object();
    json_add_text(structured, "message_id", entry->id);
    json_add_text(structured, "status", "queued");
    add_recipients(entry, structured);
    json_add_text(structured, "thread", json_text_or(entry->args, "thread", NULL));
    json_add_int(structured, "position", (int64_t)position);
    return structured;
}

/* cause: why the relay does not have it; "" where it was not asked. */
static void say_queued(const struct outbox_entry *entry, size_t position, const char *cause, struct buf *out)
{
    buf_puts(out, entry->kind == OUTBOX_REPLY ? "Queued reply" : "Queued for ");
    if (entry->kind == OUTBOX_SEND)
        outbox_entry_to(entry, out);
    buf_printf(out, " [%s]\n", entry->id);
    if (entry->uncertain)
        buf_printf(out, "%s It may have arrived there; if so, it is not stored twice. ", cause);
    else if (cause[0])
        buf_printf(out, "%s ", cause);
    if (position > 1)
        buf_printf(
            out, "It is number %zu in the outbox, behind what waits already, and " IN_ORDER "\n", position);
    else
        buf_puts(out, "It is the first in the outbox, and " IN_ORDER "\n");
}

static void say_lost(const struct outbox_entry *entry, const char *cause, const char *why, struct buf *out)
{
    if (cause[0])
        buf_printf(out, "%s ", cause);
    if (entry->uncertain)
        buf_printf(out,
            "It may have been sent: check with recall before you send it again. It could not be queued: "
            "%s.",
            why);
    else
        buf_printf(out, "Not sent, and not queued either: %s. Send it again later.", why);
}

static void queue(
    const struct outbox_call *call, struct outbox_entry *entry, const char *cause, struct relay_reply *reply)
{
    struct buf text = {0}, why = {0};
    size_t position = 0;
    bool added = outbox_add(call->outbox, entry, &position, &why) == OUTBOX_ADDED;
    if (added)
        say_queued(entry, position, cause, &text);
    else
        say_lost(entry, cause, buf_text(&why), &text);
    answer(reply, &text, !added);
    strlcpy(reply->message_id, entry->id, sizeof reply->message_id);
    if (added && call->structured)
        json_add(reply->result, "structuredContent", structured_of(entry, position));
    buf_free(&why);
    buf_free(&text);
}

/* ---- before the relay is asked ---- */

/* A token that is refused delivers nothing: "queued" would be a promise that nobody keeps. */
static void refuse_for_token(const struct outbox_call *call, size_t waiting, struct relay_reply *reply)
{
    struct buf text = {0};
    buf_printf(&text, "Not sent: %s %zu queued message%s for that to be put right.",
        outbox_flush_problem(call->flush), waiting, waiting == 1 ? " waits" : "s wait");
    answer(reply, &text, true);
    buf_free(&text);
}

static void queue_behind(const struct outbox_call *call, struct relay_reply *reply)
{
    char id[UUID_SIZE];
    struct outbox_entry entry;
    struct buf why = {0};
    uuid_v7(id);
    outbox_entry_make(call->tool, id, call->args, &entry);
    if (outbox_entry_sound(&entry, &why))
        queue(call, &entry, outbox_flush_problem(call->flush), reply);
    else
        answer(reply, &why, true);
    outbox_entry_free(&entry);
    buf_free(&why);
}

static bool begin_send(const struct outbox_call *call, struct relay_reply *reply)
{
    size_t waiting = outbox_waiting(call->outbox);
    if (waiting == 0)
        return false;
    if (outbox_flush_state(call->flush) == OUTBOX_FLUSH_REFUSED)
        refuse_for_token(call, waiting, reply);
    else
        queue_behind(call, reply);
    outbox_flush_kick(call->flush);
    return true;
}

static bool begin_unsend(const struct outbox_call *call, struct relay_reply *reply)
{
    char id[UUID_SIZE];
    const char *text = json_text_or(call->args, "message_id", "");
    enum outbox_found found =
        uuid_parse(text, strlen(text), id) ? outbox_drop(call->outbox, id, false) : OUTBOX_ABSENT;
    if (found == OUTBOX_ABSENT)
        return false;
    struct buf said = {0};
    if (found == OUTBOX_DROPPED)
        buf_printf(&said, "Unsent [%s]: it was still in the outbox.\n", id);
    else
        buf_printf(&said,
            "Not taken back: [%s] is in the outbox, but may have reached the relay already. Try again "
            "when the relay can be reached.",
            id);
    answer(reply, &said, found != OUTBOX_DROPPED);
    if (found == OUTBOX_DROPPED && call->structured) {
        struct json_object *structured = json_new_object();
        json_add_text(structured, "message_id", id);
        json_add_text(structured, "status", "unsent");
        json_add(reply->result, "structuredContent", structured);
    }
    buf_free(&said);
    return true;
}

bool outbox_call_begin(const struct outbox_call *call, struct relay_reply *reply)
{
    *reply = (struct relay_reply){.retry_after_s = -1};
    if (outbox_takes(call->tool))
        return begin_send(call, reply);
    return strcmp(call->tool, "unsend_message") == 0 && begin_unsend(call, reply);
}

/* ---- after it was asked ---- */

void outbox_call_end(const struct outbox_call *call, struct relay_reply *reply)
{
    bool passing = reply->outcome == RELAY_UNREACHABLE || reply->outcome == RELAY_UNCERTAIN;
    if (!passing || !outbox_takes(call->tool) || !reply->message_id[0])
        return;
    struct outbox_entry entry;
    struct buf why = {0};
    outbox_entry_make(call->tool, reply->message_id, call->args, &entry);
    entry.attempts = 1;
    entry.uncertain = reply->outcome == RELAY_UNCERTAIN;
    entry.problem = xstrdup_or_null(reply->reason);
    if (!outbox_entry_sound(&entry, &why)) {
        answer(reply, &why, true);
    } else {
        char *cause = xstrdup(reply->reason ? reply->reason : reply->problem);
        if (reply->retry_after_s > 0) {
            char *bare = cause;
            cause = xasprintf("%s The next try is in %d s.", bare, reply->retry_after_s);
            free(bare);
        }
        outbox_flush_after(call->flush, reply);
        queue(call, &entry, cause, reply);
        free(cause);
    }
    outbox_entry_free(&entry);
    buf_free(&why);
}
