/* raw.h: what the disk and SQLite give by themselves: the limits that figures stand beside. */
#ifndef TESTS_BENCH_RAW_H
#define TESTS_BENCH_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RAW_CONTENT = 200 }; /* bytes of a message in all benchmarks */
/* A text of that length. */
const char *raw_content(void);

/* A file in a temporary folder, for raw_sync. */
int raw_sync_open(void);
/* Writes a page to it, and flushes that to the disk; how long it took, in microseconds. */
int64_t raw_sync(int fd);

enum raw_rows {
    RAW_ROWS_SAME,  /* as the relay stores them: its own tables and indexes */
    RAW_ROWS_PLAIN, /* a key, an id and the content */
};
/* Rows a second that SQLite alone takes in one thread, that many a commit, flushed each time. */
double raw_sqlite(enum raw_rows kind, size_t rows, size_t a_commit);
/* Rows a second that the PostgreSQL of tests/postgres.sh takes from that many clients of pgbench, each row in
 * a transaction of its own, for about that long. */
double raw_postgres(enum raw_rows kind, size_t clients, int64_t ms);

#endif
