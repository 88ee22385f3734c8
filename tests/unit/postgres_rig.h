/* postgres_rig.h: the database of a test program, in the cluster that tests/postgres.sh runs: copied from one
 * that has the schema, and emptied for each test. With tests/rigs/supabase.py it is reached as a project of
 * Supabase. */
#ifndef TESTS_POSTGRES_RIG_H
#define TESTS_POSTGRES_RIG_H

#include <check.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"

static inline bool rig_is(const char *kind)
{
    const char *store = getenv("PATCHCORD_TEST_STORE");
    return store && strcmp(store, kind) == 0;
}

/* NULL: tests run on the embedded store. */
static inline const char *rig_server(void)
{
    return rig_is("postgres") || rig_is("supabase") ? getenv("PATCHCORD_TEST_DATABASE") : NULL;
}

/* The server's URL with the name of this program's database in it; NULL: on the embedded store. */
static inline const char *rig_url(void)
{
    static char *url;
    const char *server = rig_server(), *options = server ? strchr(server, '?') : NULL;
    if (url || !server)
        return url;
    ck_assert_msg(options != NULL, "PATCHCORD_TEST_DATABASE is to be like postgresql://user@/?host=...");
    return url =
               xasprintf("%.*s%s%s", (int)(options - server), server, program_invocation_short_name, options);
}

/* The same as a project's URL. */
static inline char *rig_project(void)
{
    return xasprintf("%s/%s", getenv("PATCHCORD_TEST_SUPABASE"), program_invocation_short_name);
}

/* Runs one statement. False: the server refused it. */
static inline bool rig_sql(const char *url, const char *sql)
{
    PGconn *link = PQconnectdb(url);
    PGresult *result = PQexec(link, sql);
    const bool done = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    PQfinish(link);
    return done;
}

/* An empty store. */
static inline void rig_begin(void)
{
    static const char empty[] =
        "do $$ begin execute (select 'truncate ' || string_agg(quote_ident(tablename), ', ') ||"
        " ' restart identity cascade' from pg_tables where schemaname = 'public'"
        " and tablename <> 'patchcord_migrations'); insert into patchcord_changes default values; end $$";
    char *create =
        xasprintf("create database \"%s\" template patchcord_template", program_invocation_short_name);
    ck_assert_msg(rig_sql(rig_server(), create) || rig_sql(rig_url(), empty),
        "the database %s cannot be made", program_invocation_short_name);
    free(create);
}

#endif
