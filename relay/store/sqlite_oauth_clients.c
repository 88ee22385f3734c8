/* Registered clients. */
#include <bsd/string.h>

#include "sqlite_oauth.h"

struct add_job {
    const struct store_client *client;
    int64_t max_unused;
    enum store_refusal *refusal;
};

static enum store_status add_run(struct db *db, void *arg)
{
    struct add_job *job = arg;
    const struct store_client *client = job->client;
    int64_t unused = 0;
    if (!db_number_args(db, STATEMENT_CLIENTS_UNUSED, &unused, NULL, 0))
        return STORE_FAULT;
    *job->refusal = REFUSAL_TOO_MANY;
    if (unused >= job->max_unused)
        return STORE_REFUSED;
    if (!db_run(db, STATEMENT_CLIENT_ADD, db_text(client->client_id), db_text(client->metadata),
            *client->secret_hash ? db_text(client->secret_hash) : DB_NULL,
            DB_INT(client->created_ms ? client->created_ms : db->now_ms)))
        return STORE_FAULT;
    *job->refusal = db_changes(db) == 0 ? REFUSAL_EXISTS : REFUSAL_NONE;
    return *job->refusal == REFUSAL_NONE ? STORE_DONE : STORE_REFUSED;
}

static void add_reset(void *arg)
{
    *((struct add_job *)arg)->refusal = REFUSAL_NONE;
}

enum store_status sqlite_client_add(
    struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal)
{
    struct add_job job = {client, max_unused, refusal};
    struct write write = {.run = add_run, .reset = add_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

struct find_job {
    const char *client_id;
    struct store_clients *result;
};

static enum store_status find_run(struct db *db, void *arg)
{
    struct find_job *job = arg;
    sqlite3_stmt *statement = db_query(db, STATEMENT_CLIENT_FIND, db_text(job->client_id));
    if (!statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        struct store_client *client = store_clients_add(job->result);
        client->client_id = db_column_text(statement, 0);
        client->metadata = db_column_text(statement, 1);
        const char *secret = (const char *)sqlite3_column_text(statement, 2);
        strlcpy(client->secret_hash, secret ? secret : "", sizeof client->secret_hash);
        client->created_ms = sqlite3_column_int64(statement, 3);
        client->used_ms = sqlite3_column_int64(statement, 4);
    }
    if (step == DB_FAULT)
        return STORE_FAULT;
    return job->result->count == 0 ? STORE_ABSENT : STORE_DONE;
}

enum store_status sqlite_client_find(struct store *s, const char *client_id, struct store_clients *result)
{
    struct find_job job = {client_id, result};
    return readers_run(sqlite_store(s)->readers, find_run, &job);
}
