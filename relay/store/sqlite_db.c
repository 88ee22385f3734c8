#include "sqlite_db.h"

#include <bsd/string.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/log.h"

/* Long enough for an administrator's command beside a relay under load. */
enum { BUSY_TIMEOUT_MS = 10 * 1000 };

static void log_fault(struct db *db, const char *sql)
{
    log_error("store_fault", LOG_STR("error", sqlite3_errmsg(db->handle)),
        LOG_INT("code", sqlite3_extended_errcode(db->handle)), LOG_STR("statement", sql));
}

bool db_exec(struct db *db, const char *sql)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    log_fault(db, sql);
    return false;
}

bool db_open(struct db *db, const char *path, enum db_access access, struct buf *why)
{
    *db = (struct db){0};
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    if (code == SQLITE_OK)
        code = sqlite3_exec(
            db->handle, "pragma foreign_keys = on; pragma temp_store = memory;", NULL, NULL, NULL);
    /* The keeper checkpoints, not whoever happens to commit the thousandth page. */
    if (code == SQLITE_OK)
        code = sqlite3_wal_autocheckpoint(db->handle, 0);
    if (code == SQLITE_OK && access == DB_READ)
        code = sqlite3_exec(db->handle, "pragma query_only = on", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return true;
    buf_puts(why, db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
    db_close(db);
    return false;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    if (db->handle && sqlite3_close(db->handle) != SQLITE_OK)
        log_fault(db, "close");
    queues_free(db->queues);
    buf_free(&db->words_row);
    *db = (struct db){0};
}

/* ---- statements ---- */

struct db_arg db_text(const char *text)
{
    return text ? DB_BYTES(text, strlen(text)) : DB_NULL;
}

static bool bind(sqlite3_stmt *statement, int index, const struct db_arg *arg)
{
    switch (arg->kind) {
    case DB_ARG_INT:
        return sqlite3_bind_int64(statement, index, arg->number) == SQLITE_OK;
    case DB_ARG_TEXT:
        return sqlite3_bind_text64(statement, index, arg->bytes, arg->len, SQLITE_STATIC, SQLITE_UTF8) ==
               SQLITE_OK;
    case DB_ARG_BLOB:
        return sqlite3_bind_blob64(statement, index, arg->bytes, arg->len, SQLITE_STATIC) == SQLITE_OK;
    case DB_ARG_NULL:
        break;
    }
    return sqlite3_bind_null(statement, index) == SQLITE_OK;
}

sqlite3_stmt *db_query_args(struct db *db, enum statement which, const struct db_arg *args, size_t count)
{
    sqlite3_stmt **statement = &db->statements[which];
    if (!*statement && sqlite3_prepare_v3(db->handle, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                           statement, NULL) != SQLITE_OK) {
        log_fault(db, statement_sql[which]);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!bind(*statement, (int)i + 1, &args[i])) {
            log_fault(db, statement_sql[which]);
            return NULL;
        }
    }
    return *statement;
}

enum db_step db_next(struct db *db, sqlite3_stmt *statement)
{
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return DB_ROW;
    if (code != SQLITE_DONE)
        log_fault(db, sqlite3_sql(statement));
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? DB_END : DB_FAULT;
}

void db_done(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
}

bool db_run_args(struct db *db, enum statement which, const struct db_arg *args, size_t count)
{
    sqlite3_stmt *statement = db_query_args(db, which, args, count);
    if (!statement)
        return false;
    enum db_step step = DB_ROW;
    while (step == DB_ROW)
        step = db_next(db, statement);
    return step == DB_END;
}

bool db_number_args(
    struct db *db, enum statement which, int64_t *number, const struct db_arg *args, size_t count)
{
    sqlite3_stmt *statement = db_query_args(db, which, args, count);
    if (!statement || db_next(db, statement) != DB_ROW)
        return false;
    *number = sqlite3_column_int64(statement, 0);
    db_done(statement);
    return true;
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}

char *db_column_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? xmemdup_text(text, (size_t)sqlite3_column_bytes(statement, column)) : NULL;
}

void db_column_uuid(sqlite3_stmt *statement, int column, char out[static UUID_SIZE])
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    strlcpy(out, text ? text : "", UUID_SIZE);
}

/* ---- words of messages ---- */

void db_party_token(
    enum party party, const char *namespace_id, const char *agent, char out[static PARTY_TOKEN_SIZE])
{
    static const unsigned char key[crypto_shorthash_KEYBYTES]; /* no secret: the hash only spreads */
    unsigned char space[crypto_shorthash_BYTES], name[crypto_shorthash_BYTES];
    crypto_shorthash(space, (const unsigned char *)namespace_id, strlen(namespace_id), key);
    crypto_shorthash(name, (const unsigned char *)agent, strlen(agent), key);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = (unsigned char)(name[i] ^ (unsigned char)(space[i] << 1 | space[i] >> 7));
    out[0] = (char)party;
    sodium_bin2hex(out + 1, PARTY_TOKEN_SIZE - 1, name, sizeof name);
}

bool db_words_add(struct db *db, int64_t seq, const char *namespace_id, const char *from, const char *to,
    const struct buf *words)
{
    char party[PARTY_TOKEN_SIZE];
    buf_reset(&db->words_row);
    db_party_token(PARTY_SENDER, namespace_id, from, party);
    buf_puts(&db->words_row, party);
    buf_putc(&db->words_row, ' ');
    db_party_token(PARTY_RECIPIENT, namespace_id, to, party);
    buf_puts(&db->words_row, party);
    buf_putc(&db->words_row, ' ');
    buf_append(&db->words_row, buf_text(words), words->len);
    return db_run(db, STATEMENT_WORDS_INSERT, DB_INT(seq), DB_BYTES(db->words_row.data, db->words_row.len));
}

bool db_words_remove(struct db *db, int64_t seq)
{
    return db_run(db, STATEMENT_WORDS_DELETE, DB_INT(seq));
}
