/* The embedded store: one SQLite file in the data folder, one writer, some readers. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/folder_sync.h"
#include "data_folder.h"
#include "sqlite_migration.h"
#include "sqlite_oauth.h"

enum { READERS_RELAY = 4, READERS_ADMIN = 1 };

struct sqlite_store *sqlite_store(struct store *s)
{
    return (struct sqlite_store *)s;
}

static enum store_status ready_run(struct db *db, void *arg)
{
    (void)arg;
    int64_t newest = 0;
    return db_number_args(db, STATEMENT_NEWEST_SEQ, &newest, NULL, 0) ? STORE_DONE : STORE_FAULT;
}

static enum store_status sqlite_ready(struct store *s)
{
    return readers_run(sqlite_store(s)->readers, ready_run, NULL);
}

/* ---- backup ---- */

static bool vacuum_into(struct db *db, const char *copy)
{
    sqlite3_stmt *statement = NULL;
    bool done = sqlite3_prepare_v2(db->handle, "vacuum into ?1", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_bind_text(statement, 1, copy, -1, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return done;
}

static bool sync_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

/* An empty file of that name, for its owner alone: SQLite writes the copy into it. */
static bool create_private(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

bool sqlite_backup(struct store *s, const char *folder, struct buf *why)
{
    char *copy = xasprintf("%s/%s", folder, DATABASE_FILE);
    struct db db = {0};
    struct buf reason = {0};
    bool done = db_open(&db, sqlite_store(s)->path, DB_WRITE, &reason);
    if (done && !create_private(copy)) {
        buf_puts(&reason, "it cannot be created there, or exists");
        done = false;
    }
    if (done && !vacuum_into(&db, copy)) {
        buf_puts(&reason, sqlite3_errmsg(db.handle));
        done = false;
    }
    if (done && !(sync_file(copy) && folder_sync(folder))) {
        buf_puts(&reason, "it cannot be synchronised to the disk");
        done = false;
    }
    if (!done)
        buf_printf(why, "backup to %s failed: %s", copy, buf_text(&reason));
    db_close(&db);
    buf_free(&reason);
    free(copy);
    return done;
}

/* ---- life ---- */

/* Applies what is missing, with the lock held: nobody serves from a schema that changes under it. */
static bool migrate_locked(struct sqlite_store *store, struct db *db, int *applied, struct buf *why)
{
    if (store->lock_fd >= 0)
        return sqlite_schema_migrate(db, store->path, applied, why);
    int fd = -1;
    if (data_folder_lock(store->data_dir, &fd, why) != FOLDER_LOCKED)
        return false;
    const bool done = sqlite_schema_migrate(db, store->path, applied, why);
    close(fd);
    return done;
}

static bool sqlite_migrate(struct store *s, int *applied, struct buf *why)
{
    struct sqlite_store *store = sqlite_store(s);
    struct db db;
    struct buf reason = {0};
    bool done = db_open(&db, store->path, DB_WRITE, &reason);
    if (!done)
        buf_printf(why, "database %s cannot be opened: %s", store->path, buf_text(&reason));
    if (done && sqlite_schema_behind(&db) > 0)
        done = migrate_locked(store, &db, applied, why);
    db_close(&db);
    buf_free(&reason);
    return done;
}

static bool prepare_schema(struct sqlite_store *store, struct buf *why)
{
    struct db db;
    struct buf reason = {0};
    int applied = 0;
    bool done = db_open(&db, store->path, DB_WRITE, &reason);
    if (!done)
        buf_printf(why, "database %s cannot be opened: %s", store->path, buf_text(&reason));
    done = done && sqlite_schema_check(&db, store->path, why);
    if (done && store->role == STORE_ROLE_RELAY)
        done = sqlite_integrity_check(&db, store->path, why);
    if (done && sqlite_schema_behind(&db) > 0)
        done = migrate_locked(store, &db, &applied, why);
    db_close(&db);
    buf_free(&reason);
    return done;
}

static bool start_parts(struct sqlite_store *store, const struct store_options *options, struct buf *why)
{
    struct buf reason = {0};
    bool started = true;
    if (store->role == STORE_ROLE_RELAY) {
        store->keeper = keeper_start(store->path, options->changed, options->changed_arg, &reason);
        started = store->keeper != NULL;
    }
    if (started)
        store->writer = writer_start(store->path, store->keeper, &reason);
    if (store->writer)
        store->readers = readers_open(
            store->path, store->role == STORE_ROLE_RELAY ? READERS_RELAY : READERS_ADMIN, &reason);
    if (!store->readers)
        buf_printf(why, "database %s cannot be opened: %s", store->path, buf_text(&reason));
    buf_free(&reason);
    return store->readers != NULL;
}

static void sqlite_close(struct store *s)
{
    struct sqlite_store *store = sqlite_store(s);
    readers_close(store->readers);
    writer_stop(store->writer);
    keeper_stop(store->keeper);
    looks_free(store->looks);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store->data_dir);
    free(store->path);
    free(store);
}

static const struct store_ops sqlite_ops = {
    .send = sqlite_send,
    .offer = sqlite_offer,
    .ack = sqlite_ack,
    .reply = sqlite_reply,
    .unsend = sqlite_unsend,
    .recall = sqlite_recall,
    .inbox = sqlite_inbox,
    .events = sqlite_events,
    .touch = sqlite_touch,
    .token_find = sqlite_token_find,
    .token_add = sqlite_token_add,
    .token_list = sqlite_token_list,
    .token_end = sqlite_token_end,
    .ban_put = sqlite_ban_put,
    .ban_list = sqlite_ban_list,
    .client_add = sqlite_client_add,
    .client_find = sqlite_client_find,
    .code_add = sqlite_code_add,
    .invite_redeem = sqlite_invite_redeem,
    .authorize = sqlite_authorize,
    .code_redeem = sqlite_code_redeem,
    .refresh = sqlite_refresh,
    .grant_list = sqlite_grant_list,
    .grant_end = sqlite_grant_end,
    .device_add = sqlite_device_add,
    .device_find = sqlite_device_find,
    .device_decide = sqlite_device_decide,
    .device_redeem = sqlite_device_redeem,
    .oauth_cleanup = sqlite_oauth_cleanup,
    .cleanup = sqlite_cleanup,
    .stats = sqlite_stats,
    .dump = sqlite_dump,
    .load = sqlite_load,
    .ready = sqlite_ready,
    .backup = sqlite_backup,
    .migrate = sqlite_migrate,
    .close = sqlite_close,
};

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Before SQLite's first use in the process: no global counters of memory, which every allocation would lock;
 * what a savepoint remembers stays in memory. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
}

struct store *store_open_sqlite(const struct store_options *options, struct buf *why)
{
    pthread_once(&configured, configure);
    secret_init();
    if (!data_folder_prepare_database(options->data_dir, why))
        return NULL;
    struct sqlite_store *store = xcalloc(1, sizeof *store);
    store->base.ops = &sqlite_ops;
    store->role = options->role;
    store->data_dir = xstrdup(options->data_dir);
    store->path = xasprintf("%s/%s", options->data_dir, DATABASE_FILE);
    store->lock_fd = -1;
    store->looks = looks_new();
    const bool opened = (store->role != STORE_ROLE_RELAY ||
                            data_folder_lock(store->data_dir, &store->lock_fd, why) == FOLDER_LOCKED) &&
                        prepare_schema(store, why) && start_parts(store, options, why);
    if (opened)
        return &store->base;
    sqlite_close(&store->base);
    return NULL;
}
