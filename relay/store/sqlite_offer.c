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

/* One pending message, as the scan sees it. */
struct candidate {
    int64_t seq, until;
    size_t bytes; /* overhead included */
    bool is_own;  /* of the offer's lease */
};

struct candidates {
    struct candidate *items;
    size_t count;
};

static void scan_candidate(
    struct queue_scan *scan, const struct store_offer *offer, int64_t now_ms, const struct candidate *c)
{
    if (c->is_own) {
        scan_own(scan, c->seq, c->bytes);
    } else if (c->until <= now_ms) {
        scan_free(scan, offer, c->seq, c->bytes);
    } else {
        scan->in_delivery++;
        if (scan->next_lease_end_ms == 0 || c->until < scan->next_lease_end_ms)
            scan->next_lease_end_ms = c->until;
    }
}

static int older_first(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static void keep_candidate(struct candidates *kept, const struct candidate *c)
{
    if ((kept->count & (kept->count - 1)) == 0) /* room is for a power of two */
        kept->items = xreallocarray(kept->items, kept->count == 0 ? 1 : 2 * kept->count, sizeof *kept->items);
    kept->items[kept->count++] = *c;
}

/* Scans what waits in one namespace, or keeps it to be sorted (kept NULL: scans). */
static bool scan_namespace(struct db *db, const struct offer_job *job, const char *namespace_id,
    struct queue_scan *scan, struct candidates *kept)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_PENDING_SCAN, db_text(namespace_id), db_text(job->caller->agent));
    if (!statement)
        return false;
    const char *lease = job->offer->lease;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        const char *holder = (const char *)sqlite3_column_text(statement, 2);
        const struct candidate candidate = {
            .seq = sqlite3_column_int64(statement, 0),
            .until = sqlite3_column_int64(statement, 1),
            .bytes = (size_t)sqlite3_column_int64(statement, 3) + OFFER_OVERHEAD_BYTES,
            .is_own = lease && holder && strcmp(holder, lease) == 0,
        };
        if (kept)
            keep_candidate(kept, &candidate);
        else
            scan_candidate(scan, job->offer, db->now_ms, &candidate);
    }
    return step == DB_END;
}

/* One queue comes in order; several are put in order first. */
static bool scan_queue(struct db *db, const struct offer_job *job, struct queue_scan *scan)
{
    const struct store_caller *caller = job->caller;
    if (caller->also_count == 0)
        return scan_namespace(db, job, caller->namespace_id, scan, NULL);
    struct candidates kept = {0};
    bool done = true;
    for (size_t i = 0; done && i < store_caller_namespaces(caller); i++)
        done = scan_namespace(db, job, store_caller_namespace(caller, i), scan, &kept);
    if (kept.count > 0)
        qsort(kept.items, kept.count, sizeof *kept.items, older_first);
    for (size_t i = 0; done && i < kept.count; i++)
        scan_candidate(scan, job->offer, db->now_ms, &kept.items[i]);
    free(kept.items);
    return done;
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

static bool read_deferred_in(struct db *db, const struct offer_job *job, const char *namespace_id)
{
    const char *agent = job->caller->agent;
    int64_t count = 0;
    if (!db_number(db, STATEMENT_DEFERRED_COUNT, &count, db_text(namespace_id), db_text(agent)))
        return false;
    job->result->deferred_total += count;
    sqlite3_stmt *statement = db_query(
        db, STATEMENT_DEFERRED_LIST, db_text(namespace_id), db_text(agent), DB_INT(job->offer->max_messages));
    return sqlite_messages_read(db, statement, &job->result->deferred) == STORE_DONE;
}

/* How many of them fit: at least one. */
static size_t count_fitting(const struct store_messages *messages, size_t bytes)
{
    size_t kept = 0;
    for (size_t used = 0; kept < messages->count; kept++) {
        used += messages->items[kept].content_len + OFFER_OVERHEAD_BYTES;
        if (kept > 0 && used > bytes)
            break;
    }
    return kept;
}

static bool read_deferred(struct db *db, const struct offer_job *job, size_t bytes_left)
{
    struct store_messages *deferred = &job->result->deferred;
    for (size_t i = 0; i < store_caller_namespaces(job->caller); i++) {
        if (!read_deferred_in(db, job, store_caller_namespace(job->caller, i)))
            return false;
    }
    sqlite_messages_merge(job->caller, deferred, false, job->offer->max_messages);
    store_messages_cut(deferred, count_fitting(deferred, bytes_left));
    return true;
}

static bool read_agents_in(struct db *db, const struct offer_job *job, const char *namespace_id)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_AGENTS_OF_NAMESPACE, db_text(namespace_id), DB_INT(db->now_ms),
            db_text(job->caller->agent), DB_INT(job->offer->all_agents), DB_INT(job->offer->active_since_ms));
    if (!statement)
        return false;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW)
        sqlite_agent_read(statement, &job->result->agents);
    return step == DB_END;
}

static int last_seen_first(const void *left, const void *right)
{
    const struct store_agent *a = left, *b = right;
    if (a->last_seen_ms != b->last_seen_ms)
        return a->last_seen_ms > b->last_seen_ms ? -1 : 1;
    const int order = strcmp(a->agent, b->agent);
    return order != 0 ? order : strcmp(a->namespace_id, b->namespace_id);
}

static bool read_agents(struct db *db, const struct offer_job *job)
{
    struct store_agents *agents = &job->result->agents;
    for (size_t i = 0; i < store_caller_namespaces(job->caller); i++) {
        if (!read_agents_in(db, job, store_caller_namespace(job->caller, i)))
            return false;
    }
    if (job->caller->also_count > 0 && agents->count > 0)
        qsort(agents->items, agents->count, sizeof *agents->items, last_seen_first);
    return true;
}

/* ---- the operation ---- */

static bool note_look(struct db *db, const struct offer_job *job)
{
    int64_t newest = 0;
    if (!job->offer->lease)
        return true;
    if (!db_number_args(db, STATEMENT_NEWEST_SEQ, &newest, NULL, 0))
        return false;
    for (size_t i = 0; i < store_caller_namespaces(job->caller); i++)
        looks_put(job->looks, store_caller_namespace(job->caller, i), job->caller->agent, db->now_ms, newest);
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
