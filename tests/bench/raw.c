#include "raw.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/uuid.h"
#include "../../relay/store/migration.h"
#include "../harness.h"
#include "figures.h"

enum { SYNC_BYTES = 4096 };

const char *raw_content(void)
{
    static char content[RAW_CONTENT + 1];
    for (size_t i = 0; i < RAW_CONTENT; i++)
        content[i] = i % 7 == 6 ? ' ' : (char)('a' + i * i % 26);
    return content;
}

/* ---- the disk ---- */

int raw_sync_open(void)
{
    char *path = xasprintf("%s/sync", temp_folder());
    const int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    bench_must(fd >= 0, path);
    free(path);
    return fd;
}

int64_t raw_sync(int fd)
{
    static const char block[SYNC_BYTES];
    const int64_t began_us = now_us();
    bench_must(write(fd, block, sizeof block) == sizeof block && fdatasync(fd) == 0, "fdatasync");
    return now_us() - began_us;
}

/* ---- SQLite ---- */

static const char *const plain_schema =
    "create table m (seq integer primary key, id text unique, content text) strict";

static const char *const inserts[][3] = {
    [RAW_ROWS_PLAIN] = {"insert into m (id, content) values (?1, ?3)", NULL},
    [RAW_ROWS_SAME] =
        {"insert into agent_messages (id, namespace_id, from_agent, to_agent, status, created_at, "
         "content_bytes, content)"
         " values (?1, 'bench', 'from' || (?2 % 64), 'to' || (?2 % 64), 'pending', ?2, length(?3), ?3)",
            "insert into message_words (rowid, words) values (last_insert_rowid(), ?3)", NULL},
};

static sqlite3 *raw_open(enum raw_rows kind)
{
    char *path = xasprintf("%s/raw.db", temp_folder());
    sqlite3 *db = NULL;
    bench_must(sqlite3_open(path, &db) == SQLITE_OK &&
                   sqlite3_exec(db, "pragma journal_mode = wal; pragma synchronous = full", NULL, NULL,
                       NULL) == SQLITE_OK,
        path);
    free(path);
    if (kind == RAW_ROWS_PLAIN)
        bench_must(sqlite3_exec(db, plain_schema, NULL, NULL, NULL) == SQLITE_OK, plain_schema);
    for (const struct migration *m = migrations_sqlite; kind == RAW_ROWS_SAME && m->number != 0; m++)
        bench_must(sqlite3_exec(db, m->sql, NULL, NULL, NULL) == SQLITE_OK, m->name);
    return db;
}

static void insert(sqlite3_stmt *statement, const char *id, size_t number)
{
    sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)number);
    sqlite3_bind_text(statement, 3, raw_content(), RAW_CONTENT, SQLITE_STATIC);
    bench_must(sqlite3_step(statement) == SQLITE_DONE, "a row for SQLite alone");
    sqlite3_reset(statement);
}

double raw_sqlite(enum raw_rows kind, size_t rows, size_t a_commit)
{
    sqlite3 *db = raw_open(kind);
    sqlite3_stmt *statements[3] = {NULL};
    for (size_t i = 0; inserts[kind][i]; i++)
        bench_must(sqlite3_prepare_v2(db, inserts[kind][i], -1, &statements[i], NULL) == SQLITE_OK,
            inserts[kind][i]);
    const int64_t began_us = now_us();
    for (size_t i = 0; i < rows; i++) {
        char id[UUID_SIZE];
        uuid_v7(id);
        if (i % a_commit == 0)
            bench_must(sqlite3_exec(db, "begin immediate", NULL, NULL, NULL) == SQLITE_OK, "begin");
        for (size_t k = 0; statements[k]; k++)
            insert(statements[k], id, i);
        if ((i + 1) % a_commit == 0 || i + 1 == rows)
            bench_must(sqlite3_exec(db, "commit", NULL, NULL, NULL) == SQLITE_OK, "commit");
    }
    const double rate = (double)rows * 1e6 / (double)(now_us() - began_us);
    for (size_t k = 0; statements[k]; k++)
        sqlite3_finalize(statements[k]);
    sqlite3_close(db);
    return rate;
}
