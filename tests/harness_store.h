/* harness_store.h: on which store the relays under test run: the embedded one, or what tests/postgres.sh or
 * tests/supabase.sh runs. */
#ifndef TESTS_HARNESS_STORE_H
#define TESTS_HARNESS_STORE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* "sqlite", "postgres", "supabase" */
const char *harness_store(void);
static inline bool harness_store_is(const char *name)
{
    return strcmp(harness_store(), name) == 0;
}
/* A test of what only the embedded store has: its file, its disk, its backups. */
static inline void harness_add_embedded(TCase *tcase, const TTest *test)
{
    if (harness_store_is("sqlite"))
        tcase_add_test(tcase, test);
}
/* True, and it is printed why, where a program of tests has nothing to say about a store on Supabase. */
static inline bool harness_skips_supabase(const char *why)
{
    if (harness_store_is("supabase"))
        printf("SKIPPED on Supabase: %s\n", why);
    return harness_store_is("supabase");
}
/* The URL of the database that belongs to a relay's data folder, which is made where it is missing; to be
 * freed. Only where there is a PostgreSQL. */
char *harness_database_url(const char *data_dir);
/* The URL of a database of that name, which is there. */
char *harness_database_url_named(const char *name);
/* Of a relay's data folder, as SUPABASE_URL has it; to be freed. Only where that is the store. */
char *harness_project_url(const char *data_dir);
/* What a relay needs to be on the database of that data folder, "K=V", NULL-ended; empty on the embedded
 * store. Freed with process_env_free. */
char **harness_store_settings(const char *data_dir);
/* What goes wrong from now on with the calls for that project (tests/rigs/supabase.py); NULL: nothing. */
void harness_project_fault(const char *project_url, const char *fault);
/* Lets time pass for the databases of this process's relays, where there are such. */
void harness_store_pass_time(int64_t ms);
/* Runs SQL that has to work, or to fail with the SQLSTATE fine (NULL: none). */
void harness_sql(const char *url, const char *sql, const char *fine);
/* Calls row for each row that the query has; values are texts, borrowed. */
typedef void harness_row_fn(void *arg, const char *const values[]);
void harness_sql_rows(const char *url, const char *query, harness_row_fn *row, void *arg);

#endif
