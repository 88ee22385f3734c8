/* sqlite_writer.h: the one thread that writes. It takes all operations that wait into one transaction
 * and answers them after the commit; where one fails, the batch is undone and each is run alone. */
#ifndef RELAY_STORE_SQLITE_WRITER_H
#define RELAY_STORE_SQLITE_WRITER_H

#include <bsd/sys/queue.h>
#include <semaphore.h>

#include "sqlite_db.h"
#include "sqlite_keeper.h"

/* An operation; lives with its caller until writer_submit returns. */
struct write {
    /* Runs on the writer's thread. REFUSED and ABSENT keep what was changed before (acks, presence), FAULT
     * undoes it. */
    enum store_status (*run)(struct db *db, void *job);
    /* Empties what run put into the job's result, before it runs again. NULL: nothing. */
    void (*reset)(void *job);
    void *job;
    /* On disk before the answer; false for what a power loss may undo (offers, acks, presence). */
    bool is_durable;

    /* the writer's own */
    enum store_status status;
    sem_t answered;
    STAILQ_ENTRY(write) link;
};

struct writer;

/* keeper NULL: neither checkpoints nor looks for changes by others. NULL: why has a clause. */
struct writer *writer_start(const char *path, struct keeper *keeper, struct buf *why);
/* Every operation must have returned. */
void writer_stop(struct writer *writer);

/* Blocks until the operation is committed, or has failed. */
MUST_CHECK enum store_status writer_submit(struct writer *writer, struct write *write);

/* Transactions since the start, for tests. */
int64_t writer_commits(struct writer *writer);

#endif
