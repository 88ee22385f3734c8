/* Sends that the relay does not take just now: kept, in order, delivered once, by whoever comes next; and
 * what their sender is told. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../../common/uuid.h"
#include "../harness.h"
#include "../harness_peer.h"

enum { COMMAND_MS = 30 * 1000, SOON_MS = 20 * 1000 };

#define MCP "/mcp/bearer"

static struct relay_process *relay;
static char *front_token, *back_token, *sink_token;
static char *state; /* "XDG_STATE_HOME=…", one for all */

static void setup(void)
{
    relay = relay_start(NULL, NULL);
    front_token = relay_token(relay, "frontend@shop");
    back_token = relay_token(relay, "backend@shop");
    sink_token = relay_token(relay, "sink@shop");
    state = xasprintf("XDG_STATE_HOME=%s", temp_folder());
}

static void teardown(void)
{
    free(front_token);
    free(back_token);
    free(sink_token);
    free(state);
}

/* ---- helpers ---- */

static struct bridge_process *bridge_with(const char *token, const char *setting)
{
    return bridge_start(relay, token, (const char *const[]){state, setting, NULL});
}

static struct bridge_process *bridge_of(const char *token)
{
    return bridge_with(token, NULL);
}

static char *send_args(const char *to, const char *content)
{
    return xasprintf("{\"to\":\"%s\",\"content\":\"%s\"}", to, content);
}

/* Sends to the sink; what was said (the caller frees). */
static char *say(struct bridge_process *bridge, const char *to, const char *content, bool *failed)
{
    char *args = send_args(to, content), *text = bridge_tool(bridge, "send_message", args, failed);
    free(args);
    return text;
}

static void expect_said(struct bridge_process *bridge, const char *to, const char *content, const char *part)
{
    bool failed;
    char *text = say(bridge, to, content, &failed);
    ck_assert_msg(!failed && strstr(text, part) != NULL, "%s: %s", content, text);
    free(text);
}

static void expect(
    struct bridge_process *bridge, const char *tool, const char *args, bool is_error, const char *part)
{
    bool failed;
    char *text = bridge_tool(bridge, tool, args, &failed);
    ck_assert_msg(strstr(text, part) != NULL, "%s: %s", tool, text);
    ck_assert_int_eq(failed, is_error);
    free(text);
}

static struct program_result ran;

static int run(const char *token, const char *line)
{
    const char *argv[12] = {"patchcord"};
    char *words = xstrdup(line), *rest = words, *word;
    for (size_t n = 1; n < LENGTH_OF(argv) - 1 && (word = strsep(&rest, " ")); n++)
        argv[n] = word;
    char *url = xasprintf("PATCHCORD_URL=%s", relay->url), *bearer = xasprintf("PATCHCORD_TOKEN=%s", token);
    program_result_free(&ran);
    run_program(argv, (const char *const[]){url, bearer, state, NULL}, NULL, COMMAND_MS, &ran);
    free(words);
    free(url);
    free(bearer);
    return ran.exit_code;
}

static void run_ok(const char *token, const char *line, const char *part)
{
    int code = run(token, line);
    ck_assert_msg(code == 0 && strstr(buf_text(&ran.out), part), "%s: %d\n%s\n%s", line, code,
        buf_text(&ran.out), buf_text(&ran.err));
}

/* All that an agent has pending, taken: the contents, each behind a newline. Caller frees. */
static char *take_all(const char *token)
{
    struct buf all = {0};
    buf_putc(&all, '\n');
    for (bool more = true; more;) {
        bool failed;
        char *text = mcp_tool(relay, token, "inbox", "{}", &failed);
        ck_assert(!failed);
        more = false;
        for (char *line = strstr(text, "\n> "); line; line = strstr(line + 1, "\n> ")) {
            buf_printf(&all, "%.*s\n", (int)strcspn(line + 3, "\n"), line + 3);
            more = true;
        }
        free(text);
    }
    return buf_take(&all);
}

static void expect_taken(const char *token, const char *contents)
{
    char *taken = take_all(token);
    ck_assert_str_eq(taken, contents);
    free(taken);
}

struct pending {
    const char *token;
    int64_t count, seen;
};

static bool has_pending(void *arg)
{
    struct pending *pending = arg;
    struct http_reply reply;
    relay_call(relay, "GET", "/api/inbox?count_only=1&limit=100", pending->token, NULL, NULL, &reply);
    if (json_get_int(reply.json, "pending_count", &pending->seen) != JSON_FIELD_FOUND)
        pending->seen = -1;
    http_reply_free(&reply);
    return pending->seen == pending->count;
}

static void await_pending(const char *token, int64_t count)
{
    struct pending pending = {.token = token, .count = count};
    ck_assert_msg(poll_until(has_pending, &pending, SOON_MS), "there are %lld pending, not %lld",
        (long long)pending.seen, (long long)count);
}

/* The outbox folder of that name's beginning; NULL where there is none. Caller frees. */
static char *box_find(const char *begins)
{
    char *root = xasprintf("%s/patchcord/outbox", strchr(state, '=') + 1), *found = NULL;
    DIR *dir = opendir(root);
    for (const struct dirent *entry; dir && !found && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, begins, strlen(begins)) == 0)
            found = xasprintf("%s/%s", root, entry->d_name);
    }
    if (dir)
        closedir(dir);
    free(root);
    return found;
}

static char *box(const char *begins)
{
    char *found = box_find(begins);
    ck_assert_msg(found != NULL, "no outbox %s", begins);
    return found;
}

static bool is_known(void *arg)
{
    char *links = box_find("links");
    (void)arg;
    free(links);
    return links != NULL;
}

/* The relay has told whose token this is, and that is written down. */
static void await_known(struct bridge_process *bridge)
{
    expect(bridge, "inbox", "{}", false, "frontend@shop | ");
    ck_assert(poll_until(is_known, NULL, SOON_MS));
}

static bool is_emptied(void *arg)
{
    return run(arg, "outbox list") == 0 && strstr(buf_text(&ran.out), "The outbox is empty.\n") != NULL;
}

/* The relay may have the last message a moment before the bridge has heard so. */
static void await_emptied(char *token)
{
    ck_assert(poll_until(is_emptied, token, SOON_MS));
}

static void put_in_box(const char *begins, const char *name, const char *text)
{
    char *at = box(begins), *path = xasprintf("%s/%s", at, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    free(path);
    free(at);
}

/* ---- nothing is lost ---- */

enum { SENDERS = 2, SENDS = 100 };

static void expect_each_once(const char *all, const char *prefix, int count)
{
    const char *at = all;
    for (int i = 0; i < count; i++) {
        char *content = xasprintf("\n%s-%03d\n", prefix, i);
        const char *found = strstr(at, content);
        ck_assert_msg(found != NULL, "%s is missing or out of order", content + 1);
        ck_assert_msg(strstr(found + 1, content) == NULL, "%s came twice", content + 1);
        at = found;
        free(content);
    }
}

/* Two agents' bridges queue 100 each; both are killed on the way, with a call under way. */
START_TEST(killed_bridges_lose_nothing_that_was_acknowledged)
{
    const char *tokens[SENDERS] = {front_token, back_token}, *prefixes[SENDERS] = {"f", "b"};
    struct bridge_process *bridges[SENDERS];
    relay_kill(relay);
    for (int who = 0; who < SENDERS; who++)
        bridges[who] = bridge_of(tokens[who]);
    for (int i = 0; i < SENDS; i++) {
        for (int who = 0; who < SENDERS; who++) {
            char *content = xasprintf("%s-%03d", prefixes[who], i);
            expect_said(bridges[who], "sink", content, "Queued for sink [");
            free(content);
            if (i != SENDS / 2)
                continue;
            bridge_call_begin(
                bridges[who], "send_message", "{\"to\":\"sink\",\"content\":\"unacknowledged\"}");
            bridge_kill(bridges[who]);
            bridges[who] = bridge_of(tokens[who]);
        }
    }
    for (int who = 0; who < SENDERS; who++)
        bridge_kill(bridges[who]);
    relay_restart(relay, NULL);
    for (int who = 0; who < SENDERS; who++)
        run_ok(tokens[who], "outbox flush", " sent, 0 refused, 0 waiting\n");
    char *all = take_all(sink_token);
    for (int who = 0; who < SENDERS; who++)
        expect_each_once(all, prefixes[who], SENDS);
    free(all);
    for (int who = 0; who < SENDERS; who++)
        run_ok(tokens[who], "outbox list", "The outbox is empty.\n");
}
END_TEST

static bool has_any(void *arg)
{
    struct pending *pending = arg;
    has_pending(pending);
    return pending->seen > pending->count;
}

/* Whoever delivers is killed, again and again, whatever it is at: each message is stored once, in order. */
START_TEST(killed_deliverers_store_nothing_twice)
{
    enum { MESSAGES = 90, KILLS_MAX = 60 };
    struct bridge_process *front = bridge_of(front_token);
    relay_kill(relay);
    for (int i = 0; i < MESSAGES; i++) {
        char *content = xasprintf("k-%03d", i);
        expect_said(front, "sink", content, "Queued");
        free(content);
    }
    bridge_kill(front);
    relay_restart(relay, NULL);
    struct pending pending = {.token = sink_token};
    int kills = 0;
    for (; pending.seen < MESSAGES && kills < KILLS_MAX; kills++) {
        front = bridge_of(front_token);
        bridge_send_line(front, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
        pending.count = pending.seen;
        ck_assert(poll_until(has_any, &pending, SOON_MS));
        bridge_kill(front);
    }
    ck_assert_int_gt(kills, 3);
    run_ok(front_token, "outbox flush", " 0 refused, 0 waiting\n");
    char *all = take_all(sink_token);
    expect_each_once(all, "k", MESSAGES);
    free(all);
}
END_TEST

START_TEST(a_bridge_delivers_by_itself_and_tells)
{
    struct bridge_process *front = bridge_of(front_token);
    relay_kill(relay);
    expect_said(front, "sink", "one", "It is the first in the outbox");
    expect_said(front, "sink", "two", "It is number 2 in the outbox");
    expect_said(front, "nobody", "lost", "Queued for nobody [");
    expect_said(front, "sink@elsewhere", "far", "It is number 4 in the outbox");
    expect_said(front, "sink", "three", "Queued for sink [");
    expect(front, "send_message", "{\"to\":\"sink\",\"content\":\"\"}", true, "content is empty");
    relay_restart(relay, NULL);
    await_pending(sink_token, 3);
    expect_taken(sink_token, "\none\ntwo\nthree\n");
    bool failed;
    char *text = bridge_tool(front, "inbox", "{}", &failed);
    ck_assert_msg(strncmp(text, "Outbox: ", 8) == 0, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "3 queued messages were delivered since, to sink."));
    ck_assert_ptr_nonnull(strstr(text, "Refused: the one to nobody ["));
    ck_assert_ptr_nonnull(strstr(text, "Unknown recipient nobody"));
    ck_assert_ptr_nonnull(strstr(text, "\n\nfrontend@shop | "));
    free(text);
    text = bridge_tool(front, "inbox", "{}", &failed);
    ck_assert_msg(strstr(text, "Outbox") == NULL, "%s", text);
    free(text);
    expect_said(front, "sink", "four", "Sent to sink [");
    run_ok(front_token, "outbox list", "refused for nobody");
    run_ok(front_token, "outbox list", "`patchcord agents` lists who is there");
}
END_TEST

/* The first to speak is enough: its agent need not call anything. */
START_TEST(the_next_bridge_carries_on)
{
    struct bridge_process *first = bridge_of(front_token);
    await_known(first); /* the relay says whose token it is */
    relay_kill(relay);
    expect_said(first, "sink", "x", "Queued for sink [");
    ck_assert_int_eq(bridge_end(first), 0);
    relay_restart(relay, NULL);
    struct bridge_process *next = bridge_of(front_token);
    bridge_send_line(next, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    await_pending(sink_token, 1);
}
END_TEST

START_TEST(replies_wait_too)
{
    char *text = tool_ok(relay, sink_token, "send_message", "{\"to\":\"frontend\",\"content\":\"question\"}");
    char *id = id_of_sent(text), *args = xasprintf("{\"message_id\":\"%s\",\"content\":\"answer\"}", id);
    struct bridge_process *front = bridge_of(front_token);
    expect(front, "inbox", "{}", false, "> question");
    relay_kill(relay);
    expect(front, "reply", args, false, "Queued reply [");
    relay_restart(relay, NULL);
    await_pending(sink_token, 1);
    expect_taken(sink_token, "\nanswer\n");
    char *recall = xasprintf("{\"message_id\":\"%s\"}", id);
    tool_soon_says(relay, sink_token, "recall", recall, "replied");
    free(recall);
    free(args);
    free(id);
    free(text);
}
END_TEST

/* Both sessions of one agent queue and deliver; the relay stores each once. */
START_TEST(two_bridges_of_one_identity_share_an_outbox)
{
    struct bridge_process *bridges[] = {bridge_of(front_token), bridge_of(front_token)};
    relay_kill(relay);
    for (int i = 0; i < 30; i++) {
        char *content = xasprintf("s-%03d", i);
        expect_said(bridges[i % 2], "sink", content, "Queued for sink [");
        free(content);
    }
    relay_restart(relay, NULL);
    await_pending(sink_token, 30);
    char *all = take_all(sink_token);
    expect_each_once(all, "s", 30);
    free(all);
    await_emptied(front_token);
}
END_TEST

START_TEST(a_stopped_bridge_holds_up_no_sends)
{
    struct bridge_process *stopped = bridge_of(front_token), *other = bridge_of(front_token);
    relay_kill(relay);
    expect_said(stopped, "sink", "one", "Queued for sink [");
    kill(stopped->pid, SIGSTOP);
    expect_said(other, "sink", "two", "Queued for sink [");
    kill(stopped->pid, SIGCONT);
    relay_restart(relay, NULL);
    await_pending(sink_token, 2);
    expect_taken(sink_token, "\none\ntwo\n");
}
END_TEST

START_TEST(a_new_token_delivers_what_the_old_one_left)
{
    struct bridge_process *old = bridge_of(front_token);
    await_known(old);
    relay_kill(relay);
    expect_said(old, "sink", "x", "Queued for sink [");
    ck_assert_int_eq(bridge_end(old), 0);
    relay_restart(relay, NULL);
    const char *const argv[] = {"patchcord-relay", "token", "rotate", "frontend@shop", NULL};
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    program_result_free(&ran);
    run_program(argv, (const char *const[]){data, NULL}, NULL, COMMAND_MS, &ran);
    const char *token = strstr(buf_text(&ran.out), "pc_");
    ck_assert_msg(ran.exit_code == 0 && token, "%s", buf_text(&ran.err));
    char *fresh = xmemdup_text(token, strcspn(token, " \n\"'"));
    ck_assert_int_eq(run(front_token, "outbox flush"), 4);
    run_ok(front_token, "outbox list", "queued for sink");
    struct bridge_process *next = bridge_of(fresh);
    expect(next, "inbox", "{}", false, "frontend@shop");
    await_pending(sink_token, 1);
    free(fresh);
    free(data);
}
END_TEST

/* ---- its bounds, and what is none of its ---- */

START_TEST(a_full_outbox_says_so)
{
    struct bridge_process *front = bridge_with(front_token, "PATCHCORD_OUTBOX_MAX_ENTRIES=2");
    relay_kill(relay);
    expect_said(front, "sink", "1", "Queued");
    expect_said(front, "sink", "2", "Queued");
    expect(front, "send_message", "{\"to\":\"sink\",\"content\":\"3\"}", true,
        "Not sent, and not queued either: the outbox is full: 2 messages");
    struct bridge_process *none = bridge_with(back_token, "PATCHCORD_OUTBOX_MAX_ENTRIES=0");
    expect(none, "send_message", "{\"to\":\"sink\",\"content\":\"x\"}", true, "Not sent, and not queued");
    struct bridge_process *small = bridge_with(back_token, "PATCHCORD_OUTBOX_MAX_BYTES=100");
    expect(small, "send_message", "{\"to\":\"sink\",\"content\":\"x\"}", true, "PATCHCORD_OUTBOX_MAX_BYTES");
    relay_restart(relay, NULL);
    await_pending(sink_token, 2);
    expect_taken(sink_token, "\n1\n2\n");
}
END_TEST

START_TEST(damaged_and_foreign_files_block_nothing)
{
    struct bridge_process *front = bridge_of(front_token);
    await_known(front);
    relay_kill(relay);
    expect_said(front, "sink", "whole", "Queued");
    bridge_kill(front);
    put_in_box(
        "frontend_shop,", "0000000000001-0192f0c1-0000-7000-8000-000000000001.json", "{\"version\":1,\"id");
    put_in_box("frontend_shop,", "0000000000002-0192f0c1-0000-7000-8000-000000000002.json", "");
    put_in_box("frontend_shop,", "README", "what is this?");
    char *at = box("frontend_shop,"), *link_path = xasprintf("%s/0000000000003-x", at);
    ck_assert_int_eq(symlink("/etc/passwd", link_path), 0);
    relay_restart(relay, NULL);
    front = bridge_of(front_token);
    expect(front, "inbox", "{}", false, "frontend@shop");
    await_pending(sink_token, 1);
    expect_taken(sink_token, "\nwhole\n");
    run_ok(front_token, "outbox list", "4 files that hold no message of ours are set aside.");
    free(link_path);
    free(at);
}
END_TEST

START_TEST(what_is_too_old_is_given_up_and_told)
{
    struct bridge_process *front = bridge_of(front_token);
    await_known(front);
    relay_kill(relay);
    expect_said(front, "sink", "young", "Queued");
    bridge_kill(front);
    int64_t edge_ms = clock_wall_ms() - 6 * (int64_t)MS_PER_DAY;
    char *old = xasprintf(
        "{\"version\":1,\"id\":\"0192f0c1-0000-7000-8000-000000000001\",\"kind\":\"send\",\"args\":{"
        "\"to\":[\"sink\"],\"content\":\"old\"},\"created\":%lld,\"attempts\":9}",
        (long long)edge_ms - 1000);
    char *younger = xasprintf(
        "{\"version\":1,\"id\":\"0192f0c1-0000-7000-8000-000000000002\",\"kind\":\"send\",\"args\":{"
        "\"to\":[\"sink\"],\"content\":\"just\"},\"created\":%lld,\"attempts\":9}",
        (long long)edge_ms + MS_PER_HOUR);
    put_in_box("frontend_shop,", "0000000000001-0192f0c1-0000-7000-8000-000000000001.json", old);
    put_in_box("frontend_shop,", "0000000000002-0192f0c1-0000-7000-8000-000000000002.json", younger);
    relay_restart(relay, NULL);
    ck_assert_int_eq(run(front_token, "outbox flush"), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&ran.out), "2 sent, 1 refused, 0 waiting"));
    expect_taken(sink_token, "\njust\nyoung\n");
    front = bridge_of(front_token);
    expect(front, "inbox", "{}", false, "it expired: it could not be delivered for 6 days");
    free(old);
    free(younger);
}
END_TEST

START_TEST(the_rate_limit_is_not_used_up)
{
    enum { COUNT = 34 };
    static const char *const limited[] = {"PATCHCORD_RATE_LIMIT_PER_MINUTE=120", NULL};
    struct bridge_process *front = bridge_of(front_token);
    relay_kill(relay);
    for (int i = 0; i < COUNT; i++)
        expect_said(front, "sink", "x", "Queued");
    relay_restart(relay, limited);
    int64_t began = now_us();
    await_pending(sink_token, COUNT);
    /* A quarter of the limit at once, and then half of it a minute: 3 of them wait for a second each. */
    ck_assert_int_ge(now_us() - began, 1500 * 1000);
    await_emptied(front_token);
    expect_said(front, "sink", "y", "Sent to sink [");
}
END_TEST

/* ---- taking back ---- */

START_TEST(what_waits_can_be_taken_back)
{
    struct bridge_process *front = bridge_of(front_token);
    bool failed;
    relay_kill(relay);
    expect_said(front, "sink", "stays", "Queued");
    char *text = say(front, "sink", "goes", &failed), *id = id_of_sent(text);
    char *args = xasprintf("{\"message_id\":\"%s\"}", id);
    expect(front, "unsend_message", args, false, "Unsent [");
    relay_restart(relay, NULL);
    await_pending(sink_token, 1);
    expect_taken(sink_token, "\nstays\n");
    expect(front, "unsend_message", args, true, "Not found");
    free(args);
    free(id);
    free(text);
}
END_TEST

/* ---- commands ---- */

START_TEST(commands_queue_and_deliver)
{
    relay_kill(relay);
    run_ok(front_token, "send sink one", "Queued for sink [");
    run_ok(front_token, "send --json sink two", "\"status\":\"queued\"");
    run_ok(front_token, "send sink three", "It is number 3 in the outbox");
    char *id = id_of_sent(buf_text(&ran.out)), *drop = xasprintf("outbox drop %s", id);
    run_ok(front_token, "outbox list", "queued for sink (just now) [");
    ck_assert_ptr_nonnull(strstr(buf_text(&ran.out), "\n  one\n"));
    run_ok(front_token, "outbox list --json", "\"content\":\"two\"");
    run_ok(front_token, drop, "Dropped [");
    ck_assert_int_eq(run(front_token, drop), 1);
    ck_assert_int_eq(run(front_token, "outbox flush"), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&ran.err), relay->url));
    ck_assert_ptr_nonnull(strstr(buf_text(&ran.out), "0 sent, 0 refused, 2 waiting"));
    relay_restart(relay, NULL);
    /* What stands before it goes first, at once. */
    run_ok(front_token, "send --json sink four", "\"status\":\"sent\"");
    expect_taken(sink_token, "\none\ntwo\nfour\n");
    ck_assert_int_eq(run("pc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "send sink x"), 4);
    ck_assert_int_eq(run(front_token, "outbox drop 17"), 2);
    ck_assert_int_eq(run(front_token, "outbox shout"), 2);
    ck_assert_int_eq(run(front_token, "outbox list more"), 2);
    run_ok(front_token, "outbox", "The outbox is empty.\n");
    run_ok(front_token, "outbox flush --json", "{\"sent\":0,\"refused\":0,\"waiting\":0}");
    free(drop);
    free(id);
}
END_TEST

START_TEST(a_refusal_of_ones_own_message_is_an_error)
{
    relay_kill(relay);
    run_ok(front_token, "send sink one", "Queued for sink [");
    relay_restart(relay, NULL);
    ck_assert_int_eq(run(front_token, "send nobody two"), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&ran.err), "Unknown recipient nobody"));
    /* It was told: nothing is left of it. */
    run_ok(front_token, "outbox list", "The outbox is empty.\n");
}
END_TEST

/* ---- what only a scripted relay does ---- */

static struct peer *peer;

static void with_peer(peer_script_fn *script)
{
    peer = peer_start(script);
    relay = (struct relay_process *)peer_relay(peer);
}

static void identity(struct peer_answer *answer)
{
    answer->status = 200;
    answer->body =
        xstrdup("{\"agent_id\":\"frontend\",\"namespace_id\":\"shop\",\"rate_limit_per_minute\":0}");
}

static const char *meta_text(int number, const char *key)
{
    struct json_object *params, *meta;
    ck_assert_int_eq(
        json_get_object(peer_request(peer, MCP, number)->body, "params", &params), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(params, "_meta", &meta), JSON_FIELD_FOUND);
    return json_text_or(meta, key, "");
}

static bool is_queued_call(int number)
{
    struct json_object *params, *meta;
    bool queued = false;
    ck_assert_int_eq(
        json_get_object(peer_request(peer, MCP, number)->body, "params", &params), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(params, "_meta", &meta), JSON_FIELD_FOUND);
    return json_get_bool(meta, "patchcord/queued", &queued) == JSON_FIELD_FOUND && queued;
}

static void script_breaks_thrice(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, MCP) != 0)
        identity(answer);
    else if (request->number <= 3)
        answer->status = 0;
    else
        answer->body = peer_result("Sent to sink");
}

START_TEST(an_unknown_outcome_is_repeated_under_its_id)
{
    with_peer(script_breaks_thrice);
    struct bridge_process *front = bridge_of("pc_one");
    bool failed;
    char *text = say(front, "sink", "x", &failed), *id = id_of_sent(text);
    ck_assert_msg(!failed && strstr(text, "It may have arrived there"), "%s", text);
    char *args = xasprintf("{\"message_id\":\"%s\"}", id);
    peer_await(peer, MCP, 4);
    for (int i = 1; i <= 4; i++) {
        ck_assert_str_eq(meta_text(i, "patchcord/message-id"), id);
        ck_assert_int_eq(is_queued_call(i), i == 4);
    }
    free(args);
    free(id);
    free(text);
}
END_TEST

static void script_always_breaks(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, MCP) != 0)
        identity(answer);
    else
        answer->status = 0;
}

START_TEST(what_may_have_arrived_is_not_taken_back)
{
    with_peer(script_always_breaks);
    struct bridge_process *front = bridge_of("pc_one");
    bool failed;
    char *text = say(front, "sink", "x", &failed), *id = id_of_sent(text);
    char *args = xasprintf("{\"message_id\":\"%s\"}", id), *drop = xasprintf("outbox drop %s", id);
    expect(front, "unsend_message", args, true, "Not taken back");
    bridge_kill(front);
    run_ok("pc_one", drop, "it may have reached the relay already");
    free(drop);
    free(args);
    free(id);
    free(text);
}
END_TEST

static void script_limits(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, MCP) != 0) {
        identity(answer);
        return;
    }
    answer->status = 429;
    answer->headers = "Retry-After: 77\r\n";
}

START_TEST(a_limit_is_kept)
{
    enum { WATCH_MS = 1500 };
    with_peer(script_limits);
    struct bridge_process *front = bridge_of("pc_one");
    expect_said(front, "sink", "x", "The next try is in 77 s.");
    expect_said(front, "sink", "y", "It is number 2 in the outbox");
    poll(NULL, 0, WATCH_MS);
    ck_assert_int_eq(peer_count(peer, MCP), 1);
}
END_TEST

static void script_other_agent(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, MCP) == 0)
        answer->status = 0;
    else
        identity(answer);
}

/* A credentials file that names the wrong agent must not send under another's name. */
START_TEST(an_outbox_is_never_sent_as_another_agent)
{
    with_peer(script_other_agent);
    char *folder = xasprintf("%s/patchcord", strchr(state, '=') + 1),
         *path = xasprintf("%s/credentials.json", folder);
    char *config = xasprintf("XDG_CONFIG_HOME=%s", strchr(state, '=') + 1);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(dprintf(fd,
                         "{\"version\":1,\"entries\":[{\"agent\":\"backend@shop\",\"url\":\"%s\",\"token\":"
                         "\"pc_x\"}]}",
                         relay->url),
        0);
    close(fd);
    const char *const send[] = {"patchcord", "--as", "backend@shop", "send", "sink", "x", NULL};
    const char *const flush[] = {"patchcord", "--as", "backend@shop", "outbox", "flush", NULL};
    const char *const env[] = {config, state, NULL};
    run_program(send, env, NULL, COMMAND_MS, &ran);
    ck_assert_msg(ran.exit_code == 0, "%s", buf_text(&ran.err));
    int asked = peer_count(peer, MCP);
    program_result_free(&ran);
    run_program(flush, env, NULL, COMMAND_MS, &ran);
    ck_assert_int_eq(ran.exit_code, 4);
    ck_assert_ptr_nonnull(strstr(buf_text(&ran.err), "frontend@shop"));
    ck_assert_int_eq(peer_count(peer, MCP), asked);
    free(config);
    free(path);
    free(folder);
}
END_TEST

static void script_refuses_later(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, MCP) == 0 && request->number <= 3)
        answer->status = 503;
    else
        answer->status = 401;
}

static bool is_unlocked(void *arg)
{
    int fd = open(arg, O_RDWR | O_CLOEXEC);
    bool unlocked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return unlocked;
}

/* The bridge has heard what it asked the relay for. */
static void await_unlocked(void)
{
    char *at = box("token,"), *lock = xasprintf("%s/lock", at);
    ck_assert(poll_until(is_unlocked, lock, SOON_MS));
    free(lock);
    free(at);
}

/* "Queued" would be a promise that nobody keeps. */
START_TEST(a_refused_token_queues_nothing_more)
{
    with_peer(script_refuses_later);
    struct bridge_process *front = bridge_of("pc_one");
    expect_said(front, "sink", "x", "Queued for sink [");
    peer_await(peer, "/api/inbox?count_only=1", 1);
    await_unlocked();
    expect(front, "send_message", "{\"to\":\"sink\",\"content\":\"y\"}", true, "does not accept this token");
    expect(front, "send_message", "{\"to\":\"sink\",\"content\":\"y\"}", true, "1 queued message waits");
    bridge_kill(front);
    ck_assert_int_eq(run("pc_one", "outbox flush"), 4);
    run_ok("pc_one", "outbox list", "queued for sink");
}
END_TEST

/* ---- quiet ---- */

static long long switches(pid_t pid)
{
    char *path = xasprintf("/proc/%d/status", (int)pid), line[256];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    long long count = -1;
    while (fgets(line, sizeof line, file) && sscanf(line, "voluntary_ctxt_switches: %lld", &count) != 1)
        continue;
    fclose(file);
    free(path);
    return count;
}

START_TEST(an_emptied_outbox_lets_its_bridge_sleep)
{
    enum { QUIET_MS = 1500 };
    struct bridge_process *front = bridge_of(front_token);
    relay_kill(relay);
    expect_said(front, "sink", "x", "Queued");
    relay_restart(relay, NULL);
    await_pending(sink_token, 1);
    expect(front, "inbox", "{}", false, "was delivered since");
    long long before = -1, after = switches(front->pid);
    for (int i = 0; before != after && i < 10; i++) {
        before = after;
        poll(NULL, 0, QUIET_MS);
        after = switches(front->pid);
    }
    ck_assert_int_eq(after, before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tests = harness_case(suite, "outbox");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, killed_bridges_lose_nothing_that_was_acknowledged);
    tcase_add_test(tests, killed_deliverers_store_nothing_twice);
    tcase_add_test(tests, a_bridge_delivers_by_itself_and_tells);
    tcase_add_test(tests, the_next_bridge_carries_on);
    tcase_add_test(tests, replies_wait_too);
    tcase_add_test(tests, two_bridges_of_one_identity_share_an_outbox);
    tcase_add_test(tests, a_stopped_bridge_holds_up_no_sends);
    tcase_add_test(tests, a_new_token_delivers_what_the_old_one_left);
    tcase_add_test(tests, a_full_outbox_says_so);
    tcase_add_test(tests, damaged_and_foreign_files_block_nothing);
    tcase_add_test(tests, what_is_too_old_is_given_up_and_told);
    tcase_add_test(tests, the_rate_limit_is_not_used_up);
    tcase_add_test(tests, what_waits_can_be_taken_back);
    tcase_add_test(tests, commands_queue_and_deliver);
    tcase_add_test(tests, a_refusal_of_ones_own_message_is_an_error);
    tcase_add_test(tests, an_unknown_outcome_is_repeated_under_its_id);
    tcase_add_test(tests, what_may_have_arrived_is_not_taken_back);
    tcase_add_test(tests, a_limit_is_kept);
    tcase_add_test(tests, an_outbox_is_never_sent_as_another_agent);
    tcase_add_test(tests, a_refused_token_queues_nothing_more);
    tcase_add_test(tests, an_emptied_outbox_lets_its_bridge_sleep);
    return run_suite(suite);
}
