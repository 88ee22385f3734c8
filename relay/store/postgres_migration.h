/* postgres_migration.h: brings a PostgreSQL's schema up to date. */
#ifndef RELAY_STORE_POSTGRES_MIGRATION_H
#define RELAY_STORE_POSTGRES_MIGRATION_H

#include <stdbool.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

/* Runs the files of migrations/postgres/ that the database does not name as applied; one process at a time.
 * *applied: how many. False: why has one line. */
MUST_CHECK bool postgres_migration_run(const char *url, int *applied, struct buf *why);

#endif
