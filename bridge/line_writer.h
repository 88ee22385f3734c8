/* line_writer.h: lines on their way to the client, and the messages in them until the client has read them.
 *
 * An answer that carries offered messages is followed until its bytes have left our descriptor's queue: only
 * then have they arrived. The descriptor stays blocking, as it is shared: never more than PIPE_BUF bytes
 * after a POLLOUT. */
#ifndef BRIDGE_LINE_WRITER_H
#define BRIDGE_LINE_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "../common/json.h"
#include "relay_reply.h"

struct line_writer;

/* What became of the messages in an answer; the offer may be taken over. */
typedef void line_writer_fate_fn(void *arg, struct relay_offer *offer, bool arrived);

struct line_writer *line_writer_new(int fd, line_writer_fate_fn *fate, void *arg);
/* Without telling any fate. */
void line_writer_free(struct line_writer *writer);

/* Queues a message as one line. */
void line_writer_add(struct line_writer *writer, struct json_object *message);
/* The same for the answer to request id, which carries what was offered (taken over; empty: as
 * line_writer_add). */
void line_writer_add_answer(struct line_writer *writer, struct json_object *message, struct json_object *id,
    struct relay_offer *offer);
/* The client gave up request id: its answer is not written if it was not begun, and its messages did not
 * arrive. */
void line_writer_cancel(struct line_writer *writer, struct json_object *id);

/* Bytes that are not written yet. */
size_t line_writer_pending(const struct line_writer *writer);
/* True while messages are followed. */
bool line_writer_follows(const struct line_writer *writer);
/* Writes while the descriptor takes more. False: the client is gone. */
bool line_writer_flush(struct line_writer *writer);
/* Tells the fate of what has been read by now. */
void line_writer_look(struct line_writer *writer);
/* Milliseconds until it is worth looking again; -1: no need. */
int line_writer_timeout_ms(const struct line_writer *writer);
/* Gives up: nothing that is still followed has arrived, nothing more is written. */
void line_writer_abandon(struct line_writer *writer);

#endif
