/* Housekeeping. In steps that are each one operation of the writer, so that none holds up the others for
 * long. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/ident.h"
#include "notice.h"
#include "sqlite_store.h"
#include "words.h"

enum { STEP_ROWS = 200 };

/* Messages of one sender to one recipient that expire unread or unanswered. */
struct expiry_group {
    char *namespace_id, *from, *to;
    int64_t count;
};

struct cleanup {
    struct sqlite_store *store;
    struct store_cleanup_result *result;
    int64_t max_age_ms, active_window_ms;
    int64_t now_ms, expiry_ms, tombstone_ms; /* what was sent at or before those expires; goes for good */
    struct expiry_group *groups;
    size_t groups_count;
};

/* ---- what there is to do: one read ---- */

static bool read_groups(struct db *db, struct cleanup *cleanup)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_EXPIRY_GROUPS, DB_INT(cleanup->expiry_ms), DB_INT(db->now_ms));
    if (!statement)
        return false;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        cleanup->groups = xreallocarray(cleanup->groups, cleanup->groups_count + 1, sizeof *cleanup->groups);
        cleanup->groups[cleanup->groups_count++] = (struct expiry_group){
            .namespace_id = db_column_text(statement, 0),
            .from = db_column_text(statement, 1),
            .to = db_column_text(statement, 2),
            .count = sqlite3_column_int64(statement, 3),
        };
    }
    return step == DB_END;
}

static void free_groups(struct cleanup *cleanup)
{
    for (size_t i = 0; i < cleanup->groups_count; i++) {
        free(cleanup->groups[i].namespace_id);
        free(cleanup->groups[i].from);
        free(cleanup->groups[i].to);
    }
    free(cleanup->groups);
}

static enum store_status plan_run(struct db *db, void *arg)
{
    struct cleanup *cleanup = arg;
    struct store_cleanup_result *result = cleanup->result;
    if (!read_groups(db, cleanup) ||
        !db_number(db, STATEMENT_EXPIRY_COUNT, &result->expired, DB_INT(cleanup->expiry_ms)) ||
        !db_number(db, STATEMENT_TOMBSTONES_COUNT, &result->deleted, DB_INT(cleanup->tombstone_ms),
            DB_INT(cleanup->expiry_ms)) ||
        !db_number(db, STATEMENT_AGENTS_OFFLINE_COUNT, &result->offline,
            DB_INT(cleanup->now_ms - cleanup->active_window_ms)))
        return STORE_FAULT;
    for (size_t i = 0; i < cleanup->groups_count; i++)
        result->notices += (cleanup->groups[i].count + NOTICE_MAX_MESSAGES - 1) / NOTICE_MAX_MESSAGES;
    return STORE_DONE;
}

/* ---- expiry with a notice ---- */

struct notice_job {
    const struct cleanup *cleanup;
    const struct expiry_group *group;
    char id[UUID_SIZE];
    struct buf text, words;
    int64_t seqs[NOTICE_MAX_MESSAGES];
    size_t count;
};

static bool read_expiring(struct db *db, struct notice_job *job)
{
    const struct expiry_group *group = job->group;
    char token[PARTY_TOKEN_SIZE];
    db_party_token(PARTY_SENDER, group->namespace_id, group->from, token);
    sqlite3_stmt *statement = db_query(db, STATEMENT_EXPIRY_OF_GROUP, DB_INT(job->cleanup->expiry_ms),
        DB_INT(db->now_ms), db_text(group->namespace_id), db_text(group->from), db_text(group->to),
        DB_INT(NOTICE_MAX_MESSAGES), db_text(token));
    if (!statement)
        return false;
    notice_begin(&job->text, group->to, job->cleanup->max_age_ms);
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        job->seqs[job->count++] = sqlite3_column_int64(statement, 0);
        const bool was_deferred = strcmp((const char *)sqlite3_column_text(statement, 2),
                                      message_status_names[MESSAGE_DEFERRED]) == 0;
        const bool is_sealed = sqlite3_column_int(statement, 4) != 0;
        const char *content = is_sealed ? NULL : (const char *)sqlite3_column_text(statement, 3);
        notice_add(&job->text, (const char *)sqlite3_column_text(statement, 1), was_deferred, content,
            (size_t)sqlite3_column_bytes(statement, 3));
    }
    return step == DB_END;
}

static bool expire(struct db *db, int64_t seq)
{
    return db_words_remove(db, seq) && db_run(db, STATEMENT_EXPIRE, DB_INT(seq), DB_INT(db->now_ms));
}

static enum store_status notice_run(struct db *db, void *arg)
{
    struct notice_job *job = arg;
    if (!read_expiring(db, job))
        return STORE_FAULT;
    for (size_t i = 0; i < job->count; i++) {
        if (!expire(db, job->seqs[i]))
            return STORE_FAULT;
    }
    if (job->count == 0)
        return STORE_DONE;
    words_write(job->text.data, job->text.len, &job->words);
    const struct delivery notice = {
        .id = job->id,
        .namespace_id = job->group->namespace_id,
        .from = RELAY_AGENT,
        .to = job->group->from,
        .content = buf_text(&job->text),
        .content_len = job->text.len,
        .words = &job->words,
        .is_notice = true,
    };
    return sqlite_deliver(db, &notice) ? STORE_DONE : STORE_FAULT;
}

static void notice_reset(void *arg)
{
    struct notice_job *job = arg;
    buf_reset(&job->text);
    buf_reset(&job->words);
    job->count = 0;
}

static void note_notified(struct store_agents *notified, const struct expiry_group *group)
{
    for (size_t i = 0; i < notified->count; i++) {
        if (strcmp(notified->items[i].agent, group->from) == 0 &&
            strcmp(notified->items[i].namespace_id, group->namespace_id) == 0)
            return;
    }
    struct store_agent *agent = store_agents_add(notified);
    agent->namespace_id = xstrdup(group->namespace_id);
    agent->agent = xstrdup(group->from);
}

/* *count: how many messages this notice tells of; 0: the group is done. */
static enum store_status send_notice(struct cleanup *cleanup, const struct expiry_group *group, size_t *count)
{
    struct notice_job job = {.cleanup = cleanup, .group = group};
    uuid_v7(job.id);
    struct write write = {.run = notice_run, .reset = notice_reset, .job = &job, .is_durable = true};
    const enum store_status status = writer_submit(cleanup->store->writer, &write);
    if (status == STORE_DONE && job.count > 0) {
        cleanup->result->expired += (int64_t)job.count;
        cleanup->result->notices++;
        note_notified(&cleanup->result->notified, group);
    }
    *count = job.count;
    buf_free(&job.text);
    buf_free(&job.words);
    return status;
}

static enum store_status expire_group(struct cleanup *cleanup, const struct expiry_group *group)
{
    enum store_status status = STORE_DONE;
    for (size_t count = NOTICE_MAX_MESSAGES; status == STORE_DONE && count == NOTICE_MAX_MESSAGES;)
        status = send_notice(cleanup, group, &count);
    return status;
}

/* ---- the rest, by steps of rows ---- */

struct step_job {
    const struct cleanup *cleanup;
    int64_t seqs[STEP_ROWS];
    size_t count;
};

static bool read_seqs(struct db *db, sqlite3_stmt *statement, struct step_job *job)
{
    if (!statement)
        return false;
    enum db_step step;
    job->count = 0;
    while ((step = db_next(db, statement)) == DB_ROW)
        job->seqs[job->count++] = sqlite3_column_int64(statement, 0);
    return step == DB_END;
}

static enum store_status expire_run(struct db *db, void *arg)
{
    struct step_job *job = arg;
    if (!read_seqs(db,
            db_query(db, STATEMENT_EXPIRY_OTHERS, DB_INT(job->cleanup->expiry_ms), DB_INT(db->now_ms),
                DB_INT(STEP_ROWS)),
            job))
        return STORE_FAULT;
    for (size_t i = 0; i < job->count; i++) {
        if (!expire(db, job->seqs[i]))
            return STORE_FAULT;
    }
    return STORE_DONE;
}

static enum store_status delete_run(struct db *db, void *arg)
{
    struct step_job *job = arg;
    if (!read_seqs(db,
            db_query(db, STATEMENT_TOMBSTONES, DB_INT(job->cleanup->tombstone_ms),
                DB_INT(job->cleanup->expiry_ms), DB_INT(STEP_ROWS)),
            job))
        return STORE_FAULT;
    for (size_t i = 0; i < job->count; i++) {
        if (!db_words_remove(db, job->seqs[i]) || !db_run(db, STATEMENT_MESSAGE_DELETE, DB_INT(job->seqs[i])))
            return STORE_FAULT;
    }
    return STORE_DONE;
}

static enum store_status in_steps(
    struct cleanup *cleanup, enum store_status (*run)(struct db *, void *), int64_t *total)
{
    struct step_job job = {.cleanup = cleanup, .count = STEP_ROWS};
    while (job.count == STEP_ROWS) {
        struct write write = {.run = run, .job = &job, .is_durable = true};
        const enum store_status status = writer_submit(cleanup->store->writer, &write);
        if (status != STORE_DONE)
            return status;
        *total += (int64_t)job.count;
    }
    return STORE_DONE;
}

static enum store_status leftovers_run(struct db *db, void *arg)
{
    struct cleanup *cleanup = arg;
    if (!db_run(db, STATEMENT_AGENTS_OFFLINE, DB_INT(cleanup->now_ms - cleanup->active_window_ms)))
        return STORE_FAULT;
    cleanup->result->offline = db_changes(db);
    /* Tokens that ran out stay in the operator's list for one retention. */
    return db_run_args(db, STATEMENT_THREADS_DELETE, NULL, 0) &&
                   db_run(db, STATEMENT_TOKENS_DELETE, DB_INT(cleanup->expiry_ms)) &&
                   db_run(db, STATEMENT_BANS_DELETE, DB_INT(cleanup->now_ms))
               ? STORE_DONE
               : STORE_FAULT;
}

static enum store_status clean(struct cleanup *cleanup)
{
    struct store_cleanup_result *result = cleanup->result;
    *result = (struct store_cleanup_result){0}; /* the plan's numbers; now what is really done is counted */
    enum store_status status = STORE_DONE;
    for (size_t i = 0; status == STORE_DONE && i < cleanup->groups_count; i++)
        status = expire_group(cleanup, &cleanup->groups[i]);
    if (status == STORE_DONE)
        status = in_steps(cleanup, expire_run, &result->expired);
    if (status == STORE_DONE)
        status = in_steps(cleanup, delete_run, &result->deleted);
    if (status != STORE_DONE)
        return status;
    struct write write = {.run = leftovers_run, .job = cleanup, .is_durable = true};
    return writer_submit(cleanup->store->writer, &write);
}

enum store_status sqlite_cleanup(struct store *s, int64_t max_age_ms, int64_t active_window_ms, bool dry_run,
    struct store_cleanup_result *result)
{
    const int64_t now = clock_wall_ms();
    struct cleanup cleanup = {
        .store = sqlite_store(s),
        .result = result,
        .max_age_ms = max_age_ms,
        .active_window_ms = active_window_ms,
        .now_ms = now,
        .expiry_ms = now - max_age_ms,
        .tombstone_ms = now - 2 * max_age_ms,
    };
    enum store_status status = readers_run(cleanup.store->readers, plan_run, &cleanup);
    if (status == STORE_DONE && !dry_run)
        status = clean(&cleanup);
    free_groups(&cleanup);
    return status;
}
