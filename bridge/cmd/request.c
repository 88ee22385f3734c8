#include "request.h"

#include <bsd/stdlib.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../common/clock.h"
#include "../../common/mcp.h"
#include "../../common/tool_spec.h"
#include "../../common/utf8.h"
#include "../relay_client.h"
#include "terminal.h"
#include "wording.h"

/* ---- arguments ---- */

/* Everything on stdin but one final newline, as $(…) in a shell takes it. False: why has one line. */
static bool read_content(struct buf *out, struct buf *why)
{
    for (;;) {
        enum { CHUNK = 65536 };
        ssize_t got = read(STDIN_FILENO, buf_reserve(out, CHUNK), CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            buf_printf(why, "cannot read standard input: %s", strerror(errno));
        if (got <= 0)
            break;
        buf_commit(out, (size_t)got);
        if (out->len > REQUEST_CONTENT_MAX_BYTES + 1) {
            buf_printf(why, "standard input has over %d bytes, more than a message can hold",
                REQUEST_CONTENT_MAX_BYTES);
            break;
        }
    }
    if (out->len > 0 && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    return why->len == 0;
}

static bool add_number(
    struct json_object *args, const struct request_arg *arg, const char *text, struct buf *why)
{
    const char *problem = NULL;
    long long number = strtonum(text, LLONG_MIN, LLONG_MAX, &problem);
    if (problem) {
        buf_printf(why, "%s is a whole number, and \"%s\" is none", arg->name, text);
        return false;
    }
    json_add_int(args, arg->name, number);
    return true;
}

static bool add_seconds(
    struct json_object *args, const struct request_arg *arg, const char *text, struct buf *why)
{
    int64_t ms = clock_parse_duration(text);
    if (ms < 0) {
        buf_printf(
            why, "%s is a number of seconds or a duration like 10m, and \"%s\" is neither", arg->name, text);
        return false;
    }
    json_add_int(args, arg->name, ms / MS_PER_SECOND);
    return true;
}

static bool add_text(
    struct json_object *args, const struct request_arg *arg, const char *text, size_t len, struct buf *why)
{
    if (!utf8_valid(text, len) || memchr(text, '\0', len)) {
        buf_printf(why, "%s has to be UTF-8 text without NUL bytes", arg->name);
        return false;
    }
    json_add_text_len(args, arg->name, text, len);
    return true;
}

static bool add_id(struct json_object *args, const struct request_arg *arg, const char *text, struct buf *why)
{
    size_t len = strlen(text);
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    return bracketed ? add_text(args, arg, text + 1, len - 2, why) : add_text(args, arg, text, len, why);
}

static bool add_content(
    struct json_object *args, const struct request_arg *arg, const char *text, struct buf *why)
{
    if (strcmp(text, "-") != 0)
        return add_text(args, arg, text, strlen(text), why);
    struct buf content = {0};
    bool added = read_content(&content, why) && add_text(args, arg, buf_text(&content), content.len, why);
    buf_free(&content);
    return added;
}

/* Puts one given argument where it belongs. False: why has one line. */
static bool add_arg(struct json_object *args, struct request *request, const struct request_arg *arg,
    const char *text, struct buf *why)
{
    switch (arg->kind) {
    case REQUEST_SWITCH:
        *(bool *)((char *)request + arg->offset) = true;
        return true;
    case REQUEST_FLAG:
        json_add_bool(args, arg->name, true);
        return true;
    case REQUEST_NUMBER:
        return add_number(args, arg, text, why);
    case REQUEST_SECONDS:
        return add_seconds(args, arg, text, why);
    case REQUEST_TEXT:
        return add_text(args, arg, text, strlen(text), why);
    case REQUEST_ID:
        return add_id(args, arg, text, why);
    case REQUEST_CONTENT:
        return add_content(args, arg, text, why);
    }
    return false;
}

static bool has_value(const struct request_arg *arg)
{
    return arg->kind != REQUEST_SWITCH && arg->kind != REQUEST_FLAG;
}

/* The table in getopt's form; val is the row's index and one. */
static void make_options(const struct request_spec *spec, struct option options[static REQUEST_ARGS_MAX + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < spec->args_count; i++)
        if (spec->args[i].option)
            options[n++] = (struct option){.name = spec->args[i].option,
                .has_arg = has_value(&spec->args[i]) ? required_argument : no_argument,
                .val = (int)i + 1};
    options[n] = (struct option){0};
}

/* The tools' table and ours speak of the tool's arguments. why is freed. */
static int misuse(const struct request_spec *spec, struct buf *why)
{
    struct buf line = {0};
    wording_problem(&line, buf_text(why));
    int exit_code = command_usage_error(spec->command, "%s", buf_text(&line));
    buf_free(&line);
    buf_free(why);
    return exit_code;
}

static int read_options(
    const struct request_spec *spec, int argc, char **argv, struct request *request, struct json_object *args)
{
    struct option options[REQUEST_ARGS_MAX + 1];
    struct buf why = {0};
    int row;
    make_options(spec, options);
    opterr = 0;
    while ((row = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (row == ':')
            return command_usage_error(spec->command, "%s needs a value", argv[optind - 1]);
        if (row == '?')
            return command_usage_error(spec->command, "unknown option %s", argv[optind - 1]);
        if (add_arg(args, request, &spec->args[row - 1], optarg, &why))
            continue;
        return misuse(spec, &why);
    }
    return COMMAND_DONE;
}

static int read_positionals(
    const struct request_spec *spec, int argc, char **argv, struct request *request, struct json_object *args)
{
    int at = optind;
    struct buf why = {0};
    for (size_t i = 0; i < spec->args_count; i++) {
        const struct request_arg *arg = &spec->args[i];
        if (arg->option || (at >= argc && !arg->required))
            continue;
        if (at >= argc)
            return command_usage_error(spec->command, "%s is missing", arg->shown);
        if (add_arg(args, request, arg, argv[at++], &why))
            continue;
        return misuse(spec, &why);
    }
    return at < argc ? command_usage_error(spec->command, "\"%s\" is one argument too many", argv[at])
                     : COMMAND_DONE;
}

/* Reads the command line into *args, as the tool's own table wants them (owned by the caller). */
static int read_command_line(const struct request_spec *spec, int argc, char **argv, struct request *request,
    struct json_object **args)
{
    struct json_object *given = json_new_object();
    struct buf why = {0};
    int exit_code = read_options(spec, argc, argv, request, given);
    if (exit_code == COMMAND_DONE)
        exit_code = read_positionals(spec, argc, argv, request, given);
    if (exit_code == COMMAND_DONE) {
        *args = tool_spec_check(tool_spec_find(spec->tool), given, &why);
        if (!*args)
            exit_code = misuse(spec, &why);
    }
    json_object_put(given);
    return exit_code;
}

/* ---- the call ---- */

static volatile sig_atomic_t stop_requested;

static void stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

const volatile sig_atomic_t *request_stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &stop_requested;
}

struct json_object *request_structured(const struct relay_reply *reply)
{
    struct json_object *structured = NULL;
    return json_get_object(reply->result, "structuredContent", &structured) == JSON_FIELD_FOUND ? structured
                                                                                                : NULL;
}

static void say(const struct command *command, const char *text)
{
    struct buf words = {0}, line = {0};
    wording_problem(&words, text);
    size_t len = words.len;
    while (len > 0 && words.data[len - 1] == '\n')
        len--;
    terminal_text(&line, buf_text(&words), len);
    fprintf(stderr, "patchcord %s: %s\n", command->name, buf_text(&line));
    buf_free(&line);
    buf_free(&words);
}

int request_failure(const struct command *command, const struct relay_reply *reply)
{
    if (reply->outcome == RELAY_DONE && !relay_reply_is_error(reply))
        return COMMAND_DONE;
    say(command, reply->outcome == RELAY_DONE ? relay_reply_text(reply) : reply->problem);
    return reply->outcome == RELAY_TOKEN_REFUSED ? COMMAND_TOKEN_REFUSED : COMMAND_ERROR;
}

/* Puts the answer into out. False where it lacks what is to be printed. */
static bool compose(const struct request_spec *spec, const struct request *request,
    const struct relay_reply *reply, struct buf *out)
{
    struct json_object *structured = request_structured(reply);
    if (!structured && (request->json || spec->format)) {
        say(spec->command, "the relay's answer has no structured content: it is older than this program");
        return false;
    }
    if (request->json) {
        struct json_object *selected = spec->select ? spec->select(structured) : json_object_get(structured);
        terminal_json(out, selected);
        json_object_put(selected);
    } else if (spec->format) {
        spec->format(structured, out);
    } else {
        struct buf words = {0};
        wording_text(&words, relay_reply_text(reply));
        terminal_text(out, buf_text(&words), words.len);
        buf_free(&words);
        if (out->len > 0 && out->data[out->len - 1] != '\n')
            buf_putc(out, '\n');
    }
    return true;
}

static void say_what_is_left(
    const struct request_spec *spec, const struct request *request, const struct relay_reply *reply)
{
    struct json_object *pending = NULL, *structured = request_structured(reply);
    if (!spec->left_there || request->take || request->json || !structured)
        return;
    if (json_get_array(structured, "pending", &pending) == JSON_FIELD_FOUND &&
        json_object_array_length(pending) > 0)
        say(spec->command, spec->left_there);
}

/* Prints, and acknowledges what was offered: only then has its reader seen it. */
static int show(const struct request_spec *spec, const struct request *request, struct relay_client *client,
    const struct relay_reply *reply)
{
    struct buf out = {0}, why = {0};
    bool ran_out = reply->offer.timed_out;
    int exit_code = compose(spec, request, reply, &out) ? COMMAND_DONE : COMMAND_ERROR;
    if (exit_code == COMMAND_DONE && ran_out && !request->json)
        fputs(buf_text(&out), stderr); /* nothing came: a script's variable stays empty */
    else if (exit_code == COMMAND_DONE && !terminal_print(&out))
        exit_code = COMMAND_ERROR;
    if (exit_code == COMMAND_DONE)
        say_what_is_left(spec, request, reply);
    if (exit_code == COMMAND_DONE && !relay_client_ack(client, reply, &why)) {
        buf_puts(&why, "; what was shown will be shown again");
        say(spec->command, buf_text(&why));
    }
    buf_free(&out);
    buf_free(&why);
    return exit_code == COMMAND_DONE && ran_out ? COMMAND_RAN_OUT : exit_code;
}

static struct json_object *make_meta(const struct request_spec *spec, const struct request *request)
{
    struct json_object *meta = json_new_object();
    if (spec->peeks && !request->take)
        json_add_bool(meta, PATCHCORD_META_PEEK, true);
    if (request->json || spec->format || spec->left_there)
        json_add_bool(meta, PATCHCORD_META_STRUCTURED, true);
    return meta;
}

static int call(const struct request_spec *spec, const struct request *request, const struct config *config,
    struct json_object *args)
{
    struct relay_reply reply = {0};
    struct relay_client *client = relay_client_new(config, request_stop_on_signals());
    struct json_object *meta = make_meta(spec, request);
    relay_client_call(client, spec->tool, args, meta, &reply);
    int exit_code = request_failure(spec->command, &reply);
    if (exit_code == COMMAND_DONE)
        exit_code = show(spec, request, client, &reply);
    json_object_put(meta);
    relay_reply_free(&reply);
    relay_client_free(client);
    return exit_code;
}

int request_run(const struct request_spec *spec, const struct config_options *options, int argc, char **argv)
{
    struct request request = {0};
    struct json_object *args = NULL;
    struct config config;
    struct buf why = {0};
    int exit_code = read_command_line(spec, argc, argv, &request, &args);
    if (exit_code != COMMAND_DONE)
        return exit_code;
    if (config_load(options, &config, &why)) {
        exit_code = call(spec, &request, &config, args);
        config_free(&config);
    } else {
        say(spec->command, buf_text(&why));
        exit_code = COMMAND_ERROR;
    }
    json_object_put(args);
    buf_free(&why);
    return exit_code;
}
