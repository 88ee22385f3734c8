/* sqlite_thread.h: the named threads between two agents. */
#ifndef RELAY_STORE_SQLITE_THREAD_H
#define RELAY_STORE_SQLITE_THREAD_H

#include "sqlite_db.h"

/* The id of the thread of that slug between two agents, opened with root_id (its first message) where there
 * is none and reopened where it was resolved. */
MUST_CHECK bool sqlite_thread_join(struct db *db, const char *namespace_id, const char *one,
    const char *other, const char *slug, const char root_id[static UUID_SIZE], char out[static UUID_SIZE]);
/* Closes the thread, or opens it again. */
MUST_CHECK bool sqlite_thread_set_resolved(struct db *db, const char *thread_id, bool is_resolved);

#endif
