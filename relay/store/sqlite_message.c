/* Reading rows of messages and agents, and storing one message. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/ident.h"
#include "sqlite_store.h"

/* As MESSAGE_COLUMNS has them. */
enum column {
    COLUMN_ID,
    COLUMN_SEQ,
    COLUMN_NAMESPACE,
    COLUMN_FROM,
    COLUMN_TO,
    COLUMN_REPLY_TO,
    COLUMN_THREAD_ID,
    COLUMN_THREAD,
    COLUMN_THREAD_RESOLVED,
    COLUMN_STATUS,
    COLUMN_LEASE_UNTIL,
    COLUMN_ATTEMPTS,
    COLUMN_SENT,
    COLUMN_OFFERED,
    COLUMN_DELIVERED,
    COLUMN_REPLIED,
    COLUMN_DEFERRED,
    COLUMN_UNSENT,
    COLUMN_EXPIRED,
    COLUMN_ENCRYPTED,
    COLUMN_CONTENT,
};

static enum message_status status_of(const char *name)
{
    for (enum message_status status = MESSAGE_PENDING; status < MESSAGE_DEFERRED; status++) {
        if (name && strcmp(name, message_status_names[status]) == 0)
            return status;
    }
    return MESSAGE_DEFERRED;
}

const char *sqlite_status_name(enum message_status status)
{
    return message_status_names[status];
}

struct message_life sqlite_life_read(struct db *db, sqlite3_stmt *statement)
{
    return message_life_stored(status_of((const char *)sqlite3_column_text(statement, 0)),
        sqlite3_column_int64(statement, 1) > db->now_ms, (unsigned)sqlite3_column_int64(statement, 2),
        sqlite3_column_int64(statement, 3) != 0, sqlite3_column_int64(statement, 4) != 0);
}

void sqlite_message_read(struct db *db, sqlite3_stmt *statement, struct store_messages *messages)
{
    struct store_message *message = store_messages_add(messages);
    db_column_uuid(statement, COLUMN_ID, message->id);
    message->seq = sqlite3_column_int64(statement, COLUMN_SEQ);
    message->namespace_id = db_column_text(statement, COLUMN_NAMESPACE);
    message->from = db_column_text(statement, COLUMN_FROM);
    message->to = db_column_text(statement, COLUMN_TO);
    message->content = db_column_text(statement, COLUMN_CONTENT);
    message->is_sealed = sqlite3_column_int64(statement, COLUMN_ENCRYPTED) != 0;
    message->content_len = (size_t)sqlite3_column_bytes(statement, COLUMN_CONTENT);
    db_column_uuid(statement, COLUMN_REPLY_TO, message->reply_to);
    db_column_uuid(statement, COLUMN_THREAD_ID, message->thread_id);
    message->thread = db_column_text(statement, COLUMN_THREAD);
    message->thread_resolved = sqlite3_column_int64(statement, COLUMN_THREAD_RESOLVED) != 0;
    message->status = status_of((const char *)sqlite3_column_text(statement, COLUMN_STATUS));
    message->is_leased = sqlite3_column_int64(statement, COLUMN_LEASE_UNTIL) > db->now_ms;
    message->attempt = (unsigned)sqlite3_column_int64(statement, COLUMN_ATTEMPTS);
    message->sent_ms = sqlite3_column_int64(statement, COLUMN_SENT);
    message->offered_ms = sqlite3_column_int64(statement, COLUMN_OFFERED);
    message->read_ms = sqlite3_column_int64(statement, COLUMN_DELIVERED);
    message->replied_ms = sqlite3_column_int64(statement, COLUMN_REPLIED);
    message->deferred_ms = sqlite3_column_int64(statement, COLUMN_DEFERRED);
    message->unsent_ms = sqlite3_column_int64(statement, COLUMN_UNSENT);
    message->expired_ms = sqlite3_column_int64(statement, COLUMN_EXPIRED);
}

enum store_status sqlite_messages_read(
    struct db *db, sqlite3_stmt *statement, struct store_messages *messages)
{
    if (!statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW)
        sqlite_message_read(db, statement, messages);
    return step == DB_END ? STORE_DONE : STORE_FAULT;
}

static int older_first(const void *left, const void *right)
{
    const struct store_message *a = left, *b = right;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static int newer_first(const void *left, const void *right)
{
    return older_first(right, left);
}

void sqlite_messages_merge(
    const struct store_caller *caller, struct store_messages *messages, bool newest_first, size_t limit)
{
    if (caller->also_count == 0 || messages->count == 0)
        return;
    qsort(
        messages->items, messages->count, sizeof *messages->items, newest_first ? newer_first : older_first);
    store_messages_cut(messages, limit);
}

struct store_agent *sqlite_agent_read(sqlite3_stmt *statement, struct store_agents *agents)
{
    struct store_agent *agent = store_agents_add(agents);
    agent->namespace_id = db_column_text(statement, 0);
    agent->agent = db_column_text(statement, 1);
    agent->display_name = db_column_text(statement, 2);
    agent->machine_name = db_column_text(statement, 3);
    agent->client_type = db_column_text(statement, 4);
    agent->platform = db_column_text(statement, 5);
    agent->last_seen_ms = sqlite3_column_int64(statement, 6);
    return agent;
}

enum id_owner sqlite_id_owner(struct db *db, const char *id, const struct store_caller *caller,
    const uint8_t fingerprint[static FINGERPRINT_SIZE])
{
    sqlite3_stmt *statement = db_query(db, STATEMENT_ID_OWNER, db_text(id));
    if (!statement)
        return ID_FAULT;
    const enum db_step step = db_next(db, statement);
    if (step != DB_ROW)
        return step == DB_END ? ID_FREE : ID_FAULT;
    const char *namespace_id = (const char *)sqlite3_column_text(statement, 0);
    const char *from = (const char *)sqlite3_column_text(statement, 1);
    const void *hash = sqlite3_column_blob(statement, 2);
    const bool is_repeat = namespace_id && store_caller_is_in(caller, namespace_id) && from &&
                           strcmp(from, caller->agent) == 0 && hash &&
                           sqlite3_column_bytes(statement, 2) == FINGERPRINT_SIZE &&
                           memcmp(hash, fingerprint, FINGERPRINT_SIZE) == 0;
    db_done(statement);
    return is_repeat ? ID_REPEAT : ID_TAKEN;
}

bool sqlite_deliver(struct db *db, const struct delivery *d)
{
    /* What one sends to oneself has been seen, and what the relay says of itself must never hold up a queue.
     */
    const struct message_life life = message_life_begin(strcmp(d->from, d->to) == 0, d->is_notice);
    const bool is_deferred = life.state == LIFE_DEFERRED;
    const bool stored = db_run(db, STATEMENT_MESSAGE_INSERT, db_text(d->id), db_text(d->namespace_id),
        db_text(d->from), db_text(d->to), db_text(sqlite_status_name(message_life_status(life))),
        DB_INT(d->is_notice), DB_INT(db->now_ms), DB_TIME(is_deferred ? db->now_ms : 0), db_text(d->reply_to),
        db_text(d->thread_id), db_text(d->group_id),
        d->fingerprint ? DB_BLOB(d->fingerprint, FINGERPRINT_SIZE) : DB_NULL, DB_INT(d->content_len),
        DB_BYTES(d->content, d->content_len), DB_INT(d->is_sealed));
    if (!is_deferred)
        queue_note_added(db, d->namespace_id, d->to, d->content_len);
    return stored &&
           db_words_add(db, sqlite3_last_insert_rowid(db->handle), d->namespace_id, d->from, d->to, d->words);
}
