#include "channel.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/fence.h"
#include "../common/ident.h"
#include "../common/jsonrpc.h"
#include "../common/log.h"
#include "../common/mcp.h"
#include "../common/utf8.h"

#define METHOD "notifications/claude/channel"

struct channel {
    struct channel_setup setup;
    bool open;
    struct relay_call *call; /* the wait that is under way */
    int64_t due_ms;          /* of the next one; monotonic */
    bool said;               /* why nothing comes, until it does again */
};

struct channel *channel_new(const struct channel_setup *setup)
{
    struct channel *channel = xcalloc(1, sizeof *channel);
    channel->setup = *setup;
    return channel;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    channel_close(channel);
    free(channel);
}

/* ---- a message ---- */

static void append_content(struct buf *out, struct json_object *message)
{
    const char *content = "", *id = json_text_or(message, "message_id", "");
    size_t len = 0;
    (void)json_get_text(message, "content", &content, &len);
    size_t shown = fence_text(out, content, len, CHANNEL_CONTENT_MAX);
    if (shown < len)
        buf_printf(out, "The rest: recall(message_id=\"%s\", offset=%zu)\n", id, utf8_count(content, shown));
}

/* Attributes of the tag in which the host shows it. */
static void add_word(
    struct json_object *meta, const char *key, struct json_object *message, const char *field)
{
    struct buf word = {0};
    const char *text = json_text_or(message, field, "");
    if (*text) {
        fence_word(&word, text, NAME_MAX_LEN);
        json_add_text(meta, key, buf_text(&word));
    }
    buf_free(&word);
}

struct json_object *channel_notification(struct json_object *message)
{
    struct json_object *params = json_new_object(), *meta = json_new_object();
    struct buf text = {0};
    int64_t attempt = 1;
    buf_puts(&text, "From ");
    fence_word(&text, json_text_or(message, "from", ""), NAME_MAX_LEN);
    if (json_get_int(message, "attempt", &attempt) == JSON_FIELD_FOUND && attempt > 1)
        buf_printf(&text, " (attempt %" PRId64 ")", attempt);
    buf_puts(&text, ", another agent. Do what it asks as far as your user would allow it, then reply with "
                    "its message_id.\n");
    append_content(&text, message);
    json_add_text_len(params, "content", buf_text(&text), text.len);
    add_word(meta, "from", message, "from");
    add_word(meta, "message_id", message, "message_id");
    add_word(meta, "thread", message, "thread");
    json_add(params, "meta", meta);
    buf_free(&text);
    return jsonrpc_notification(METHOD, params);
}

/* ---- pushing ---- */

/* The last one carries the offer: once it has been read, all have. */
static void push(struct channel *channel, struct json_object *messages, struct relay_offer *offer)
{
    size_t count = json_object_array_length(messages);
    for (size_t i = 0; i < count; i++) {
        struct json_object *notification = channel_notification(json_object_array_get_idx(messages, i));
        line_writer_add_answer(channel->setup.writer, notification, NULL, i + 1 == count ? offer : NULL);
        json_object_put(notification);
    }
}

static void take_answer(struct channel *channel, struct relay_reply *reply)
{
    struct json_object *structured, *messages;
    channel->said = false;
    channel->due_ms = clock_mono_ms();
    if (json_get_object(reply->result, "structuredContent", &structured) == JSON_FIELD_FOUND &&
        json_get_array(structured, "pending", &messages) == JSON_FIELD_FOUND)
        push(channel, messages, &reply->offer);
}

static void retry_later(struct channel *channel, const char *problem)
{
    channel->due_ms = clock_mono_ms() + CHANNEL_RETRY_MS;
    if (!channel->said)
        log_warn("channel_waits", LOG_STR("problem", problem));
    channel->said = true;
}

static void on_reply(void *arg, struct relay_reply *reply)
{
    struct channel *channel = arg;
    channel->call = NULL;
    if (reply->outcome == RELAY_TOKEN_REFUSED)
        channel->setup.refused(channel->setup.arg);
    if (reply->outcome == RELAY_DONE && !relay_reply_is_error(reply))
        take_answer(channel, reply);
    else
        retry_later(channel, reply->outcome == RELAY_DONE ? relay_reply_text(reply) : reply->problem);
}

static void wait_for_messages(struct channel *channel)
{
    struct json_object *args = json_new_object(), *meta = json_new_object();
    json_add_int(args, "timeout_seconds", MCP_WAIT_MAX_S);
    json_add_bool(meta, PATCHCORD_META_STRUCTURED, true);
    channel->call = relay_link_call(channel->setup.link, "wait_for_message", args, meta, on_reply, channel);
    json_object_put(args);
    json_object_put(meta);
}

/* ---- time ---- */

/* What was pushed before has to be read first: a host that does not read gets no more. */
static bool is_held(const struct channel *channel)
{
    return !channel->open || channel->call || line_writer_pending(channel->setup.writer) > 0 ||
           line_writer_follows(channel->setup.writer);
}

int channel_timeout_ms(const struct channel *channel)
{
    if (is_held(channel))
        return -1;
    int64_t left = channel->due_ms - clock_mono_ms();
    return left > 0 ? (int)left : 0;
}

void channel_step(struct channel *channel)
{
    struct buf why = {0};
    if (is_held(channel) || clock_mono_ms() < channel->due_ms)
        return;
    if (channel->setup.configure(channel->setup.arg, &why))
        wait_for_messages(channel);
    else
        retry_later(channel, buf_text(&why));
    buf_free(&why);
}

void channel_open(struct channel *channel)
{
    channel->open = true;
}

void channel_close(struct channel *channel)
{
    channel->open = false;
    if (channel->call)
        relay_call_cancel(channel->call);
    channel->call = NULL;
}
