#include "postgres_migration.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/log.h"
#include "migration.h"
#include "postgres_link.h"

/* Any number that others do not lock: "Pchd". */
#define MIGRATION_LOCK "1348495460"

static const char prepare[] = "set statement_timeout = 0; set lock_timeout = 0;"
                              " set idle_in_transaction_session_timeout = 0;"
                              " select pg_advisory_lock(" MIGRATION_LOCK ")";

/* The newest that is applied; 0: none. */
static bool read_version(PGconn *link, int *version, struct buf *why)
{
    *version = 0;
    if (!postgres_run(link,
            "create temporary table patchcord_version (number integer); do $$ begin"
            " if to_regclass('public.patchcord_migrations') is not null then"
            " insert into patchcord_version select max(number) from public.patchcord_migrations;"
            " end if; end $$",
            POSTGRES_ANSWER_MS, why))
        return false;
    PGresult *result = PQsendQuery(link, "select max(number) from patchcord_version")
                           ? postgres_result(link, POSTGRES_ANSWER_MS)
                           : NULL;
    const bool done = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    if (done)
        *version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    else
        postgres_error(link, result, why);
    PQclear(result);
    return done;
}

static bool apply_all(PGconn *link, int version, int *applied, struct buf *why)
{
    for (const struct migration *m = migrations_postgres; m->number != 0; m++) {
        struct buf reason = {0};
        if (m->number <= version)
            continue;
        if (!postgres_run(link, m->sql, POSTGRES_MIGRATION_MS, &reason)) {
            buf_printf(why, "migration %s failed, and changed nothing: %s", m->name, buf_text(&reason));
            buf_free(&reason);
            return false;
        }
        log_info("migrated", LOG_STR("migration", m->name));
        ++*applied;
    }
    return true;
}

bool postgres_migration_run(const char *url, int *applied, struct buf *why)
{
    struct buf reason = {0};
    int version = 0;
    PGconn *link = postgres_connect(url, &reason);
    bool done = link && postgres_run(link, prepare, POSTGRES_MIGRATION_MS, &reason) &&
                read_version(link, &version, &reason);
    if (!done)
        buf_printf(why, "the database cannot be used: %s", buf_text(&reason));
    done = done && apply_all(link, version, applied, why);
    PQfinish(link);
    buf_free(&reason);
    return done;
}
