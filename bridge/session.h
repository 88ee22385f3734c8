/* session.h: one client's MCP session over stdio: its lines in, our answers out. Local answers come from
 * tables at once; tool calls go to the relay, many at a time. */
#ifndef BRIDGE_SESSION_H
#define BRIDGE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "line_writer.h"
#include "relay_link.h"

/* Calls at the relay at a time; further ones queue, up to so many bytes of lines, and then input is not read.
 */
enum {
    SESSION_CALLS_MAX = 64,
    SESSION_QUEUE_MAX_BYTES = 16 * 1024 * 1024,
    SESSION_OUT_MAX_BYTES = 1024 * 1024
};
enum { SESSION_PROGRESS_MS = 20 * 1000, SESSION_FILE_PROGRESS_MS = 1000 };

struct session;

/* All are borrowed until session_free. */
struct session *session_new(
    const struct config_options *options, struct relay_link *link, struct line_writer *writer);
void session_free(struct session *session);
/* Messages are pushed into the session once the client has initialized (channel.h). Before its first line. */
void session_open_channel(struct session *session);

/* One line of the client's, without its newline. */
void session_line(struct session *session, const char *line, size_t len);
/* A line that was too long; id is what could be read off it (taken over), or NULL. */
void session_line_too_long(struct session *session, struct json_object *id);
/* False while the client has to wait. */
bool session_reads(const struct session *session);

/* No more lines will come: waits end at once, other calls go on. */
void session_close(struct session *session);
/* Everything ends. */
void session_abort(struct session *session);
/* True while the client is owed an answer. */
bool session_busy(const struct session *session);

/* Milliseconds until session_step has something to do; -1: nothing. */
int session_timeout_ms(const struct session *session);
void session_step(struct session *session);

#endif
