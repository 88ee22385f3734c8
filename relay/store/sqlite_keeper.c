#include "sqlite_keeper.h"

#include <pthread.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "sqlite_db.h"

struct keeper {
    struct db db;
    void (*changed)(void *arg);
    void *changed_arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    /* under the lock */
    bool wants_checkpoint, has_checkpointed, has_change, is_stopping;
};

static void checkpoint(struct keeper *keeper)
{
    const int code =
        sqlite3_wal_checkpoint_v2(keeper->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        log_warn("checkpoint_failed", LOG_STR("error", sqlite3_errmsg(keeper->db.handle)));
}

static void *keeper_run(void *arg)
{
    struct keeper *keeper = arg;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_stopping) {
        if (!keeper->wants_checkpoint && !keeper->has_change) {
            pthread_cond_wait(&keeper->work, &keeper->lock);
            continue;
        }
        const bool change = keeper->has_change, wanted = keeper->wants_checkpoint;
        keeper->has_change = false;
        pthread_mutex_unlock(&keeper->lock);
        if (change)
            keeper->changed(keeper->changed_arg);
        if (wanted)
            checkpoint(keeper);
        pthread_mutex_lock(&keeper->lock);
        if (wanted) {
            keeper->wants_checkpoint = false;
            keeper->has_checkpointed = true;
        }
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

struct keeper *keeper_start(const char *path, void (*changed)(void *arg), void *changed_arg, struct buf *why)
{
    struct keeper *keeper = xcalloc(1, sizeof *keeper);
    keeper->changed = changed;
    keeper->changed_arg = changed_arg;
    if (!db_open(&keeper->db, path, DB_WRITE, why)) {
        free(keeper);
        return NULL;
    }
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->work, NULL);
    if (pthread_create(&keeper->thread, NULL, keeper_run, keeper) != 0) {
        buf_puts(why, "a thread cannot be started");
        db_close(&keeper->db);
        free(keeper);
        return NULL;
    }
    return keeper;
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->is_stopping = true;
    pthread_cond_signal(&keeper->work);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->work);
    pthread_mutex_destroy(&keeper->lock);
    db_close(&keeper->db);
    free(keeper);
}

static void keeper_raise(struct keeper *keeper, bool *flag)
{
    pthread_mutex_lock(&keeper->lock);
    *flag = true;
    pthread_cond_signal(&keeper->work);
    pthread_mutex_unlock(&keeper->lock);
}

void keeper_ask_checkpoint(struct keeper *keeper)
{
    keeper_raise(keeper, &keeper->wants_checkpoint);
}

void keeper_tell_changed(struct keeper *keeper)
{
    if (keeper->changed)
        keeper_raise(keeper, &keeper->has_change);
}

bool keeper_has_checkpointed(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    const bool done = keeper->has_checkpointed;
    keeper->has_checkpointed = false;
    pthread_mutex_unlock(&keeper->lock);
    return done;
}
