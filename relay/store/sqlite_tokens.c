/* Tokens and bans. */
#include <bsd/string.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "sqlite_store.h"

/* When a token was last used is written down no more often than that. */
enum { LAST_USED_GRAIN_MS = 5 * MS_PER_MINUTE };

/* ---- tokens ---- */

static enum store_status read_tokens(struct db *db, sqlite3_stmt *statement, struct store_tokens *tokens)
{
    if (!statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        struct store_token *token = store_tokens_add(tokens);
        strlcpy(token->hash, (const char *)sqlite3_column_text(statement, 0), sizeof token->hash);
        token->namespace_id = db_column_text(statement, 1);
        token->agent = db_column_text(statement, 2);
        token->label = db_column_text(statement, 3);
        token->active = sqlite3_column_int(statement, 4) != 0;
        token->created_ms = sqlite3_column_int64(statement, 5);
        token->expires_ms = sqlite3_column_int64(statement, 6);
        token->last_used_ms = sqlite3_column_int64(statement, 7);
        const char *also = (const char *)sqlite3_column_text(statement, 8);
        token->also = store_words(also ? also : "", &token->also_count);
        db_column_uuid(statement, 9, token->grant_id);
        token->audience = db_column_text(statement, 10);
    }
    return step == DB_END ? STORE_DONE : STORE_FAULT;
}

struct find_job {
    const char *hash;
    struct store_tokens *result;
    bool is_use_due; /* to be written down */
};

static enum store_status find_run(struct db *db, void *arg)
{
    struct find_job *job = arg;
    sqlite3_stmt *statement = db_query(db, STATEMENT_TOKEN_FIND, db_text(job->hash), DB_INT(db->now_ms));
    const enum store_status status = read_tokens(db, statement, job->result);
    if (status != STORE_DONE || job->result->count == 0)
        return status == STORE_DONE ? STORE_ABSENT : status;
    const int64_t unnoted = db->now_ms - job->result->items[0].last_used_ms;
    job->is_use_due = unnoted >= LAST_USED_GRAIN_MS || unnoted < 0;
    return STORE_DONE;
}

struct used_job {
    enum statement which;
    const char *key; /* the token's hash, or the grant's id */
};

static enum store_status used_run(struct db *db, void *arg)
{
    const struct used_job *job = arg;
    return db_run(db, job->which, db_text(job->key), DB_INT(db->now_ms)) ? STORE_DONE : STORE_FAULT;
}

enum store_status sqlite_token_find(struct store *s, const char *hash, struct store_tokens *result)
{
    struct find_job job = {.hash = hash, .result = result};
    const enum store_status status = readers_run(sqlite_store(s)->readers, find_run, &job);
    if (status != STORE_DONE || !job.is_use_due)
        return status;
    const char *grant_id = result->items[0].grant_id;
    struct used_job used = *grant_id ? (struct used_job){STATEMENT_GRANT_USED, grant_id}
                                     : (struct used_job){STATEMENT_TOKEN_USED, hash};
    struct write write = {.run = used_run, .job = &used};
    /* Whether this could be noted does not matter to who calls: the writer has logged it. */
    (void)!writer_submit(sqlite_store(s)->writer, &write);
    return STORE_DONE;
}

struct add_job {
    const struct store_token *token;
    enum store_refusal *refusal;
};

bool sqlite_token_insert(struct db *db, const struct store_token *token)
{
    return db_run(db, STATEMENT_TOKEN_ADD, db_text(token->hash), db_text(token->namespace_id),
        db_text(token->agent), db_text(token->label),
        DB_INT(token->created_ms ? token->created_ms : db->now_ms), DB_TIME(token->expires_ms));
}

static enum store_status add_run(struct db *db, void *arg)
{
    struct add_job *job = arg;
    if (!sqlite_token_insert(db, job->token))
        return STORE_FAULT;
    *job->refusal = db_changes(db) == 0 ? REFUSAL_EXISTS : REFUSAL_NONE;
    return *job->refusal == REFUSAL_NONE ? STORE_DONE : STORE_REFUSED;
}

enum store_status sqlite_token_add(
    struct store *s, const struct store_token *token, enum store_refusal *refusal)
{
    struct add_job job = {token, refusal};
    struct write write = {.run = add_run, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

static enum store_status list_run(struct db *db, void *arg)
{
    return read_tokens(db, db_query_args(db, STATEMENT_TOKEN_LIST, NULL, 0), arg);
}

enum store_status sqlite_token_list(struct store *s, struct store_tokens *result)
{
    return readers_run(sqlite_store(s)->readers, list_run, result);
}

struct end_job {
    const char *hash_prefix, *namespace_id, *agent;
    int64_t expires_ms;
    int64_t count;
};

static enum store_status end_run(struct db *db, void *arg)
{
    struct end_job *job = arg;
    const bool is_now = job->expires_ms == 0;
    const struct db_arg args[] = {DB_INT(db->now_ms), db_text(job->hash_prefix), db_text(job->namespace_id),
        db_text(job->agent), DB_INT(!is_now), DB_INT(is_now ? db->now_ms : job->expires_ms)};
    int64_t matches = 0;
    if (!db_number_args(db, STATEMENT_TOKEN_MATCH, &matches, args, 4))
        return STORE_FAULT;
    if (matches == 0)
        return STORE_ABSENT;
    if (job->hash_prefix && matches > 1)
        return STORE_REFUSED;
    job->count = matches;
    return db_run_args(db, STATEMENT_TOKEN_END, args, LENGTH_OF(args)) ? STORE_DONE : STORE_FAULT;
}

enum store_status sqlite_token_end(struct store *s, const char *hash_prefix, const char *namespace_id,
    const char *agent, int64_t expires_ms, int64_t *count)
{
    struct end_job job = {hash_prefix, namespace_id, agent, expires_ms, 0};
    struct write write = {.run = end_run, .job = &job, .is_durable = true};
    const enum store_status status = writer_submit(sqlite_store(s)->writer, &write);
    *count = status == STORE_DONE ? job.count : 0;
    return status;
}

/* ---- bans ---- */

static enum store_status ban_put_run(struct db *db, void *arg)
{
    const struct store_ban *ban = arg;
    return db_run(db, STATEMENT_BAN_PUT, db_text(ban->token_hash), DB_INT(ban->until_ms), DB_INT(db->now_ms))
               ? STORE_DONE
               : STORE_FAULT;
}

enum store_status sqlite_ban_put(struct store *s, const struct store_ban *ban)
{
    struct store_ban job = *ban;
    struct write write = {.run = ban_put_run, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

struct ban_list_job {
    struct store_ban **bans;
    size_t *count;
};

static enum store_status ban_list_run(struct db *db, void *arg)
{
    struct ban_list_job *job = arg;
    sqlite3_stmt *statement = db_query(db, STATEMENT_BAN_LIST, DB_INT(db->now_ms));
    if (!statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        *job->bans = xreallocarray(*job->bans, *job->count + 1, sizeof **job->bans);
        struct store_ban *ban = &(*job->bans)[(*job->count)++];
        strlcpy(ban->token_hash, (const char *)sqlite3_column_text(statement, 0), sizeof ban->token_hash);
        ban->until_ms = sqlite3_column_int64(statement, 1);
    }
    return step == DB_END ? STORE_DONE : STORE_FAULT;
}

enum store_status sqlite_ban_list(struct store *s, struct store_ban **bans, size_t *count)
{
    struct ban_list_job job = {bans, count};
    return readers_run(sqlite_store(s)->readers, ban_list_run, &job);
}
