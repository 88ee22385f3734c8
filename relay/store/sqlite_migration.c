#include "sqlite_migration.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "migration.h"

/* "Pchd": tells our files from other programs' (PRAGMA application_id). */
#define APPLICATION_ID 0x50636864

static bool pragma_number(struct db *db, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    const bool found = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
                       sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return found;
}

static bool sqlite_said(struct db *db, const char *path, struct buf *why)
{
    buf_printf(why, "database %s cannot be used: %s", path, sqlite3_errmsg(db->handle));
    return false;
}

static int newest_migration(void)
{
    int newest = 0;
    for (const struct migration *m = migrations_sqlite; m->number != 0; m++)
        newest = m->number;
    return newest;
}

bool sqlite_schema_check(struct db *db, const char *path, struct buf *why)
{
    int64_t application = 0, version = 0, tables = 0;
    if (!pragma_number(db, "pragma application_id", &application) ||
        !pragma_number(db, "pragma user_version", &version) ||
        !pragma_number(db, "select count(*) from sqlite_schema", &tables))
        return sqlite_said(db, path, why);
    if (application != APPLICATION_ID && (application != 0 || tables != 0)) {
        buf_printf(
            why, "database %s is not one of Patchcord's; move it away or use another data folder", path);
        return false;
    }
    if (version > newest_migration()) {
        buf_printf(why,
            "database %s has schema %d, newer than this program's %d; install the newer patchcord-relay, or "
            "restore a"
            " backup",
            path, (int)version, newest_migration());
        return false;
    }
    if (sqlite3_exec(db->handle, "pragma journal_mode = wal", NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_said(db, path, why);
    return true;
}

int sqlite_schema_behind(struct db *db)
{
    int64_t version = 0;
    if (!pragma_number(db, "pragma user_version", &version))
        return newest_migration();
    int behind = 0;
    for (const struct migration *m = migrations_sqlite; m->number != 0; m++)
        behind += m->number > version;
    return behind;
}

/* Looks at the version again inside the transaction: another process may have been faster. */
static bool apply(struct db *db, const struct migration *m, int *applied)
{
    if (sqlite3_exec(db->handle, "begin immediate", NULL, NULL, NULL) != SQLITE_OK)
        return false;
    int64_t version = 0;
    if (!pragma_number(db, "pragma user_version", &version))
        return false;
    if (version >= m->number)
        return sqlite3_exec(db->handle, "commit", NULL, NULL, NULL) == SQLITE_OK;

    char *stamp =
        xasprintf("pragma application_id = %d; pragma user_version = %d; commit", APPLICATION_ID, m->number);
    const bool done = sqlite3_exec(db->handle, m->sql, NULL, NULL, NULL) == SQLITE_OK &&
                      sqlite3_exec(db->handle, stamp, NULL, NULL, NULL) == SQLITE_OK;
    free(stamp);
    *applied += done;
    return done;
}

bool sqlite_schema_migrate(struct db *db, const char *path, int *applied, struct buf *why)
{
    for (const struct migration *m = migrations_sqlite; m->number != 0; m++) {
        const int before = *applied;
        if (!apply(db, m, applied)) {
            buf_printf(
                why, "migration %s of database %s failed: %s", m->name, path, sqlite3_errmsg(db->handle));
            if (!sqlite3_get_autocommit(db->handle))
                sqlite3_exec(db->handle, "rollback", NULL, NULL, NULL);
            return false;
        }
        if (*applied > before)
            log_info("migrated", LOG_STR("migration", m->name));
    }
    return true;
}

bool sqlite_integrity_check(struct db *db, const char *path, struct buf *why)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, "pragma quick_check(1)", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        sqlite3_finalize(statement);
        return sqlite_said(db, path, why);
    }
    const char *answer = (const char *)sqlite3_column_text(statement, 0);
    const bool sound = answer && strcmp(answer, "ok") == 0;
    if (!sound) {
        const char *end = answer ? strrchr(answer, '\n') : NULL; /* behind a heading */
        buf_printf(why, "database %s is damaged (%s); restore a backup", path, end ? end + 1 : "no answer");
    }
    sqlite3_finalize(statement);
    return sound;
}
