/* subscribe: the listener that a monitor runs: one line on stdout for each message, as it comes, and all else
 * on stderr. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/json.h"
#include "../../common/secret.h"
#include "../event_listener.h"
#include "../inbox_look.h"
#include "../listener_lock.h"
#include "../rings.h"
#include "../wake_up.h"
#include "commands.h"
#include "request.h"
#include "terminal.h"

enum { LOOK_MS = 5000, AGAIN_MS = 10 * MS_PER_MINUTE, POSTPONE_MS = 30 * MS_PER_SECOND };

struct subscription {
    struct config config;
    struct rings rings;
    struct wake_up wake;
    char *agent; /* NULL until the relay said who we are, and the lock is ours */
    int lock;    /* -1: not taken */
    int exit_code;
};

/* ---- ringing ---- */

static bool ring(struct subscription *s, struct buf *line, size_t count, const char *from)
{
    bool printed = terminal_print(line);
    /* A reader who is gone wants no more; anything else is an error. */
    if (!printed)
        s->exit_code = errno == EPIPE ? COMMAND_DONE : COMMAND_ERROR;
    wake_up_note(&s->wake, count, from);
    wake_up_step(&s->wake);
    buf_free(line);
    return printed;
}

static bool ring_waiting(struct subscription *s, size_t count)
{
    struct buf line = {0};
    if (count == 0)
        return true;
    buf_printf(&line, "PATCHCORD: %zu waiting in inbox\n", count);
    return ring(s, &line, count, NULL);
}

static bool ring_new(struct subscription *s, const char *from)
{
    struct buf line = {0}, name = {0};
    fence_word(&name, from, FENCE_WORD_MAX);
    buf_printf(&line, "PATCHCORD: 1 new from %s\n", buf_text(&name));
    bool printed = ring(s, &line, 1, buf_text(&name));
    buf_free(&name);
    return printed;
}

/* ---- the beginning ---- */

/* False: this is not for us to listen to. */
static bool take_lock(struct subscription *s, const char *agent)
{
    pid_t holder = 0;
    switch (listener_lock_take(s->config.url, agent, &s->lock, &holder)) {
    case LISTENER_TAKEN:
        s->agent = xstrdup(agent);
        fprintf(stderr, "patchcord subscribe: listening for %s\n", agent);
        return true;
    case LISTENER_BUSY:
        fprintf(stderr, "patchcord subscribe: process %ld listens for %s already; that is enough\n",
            (long)holder, agent);
        s->exit_code = COMMAND_DONE;
        return false;
    case LISTENER_FAULT:
        break;
    }
    fprintf(stderr, "patchcord subscribe: cannot lock its file in the state folder: %s\n", strerror(errno));
    s->exit_code = COMMAND_ERROR;
    return false;
}

/* After the stream was opened: so a message is either seen here, or comes as an event. Tried again with the
 * next bytes where the relay does not answer. */
static bool first_look(struct subscription *s)
{
    struct inbox_look pending;
    bool goes_on = true;
    inbox_look(&s->config, LOOK_MS, &pending, NULL);
    if (pending.sight == INBOX_SEEN)
        goes_on = take_lock(s, pending.agent) &&
                  ring_waiting(s, rings_first_of(&s->rings, &pending, clock_mono_ms()));
    inbox_look_free(&pending);
    return goes_on;
}

/* ---- listening ---- */

static bool is_own(const struct subscription *s, const char *from)
{
    size_t len = strlen(from);
    return strncmp(s->agent, from, len) == 0 && s->agent[len] == '@';
}

static bool heard(void *arg, const char *name, const struct buf *data)
{
    struct subscription *s = arg;
    if (strcmp(name, "message") != 0)
        return true;
    /* What comes before we know who we are is seen by the look. */
    if (!s->agent)
        return first_look(s);
    enum json_fault fault;
    char id[UUID_SIZE];
    struct json_object *event = json_parse(data->data, data->len, &fault);
    const char *text = json_text_or(event, "message_id", ""), *from = json_text_or(event, "from", "");
    bool goes_on = true;
    if (uuid_parse(text, strlen(text), id) && rings_first(&s->rings, id, clock_mono_ms()) && !is_own(s, from))
        goes_on = ring_new(s, from);
    json_object_put(event);
    return goes_on;
}

/* Nobody came: once more. Where the relay is not there to say so, somewhat later. */
static bool ring_again(struct subscription *s)
{
    struct inbox_look pending;
    bool goes_on = true;
    inbox_look(&s->config, LOOK_MS, &pending, NULL);
    if (pending.sight == INBOX_SEEN)
        goes_on = ring_waiting(s, rings_second(&s->rings, &pending));
    else
        rings_postpone(&s->rings, clock_mono_ms() + POSTPONE_MS);
    inbox_look_free(&pending);
    return goes_on;
}

static bool beat(void *arg)
{
    struct subscription *s = arg;
    return s->agent || first_look(s);
}

static bool tick(void *arg)
{
    struct subscription *s = arg;
    struct pollfd out = {.fd = STDOUT_FILENO};
    wake_up_step(&s->wake);
    /* Its reader is gone: nobody is told any more. */
    if (poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP | POLLNVAL)))
        return false;
    return !rings_due(&s->rings, clock_mono_ms()) || ring_again(s);
}

/* ---- the command ---- */

static int read_options(struct subscription *s, int argc, char **argv)
{
    static const struct option options[] = {{.name = "exec", .has_arg = required_argument, .val = 'e'},
        {.name = "again", .has_arg = required_argument, .val = 'a'}, {0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'e')
            s->wake.command = optarg;
        else if (option == 'a')
            s->rings.again_ms = clock_parse_duration(optarg);
        else
            return command_usage_error(&command_subscribe,
                option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
        if (s->rings.again_ms < 0)
            return command_usage_error(&command_subscribe, "--again takes a duration like 10m");
    }
    return optind < argc ? command_usage_error(&command_subscribe, "it takes no argument") : COMMAND_DONE;
}

static void listen_on(struct subscription *s)
{
    struct relay_reply reply = {0};
    const struct event_listener_setup listener = {.config = &s->config,
        .stop = request_stop_on_signals(),
        .heard = heard,
        .beat = beat,
        .tick = tick,
        .arg = s};
    event_listener_run(&listener, &reply);
    if (reply.outcome != RELAY_DONE && reply.outcome != RELAY_STOPPED)
        s->exit_code = request_failure(&command_subscribe, &reply);
    relay_reply_free(&reply);
}

static int run(const struct config_options *options, int argc, char **argv)
{
    struct subscription *s = xcalloc(1, sizeof *s);
    struct buf why = {0};
    s->lock = -1;
    s->rings.again_ms = AGAIN_MS;
    s->exit_code = read_options(s, argc, argv);
    if (s->exit_code == COMMAND_DONE && !config_load(options, &s->config, &why)) {
        fprintf(stderr, "patchcord subscribe: %s\n", buf_text(&why));
        s->exit_code = COMMAND_ERROR;
    }
    if (s->exit_code == COMMAND_DONE) {
        secret_init();
        signal(SIGPIPE, SIG_IGN);
        listen_on(s);
    }
    int exit_code = s->exit_code;
    wake_up_free(&s->wake);
    config_free(&s->config);
    if (s->lock >= 0)
        close(s->lock);
    free(s->agent);
    free(s);
    buf_free(&why);
    return exit_code;
}

const struct command command_subscribe = {
    .name = "subscribe",
    .usage = "patchcord subscribe [--exec COMMAND] [--again DURATION]",
    .summary = "print a line for each message as it comes, for a monitor",
    .help =
        "Listens until it is ended, through restarts of the relay, and takes nothing. On standard output:\n"
        "\n"
        "  PATCHCORD: 3 waiting in inbox   at the start, where something waits\n"
        "  PATCHCORD: 1 new from backend   for each message, once\n"
        "\n"
        "Where nobody has come for the messages after some time, the first line comes once more. One "
        "listener\n"
        "is enough for an agent: a second one ends at once.\n"
        "\n"
        "OPTIONS\n"
        "  --exec COMMAND    also run this in a shell, with the number of messages as $1 and the senders as "
        "$2;\n"
        "                    what comes while it runs is one further run\n"
        "  --again DURATION  when to ring once more (10m; 0: never)\n"
        "\n"
        "EXIT STATUS\n"
        "  0  it was ended, its reader is gone, or another one listens already\n"
        "  1  an error, said on standard error\n"
        "  2  wrong usage\n"
        "  4  the relay refused the token\n",
    .run = run,
};
