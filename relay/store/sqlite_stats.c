/* Counts for metrics and for the operator. */
#include "sqlite_store.h"

static bool two_numbers(struct db *db, sqlite3_stmt *statement, int64_t *first, int64_t *second)
{
    if (!statement || db_next(db, statement) != DB_ROW)
        return false;
    *first = sqlite3_column_int64(statement, 0);
    *second = sqlite3_column_int64(statement, 1);
    db_done(statement);
    return true;
}

static bool read_counts(struct db *db, struct store_stats *stats)
{
    int64_t total = 0;
    int64_t *by_status = stats->by_status;
    if (!db_number_args(db, STATEMENT_STATS_TOTAL, &total, NULL, 0) ||
        !db_number_args(db, STATEMENT_STATS_REPLIED, &by_status[MESSAGE_REPLIED], NULL, 0) ||
        !db_number_args(db, STATEMENT_STATS_DEFERRED, &by_status[MESSAGE_DEFERRED], NULL, 0) ||
        !two_numbers(db, db_query(db, STATEMENT_STATS_PENDING, DB_INT(db->now_ms)),
            &by_status[MESSAGE_PENDING], &stats->leased) ||
        !two_numbers(
            db, db_query_args(db, STATEMENT_STATS_TOMBSTONES, NULL, 0), &stats->unsent, &stats->expired) ||
        !two_numbers(
            db, db_query(db, STATEMENT_STATS_OAUTH, DB_INT(db->now_ms)), &stats->clients, &stats->grants) ||
        !db_number(db, STATEMENT_STATS_BANS, &stats->bans, DB_INT(db->now_ms)))
        return false;
    /* What is left over has been read: by far the most, so it is never counted one by one. */
    by_status[MESSAGE_READ] = total - by_status[MESSAGE_PENDING] - by_status[MESSAGE_REPLIED] -
                              by_status[MESSAGE_DEFERRED] - stats->unsent - stats->expired;
    return true;
}

static enum store_status stats_run(struct db *db, void *arg)
{
    struct store_stats *stats = arg;
    sqlite3_stmt *statement = db_query(db, STATEMENT_STATS_AGENTS, DB_INT(db->now_ms));
    if (!read_counts(db, stats) || !statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        struct store_agent *agent = sqlite_agent_read(statement, &stats->agents);
        agent->pending = sqlite3_column_int64(statement, 7);
        agent->deferred = sqlite3_column_int64(statement, 8);
        agent->oldest_pending_ms = sqlite3_column_int64(statement, 9);
        if (agent->oldest_pending_ms != 0 &&
            (stats->oldest_pending_ms == 0 || agent->oldest_pending_ms < stats->oldest_pending_ms))
            stats->oldest_pending_ms = agent->oldest_pending_ms;
    }
    return step == DB_END ? STORE_DONE : STORE_FAULT;
}

enum store_status sqlite_stats(struct store *s, struct store_stats *stats)
{
    return readers_run(sqlite_store(s)->readers, stats_run, stats);
}
