/* bench_relays: two relays on one PostgreSQL beside one: sends a second over the same connections, and from a send
 * at one to the answer of a wait at the other. Runs under tests/postgres.sh; prints that it was left out elsewhere.
 *
 * RELAYS_CONNECTIONS (8,64,256), RELAYS_ROUNDS (5), RELAYS_MS (3000) of each, RELAYS_WAKES (200). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../harness_store.h"
#include "load.h"
#include "raw.h"

enum { LIST_MAX = 8, TARGET_WAKE_US = 5000 };

/* A second relay on the database of the first. */
static struct relay_process *start_other(const struct relay_process *relay)
{
    char *url = harness_database_url(relay->data_dir), *setting = xasprintf("PATCHCORD_DATABASE_URL=%s", url);
    struct relay_process *other = relay_start(NULL, (const char *const[]){setting, NULL});
    free(setting);
    free(url);
    return other;
}

/* Which relays run, and which are asked. */
enum mode { ONE_ALONE, ONE_OF_TWO, BOTH, MODES };
static const char *const series[] = {
    [ONE_ALONE] = "one relay",
    [ONE_OF_TWO] = "two relays, all sends through one",
    [BOTH] = "two relays, sends through both",
};

static double send_rate(enum mode mode, size_t connections)
{
    struct relay_process *relay = load_relay(LOAD_SENDERS + LOAD_RECIPIENTS),
                         *other = mode == ONE_ALONE ? NULL : start_other(relay);
    struct load load = {.relay = relay,
        .other = mode == BOTH ? other : NULL,
        .connections = connections,
        .ms = (int64_t)bench_setting("RELAYS_MS", 3000),
        .at_most = LOAD_SENDS_MAX,
        .next = load_next_send,
        .expect = "Sent to a"};
    load_run(&load);
    samples_free(&load.latency_us);
    harness_cleanup();
    return load_rate(&load);
}

static void measure_sends(size_t connections, size_t rounds)
{
    struct samples rates[MODES] = {{0}};
    for (size_t i = 0; i < rounds; i++)
        for (size_t mode = 0; mode < MODES; mode++)
            samples_add(&rates[mode], send_rate((enum mode)mode, connections));
    const double limit = samples_median(&rates[ONE_ALONE]), figure = samples_median(&rates[BOTH]);
    for (size_t mode = 0; mode < MODES; mode++)
        figures_add(series[mode], (double)connections, "sends/s", &rates[mode]);
    char *what = xasprintf("two relays on one PostgreSQL, %zu connections", connections);
    figures_target(what, "sends/s", figure, series[ONE_ALONE], limit, "not below one relay", figure >= limit);
    free(what);
}

/* Agent a0 sends at the one, agent a1 waits at that or the other. */
static void wake(const struct relay_process *at, const struct relay_process *from, struct samples *took_us)
{
    const int sender = load_connect(from), waiter = load_connect(at);
    char *send_request = load_request("a0", "send_message", "{\"to\":\"a1\",\"content\":\"wake up\"}"),
         *wait_request = load_request("a1", "wait_for_message", "{\"timeout_seconds\":600}");
    load_send(waiter, wait_request);
    bench_must(relay_await_parked(at, 1), "the wait did not park");
    const int64_t began_us = now_us();
    load_send(sender, send_request);
    load_answer(waiter, "wake up");
    samples_add(took_us, (double)(now_us() - began_us));
    load_answer(sender, "Sent to a1");
    close(sender);
    close(waiter);
    free(send_request);
    free(wait_request);
}

static void measure_wakes(void)
{
    struct samples here_us = {0}, there_us = {0};
    struct relay_process *relay = load_relay(2), *other = start_other(relay);
    for (size_t i = bench_setting("RELAYS_WAKES", 200); i > 0; i--) {
        wake(relay, relay, &here_us);
        wake(other, relay, &there_us);
    }
    const double here = samples_median(&here_us), there = samples_median(&there_us);
    figures_add("send to answer of a wait at the same relay", 1, "us", &here_us);
    figures_add("send to answer of a wait at the other relay", 1, "us", &there_us);
    figures_target("send at one relay to parked wait at the other, PostgreSQL: median", "us", there,
        "at the same relay", here, "at most 5 ms", there <= TARGET_WAKE_US);
    harness_cleanup();
}

int main(void)
{
    size_t connections[LIST_MAX];
    bench_init("bench_relays");
    if (!harness_store_is("postgres")) {
        puts("Two relays on one database: left out (tests/postgres.sh build/tests/bench/bench_relays)");
        return EXIT_SUCCESS;
    }
    figures_begin("relays", "Two relays on one PostgreSQL", "connections");
    const size_t count = bench_list("RELAYS_CONNECTIONS", "8,64,256", connections, LIST_MAX);
    for (size_t i = 0; i < count; i++)
        measure_sends(connections[i], bench_setting("RELAYS_ROUNDS", 5));
    measure_wakes();
    figures_note("Relays, PostgreSQL and the program that asks share the same processors.");
    figures_end();
    return EXIT_SUCCESS;
}
