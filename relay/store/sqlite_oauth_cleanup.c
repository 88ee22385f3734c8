/* Housekeeping of what logging in leaves behind: in steps, so that none holds up the others for long. */
#include "../../common/clock.h"
#include "sqlite_oauth.h"

enum { STEP_ROWS = 200 };

struct cleanup {
    struct sqlite_store *store;
    struct store_oauth_cleanup *result;
    int64_t now_ms, unused_ms; /* a client that was registered at or before this and never used goes */
};

/* One kind of rows: ?1 the time, ?2 how many at most. In this order, that nothing is counted twice: a grant
 * takes its tokens along. */
static const struct kind {
    enum statement count, remove;
    bool is_client;
    size_t total; /* where in struct store_oauth_cleanup */
} kinds[] = {
    {STATEMENT_ACCESS_COUNT, STATEMENT_ACCESS_DELETE, false, offsetof(struct store_oauth_cleanup, tokens)},
    {STATEMENT_REFRESH_COUNT, STATEMENT_REFRESH_DELETE, false, offsetof(struct store_oauth_cleanup, tokens)},
    {STATEMENT_GRANTS_COUNT, STATEMENT_GRANTS_DELETE, false, offsetof(struct store_oauth_cleanup, grants)},
    {STATEMENT_AUTH_CODES_COUNT, STATEMENT_AUTH_CODES_DELETE, false,
        offsetof(struct store_oauth_cleanup, codes)},
    {STATEMENT_CODES_COUNT, STATEMENT_CODES_DELETE, false, offsetof(struct store_oauth_cleanup, codes)},
    {STATEMENT_DEVICES_COUNT, STATEMENT_DEVICES_DELETE, false, offsetof(struct store_oauth_cleanup, codes)},
    {STATEMENT_CLIENTS_COUNT, STATEMENT_CLIENTS_DELETE, true, offsetof(struct store_oauth_cleanup, clients)},
};

static int64_t *total_of(const struct cleanup *cleanup, const struct kind *kind)
{
    return (int64_t *)(void *)((char *)cleanup->result + kind->total);
}

static int64_t time_of(const struct cleanup *cleanup, const struct kind *kind)
{
    return kind->is_client ? cleanup->unused_ms : cleanup->now_ms;
}

static enum store_status count_run(struct db *db, void *arg)
{
    struct cleanup *cleanup = arg;
    for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
        int64_t count = 0;
        if (!db_number(db, kinds[i].count, &count, DB_INT(time_of(cleanup, &kinds[i]))))
            return STORE_FAULT;
        *total_of(cleanup, &kinds[i]) += count;
    }
    return STORE_DONE;
}

struct step_job {
    const struct cleanup *cleanup;
    const struct kind *kind;
    int64_t removed;
};

static enum store_status step_run(struct db *db, void *arg)
{
    struct step_job *job = arg;
    if (!db_run(db, job->kind->remove, DB_INT(time_of(job->cleanup, job->kind)), DB_INT(STEP_ROWS)))
        return STORE_FAULT;
    job->removed = db_changes(db);
    return STORE_DONE;
}

static enum store_status remove_kind(const struct cleanup *cleanup, const struct kind *kind)
{
    struct step_job job = {.cleanup = cleanup, .kind = kind, .removed = STEP_ROWS};
    while (job.removed == STEP_ROWS) {
        struct write write = {.run = step_run, .job = &job, .is_durable = true};
        const enum store_status status = writer_submit(cleanup->store->writer, &write);
        if (status != STORE_DONE)
            return status;
        *total_of(cleanup, kind) += job.removed;
    }
    return STORE_DONE;
}

enum store_status sqlite_oauth_cleanup(
    struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result)
{
    const int64_t now_ms = clock_wall_ms();
    struct cleanup cleanup = {sqlite_store(s), result, now_ms, now_ms - max_age_ms};
    if (dry_run)
        return readers_run(cleanup.store->readers, count_run, &cleanup);
    enum store_status status = STORE_DONE;
    for (size_t i = 0; status == STORE_DONE && i < LENGTH_OF(kinds); i++)
        status = remove_kind(&cleanup, &kinds[i]);
    return status;
}
