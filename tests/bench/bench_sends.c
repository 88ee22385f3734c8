/* bench_sends: durable sends over HTTP by some connections at a time, beside rows that SQLite alone writes to
 * the same disk. Relay and SQLite take turns.
 *
 * SENDS_CONNECTIONS (1,8,64,256), SENDS_ROUNDS (3), SENDS_MS (3000) of each. */
#include <stdio.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "load.h"
#include "raw.h"

enum {
    CONNECTIONS_MAX = 256,
    RECIPIENTS = 256,
    LIST_MAX = 8,
    RAW_COMMITS = 100,
    RAW_ROWS = 1000,
    TARGET_CONNECTIONS = 64
};

static struct sender {
    char *request;
} senders[CONNECTIONS_MAX];

/* Each connection is an agent of its own; who it writes to goes around, so that no queue fills up. */
static const char *next_send(void *arg, size_t connection, size_t number, const char *answer)
{
    (void)arg, (void)answer;
    char token[24], args[RAW_CONTENT + 64];
    snprintf(token, sizeof token, "a%zu", connection);
    snprintf(args, sizeof args, "{\"to\":\"a%zu\",\"content\":\"%s\"}",
        CONNECTIONS_MAX + (connection * 31 + number) % RECIPIENTS, raw_content());
    free(senders[connection].request);
    return senders[connection].request = load_request(token, "send_message", args);
}

static double run_relay(size_t connections, struct samples *latency_us)
{
    const char *data_dir = temp_folder();
    load_agents(data_dir, CONNECTIONS_MAX + RECIPIENTS);
    struct relay_process *relay = relay_start(data_dir, NULL);
    struct load load = {.relay = relay,
        .connections = connections,
        .ms = (int64_t)bench_setting("SENDS_MS", 3000),
        .at_most = (size_t)RECIPIENTS * 900,
        .next = next_send,
        .expect = "Sent to a"};
    load_run(&load);
    for (size_t i = 0; i < load.latency_us.count; i++)
        samples_add(latency_us, load.latency_us.values[i]);
    samples_free(&load.latency_us);
    relay_stop(relay);
    return load_rate(&load);
}

static void measure(size_t connections, size_t rounds)
{
    struct samples relay = {0}, latency_us = {0}, same = {0}, plain = {0};
    const size_t a_commit = connections < 64 ? connections : 64, rows = RAW_ROWS + RAW_COMMITS * a_commit;
    for (size_t i = 0; i < rounds; i++) {
        samples_add(&relay, run_relay(connections, &latency_us));
        samples_add(&same, raw_sqlite(RAW_ROWS_SAME, rows, a_commit));
        samples_add(&plain, raw_sqlite(RAW_ROWS_PLAIN, rows, a_commit));
    }
    const double x = (double)connections;
    figures_add("relay, SQLite", x, "sends/s", &relay);
    figures_add("time of a send", x, "us", &latency_us);
    figures_add("SQLite alone, the same rows", x, "rows/s", &same);
    figures_add("SQLite alone, rows of one index", x, "rows/s", &plain);
}

int main(void)
{
    size_t connections[LIST_MAX];
    bench_init("bench_sends");
    const size_t count = bench_list("SENDS_CONNECTIONS", "1,8,64,256", connections, LIST_MAX);
    figures_begin("sends", "Durable sends over HTTP, SQLite", "connections");
    for (size_t i = 0; i < count; i++) {
        bench_must(connections[i] > 0 && connections[i] <= CONNECTIONS_MAX, "SENDS_CONNECTIONS: 1 to 256");
        measure(connections[i], bench_setting("SENDS_ROUNDS", 3));
        harness_cleanup();
    }
    const double figure = figures_get("relay, SQLite", TARGET_CONNECTIONS),
                 limit = figures_get("SQLite alone, the same rows", TARGET_CONNECTIONS);
    if (limit > 0)
        figures_target("durable send over HTTP, SQLite, 64 connections", "sends/s", figure,
            "SQLite alone, the same rows, 64 a commit", limit, "at least half of the raw rate",
            figure * 2 >= limit);
    figures_note(
        "SQLite alone runs in one thread, at as many rows a commit as there are connections (at most 64); it "
        "has no HTTP, no JSON, no tokens, and looks nothing up.");
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        free(senders[i].request);
    figures_end();
    return EXIT_SUCCESS;
}
