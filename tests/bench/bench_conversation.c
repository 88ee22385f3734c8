/* bench_conversation: pairs of agents that talk: one sends and waits, the other waits and replies, as long as
 * it lasts. A conversation is send, wait, reply, wait.
 *
 * CONVERSATION_AGENTS (2,8,32,200), CONVERSATION_MS (3000), CONVERSATION_ROUNDS (3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/uuid.h"
#include "load.h"

enum { LIST_MAX = 8, AGENTS_MAX = 1000 };

static char *requests[AGENTS_MAX];

static const char *keep(size_t agent, const char *tool, const char *args)
{
    char token[24];
    snprintf(token, sizeof token, "a%zu", agent);
    free(requests[agent]);
    return requests[agent] = load_request(token, tool, args);
}

static const char *wait_next(size_t agent)
{
    return keep(agent, "wait_for_message", "{\"timeout_seconds\":600}");
}

/* The asking side: an even number, which writes to the one behind it. */
static const char *ask_next(size_t agent, size_t number, const char *answer)
{
    char args[64];
    if (number % 2 == 1) {
        bench_must(strstr(answer, "Sent to a") != NULL, answer);
        return wait_next(agent);
    }
    if (answer)
        bench_must(strstr(answer, "> pong") != NULL, answer);
    snprintf(args, sizeof args, "{\"to\":\"a%zu\",\"content\":\"ping\"}", agent + 1);
    return keep(agent, "send_message", args);
}

static const char *reply_next(size_t agent, size_t number, const char *answer)
{
    char id[UUID_SIZE], args[128];
    if (number % 2 == 0)
        return wait_next(agent);
    const char *open = strstr(answer, "> ping") ? strchr(strstr(answer, "From a"), '[') : NULL;
    bench_must(open && strlen(open) > sizeof id, answer);
    memcpy(id, open + 1, sizeof id - 1);
    id[sizeof id - 1] = '\0';
    snprintf(args, sizeof args, "{\"message_id\":\"%s\",\"content\":\"pong\"}", id);
    return keep(agent, "reply", args);
}

static const char *next(void *arg, size_t agent, size_t number, const char *answer)
{
    (void)arg;
    return agent % 2 == 0 ? ask_next(agent, number, answer) : reply_next(agent, number, answer);
}

static void measure(size_t agents)
{
    struct samples rates = {0};
    for (size_t i = bench_setting("CONVERSATION_ROUNDS", 3); i > 0; i--) {
        const char *data_dir = temp_folder();
        load_agents(data_dir, agents);
        struct relay_process *relay = relay_start(data_dir, NULL);
        struct load load = {.relay = relay,
            .connections = agents,
            .ms = (int64_t)bench_setting("CONVERSATION_MS", 3000),
            .next = next,
            .hangs_up = true};
        load_run(&load);
        samples_add(&rates, load_rate(&load) / 4); /* a conversation is four calls */
        samples_free(&load.latency_us);
        relay_stop(relay);
    }
    figures_add("conversations", (double)agents, "per second", &rates);
    harness_cleanup();
}

int main(void)
{
    size_t agents[LIST_MAX];
    bench_init("bench_conversation");
    const size_t count = bench_list("CONVERSATION_AGENTS", "2,8,32,200", agents, LIST_MAX);
    figures_begin("conversation", "Agents that talk in pairs", "agents");
    for (size_t i = 0; i < count; i++) {
        bench_must(agents[i] >= 2 && agents[i] <= AGENTS_MAX && agents[i] % 2 == 0,
            "CONVERSATION_AGENTS: even, to 1000");
        measure(agents[i]);
    }
    figures_note("Two flushes to the disk a conversation: the message and its reply.");
    figures_end();
    for (size_t i = 0; i < AGENTS_MAX; i++)
        free(requests[i]);
    return EXIT_SUCCESS;
}
