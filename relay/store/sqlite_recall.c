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
    struct buf match; /* the full-text query */
};

static void match_party(struct buf *match, enum party party, const struct store_caller *caller)
{
    char token[PARTY_TOKEN_SIZE];
    db_party_token(party, caller->namespace_id, caller->agent, token);
    buf_printf(match, "\"%s\"", token);
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

static enum store_status recall_one(struct db *db, struct recall_job *job)
{
    return sqlite_messages_read(db,
        db_query(db, STATEMENT_RECALL_ONE, db_text(job->caller->namespace_id), db_text(job->caller->agent),
            db_text(job->recall->message_id)),
        job->result);
}

static enum store_status recall_run(struct db *db, void *arg)
{
    struct recall_job *job = arg;
    const struct store_recall *recall = job->recall;
    if (recall->message_id)
        return recall_one(db, job);
    const enum statement which = recall->after_seq > 0 ? STATEMENT_RECALL_LATER : STATEMENT_RECALL_NEWEST;
    return sqlite_messages_read(db,
        db_query(db, which, DB_BYTES(job->match.data, job->match.len), db_text(job->caller->namespace_id),
            db_text(job->caller->agent), db_text(recall->from_agent), db_text(recall->thread),
            DB_INT(recall->after_seq), DB_INT(recall->limit)),
        job->result);
}

enum store_status sqlite_recall(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result)
{
    const enum store_status touched = sqlite_touch_for_read(s, caller);
    if (touched != STORE_DONE)
        return touched;
    struct recall_job job = {.caller = caller, .recall = recall, .result = result};
    buf_putc(&job.match, '(');
    match_party(&job.match, PARTY_SENDER, caller);
    buf_puts(&job.match, " OR ");
    match_party(&job.match, PARTY_RECIPIENT, caller);
    buf_putc(&job.match, ')');
    enum store_status status = STORE_DONE;
    if (!recall->query || recall->message_id || match_words(&job.match, recall->query))
        status = readers_run(sqlite_store(s)->readers, recall_run, &job);
    buf_free(&job.match);
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

static enum store_status inbox_run(struct db *db, void *arg)
{
    static const struct {
        enum statement list, count;
    } by_status[] = {
        [MESSAGE_PENDING] = {STATEMENT_INBOX_PENDING, STATEMENT_INBOX_COUNT_PENDING},
        [MESSAGE_READ] = {STATEMENT_INBOX, STATEMENT_INBOX_COUNT},
        [MESSAGE_REPLIED] = {STATEMENT_INBOX, STATEMENT_INBOX_COUNT},
        [MESSAGE_DEFERRED] = {STATEMENT_INBOX_DEFERRED, STATEMENT_INBOX_COUNT_DEFERRED},
    };
    struct inbox_job *job = arg;
    char token[PARTY_TOKEN_SIZE];
    db_party_token(PARTY_RECIPIENT, job->caller->namespace_id, job->caller->agent, token);
    const enum statement list = by_status[job->status].list, count = by_status[job->status].count;
    const struct db_arg args[] = {db_text(token), db_text(job->caller->namespace_id),
        db_text(job->caller->agent), db_text(sqlite_status_name(job->status)), DB_INT(job->limit)};
    if (job->count_only)
        return db_number_args(db, count, job->count, args, LENGTH_OF(args)) ? STORE_DONE : STORE_FAULT;
    const enum store_status status =
        sqlite_messages_read(db, db_query_args(db, list, args, LENGTH_OF(args)), job->result);
    *job->count = (int64_t)job->result->count;
    return status;
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

static enum store_status events_run(struct db *db, void *arg)
{
    struct events_job *job = arg;
    char token[PARTY_TOKEN_SIZE];
    db_party_token(PARTY_RECIPIENT, job->caller->namespace_id, job->caller->agent, token);
    const struct db_arg args[] = {db_text(token), db_text(job->caller->namespace_id),
        db_text(job->caller->agent), DB_INT(job->after_seq), DB_INT(job->limit)};
    if (!db_number_args(db, STATEMENT_EVENTS_NEWEST, job->newest, args, 3))
        return STORE_FAULT;
    return sqlite_messages_read(db, db_query_args(db, STATEMENT_EVENTS, args, LENGTH_OF(args)), job->result);
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
