/* Device authorizations. */
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite_oauth.h"

/* ---- asking to be let in ---- */

struct add_job {
    const struct store_device *device;
    int64_t max;
    enum store_refusal *refusal;
};

static enum store_status add_run(struct db *db, void *arg)
{
    struct add_job *job = arg;
    const struct store_device *device = job->device;
    int64_t waiting = 0;
    if (!db_number(db, STATEMENT_DEVICES_WAITING, &waiting, DB_INT(db->now_ms)))
        return STORE_FAULT;
    *job->refusal = REFUSAL_TOO_MANY;
    if (waiting >= job->max)
        return STORE_REFUSED;
    if (!db_run(db, STATEMENT_DEVICE_ADD, db_text(device->device_hash), db_text(device->user_hash),
            db_text(device->machine), db_text(device->address),
            DB_INT(device->created_ms ? device->created_ms : db->now_ms), DB_INT(device->expires_ms)))
        return STORE_FAULT;
    *job->refusal = db_changes(db) == 0 ? REFUSAL_EXISTS : REFUSAL_NONE;
    return *job->refusal == REFUSAL_NONE ? STORE_DONE : STORE_REFUSED;
}

static void add_reset(void *arg)
{
    *((struct add_job *)arg)->refusal = REFUSAL_NONE;
}

enum store_status sqlite_device_add(
    struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal)
{
    struct add_job job = {device, max, refusal};
    struct write write = {.run = add_run, .reset = add_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

/* ---- a person's decision ---- */

struct find_job {
    const char *user_hash;
    struct store_device *result;
};

static enum store_status find_run(struct db *db, void *arg)
{
    struct find_job *job = arg;
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_DEVICE_BY_USER, db_text(job->user_hash), DB_INT(db->now_ms));
    if (!statement)
        return STORE_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? STORE_ABSENT : STORE_FAULT;
    struct store_device *device = job->result;
    strlcpy(device->device_hash, (const char *)sqlite3_column_text(statement, 0), sizeof device->device_hash);
    strlcpy(device->user_hash, (const char *)sqlite3_column_text(statement, 1), sizeof device->user_hash);
    device->machine = db_column_text(statement, 2);
    device->address = db_column_text(statement, 3);
    device->created_ms = sqlite3_column_int64(statement, 4);
    device->expires_ms = sqlite3_column_int64(statement, 5);
    db_done(statement);
    return STORE_DONE;
}

enum store_status sqlite_device_find(struct store *s, const char *user_hash, struct store_device *result)
{
    struct find_job job = {user_hash, result};
    return readers_run(sqlite_store(s)->readers, find_run, &job);
}

struct decide_job {
    const char *user_hash, *connect_hash;
    struct store_subject *subject;
    enum store_refusal *refusal;
};

static enum store_status approve(struct db *db, struct decide_job *job)
{
    const enum store_status status = sqlite_code_use(db, CODE_CONNECT, job->connect_hash, job->subject);
    if (status == STORE_ABSENT)
        *job->refusal = REFUSAL_USED;
    if (status != STORE_DONE)
        return status;
    char *also = sqlite_subject_also(job->subject);
    const bool done = db_run(db, STATEMENT_DEVICE_APPROVE, db_text(job->user_hash),
        db_text(job->subject->namespace_id), db_text(job->subject->agent), db_text(also));
    free(also);
    return done ? STORE_DONE : STORE_FAULT;
}

static enum store_status decide_run(struct db *db, void *arg)
{
    struct decide_job *job = arg;
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_DEVICE_BY_USER, db_text(job->user_hash), DB_INT(db->now_ms));
    if (!statement)
        return STORE_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? STORE_ABSENT : STORE_FAULT;
    db_done(statement);
    if (job->connect_hash)
        return approve(db, job);
    return db_run(db, STATEMENT_DEVICE_DENY, db_text(job->user_hash)) ? STORE_DONE : STORE_FAULT;
}

static void decide_reset(void *arg)
{
    struct decide_job *job = arg;
    store_subject_free(job->subject);
    *job->refusal = REFUSAL_NONE;
}

enum store_status sqlite_device_decide(struct store *s, const char *user_hash, const char *connect_hash,
    struct store_subject *subject, enum store_refusal *refusal)
{
    struct decide_job job = {user_hash, connect_hash, subject, refusal};
    struct write write = {.run = decide_run, .reset = decide_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}

/* ---- the device asks ---- */

struct redeem_job {
    const char *device_hash;
    const struct store_token *token;
    int64_t interval_ms;
    struct store_subject *subject;
    enum store_refusal *refusal;
};

static enum store_status refuse(struct redeem_job *job, enum store_refusal refusal)
{
    *job->refusal = refusal;
    return STORE_REFUSED;
}

static enum store_status redeem_run(struct db *db, void *arg)
{
    struct redeem_job *job = arg;
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_DEVICE_FIND, db_text(job->device_hash), DB_INT(db->now_ms));
    if (!statement)
        return STORE_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? STORE_ABSENT : STORE_FAULT;
    const char *state = (const char *)sqlite3_column_text(statement, 0);
    const bool is_approved = strcmp(state, "approved") == 0, is_denied = strcmp(state, "denied") == 0;
    const bool was_asked = sqlite3_column_type(statement, 1) != SQLITE_NULL;
    const int64_t since_ms = db->now_ms - sqlite3_column_int64(statement, 1); /* below 0: a clock set back */
    if (is_approved)
        sqlite_subject_read(statement, 2, job->subject);
    db_done(statement);
    if (is_denied)
        return refuse(job, REFUSAL_DENIED);
    if (!db_run(db, is_approved ? STATEMENT_DEVICE_REDEEM : STATEMENT_DEVICE_ASKED, db_text(job->device_hash),
            DB_INT(db->now_ms)))
        return STORE_FAULT;
    if (!is_approved)
        return refuse(job,
            was_asked && since_ms >= 0 && since_ms < job->interval_ms ? REFUSAL_SLOW_DOWN : REFUSAL_PENDING);
    return sqlite_subject_let_in(db, job->subject, job->token) ? STORE_DONE : STORE_FAULT;
}

static void redeem_reset(void *arg)
{
    struct redeem_job *job = arg;
    store_subject_free(job->subject);
    *job->refusal = REFUSAL_NONE;
}

enum store_status sqlite_device_redeem(struct store *s, const char *device_hash,
    const struct store_token *token, int64_t interval_ms, struct store_subject *subject,
    enum store_refusal *refusal)
{
    struct redeem_job job = {device_hash, token, interval_ms, subject, refusal};
    struct write write = {.run = redeem_run, .reset = redeem_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}
