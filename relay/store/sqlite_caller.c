/* What rides along with every call: acknowledgements and presence. And the calls that are nothing else. */
#include "sqlite_store.h"

bool sqlite_caller_writes(const struct store_caller *caller)
{
    return caller->acks_count > 0 || caller->presence;
}

static bool apply_acks(struct db *db, const struct store_caller *caller, const char *const *ids, size_t count)
{
    const size_t namespaces = store_caller_namespaces(caller);
    for (size_t i = 0; i < count * namespaces; i++) {
        if (!db_run(db, STATEMENT_ACK, db_text(store_caller_namespace(caller, i % namespaces)),
                db_text(caller->agent), db_text(ids[i / namespaces]), DB_INT(db->now_ms)))
            return false;
    }
    return true;
}

static bool apply_presence(struct db *db, const struct store_caller *caller, const struct store_presence *p)
{
    for (size_t i = 0; i < store_caller_namespaces(caller); i++) {
        if (!db_run(db, STATEMENT_PRESENCE, db_text(store_caller_namespace(caller, i)),
                db_text(caller->agent), DB_INT(db->now_ms), db_text(p->display_name),
                db_text(p->machine_name), db_text(p->client_type), db_text(p->platform),
                db_text(p->user_agent), db_text(p->request_host)))
            return false;
    }
    return true;
}

bool sqlite_apply_caller(struct db *db, const struct store_caller *caller)
{
    return apply_acks(db, caller, caller->acks, caller->acks_count) &&
           (!caller->presence || apply_presence(db, caller, caller->presence));
}

static enum store_status touch_run(struct db *db, void *arg)
{
    return sqlite_apply_caller(db, arg) ? STORE_DONE : STORE_FAULT;
}

enum store_status sqlite_touch(struct store *s, const struct store_caller *caller)
{
    if (!sqlite_caller_writes(caller))
        return STORE_DONE;
    struct store_caller job = *caller;
    struct write write = {.run = touch_run, .job = &job};
    return writer_submit(sqlite_store(s)->writer, &write);
}

enum store_status sqlite_touch_for_read(struct store *s, const struct store_caller *caller)
{
    const enum store_status status = sqlite_touch(s, caller);
    return caller->acks_count > 0 ? status : STORE_DONE;
}

struct ack_job {
    const struct store_caller *caller;
    const char *lease;
    const char *const *ids;
    size_t ids_count;
    enum store_release release;
    int64_t released;
};

static enum store_status ack_run(struct db *db, void *arg)
{
    struct ack_job *job = arg;
    if (!sqlite_apply_caller(db, job->caller) || !apply_acks(db, job->caller, job->ids, job->ids_count))
        return STORE_FAULT;
    if (!job->lease)
        return STORE_DONE;
    const enum statement which = job->release == RELEASE_LOST ? STATEMENT_LEASE_END : STATEMENT_LEASE_RELEASE;
    job->released = 0;
    for (size_t i = 0; i < store_caller_namespaces(job->caller); i++) {
        if (!db_run(db, which, db_text(store_caller_namespace(job->caller, i)), db_text(job->caller->agent),
                db_text(job->lease)))
            return STORE_FAULT;
        job->released += db_changes(db);
    }
    return STORE_DONE;
}

enum store_status sqlite_ack(struct store *s, const struct store_caller *caller, const char *lease,
    const char *const *ids, size_t ids_count, enum store_release release, int64_t *released)
{
    struct ack_job job = {.caller = caller,
        .lease = release == RELEASE_NONE ? NULL : lease,
        .ids = ids,
        .ids_count = ids_count,
        .release = release};
    if (!job.lease && ids_count == 0 && !sqlite_caller_writes(caller))
        return STORE_DONE;
    struct write write = {.run = ack_run, .job = &job};
    const enum store_status status = writer_submit(sqlite_store(s)->writer, &write);
    *released = job.released;
    return status;
}
