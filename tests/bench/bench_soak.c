/* bench_soak: agents that write to each other for long, at half of what the relay takes: resident memory,
 * descriptors and latencies, minute by minute. Not part of `make bench`: `make soak`.
 *
 * SOAK_MINUTES (30); SOAK_RATE calls a second (0: half of the rate of the first seconds); SOAK_AGENTS (32).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "load.h"
#include "raw.h"

enum { AGENTS_MAX = 256, PROBE_MS = 5000, SENDS_A_LOOK = 8 };

static size_t agents;
static char *requests[AGENTS_MAX];

static const char *keep(size_t agent, const char *tool, const char *args)
{
    char token[24];
    snprintf(token, sizeof token, "a%zu", agent);
    free(requests[agent]);
    return requests[agent] = load_request(token, tool, args);
}

/* Each agent writes to the next one, and looks into its inbox in between, so that no queue grows. */
static const char *next(void *arg, size_t agent, size_t number, const char *answer)
{
    size_t *refused = arg;
    char args[RAW_CONTENT + 64];
    if (answer)
        bench_must(strstr(answer, "HTTP/1.1 200") == answer, answer);
    /* The gate: who has something unread looks first. */
    const bool is_refused = answer && strstr(answer, "\"isError\":true");
    if (is_refused) {
        bench_must(strstr(answer, "unread first") != NULL, answer);
        ++*refused;
    }
    if (is_refused || number % (SENDS_A_LOOK + 1) == SENDS_A_LOOK)
        return keep(agent, "inbox", "{}");
    snprintf(args, sizeof args, "{\"to\":\"a%zu\",\"content\":\"%s\"}", (agent + 1) % agents, raw_content());
    return keep(agent, "send_message", args);
}

struct minute {
    double kb, descriptors, median_us, p99_us, rate;
};

static struct minute run_for(struct relay_process *relay, int64_t ms, double rate, size_t *gated)
{
    struct load load = {
        .relay = relay, .connections = agents, .ms = ms, .rate = rate, .next = next, .arg = gated};
    load_run(&load);
    const struct minute minute = {.kb = (double)process_status(relay->pid, "VmRSS"),
        .descriptors = (double)process_descriptors(relay->pid),
        .median_us = samples_median(&load.latency_us),
        .p99_us = samples_at(&load.latency_us, 0.99),
        .rate = load_rate(&load)};
    samples_free(&load.latency_us);
    return minute;
}

int main(void)
{
    bench_init("bench_soak");
    const size_t minutes = bench_setting("SOAK_MINUTES", 30);
    size_t gated = 0;
    agents = bench_setting("SOAK_AGENTS", 32);
    bench_must(agents >= 2 && agents <= AGENTS_MAX, "SOAK_AGENTS: 2 to 256");
    const char *data_dir = temp_folder();
    load_agents(data_dir, agents);
    struct relay_process *relay = relay_start(data_dir, NULL);
    figures_begin("soak", "Half of the maximum rate, for long", "minute");
    double rate = (double)bench_setting("SOAK_RATE", 0);
    if (rate <= 0)
        rate = run_for(relay, PROBE_MS, 0, &gated).rate / 2;
    figures_put("calls begun", 0, "per second", rate);
    for (size_t i = 1; i <= minutes; i++) {
        const struct minute minute = run_for(relay, MS_PER_MINUTE, rate, &gated);
        const double x = (double)i;
        figures_put("calls answered", x, "per second", minute.rate);
        figures_put("resident", x, "KB", minute.kb);
        figures_put("descriptors", x, "", minute.descriptors);
        figures_put("time of a call, median", x, "us", minute.median_us);
        figures_put("time of a call, p99", x, "us", minute.p99_us);
    }
    figures_note("%zu sends were refused by the inbox gate, as they are meant to be.", gated);
    figures_end();
    harness_cleanup();
    for (size_t i = 0; i < AGENTS_MAX; i++)
        free(requests[i]);
    return EXIT_SUCCESS;
}
