#include "render.h"

#include <string.h>

#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/ident.h"
#include "../../common/utf8.h"
#include "../store/message_life.h"

enum { ONLINE_SHOWN_MAX = 20, AWAY_SHOWN_MAX = 100 };

static void put_age(const struct render *r, int64_t at_ms)
{
    char age[AGE_TEXT_LEN];

    clock_age_text(r->now_ms - at_ms, age);
    buf_puts(r->out, age);
}

/* A stored name: new ones are plain, older ones may be anything. */
static void put_name(const struct render *r, const char *name)
{
    fence_word(r->out, name, NAME_MAX_LEN);
}

static void put_agent_name(const struct render *r, const char *namespace_id, const char *agent)
{
    put_name(r, agent);
    if (strcmp(namespace_id, r->home) == 0)
        return;
    buf_putc(r->out, '@');
    put_name(r, namespace_id);
}

static void put_thread(const struct render *r, const struct store_message *message)
{
    if (!message->thread)
        return;
    buf_puts(r->out, " thread ");
    fence_word(r->out, message->thread, NAME_MAX_LEN);
    if (message->thread_resolved)
        buf_puts(r->out, " (resolved)");
}

/* The room for one message when messages_left share what is left. */
static size_t share(const struct render *r, size_t messages_left)
{
    size_t left = r->max_bytes > r->out->len ? r->max_bytes - r->out->len : 0;
    size_t each = left / (messages_left ? messages_left : 1);
    return each > RENDER_LEAST_BYTES ? each : RENDER_LEAST_BYTES;
}

static void put_content(
    const struct render *r, const struct store_message *message, size_t offset, size_t max_bytes)
{
    size_t skipped = utf8_offset(message->content, message->content_len, offset);
    const char *rest = message->content + skipped;
    size_t rest_len = message->content_len - skipped;
    size_t shown = fence_text(r->out, rest, rest_len, max_bytes);

    if (shown == rest_len)
        return;
    size_t next = offset + utf8_count(rest, shown);
    buf_printf(r->out,
        "[cut after character %zu of %zu; read on with recall(message_id=\"%s\", offset=%zu)]\n", next,
        utf8_count(message->content, message->content_len), message->id, next);
}

void render_offered(const struct render *r, const struct store_message *message, size_t messages_left)
{
    size_t room = share(r, messages_left);

    buf_puts(r->out, "From ");
    put_agent_name(r, message->namespace_id, message->from);
    buf_puts(r->out, " (");
    put_age(r, message->sent_ms);
    buf_printf(r->out, ") [%s]", message->id);
    put_thread(r, message);
    if (message->attempt > 1 && message->status == MESSAGE_PENDING)
        buf_printf(r->out, ", attempt %u", message->attempt);
    buf_putc(r->out, '\n');
    put_content(r, message, 0, room);
}

void render_preview(const struct render *r, const struct store_message *message, size_t max_bytes)
{
    buf_puts(r->out, "From ");
    put_agent_name(r, message->namespace_id, message->from);
    buf_puts(r->out, " (");
    put_age(r, message->sent_ms);
    buf_printf(r->out, ") [%s]\n", message->id);
    if (fence_text(r->out, message->content, message->content_len, max_bytes) < message->content_len)
        buf_puts(r->out, "[cut]\n");
}

/* What became of a message: the last thing that did, and when. */
static void put_fate(const struct render *r, const struct store_message *message)
{
    const struct {
        const char *word;
        int64_t at_ms; /* 0: nothing happened yet */
    } fates[LIFE_STATES] = {
        [LIFE_PENDING] = {"pending", 0},
        [LIFE_LEASED] = {"in delivery", message->offered_ms},
        [LIFE_OFFERED] = {"pending, offered", message->offered_ms},
        [LIFE_READ] = {"read", message->read_ms},
        [LIFE_DEFERRED] = {"deferred", message->deferred_ms},
        [LIFE_REPLIED] = {"replied", message->replied_ms},
        [LIFE_UNSENT] = {"unsent", message->unsent_ms},
        [LIFE_EXPIRED] = {"expired", message->expired_ms},
    };
    const enum life_state state = message_life_of(message).state;

    buf_puts(r->out, fates[state].word);
    if (!fates[state].at_ms)
        return;
    buf_putc(r->out, ' ');
    put_age(r, fates[state].at_ms);
}

void render_recalled(
    const struct render *r, const struct store_message *message, size_t offset, size_t messages_left)
{
    size_t room = share(r, messages_left);

    buf_puts(r->out, "From ");
    put_agent_name(r, message->namespace_id, message->from);
    buf_puts(r->out, " to ");
    put_agent_name(r, message->namespace_id, message->to);
    buf_puts(r->out, " (");
    put_age(r, message->sent_ms);
    buf_printf(r->out, ") [%s]", message->id);
    put_thread(r, message);
    buf_puts(r->out, ", ");
    put_fate(r, message);
    if (message->reply_to[0])
        buf_printf(r->out, ", reply to [%s]", message->reply_to);
    buf_putc(r->out, '\n');
    if (offset)
        buf_printf(r->out, "[from character %zu on]\n", offset);
    put_content(r, message, offset, room);
}

/* "frontend (laptop, claude_code)" */
static void put_agent(const struct render *r, const struct store_agent *agent, bool with_age)
{
    const char *facts[] = {agent->machine_name, agent->client_type};
    const char *separator = " (";

    put_agent_name(r, agent->namespace_id, agent->agent);
    for (size_t i = 0; i < LENGTH_OF(facts); i++) {
        if (!facts[i] || !*facts[i])
            continue;
        buf_puts(r->out, separator);
        fence_word(r->out, facts[i], FENCE_WORD_MAX);
        separator = ", ";
    }
    if (with_age) {
        buf_puts(r->out, separator);
        if (agent->last_seen_ms)
            put_age(r, agent->last_seen_ms);
        else
            buf_puts(r->out, "never seen");
        separator = ", ";
    }
    if (separator[0] == ',')
        buf_putc(r->out, ')');
}

/* One line of those agents that are online, or of those that are not. */
static void put_agents(const struct render *r, const struct store_agents *agents, const char *self,
    int64_t active_since_ms, bool online, const char *label, const char *nobody)
{
    size_t shown = 0, hidden = 0, most = online ? ONLINE_SHOWN_MAX : AWAY_SHOWN_MAX;

    for (size_t i = 0; i < agents->count; i++) {
        const struct store_agent *agent = &agents->items[i];
        bool is_online = agent->last_seen_ms && agent->last_seen_ms >= active_since_ms;
        if (is_online != online || strcmp(agent->agent, self) == 0)
            continue;
        if (shown == most) {
            hidden++;
            continue;
        }
        buf_puts(r->out, shown++ ? ", " : label);
        put_agent(r, agent, !online);
    }
    if (hidden)
        buf_printf(r->out, " and %zu more", hidden);
    if (!shown)
        buf_puts(r->out, nobody);
    if (shown || *nobody)
        buf_putc(r->out, '\n');
}

void render_agents(const struct render *r, const struct store_agents *agents, const char *self,
    int64_t active_since_ms, bool all)
{
    put_agents(r, agents, self, active_since_ms, true, "Online: ", "Online: nobody else");
    if (all)
        put_agents(r, agents, self, active_since_ms, false, "Away: ", "");
}

void render_presence(const struct render *r, const char *name, int64_t last_seen_ms, bool is_waiting)
{
    if (name) {
        put_name(r, name);
        buf_puts(r->out, ": ");
    }
    if (is_waiting) {
        buf_puts(r->out, "waiting now\n");
    } else if (last_seen_ms) {
        buf_puts(r->out, "last seen ");
        put_age(r, last_seen_ms);
        buf_puts(r->out, "; will see it at its next stop\n");
    } else {
        buf_puts(r->out, "never seen yet; will see it at its first call\n");
    }
}

static const char *text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

static void add_agent(struct json_object *object, const char *key, const char *home, const char *namespace_id,
    const char *agent)
{
    char address[ADDRESS_SIZE];

    ident_format(namespace_id, agent, address);
    json_add_text(object, key, strcmp(namespace_id, home) == 0 ? agent : address);
}

static struct json_object *json_of_message(
    const struct store_message *message, const char *home, bool with_history)
{
    struct json_object *object = json_new_object();

    json_add_text(object, "message_id", message->id);
    add_agent(object, "from", home, message->namespace_id, message->from);
    add_agent(object, "to", home, message->namespace_id, message->to);
    json_add_text_len(object, "content", message->content, message->content_len);
    json_add_time(object, "sent_at", message->sent_ms);
    json_add_text(object, "thread", message->thread);
    json_add_text(object, "thread_id", text_or_null(message->thread_id));
    json_add_int(object, "attempt", message->attempt);
    json_add_text(object, "reply_to", text_or_null(message->reply_to));
    if (!with_history)
        return object;
    json_add_text(object, "status", message_status_names[message->status]);
    json_add_bool(object, "in_delivery", message->is_leased);
    json_add_bool(object, "thread_resolved", message->thread_resolved);
    json_add_time(object, "offered_at", message->offered_ms);
    json_add_time(object, "read_at", message->read_ms);
    json_add_time(object, "replied_at", message->replied_ms);
    json_add_time(object, "deferred_at", message->deferred_ms);
    json_add_time(object, "unsent_at", message->unsent_ms);
    json_add_time(object, "expired_at", message->expired_ms);
    return object;
}

struct json_object *json_of_messages(
    const struct store_messages *messages, const char *home, bool with_history)
{
    struct json_object *array = json_new_array();

    for (size_t i = 0; i < messages->count; i++)
        json_append(array, json_of_message(&messages->items[i], home, with_history));
    return array;
}

struct json_object *json_of_agents(const struct store_agents *agents, int64_t active_since_ms)
{
    struct json_object *array = json_new_array();

    for (size_t i = 0; i < agents->count; i++) {
        const struct store_agent *agent = &agents->items[i];
        struct json_object *object = json_new_object();
        json_add_text(object, "agent", agent->agent);
        json_add_text(object, "namespace", agent->namespace_id);
        json_add_text(object, "machine", text_or_null(agent->machine_name));
        json_add_text(object, "client_type", text_or_null(agent->client_type));
        json_add_text(object, "display_name", text_or_null(agent->display_name));
        json_add_text(object, "platform", text_or_null(agent->platform));
        json_add_time(object, "last_seen", agent->last_seen_ms);
        json_add_bool(object, "online", agent->last_seen_ms && agent->last_seen_ms >= active_since_ms);
        json_append(array, object);
    }
    return array;
}
