#include "sqlite_readers.h"

#include <pthread.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"

struct readers {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct db **idle; /* under the lock: a stack, so that the same few stay warm */
    size_t idle_count;
    size_t count;
    struct db all[];
};

struct readers *readers_open(const char *path, size_t count, struct buf *why)
{
    struct readers *readers = xcalloc(1, sizeof *readers + count * sizeof readers->all[0]);
    readers->idle = xcalloc(count, sizeof *readers->idle);
    pthread_mutex_init(&readers->lock, NULL);
    pthread_cond_init(&readers->freed, NULL);
    for (; readers->count < count; readers->count++) {
        struct db *db = &readers->all[readers->count];
        if (!db_open(db, path, DB_READ, why)) {
            readers_close(readers);
            return NULL;
        }
        readers->idle[readers->idle_count++] = db;
    }
    return readers;
}

void readers_close(struct readers *readers)
{
    if (!readers)
        return;
    for (size_t i = 0; i < readers->count; i++)
        db_close(&readers->all[i]);
    pthread_cond_destroy(&readers->freed);
    pthread_mutex_destroy(&readers->lock);
    free(readers->idle);
    free(readers);
}

static struct db *take(struct readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    while (readers->idle_count == 0)
        pthread_cond_wait(&readers->freed, &readers->lock);
    struct db *db = readers->idle[--readers->idle_count];
    pthread_mutex_unlock(&readers->lock);
    return db;
}

static void give_back(struct readers *readers, struct db *db)
{
    pthread_mutex_lock(&readers->lock);
    readers->idle[readers->idle_count++] = db;
    pthread_cond_signal(&readers->freed);
    pthread_mutex_unlock(&readers->lock);
}

enum store_status readers_run(
    struct readers *readers, enum store_status (*run)(struct db *db, void *job), void *job)
{
    struct db *db = take(readers);
    db->now_ms = clock_wall_ms();
    enum store_status status = STORE_FAULT;
    if (db_run_args(db, STATEMENT_BEGIN_READ, NULL, 0)) {
        status = run(db, job);
        if (!db_run_args(db, STATEMENT_COMMIT, NULL, 0))
            status = STORE_FAULT;
    }
    if (!sqlite3_get_autocommit(db->handle) && !db_exec(db, "rollback"))
        status = STORE_FAULT;
    give_back(readers, db);
    return status;
}
