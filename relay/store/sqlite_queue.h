/* sqlite_queue.h: whether a recipient's queue has room. Counting a long queue for every message to it would
 * cost more than storing the message, so the writer remembers an upper bound for each: what it counted last
 * and what it added since. Messages that leave a queue make the bound too high, never too low; only when it
 * reaches a limit, the queue is counted again. Used by the writer's thread alone. */
#ifndef RELAY_STORE_SQLITE_QUEUE_H
#define RELAY_STORE_SQLITE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/compiler.h"

struct db;
struct queues;

struct queues *queues_new(void);
void queues_free(struct queues *queues);

/* Whether a further message of len bytes would pass a limit. False: a fault, logged. */
MUST_CHECK bool queue_is_full(
    struct db *db, const char *namespace_id, const char *agent, size_t len, bool *is_full);
/* A message of len bytes goes into that queue. */
void queue_note_added(struct db *db, const char *namespace_id, const char *agent, size_t len);

#endif
