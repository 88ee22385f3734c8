#include "event_listener.h"

#include <sodium.h>
#include <time.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "event_stream.h"
#include "relay_client.h"

enum { BACKOFF_MIN_MS = 250, BACKOFF_MAX_MS = 30 * 1000, PAUSE_STEP_MS = 250 };

struct listening {
    const struct event_listener_setup *setup;
    struct relay_client *client;
    struct event_stream events;
    bool ended;     /* a callback said so */
    bool heard;     /* bytes of this connection */
    bool connected; /* the relay has streamed before */
};

static void on_event(void *arg, const char *name, const struct buf *data)
{
    struct listening *l = arg;
    if (!l->ended)
        l->ended = !l->setup->heard(l->setup->arg, name, data);
}

static bool on_bytes(void *arg, const char *bytes, size_t len)
{
    struct listening *l = arg;
    l->heard = l->connected = true;
    event_stream_feed(&l->events, bytes, len, on_event, l);
    if (!l->ended)
        l->ended = !l->setup->beat(l->setup->arg);
    return !l->ended && !*l->setup->stop;
}

static bool on_tick(void *arg)
{
    struct listening *l = arg;
    if (!l->ended && l->setup->tick)
        l->ended = !l->setup->tick(l->setup->arg);
    return !l->ended;
}

/* The relay may be back at any time. What no relay says, a proxy may, where one has been before. */
static bool is_passing(const struct listening *l, const struct relay_reply *reply)
{
    switch (reply->outcome) {
    case RELAY_UNREACHABLE:
    case RELAY_UNCERTAIN:
        return true;
    case RELAY_REJECTED:
    case RELAY_RPC_ERROR:
        return l->connected;
    case RELAY_DONE:
    case RELAY_TOKEN_REFUSED:
    case RELAY_STOPPED:
        return false;
    }
    return false;
}

static void pause_ms(struct listening *l, int64_t ms)
{
    while (ms > 0 && !*l->setup->stop && on_tick(l)) {
        int64_t step = ms < PAUSE_STEP_MS ? ms : PAUSE_STEP_MS;
        struct timespec nap = {.tv_nsec = (long)(step * 1000000)};
        nanosleep(&nap, NULL);
        ms -= step;
    }
}

static void listen_once(struct listening *l, struct relay_reply *reply)
{
    const char *last_id = l->events.last_id[0] ? l->events.last_id : NULL;
    event_stream_restart(&l->events);
    l->heard = false;
    relay_client_stream(l->client,
        &(struct relay_stream){
            .path = "/api/events", .last_event_id = last_id, .take = on_bytes, .tick = on_tick, .arg = l},
        reply);
}

void event_listener_run(const struct event_listener_setup *setup, struct relay_reply *reply)
{
    struct listening l = {.setup = setup, .client = relay_client_new(setup->config, setup->stop)};
    int64_t backoff = BACKOFF_MIN_MS;
    for (;;) {
        listen_once(&l, reply);
        if (l.ended || *setup->stop || !is_passing(&l, reply))
            break;
        backoff = l.heard ? BACKOFF_MIN_MS : backoff;
        pause_ms(&l, backoff / 2 + randombytes_uniform((uint32_t)backoff));
        backoff = backoff * 2 < BACKOFF_MAX_MS ? backoff * 2 : BACKOFF_MAX_MS;
        if (!l.ended && !*setup->stop && setup->again)
            l.ended = !setup->again(setup->arg);
        if (l.ended || *setup->stop)
            break;
        relay_reply_free(reply);
    }
    if (l.ended || *setup->stop) {
        relay_reply_free(reply);
        *reply = (struct relay_reply){.outcome = l.ended ? RELAY_DONE : RELAY_STOPPED};
        reply->problem = l.ended ? NULL : xstrdup("stopped");
    }
    relay_client_free(l.client);
    event_stream_free(&l.events);
}
