/* event_stream.h: server-sent events (WHATWG HTML, 9.2), from bytes as they come in. Pure: no descriptor, no
 * clock. */
#ifndef BRIDGE_EVENT_STREAM_H
#define BRIDGE_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"

/* What is longer is cut there; an id as long is not kept. */
enum { EVENT_STREAM_LINE_MAX = 64 * 1024, EVENT_STREAM_DATA_MAX = 256 * 1024, EVENT_STREAM_NAME_SIZE = 64 };

/* A zeroed struct is the beginning of a stream. */
struct event_stream {
    struct buf line, data;
    char name[EVENT_STREAM_NAME_SIZE];    /* of the event that is being read */
    char next_id[EVENT_STREAM_NAME_SIZE]; /* counts once the event that is being read is complete */
    char last_id[EVENT_STREAM_NAME_SIZE]; /* "" until one came; what Last-Event-ID asks for */
    bool after_cr, has_data, has_id;
};

/* Calls take for every event that is complete with these bytes: its name ("message" where it has none) and
 * its data, borrowed for the call. Comments are passed over. */
void event_stream_feed(struct event_stream *stream, const char *bytes, size_t len,
    void (*take)(void *arg, const char *name, const struct buf *data), void *arg);
/* The connection ended: drops what is incomplete and keeps last_id. */
void event_stream_restart(struct event_stream *stream);
void event_stream_free(struct event_stream *stream);

#endif
