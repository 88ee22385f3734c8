#include "sqlite_recipient.h"

#include <string.h>

#include "../../common/alloc.h"
#include "../../common/ident.h"
#include "store_ops.h"

bool sqlite_recipient_find(
    struct db *db, const char *namespace_id, const char *agent, struct recipient *recipient)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_AGENT_LOOK_UP, db_text(namespace_id), db_text(agent), DB_INT(db->now_ms));
    if (!statement || db_next(db, statement) != DB_ROW)
        return false;
    recipient->exists = sqlite3_column_int(statement, 0) != 0 && strcmp(agent, RELAY_AGENT) != 0;
    recipient->last_seen_ms = sqlite3_column_int64(statement, 1);
    db_done(statement);
    return true;
}

static bool may_mean(
    const struct store_caller *caller, const struct store_recipient *to, const char *namespace_id)
{
    if (to->namespace_id)
        return strcmp(to->namespace_id, namespace_id) == 0;
    return namespace_id == caller->namespace_id || strcmp(to->agent, caller->agent) != 0;
}

bool sqlite_recipient_mean(
    struct db *db, const struct store_caller *caller, const struct store_recipient *to, struct meant *meant)
{
    *meant = (struct meant){.namespace_id = caller->namespace_id};
    for (size_t i = 0; i < store_caller_namespaces(caller); i++) {
        const char *namespace_id = store_caller_namespace(caller, i);
        struct recipient found;
        if (!may_mean(caller, to, namespace_id))
            continue;
        if (!sqlite_recipient_find(db, namespace_id, to->agent, &found))
            return false;
        if (found.exists && meant->count++ == 0) {
            meant->namespace_id = namespace_id;
            meant->recipient = found;
        }
    }
    return true;
}

static void add_name(char ***names, size_t *count, const char *agent, const char *namespace_id)
{
    *names = xreallocarray(*names, *count + 1, sizeof **names);
    (*names)[(*count)++] = namespace_id ? xasprintf("%s@%s", agent, namespace_id) : xstrdup(agent);
}

static bool read_names(struct db *db, const struct store_caller *caller, const char *namespace_id,
    const char *agent, char ***names, size_t *count)
{
    sqlite3_stmt *statement = db_query(db, STATEMENT_AGENT_NAMES, db_text(namespace_id), DB_INT(db->now_ms));
    if (!statement)
        return false;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        if (!agent || strcmp(name, agent) == 0)
            add_name(names, count, name, caller->also_count > 0 ? namespace_id : NULL);
    }
    return step == DB_END;
}

bool sqlite_recipient_names(
    struct db *db, const struct store_caller *caller, const char *agent, char ***names, size_t *count)
{
    for (size_t i = 0; i < store_caller_namespaces(caller); i++) {
        if (!read_names(db, caller, store_caller_namespace(caller, i), agent, names, count))
            return false;
    }
    return true;
}
