/* events.c: GET /api/events: one server-sent event for each message to the caller, as it is stored. It tells
 * that there is something, takes nothing, and ends when the credential does. */
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/secret.h"
#include "../auth/authenticator.h"
#include "../auth/concurrency.h"
#include "../http/parking.h"
#include "../relay.h"
#include "api.h"
#include "event_id.h"
#include "json_body.h"

/* How often a stream looks although nobody notified it: at the credential, and for what another relay stored.
 */
enum { LOOK_INTERVAL_MS = 15 * 1000, EVENTS_BATCH = 100 };

struct stream {
    const struct identity *who;
    uint8_t id_key[EVENT_ID_KEY_BYTES];
    int64_t last_seq;
};

static void stream_settle(struct exchange *ex, enum settlement how)
{
    (void)how;
    const struct relay *relay = ex->app;
    struct stream *stream = ex->state;
    concurrency_leave(relay->streams, stream->who->address);
    identity_release(stream->who);
    secret_wipe(stream, sizeof *stream);
    free(stream);
    ex->state = NULL;
}

/* Where the client left off, but never past what exists (a restored store counts from an earlier number). */
static bool find_start(const struct exchange *ex, struct stream *stream)
{
    const struct relay *relay = ex->app;
    const struct store_caller caller = identity_caller(stream->who);
    struct store_messages none = {0};
    int64_t newest = 0;
    const enum store_status status = store_events(relay->store, &caller, INT64_MAX, 1, &none, &newest);
    store_messages_free(&none);
    stream->last_seq = newest;
    const char *last_id = exchange_header(ex, "Last-Event-ID");
    int64_t given;
    if (last_id && event_id_read(stream->id_key, stream->who->address, last_id, &given) && given < newest)
        stream->last_seq = given;
    return status == STORE_DONE;
}

static void write_id(const struct stream *stream, struct buf *out)
{
    char id[EVENT_ID_SIZE];
    event_id_write(stream->id_key, stream->who->address, stream->last_seq, id);
    buf_printf(out, "id: %s\n", id);
}

static void write_event(struct stream *stream, const struct store_message *m, struct buf *out)
{
    char from[ADDRESS_SIZE];
    identity_name(stream->who, m->namespace_id, m->from, from);
    struct json_object *data = json_new_object();
    json_add_text(data, "message_id", m->id);
    json_add_text(data, "from", from);
    json_add_time(data, "sent_at", m->sent_ms);
    stream->last_seq = m->seq;
    buf_puts(out, "event: message\n");
    write_id(stream, out);
    buf_puts(out, "data: ");
    json_write(data, out);
    buf_puts(out, "\n\n");
    json_object_put(data);
}

/* Appends the events that are due. False: the store failed. */
static bool write_due(struct exchange *ex, struct stream *stream, bool *more)
{
    const struct relay *relay = ex->app;
    const struct store_caller caller = identity_caller(stream->who);
    struct store_messages due = {0};
    int64_t newest = 0;
    const enum store_status status =
        store_events(relay->store, &caller, stream->last_seq, EVENTS_BATCH, &due, &newest);
    for (size_t i = 0; status == STORE_DONE && i < due.count; i++)
        write_event(stream, &due.items[i], &ex->answer);
    *more = due.count == EVENTS_BATCH;
    store_messages_free(&due);
    return status == STORE_DONE;
}

static bool begin(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const struct identity *who = authenticate(relay->auth, ex, ACCESS_FREE, NULL);
    if (!who)
        return false;
    if (!concurrency_enter(relay->streams, who->address, STREAMS_PER_AGENT)) {
        exchange_error(ex, 429, "too_many_streams", "This agent has as many event streams open as it may.");
        exchange_add_header(ex, "Retry-After", "30");
        identity_release(who);
        return false;
    }
    struct stream *stream = xcalloc(1, sizeof *stream);
    stream->who = who;
    typed_code_key_derive(relay->code_key, EVENT_ID_KEY_PURPOSE, stream->id_key);
    ex->state = stream;
    ex->settle = stream_settle;
    if (find_start(ex, stream)) {
        exchange_stream(ex);
        /* No event, but the place to go on from: else what came while a client was cut off before its first event would
         * be lost to it. */
        write_id(stream, &ex->answer);
        buf_putc(&ex->answer, '\n');
        return true;
    }
    json_body_store_failed(ex, 503);
    return false;
}

enum verdict api_events(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    if (ex->wake == WAKE_START && !begin(ex))
        return VERDICT_DONE;
    struct stream *stream = ex->state;
    if (ex->wake == WAKE_SHUTDOWN || !identity_is_current(relay->auth, stream->who))
        return VERDICT_DONE;
    const uint64_t ticket = parking_ticket(relay->parking, stream->who->parking_keys);
    bool more = true;
    while (more && ex->answer.len < STREAM_QUEUE_MAX / 2)
        if (!write_due(ex, stream, &more))
            return VERDICT_DONE; /* the client comes back with Last-Event-ID */
    const int64_t look_ms = clock_mono_ms() + (more ? 0 : LOOK_INTERVAL_MS);
    return exchange_wait(ex, stream->who->parking_keys, ticket, look_ms, false);
}
