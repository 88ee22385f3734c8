#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/json.h"

/* A session in short. recall changes nothing, and passes through everything that other calls do. */
static const char session[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"patchcord-trial\",\"version\":\"" PATCHCORD_VERSION
    "\"}}}\n"
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/"
    "call\",\"params\":{\"name\":\"recall\",\"arguments\":{\"limit\":1}}}\n";
enum { CALL_ID = 2 };

struct trial {
    pid_t child;
    int to, from;
    struct buf heard;
};

static bool make_pipes(int in[2], int out[2])
{
    if (pipe2(in, O_CLOEXEC) < 0)
        return false;
    if (pipe2(out, O_CLOEXEC) == 0)
        return true;
    close(in[0]);
    close(in[1]);
    return false;
}

/* Returns 0 or an errno. */
static int spawn(struct trial *trial, char *const *argv, int in, int out)
{
    posix_spawn_file_actions_t pipes;
    int failed = posix_spawn_file_actions_init(&pipes);
    if (failed)
        return failed;
    failed = posix_spawn_file_actions_adddup2(&pipes, in, STDIN_FILENO);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(&pipes, out, STDOUT_FILENO);
    if (!failed)
        failed = posix_spawn(&trial->child, argv[0], &pipes, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&pipes);
    return failed;
}

static bool begin(struct trial *trial, char *const *argv, struct buf *why)
{
    int in[2], out[2];
    *trial = (struct trial){.child = -1};
    int failed = make_pipes(in, out) ? spawn(trial, argv, in[0], out[1]) : errno;
    if (failed) {
        buf_printf(why, "%s cannot be started: %s", argv[0], strerror(failed));
        return false;
    }
    close(in[0]);
    close(out[1]);
    trial->to = in[1];
    trial->from = out[0];
    /* It fits into any pipe. */
    return write(trial->to, session, sizeof session - 1) == (ssize_t)sizeof session - 1;
}

static void end(struct trial *trial)
{
    close(trial->to);
    close(trial->from);
    if (trial->child > 0) {
        kill(trial->child, SIGTERM);
        while (waitpid(trial->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    buf_wipe(&trial->heard);
}

/* The answer to the call in a line; NULL: it is another one. */
static struct json_object *answer_in(const char *line, size_t len)
{
    enum json_fault fault;
    int64_t id = 0;
    struct json_object *message = json_parse(line, len, &fault);
    if (message && json_get_int(message, "id", &id) == JSON_FIELD_FOUND && id == CALL_ID)
        return message;
    json_object_put(message);
    return NULL;
}

/* Looks through the whole lines that came, and drops them. */
static struct json_object *look(struct trial *trial)
{
    struct json_object *answer = NULL;
    const char *end_of_line;
    while (!answer && trial->heard.len > 0 &&
           (end_of_line = memchr(trial->heard.data, '\n', trial->heard.len)) != NULL) {
        size_t len = (size_t)(end_of_line - trial->heard.data);
        answer = answer_in(trial->heard.data, len);
        buf_consume(&trial->heard, len + 1);
    }
    return answer;
}

/* NULL: it ended, or the time is over. */
static struct json_object *await(struct trial *trial)
{
    enum { CHUNK = 4096 };
    struct pollfd readable = {.fd = trial->from, .events = POLLIN};
    int64_t until = clock_mono_ms() + TRIAL_TIMEOUT_MS;
    for (;;) {
        struct json_object *answer = look(trial);
        int64_t left = until - clock_mono_ms();
        if (answer || left <= 0)
            return answer;
        if (poll(&readable, 1, (int)left) < 0 && errno != EINTR)
            return NULL;
        if (!readable.revents)
            continue;
        ssize_t got = read(trial->from, buf_reserve(&trial->heard, CHUNK), CHUNK);
        if (got == 0 || (got < 0 && errno != EINTR))
            return NULL;
        buf_commit(&trial->heard, got > 0 ? (size_t)got : 0);
    }
}

static bool is_good(struct json_object *answer, struct buf *why)
{
    struct json_object *result, *content, *fault;
    bool is_error = false;
    if (json_get_object(answer, "error", &fault) == JSON_FIELD_FOUND) {
        buf_puts(why, json_text_or(fault, "message", "the bridge answers with an error"));
        return false;
    }
    bool found = json_get_object(answer, "result", &result) == JSON_FIELD_FOUND &&
                 json_get_array(result, "content", &content) == JSON_FIELD_FOUND;
    if (found && (json_get_bool(result, "isError", &is_error) != JSON_FIELD_FOUND || !is_error))
        return true;
    buf_puts(why, found ? json_text_or(json_object_array_get_idx(content, 0), "text", "")
                        : "the bridge answers nothing");
    return false;
}

bool trial_run(char *const *argv, int64_t *took_ms, struct buf *why)
{
    struct trial trial;
    struct json_object *answer = NULL;
    int64_t began = clock_mono_ms();
    bool ok = begin(&trial, argv, why);
    if (ok) {
        answer = await(&trial);
        *took_ms = clock_mono_ms() - began;
        ok = answer && is_good(answer, why);
    }
    if (!ok && why->len == 0)
        buf_printf(why, "%s did not answer", argv[0]);
    json_object_put(answer);
    if (trial.child > 0)
        end(&trial);
    return ok;
}
