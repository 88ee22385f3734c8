#include "relay_client.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "relay_link.h"

enum { STOP_CHECK_MS = 500, STREAM_SILENCE_MS = 60 * 1000, RELEASE_MS = 500, ACK_MS = 10 * 1000 };

struct relay_client {
    struct relay_link *link;
    const struct config *config;
    const volatile sig_atomic_t *stop;
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
    free(client);
}

static bool stopped(const struct relay_client *client)
{
    return client->stop && *client->stop;
}

/* One turn of waiting and working. */
static void turn(struct relay_client *client)
{
    int timeout = relay_link_timeout_ms(client->link);
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
        turn(client);
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

void relay_client_call(struct relay_client *client, const char *tool, struct json_object *args,
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
    bool (*take)(void *arg, const char *bytes, size_t len);
    void *arg;
    bool done;
    struct relay_reply reply;
};

static bool on_stream_bytes(void *arg, const char *bytes, size_t len)
{
    struct streaming *streaming = arg;
    return streaming->take(streaming->arg, bytes, len);
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

void relay_client_stream(struct relay_client *client, const char *path, const char *last_event_id,
    bool (*take)(void *arg, const char *bytes, size_t len), void *arg, struct relay_reply *reply)
{
    struct streaming streaming = {.client = client, .take = take, .arg = arg};
    char *url = xasprintf("%s%s", client->config->url, path);
    char *resume = last_event_id ? xasprintf("Last-Event-ID: %s", last_event_id) : NULL;
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
    bool ended = relay_client_await(client, &streaming.done, NULL, NULL);
    *reply = streaming.reply;
    if (ended)
        return;
    transfer_abort(transfer);
    reply_stopped(reply);
}
