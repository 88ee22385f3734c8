/* sqlite_readers.h: a small pool of connections that only read, so that reading never waits for the writer.
 */
#ifndef RELAY_STORE_SQLITE_READERS_H
#define RELAY_STORE_SQLITE_READERS_H

#include "sqlite_db.h"

struct readers;

/* NULL: why has a clause. */
struct readers *readers_open(const char *path, size_t count, struct buf *why);
void readers_close(struct readers *readers);

/* Runs one operation in a read transaction of its own: it sees one state of the store. Waits for a free
 * connection. */
MUST_CHECK enum store_status readers_run(
    struct readers *readers, enum store_status (*run)(struct db *db, void *job), void *job);

#endif
