/* bench_bridge: what a session costs: from the spawn to the first reply, resident memory, what the bridge
 * adds to a call, what it does while nothing happens, and many at once; of the programs that `make static` makes where
 * PATCHCORD_BUILD is their folder.
 *
 * BRIDGE_ROUNDS (50) spawns, BRIDGE_CALLS (10000) calls, BRIDGE_IDLE_S (60), BRIDGE_MANY (50). */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "load.h"

enum { ANSWER_MS = 10 * 1000, SETTLE_MS = 500, MANY_MAX = 500 };

static const struct form {
    const char *name, *title, *called, *reply_target, *resident_target;
    double reply_us, resident_kb;
} forms[] = {
    {"bridge", "The bridge", "bridge", "at most 15 ms", "at most 10 MB", 15 * 1000, 10 * 1000},
    {"bridge_static", "The bridge, linked statically", "static bridge", "at most 5 ms", "at most 6 MB",
        5 * 1000, 6 * 1000},
};
static const struct form *form = &forms[0];

static void report(const char *what, const char *unit, double figure, const char *target, double most)
{
    char *whole = xasprintf("%s: %s", form->called, what);
    figures_target(whole, unit, figure, NULL, 0, target, figure <= most);
    free(whole);
}

static void initialize(struct bridge_process *bridge)
{
    bridge_send_line(bridge, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                             "\"protocolVersion\":\"2025-06-18\","
                             "\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}");
    struct json_object *answer = bridge_read(bridge, ANSWER_MS);
    bench_must(answer != NULL, "the bridge did not answer");
    json_object_put(answer);
}

static void measure_starts(size_t rounds)
{
    struct samples took_us = {0};
    for (size_t i = 0; i < rounds; i++) {
        const int64_t began_us = now_us();
        struct bridge_process *bridge = bridge_start(NULL, NULL, NULL);
        initialize(bridge);
        samples_add(&took_us, (double)(now_us() - began_us));
        bridge_end(bridge);
    }
    const double median_us = samples_median(&took_us);
    figures_add("spawn to first reply", 1, "us", &took_us);
    report("spawn to first reply", "us", median_us, form->reply_target, form->reply_us);
}

/* Memory of a bridge before its first call, and after many. */
static void measure_memory(const struct relay_process *relay, const char *token, size_t calls)
{
    struct samples direct_us = {0}, through_us = {0};
    struct bridge_process *bridge = bridge_start(relay, token, NULL);
    char *request = load_request(token, "recall", "{\"limit\":1}");
    const int fd = load_connect(relay);
    initialize(bridge);
    const double fresh_kb = (double)process_status(bridge->pid, "VmRSS");
    for (size_t i = 0; i < calls; i++) {
        int64_t began_us = now_us();
        free(bridge_tool(bridge, "recall", "{\"limit\":1}", NULL));
        samples_add(&through_us, (double)(now_us() - began_us));
        began_us = now_us();
        load_send(fd, request);
        load_answer(fd, NULL);
        samples_add(&direct_us, (double)(now_us() - began_us));
        if (i == 0)
            figures_put(
                "resident after the first call", 1, "KB", (double)process_status(bridge->pid, "VmRSS"));
    }
    const double used_kb = (double)process_status(bridge->pid, "VmRSS");
    figures_put("resident before the first call", 0, "KB", fresh_kb);
    figures_put("resident after many calls", (double)calls, "KB", used_kb);
    figures_put("of it its own", (double)calls, "KB", (double)process_status(bridge->pid, "RssAnon"));
    figures_add("a call through the bridge", 1, "us", &through_us);
    figures_add("the same call without it", 1, "us", &direct_us);
    report("resident while idle, before a call", "KB", fresh_kb, form->resident_target, form->resident_kb);
    report("resident while idle, after many calls", "KB", used_kb, form->resident_target, form->resident_kb);
    close(fd);
    free(request);
    bridge_end(bridge);
}

static void measure_idleness(const struct relay_process *relay, const char *token, size_t seconds)
{
    struct bridge_process *bridge = bridge_start(relay, token, NULL);
    initialize(bridge);
    free(bridge_tool(bridge, "inbox", "{}", NULL));
    poll(NULL, 0, SETTLE_MS);
    const int64_t wakes = process_status(bridge->pid, "voluntary_ctxt_switches"),
                  cpu_ms = process_cpu_ms(bridge->pid);
    poll(NULL, 0, (int)seconds * MS_PER_SECOND);
    const double woke = (double)(process_status(bridge->pid, "voluntary_ctxt_switches") - wakes);
    figures_put("wake-ups while idle", (double)seconds, "", woke);
    figures_put("CPU time while idle", (double)seconds, "ms", (double)(process_cpu_ms(bridge->pid) - cpu_ms));
    report("wake-ups while idle", "", woke, "none", 0);
    bridge_end(bridge);
}

/* All spawned at once, and each has called the relay. */
static void measure_many(const struct relay_process *relay, const char *token, size_t count)
{
    struct bridge_process *bridges[MANY_MAX];
    int64_t calls[MANY_MAX];
    bench_must(count > 0 && count <= MANY_MAX, "BRIDGE_MANY: 1 to 500");
    const int64_t began_us = now_us();
    for (size_t i = 0; i < count; i++) {
        bridges[i] = bridge_start(relay, token, NULL);
        calls[i] = bridge_call_begin(bridges[i], "recall", "{\"limit\":1}");
    }
    double resident_kb = 0;
    for (size_t i = 0; i < count; i++)
        free(bridge_call_end(bridges[i], calls[i], ANSWER_MS, NULL));
    figures_put(
        "spawned, and called the relay once", (double)count, "ms", (double)(now_us() - began_us) / 1000);
    for (size_t i = 0; i < count; i++)
        resident_kb += (double)process_status(bridges[i]->pid, "RssAnon");
    figures_put("their own memory, each", (double)count, "KB", resident_kb / (double)count);
    for (size_t i = 0; i < count; i++)
        bridge_end(bridges[i]);
}

int main(void)
{
    bench_init("bench_bridge");
    const char *build = getenv("PATCHCORD_BUILD");
    form = &forms[build && strstr(build, "-static") != NULL];
    figures_begin(form->name, form->title, "x");
    measure_starts(bench_setting("BRIDGE_ROUNDS", 50));
    struct relay_process *relay = relay_start(NULL, NULL);
    char *token = relay_token(relay, "frontend@bench");
    measure_memory(relay, token, bench_setting("BRIDGE_CALLS", 10000));
    measure_idleness(relay, token, bench_setting("BRIDGE_IDLE_S", 60));
    measure_many(relay, token, bench_setting("BRIDGE_MANY", 50));
    figures_end();
    free(token);
    harness_cleanup();
    return EXIT_SUCCESS;
}
