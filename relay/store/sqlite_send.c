/* Sending, and taking back. */
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "sqlite_store.h"
#include "sqlite_thread.h"
#include "words.h"

struct send_job {
    const struct store_caller *caller;
    const struct store_send *send;
    struct store_send_result *result;
    struct looks *looks;
    char id[UUID_SIZE]; /* the send's */
    bool has_given_id;  /* by the caller, so it may be a repeat */
    uint8_t fingerprint[FINGERPRINT_SIZE];
    struct buf words;
};

static enum store_status refuse(struct send_job *job, enum store_refusal refusal, const char *recipient)
{
    job->result->refusal = refusal;
    job->result->refused_to = xstrdup_or_null(recipient);
    return STORE_REFUSED;
}

static const char *namespace_of(const struct send_job *job, const struct store_recipient *recipient)
{
    return recipient->namespace_id ? recipient->namespace_id : job->caller->namespace_id;
}

static enum store_status refuse_unknown(struct db *db, struct send_job *job, const char *recipient)
{
    struct store_send_result *result = job->result;
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_AGENT_NAMES, db_text(job->caller->namespace_id), DB_INT(db->now_ms));
    if (!statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        result->names = xreallocarray(result->names, result->names_count + 1, sizeof *result->names);
        result->names[result->names_count++] = db_column_text(statement, 0);
    }
    return step == DB_END ? refuse(job, REFUSAL_UNKNOWN_RECIPIENT, recipient) : STORE_FAULT;
}

/* STORE_DONE: every recipient exists; result->sent is filled for each. */
static enum store_status find_recipients(struct db *db, struct send_job *job)
{
    const struct store_send *send = job->send;
    job->result->sent = xcalloc(send->recipients_count, sizeof *job->result->sent);
    for (size_t i = 0; i < send->recipients_count; i++) {
        const struct store_recipient *to = &send->recipients[i];
        const char *namespace_id = namespace_of(job, to);
        struct recipient recipient;
        if (!sqlite_recipient_find(db, namespace_id, to->agent, &recipient))
            return STORE_FAULT;
        if (!recipient.exists && !job->result->repeat)
            return refuse_unknown(db, job, to->agent);
        struct store_sent *sent = &job->result->sent[job->result->sent_count++];
        fingerprint_row_id(job->caller, send, job->id, i, sent->id);
        sent->namespace_id = xstrdup(namespace_id);
        sent->to = xstrdup(to->agent);
        sent->last_seen_ms = recipient.last_seen_ms;
    }
    return STORE_DONE;
}

/* The gate counts what nobody is delivering and the caller had the time to see. Notices are deferred, so
 * never pending. */
static enum store_status pass_gate(struct db *db, struct send_job *job)
{
    if (job->send->ungated)
        return STORE_DONE;
    const struct store_caller *caller = job->caller;
    const struct look look = looks_get(job->looks, caller->namespace_id, caller->agent);
    const struct db_arg args[] = {db_text(caller->namespace_id), db_text(caller->agent), DB_INT(db->now_ms),
        DB_INT(look.seq), DB_INT(look.at_ms + GATE_GRACE_MS), DB_INT(GATE_PREVIEW_MAX)};
    int64_t *total = &job->result->unread_total;
    if (!db_number_args(db, STATEMENT_GATE_COUNT, total, args, LENGTH_OF(args) - 1))
        return STORE_FAULT;
    if (*total == 0)
        return STORE_DONE;
    sqlite3_stmt *preview = db_query_args(db, STATEMENT_GATE_PREVIEW, args, LENGTH_OF(args));
    if (sqlite_messages_read(db, preview, &job->result->unread) != STORE_DONE)
        return STORE_FAULT;
    return refuse(job, REFUSAL_INBOX_GATE, NULL);
}

static enum store_status find_room(struct db *db, struct send_job *job)
{
    for (size_t i = 0; i < job->result->sent_count; i++) {
        const struct store_sent *sent = &job->result->sent[i];
        bool is_full = false;
        if (strcmp(sent->to, job->caller->agent) == 0)
            continue; /* stored deferred, in no queue */
        if (!queue_is_full(db, sent->namespace_id, sent->to, job->send->content_len, &is_full))
            return STORE_FAULT;
        if (is_full)
            return refuse(job, REFUSAL_QUEUE_FULL, sent->to);
    }
    return STORE_DONE;
}

/* A caller could have given one of the ids that a group's rows get to something else before. */
static enum store_status find_free_ids(struct db *db, struct send_job *job)
{
    for (size_t i = 0; job->send->recipients_count > 1 && i < job->result->sent_count; i++) {
        const enum id_owner owner =
            sqlite_id_owner(db, job->result->sent[i].id, job->caller, job->fingerprint);
        if (owner != ID_FREE)
            return owner == ID_FAULT ? STORE_FAULT : refuse(job, REFUSAL_ID_TAKEN, NULL);
    }
    return STORE_DONE;
}

static bool deliver_to(struct db *db, struct send_job *job, const struct store_sent *sent)
{
    const struct store_send *send = job->send;
    char thread_id[UUID_SIZE];
    if (send->thread && !sqlite_thread_join(db, sent->namespace_id, job->caller->agent, sent->to,
                            send->thread, sent->id, thread_id))
        return false;
    const struct delivery delivery = {
        .id = sent->id,
        .namespace_id = sent->namespace_id,
        .from = job->caller->agent,
        .to = sent->to,
        .thread_id = send->thread ? thread_id : NULL,
        .group_id = send->recipients_count > 1 ? job->id : NULL,
        .fingerprint = job->fingerprint,
        .content = send->content,
        .content_len = send->content_len,
        .words = &job->words,
    };
    return sqlite_deliver(db, &delivery);
}

static enum store_status send_run(struct db *db, void *arg)
{
    struct send_job *job = arg;
    if (!sqlite_apply_caller(db, job->caller))
        return STORE_FAULT;
    enum id_owner owner = ID_FREE;
    if (job->has_given_id)
        owner = sqlite_id_owner(db, job->id, job->caller, job->fingerprint);
    if (owner == ID_FAULT)
        return STORE_FAULT;
    if (owner == ID_TAKEN)
        return refuse(job, REFUSAL_ID_TAKEN, NULL);
    job->result->repeat = owner == ID_REPEAT;

    enum store_status status = find_recipients(db, job);
    if (status != STORE_DONE || job->result->repeat)
        return status;
    /* All checks come before the first row: a refusal leaves nothing behind. */
    enum store_status (*const checks[])(struct db *, struct send_job *) = {
        find_free_ids, pass_gate, find_room};
    for (size_t i = 0; i < LENGTH_OF(checks); i++) {
        status = checks[i](db, job);
        if (status != STORE_DONE)
            return status;
    }
    for (size_t i = 0; !job->send->only_ask && i < job->result->sent_count; i++) {
        if (!deliver_to(db, job, &job->result->sent[i]))
            return STORE_FAULT;
    }
    return STORE_DONE;
}

static void send_reset(void *arg)
{
    store_send_result_free(((struct send_job *)arg)->result);
}

/* A refused send was sent to nobody. */
static void drop_sent(struct store_send_result *result)
{
    for (size_t i = 0; i < result->sent_count; i++)
        store_sent_free(&result->sent[i]);
    free(result->sent);
    result->sent = NULL;
    result->sent_count = 0;
}

enum store_status sqlite_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result)
{
    struct send_job job = {.caller = caller,
        .send = send,
        .result = result,
        .looks = sqlite_store(s)->looks,
        .has_given_id = send->message_id != NULL};
    if (send->message_id)
        strlcpy(job.id, send->message_id, sizeof job.id);
    else
        uuid_v7(job.id);
    /* Here, on the caller's thread, what needs no database. */
    fingerprint_send(caller, send, job.fingerprint);
    words_write(send->content, send->content_len, &job.words);
    struct write write = {.run = send_run, .reset = send_reset, .job = &job, .is_durable = !send->only_ask};
    const enum store_status status = writer_submit(sqlite_store(s)->writer, &write);
    if (status == STORE_REFUSED)
        drop_sent(result);
    buf_free(&job.words);
    return status;
}

/* ---- unsend ---- */

struct unsend_job {
    const struct store_caller *caller;
    const char *message_id;
    enum store_refusal *refusal;
};

static enum store_status unsend_run(struct db *db, void *arg)
{
    struct unsend_job *job = arg;
    if (!sqlite_apply_caller(db, job->caller))
        return STORE_FAULT;
    const struct db_arg args[] = {db_text(job->caller->namespace_id), db_text(job->caller->agent),
        db_text(job->message_id), DB_INT(db->now_ms)};
    sqlite3_stmt *statement = db_query_args(db, STATEMENT_UNSEND_LOOK, args, LENGTH_OF(args) - 1);
    if (!statement)
        return STORE_FAULT;
    size_t found = 0, seen = 0;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        struct message_life life = sqlite_life_read(db, statement);
        const enum life_verdict verdict = message_life_apply(&life, LIFE_UNSEND);
        found += verdict != LIFE_ABSENT;
        seen += verdict == LIFE_REFUSED;
    }
    if (step == DB_FAULT)
        return STORE_FAULT;
    if (found == 0)
        return STORE_ABSENT;
    if (seen > 0) {
        *job->refusal = REFUSAL_ALREADY_OFFERED;
        return STORE_REFUSED;
    }
    return db_run_args(db, STATEMENT_UNSEND, args, LENGTH_OF(args)) ? STORE_DONE : STORE_FAULT;
}

static void unsend_reset(void *arg)
{
    *((struct unsend_job *)arg)->refusal = REFUSAL_NONE;
}

enum store_status sqlite_unsend(
    struct store *s, const struct store_caller *caller, const char *message_id, enum store_refusal *refusal)
{
    struct unsend_job job = {.caller = caller, .message_id = message_id, .refusal = refusal};
    struct write write = {.run = unsend_run, .reset = unsend_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}
