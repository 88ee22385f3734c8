#include "sqlite_thread.h"

#include <bsd/string.h>
#include <string.h>

bool sqlite_thread_set_resolved(struct db *db, const char *thread_id, bool is_resolved)
{
    return db_run(
        db, STATEMENT_THREAD_SET_RESOLVED, db_text(thread_id), DB_TIME(is_resolved ? db->now_ms : 0));
}

bool sqlite_thread_join(struct db *db, const char *namespace_id, const char *one, const char *other,
    const char *slug, const char root_id[static UUID_SIZE], char out[static UUID_SIZE])
{
    const bool in_order = strcmp(one, other) <= 0;
    const char *a = in_order ? one : other, *b = in_order ? other : one;
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_THREAD_FIND, db_text(namespace_id), db_text(a), db_text(b), db_text(slug));
    if (!statement)
        return false;
    const enum db_step step = db_next(db, statement);
    if (step == DB_FAULT)
        return false;
    if (step == DB_END) {
        strlcpy(out, root_id, UUID_SIZE);
        return db_run(db, STATEMENT_THREAD_OPEN, db_text(root_id), db_text(namespace_id), db_text(a),
            db_text(b), db_text(slug), DB_INT(db->now_ms));
    }
    db_column_uuid(statement, 0, out);
    const bool is_resolved = sqlite3_column_int64(statement, 1) != 0;
    db_done(statement);
    return !is_resolved || sqlite_thread_set_resolved(db, out, false);
}
