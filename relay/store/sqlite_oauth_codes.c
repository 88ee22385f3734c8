/* Codes that the operator hands out, and what they are used up for; authorization codes. */
#include <stdlib.h>

#include "../../common/buf.h"
#include "sqlite_oauth.h"

static const char *const kind_names[] = {[CODE_CONNECT] = "connect", [CODE_INVITE] = "invite"};

/* ---- subjects ---- */

void sqlite_subject_read(sqlite3_stmt *statement, int column, struct store_subject *subject)
{
    const char *also = (const char *)sqlite3_column_text(statement, column + 2);
    store_subject_set(subject, (const char *)sqlite3_column_text(statement, column),
        (const char *)sqlite3_column_text(statement, column + 1), also ? also : "");
}

char *sqlite_subject_also(const struct store_subject *subject)
{
    struct buf text = {0};
    for (size_t i = 0; i < subject->also_count; i++)
        buf_printf(&text, i == 0 ? "%s" : " %s", subject->also[i]);
    return buf_take(&text);
}

bool sqlite_subject_let_in(
    struct db *db, const struct store_subject *subject, const struct store_token *token)
{
    struct store_token row = *token;
    row.namespace_id = subject->namespace_id;
    row.agent = subject->agent;
    return sqlite_token_insert(db, &row) && db_changes(db) == 1;
}

/* ---- the operator's codes ---- */

struct add_job {
    enum store_code_kind kind;
    const char *hash;
    const struct store_subject *subject;
    int64_t expires_ms;
    enum store_refusal *refusal;
};

static enum store_status add_run(struct db *db, void *arg)
{
    struct add_job *job = arg;
    char *also = sqlite_subject_also(job->subject);
    const bool done = db_run(db, STATEMENT_CODE_ADD, db_text(job->hash), db_text(kind_names[job->kind]),
        db_text(job->subject->namespace_id), db_text(job->subject->agent), db_text(also), DB_INT(db->now_ms),
        DB_INT(job->expires_ms));
    free(also);
    if (!done)
        return STORE_FAULT;
    *job->refusal = db_changes(db) == 0 ? REFUSAL_EXISTS : REFUSAL_NONE;
    return *job->refusal == REFUSAL_NONE ? STORE_DONE : STORE_REFUSED;
}

static void add_reset(void *arg)
{
    *((struct add_job *)arg)->refusal = REFUSAL_NONE;
}

enum store_status sqlite_code_add(struct store *s, enum store_code_kind kind, const char *hash,
    const struct store_subject *subject, int64_t expires_ms, enum store_refusal *refusal)
{
    struct add_job job = {kind, hash, subject, expires_ms, refusal};
    struct write write = {.run = add_run, .reset = add_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

enum store_status sqlite_code_use(
    struct db *db, enum store_code_kind kind, const char *hash, struct store_subject *subject)
{
    const struct db_arg args[] = {db_text(hash), db_text(kind_names[kind]), DB_INT(db->now_ms)};
    sqlite3_stmt *statement = db_query_args(db, STATEMENT_CODE_FIND, args, LENGTH_OF(args));
    if (!statement)
        return STORE_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? STORE_ABSENT : STORE_FAULT;
    sqlite_subject_read(statement, 0, subject);
    db_done(statement);
    return db_run_args(db, STATEMENT_CODE_USE, args, LENGTH_OF(args)) ? STORE_DONE : STORE_FAULT;
}

struct invite_job {
    const char *hash;
    const struct store_token *token;
    struct store_subject *subject;
};

static enum store_status invite_run(struct db *db, void *arg)
{
    struct invite_job *job = arg;
    const enum store_status status = sqlite_code_use(db, CODE_INVITE, job->hash, job->subject);
    if (status != STORE_DONE)
        return status;
    return sqlite_subject_let_in(db, job->subject, job->token) ? STORE_DONE : STORE_FAULT;
}

static void invite_reset(void *arg)
{
    store_subject_free(((struct invite_job *)arg)->subject);
}

enum store_status sqlite_invite_redeem(
    struct store *s, const char *hash, const struct store_token *token, struct store_subject *subject)
{
    struct invite_job job = {hash, token, subject};
    struct write write = {.run = invite_run, .reset = invite_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

/* ---- authorization codes ---- */

struct authorize_job {
    const char *connect_hash, *code_hash;
    const struct store_authorization *authorization;
    struct store_subject *subject;
};

static enum store_status authorize_run(struct db *db, void *arg)
{
    struct authorize_job *job = arg;
    if (job->connect_hash) {
        const enum store_status status = sqlite_code_use(db, CODE_CONNECT, job->connect_hash, job->subject);
        if (status != STORE_DONE)
            return status;
    }
    const struct store_authorization *a = job->authorization;
    char *also = sqlite_subject_also(job->subject);
    const bool done = db_run(db, STATEMENT_AUTH_CODE_ADD, db_text(job->code_hash), db_text(a->client_id),
        db_text(a->client_name), db_text(job->subject->namespace_id), db_text(job->subject->agent),
        db_text(also), db_text(a->redirect_uri), db_text(a->challenge), db_text(a->audience),
        db_text(a->scope), DB_INT(db->now_ms), DB_INT(a->expires_ms));
    free(also);
    return done ? STORE_DONE : STORE_FAULT;
}

static void authorize_reset(void *arg)
{
    struct authorize_job *job = arg;
    if (job->connect_hash)
        store_subject_free(job->subject);
}

enum store_status sqlite_authorize(struct store *s, const char *connect_hash, const char *code_hash,
    const struct store_authorization *authorization, struct store_subject *subject)
{
    struct authorize_job job = {connect_hash, code_hash, authorization, subject};
    struct write write = {.run = authorize_run, .reset = authorize_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}
