/* Grants: what authorization codes and refresh tokens turn into. */
#include "sqlite_oauth.h"

/* ---- reading ---- */

static enum store_status read_grants(struct db *db, sqlite3_stmt *statement, struct store_grants *grants)
{
    if (!statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        struct store_grant *grant = store_grants_add(grants);
        db_column_uuid(statement, 0, grant->id);
        grant->client_id = db_column_text(statement, 1);
        grant->client_name = db_column_text(statement, 2);
        sqlite_subject_read(statement, 3, &grant->subject);
        grant->audience = db_column_text(statement, 6);
        grant->scope = db_column_text(statement, 7);
        grant->created_ms = sqlite3_column_int64(statement, 8);
        grant->used_ms = sqlite3_column_int64(statement, 9);
        grant->expires_ms = sqlite3_column_int64(statement, 10);
    }
    return step == DB_END ? STORE_DONE : STORE_FAULT;
}

static enum store_status list_run(struct db *db, void *arg)
{
    return read_grants(db, db_query(db, STATEMENT_GRANT_LIST, DB_INT(db->now_ms)), arg);
}

enum store_status sqlite_grant_list(struct store *s, struct store_grants *result)
{
    return readers_run(sqlite_store(s)->readers, list_run, result);
}

/* ---- what both ways to a pair of tokens have in common ---- */

/* Adds the pair to the grant, and reads the grant as it is then. */
static enum store_status hand_out(struct db *db, const char *grant_id, const char *client_id,
    const struct store_token_pair *pair, struct store_grants *result)
{
    const bool done = db_run(db, STATEMENT_ACCESS_ADD, db_text(pair->access_hash), db_text(grant_id),
                          DB_INT(db->now_ms), DB_INT(pair->access_expires_ms)) &&
                      db_run(db, STATEMENT_REFRESH_ADD, db_text(pair->refresh_hash), db_text(grant_id),
                          DB_INT(db->now_ms), DB_INT(pair->refresh_expires_ms)) &&
                      db_run(db, STATEMENT_CLIENT_USED, db_text(client_id), DB_INT(db->now_ms));
    if (!done)
        return STORE_FAULT;
    return read_grants(db, db_query(db, STATEMENT_GRANT_BY_ID, db_text(grant_id)), result);
}

/* Somebody else has a secret of that grant: nobody keeps it. */
static enum store_status revoke_reused(struct db *db, const char *grant_id, enum store_refusal *refusal)
{
    *refusal = REFUSAL_USED;
    return db_run(db, STATEMENT_GRANT_REVOKE, db_text(grant_id), DB_INT(db->now_ms)) ? STORE_REFUSED
                                                                                     : STORE_FAULT;
}

/* ---- authorization codes ---- */

struct redeem_job {
    const char *code_hash;
    const struct store_redemption *redemption;
    struct store_grants *result;
    enum store_refusal *refusal;
};

/* What the code stands for, as far as it is looked at. */
struct auth_code {
    char grant_id[UUID_SIZE]; /* "": not redeemed yet */
    bool fits;                /* what the client says of it */
    struct store_subject subject;
};

static bool column_is(sqlite3_stmt *statement, int column, const char *text)
{
    const char *stored = (const char *)sqlite3_column_text(statement, column);
    return stored && secret_equal(stored, text);
}

static enum store_status find_code(struct db *db, const struct redeem_job *job, struct auth_code *code)
{
    const struct store_redemption *said = job->redemption;
    sqlite3_stmt *statement = db_query(
        db, STATEMENT_AUTH_CODE_FIND, db_text(job->code_hash), db_text(said->client_id), DB_INT(db->now_ms));
    if (!statement)
        return STORE_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? STORE_ABSENT : STORE_FAULT;
    db_column_uuid(statement, 0, code->grant_id);
    code->fits = column_is(statement, 1, said->redirect_uri) && column_is(statement, 2, said->challenge) &&
                 (!said->audience || column_is(statement, 3, said->audience));
    sqlite_subject_read(statement, 4, &code->subject);
    db_done(statement);
    return STORE_DONE;
}

static bool open_namespaces(struct db *db, const char *grant_id, const struct store_subject *subject)
{
    bool done = db_run(db, STATEMENT_GRANT_NAMESPACE_ADD, db_text(grant_id), db_text(subject->namespace_id),
        db_text(subject->agent));
    for (size_t i = 0; done && i < subject->also_count; i++)
        done = db_run(db, STATEMENT_GRANT_NAMESPACE_ADD, db_text(grant_id), db_text(subject->also[i]),
            db_text(subject->agent));
    return done;
}

static enum store_status open_grant(
    struct db *db, const struct redeem_job *job, const struct store_subject *subject)
{
    char id[UUID_SIZE];
    uuid_v4(id); /* not in the order of time, so that its first digits tell it from others */
    const bool done = db_run(db, STATEMENT_GRANT_OPEN, db_text(job->code_hash), db_text(id),
                          DB_INT(db->now_ms), DB_INT(job->redemption->pair.refresh_expires_ms)) &&
                      open_namespaces(db, id, subject) &&
                      db_run(db, STATEMENT_AUTH_CODE_USE, db_text(job->code_hash), db_text(id));
    if (!done)
        return STORE_FAULT;
    return hand_out(db, id, job->redemption->client_id, &job->redemption->pair, job->result);
}

static enum store_status redeem_run(struct db *db, void *arg)
{
    struct redeem_job *job = arg;
    struct auth_code code = {0};
    enum store_status status = find_code(db, job, &code);
    if (status == STORE_DONE && *code.grant_id)
        status = revoke_reused(db, code.grant_id, job->refusal);
    else if (status == STORE_DONE)
        status = code.fits ? open_grant(db, job, &code.subject) : STORE_ABSENT;
    store_subject_free(&code.subject);
    return status;
}

static void redeem_reset(void *arg)
{
    struct redeem_job *job = arg;
    store_grants_free(job->result);
    *job->refusal = REFUSAL_NONE;
}

enum store_status sqlite_code_redeem(struct store *s, const char *code_hash,
    const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal)
{
    struct redeem_job job = {code_hash, redemption, result, refusal};
    struct write write = {.run = redeem_run, .reset = redeem_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

/* ---- refresh tokens ---- */

struct refresh_job {
    const char *refresh_hash, *client_id, *audience;
    const struct store_token_pair *pair;
    struct store_grants *result;
    enum store_refusal *refusal;
};

struct refresh_token {
    char grant_id[UUID_SIZE];
    int64_t used_ms; /* 0: never */
    bool fits;       /* the audience that is asked for */
};

static enum store_status find_refresh(
    struct db *db, const struct refresh_job *job, struct refresh_token *token)
{
    sqlite3_stmt *statement = db_query(
        db, STATEMENT_REFRESH_FIND, db_text(job->refresh_hash), db_text(job->client_id), DB_INT(db->now_ms));
    if (!statement)
        return STORE_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? STORE_ABSENT : STORE_FAULT;
    db_column_uuid(statement, 0, token->grant_id);
    token->used_ms = sqlite3_column_int64(statement, 1);
    /* A grant of the original, from an export, has none: it is for whatever the relay is called. */
    token->fits = !job->audience || column_is(statement, 2, job->audience) || column_is(statement, 2, "");
    db_done(statement);
    return STORE_DONE;
}

static enum store_status refresh_run(struct db *db, void *arg)
{
    struct refresh_job *job = arg;
    struct refresh_token token = {0};
    const enum store_status status = find_refresh(db, job, &token);
    if (status != STORE_DONE)
        return status;
    if (token.used_ms != 0 && db->now_ms - token.used_ms > REFRESH_GRACE_MS)
        return revoke_reused(db, token.grant_id, job->refusal);
    if (!token.fits)
        return STORE_ABSENT;
    const bool done = db_run(db, STATEMENT_REFRESH_USE, db_text(job->refresh_hash), DB_INT(db->now_ms)) &&
                      db_run(db, STATEMENT_GRANT_RENEW, db_text(token.grant_id), DB_INT(db->now_ms),
                          DB_INT(job->pair->refresh_expires_ms));
    return done ? hand_out(db, token.grant_id, job->client_id, job->pair, job->result) : STORE_FAULT;
}

static void refresh_reset(void *arg)
{
    struct refresh_job *job = arg;
    store_grants_free(job->result);
    *job->refusal = REFUSAL_NONE;
}

enum store_status sqlite_refresh(struct store *s, const char *refresh_hash, const char *client_id,
    const char *audience, const struct store_token_pair *pair, struct store_grants *result,
    enum store_refusal *refusal)
{
    struct refresh_job job = {refresh_hash, client_id, audience, pair, result, refusal};
    struct write write = {.run = refresh_run, .reset = refresh_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

/* ---- ending ---- */

struct end_job {
    const struct store_grant_choice *choice;
    int64_t count;
};

static enum store_status end_run(struct db *db, void *arg)
{
    struct end_job *job = arg;
    const struct store_grant_choice *choice = job->choice;
    const struct db_arg args[] = {DB_INT(db->now_ms), db_text(choice->id_prefix), db_text(choice->client_id),
        db_text(choice->namespace_id), db_text(choice->agent), db_text(choice->token_hash)};
    int64_t matches = 0;
    if (!db_number_args(db, STATEMENT_GRANT_MATCH, &matches, args, LENGTH_OF(args)))
        return STORE_FAULT;
    if (matches == 0)
        return STORE_ABSENT;
    if (choice->id_prefix && matches > 1)
        return STORE_REFUSED;
    job->count = matches;
    return db_run_args(db, STATEMENT_GRANT_END, args, LENGTH_OF(args)) ? STORE_DONE : STORE_FAULT;
}

enum store_status sqlite_grant_end(struct store *s, const struct store_grant_choice *choice, int64_t *count)
{
    struct end_job job = {.choice = choice};
    struct write write = {.run = end_run, .job = &job, .is_durable = true};
    const enum store_status status = writer_submit(sqlite_store(s)->writer, &write);
    *count = status == STORE_DONE ? job.count : 0;
    return status;
}
