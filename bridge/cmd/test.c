/* test: a message to oneself and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/mcp.h"
#include "../../common/tool_spec.h"
#include "../outbox.h"
#include "../relay_ask.h"
#include "../relay_client.h"
#include "commands.h"
#include "request.h"
#include "terminal.h"

#define CONTENT "A test of patchcord test."

struct trip {
    const struct config *config;
    struct relay_client *client;
    char *self; /* "agent@namespace" */
};

static int fail(struct buf *why)
{
    struct buf line = {0};
    terminal_word(&line, buf_text(why));
    fprintf(stderr, "patchcord test: %s\n", buf_text(&line));
    buf_free(&line);
    return COMMAND_ERROR;
}

static void say_step(const char *what, int64_t begun_ms)
{
    printf("%-42s %5lld ms\n", what, (long long)(clock_mono_ms() - begun_ms));
}

/* ---- who we are, as the relay knows it ---- */

static int find_self(struct trip *trip)
{
    enum { HTTP_OK = 200, HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403 };
    struct relay_answer answer;
    struct buf why = {0};
    int exit_code = COMMAND_DONE;
    int64_t begun = clock_mono_ms();
    struct relay_asker *asker = relay_asker_new(trip->config, request_stop_on_signals());
    relay_ask_get(asker, "/api/inbox?count_only=1", &answer);
    if (answer.status == HTTP_OK && answer.json) {
        trip->self = xstrdup(json_text_or(answer.json, "agent_id", ""));
        say_step("the relay knows the token", begun);
    } else {
        bool refused = answer.status == HTTP_UNAUTHORIZED || answer.status == HTTP_FORBIDDEN;
        relay_answer_problem(&answer, trip->config->url, &why);
        fail(&why);
        exit_code = refused ? COMMAND_TOKEN_REFUSED : COMMAND_ERROR;
    }
    buf_free(&why);
    relay_answer_free(&answer);
    relay_asker_free(asker);
    return exit_code;
}

/* ---- the steps ---- */

/* args is taken over. */
static int call(
    const struct trip *trip, const char *tool, struct json_object *args, struct relay_reply *reply)
{
    /* What is unread holds a send back that it may concern; it does not concern this one, and stays as it is. */
    struct json_object *meta = json_new_object();
    json_add_bool(meta, PATCHCORD_META_QUEUED, true);
    struct buf why = {0};
    struct json_object *checked = tool_spec_check(tool_spec_find(tool), args, &why);
    int exit_code = COMMAND_ERROR;
    json_add_bool(meta, PATCHCORD_META_STRUCTURED, true);
    if (checked) {
        relay_client_call(trip->client, tool, checked, meta, reply);
        exit_code = request_failure(&command_test, reply);
    } else {
        fail(&why);
    }
    json_object_put(checked);
    json_object_put(args);
    json_object_put(meta);
    buf_free(&why);
    return exit_code;
}

/* What went into the outbox instead of to the relay does not stay there. */
static int send_it(const struct trip *trip, char id[static UUID_SIZE])
{
    struct json_object *args = json_new_object();
    struct relay_reply reply = {0};
    struct buf why = {0};
    json_add_text(args, "to", trip->self);
    json_add_text(args, "content", CONTENT);
    int exit_code = call(trip, "send_message", args, &reply);
    memcpy(id, reply.message_id, UUID_SIZE);
    const char *status = json_text_or(request_structured(&reply), "status", "");
    if (exit_code == COMMAND_DONE && strcmp(status, "sent") != 0) {
        outbox_drop(relay_client_outbox(trip->client), id, true);
        buf_puts(&why, "the relay did not take the message now (patchcord outbox list, patchcord doctor)");
        exit_code = fail(&why);
    }
    buf_free(&why);
    relay_reply_free(&reply);
    return exit_code;
}

static bool has_content(const struct relay_reply *reply)
{
    struct json_object *messages = NULL;
    if (json_get_array(request_structured(reply), "messages", &messages) != JSON_FIELD_FOUND ||
        json_object_array_length(messages) != 1)
        return false;
    return strcmp(json_text_or(json_object_array_get_idx(messages, 0), "content", ""), CONTENT) == 0;
}

static int find_it(const struct trip *trip, const char *id)
{
    struct json_object *args = json_new_object();
    struct relay_reply reply = {0};
    struct buf why = {0};
    json_add_text(args, "message_id", id);
    int exit_code = call(trip, "recall", args, &reply);
    if (exit_code == COMMAND_DONE && !has_content(&reply)) {
        buf_puts(&why, "what came back is not what was sent");
        exit_code = fail(&why);
    }
    buf_free(&why);
    relay_reply_free(&reply);
    return exit_code;
}

/* A message to oneself is deferred: it is closed, so that it is shown to nobody. */
static int close_it(const struct trip *trip, const char *id)
{
    struct json_object *args = json_new_object();
    struct relay_reply reply = {0};
    json_add_text(args, "message_id", id);
    json_add_bool(args, "resolve", true);
    int exit_code = call(trip, "reply", args, &reply);
    relay_reply_free(&reply);
    return exit_code;
}

static int go_around(struct trip *trip)
{
    char id[UUID_SIZE] = "";
    int exit_code = find_self(trip);
    if (exit_code != COMMAND_DONE)
        return exit_code;
    int64_t begun = clock_mono_ms(), at = begun;
    exit_code = send_it(trip, id);
    if (exit_code != COMMAND_DONE)
        return exit_code;
    say_step("a message to oneself was sent", at);
    at = clock_mono_ms();
    exit_code = find_it(trip, id);
    if (exit_code == COMMAND_DONE)
        say_step("it came back", at);
    at = clock_mono_ms();
    int closed = close_it(trip, id);
    if (closed == COMMAND_DONE)
        say_step("it was closed, and is not in the inbox", at);
    return exit_code == COMMAND_DONE ? closed : exit_code;
}

static int run(const struct config_options *options, int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return command_usage_error(&command_test, "it takes no argument");
    struct config config;
    struct buf why = {0};
    if (!config_load(options, &config, &why)) {
        int exit_code = fail(&why);
        buf_free(&why);
        return exit_code;
    }
    struct trip trip = {.config = &config, .client = relay_client_new(&config, request_stop_on_signals())};
    int exit_code = go_around(&trip);
    relay_client_free(trip.client);
    free(trip.self);
    config_free(&config);
    return exit_code;
}

const struct command command_test = {
    .name = "test",
    .usage = "patchcord test [--as AGENT@NAMESPACE] [--client NAME]",
    .summary = "a message to yourself and back, with times",
    .help = "Asks the relay whose the token is, sends that agent (you) a message, finds it again, and closes "
            "it,\n"
            "so that nothing of it is in the inbox. Unread messages stay as they are, and do not hinder it. "
            "Each\n"
            "step is a line with its time. What is wrong where it fails, patchcord doctor "
            "says.\n" REQUEST_EXIT_CODES,
    .run = run,
};
