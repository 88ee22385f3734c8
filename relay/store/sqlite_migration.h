/* sqlite_migration.h: brings a database file to the schema of this program. */
#ifndef RELAY_STORE_SQLITE_MIGRATION_H
#define RELAY_STORE_SQLITE_MIGRATION_H

#include "sqlite_db.h"

/* Sets WAL mode, and checks that the file is ours and its schema is not newer than this program. False: why
 * has one line. */
MUST_CHECK bool sqlite_schema_check(struct db *db, const char *path, struct buf *why);
/* How many migrations the file lacks. */
int sqlite_schema_behind(struct db *db);
/* Applies them, each in a transaction of its own. False: why has one line. */
MUST_CHECK bool sqlite_schema_migrate(struct db *db, const char *path, int *applied, struct buf *why);
/* SQLite's own check of the file's structure. False: why has one line. */
MUST_CHECK bool sqlite_integrity_check(struct db *db, const char *path, struct buf *why);

#endif
