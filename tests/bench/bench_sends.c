/* bench_sends: durable sends over HTTP by some connections at a time, on the store that harness_store names, beside
 * rows that the database alone writes to the same disk. Relay and database take turns.
 *
 * SENDS_CONNECTIONS (1,8,64,256), SENDS_ROUNDS (3), SENDS_MS (3000) of each. */
#include <stdio.h>
#include <stdlib.h>

#include "../harness_store.h"
#include "load.h"
#include "raw.h"

enum { LIST_MAX = 8, RAW_COMMITS = 100, RAW_ROWS = 1000, TARGET_CONNECTIONS = 64 };

/* ---- what it stands beside ---- */

static double sqlite_rows(enum raw_rows kind, size_t connections)
{
    const size_t a_commit = connections < TARGET_CONNECTIONS ? connections : TARGET_CONNECTIONS;
    return raw_sqlite(kind, RAW_ROWS + RAW_COMMITS * a_commit, a_commit);
}

static double postgres_rows(enum raw_rows kind, size_t connections)
{
    return raw_postgres(kind, connections, (int64_t)bench_setting("SENDS_MS", 3000));
}

static const struct beside {
    const char *store, *name, *title, *relay, *same, *plain, *note;
    double (*rows)(enum raw_rows kind, size_t connections);
} besides[] = {
    {"sqlite", "sends", "Durable sends over HTTP, SQLite", "relay, SQLite", "SQLite alone, the same rows",
        "SQLite alone, rows of one index",
        "SQLite alone runs in one thread, at as many rows a commit as there are connections (at most 64); it "
        "has no "
        "HTTP, no JSON, no tokens, and looks nothing up.",
        sqlite_rows},
    {"postgres", "sends_postgres", "Durable sends over HTTP, PostgreSQL", "relay, PostgreSQL",
        "pgbench, the same rows", "pgbench, rows of one index",
        "pgbench has a connection for each client and a transaction for each row; it locks no queue, and "
        "looks for no "
        "repeat, token or reader.",
        postgres_rows},
    {"supabase", "sends_supabase", "Durable sends over HTTP, PostgREST behind nginx with TLS",
        "relay, PostgREST", "pgbench, the same rows", "pgbench, rows of one index",
        "PostgREST has 8 connections to PostgreSQL, as configured here; pgbench needs neither it nor TLS.",
        postgres_rows},
};

static const struct beside *find_beside(void)
{
    const struct beside *beside = besides;
    while (!harness_store_is(beside->store))
        beside++;
    return beside;
}

/* ---- measuring ---- */

static double run_relay(size_t connections, struct samples *latency_us)
{
    struct relay_process *relay = load_relay(LOAD_SENDERS + LOAD_RECIPIENTS);
    struct load load = {.relay = relay,
        .connections = connections,
        .ms = (int64_t)bench_setting("SENDS_MS", 3000),
        .at_most = LOAD_SENDS_MAX,
        .next = load_next_send,
        .expect = "Sent to a"};
    load_run(&load);
    for (size_t i = 0; i < load.latency_us.count; i++)
        samples_add(latency_us, load.latency_us.values[i]);
    samples_free(&load.latency_us);
    relay_stop(relay);
    return load_rate(&load);
}

static void measure(const struct beside *beside, size_t connections, size_t rounds)
{
    struct samples relay = {0}, latency_us = {0}, same = {0}, plain = {0};
    for (size_t i = 0; i < rounds; i++) {
        samples_add(&relay, run_relay(connections, &latency_us));
        samples_add(&same, beside->rows(RAW_ROWS_SAME, connections));
        samples_add(&plain, beside->rows(RAW_ROWS_PLAIN, connections));
    }
    const double x = (double)connections;
    figures_add(beside->relay, x, "sends/s", &relay);
    figures_add("time of a send", x, "us", &latency_us);
    figures_add(beside->same, x, "rows/s", &same);
    figures_add(beside->plain, x, "rows/s", &plain);
}

/* Of the embedded store alone. */
static void report_target(const struct beside *beside)
{
    const double figure = figures_get(beside->relay, TARGET_CONNECTIONS),
                 limit = figures_get(beside->same, TARGET_CONNECTIONS);
    if (limit > 0 && harness_store_is("sqlite"))
        figures_target("durable send over HTTP, SQLite, 64 connections", "sends/s", figure,
            "SQLite alone, the same rows, 64 a commit", limit, "at least half of the raw rate",
            figure * 2 >= limit);
}

int main(void)
{
    size_t connections[LIST_MAX];
    bench_init("bench_sends");
    const struct beside *beside = find_beside();
    const size_t count = bench_list("SENDS_CONNECTIONS", "1,8,64,256", connections, LIST_MAX);
    figures_begin(beside->name, beside->title, "connections");
    for (size_t i = 0; i < count; i++) {
        bench_must(connections[i] > 0 && connections[i] <= LOAD_SENDERS, "SENDS_CONNECTIONS: 1 to 256");
        measure(beside, connections[i], bench_setting("SENDS_ROUNDS", 3));
        harness_cleanup();
    }
    report_target(beside);
    figures_note("%s", beside->note);
    figures_end();
    return EXIT_SUCCESS;
}
