#include "relay_link.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/mcp.h"
#include "../common/uuid.h"
#include "backoff.h"
#include "client_type.h"
#include "machine.h"

enum { CALL_TIMEOUT_MS = 30 * 1000, SLOW_CALL_TIMEOUT_MS = 60 * 1000, SLICE_EXTRA_MS = 10 * 1000 };
/* Repeats of a call that cannot wait. */
enum { QUICK_TRIES = 3, QUICK_FIRST_MS = 100, QUICK_MAX_MS = 1000, QUICK_BUDGET_MS = 30 * 1000 };
/* A wait's tries: the relay is found again within two seconds of its return. */
enum { WAIT_FIRST_MS = 50, WAIT_MAX_MS = 1500, WAIT_LEFT_MIN_MS = 200 };
/* Up to here a 429 is waited out instead of reported. */
enum { SHORT_RETRY_AFTER_S = 3 };

/* How a tool's call may be repeated, and what to say when it is not known to have happened. */
static const struct call_rule {
    const char *tool;
    bool offers;  /* under a lease of ours */
    bool waits;   /* in slices, as long as its timeout_seconds */
    bool sends;   /* under a message id of ours, so that a repeat is the same send */
    bool changes; /* left to finish once it is on its way */
    bool slow;    /* the relay itself waits for somebody else */
    const char *when_uncertain;
} call_rules[] = {
    {.tool = "inbox", .offers = true, .when_uncertain = "Call inbox again."},
    {.tool = "wait_for_message",
        .offers = true,
        .waits = true,
        .when_uncertain = "Call wait_for_message again."},
    {.tool = "send_message",
        .sends = true,
        .changes = true,
        .when_uncertain = "The message may have been sent: check with recall before you send it again."},
    {.tool = "reply",
        .sends = true,
        .changes = true,
        .when_uncertain = "The reply may have been sent: check with recall before you send it again."},
    {.tool = "unsend_message",
        .changes = true,
        .when_uncertain = "It may have been withdrawn: check with recall before you try again."},
    {.tool = "upload_attachment",
        .changes = true,
        .when_uncertain = "The file may have been stored, but nobody knows its path: call again."},
    {.tool = "relay_url",
        .sends = true,
        .changes = true,
        .slow = true,
        .when_uncertain = "The file may have been sent: check with recall before you try again."},
    {.tool = NULL, .when_uncertain = "Try again."},
};

struct relay_call {
    LIST_ENTRY(relay_call) link;
    struct relay_link *owner;
    const struct call_rule *rule;
    char *tool;
    struct json_object *args, *meta;
    char lease[UUID_SIZE], message_id[UUID_SIZE];
    int64_t began_ms, deadline_ms; /* monotonic; the deadline of a wait */
    int64_t slice_began_ms;
    int wait_s, slice_s; /* of a wait: asked for in all, asked for now */
    unsigned tries;      /* that failed since the last answer */
    bool uncertain;      /* a try may have been carried out */
    bool waited_limit;   /* a 429 was waited out */
    int64_t due_ms;      /* of the next try, while no transfer runs */
    struct transfer *transfer;
    relay_done_fn *done; /* NULL: left to finish unobserved */
    void *arg;
};

struct relay_link {
    struct transfers *transfers;
    struct acks *acks;
    const struct config *config;
    char client_type[CLIENT_TYPE_SIZE];
    struct machine machine;
    bool reached; /* the relay has answered before */
    LIST_HEAD(, relay_call) calls;
};

/* ---- the link ---- */

struct relay_link *relay_link_new(void)
{
    struct relay_link *link = xcalloc(1, sizeof *link);
    link->transfers = transfers_new();
    link->acks = acks_new(link->transfers);
    LIST_INIT(&link->calls);
    machine_read(&link->machine);
    return link;
}

static void call_free(struct relay_call *call)
{
    if (call->transfer)
        transfer_abort(call->transfer);
    LIST_REMOVE(call, link);
    json_object_put(call->args);
    json_object_put(call->meta);
    free(call->tool);
    free(call);
}

void relay_link_free(struct relay_link *link)
{
    while (!LIST_EMPTY(&link->calls))
        call_free(LIST_FIRST(&link->calls));
    acks_free(link->acks);
    transfers_free(link->transfers);
    free(link);
}

void relay_link_set_config(struct relay_link *link, const struct config *config, const char *client_type)
{
    link->config = config;
    client_type_of(client_type, link->client_type);
}

struct acks *relay_link_acks(struct relay_link *link)
{
    return link->acks;
}

struct transfers *relay_link_transfers(struct relay_link *link)
{
    return link->transfers;
}

const struct config *relay_link_config(const struct relay_link *link)
{
    return link->config;
}

/* ---- a try ---- */

static struct json_object *call_meta(const struct relay_call *call)
{
    struct json_object *meta = json_new_object();
    if (call->meta) {
        json_object_object_foreach(call->meta, key, value) json_add(meta, key, json_object_get(value));
    }
    struct json_object *info = json_new_object();
    json_add_text(info, "name", "patchcord");
    json_add_text(info, "version", PATCHCORD_VERSION);
    json_add_text(meta, MCP_META_VERSION, MCP_MODERN_VERSION);
    json_add(meta, MCP_META_CAPABILITIES, json_new_object());
    json_add(meta, MCP_META_CLIENT_INFO, info);
    if (call->rule->offers)
        json_add_text(meta, PATCHCORD_META_LEASE, call->lease);
    if (call->rule->sends)
        json_add_text(meta, PATCHCORD_META_MESSAGE_ID, call->message_id);
    struct json_object *acks = acks_ride(call->owner->acks, call);
    if (acks)
        json_add(meta, PATCHCORD_META_ACK, acks);
    return meta;
}

static struct json_object *call_arguments(const struct relay_call *call)
{
    struct json_object *arguments = json_new_object();
    if (call->args) {
        json_object_object_foreach(call->args, key, value) json_add(arguments, key, json_object_get(value));
    }
    if (call->rule->waits)
        json_add_int(arguments, "timeout_seconds", call->slice_s);
    return arguments;
}

static struct buf call_body(const struct relay_call *call)
{
    struct json_object *params = json_new_object();
    json_add_text(params, "name", call->tool);
    json_add(params, "arguments", call_arguments(call));
    json_add(params, "_meta", call_meta(call));
    struct json_object *id = json_object_new_int(1);
    struct json_object *request = jsonrpc_request(id, "tools/call", params);
    struct buf body = {0};
    json_write(request, &body);
    json_object_put(request);
    json_object_put(id);
    return body;
}

static void on_answer(void *arg, const struct transfer_result *result);

static void call_start(struct relay_call *call)
{
    struct relay_link *link = call->owner;
    int64_t now = clock_mono_ms();
    if (call->rule->waits) {
        int64_t left_s = (call->deadline_ms - now + MS_PER_SECOND - 1) / MS_PER_SECOND;
        call->slice_s = (int)(left_s < 1 ? 1 : left_s > MCP_WAIT_SLICE_S ? MCP_WAIT_SLICE_S : left_s);
    }
    call->slice_began_ms = now;
    struct buf body = call_body(call);
    char *url = xasprintf("%s/mcp/bearer", link->config->url);
    char *name = xasprintf("Mcp-Name: %s", call->tool);
    char *machine = xasprintf("X-Patchcord-Machine: %s", link->machine.name);
    char *platform = xasprintf("X-Patchcord-Platform: %s", link->machine.platform);
    char *type = link->client_type[0] ? xasprintf("X-Patchcord-Client-Type: %s", link->client_type) : NULL;
    const char *const headers[] = {"Content-Type: application/json",
        "Accept: application/json, text/event-stream", "MCP-Protocol-Version: " MCP_MODERN_VERSION,
        "Mcp-Method: tools/call", "X-Patchcord-Ack: 1", name, machine, platform, type, NULL};
    call->transfer = transfer_start(
        link->transfers, &(struct transfer_request){.url = url,
                             .token = link->config->token,
                             .ca_file = link->config->ca_file,
                             .headers = headers,
                             .body = &body,
                             .timeout_ms = call->rule->waits  ? call->slice_s * MS_PER_SECOND + SLICE_EXTRA_MS
                                           : call->rule->slow ? SLOW_CALL_TIMEOUT_MS
                                                              : CALL_TIMEOUT_MS,
                             .done = on_answer,
                             .arg = call});
    free(type);
    free(platform);
    free(machine);
    free(name);
    free(url);
}

/* ---- what came of it ---- */

static void read_result(const struct transfer_result *result, const char *url, struct relay_reply *reply)
{
    if (result->fault == TRANSFER_ANSWERED) {
        relay_reply_read(result->status, result->retry_after_s, result->body, result->body_len, url, reply);
        return;
    }
    bool broken = result->fault == TRANSFER_BROKEN, garbled = result->fault == TRANSFER_GARBLED;
    *reply = (struct relay_reply){
        .outcome = broken || garbled ? RELAY_UNCERTAIN : RELAY_UNREACHABLE, .retry_after_s = -1};
    if (garbled)
        reply->problem =
            xasprintf("What answers at %s is no HTTP (%s). Check PATCHCORD_URL.", url, result->reason);
    else
        reply->problem = broken
                             ? xasprintf("The connection to the relay at %s broke (%s).", url, result->reason)
                             : xasprintf("The relay at %s cannot be reached (%s).", url, result->reason);
}

static void add_advice(const struct relay_call *call, struct relay_reply *reply)
{
    if (reply->outcome == RELAY_UNREACHABLE && call->uncertain)
        reply->outcome = RELAY_UNCERTAIN;
    struct buf text = {0};
    buf_printf(&text, "%s ", reply->problem);
    if (reply->outcome == RELAY_UNCERTAIN)
        buf_puts(&text, call->rule->when_uncertain);
    else if (reply->outcome == RELAY_UNREACHABLE && reply->retry_after_s > 0)
        buf_printf(&text, "Nothing was sent; call again in %d s.", reply->retry_after_s);
    else if (reply->outcome == RELAY_UNREACHABLE)
        buf_puts(&text, "Nothing was sent; try again later, or ask whether the relay runs there.");
    else {
        buf_free(&text);
        return;
    }
    free(reply->reason);
    reply->reason = reply->problem;
    reply->problem = buf_take(&text);
}

/* The last slice's answer names the slice's length; the caller asked for more. */
static void state_whole_wait(const struct relay_call *call, struct relay_reply *reply)
{
    static const char head[] = "No message after ";
    struct json_object *content;
    const char *text = relay_reply_text(reply);
    if (strncmp(text, head, sizeof head - 1) != 0 ||
        json_get_array(reply->result, "content", &content) != JSON_FIELD_FOUND)
        return;
    const char *rest = text + sizeof head - 1;
    rest += strspn(rest, "0123456789");
    char *whole = xasprintf("%s%d%s", head, call->wait_s, rest);
    json_add_text(json_object_array_get_idx(content, 0), "text", whole);
    free(whole);
}

static void call_end(struct relay_call *call, struct relay_reply *reply)
{
    relay_done_fn *done = call->done;
    void *arg = call->arg;
    if (reply->problem && reply->outcome != RELAY_RPC_ERROR)
        add_advice(call, reply);
    if (reply->outcome == RELAY_DONE && reply->offer.timed_out && call->rule->waits)
        state_whole_wait(call, reply);
    if (call->rule->sends)
        strlcpy(reply->message_id, call->message_id, sizeof reply->message_id);
    call_free(call);
    if (done)
        done(arg, reply);
}

static bool may_pass(const struct relay_reply *reply)
{
    return reply->outcome == RELAY_UNREACHABLE || reply->outcome == RELAY_UNCERTAIN;
}

/* Milliseconds until the wait goes on, or -1 where it is over. */
static int64_t wait_next(struct relay_call *call, const struct relay_reply *reply, bool misdirected)
{
    int64_t now = clock_mono_ms(), left = call->deadline_ms - now, delay;
    if (reply->outcome == RELAY_DONE) {
        if (!reply->offer.timed_out || left < WAIT_LEFT_MIN_MS)
            return -1;
        call->tries = 0;
        /* A relay that does not hold a wait open must not be asked in a tight loop. */
        bool early = now - call->slice_began_ms < (int64_t)call->slice_s * MS_PER_SECOND / 2;
        delay = early ? MS_PER_SECOND : 0;
    } else {
        /* A wrong host name or certificate does not mend by itself; a laptop without a network does. */
        if (!may_pass(reply) || (misdirected && !call->owner->reached))
            return -1;
        delay = backoff_ms(++call->tries, WAIT_FIRST_MS, WAIT_MAX_MS);
        if (reply->http_status == 429 && reply->retry_after_s > 0)
            delay = (int64_t)reply->retry_after_s * MS_PER_SECOND;
    }
    return delay < left ? delay : -1;
}

/* The same for a call that is to answer soon. */
static int64_t quick_next(struct relay_call *call, const struct relay_reply *reply, bool misdirected)
{
    bool repeatable = reply->outcome == RELAY_UNREACHABLE || call->rule->sends || !call->rule->changes;
    if (!may_pass(reply) || misdirected || !repeatable || !call->done)
        return -1;
    if (reply->http_status == 429) {
        if (call->waited_limit || reply->retry_after_s < 1 || reply->retry_after_s > SHORT_RETRY_AFTER_S)
            return -1;
        call->waited_limit = true;
        return (int64_t)reply->retry_after_s * MS_PER_SECOND;
    }
    if (++call->tries >= QUICK_TRIES || clock_mono_ms() - call->began_ms >= QUICK_BUDGET_MS)
        return -1;
    return backoff_ms(call->tries, QUICK_FIRST_MS, QUICK_MAX_MS);
}

static void on_answer(void *arg, const struct transfer_result *result)
{
    struct relay_call *call = arg;
    struct relay_link *link = call->owner;
    struct relay_reply reply;
    call->transfer = NULL;
    read_result(result, link->config->url, &reply);
    acks_ride_ended(link->acks, call, reply.outcome == RELAY_DONE && !relay_reply_is_error(&reply));
    link->reached |= reply.outcome == RELAY_DONE;
    call->uncertain |= reply.outcome == RELAY_UNCERTAIN;
    bool misdirected = result->fault == TRANSFER_MISDIRECTED || result->fault == TRANSFER_GARBLED;
    int64_t delay =
        call->rule->waits ? wait_next(call, &reply, misdirected) : quick_next(call, &reply, misdirected);
    if (delay < 0)
        call_end(call, &reply);
    else
        call->due_ms = clock_mono_ms() + delay;
    relay_reply_free(&reply);
}

/* ---- calls ---- */

static const struct call_rule *rule_find(const char *tool)
{
    const struct call_rule *rule = call_rules;
    while (rule->tool && strcmp(rule->tool, tool) != 0)
        rule++;
    return rule;
}

struct relay_call *relay_link_call(struct relay_link *link, const char *tool, struct json_object *args,
    struct json_object *meta, relay_done_fn *done, void *arg)
{
    struct relay_call *call = xcalloc(1, sizeof *call);
    int64_t seconds = MCP_WAIT_DEFAULT_S;
    call->owner = link;
    call->rule = rule_find(tool);
    call->tool = xstrdup(tool);
    call->args = json_object_get(args);
    call->meta = json_object_get(meta);
    call->done = done;
    call->arg = arg;
    call->began_ms = clock_mono_ms();
    if (json_get_int(args, "timeout_seconds", &seconds) != JSON_FIELD_FOUND)
        seconds = MCP_WAIT_DEFAULT_S;
    call->wait_s = (int)seconds;
    call->deadline_ms = call->began_ms + seconds * MS_PER_SECOND;
    uuid_v4(call->lease);
    const char *given = json_text_or(meta, PATCHCORD_META_MESSAGE_ID, "");
    if (!uuid_parse(given, strlen(given), call->message_id))
        uuid_v7(call->message_id);
    LIST_INSERT_HEAD(&link->calls, call, link);
    call_start(call);
    return call;
}

void relay_call_cancel(struct relay_call *call)
{
    struct relay_link *link = call->owner;
    if (call->rule->changes && call->transfer) {
        call->done = NULL;
        return;
    }
    bool may_hold = call->rule->offers && (call->transfer || call->uncertain);
    acks_ride_ended(link->acks, call, false);
    if (may_hold)
        acks_release(link->acks, link->config, call->lease);
    call_free(call);
}

size_t relay_link_changes(const struct relay_link *link)
{
    size_t count = 0;
    const struct relay_call *call;
    LIST_FOREACH(call, &link->calls, link)
    {
        count += call->rule->changes;
    }
    return count;
}

/* ---- time ---- */

int relay_link_timeout_ms(const struct relay_link *link)
{
    int64_t now = clock_mono_ms(), soonest = acks_timeout_ms(link->acks);
    const struct relay_call *call;
    LIST_FOREACH(call, &link->calls, link)
    {
        if (call->transfer)
            continue;
        int64_t left = call->due_ms > now ? call->due_ms - now : 0;
        if (soonest < 0 || left < soonest)
            soonest = left;
    }
    return (int)soonest;
}

void relay_link_step(struct relay_link *link)
{
    int64_t now = clock_mono_ms();
    struct relay_call *call;
    LIST_FOREACH(call, &link->calls, link)
    {
        if (!call->transfer && call->due_ms <= now)
            call_start(call);
    }
    acks_step(link->acks, link->config);
    transfers_step(link->transfers);
}
