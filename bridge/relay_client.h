/* relay_client.h: blocking calls to the relay, for commands. Over relay_link.h, so that slices, retries and
 * back-off are the bridge's own. */
#ifndef BRIDGE_RELAY_CLIENT_H
#define BRIDGE_RELAY_CLIENT_H

#include <signal.h>
#include <stdbool.h>

#include "config.h"
#include "outbox_flush.h"
#include "relay_reply.h"

struct relay_client;

/* config is borrowed until relay_client_free. stop: where not NULL, calls end (RELAY_STOPPED) within a second
 * once it is not zero; set it in a signal handler. */
struct relay_client *relay_client_new(const struct config *config, const volatile sig_atomic_t *stop);
void relay_client_free(struct relay_client *client);

/* Calls a tool with checked arguments (tool_spec_check; borrowed; NULL: none). A wait_for_message lasts as
 * long as its timeout_seconds (default 240), through restarts of the relay. meta: further _meta, as
 * PATCHCORD_META_PEEK and PATCHCORD_META_STRUCTURED (borrowed; NULL: none). A send that the relay does not
 * take now, or that has others before it, waits in the outbox, and *reply says so. The caller frees *reply.
 */
void relay_client_call(struct relay_client *client, const char *tool, struct json_object *args,
    struct json_object *meta, struct relay_reply *reply);

/* For calls of other kinds over the same link (file_call.h): works until one of them has set *done, and calls
 * each_turn (NULL: nothing) now and then. False: stopped first. */
MUST_CHECK bool relay_client_await(
    struct relay_client *client, const bool *done, void (*each_turn)(void *arg), void *arg);
struct relay_link *relay_client_link(struct relay_client *client);

/* The outbox of the identity. Borrowed. */
struct outbox *relay_client_outbox(struct relay_client *client);
/* Takes what waits there to the relay: until nothing is left (IDLE), a try fails (problem is appended to
 * why), or another process has been at it for longer than patience_ms. fate as outbox_flush_new's. */
enum outbox_flush_state relay_client_flush(
    struct relay_client *client, outbox_fate_fn *fate, void *arg, int64_t patience_ms, struct buf *why);

/* Acknowledges what reply offered, after its reader has it (nothing offered: true at once). False: why has
 * one line. */
MUST_CHECK bool relay_client_ack(
    struct relay_client *client, const struct relay_reply *reply, struct buf *why);

/* Borrowed for the call; arg is that of both functions. */
struct relay_stream {
    const char *path;          /* "/api/events" */
    const char *last_event_id; /* NULL: none */
    /* Gets whatever comes in, until it returns false. */
    bool (*take)(void *arg, const char *bytes, size_t len);
    /* Called about twice a second where stop was given, until it returns false. NULL: nothing. */
    bool (*tick)(void *arg);
    void *arg;
};
/* GET of an event stream, until one of the two ends it (RELAY_DONE), the stream ends (RELAY_UNCERTAIN) or
 * fails. One connection; reconnecting is the caller's. The stream counts as dead when not even a keep-alive
 * came for 60 s. reply->result is NULL. */
void relay_client_stream(
    struct relay_client *client, const struct relay_stream *stream, struct relay_reply *reply);

#endif
