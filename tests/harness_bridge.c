#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/json.h"
#include "harness_process.h"

enum { TOOL_TIMEOUT_MS = 60 * 1000, ARGS_MAX = 8 };

struct bridge_entry {
    struct bridge_process bridge; /* first: what tests hold is a pointer to it */
    LIST_ENTRY(bridge_entry) entries;
};
static LIST_HEAD(, bridge_entry) bridges = LIST_HEAD_INITIALIZER(bridges);

struct bridge_process *bridge_start(
    const struct relay_process *relay, const char *token, const char *const env[])
{
    return bridge_start_with(relay, token, env, (const char *const[]){NULL});
}

struct bridge_process *bridge_start_with(
    const struct relay_process *relay, const char *token, const char *const env[], const char *const args[])
{
    const char *argv[ARGS_MAX + 3] = {"patchcord", "mcp"};
    for (size_t i = 0; args[i]; i++) {
        if (i == ARGS_MAX)
            harness_fail("more than %d arguments for a bridge", ARGS_MAX);
        argv[i + 2] = args[i];
    }
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        harness_fail("pipe: %s", strerror(errno));
    struct bridge_entry *entry = xcalloc(1, sizeof *entry);
    LIST_INSERT_HEAD(&bridges, entry, entries);
    char *url = xasprintf(relay ? "PATCHCORD_URL=%s" : "PATCHCORD_URL", relay ? relay->url : "");
    char *bearer = xasprintf(token ? "PATCHCORD_TOKEN=%s" : "PATCHCORD_TOKEN", token ? token : "");
    int log = process_log_open(&entry->bridge.log_path);
    struct process_options options = {.argv = argv,
        .env = {(const char *const[]){url, bearer, NULL}, env},
        .in = in[0],
        .out = out[1],
        .err = log};
    entry->bridge.pid = process_start(&options);
    entry->bridge.in = in[1];
    entry->bridge.out = out[0];
    entry->bridge.next_id = 1;
    entry->bridge.kept = json_new_array();
    close(in[0]);
    close(out[1]);
    close(log);
    free(url);
    free(bearer);
    return &entry->bridge;
}

void bridge_send_line(struct bridge_process *bridge, const char *line)
{
    char *whole = xasprintf("%s\n", line);
    size_t len = strlen(whole);
    for (size_t put = 0; put < len;) {
        ssize_t n = write(bridge->in, whole + put, len - put);
        if (n < 0 && errno != EINTR)
            harness_fail("write to the bridge: %s", strerror(errno));
        put += n > 0 ? (size_t)n : 0;
    }
    free(whole);
}

/* The first whole line of what was read, or NULL. */
static struct json_object *line_take(struct bridge_process *bridge)
{
    char *data = bridge->pending.data, *end = data ? memchr(data, '\n', bridge->pending.len) : NULL;
    if (!end)
        return NULL;
    size_t len = (size_t)(end - data);
    enum json_fault fault;
    struct json_object *value = json_parse(data, len, &fault);
    if (!value)
        harness_fail("the bridge wrote a line that %s: %.*s", json_fault_text(fault), (int)len, data);
    buf_consume(&bridge->pending, len + 1);
    return value;
}

static struct json_object *line_read(struct bridge_process *bridge, int64_t deadline_us)
{
    enum { CHUNK = 65536 };
    for (;;) {
        struct json_object *value = line_take(bridge);
        int64_t left_us = deadline_us - now_us();
        struct pollfd fd = {.fd = bridge->out, .events = POLLIN};
        if (value || bridge->out < 0)
            return value;
        if (poll(&fd, 1, left_us > 0 ? (int)(left_us / 1000) + 1 : 0) <= 0) {
            if (left_us <= 0)
                return NULL;
            continue;
        }
        ssize_t got = read(bridge->out, buf_reserve(&bridge->pending, CHUNK), CHUNK);
        if (got == 0)
            return NULL;
        buf_commit(&bridge->pending, got > 0 ? (size_t)got : 0);
    }
}

/* Takes entry number at off the kept ones. */
static struct json_object *kept_take(struct bridge_process *bridge, size_t at)
{
    struct json_object *value = json_object_get(json_object_array_get_idx(bridge->kept, at));
    json_object_array_del_idx(bridge->kept, at, 1);
    return value;
}

static int64_t deadline_after(int timeout_ms)
{
    return now_us() + (int64_t)harness_patience(timeout_ms) * 1000;
}

struct json_object *bridge_read(struct bridge_process *bridge, int timeout_ms)
{
    if (json_object_array_length(bridge->kept) > 0)
        return kept_take(bridge, 0);
    return line_read(bridge, deadline_after(timeout_ms));
}

int64_t bridge_call_begin(struct bridge_process *bridge, const char *tool, const char *args)
{
    int64_t id = bridge->next_id++;
    char *line =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
                  "\"arguments\":%s}}",
            (long long)id, tool, args ? args : "{}");
    bridge_send_line(bridge, line);
    free(line);
    return id;
}

static bool answers(struct json_object *value, int64_t id)
{
    int64_t number = 0;
    return json_get_int(value, "id", &number) == JSON_FIELD_FOUND && number == id;
}

static struct json_object *answer_await(struct bridge_process *bridge, int64_t id, int64_t deadline_us)
{
    for (size_t i = 0; i < json_object_array_length(bridge->kept); i++)
        if (answers(json_object_array_get_idx(bridge->kept, i), id))
            return kept_take(bridge, i);
    for (;;) {
        struct json_object *value = line_read(bridge, deadline_us);
        if (!value || answers(value, id))
            return value;
        json_append(bridge->kept, value);
    }
}

char *bridge_call_end(struct bridge_process *bridge, int64_t id, int timeout_ms, bool *is_error)
{
    struct json_object *answer = answer_await(bridge, id, deadline_after(timeout_ms));
    if (!answer)
        harness_fail(
            "the bridge did not answer call %lld within %d ms", (long long)id, harness_patience(timeout_ms));
    char *text = xstrdup(mcp_result_text(answer, is_error));
    json_object_put(answer);
    return text;
}

char *bridge_tool(struct bridge_process *bridge, const char *tool, const char *args, bool *is_error)
{
    return bridge_call_end(bridge, bridge_call_begin(bridge, tool, args), TOOL_TIMEOUT_MS, is_error);
}

static void descriptors_close(struct bridge_process *bridge)
{
    if (bridge->in >= 0)
        close(bridge->in);
    if (bridge->out >= 0)
        close(bridge->out);
    bridge->in = bridge->out = -1;
}

int bridge_end(struct bridge_process *bridge)
{
    if (bridge->in >= 0)
        close(bridge->in);
    bridge->in = -1;
    int exit_code = -1;
    if (!process_wait(bridge->pid, harness_patience(PROCESS_END_MS), &exit_code)) {
        kill(bridge->pid, SIGKILL);
        waitpid(bridge->pid, NULL, 0);
    }
    bridge->pid = 0;
    descriptors_close(bridge);
    process_log_check(bridge->log_path);
    return exit_code;
}

void bridge_kill(struct bridge_process *bridge)
{
    kill(bridge->pid, SIGKILL);
    waitpid(bridge->pid, NULL, 0);
    bridge->pid = 0;
    descriptors_close(bridge);
}

static void bridge_free(struct bridge_entry *entry)
{
    LIST_REMOVE(entry, entries);
    descriptors_close(&entry->bridge);
    buf_free(&entry->bridge.pending);
    json_object_put(entry->bridge.kept);
    free(entry->bridge.log_path);
    free(entry);
}

void bridges_cleanup(void)
{
    struct bridge_entry *entry;
    LIST_FOREACH(entry, &bridges, entries)
    if (entry->bridge.in >= 0) {
        close(entry->bridge.in);
        entry->bridge.in = -1;
    }
    while ((entry = LIST_FIRST(&bridges))) {
        if (entry->bridge.pid > 0 && bridge_end(&entry->bridge) != 0)
            harness_fail("a bridge did not end with 0 at the end of its input; see its log above");
        bridge_free(entry);
    }
}
