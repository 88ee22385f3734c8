/* Sending. */
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "sqlite_recipient.h"
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

/* As agent@namespace where that is not the caller's own. */
static enum store_status refuse_for(
    struct send_job *job, enum store_refusal refusal, const char *agent, const char *namespace_id)
{
    const bool is_elsewhere = namespace_id && strcmp(namespace_id, job->caller->namespace_id) != 0;
    char *address = is_elsewhere ? xasprintf("%s@%s", agent, namespace_id) : xstrdup(agent);
    const enum store_status status = refuse(job, refusal, address);
    free(address);
    return status;
}

static enum store_status refuse_recipient(
    struct db *db, struct send_job *job, const struct store_recipient *to, const struct meant *meant)
{
    struct store_send_result *result = job->result;
    const bool is_ambiguous = meant->count > 1;
    if (!sqlite_recipient_names(
            db, job->caller, is_ambiguous ? to->agent : NULL, &result->names, &result->names_count))
        return STORE_FAULT;
    return refuse_for(
        job, is_ambiguous ? REFUSAL_AMBIGUOUS : REFUSAL_UNKNOWN_RECIPIENT, to->agent, to->namespace_id);
}

static bool is_named_already(
    const struct store_send_result *result, const char *agent, const char *namespace_id)
{
    for (size_t i = 0; i < result->sent_count; i++) {
        if (strcmp(result->sent[i].to, agent) == 0 && strcmp(result->sent[i].namespace_id, namespace_id) == 0)
            return true;
    }
    return false;
}

/* The recipient of that index is to get a message, or got it. */
static void add_sent(struct send_job *job, size_t index, const char *namespace_id, int64_t last_seen_ms)
{
    const char *agent = job->send->recipients[index].agent;
    if (is_named_already(job->result, agent, namespace_id))
        return;
    struct store_sent *sent = &job->result->sent[job->result->sent_count++];
    fingerprint_row_id(job->caller, job->send, job->id, index, sent->id);
    sent->namespace_id = xstrdup(namespace_id);
    sent->to = xstrdup(agent);
    sent->last_seen_ms = last_seen_ms;
}

/* Where the message of a repeat lies, for a caller of several namespaces: who is there may have changed
 * since. *namespace_id is to be freed; NULL: there is none, its recipient was named twice. */
static bool find_stored(struct db *db, const struct send_job *job, size_t index, char **namespace_id)
{
    char id[UUID_SIZE];
    fingerprint_row_id(job->caller, job->send, job->id, index, id);
    sqlite3_stmt *statement = db_query(db, STATEMENT_ID_OWNER, db_text(id));
    if (!statement)
        return false;
    const enum db_step step = db_next(db, statement);
    *namespace_id = step == DB_ROW ? db_column_text(statement, 0) : NULL;
    db_done(statement);
    return step != DB_FAULT;
}

static enum store_status find_again(struct db *db, struct send_job *job, size_t index)
{
    char *namespace_id = NULL;
    struct recipient recipient;
    if (job->caller->also_count == 0)
        namespace_id = xstrdup(job->caller->namespace_id);
    else if (!find_stored(db, job, index, &namespace_id))
        return STORE_FAULT;
    if (!namespace_id)
        return STORE_DONE;
    const bool found =
        sqlite_recipient_find(db, namespace_id, job->send->recipients[index].agent, &recipient);
    if (found)
        add_sent(job, index, namespace_id, recipient.last_seen_ms);
    free(namespace_id);
    return found ? STORE_DONE : STORE_FAULT;
}

static enum store_status find_recipient(struct db *db, struct send_job *job, size_t index)
{
    const struct store_recipient *to = &job->send->recipients[index];
    struct meant meant;
    if (!sqlite_recipient_mean(db, job->caller, to, &meant))
        return STORE_FAULT;
    if (meant.count != 1)
        return refuse_recipient(db, job, to, &meant);
    add_sent(job, index, meant.namespace_id, meant.recipient.last_seen_ms);
    return STORE_DONE;
}

/* STORE_DONE: every recipient exists; result->sent is filled for each. */
static enum store_status find_recipients(struct db *db, struct send_job *job)
{
    enum store_status status = STORE_DONE;
    job->result->sent = xcalloc(job->send->recipients_count, sizeof *job->result->sent);
    for (size_t i = 0; status == STORE_DONE && i < job->send->recipients_count; i++)
        status = job->result->repeat ? find_again(db, job, i) : find_recipient(db, job, i);
    return status;
}

/* What the gate counts in one namespace, added to the result. */
static bool look_at_gate(struct db *db, struct send_job *job, const char *namespace_id)
{
    const char *agent = job->caller->agent;
    const struct look look = looks_get(job->looks, namespace_id, agent);
    const struct db_arg args[] = {db_text(namespace_id), db_text(agent), DB_INT(db->now_ms), DB_INT(look.seq),
        DB_INT(look.at_ms + GATE_GRACE_MS), DB_INT(GATE_PREVIEW_MAX)};
    int64_t count = 0;
    if (!db_number_args(db, STATEMENT_GATE_COUNT, &count, args, LENGTH_OF(args) - 1))
        return false;
    job->result->unread_total += count;
    return count == 0 ||
           sqlite_messages_read(db, db_query_args(db, STATEMENT_GATE_PREVIEW, args, LENGTH_OF(args)),
               &job->result->unread) == STORE_DONE;
}

/* The gate counts what nobody is delivering and the caller had the time to see. Notices are deferred, so
 * never pending. */
static enum store_status pass_gate(struct db *db, struct send_job *job)
{
    for (size_t i = 0; !job->send->ungated && i < store_caller_namespaces(job->caller); i++) {
        if (!look_at_gate(db, job, store_caller_namespace(job->caller, i)))
            return STORE_FAULT;
    }
    if (job->result->unread_total == 0)
        return STORE_DONE;
    sqlite_messages_merge(job->caller, &job->result->unread, false, GATE_PREVIEW_MAX);
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
            return refuse_for(job, REFUSAL_QUEUE_FULL, sent->to, sent->namespace_id);
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
        .is_sealed = send->is_sealed,
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
    if (!send->is_sealed)
        words_write(send->content, send->content_len, &job.words);
    struct write write = {.run = send_run, .reset = send_reset, .job = &job, .is_durable = !send->only_ask};
    const enum store_status status = writer_submit(sqlite_store(s)->writer, &write);
    if (status == STORE_REFUSED)
        drop_sent(result);
    buf_free(&job.words);
    return status;
}
