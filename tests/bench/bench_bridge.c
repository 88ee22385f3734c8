/* bench_bridge: what a session costs: from the spawn to the first reply, resident memory before and after the
 * first call at a relay, and how often it wakes up while nothing happens. BRIDGE_ROUNDS (50) spawns. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../harness.h"

enum { ANSWER_MS = 10 * 1000, SETTLE_MS = 500, QUIET_MS = 3000 };
enum { TARGET_REPLY_US = 15 * 1000, TARGET_RESIDENT_KB = 10 * 1000 };

static void failed(const char *message)
{
    static bool failing;
    fprintf(stderr, "bench_bridge: %s\n", message);
    if (!failing) {
        failing = true;
        harness_cleanup();
    }
    exit(EXIT_FAILURE);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A number out of /proc/PID/status. */
static int64_t status_of(pid_t pid, const char *name)
{
    char *path = xasprintf("/proc/%d/status", (int)pid), line[256];
    size_t len = strlen(name);
    int64_t number = -1;
    FILE *file = fopen(path, "r");
    while (file && number < 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            number = strtoll(line + len + 1, NULL, 10);
    }
    if (file)
        fclose(file);
    free(path);
    return number;
}

static void initialize(struct bridge_process *bridge)
{
    bridge_send_line(bridge, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                             "\"protocolVersion\":\"2025-06-18\","
                             "\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}");
    struct json_object *answer = bridge_read(bridge, ANSWER_MS);
    if (!answer)
        failed("the bridge did not answer");
    json_object_put(answer);
}

static void measure_starts(size_t rounds)
{
    int64_t *took = xcalloc(rounds, sizeof *took);
    for (size_t i = 0; i < rounds; i++) {
        int64_t began = now_us();
        struct bridge_process *bridge = bridge_start(NULL, NULL, NULL);
        initialize(bridge);
        took[i] = now_us() - began;
        bridge_end(bridge);
    }
    qsort(took, rounds, sizeof *took, by_size);
    printf("spawn to first reply: median %.1f ms, p99 %.1f ms (target: 15 ms, %s)\n",
        (double)took[rounds / 2] / 1000, (double)took[rounds - 1 - rounds / 100] / 1000,
        took[rounds / 2] <= TARGET_REPLY_US ? "met" : "MISSED");
    free(took);
}

static void measure_idleness(void)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *token = relay_token(relay, "frontend@bench");
    struct bridge_process *bridge = bridge_start(relay, token, NULL);
    initialize(bridge);
    int64_t fresh = status_of(bridge->pid, "VmRSS");
    free(bridge_tool(bridge, "inbox", "{}", NULL));
    poll(NULL, 0, SETTLE_MS);
    int64_t used = status_of(bridge->pid, "VmRSS"), own = status_of(bridge->pid, "RssAnon");
    int64_t before = status_of(bridge->pid, "voluntary_ctxt_switches");
    poll(NULL, 0, QUIET_MS);
    int64_t wakes = status_of(bridge->pid, "voluntary_ctxt_switches") - before;
    printf("resident: %lld KB idle, %lld KB after a call, %lld KB of it its own (target: 10 MB, %s)\n",
        (long long)fresh, (long long)used, (long long)own,
        used <= TARGET_RESIDENT_KB ? "met" : "MISSED after a call");
    printf("wake-ups in %d s of idleness: %lld (target: 0, %s)\n", QUIET_MS / 1000, (long long)wakes,
        wakes == 0 ? "met" : "MISSED");
    free(token);
}

int main(void)
{
    const char *rounds = getenv("BRIDGE_ROUNDS");
    harness_on_failure = failed;
    measure_starts(rounds ? strtoul(rounds, NULL, 10) : 50);
    measure_idleness();
    harness_cleanup();
    return EXIT_SUCCESS;
}
