#include "harness_store.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/secret.h"
#include "harness.h"
#include "harness_process.h"

#define ALREADY_THERE "42P04"

static const char *server(void)
{
    const char *store = getenv("PATCHCORD_TEST_STORE");
    return store && strcmp(store, "postgres") == 0 ? getenv("PATCHCORD_TEST_DATABASE") : NULL;
}

bool harness_store_is_postgres(void)
{
    return server() != NULL;
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

char *harness_database_url(const char *data_dir)
{
    char hash[SHA256_HEX_SIZE], name[24];
    const char *options = strchr(server(), '?');
    secret_sha256_hex(data_dir, strlen(data_dir), hash);
    (void)snprintf(name, sizeof name, "wire_%.16s", hash);
    char *create = xasprintf("create database %s template patchcord_template", name);
    harness_sql(server(), create, ALREADY_THERE);
    free(create);
    return xasprintf("%.*s%s%s", (int)(options - server()), server(), name, options);
}
