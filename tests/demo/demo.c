/* demo: two agents talk through a relay, before your eyes. The relay is a real one on a free port with a
 * temporary folder; the agents are two bridges, spoken to over stdio as an agent's program speaks to them.
 * Exits 0 only where the whole conversation happened. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { ANSWER_MS = 20 * 1000, TEXT_COLUMN = 22 };

struct agent {
    const char *name;
    struct bridge_process *bridge;
};

static void failed(const char *message)
{
    static bool failing;
    fflush(stdout);
    fprintf(stderr, "demo: %s\n", message);
    if (!failing) {
        failing = true;
        harness_cleanup();
    }
    exit(EXIT_FAILURE);
}

/* ---- showing ---- */

static int64_t began_us;

static void show(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void show(const char *who, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("%7.1f ms  %-8s  ", (double)(now_us() - began_us) / 1000, who);
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")))
        if (*line)
            printf("%*s%s\n", line == text ? 0 : TEXT_COLUMN, "", line);
    fflush(stdout);
}

static void must(bool happened, const char *what, const char *seen)
{
    if (happened)
        return;
    char *message = xasprintf("%s; instead:\n%s", what, seen);
    failed(message);
}

/* ---- agents ---- */

/* As an agent's program begins: initialize, then notifications/initialized. */
static struct agent agent_start(struct relay_process *relay, const char *name)
{
    char *address = xasprintf("%s@demo", name), *token = relay_token(relay, address);
    int64_t spawned_us = now_us();
    struct agent agent = {.name = name, .bridge = bridge_start(relay, token, NULL)};
    bridge_send_line(agent.bridge,
        "{\"jsonrpc\":\"2.0\",\"id\":\"hello\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"demo\",\"version\":\"1\"}}}");
    struct json_object *answer = bridge_read(agent.bridge, ANSWER_MS), *result = NULL;
    must(json_get_object(answer, "result", &result) == JSON_FIELD_FOUND,
        "the bridge has to answer initialize", answer ? json_object_to_json_string(answer) : "nothing");
    double ready_ms = (double)(now_us() - spawned_us) / 1000;
    bridge_send_line(agent.bridge, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    show(name, "starts its bridge, `patchcord mcp`, as %s: ready after %.1f ms", address, ready_ms);
    json_object_put(answer);
    free(token);
    free(address);
    return agent;
}

static int64_t agent_wait(struct relay_process *relay, const struct agent *agent)
{
    int64_t call = bridge_call_begin(agent->bridge, "wait_for_message", "{\"timeout_seconds\":60}");
    must(relay_await_parked(relay, 1), "the wait has to park at the relay", "it did not");
    show(agent->name, "waits for a message");
    return call;
}

/* When each of the two bridges has something to read. */
static void await_both(const struct agent *a, const struct agent *b, int64_t readable_us[2])
{
    struct pollfd fds[] = {
        {.fd = a->bridge->out, .events = POLLIN}, {.fd = b->bridge->out, .events = POLLIN}};
    readable_us[0] = readable_us[1] = 0;
    int64_t deadline = now_us() + (int64_t)ANSWER_MS * 1000;
    while ((fds[0].fd >= 0 || fds[1].fd >= 0) && now_us() < deadline) {
        poll(fds, 2, 100);
        for (size_t i = 0; i < 2; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            readable_us[i] = now_us();
            fds[i].fd = -1;
        }
    }
}

/* One agent says something, by a tool; the other's waiting call brings it. Returns the message's id. */
static char *hop(const struct agent *from, const struct agent *to, int64_t wait, const char *tool,
    const char *args, const char *content)
{
    bool failed_send = false, failed_wait = false;
    int64_t readable_us[2], said_us = now_us(), said = bridge_call_begin(from->bridge, tool, args);
    show(from->name, "%s: \"%s\"", tool, content);
    await_both(from, to, readable_us);
    char *sent = bridge_call_end(from->bridge, said, ANSWER_MS, &failed_send);
    char *got = bridge_call_end(to->bridge, wait, ANSWER_MS, &failed_wait);
    must(!failed_send, "the relay has to take the message", sent);
    show(from->name, "%s", sent);
    show(to->name, "%s", got);
    char *fenced = xasprintf("\n> %s\n", content), *heading = xasprintf("From %s (", from->name);
    must(!failed_wait && strstr(got, fenced) && strstr(got, heading),
        "the waiting call has to bring the message", got);
    printf("%*sstored after %.1f ms, in %s's hands after %.1f ms\n\n", TEXT_COLUMN, "",
        (double)(readable_us[0] - said_us) / 1000, to->name, (double)(readable_us[1] - said_us) / 1000);
    char *id = id_of_sent(got);
    free(fenced);
    free(heading);
    free(sent);
    free(got);
    return id;
}

int main(void)
{
    static const char question[] = "run the migration", answer[] = "done \u2014 3 tables created";
    harness_on_failure = failed;
    signal(SIGPIPE, SIG_IGN);
    began_us = now_us();
    struct relay_process *relay = relay_start(NULL, NULL);
    show("relay", "serves at %s, with its data in a temporary folder", relay->url);
    struct agent frontend = agent_start(relay, "frontend"), backend = agent_start(relay, "backend");
    printf("\n");

    int64_t wait = agent_wait(relay, &backend);
    char *args = xasprintf("{\"to\":\"backend\",\"content\":\"%s\"}", question);
    char *id = hop(&frontend, &backend, wait, "send_message", args, question);
    free(args);

    wait = agent_wait(relay, &frontend);
    args = xasprintf("{\"message_id\":\"%s\",\"content\":\"%s\"}", id, answer);
    free(id);
    id = hop(&backend, &frontend, wait, "reply", args, answer);
    free(args);
    free(id);

    must(bridge_end(frontend.bridge) == 0 && bridge_end(backend.bridge) == 0,
        "the bridges have to end with 0", "");
    must(relay_stop(relay) == 0, "the relay has to end with 0", "");
    harness_cleanup();
    show("demo", "both messages arrived and were answered; everything is cleaned up");
    return EXIT_SUCCESS;
}
