/* Replying: the answer goes out, and the original is done with, or put off. */
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "sqlite_recipient.h"
#include "sqlite_store.h"
#include "sqlite_thread.h"
#include "words.h"

struct reply_job {
    const struct store_caller *caller;
    const struct store_reply *reply;
    struct store_reply_result *result;
    char id[UUID_SIZE];
    uint8_t fingerprint[FINGERPRINT_SIZE];
    struct buf words;
};

struct original {
    int64_t seq;
    struct message_life life;  /* after the reply */
    enum life_verdict verdict; /* on the reply */
    char thread_id[UUID_SIZE]; /* "" for none */
    bool is_resolved;
};

/* Finds what is replied to, and fills what the result says of it. */
static enum store_status find_original_in(
    struct db *db, struct reply_job *job, const char *namespace_id, struct original *original)
{
    sqlite3_stmt *statement = db_query(db, STATEMENT_REPLY_ORIGINAL, db_text(namespace_id),
        db_text(job->caller->agent), db_text(job->reply->message_id));
    if (!statement)
        return STORE_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? STORE_ABSENT : STORE_FAULT;
    enum { SEQ = LIFE_COLUMNS_COUNT, FROM, THREAD_ID, THREAD, RESOLVED };
    original->life = sqlite_life_read(db, statement);
    original->verdict = message_life_apply(&original->life, job->reply->defer ? LIFE_DEFER : LIFE_REPLY);
    original->seq = sqlite3_column_int64(statement, SEQ);
    job->result->sent.namespace_id = xstrdup(namespace_id);
    job->result->sent.to = db_column_text(statement, FROM);
    db_column_uuid(statement, THREAD_ID, original->thread_id);
    job->result->thread = db_column_text(statement, THREAD);
    original->is_resolved = sqlite3_column_int64(statement, RESOLVED) != 0;
    db_done(statement);
    return original->verdict == LIFE_ABSENT ? STORE_ABSENT : STORE_DONE;
}

static enum store_status find_original(struct db *db, struct reply_job *job, struct original *original)
{
    enum store_status status = STORE_ABSENT;
    for (size_t i = 0; status == STORE_ABSENT && i < store_caller_namespaces(job->caller); i++)
        status = find_original_in(db, job, store_caller_namespace(job->caller, i), original);
    return status;
}

static enum store_status refuse(struct reply_job *job, enum store_refusal refusal)
{
    job->result->refusal = refusal;
    return STORE_REFUSED;
}

/* STORE_DONE: the id is free, or the reply was there before (result->repeat). */
static enum store_status check_id(struct db *db, struct reply_job *job)
{
    if (!job->reply->content || !job->reply->reply_id)
        return STORE_DONE;
    const enum id_owner owner = sqlite_id_owner(db, job->id, job->caller, job->fingerprint);
    if (owner == ID_FAULT)
        return STORE_FAULT;
    if (owner == ID_TAKEN)
        return refuse(job, REFUSAL_ID_TAKEN);
    job->result->repeat = owner == ID_REPEAT;
    return STORE_DONE;
}

/* STORE_DONE: the content may go out. */
static enum store_status check_recipient(
    struct db *db, struct reply_job *job, const struct recipient *recipient)
{
    const struct store_caller *caller = job->caller;
    if (!job->reply->content)
        return STORE_DONE;
    if (!recipient->exists)
        return refuse(job, REFUSAL_UNKNOWN_RECIPIENT);
    bool is_full = false;
    if (strcmp(job->result->sent.to, caller->agent) != 0 &&
        !queue_is_full(
            db, job->result->sent.namespace_id, job->result->sent.to, job->reply->content_len, &is_full))
        return STORE_FAULT;
    return is_full ? refuse(job, REFUSAL_QUEUE_FULL) : STORE_DONE;
}

static bool deliver(struct db *db, struct reply_job *job, const struct original *original)
{
    const struct delivery delivery = {
        .id = job->id,
        .namespace_id = job->result->sent.namespace_id,
        .from = job->caller->agent,
        .to = job->result->sent.to,
        .reply_to = job->reply->message_id,
        .thread_id = original->thread_id[0] ? original->thread_id : NULL,
        .fingerprint = job->fingerprint,
        .content = job->reply->content,
        .content_len = job->reply->content_len,
        .words = &job->words,
        .is_sealed = job->reply->is_sealed,
    };
    return sqlite_deliver(db, &delivery);
}

static bool mark_original(struct db *db, const struct reply_job *job, const struct original *original)
{
    const bool defer = job->reply->defer;
    return original->verdict != LIFE_MOVES ||
           db_run(db, STATEMENT_REPLY_MARK, DB_INT(original->seq),
               db_text(sqlite_status_name(message_life_status(original->life))), DB_INT(db->now_ms),
               DB_TIME(defer ? 0 : db->now_ms), DB_TIME(defer ? db->now_ms : 0));
}

/* Whether the thread is closed when this reply is done; a message in it opens it again. */
static bool resolved_after(const struct reply_job *job, const struct original *original)
{
    if (original->thread_id[0] == '\0')
        return false;
    return job->reply->resolve || (!job->reply->content && original->is_resolved);
}

static enum store_status reply_run(struct db *db, void *arg)
{
    struct reply_job *job = arg;
    if (!sqlite_apply_caller(db, job->caller))
        return STORE_FAULT;
    struct original original;
    enum store_status status = find_original(db, job, &original);
    if (status != STORE_DONE)
        return status;
    struct recipient recipient;
    if (!sqlite_recipient_find(db, job->result->sent.namespace_id, job->result->sent.to, &recipient))
        return STORE_FAULT;
    status = check_id(db, job);
    if (status == STORE_DONE && !job->result->repeat && original.verdict == LIFE_REFUSED)
        status = refuse(job, REFUSAL_EXPIRED);
    if (status == STORE_DONE && !job->result->repeat)
        status = check_recipient(db, job, &recipient);
    if (status != STORE_DONE)
        return status;

    job->result->sent.last_seen_ms = recipient.last_seen_ms;
    job->result->was_sent = job->reply->content != NULL;
    job->result->resolved = resolved_after(job, &original);
    if (job->result->was_sent)
        strlcpy(job->result->sent.id, job->id, UUID_SIZE);
    if (job->result->repeat)
        return STORE_DONE;
    if (job->result->was_sent && !deliver(db, job, &original))
        return STORE_FAULT;
    if (!mark_original(db, job, &original))
        return STORE_FAULT;
    if (job->result->resolved != original.is_resolved &&
        !sqlite_thread_set_resolved(db, original.thread_id, job->result->resolved))
        return STORE_FAULT;
    return STORE_DONE;
}

static void reply_reset(void *arg)
{
    store_reply_result_free(((struct reply_job *)arg)->result);
}

enum store_status sqlite_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result)
{
    struct reply_job job = {.caller = caller, .reply = reply, .result = result};
    if (reply->reply_id)
        strlcpy(job.id, reply->reply_id, sizeof job.id);
    else
        uuid_v7(job.id);
    if (reply->content) {
        fingerprint_reply(reply, job.fingerprint);
        if (!reply->is_sealed)
            words_write(reply->content, reply->content_len, &job.words);
    }
    struct write write = {.run = reply_run, .reset = reply_reset, .job = &job, .is_durable = true};
    const enum store_status status = writer_submit(sqlite_store(s)->writer, &write);
    buf_free(&job.words);
    return status;
}
