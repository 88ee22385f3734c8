#include "relay_client.h"

#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/mcp.h"
#include "outbox_call.h"
#include "relay_link.h"

enum { STOP_CHECK_MS = 500, STREAM_SILENCE_MS = 60 * 1000, RELEASE_MS = 500, ACK_MS = 10 * 1000 };

struct relay_client {
    struct relay_link *link;
    const struct config *config;
    const volatile sig_atomic_t *stop;
    struct outbox *outbox; /* NULL until needed */
};

struct relay_client *relay_client_new(const struct config *config, const volatile sig_atomic_t *stop)
{
    struct relay_client *client = xcalloc(1, sizeof *client);
    client->link = relay_link_new();
    client->config = config;
    client->stop = stop;
    relay_link_set_config(client->link, config, config->client);
    return client;
}

void relay_client_free(struct relay_client *client)
{
    if (!client)
        return;
    relay_link_free(client->link);
    outbox_free(client->outbox);
    free(client);
}

static bool stopped(const struct relay_client *client)
{
    return client->stop && *client->stop;
}

/* One turn of waiting (at most limit_ms; -1: as long as nothing happens) and working. */
static void turn(struct relay_client *client, int limit_ms)
{
    int timeout = relay_link_timeout_ms(client->link);
    if (limit_ms >= 0 && (timeout < 0 || timeout > limit_ms))
        timeout = limit_ms;
    if (client->stop && (timeout < 0 || timeout > STOP_CHECK_MS))
        timeout = STOP_CHECK_MS;
    transfers_poll(relay_link_transfers(client->link), NULL, 0, timeout);
    relay_link_step(client->link);
}

/* Lets what is owed to the relay get there. */
static bool settle(struct relay_client *client, int64_t within_ms)
{
    const struct acks *acks = relay_link_acks(client->link);
    int64_t deadline = clock_mono_ms() + within_ms;
    for (int64_t left = within_ms; left > 0 && !acks_settled(acks); left = deadline - clock_mono_ms()) {
        int timeout = relay_link_timeout_ms(client->link);
        transfers_poll(
            relay_link_transfers(client->link), NULL, 0, timeout < 0 || timeout > left ? (int)left : timeout);
        relay_link_step(client->link);
    }
    return acks_settled(acks);
}

static void reply_stopped(struct relay_reply *reply)
{
    *reply =
        (struct relay_reply){.outcome = RELAY_STOPPED, .problem = xstrdup("stopped"), .retry_after_s = -1};
}

struct relay_link *relay_client_link(struct relay_client *client)
{
    return client->link;
}

bool relay_client_await(
    struct relay_client *client, const bool *done, void (*each_turn)(void *arg), void *arg)
{
    while (!*done && !stopped(client)) {
        turn(client, -1);
        if (each_turn && !*done)
            each_turn(arg);
    }
    return *done;
}

/* ---- tools ---- */

struct waiting {
    bool done;
    struct relay_reply reply;
};

static void on_reply(void *arg, struct relay_reply *reply)
{
    struct waiting *waiting = arg;
    waiting->done = true;
    waiting->reply = *reply;
    *reply = (struct relay_reply){0};
}

static void call_relay(struct relay_client *client, const char *tool, struct json_object *args,
    struct json_object *meta, struct relay_reply *reply)
{
    struct waiting waiting = {0};
    struct relay_call *call = relay_link_call(client->link, tool, args, meta, on_reply, &waiting);
    bool answered = relay_client_await(client, &waiting.done, NULL, NULL);
    *reply = waiting.reply;
    if (answered)
        return;
    relay_call_cancel(call);
    reply_stopped(reply);
    /* What it may have been offered goes back. */
    settle(client, RELEASE_MS);
}

/* ---- the outbox ---- */

enum { OWN_MESSAGE_MS = 10 * 1000 };

struct outbox *relay_client_outbox(struct relay_client *client)
{
    if (!client->outbox)
        client->outbox = outbox_of(client->config);
    return client->outbox;
}

/* Goes on while it gets on, and for so long where another process is at it. */
static void run_flush(
    struct relay_client *client, struct outbox_flush *flush, const bool *enough, int64_t elsewhere_ms)
{
    int64_t deadline = clock_mono_ms() + elsewhere_ms;
    outbox_flush_kick(flush);
    while (!*enough && !stopped(client)) {
        enum outbox_flush_state state = outbox_flush_state(flush);
        bool elsewhere = state == OUTBOX_FLUSH_ELSEWHERE;
        if (state != OUTBOX_FLUSH_WORKING && (!elsewhere || clock_mono_ms() >= deadline))
            return;
        turn(client, outbox_flush_timeout_ms(flush));
        outbox_flush_step(flush);
    }
}

enum outbox_flush_state relay_client_flush(
    struct relay_client *client, outbox_fate_fn *fate, void *arg, int64_t patience_ms, struct buf *why)
{
    static const bool never = false;
    struct outbox_flush *flush = outbox_flush_new(client->link, relay_client_outbox(client), fate, arg);
    run_flush(client, flush, &never, patience_ms);
    enum outbox_flush_state state = outbox_flush_state(flush);
    buf_puts(why, outbox_flush_problem(flush));
    outbox_flush_free(flush);
    return state;
}

/* Whose token it is: once for each token. */
static void learn(struct relay_client *client, struct outbox_flush *flush)
{
    static const bool never = false;
    outbox_flush_learn(flush);
    run_flush(client, flush, &never, 0);
}

struct own_message {
    const char *id;
    bool settled;
    struct relay_reply reply;
};

static bool on_own_fate(
    void *arg, const struct outbox_entry *entry, struct relay_reply *reply, const char *problem)
{
    struct own_message *own = arg;
    (void)problem;
    if (!reply || strcmp(entry->id, own->id) != 0)
        return true;
    own->settled = true;
    own->reply = *reply;
    *reply = (struct relay_reply){0};
    return false;
}

/* The message stands behind others, and nobody else may be there to take them to the relay. */
static void bring_own(struct relay_client *client, struct outbox_flush *flush, struct own_message *own,
    struct relay_reply *reply)
{
    char id[UUID_SIZE];
    strlcpy(id, reply->message_id, sizeof id);
    own->id = id;
    if (id[0])
        run_flush(client, flush, &own->settled, OWN_MESSAGE_MS);
    if (!own->settled)
        return;
    /* Its sender is told right here. */
    outbox_drop(client->outbox, id, true);
    relay_reply_free(reply);
    *reply = own->reply;
}

void relay_client_call(struct relay_client *client, const char *tool, struct json_object *args,
    struct json_object *meta, struct relay_reply *reply)
{
    if (!outbox_concerns(tool)) {
        call_relay(client, tool, args, meta, reply);
        return;
    }
    struct own_message own = {.id = ""};
    struct outbox *outbox = relay_client_outbox(client);
    struct outbox_flush *flush = outbox_flush_new(client->link, outbox, on_own_fate, &own);
    struct outbox_call call = {.outbox = outbox, .flush = flush, .tool = tool, .args = args};
    if (json_get_bool(meta, PATCHCORD_META_STRUCTURED, &call.structured) != JSON_FIELD_FOUND)
        call.structured = false;
    if (outbox_call_begin(&call, reply)) {
        bring_own(client, flush, &own, reply);
    } else {
        call_relay(client, tool, args, meta, reply);
        outbox_call_end(&call, reply);
        if (reply->outcome == RELAY_DONE && !outbox_agent(outbox) && outbox_waiting(outbox) == 0)
            learn(client, flush);
    }
    outbox_flush_free(flush);
}

/* ---- acknowledging ---- */

bool relay_client_ack(struct relay_client *client, const struct relay_reply *reply, struct buf *why)
{
    if (reply->offer.count == 0)
        return true;
    struct relay_offer offer = reply->offer;
    offer.ids = xreallocarray(NULL, offer.count, sizeof *offer.ids);
    memcpy(offer.ids, reply->offer.ids, offer.count * sizeof *offer.ids);
    acks_arrived(relay_link_acks(client->link), client->config, &offer);
    if (settle(client, ACK_MS))
        return true;
    buf_printf(why, "the relay at %s could not be told that the messages arrived; they will be shown again",
        client->config->url);
    return false;
}

/* ---- streams ---- */

struct streaming {
    const struct relay_client *client;
    const struct relay_stream *stream;
    bool done, over; /* over: tick said so */
    struct relay_reply reply;
};

static bool on_stream_bytes(void *arg, const char *bytes, size_t len)
{
    struct streaming *streaming = arg;
    return streaming->stream->take(streaming->stream->arg, bytes, len);
}

static void on_stream_turn(void *arg)
{
    struct streaming *streaming = arg;
    const struct relay_stream *stream = streaming->stream;
    if (stream->tick && !stream->tick(stream->arg))
        streaming->done = streaming->over = true;
}

static void on_stream_end(void *arg, const struct transfer_result *result)
{
    struct streaming *streaming = arg;
    struct relay_reply *reply = &streaming->reply;
    const char *url = streaming->client->config->url;
    streaming->done = true;
    if (result->fault == TRANSFER_ANSWERED && result->status != 200) {
        relay_reply_read(result->status, result->retry_after_s, result->body, result->body_len, url, reply);
        return;
    }
    *reply = (struct relay_reply){.http_status = result->status, .retry_after_s = result->retry_after_s};
    switch (result->fault) {
    case TRANSFER_TAKER_DONE:
        reply->outcome = RELAY_DONE;
        break;
    case TRANSFER_ANSWERED:
        reply->outcome = RELAY_UNCERTAIN;
        reply->problem = xasprintf("The relay at %s ended the stream.", url);
        break;
    case TRANSFER_BROKEN:
        reply->outcome = RELAY_UNCERTAIN;
        reply->problem = xasprintf("The connection to the relay at %s broke (%s).", url, result->reason);
        break;
    case TRANSFER_MISDIRECTED:
    case TRANSFER_GARBLED:
    case TRANSFER_NOT_SENT:
        reply->outcome = RELAY_UNREACHABLE;
        reply->problem = xasprintf("The relay at %s cannot be reached (%s).", url, result->reason);
        break;
    }
}

void relay_client_stream(
    struct relay_client *client, const struct relay_stream *stream, struct relay_reply *reply)
{
    struct streaming streaming = {.client = client, .stream = stream};
    char *url = xasprintf("%s%s", client->config->url, stream->path);
    char *resume = stream->last_event_id ? xasprintf("Last-Event-ID: %s", stream->last_event_id) : NULL;
    const char *const headers[] = {"Accept: text/event-stream", resume, NULL};
    struct transfer *transfer =
        transfer_start(relay_link_transfers(client->link), &(struct transfer_request){.url = url,
                                                               .token = client->config->token,
                                                               .ca_file = client->config->ca_file,
                                                               .headers = headers,
                                                               .timeout_ms = STREAM_SILENCE_MS,
                                                               .take = on_stream_bytes,
                                                               .done = on_stream_end,
                                                               .arg = &streaming});
    free(resume);
    free(url);
    bool ended = relay_client_await(client, &streaming.done, on_stream_turn, &streaming);
    *reply = streaming.reply;
    if (ended && !streaming.over)
        return;
    transfer_abort(transfer);
    if (streaming.over)
        reply->outcome = RELAY_DONE;
    else
        reply_stopped(reply);
}
