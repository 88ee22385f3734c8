/* Taking back what was sent. */
#include "sqlite_store.h"

struct unsend_job {
    const struct store_caller *caller;
    const char *message_id;
    enum store_refusal *refusal;
};

/* How many messages are of that send, and of how many it is too late. */
struct unsend_look {
    size_t found, late;
};

static bool look_in(
    struct db *db, const struct unsend_job *job, const char *namespace_id, struct unsend_look *look)
{
    sqlite3_stmt *statement = db_query(db, STATEMENT_UNSEND_LOOK, db_text(namespace_id),
        db_text(job->caller->agent), db_text(job->message_id));
    if (!statement)
        return false;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        struct message_life life = sqlite_life_read(db, statement);
        const enum life_verdict verdict = message_life_apply(&life, LIFE_UNSEND);
        look->found += verdict != LIFE_ABSENT;
        look->late += verdict == LIFE_REFUSED;
    }
    return step == DB_END;
}

static enum store_status unsend_run(struct db *db, void *arg)
{
    struct unsend_job *job = arg;
    const struct store_caller *caller = job->caller;
    struct unsend_look look = {0};
    if (!sqlite_apply_caller(db, caller))
        return STORE_FAULT;
    for (size_t i = 0; i < store_caller_namespaces(caller); i++) {
        if (!look_in(db, job, store_caller_namespace(caller, i), &look))
            return STORE_FAULT;
    }
    if (look.found == 0)
        return STORE_ABSENT;
    if (look.late > 0) {
        *job->refusal = REFUSAL_ALREADY_OFFERED;
        return STORE_REFUSED;
    }
    for (size_t i = 0; i < store_caller_namespaces(caller); i++) {
        if (!db_run(db, STATEMENT_UNSEND, db_text(store_caller_namespace(caller, i)), db_text(caller->agent),
                db_text(job->message_id), DB_INT(db->now_ms)))
            return STORE_FAULT;
    }
    return STORE_DONE;
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
