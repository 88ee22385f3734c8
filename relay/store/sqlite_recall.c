/* Reading back: recall and search, one status of the inbox, events. */
#include <string.h>

#include "sqlite_store.h"
#include "words.h"

/* More words of a query than that add nothing. */
enum { QUERY_MAX_WORDS = 64 };

struct recall_job {
    const struct store_caller *caller;
    const struct store_recall *recall;
    struct store_messages *result;
    struct buf words; /* of the full-text query */
};

/* What the caller sent or was sent in that namespace. */
static void match_parties(struct buf *match, const char *namespace_id, const char *agent)
{
    char from[PARTY_TOKEN_SIZE], to[PARTY_TOKEN_SIZE];
    db_party_token(PARTY_SENDER, namespace_id, agent, from);
    db_party_token(PARTY_RECIPIENT, namespace_id, agent, to);
    buf_printf(match, "(\"%s\" OR \"%s\")", from, to);
}

/* Every word in quotes, joined by AND: nothing of what was typed is query syntax. False where there is no
 * word to look for. */
static bool match_words(struct buf *match, const char *query)
{
    struct buf words = {0};
    words_write(query, strlen(query), &words);
    size_t count = 0;
    for (const char *word = buf_text(&words); *word && count < QUERY_MAX_WORDS; count++) {
        const size_t len = strcspn(word, " ");
        buf_puts(match, " AND \"");
        buf_append(match, word, len);
        buf_putc(match, '"');
        word += len + 1;
    }
    buf_free(&words);
    return count > 0;
}

static enum store_status recall_one(struct db *db, struct recall_job *job, const char *namespace_id)
{
    return sqlite_messages_read(db,
        db_query(db, STATEMENT_RECALL_ONE, db_text(namespace_id), db_text(job->caller->agent),
            db_text(job->recall->message_id)),
        job->result);
}

static enum store_status recall_in(struct db *db, struct recall_job *job, const char *namespace_id)
{
    const struct store_recall *recall = job->recall;
    if (recall->message_id)
        return recall_one(db, job, namespace_id);
    const enum statement which = recall->after_seq > 0 ? STATEMENT_RECALL_LATER : STATEMENT_RECALL_NEWEST;
    struct buf match = {0};
    match_parties(&match, namespace_id, job->caller->agent);
    buf_append(&match, job->words.data, job->words.len);
    const enum store_status status = sqlite_messages_read(db,
        db_query(db, which, DB_BYTES(match.data, match.len), db_text(namespace_id),
            db_text(job->caller->agent), db_text(recall->from_agent), db_text(recall->thread),
            DB_INT(recall->after_seq), DB_INT(recall->limit)),
        job->result);
    buf_free(&match);
    return status;
}

static enum store_status recall_run(struct db *db, void *arg)
{
    struct recall_job *job = arg;
    const struct store_recall *recall = job->recall;
    for (size_t i = 0; i < store_caller_namespaces(job->caller); i++) {
        const char *namespace_id = store_caller_namespace(job->caller, i);
        if (recall->namespace_id && strcmp(recall->namespace_id, namespace_id) != 0)
            continue;
        if (recall_in(db, job, namespace_id) != STORE_DONE)
            return STORE_FAULT;
    }
    sqlite_messages_merge(job->caller, job->result, recall->after_seq == 0, recall->limit);
    return STORE_DONE;
}

enum store_status sqlite_recall(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result)
{
    const enum store_status touched = sqlite_touch_for_read(s, caller);
    if (touched != STORE_DONE)
        return touched;
    struct recall_job job = {.caller = caller, .recall = recall, .result = result};
    enum store_status status = STORE_DONE;
    if (!recall->query || recall->message_id || match_words(&job.words, recall->query))
        status = readers_run(sqlite_store(s)->readers, recall_run, &job);
    buf_free(&job.words);
    return status;
}

/* ---- one status of the inbox ---- */

struct inbox_job {
    const struct store_caller *caller;
    enum message_status status;
    size_t limit;
    bool count_only;
    struct store_messages *result;
    int64_t *count;
};

static enum store_status inbox_in(struct db *db, struct inbox_job *job, const char *namespace_id)
{
    static const struct {
        enum statement list, count;
    } by_status[] = {
        [MESSAGE_PENDING] = {STATEMENT_INBOX_PENDING, STATEMENT_INBOX_COUNT_PENDING},
        [MESSAGE_READ] = {STATEMENT_INBOX, STATEMENT_INBOX_COUNT},
        [MESSAGE_REPLIED] = {STATEMENT_INBOX, STATEMENT_INBOX_COUNT},
        [MESSAGE_DEFERRED] = {STATEMENT_INBOX_DEFERRED, STATEMENT_INBOX_COUNT_DEFERRED},
    };
    char token[PARTY_TOKEN_SIZE];
    db_party_token(PARTY_RECIPIENT, namespace_id, job->caller->agent, token);
    const enum statement list = by_status[job->status].list, count = by_status[job->status].count;
    const struct db_arg args[] = {db_text(token), db_text(namespace_id), db_text(job->caller->agent),
        db_text(sqlite_status_name(job->status)), DB_INT(job->limit)};
    if (!job->count_only)
        return sqlite_messages_read(db, db_query_args(db, list, args, LENGTH_OF(args)), job->result);
    int64_t found = 0;
    if (!db_number_args(db, count, &found, args, LENGTH_OF(args)))
        return STORE_FAULT;
    *job->count += found;
    return STORE_DONE;
}

static enum store_status inbox_run(struct db *db, void *arg)
{
    struct inbox_job *job = arg;
    for (size_t i = 0; i < store_caller_namespaces(job->caller); i++) {
        if (inbox_in(db, job, store_caller_namespace(job->caller, i)) != STORE_DONE)
            return STORE_FAULT;
    }
    sqlite_messages_merge(job->caller, job->result, true, job->limit);
    if (!job->count_only)
        *job->count = (int64_t)job->result->count;
    else if (*job->count > (int64_t)job->limit)
        *job->count = (int64_t)job->limit;
    return STORE_DONE;
}

enum store_status sqlite_inbox(struct store *s, const struct store_caller *caller, enum message_status status,
    size_t limit, bool count_only, struct store_messages *result, int64_t *count)
{
    const enum store_status touched = sqlite_touch_for_read(s, caller);
    if (touched != STORE_DONE)
        return touched;
    struct inbox_job job = {caller, status, limit, count_only, result, count};
    return readers_run(sqlite_store(s)->readers, inbox_run, &job);
}

/* ---- events ---- */

struct events_job {
    const struct store_caller *caller;
    int64_t after_seq;
    size_t limit;
    struct store_messages *result;
    int64_t *newest;
};

static enum store_status events_in(struct db *db, struct events_job *job, const char *namespace_id)
{
    char token[PARTY_TOKEN_SIZE];
    db_party_token(PARTY_RECIPIENT, namespace_id, job->caller->agent, token);
    const struct db_arg args[] = {db_text(token), db_text(namespace_id), db_text(job->caller->agent),
        DB_INT(job->after_seq), DB_INT(job->limit)};
    int64_t newest = 0;
    if (!db_number_args(db, STATEMENT_EVENTS_NEWEST, &newest, args, 3))
        return STORE_FAULT;
    if (newest > *job->newest)
        *job->newest = newest;
    return sqlite_messages_read(db, db_query_args(db, STATEMENT_EVENTS, args, LENGTH_OF(args)), job->result);
}

static enum store_status events_run(struct db *db, void *arg)
{
    struct events_job *job = arg;
    for (size_t i = 0; i < store_caller_namespaces(job->caller); i++) {
        if (events_in(db, job, store_caller_namespace(job->caller, i)) != STORE_DONE)
            return STORE_FAULT;
    }
    sqlite_messages_merge(job->caller, job->result, false, job->limit);
    return STORE_DONE;
}

enum store_status sqlite_events(struct store *s, const struct store_caller *caller, int64_t after_seq,
    size_t limit, struct store_messages *result, int64_t *newest)
{
    const enum store_status touched = sqlite_touch_for_read(s, caller);
    if (touched != STORE_DONE)
        return touched;
    struct events_job job = {caller, after_seq, limit, result, newest};
    return readers_run(sqlite_store(s)->readers, events_run, &job);
}
