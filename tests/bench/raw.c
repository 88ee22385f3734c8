#include "raw.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/uuid.h"
#include "../../relay/store/migration.h"
#include "../harness.h"
#include "../harness_store.h"
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

/* ---- PostgreSQL ---- */

enum { PGBENCH_PATIENCE_MS = 120 * 1000 };

static const char *const plain_table = "create table if not exists bench_rows (seq bigserial primary key, id "
                                       "uuid unique default gen_random_uuid(),"
                                       " content text)";

/* For pgbench, around the content. */
static const struct {
    const char *before, *after;
} postgres_inserts[] = {
    [RAW_ROWS_PLAIN] = {"insert into bench_rows (content) values ('", "')"},
    [RAW_ROWS_SAME] = {"\\set n random(0, 255)\n"
                       "with m as (insert into agent_messages (namespace_id, from_agent, to_agent, content)"
                       " values ('bench', 'from' || :n, 'to' || :n, '",
        "') returning *) insert into message_words select seq, namespace_id, from_agent, to_agent,"
        " to_tsvector('simple', content) from m"},
};

static char *write_script(enum raw_rows kind)
{
    char *path = xasprintf("%s/insert.sql", temp_folder());
    FILE *file = fopen(path, "we");
    bench_must(file &&
                   fprintf(file, "%s%s%s;\n", postgres_inserts[kind].before, raw_content(),
                       postgres_inserts[kind].after) > 0 &&
                   fclose(file) == 0,
        path);
    return path;
}

double raw_postgres(enum raw_rows kind, size_t clients, int64_t ms)
{
    char *url = harness_database_url(temp_folder()), *script = write_script(kind), number[16], seconds[16];
    const int64_t whole_seconds = ms / MS_PER_SECOND;
    harness_sql(url, plain_table, NULL);
    snprintf(number, sizeof number, "%zu", clients);
    snprintf(seconds, sizeof seconds, "%d", whole_seconds > 0 ? (int)whole_seconds : 1);
    struct program_result result;
    run_program((const char *const[]){"pgbench", "-n", "-M", "prepared", "-f", script, "-c", number, "-j",
                    "2", "-T", seconds, url, NULL},
        NULL, NULL, PGBENCH_PATIENCE_MS, &result);
    const char *rate = result.exit_code == 0 ? strstr(buf_text(&result.out), "tps = ") : NULL;
    bench_must(rate != NULL, buf_text(&result.err));
    const double tps = strtod(rate + strlen("tps = "), NULL);
    program_result_free(&result);
    free(script);
    free(url);
    return tps;
}
