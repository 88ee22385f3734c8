/* tail: one's conversations as they happen. Events of the relay only wake it; what it prints comes from
 * recall, which changes nothing and knows both directions. */
#include <bsd/stdlib.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/mcp.h"
#include "../../common/uuid.h"
#include "../event_listener.h"
#include "../relay_client.h"
#include "commands.h"
#include "request.h"
#include "terminal.h"

enum {
    WINDOW = 100,              /* messages a look sees: recall's most */
    LOOK_MS = 1000,            /* between looks at least: a burst of events is one */
    QUIET_LOOK_MS = 10 * 1000, /* without an event, when a keep-alive comes */
    PAUSE_STEP_MS = 250,
};

struct tail {
    const volatile sig_atomic_t *stop;
    struct relay_client *caller;   /* a look happens while the listener's stream is open */
    char known[WINDOW][UUID_SIZE]; /* the last look's, newest first */
    size_t known_count;
    int64_t last;      /* how many to print of what was there before; -1 after the first look */
    int64_t looked_ms; /* monotonic */
    bool woken;        /* by an event, since the last look */
    bool json;
    int exit_code;
};

/* ---- printing ---- */

static void append_time(struct buf *out, const char *sent_at)
{
    int64_t ms = clock_parse_rfc3339(sent_at);
    time_t seconds = (time_t)(ms / MS_PER_SECOND);
    struct tm local;
    char text[sizeof "23:59:59"] = "";
    if (ms >= 0 && localtime_r(&seconds, &local))
        strftime(text, sizeof text, "%H:%M:%S", &local);
    buf_puts(out, text);
}

/* 07:13:34 frontend to backend [id] thread auth-migration, and the content below. */
static void append_message(struct buf *out, struct json_object *message)
{
    const char *content = "", *thread = json_text_or(message, "thread", "");
    size_t len = 0;
    (void)json_get_text(message, "content", &content, &len);
    append_time(out, json_text_or(message, "sent_at", ""));
    buf_putc(out, ' ');
    terminal_word(out, json_text_or(message, "from", ""));
    buf_puts(out, " to ");
    terminal_word(out, json_text_or(message, "to", ""));
    buf_puts(out, " [");
    terminal_word(out, json_text_or(message, "message_id", ""));
    buf_putc(out, ']');
    if (*thread) {
        buf_puts(out, " thread ");
        terminal_word(out, thread);
    }
    buf_putc(out, '\n');
    fence_text(out, content, len, SIZE_MAX);
}

static bool print_message(const struct tail *tail, struct json_object *message)
{
    struct buf out = {0};
    if (tail->json)
        terminal_json(&out, message);
    else
        append_message(&out, message);
    bool printed = terminal_print(&out);
    buf_free(&out);
    return printed;
}

/* ---- looking ---- */

static bool is_known(const struct tail *tail, const char *id)
{
    for (size_t i = 0; i < tail->known_count; i++)
        if (strcmp(tail->known[i], id) == 0)
            return true;
    return false;
}

/* How many at the front of the newest-first list came since the last look. */
static size_t count_new(const struct tail *tail, struct json_object *messages, size_t count)
{
    size_t n = 0;
    while (
        n < count && !is_known(tail, json_text_or(json_object_array_get_idx(messages, n), "message_id", "")))
        n++;
    if (tail->last < 0)
        return n;
    return count < (size_t)tail->last ? count : (size_t)tail->last;
}

static void remember(struct tail *tail, struct json_object *messages, size_t count)
{
    tail->known_count = 0;
    for (size_t i = 0; i < count && i < WINDOW; i++) {
        const char *id = json_text_or(json_object_array_get_idx(messages, i), "message_id", "");
        if (uuid_parse(id, strlen(id), tail->known[tail->known_count]))
            tail->known_count++;
    }
    tail->last = -1;
}

/* Prints what is new, oldest first. */
static void print_new(struct tail *tail, struct json_object *structured)
{
    struct json_object *messages = NULL;
    if (json_get_array(structured, "messages", &messages) != JSON_FIELD_FOUND)
        return;
    size_t count = json_object_array_length(messages), fresh = count_new(tail, messages, count);
    if (tail->last < 0 && fresh == WINDOW && tail->known_count > 0)
        fprintf(stderr,
            "patchcord tail: more than %d came at once; `patchcord recall` has the earlier ones\n", WINDOW);
    for (size_t i = fresh; i-- > 0 && tail->exit_code == COMMAND_DONE;)
        if (!print_message(tail, json_object_array_get_idx(messages, i)))
            tail->exit_code = COMMAND_ERROR;
    remember(tail, messages, count);
}

/* A relay that is away is no end: the next look comes. */
static bool is_passing(const struct relay_reply *reply)
{
    return reply->outcome == RELAY_UNREACHABLE || reply->outcome == RELAY_UNCERTAIN ||
           reply->outcome == RELAY_STOPPED;
}

static void look(struct tail *tail)
{
    struct relay_reply reply = {0};
    struct json_object *args = json_new_object(), *meta = json_new_object();
    json_add_int(args, "limit", WINDOW);
    json_add_bool(meta, PATCHCORD_META_STRUCTURED, true);
    relay_client_call(tail->caller, "recall", args, meta, &reply);
    if (!is_passing(&reply))
        tail->exit_code = request_failure(&command_tail, &reply);
    if (reply.outcome == RELAY_DONE && tail->exit_code == COMMAND_DONE)
        print_new(tail, request_structured(&reply));
    tail->looked_ms = clock_mono_ms();
    json_object_put(args);
    json_object_put(meta);
    relay_reply_free(&reply);
}

static bool look_again(void *arg)
{
    struct tail *tail = arg;
    if (!*tail->stop)
        look(tail);
    return tail->exit_code == COMMAND_DONE;
}

/* ---- listening ---- */

static void pause_ms(const struct tail *tail, int64_t ms)
{
    while (ms > 0 && !*tail->stop) {
        int64_t step = ms < PAUSE_STEP_MS ? ms : PAUSE_STEP_MS;
        struct timespec nap = {.tv_nsec = (long)(step * 1000000)};
        nanosleep(&nap, NULL);
        ms -= step;
    }
}

static bool event_heard(void *arg, const char *name, const struct buf *data)
{
    struct tail *tail = arg;
    (void)name;
    (void)data;
    tail->woken = true;
    return true;
}

/* An event wakes us, and a keep-alive is the time to see what this side has sent. */
static bool stream_heard(void *arg)
{
    struct tail *tail = arg;
    if (!tail->woken && clock_mono_ms() < tail->looked_ms + QUIET_LOOK_MS)
        return true;
    tail->woken = false;
    pause_ms(tail, tail->looked_ms + LOOK_MS - clock_mono_ms());
    return look_again(tail);
}

static void follow(struct tail *tail, const struct config *config)
{
    const struct event_listener_setup listener = {.config = config,
        .stop = tail->stop,
        .heard = event_heard,
        .beat = stream_heard,
        .again = look_again,
        .arg = tail};
    struct relay_reply reply = {0};
    if (!look_again(tail) || *tail->stop)
        return;
    event_listener_run(&listener, &reply);
    if (reply.outcome != RELAY_DONE && reply.outcome != RELAY_STOPPED)
        tail->exit_code = request_failure(&command_tail, &reply);
    relay_reply_free(&reply);
}

/* ---- the command ---- */

static int read_options(struct tail *tail, int argc, char **argv)
{
    static const struct option options[] = {
        {.name = "last", .has_arg = required_argument, .val = 'n'}, {.name = "json", .val = 'j'}, {0}};
    const char *problem = NULL;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":n:", options, NULL)) != -1) {
        if (option == 'j')
            tail->json = true;
        else if (option == 'n')
            tail->last = strtonum(optarg, 0, WINDOW, &problem);
        else
            return command_usage_error(
                &command_tail, option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
        if (problem)
            return command_usage_error(&command_tail, "-n takes a number from 0 to %d", WINDOW);
    }
    return optind < argc ? command_usage_error(&command_tail, "it takes no argument") : COMMAND_DONE;
}

static int run(const struct config_options *options, int argc, char **argv)
{
    struct tail tail = {.exit_code = COMMAND_DONE};
    struct config config;
    struct buf why = {0};
    int usage = read_options(&tail, argc, argv);
    if (usage != COMMAND_DONE)
        return usage;
    if (!config_load(options, &config, &why)) {
        fprintf(stderr, "patchcord tail: %s\n", buf_text(&why));
        buf_free(&why);
        return COMMAND_ERROR;
    }
    tail.stop = request_stop_on_signals();
    tail.caller = relay_client_new(&config, tail.stop);
    follow(&tail, &config);
    relay_client_free(tail.caller);
    config_free(&config);
    return tail.exit_code;
}

const struct command command_tail = {
    .name = "tail",
    .usage = "patchcord tail [-n N] [--json]",
    .summary = "show your conversations live, read-only",
    .help = "Prints the messages that you receive and send, as they come, until Ctrl-C. It takes none of\n"
            "them. What you are sent shows at once; what you send, within 15 seconds.\n"
            "\n"
            "OPTIONS\n"
            "  -n, --last N  first print the last N messages (0 to 100; default 0)\n"
            "  --json        one JSON object a line\n" REQUEST_EXIT_CODES,
    .run = run,
};
