#include "mcp_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/log.h"
#include "../common/secret.h"
#include "host_watch.h"
#include "lines.h"
#include "line_writer.h"
#include "relay_link.h"
#include "session.h"

/* How long the end may take: for calls under way and for the client to read its answers, then for telling the
 * relay what did not arrive. */
enum { FINISH_MS = 1000, RELEASE_MS = 700 };
enum { READ_BYTES = 64 * 1024 };

enum phase { PHASE_SERVING, PHASE_FINISHING, PHASE_RELEASING, PHASE_OVER };

struct bridge {
    struct relay_link *link;
    struct line_writer *writer;
    struct session *session;
    struct lines lines;
    struct host_watch host;
    enum phase phase;
    int64_t phase_ends_ms; /* monotonic; FINISHING and RELEASING */
};

/* ---- signals ---- */

static int signal_pipe[2] = {-1, -1};

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    /* A full pipe already says that there was one. */
    if (write(signal_pipe[1], "", 1) < 0)
        errno = saved;
    errno = saved;
}

static bool open_signal_pipe(void)
{
    if (pipe(signal_pipe) < 0)
        return false;
    for (int i = 0; i < 2; i++) {
        if (fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC) < 0 || fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK) < 0)
            return false;
    }
    return true;
}

static bool catch_signals(void)
{
    if (!open_signal_pipe())
        return false;
    struct sigaction end = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&end.sa_mask);
    sigemptyset(&ignore.sa_mask);
    return sigaction(SIGINT, &end, NULL) == 0 && sigaction(SIGTERM, &end, NULL) == 0 &&
           sigaction(SIGPIPE, &ignore, NULL) == 0;
}

static bool took_signal(void)
{
    char byte;
    return read(signal_pipe[0], &byte, 1) == 1;
}

/* ---- what arrived ---- */

static void on_fate(void *arg, struct relay_offer *offer, bool arrived)
{
    struct relay_link *link = arg;
    struct acks *acks = relay_link_acks(link);
    if (arrived)
        acks_arrived(acks, relay_link_config(link), offer);
    else
        acks_release(acks, relay_link_config(link), offer->lease);
}

/* ---- phases ---- */

static void begin_release(struct bridge *bridge)
{
    if (bridge->phase >= PHASE_RELEASING)
        return;
    bridge->phase = PHASE_RELEASING;
    bridge->phase_ends_ms = clock_mono_ms() + RELEASE_MS;
    session_close(bridge->session);
    session_abort(bridge->session);
    line_writer_abandon(bridge->writer);
}

static void begin_finish(struct bridge *bridge)
{
    if (bridge->phase >= PHASE_FINISHING)
        return;
    bridge->phase = PHASE_FINISHING;
    bridge->phase_ends_ms = clock_mono_ms() + FINISH_MS;
    session_close(bridge->session);
}

static bool answered_all(const struct bridge *bridge)
{
    return !session_busy(bridge->session) && line_writer_pending(bridge->writer) == 0 &&
           !line_writer_follows(bridge->writer);
}

static bool told_all(const struct bridge *bridge)
{
    return acks_settled(relay_link_acks(bridge->link)) && relay_link_changes(bridge->link) == 0;
}

static void advance_phase(struct bridge *bridge)
{
    if (bridge->phase == PHASE_FINISHING &&
        (answered_all(bridge) || clock_mono_ms() >= bridge->phase_ends_ms))
        begin_release(bridge);
    if (bridge->phase == PHASE_RELEASING && (told_all(bridge) || clock_mono_ms() >= bridge->phase_ends_ms))
        bridge->phase = PHASE_OVER;
}

/* ---- input ---- */

static void take_line(struct bridge *bridge, enum line_kind kind, const struct line *line)
{
    if (kind == LINE_WHOLE)
        session_line(bridge->session, line->text, line->len);
    else if (kind == LINE_TOO_LONG)
        session_line_too_long(bridge->session, line->id);
}

static void take_lines(struct bridge *bridge)
{
    struct line line;
    enum line_kind kind;
    while (session_reads(bridge->session) && (kind = lines_next(&bridge->lines, &line)) != LINE_NONE)
        take_line(bridge, kind, &line);
}

/* Input is over: what was read is all there is, so nothing of it has to wait. */
static void take_rest(struct bridge *bridge)
{
    struct line line;
    enum line_kind kind;
    while ((kind = lines_next(&bridge->lines, &line)) != LINE_NONE)
        take_line(bridge, kind, &line);
    take_line(bridge, lines_last(&bridge->lines, &line), &line);
}

static void read_input(struct bridge *bridge)
{
    static char bytes[READ_BYTES];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got > 0) {
        lines_feed(&bridge->lines, bytes, (size_t)got);
        take_lines(bridge);
        return;
    }
    take_rest(bridge);
    begin_finish(bridge);
}

/* ---- the loop ---- */

static int sooner(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int next_timeout(const struct bridge *bridge)
{
    int timeout = sooner(relay_link_timeout_ms(bridge->link), session_timeout_ms(bridge->session));
    timeout = sooner(timeout, line_writer_timeout_ms(bridge->writer));
    timeout = sooner(timeout, bridge->host.interval_ms);
    if (bridge->phase == PHASE_SERVING)
        return timeout;
    int64_t left = bridge->phase_ends_ms - clock_mono_ms();
    return sooner(timeout, left > 0 ? (int)left : 0);
}

enum { FD_IN, FD_OUT, FD_SIGNAL, FD_HOST, FD_COUNT };

static void turn(struct bridge *bridge)
{
    bool reads = bridge->phase == PHASE_SERVING && session_reads(bridge->session);
    bool writes = line_writer_pending(bridge->writer) > 0;
    bool watches = bridge->phase == PHASE_SERVING;
    struct pollfd fds[FD_COUNT] = {
        [FD_IN] = {.fd = reads ? STDIN_FILENO : -1, .events = POLLIN},
        [FD_OUT] = {.fd = writes ? STDOUT_FILENO : -1, .events = POLLOUT},
        [FD_SIGNAL] = {.fd = signal_pipe[0], .events = POLLIN},
        [FD_HOST] = {.fd = watches ? bridge->host.fd : -1, .events = POLLIN},
    };
    transfers_poll(relay_link_transfers(bridge->link), fds, FD_COUNT, next_timeout(bridge));
    if (fds[FD_SIGNAL].revents && took_signal())
        bridge->phase == PHASE_SERVING ? begin_finish(bridge) : begin_release(bridge);
    if (fds[FD_IN].revents)
        read_input(bridge);
    if (watches && host_watch_gone(&bridge->host))
        begin_finish(bridge);
    relay_link_step(bridge->link);
    session_step(bridge->session);
    if (!line_writer_flush(bridge->writer))
        begin_release(bridge);
    /* What had to wait in the buffer while the session took no more. */
    if (bridge->phase == PHASE_SERVING)
        take_lines(bridge);
    advance_phase(bridge);
}

static void warn_unknown(const char *name)
{
    log_warn("unknown_setting", LOG_STR("name", name));
}

static int run_mcp(const struct config_options *options, int argc, char **argv)
{
    bool channel = argc == 2 && strcmp(argv[1], "--channel") == 0;
    if (argc > 1 && !channel)
        return command_usage_error(&command_mcp, "it takes no argument \"%s\"", argv[1]);
    secret_init();
    env_unknown("PATCHCORD_", (const struct setting *const[]){config_settings, NULL}, warn_unknown);
    if (!catch_signals()) {
        perror("patchcord mcp");
        return COMMAND_ERROR;
    }
    struct bridge bridge = {.phase = PHASE_SERVING};
    bridge.link = relay_link_new();
    bridge.writer = line_writer_new(STDOUT_FILENO, on_fate, bridge.link);
    bridge.session = session_new(options, bridge.link, bridge.writer);
    if (channel)
        session_open_channel(bridge.session);
    host_watch_start(&bridge.host, HOST_WATCH_BEST);
    while (bridge.phase != PHASE_OVER)
        turn(&bridge);
    host_watch_end(&bridge.host);
    session_free(bridge.session);
    line_writer_free(bridge.writer);
    relay_link_free(bridge.link);
    lines_free(&bridge.lines);
    return COMMAND_DONE;
}

const struct command command_mcp = {
    .name = "mcp",
    .usage = "patchcord mcp [--channel] [--client NAME] [--as AGENT@NAMESPACE] [--allow-path FOLDER]... "
             "[--insecure-http]",
    .summary = "the bridge that an agent's program spawns: MCP on standard input and output",
    .help =
        "Speaks MCP, one message a line, on standard input and output, and forwards tool calls to the "
        "relay.\n"
        "It ends when its input ends, on SIGINT and SIGTERM, and when the program that spawned it does.\n"
        "\n"
        "Without a command and without a terminal on standard input, patchcord is `patchcord mcp`.\n"
        "\n"
        "The identity comes from PATCHCORD_TOKEN and PATCHCORD_URL, or from the credentials file: the entry "
        "of\n"
        "--as, or that of the current folder and --client, else of a folder above it up to the git root.\n"
        "\n"
        "Files (upload_attachment's local_path, get_attachment's save_to) are those of the current folder, "
        "unless "
        "that\n"
        "is /, the home folder or above it, and of each --allow-path; no part of a path may begin with a "
        "dot.\n"
        "\n"
        "With --channel, messages are pushed into the session as they come (channels, a preview of Claude "
        "Code: "
        "start\n"
        "it with them enabled for this server). The agent need not call inbox then.\n"
        "\n"
        "Exit code: 0, or 2 for a wrong command line.\n",
    .run = run_mcp,
};
