#include "harness_store.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/secret.h"
#include "harness.h"
#include "harness_process.h"

#define ALREADY_THERE "42P04"

static const char *server(void)
{
    return getenv("PATCHCORD_TEST_DATABASE");
}

const char *harness_store(void)
{
    const char *store = getenv("PATCHCORD_TEST_STORE");
    return store && *store ? store : "sqlite";
}

void harness_sql(const char *url, const char *sql, const char *fine)
{
    PGconn *link = PQconnectdb(url);
    PGresult *result = PQexec(link, sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR && !(fine && state && strcmp(state, fine) == 0))
        harness_fail("%s: %s", sql, PQerrorMessage(link));
    PQclear(result);
    PQfinish(link);
}

enum { COLUMNS_MAX = 8 };

void harness_sql_rows(const char *url, const char *query, harness_row_fn *row, void *arg)
{
    PGconn *link = PQconnectdb(url);
    PGresult *result = PQexec(link, query);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) > COLUMNS_MAX)
        harness_fail("%s: %s", query, PQerrorMessage(link));
    for (int i = 0; i < PQntuples(result); i++) {
        const char *values[COLUMNS_MAX];
        for (int column = 0; column < PQnfields(result); column++)
            values[column] = PQgetvalue(result, i, column);
        row(arg, values);
    }
    PQclear(result);
    PQfinish(link);
}

/* Databases whose time a test can move: those that it made. */
static char **databases;
static size_t databases_count;
static int64_t passed_ms;

/* The database's clock is its own: the function that all operations have the time from is put in its place.
 */
static void move_time(const char *url)
{
    char *sql =
        xasprintf("create or replace function public.patchcord_now(jsonb) returns timestamptz"
                  " language sql volatile set search_path = pg_catalog, pg_temp as"
                  " $$select date_trunc('milliseconds', clock_timestamp()) + %lld * interval '1 ms'$$",
            (long long)passed_ms);
    harness_sql(url, sql, NULL);
    free(sql);
}

void harness_store_pass_time(int64_t ms)
{
    passed_ms += ms;
    for (size_t i = 0; i < databases_count; i++)
        move_time(databases[i]);
}

static void remember(const char *url)
{
    for (size_t i = 0; i < databases_count; i++) {
        if (strcmp(databases[i], url) == 0)
            return;
    }
    databases = xreallocarray(databases, databases_count + 1, sizeof *databases);
    databases[databases_count++] = xstrdup(url);
    if (passed_ms != 0)
        move_time(url);
}

static char *database_name(const char *data_dir)
{
    char hash[SHA256_HEX_SIZE];
    secret_sha256_hex(data_dir, strlen(data_dir), hash);
    return xasprintf("wire_%.16s", hash);
}

char *harness_database_url_named(const char *name)
{
    const char *options = strchr(server(), '?');
    return xasprintf("%.*s%s%s", (int)(options - server()), server(), name, options);
}

char *harness_database_url(const char *data_dir)
{
    char *name = database_name(data_dir);
    char *create = xasprintf("create database %s template patchcord_template", name);
    harness_sql(server(), create, ALREADY_THERE);
    free(create);
    char *url = harness_database_url_named(name);
    remember(url);
    free(name);
    return url;
}

char *harness_project_url(const char *data_dir)
{
    char *name = database_name(data_dir);
    free(harness_database_url(data_dir)); /* it is there now */
    char *url = xasprintf("%s/%s", getenv("PATCHCORD_TEST_SUPABASE"), name);
    free(name);
    return url;
}

char **harness_store_settings(const char *data_dir)
{
    enum { SETTINGS_MAX = 4 };
    char **settings = xcalloc(SETTINGS_MAX + 1, sizeof *settings);
    if (harness_store_is("postgres")) {
        char *url = harness_database_url(data_dir);
        settings[0] = xasprintf("PATCHCORD_DATABASE_URL=%s", url);
        free(url);
    } else if (harness_store_is("supabase")) {
        char *url = harness_project_url(data_dir);
        settings[0] = xasprintf("SUPABASE_URL=%s", url);
        settings[1] = xasprintf("SUPABASE_KEY=%s", getenv("PATCHCORD_TEST_SUPABASE_KEY"));
        settings[2] = xasprintf("PATCHCORD_CA_FILE=%s", getenv("PATCHCORD_TEST_SUPABASE_CA"));
        settings[3] = xstrdup("PATCHCORD_POLL_SECONDS=1"); /* else a command's changes are seen later */
        free(url);
    }
    return settings;
}

void harness_project_fault(const char *project_url, const char *fault)
{
    char *path =
        xasprintf("%s/%s.fault", getenv("PATCHCORD_TEST_SUPABASE_DIR"), strrchr(project_url, '/') + 1);
    FILE *file = fault ? fopen(path, "we") : NULL;
    if (file)
        fputs(fault, file);
    if (fault ? !file || fclose(file) != 0 : unlink(path) != 0)
        harness_fail("%s: %s", path, strerror(errno));
    free(path);
}
