/* Offering pending messages to their recipient, under a lease. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "sqlite_store.h"

struct offer_job {
    const struct store_caller *caller;
    const struct store_offer *offer;
    struct store_offer_result *result;
    struct looks *looks;
    bool is_left_to_writer; /* the look found something to lease */
};

/* What the recipient's queue holds, for one offer. */
struct queue_scan {
    int64_t
        *seqs; /* what this offer takes: all that its lease holds already, else the oldest that are free */
    size_t count, cap;
    bool is_renewal;
    size_t bytes; /* of what is taken, overhead included */
    bool is_full; /* nothing further is taken */
    int64_t free; /* on offer */
    int64_t in_delivery, next_lease_end_ms;
};

static void scan_take(struct queue_scan *scan, int64_t seq, size_t bytes)
{
    if (scan->count == scan->cap) {
        scan->cap = scan->cap == 0 ? 16 : 2 * scan->cap;
        scan->seqs = xreallocarray(scan->seqs, scan->cap, sizeof *scan->seqs);
    }
    scan->seqs[scan->count++] = seq;
    scan->bytes += bytes;
}

/* One that nobody holds. Order comes before filling up: after the first that does not fit, none is taken. */
static void scan_free(struct queue_scan *scan, const struct store_offer *offer, int64_t seq, size_t bytes)
{
    scan->free++;
    if (scan->is_renewal || scan->is_full)
        return;
    if (scan->count > 0 && (scan->count >= offer->max_messages || scan->bytes + bytes > offer->max_bytes)) {
        scan->is_full = true;
        return;
    }
    scan_take(scan, seq, bytes);
}

/* One that this offer's lease holds: then the offer is that one again, and nothing else. */
static void scan_own(struct queue_scan *scan, int64_t seq, size_t bytes)
{
    if (!scan->is_renewal) {
        scan->is_renewal = true;
        scan->count = 0;
        scan->bytes = 0;
    }
    scan_take(scan, seq, bytes);
}

static bool scan_queue(struct db *db, const struct offer_job *job, struct queue_scan *scan)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_PENDING_SCAN, db_text(job->caller->namespace_id), db_text(job->caller->agent));
    if (!statement)
        return false;
    const char *lease = job->offer->lease;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        const int64_t seq = sqlite3_column_int64(statement, 0), until = sqlite3_column_int64(statement, 1);
        const char *holder = (const char *)sqlite3_column_text(statement, 2);
        const size_t bytes = (size_t)sqlite3_column_int64(statement, 3) + OFFER_OVERHEAD_BYTES;
        if (lease && holder && strcmp(holder, lease) == 0) {
            scan_own(scan, seq, bytes);
        } else if (until <= db->now_ms) {
            scan_free(scan, job->offer, seq, bytes);
        } else {
            scan->in_delivery++;
            if (scan->next_lease_end_ms == 0 || until < scan->next_lease_end_ms)
                scan->next_lease_end_ms = until;
        }
    }
    return step == DB_END;
}

/* ---- what is taken ---- */

static int64_t lease_ms(unsigned attempt)
{
    int64_t duration = LEASE_FIRST_MS;
    for (unsigned i = 1; i < attempt && duration < LEASE_MAX_MS; i++)
        duration *= 2;
    return duration < LEASE_MAX_MS ? duration : LEASE_MAX_MS;
}

static bool read_one(struct db *db, int64_t seq, struct store_messages *messages)
{
    return sqlite_messages_read(db, db_query(db, STATEMENT_MESSAGE_BY_SEQ, DB_INT(seq)), messages) ==
           STORE_DONE;
}

static bool lease_one(
    struct db *db, const struct offer_job *job, struct store_message *message, bool is_renewal)
{
    struct message_life life = message_life_of(message);
    if (message_life_apply(&life, is_renewal ? LIFE_RENEW : LIFE_OFFER) != LIFE_MOVES)
        return false; /* the scan only takes what is on offer */
    message->attempt = life.offers;
    message->is_leased = true;
    if (message->offered_ms == 0)
        message->offered_ms = db->now_ms;
    const int64_t until = db->now_ms + lease_ms(message->attempt);
    if (is_renewal)
        return db_run(db, STATEMENT_LEASE_RENEW, DB_INT(message->seq), DB_INT(until));
    return db_run(db, STATEMENT_LEASE_TAKE, DB_INT(message->seq), db_text(job->offer->lease), DB_INT(until),
        DB_INT(db->now_ms));
}

static bool take_all(struct db *db, const struct offer_job *job, const struct queue_scan *scan)
{
    struct store_messages *messages = &job->result->messages;
    for (size_t i = 0; i < scan->count; i++) {
        if (!read_one(db, scan->seqs[i], messages))
            return false;
        struct store_message *message = &messages->items[messages->count - 1];
        if (job->offer->lease && !lease_one(db, job, message, scan->is_renewal))
            return false;
    }
    return true;
}

/* ---- what an inbox shows beside ---- */

static bool read_deferred(struct db *db, const struct offer_job *job, size_t bytes_left)
{
    const struct store_caller *caller = job->caller;
    struct store_messages *deferred = &job->result->deferred;
    if (!db_number(db, STATEMENT_DEFERRED_COUNT, &job->result->deferred_total, db_text(caller->namespace_id),
            db_text(caller->agent)))
        return false;
    sqlite3_stmt *statement = db_query(db, STATEMENT_DEFERRED_LIST, db_text(caller->namespace_id),
        db_text(caller->agent), DB_INT(job->offer->max_messages));
    if (sqlite_messages_read(db, statement, deferred) != STORE_DONE)
        return false;
    size_t kept = 0;
    for (size_t used = 0; kept < deferred->count; kept++) {
        used += deferred->items[kept].content_len + OFFER_OVERHEAD_BYTES;
        if (kept > 0 && used > bytes_left)
            break;
    }
    struct store_messages rest = {.count = deferred->count - kept};
    if (rest.count > 0) {
        rest.items = xreallocarray(NULL, rest.count, sizeof *rest.items);
        memcpy(rest.items, deferred->items + kept, rest.count * sizeof *rest.items);
        store_messages_free(&rest);
        deferred->count = kept;
    }
    return true;
}

static bool read_agents(struct db *db, const struct offer_job *job)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_AGENTS_OF_NAMESPACE, db_text(job->caller->namespace_id), DB_INT(db->now_ms),
            db_text(job->caller->agent), DB_INT(job->offer->all_agents), DB_INT(job->offer->active_since_ms));
    if (!statement)
        return false;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW)
        sqlite_agent_read(statement, &job->result->agents);
    return step == DB_END;
}

/* ---- the operation ---- */

static bool note_look(struct db *db, const struct offer_job *job)
{
    int64_t newest = 0;
    if (!job->offer->lease)
        return true;
    if (!db_number_args(db, STATEMENT_NEWEST_SEQ, &newest, NULL, 0))
        return false;
    looks_put(job->looks, job->caller->namespace_id, job->caller->agent, db->now_ms, newest);
    return true;
}

static bool fill_result(struct db *db, const struct offer_job *job, const struct queue_scan *scan)
{
    struct store_offer_result *result = job->result;
    result->more = scan->is_renewal ? scan->free : scan->free - (int64_t)scan->count;
    result->in_delivery = scan->in_delivery;
    result->next_lease_end_ms = scan->next_lease_end_ms;
    if (!take_all(db, job, scan) || !note_look(db, job))
        return false;
    if (!job->offer->with_context)
        return true;
    const size_t left = scan->bytes < job->offer->max_bytes ? job->offer->max_bytes - scan->bytes : 0;
    return read_deferred(db, job, left) && read_agents(db, job);
}

static enum store_status offer_run(struct db *db, void *arg)
{
    struct offer_job *job = arg;
    struct queue_scan scan = {0};
    const bool done =
        sqlite_apply_caller(db, job->caller) && scan_queue(db, job, &scan) && fill_result(db, job, &scan);
    free(scan.seqs);
    return done ? STORE_DONE : STORE_FAULT;
}

/* Most offers find nothing, and a peek takes nothing: neither needs the writer. */
static enum store_status look_run(struct db *db, void *arg)
{
    struct offer_job *job = arg;
    struct queue_scan scan = {0};
    bool done = scan_queue(db, job, &scan);
    job->is_left_to_writer = done && job->offer->lease && scan.count > 0;
    if (done && !job->is_left_to_writer)
        done = fill_result(db, job, &scan);
    free(scan.seqs);
    return done ? STORE_DONE : STORE_FAULT;
}

static void offer_reset(void *arg)
{
    store_offer_result_free(((struct offer_job *)arg)->result);
}

enum store_status sqlite_offer(struct store *s, const struct store_caller *caller,
    const struct store_offer *offer, struct store_offer_result *result)
{
    struct sqlite_store *store = sqlite_store(s);
    struct offer_job job = {
        .caller = caller, .offer = offer, .result = result, .looks = store->looks, .is_left_to_writer = true};
    if (!sqlite_caller_writes(caller)) {
        const enum store_status status = readers_run(store->readers, look_run, &job);
        if (status != STORE_DONE || !job.is_left_to_writer)
            return status;
    }
    struct write write = {.run = offer_run, .reset = offer_reset, .job = &job};
    return writer_submit(store->writer, &write);
}
