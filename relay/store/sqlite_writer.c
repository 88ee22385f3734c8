#include "sqlite_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"

enum {
    BATCH_MAX = 256,             /* operations in one transaction */
    WATCH_INTERVAL_MS = 500,     /* how often changes by others are looked for */
    CLOCK_JUMP_MS = 1000,        /* less is a clock that is being put right */
    WAL_CHECKPOINT_PAGES = 4000, /* 16 MB more: worth a checkpoint; its flushes delay sends */
    WAL_LARGE_PAGES = 8000,      /* 32 MB: the writer copies the rest itself, so that the log begins anew */
    WAL_SMALL_PAGES = 64,        /* never more often than that */
    WAL_SHARE_OF_FREE = 8,       /* the log takes an eighth of the disk's free space at most */
    PAGE_BYTES = 4096,
};

STAILQ_HEAD(write_queue, write);

struct writer {
    struct db db;
    struct keeper *keeper;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct write_queue queue; /* under the lock */
    bool is_stopping;         /* under the lock */
    /* the thread's own */
    bool is_synchronous;
    int64_t clock_offset_ms; /* from monotonic to wall time, when leases were last right */
    int wal_pages, wal_pages_asked;
    int64_t data_version, watch_due_ms;
    _Atomic int64_t commits;
};

/* ---- transactions ---- */

static bool plain(struct db *db, enum statement which)
{
    return db_run_args(db, which, NULL, 0);
}

/* Ends a transaction that failed; SQLite may have rolled it back by itself already (disk full, I/O error). */
static void abandon(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle) && !db_exec(db, "rollback"))
        log_error("rollback_failed");
}

/* False: the transaction is lost, or must not be committed because an operation failed half-way. Savepoints
 * would save the others from that, but copy every page that an operation touches, to guard against what
 * hardly ever happens. */
static bool run_transaction(struct db *db, struct write *const writes[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        db->now_ms = clock_wall_ms();
        writes[i]->status = writes[i]->run(db, writes[i]->job);
        if (writes[i]->status == STORE_FAULT)
            return false;
    }
    return plain(db, STATEMENT_COMMIT);
}

/* With synchronous=normal a commit does not wait for the disk; the next full one takes it along. */
static bool set_synchronous(struct writer *writer, bool full)
{
    if (writer->is_synchronous == full)
        return true;
    if (!db_exec(&writer->db, full ? "pragma synchronous = full" : "pragma synchronous = normal"))
        return false;
    writer->is_synchronous = full;
    return true;
}

static bool any_durable(struct write *const writes[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (writes[i]->is_durable)
            return true;
    }
    return false;
}

static void reset_write(struct write *write)
{
    if (write->reset)
        write->reset(write->job);
}

static bool begin(struct writer *writer, bool is_durable)
{
    return set_synchronous(writer, is_durable) && plain(&writer->db, STATEMENT_BEGIN_WRITE);
}

/* Everything in one transaction; where that is lost, each operation gets one of its own, so that one which
 * cannot be stored takes no other along. A transaction that cannot even begin (another process holds the
 * file) fails them all: it has waited once already. */
static void run_batch(struct writer *writer, struct write *const writes[], size_t count)
{
    const bool begun = begin(writer, any_durable(writes, count));
    if (begun && run_transaction(&writer->db, writes, count)) {
        atomic_fetch_add_explicit(&writer->commits, 1, memory_order_relaxed);
        return;
    }
    abandon(&writer->db);
    for (size_t i = 0; i < count; i++) {
        writes[i]->status = STORE_FAULT;
        reset_write(writes[i]);
    }
    for (size_t i = 0; begun && count > 1 && i < count; i++)
        run_batch(writer, &writes[i], 1);
}

/* ---- between transactions ---- */

static int note_wal_pages(void *arg, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    struct writer *writer = arg;
    writer->wal_pages = pages;
    return SQLITE_OK;
}

/* From which size on the writer itself copies the log. Where the disk is nearly full, a long log would take
 * the room that the database needs to take it up. */
static int log_limit(struct writer *writer)
{
    struct statvfs disk;
    if (statvfs(sqlite3_db_filename(writer->db.handle, "main"), &disk) != 0)
        return WAL_LARGE_PAGES;
    const uint64_t pages = (uint64_t)disk.f_bavail * disk.f_frsize / PAGE_BYTES / WAL_SHARE_OF_FREE;
    return pages < WAL_SMALL_PAGES ? WAL_SMALL_PAGES : pages > WAL_LARGE_PAGES ? WAL_LARGE_PAGES : (int)pages;
}

/* The keeper's checkpoint never catches up with a writer that goes on; what it left is little, and once the
 * writer has copied that, the next transaction begins the log anew. */
static void care_for_log(struct writer *writer)
{
    if (!writer->keeper || writer->wal_pages < WAL_SMALL_PAGES)
        return;
    const int limit = log_limit(writer);
    const bool is_large = writer->wal_pages >= limit;
    if (writer->wal_pages < WAL_CHECKPOINT_PAGES && !is_large)
        return;
    if (is_large && (limit < WAL_LARGE_PAGES || keeper_has_checkpointed(writer->keeper))) {
        sqlite3_wal_checkpoint_v2(writer->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        return;
    }
    if (writer->wal_pages < writer->wal_pages_asked)
        writer->wal_pages_asked = 0; /* it began anew */
    if (writer->wal_pages - writer->wal_pages_asked < WAL_CHECKPOINT_PAGES)
        return;
    writer->wal_pages_asked = writer->wal_pages;
    keeper_ask_checkpoint(writer->keeper);
}

static void watch(struct writer *writer)
{
    if (!writer->keeper || clock_mono_ms() < writer->watch_due_ms)
        return;
    writer->watch_due_ms = clock_mono_ms() + WATCH_INTERVAL_MS;
    int64_t version = 0;
    if (!db_number_args(&writer->db, STATEMENT_DATA_VERSION, &version, NULL, 0))
        return;
    if (version != writer->data_version)
        keeper_tell_changed(writer->keeper);
    writer->data_version = version;
}

/* Leases end by the wall clock, which others set: when it jumped, they move along, so that each lasts as long
 * as it was meant to. Otherwise a clock set back by an hour would keep messages from their recipient as long.
 */
static void follow_clock(struct writer *writer)
{
    const int64_t offset_ms = clock_wall_ms() - clock_mono_ms(),
                  jump_ms = offset_ms - writer->clock_offset_ms;
    if (!writer->keeper || llabs(jump_ms) < CLOCK_JUMP_MS)
        return;
    log_warn("clock_jumped", LOG_INT("seconds", jump_ms / MS_PER_SECOND));
    if (db_run(&writer->db, STATEMENT_LEASES_MOVE, DB_INT(jump_ms)))
        writer->clock_offset_ms = offset_ms;
}

/* ---- the thread ---- */

static void wait_for_work(struct writer *writer)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WATCH_INTERVAL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    if (writer->keeper)
        pthread_cond_timedwait(&writer->work, &writer->lock, &until);
    else
        pthread_cond_wait(&writer->work, &writer->lock);
}

/* Takes what waits, at most BATCH_MAX. Returns how many; 0 also where it is time to look around. */
static size_t take_batch(struct writer *writer, struct write *writes[static BATCH_MAX], bool *is_stopping)
{
    size_t count = 0;
    pthread_mutex_lock(&writer->lock);
    if (STAILQ_EMPTY(&writer->queue) && !writer->is_stopping)
        wait_for_work(writer);
    while (count < BATCH_MAX && !STAILQ_EMPTY(&writer->queue)) {
        writes[count++] = STAILQ_FIRST(&writer->queue);
        STAILQ_REMOVE_HEAD(&writer->queue, link);
    }
    *is_stopping = writer->is_stopping && count == 0;
    pthread_mutex_unlock(&writer->lock);
    return count;
}

static void *writer_run(void *arg)
{
    struct writer *writer = arg;
    struct write *writes[BATCH_MAX];
    for (bool is_stopping = false; !is_stopping;) {
        const size_t count = take_batch(writer, writes, &is_stopping);
        follow_clock(writer);
        if (count > 0)
            run_batch(writer, writes, count);
        for (size_t i = 0; i < count; i++)
            sem_post(&writes[i]->answered);
        if (count > 0)
            care_for_log(writer);
        watch(writer);
    }
    return NULL;
}

enum store_status writer_submit(struct writer *writer, struct write *write)
{
    write->status = STORE_FAULT;
    sem_init(&write->answered, 0, 0);
    pthread_mutex_lock(&writer->lock);
    const bool was_empty = STAILQ_EMPTY(&writer->queue);
    STAILQ_INSERT_TAIL(&writer->queue, write, link);
    if (was_empty)
        pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
    while (sem_wait(&write->answered) != 0 && errno == EINTR)
        continue;
    sem_destroy(&write->answered);
    return write->status;
}

struct writer *writer_start(const char *path, struct keeper *keeper, struct buf *why)
{
    struct writer *writer = xcalloc(1, sizeof *writer);
    writer->keeper = keeper;
    STAILQ_INIT(&writer->queue);
    if (!db_open(&writer->db, path, DB_WRITE, why)) {
        free(writer);
        return NULL;
    }
    writer->db.queues = queues_new();
    writer->is_synchronous = true;
    writer->clock_offset_ms = clock_wall_ms() - clock_mono_ms();
    sqlite3_wal_hook(writer->db.handle, note_wal_pages, writer);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->work, &attributes);
    pthread_condattr_destroy(&attributes);
    const bool ready = db_exec(&writer->db, "pragma synchronous = full; pragma cache_size = -16000;"
                                            "pragma journal_size_limit = 67108864") &&
                       db_number_args(&writer->db, STATEMENT_DATA_VERSION, &writer->data_version, NULL, 0) &&
                       pthread_create(&writer->thread, NULL, writer_run, writer) == 0;
    if (ready)
        return writer;
    buf_puts(why, "the writer cannot be started");
    db_close(&writer->db);
    free(writer);
    return NULL;
}

void writer_stop(struct writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->is_stopping = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->work);
    pthread_mutex_destroy(&writer->lock);
    db_close(&writer->db);
    free(writer);
}

int64_t writer_commits(struct writer *writer)
{
    return atomic_load_explicit(&writer->commits, memory_order_relaxed);
}
