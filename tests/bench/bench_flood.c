/* bench_flood: what agents at work notice while strangers without a token flood the relay: the time of a send
 * with and without the flood.
 *
 * FLOOD_CONNECTIONS (64) of strangers, FLOOD_MS (3000) each way, FLOOD_ROUNDS (3). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "load.h"

enum { AGENTS = 8 };

static char *stranger_request;

static const char *next_stranger(void *arg, size_t connection, size_t number, const char *answer)
{
    (void)arg, (void)connection, (void)number, (void)answer;
    return stranger_request;
}

static void *flood_run(void *arg)
{
    load_run(arg);
    return NULL;
}

static void measure(
    const struct relay_process *relay, bool has_flood, struct samples *latency_us, struct samples *flood)
{
    struct load strangers = {.relay = relay,
        .connections = bench_setting("FLOOD_CONNECTIONS", 64),
        .ms = (int64_t)bench_setting("FLOOD_MS", 3000),
        .next = next_stranger};
    struct load agents = {.relay = relay,
        .connections = AGENTS,
        .ms = strangers.ms,
        .next = load_next_send,
        .expect = "Sent to a"};
    pthread_t thread;
    if (has_flood)
        bench_must(pthread_create(&thread, NULL, flood_run, &strangers) == 0, "a thread");
    load_run(&agents);
    if (has_flood) {
        pthread_join(thread, NULL);
        samples_add(flood, load_rate(&strangers));
    }
    for (size_t i = 0; i < agents.latency_us.count; i++)
        samples_add(latency_us, agents.latency_us.values[i]);
    samples_free(&agents.latency_us);
    samples_free(&strangers.latency_us);
}

int main(void)
{
    bench_init("bench_flood");
    struct samples quiet = {0}, flooded = {0}, strangers = {0};
    figures_begin("flood", "Agents at work while strangers flood the relay", "strangers");
    stranger_request = load_request("nobody", "inbox", "{}");
    for (size_t i = bench_setting("FLOOD_ROUNDS", 3); i > 0; i--) {
        const char *data_dir = temp_folder();
        load_agents(data_dir, LOAD_SENDERS + LOAD_RECIPIENTS);
        /* Bans are part of the defence: after some tries a stranger hears 429. */
        struct relay_process *relay =
            relay_start(data_dir, (const char *const[]){"PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=20", NULL});
        measure(relay, false, &quiet, &strangers);
        measure(relay, true, &flooded, &strangers);
        harness_cleanup();
    }
    const double connections = (double)bench_setting("FLOOD_CONNECTIONS", 64);
    figures_add("a send, 8 agents at work", 0, "us", &quiet);
    figures_add("a send, 8 agents at work", connections, "us", &flooded);
    figures_add("refused requests of strangers", connections, "per second", &strangers);
    figures_note("The strangers' program takes its part of the same processors.");
    figures_end();
    free(stranger_request);
    return EXIT_SUCCESS;
}
