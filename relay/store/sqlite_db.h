/* sqlite_db.h: one connection to the SQLite file with its prepared statements, used by one thread at a time.
 */
#ifndef RELAY_STORE_SQLITE_DB_H
#define RELAY_STORE_SQLITE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "sqlite_queue.h"
#include "sqlite_statements.h"
#include "store.h"

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int64_t now_ms;        /* wall clock of the operation that runs */
    struct queues *queues; /* the writer's; NULL for others */
    struct buf words_row;  /* between uses only its memory counts */
};

enum db_access {
    DB_READ, /* refuses to change anything */
    DB_WRITE,
};

/* Opens a file that exists. False: why has a clause that says what SQLite said. */
MUST_CHECK bool db_open(struct db *db, const char *path, enum db_access access, struct buf *why);
void db_close(struct db *db);
/* Runs SQL without results, of our own text. False: logged. */
MUST_CHECK bool db_exec(struct db *db, const char *sql);

/* ---- statements ---- */
struct db_arg {
    enum { DB_ARG_NULL, DB_ARG_INT, DB_ARG_TEXT, DB_ARG_BLOB } kind;
    int64_t number;
    const void *bytes; /* borrowed until the statement was stepped to its end */
    size_t len;
};
#define DB_INT(n)      ((struct db_arg){.kind = DB_ARG_INT, .number = (int64_t)(n)})
#define DB_BLOB(b, n)  ((struct db_arg){.kind = DB_ARG_BLOB, .bytes = (b), .len = (n)})
#define DB_BYTES(t, n) ((struct db_arg){.kind = DB_ARG_TEXT, .bytes = (t), .len = (n)})
#define DB_NULL        ((struct db_arg){.kind = DB_ARG_NULL})
/* A time that is stored as null where it is 0. */
#define DB_TIME(ms) ((ms) ? DB_INT(ms) : DB_NULL)
/* NULL text is stored as null. */
struct db_arg db_text(const char *text);

/* Prepares where needed, binds ?1, ?2 … and returns the statement, to be stepped by db_next. NULL: a fault,
 * logged. */
sqlite3_stmt *db_query_args(struct db *db, enum statement which, const struct db_arg *args, size_t count);
/* Steps over all rows of a statement. False: a fault, logged. */
MUST_CHECK bool db_run_args(struct db *db, enum statement which, const struct db_arg *args, size_t count);
/* The first column of the first row. False: a fault, or no row. */
MUST_CHECK bool db_number_args(
    struct db *db, enum statement which, int64_t *number, const struct db_arg *args, size_t count);
#define DB_ARGS(...)                                                                                         \
    (const struct db_arg[]){__VA_ARGS__}, sizeof((struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg)
#define db_query(db, which, ...)          db_query_args((db), (which), DB_ARGS(__VA_ARGS__))
#define db_run(db, which, ...)            db_run_args((db), (which), DB_ARGS(__VA_ARGS__))
#define db_number(db, which, number, ...) db_number_args((db), (which), (number), DB_ARGS(__VA_ARGS__))

enum db_step { DB_ROW, DB_END, DB_FAULT };
/* The next row. END and FAULT reset the statement; who stops before resets it with db_done. */
enum db_step db_next(struct db *db, sqlite3_stmt *statement);
void db_done(sqlite3_stmt *statement);
/* Rows that the last statement changed. */
int64_t db_changes(struct db *db);

/* A text column, copied for the caller to free; NULL for null. */
char *db_column_text(sqlite3_stmt *statement, int column);
/* A UUID column into a fixed field; "" for null. */
void db_column_uuid(sqlite3_stmt *statement, int column, char out[static UUID_SIZE]);

/* ---- words of messages ---- */
/* Enters a message into the full-text index, or takes it out. False: a fault, logged. */
MUST_CHECK bool db_words_add(struct db *db, int64_t seq, const char *namespace_id, const char *from,
    const char *to, const struct buf *words);
MUST_CHECK bool db_words_remove(struct db *db, int64_t seq);
/* The tokens in the index that stand for an agent as a message's sender or recipient. Different agents may
 * share one: it narrows a search and decides nothing. */
enum { PARTY_TOKEN_SIZE = 18 };
enum party { PARTY_SENDER = 's', PARTY_RECIPIENT = 'r' };
void db_party_token(
    enum party party, const char *namespace_id, const char *agent, char out[static PARTY_TOKEN_SIZE]);

#endif
